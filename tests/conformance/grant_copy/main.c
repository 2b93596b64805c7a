/* SPDX-License-Identifier: MIT */
/* GNTTABOP_copy: bytes between granted pages and own frames. */
#include "grants.h"

#define REF 20

static struct grant_entry_v1 *table;
static uint8_t *granted, *own;

static struct gnttab_copy from_grant(uint16_t len)
{
	return (struct gnttab_copy){
		.source = { .u.ref = REF, .domid = OWN_ID },
		.dest = { .u.gmfn = mfn_of(own), .domid = DOMID_SELF },
		.len = len,
		.flags = GNTCOPY_source_gref,
		.status = 99,
	};
}

static struct gnttab_copy between_frames(uint16_t len)
{
	return (struct gnttab_copy){
		.source = { .u.gmfn = mfn_of(granted), .domid = DOMID_SELF },
		.dest = { .u.gmfn = mfn_of(own), .domid = DOMID_SELF },
		.len = len,
		.status = 99,
	};
}

static int copy(struct gnttab_copy op)
{
	return grant_op(GNTTABOP_copy, &op) ? 98 : op.status;
}

static void good(void)
{
	struct gnttab_copy op = from_grant(100);
	bool exact;
	int status;

	for (int i = 0; i < 4096; i++)
		granted[i] = (uint8_t)(i ^ 0x5a);
	op.source.offset = 3;
	op.dest.offset = 50;
	status = copy(op);
	exact = memcmp(own + 50, granted + 3, 100) == 0 && own[49] == 0 && own[150] == 0;
	check("GNT-COPY-1", status == GNTST_okay && exact, "from a grant: exactly len bytes");
	check_eq("GNT-COPY-9", table[REF].flags & (GTF_reading | GTF_writing), 0,
		 "the entry's bits are clear after a copy");
	memset(own, 0x33, PAGE_SIZE);
	op = (struct gnttab_copy){
		.source = { .u.gmfn = mfn_of(own), .domid = DOMID_SELF },
		.dest = { .u.ref = REF, .domid = OWN_ID },
		.len = 4096,
		.flags = GNTCOPY_dest_gref,
	};
	status = copy(op);
	check("GNT-COPY-2", status == GNTST_okay && memcmp(granted, own, PAGE_SIZE) == 0, "to a grant");
	granted[0] = 0x77;
	check("GNT-COPY-3", copy(between_frames(1)) == GNTST_okay && own[0] == 0x77 && own[1] == 0x33,
	      "between own frames");
	granted[0] = 0x78;
	check("GNT-COPY-12", copy(from_grant(0)) == GNTST_okay && own[0] == 0x77, "no bytes");
}

static void refused(void)
{
	struct gnttab_copy op = from_grant(16);
	uint64_t *l1 = page_alloc();
	int status;

	op.source.offset = 4090;
	status = copy(op);
	op = from_grant(16);
	op.dest.offset = 4090;
	check("GNT-COPY-4", status == GNTST_bad_copy_arg && copy(op) == GNTST_bad_copy_arg,
	      "an end that crosses its page");
	op = from_grant(16);
	op.source.u.ref = REF + 1;
	check_eq("GNT-COPY-5", copy(op), GNTST_general_error, "a source that permits nothing");
	op.source.u.ref = 0x7fffffff;
	check_eq("GNT-COPY-8", copy(op), GNTST_bad_gntref, "a reference beyond the table");
	op = between_frames(16);
	op.source.domid = OWN_ID;
	check_eq("GNT-COPY-7", copy(op), GNTST_permission_denied,
		 "a frame with another domid than DOMID_SELF");
	op = from_grant(16);
	op.source.domid = NO_DOMAIN;
	check_eq("GNT-COPY-13", copy(op), GNTST_bad_domain, "a domain that does not exist");
	op = between_frames(16);
	op.source.u.gmfn = boot_l4_mfn();
	op.source.offset = 511 * 8 - 8;
	check("GNT-COPY-14",
	      copy(op) == GNTST_okay && ((uint64_t *)own)[1] == ((uint64_t *)start_info->pt_base)[511],
	      "a page table as the source");
	op = between_frames(16);
	op.source.u.gmfn = 0xffffffffff;
	status = copy(op);
	op = between_frames(16);
	op.dest.u.gmfn = *entry_of((void *)MACH2PHYS_VIRT_START, 4) >> PAGE_SHIFT & 0xffffffffff;
	check("GNT-COPY-11", status < 0 && copy(op) < 0, "frames that are not the domain's");
	make_readonly(l1);
	mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(l1), 0);
	op = between_frames(16);
	op.dest.u.gmfn = mfn_of(l1);
	check("GNT-COPY-10", copy(op) < 0 && l1[0] == 0 && l1[1] == 0,
	      "a page table as the destination");
	table[REF].flags = 0;
	grant_page(table, REF, OWN_ID, granted, GTF_permit_access | GTF_readonly);
	op = (struct gnttab_copy){
		.source = { .u.gmfn = mfn_of(own), .domid = DOMID_SELF },
		.dest = { .u.ref = REF, .domid = OWN_ID },
		.len = 16,
		.flags = GNTCOPY_dest_gref,
	};
	check_eq("GNT-COPY-6", copy(op), GNTST_general_error, "a read-only grant as the destination");
}

void test_main(void)
{
	table = grant_table_map();
	granted = page_alloc();
	own = page_alloc();
	grant_page(table, REF, OWN_ID, granted, GTF_permit_access);
	good();
	refused();
}
