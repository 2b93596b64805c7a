/* SPDX-License-Identifier: MIT */
/* The less used operations on grants, and tables of version 2. */
#include "grants.h"

#define REF 20
#define OTHER 21
#define RW (GTF_reading | GTF_writing)

static struct grant_entry_v1 *table;
static uint8_t *granted, *window, *spare;

static int swap(uint32_t a, uint32_t b)
{
	struct gnttab_swap_grant_ref op = { .ref_a = a, .ref_b = b, .status = 99 };

	return grant_op(GNTTABOP_swap_grant_ref, &op) ? 98 : op.status;
}

static void swapping(void)
{
	uint32_t handle;
	int status;

	grant_page(table, REF, OWN_ID, granted, GTF_permit_access);
	grant_page(table, OTHER, 7, spare, GTF_permit_access | GTF_readonly);
	status = swap(REF, OTHER);
	check("GNT-SWAP-1",
	      status == GNTST_okay && table[REF].domid == 7 && table[REF].frame == mfn_of(spare) &&
		      table[REF].flags == (GTF_permit_access | GTF_readonly) &&
		      table[OTHER].frame == mfn_of(granted),
	      "two entries change places");
	check_eq("GNT-SWAP-2", swap(REF, 0x7fffffff), GNTST_bad_gntref, "a reference beyond the table");
	grant_map((uint64_t)window, GNTMAP_host_map, OTHER, OWN_ID, &handle);
	check("GNT-SWAP-3", swap(REF, OTHER) == GNTST_eagain && table[OTHER].frame == mfn_of(granted),
	      "an entry that is mapped");
	grant_unmap((uint64_t)window, handle);
	check_eq("GNT-SWAP-4", swap(REF, REF), GNTST_okay, "an entry with itself");
	table[REF].flags = table[OTHER].flags = 0;
}

static int replace(uint64_t new_addr, uint32_t handle)
{
	struct gnttab_unmap_and_replace op = {
		.host_addr = (uint64_t)window,
		.new_addr = new_addr,
		.handle = handle,
		.status = 99,
	};

	return grant_op(GNTTABOP_unmap_and_replace, &op) ? 98 : op.status;
}

static void replacing(void)
{
	uint32_t handle;
	int status;

	grant_page(table, REF, OWN_ID, granted, GTF_permit_access);
	granted[0] = 1;
	spare[0] = 2;
	check_eq("GNT-REPLACE-3", replace((uint64_t)spare, 0x7fffffff), GNTST_bad_handle,
		 "a handle that does not exist");
	grant_map((uint64_t)window, GNTMAP_host_map, REF, OWN_ID, &handle);
	status = replace(UNMAPPED, handle);
	check("GNT-REPLACE-4", status == GNTST_general_error && (table[REF].flags & RW) == RW,
	      "no entry to take the place");
	status = replace((uint64_t)spare, handle);
	check("GNT-REPLACE-1",
	      status == GNTST_okay && *(volatile uint8_t *)window == 2 &&
		      attempt_read(spare).vector == VECTOR_PF,
	      "the other page takes the place");
	check_eq("GNT-REPLACE-2", table[REF].flags & RW, 0, "the grant is not in use");
	map_page(window, 0);
	map_back(spare);
	table[REF].flags = 0;
}

static int64_t flush(uint64_t frame, uint16_t offset, uint16_t length, uint32_t what)
{
	struct gnttab_cache_flush op = {
		.a.dev_bus_addr = frame << PAGE_SHIFT,
		.offset = offset,
		.length = length,
		.op = what,
	};

	return grant_op(GNTTABOP_cache_flush, &op);
}

static void flushing(void)
{
	uint64_t own = mfn_of(granted);

	check_eq("GNT-CACHE-1", flush(own, 64, 128, GNTTAB_CACHE_CLEAN), 0, "clean");
	check("GNT-CACHE-2",
	      flush(own, 4000, 128, GNTTAB_CACHE_CLEAN) == -EINVAL &&
		      flush(own, 4096, 1, GNTTAB_CACHE_CLEAN) == -EINVAL,
	      "a part that leaves the page");
	check_eq("GNT-CACHE-3", flush(own, 0, 64, 4), -EINVAL, "an unknown op");
	check("GNT-CACHE-4", flush(own, 0, 64, 0) == 0 && flush(own, 0, 0, GNTTAB_CACHE_CLEAN) == 0,
	      "nothing to do");
	check_eq("GNT-CACHE-5", flush(own, 0, 64, GNTTAB_CACHE_INVAL), -EOPNOTSUPP,
		 "drop without writing back");
	check_eq("GNT-CACHE-6", flush(0xffffffffff, 0, 64, GNTTAB_CACHE_CLEAN), -EINVAL,
		 "a frame that does not exist");
}

static void transferring(void)
{
	struct gnttab_transfer op = { .mfn = 0xffffffffff, .domid = OWN_ID, .ref = REF, .status = 99 };

	check("GNT-TRANSFER-1", grant_op(GNTTABOP_transfer, &op) == 0 && op.status == GNTST_bad_page,
	      "a frame that does not exist");
}

static int status_frames(uint32_t nr, uint16_t dom, uint64_t *frames)
{
	struct gnttab_get_status_frames op = {
		.nr_frames = nr, .dom = dom, .status = 99, .frame_list = (uint64_t)frames
	};

	return grant_op(GNTTABOP_get_status_frames, &op) ? 98 : op.status;
}

static int64_t version(uint32_t to)
{
	struct gnttab_set_version op = { .version = to };

	return grant_op(GNTTABOP_set_version, &op);
}

static int copy_out(uint16_t offset, uint16_t length)
{
	struct gnttab_copy op = {
		.source = { .u.ref = OTHER, .domid = OWN_ID, .offset = offset },
		.dest = { .u.gmfn = mfn_of(spare), .domid = DOMID_SELF },
		.len = length,
		.flags = GNTCOPY_source_gref,
		.status = 99,
	};

	return grant_op(GNTTABOP_copy, &op) ? 98 : op.status;
}

/* A sub-page of bytes 256 to 511, then. */
static void parts(union grant_entry_v2 *entry)
{
	int leaves;

	entry->sub_page.frame = mfn_of(granted);
	entry->sub_page.page_off = 256;
	entry->sub_page.length = 256;
	entry->hdr.domid = OWN_ID;
	barrier();
	entry->hdr.flags = GTF_permit_access | GTF_sub_page;
	check_eq("GNT-V2-4", grant_map((uint64_t)window, GNTMAP_host_map, OTHER, OWN_ID, NULL),
		 GNTST_general_error, "mapping a sub-page");
	granted[300] = 0x77;
	leaves = copy_out(500, 64);
	check("GNT-V2-5",
	      copy_out(300, 1) == GNTST_okay && spare[0] == 0x77 && leaves == GNTST_general_error,
	      "copying from a sub-page, inside and outside (%d)", leaves);
	entry->hdr.flags = 0;
}

static void version_two(void)
{
	union grant_entry_v2 *v2 = (union grant_entry_v2 *)table;
	struct gnttab_get_version get = { .dom = DOMID_SELF };
	uint64_t frames[1] = { 0 }, many[512];
	volatile uint16_t *status = page_alloc();
	uint32_t handle;
	int64_t r;

	check_eq("GNT-STATUS-1", status_frames(1, DOMID_SELF, frames), GNTST_general_error,
		 "status frames in version 1");
	r = version(2);
	grant_op(GNTTABOP_get_version, &get);
	check("GNT-V2-1", r == 0 && get.version == 2, "version 2");
	check("GNT-STATUS-2",
	      status_frames(1, DOMID_SELF, frames) == GNTST_okay &&
		      map_frame((void *)status, frames[0], PTE_DATA) == 0,
	      "the first status frame");
	check_eq("GNT-STATUS-3", status_frames(512, DOMID_SELF, many), GNTST_general_error,
		 "more status frames than there are");
	check_eq("GNT-STATUS-4", status_frames(1, NO_DOMAIN, frames), GNTST_bad_domain,
		 "a domain that does not exist");
	v2[REF].full_page.frame = mfn_of(granted);
	v2[REF].hdr.domid = OWN_ID;
	barrier();
	v2[REF].hdr.flags = GTF_permit_access;
	granted[0] = 0x42;
	r = grant_map((uint64_t)window, GNTMAP_host_map, REF, OWN_ID, &handle);
	check("GNT-V2-2", r == GNTST_okay && *(volatile uint8_t *)window == 0x42, "mapping a full page");
	check("GNT-V2-3", (status[REF] & RW) == RW && v2[REF].hdr.flags == GTF_permit_access,
	      "its use is in the status frame");
	grant_unmap((uint64_t)window, handle);
	v2[REF].hdr.flags = 0;
	parts(&v2[OTHER]);
	map_back((void *)status);
	check("GNT-V2-6", version(1) == 0 && table[REF].flags == 0 && table[OTHER].flags == 0,
	      "version 1 again");
}

void test_main(void)
{
	table = grant_table_map();
	granted = page_alloc();
	window = page_alloc();
	spare = page_alloc();
	map_page(window, 0);
	swapping();
	replacing();
	flushing();
	transferring();
	version_two();
}
