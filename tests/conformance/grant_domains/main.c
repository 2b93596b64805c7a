/* SPDX-License-Identifier: MIT */
/* Grants of another domain: its table in domain 0's hands, as a builder has it, its limits, grants that are passed on, and its end. */
#include "domain.h"
#include "grants.h"

#define RW (GTF_reading | GTF_writing)
#define FRAMES 8
#define OWN 20		/* references of domain 0's own table */
#define TRANSFER 5

static uint16_t id;
static uint64_t frames[FRAMES];
static struct grant_entry_v1 *theirs;	/* the other domain's table */
static uint8_t *page, *window, *spare;
static volatile int64_t answer[8];

static int setup(uint16_t dom, uint32_t nr, uint64_t *list)
{
	struct gnttab_setup_table op = { .dom = dom, .nr_frames = nr, .status = 99, .frame_list = (uint64_t)list };

	return grant_op(GNTTABOP_setup_table, &op) ? 98 : op.status;
}

static int query(uint16_t dom, uint32_t *now, uint32_t *most)
{
	struct gnttab_query_size op = { .dom = dom, .status = 99 };
	int64_t r = grant_op(GNTTABOP_query_size, &op);

	*now = op.nr_frames;
	*most = op.max_nr_frames;
	return r ? 98 : op.status;
}

static int64_t version_of(uint16_t dom, uint32_t *version)
{
	struct gnttab_get_version op = { .dom = dom };
	int64_t r = grant_op(GNTTABOP_get_version, &op);

	*version = op.version;
	return r;
}

static int64_t set_version(uint32_t version)
{
	struct gnttab_set_version op = { .version = version };

	return grant_op(GNTTABOP_set_version, &op);
}

static void grant_theirs(uint32_t ref, uint16_t dom, uint64_t frame, uint16_t flags)
{
	theirs[ref].domid = dom;
	theirs[ref].frame = (uint32_t)frame;
	barrier();
	*(volatile uint16_t *)&theirs[ref].flags = flags;
}

static int copy(struct gnttab_copy_ptr source, struct gnttab_copy_ptr dest, uint16_t flags, uint16_t len)
{
	struct gnttab_copy op = { .source = source, .dest = dest, .len = len, .flags = flags, .status = 99 };

	return grant_op(GNTTABOP_copy, &op) ? 98 : op.status;
}

static int copy_from(uint16_t dom, uint32_t ref, uint16_t offset, uint16_t len)
{
	return copy((struct gnttab_copy_ptr){ .u.ref = ref, .domid = dom, .offset = offset },
		    (struct gnttab_copy_ptr){ .u.gmfn = mfn_of(spare), .domid = DOMID_SELF }, GNTCOPY_source_gref, len);
}

static int copy_to(uint16_t dom, uint32_t ref, uint16_t len)
{
	return copy((struct gnttab_copy_ptr){ .u.gmfn = mfn_of(spare), .domid = DOMID_SELF },
		    (struct gnttab_copy_ptr){ .u.ref = ref, .domid = dom }, GNTCOPY_dest_gref, len);
}

/* --- the builder's side ----------------------------------------------------- */

static void tables(void)
{
	struct gnttab_get_status_frames status = { .nr_frames = 1, .dom = id, .status = 99, .frame_list = (uint64_t)frames };
	uint64_t list[8] = { 0 };
	uint32_t now, most, version;

	check("GNT-DOM-1", query(id, &now, &most) == GNTST_okay && most == 4, "query_size of another domain says what createdomain asked for");
	check("GNT-DOM-2", setup(id, 1, list) == GNTST_okay && list[0], "setup_table of another domain tells its first frame");
	check_eq("GNT-DOM-3", setup(id, 5, list), GNTST_general_error, "more frames than createdomain allows");
	check("GNT-DOM-4", setup(id, 4, list) == GNTST_okay && query(id, &now, &most) == GNTST_okay && now == 4, "as many as it allows");
	check("GNT-DOM-5", version_of(id, &version) == 0 && version == 1, "get_version of another domain");
	grant_op(GNTTABOP_get_status_frames, &status);
	check_eq("GNT-DOM-6", status.status, GNTST_general_error, "its status frames, in version 1");
	theirs = view_of(list[0], id);
	check("GNT-DOM-7", theirs && !theirs[0].flags && !theirs[511].flags, "domain 0 can map its table, which is empty");
}

static void mapping(void)
{
	uint32_t handle;
	uint8_t *foreign = view_of(frames[0], id);
	int r;

	foreign[7] = 0x5a;
	grant_theirs(0, 0, frames[0], GTF_permit_access);
	r = grant_map((uint64_t)window, GNTMAP_host_map, 0, id, &handle);
	check("GNT-DOM-8", r == GNTST_okay && window[7] == 0x5a, "a page that its table grants can be mapped");
	check_eq("GNT-DOM-9", theirs[0].flags & RW, RW, "and its entry says so");
	window[8] = 0xa5;
	check_eq("GNT-DOM-10", foreign[8], 0xa5, "a store arrives");
	r = grant_unmap((uint64_t)window, handle);
	check("GNT-DOM-11", r == GNTST_okay && !(theirs[0].flags & RW), "after the unmapping its entry is free again");
	grant_theirs(2, 77, frames[0], GTF_permit_access);
	check_eq("GNT-DOM-12", grant_map((uint64_t)window, GNTMAP_host_map, 2, id, NULL), GNTST_general_error, "what it grants to another");
	grant_theirs(2, 0, mfn_of(page), GTF_permit_access);
	check_eq("GNT-DOM-13", grant_map((uint64_t)window, GNTMAP_host_map, 2, id, NULL), GNTST_bad_page, "an entry of its with a page of domain 0's");
	check_eq("GNT-DOM-14", theirs[2].flags & RW, 0, "which is not in use then");
	unmap_other(foreign);
}

static void copying(void)
{
	uint8_t *foreign = view_of(frames[0], id);

	foreign[100] = 0x77;
	check("GNT-DOM-15", copy_from(id, 0, 100, 8) == GNTST_okay && spare[0] == 0x77, "copying from its grant");
	spare[0] = 0x66;
	check("GNT-DOM-16", copy_to(id, 0, 4) == GNTST_okay && foreign[0] == 0x66, "copying to its grant");
	grant_theirs(1, 0, frames[0], GTF_permit_access | GTF_readonly);
	check_eq("GNT-DOM-17", copy_to(id, 1, 4), GNTST_general_error, "copying to its read-only grant");
	check_eq("GNT-DOM-18",
		 copy((struct gnttab_copy_ptr){ .u.gmfn = frames[0], .domid = id }, (struct gnttab_copy_ptr){ .u.gmfn = mfn_of(spare), .domid = DOMID_SELF }, 0, 4),
		 GNTST_permission_denied, "copying from a page of its that is not granted");
	unmap_other(foreign);
}

static int64_t flush(uint64_t frame, uint32_t what)
{
	struct gnttab_cache_flush op = { .a.dev_bus_addr = frame << PAGE_SHIFT, .length = 64, .op = what };

	return grant_op(GNTTABOP_cache_flush, &op);
}

static void flushing(void)
{
	uint32_t handle;
	int64_t r;

	r = flush(frames[0], GNTTAB_CACHE_CLEAN);
	check_eq("GNT-CACHE-7", r, -EINVAL, "another domain's page that is not mapped");
	grant_map((uint64_t)window, GNTMAP_host_map, 0, id, &handle);
	check_eq("GNT-CACHE-8", flush(frames[0], GNTTAB_CACHE_CLEAN), 0, "another domain's page that is mapped by a grant");
	grant_unmap((uint64_t)window, handle);
}

/* --- passing on -------------------------------------------------------------- */

static union grant_entry_v2 *own;

static void pass_on(uint32_t ref, uint16_t to, uint16_t whose, uint32_t what, uint16_t flags)
{
	own[ref].transitive.trans_domid = whose;
	own[ref].transitive.gref = what;
	own[ref].hdr.domid = to;
	barrier();
	*(volatile uint16_t *)&own[ref].hdr.flags = GTF_transitive | flags;
}

static void passing(void)
{
	volatile uint16_t *status = page_alloc();
	struct gnttab_get_status_frames op = { .nr_frames = 1, .dom = DOMID_SELF, .frame_list = (uint64_t)&answer[0] };
	uint8_t *foreign = view_of(frames[0], id);
	uint32_t handle;
	int r;

	set_version(2);
	grant_op(GNTTABOP_get_status_frames, &op);
	map_frame((void *)status, (uint64_t)answer[0], PTE_DATA);
	foreign[200] = 0x21;
	pass_on(OWN, OWN_ID, id, 0, 0);
	check("GNT-PASS-1", copy_from(OWN_ID, OWN, 200, 8) == GNTST_okay && spare[0] == 0x21, "copying from a grant that is passed on");
	spare[0] = 0x22;
	check("GNT-PASS-2", copy_to(OWN_ID, OWN, 8) == GNTST_okay && foreign[0] == 0x22, "copying to it");
	check("GNT-PASS-3", !(theirs[0].flags & RW) && !status[OWN], "neither entry is in use after that");
	check_eq("GNT-PASS-4", grant_map((uint64_t)window, GNTMAP_host_map, OWN, OWN_ID, NULL), GNTST_general_error, "mapping it");
	pass_on(OWN, OWN_ID, id, 1, 0);
	r = copy_to(OWN_ID, OWN, 8);
	check("GNT-PASS-5", r == GNTST_general_error && copy_from(OWN_ID, OWN, 200, 8) == GNTST_okay, "what is passed on decides whether it can be written");
	pass_on(OWN, OWN_ID, id, 0, GTF_readonly);
	r = copy_to(OWN_ID, OWN, 8);
	check("GNT-PASS-6", r == GNTST_general_error && copy_from(OWN_ID, OWN, 200, 8) == GNTST_okay, "and so does who passes it on");
	pass_on(OWN, 77, id, 0, 0);
	check_eq("GNT-PASS-7", copy_from(OWN_ID, OWN, 0, 8), GNTST_general_error, "one that is passed on to another");
	grant_theirs(3, 77, frames[0], GTF_permit_access);
	pass_on(OWN, OWN_ID, id, 3, 0);
	check_eq("GNT-PASS-8", copy_from(OWN_ID, OWN, 0, 8), GNTST_general_error, "passing on what is granted to another");
	pass_on(OWN, OWN_ID, id, 0x7fffffff, 0);
	check_eq("GNT-PASS-9", copy_from(OWN_ID, OWN, 0, 8), GNTST_bad_gntref, "passing on a reference beyond the table");
	pass_on(OWN, OWN_ID, OWN_ID, OWN + 1, 0);
	check_eq("GNT-PASS-10", copy_from(OWN_ID, OWN, 0, 8), GNTST_general_error, "passing on an own grant");
	pass_on(OWN, OWN_ID, NO_DOMAIN, 0, 0);
	check_eq("GNT-PASS-11", copy_from(OWN_ID, OWN, 0, 8), GNTST_general_error, "passing on a grant of a domain that does not exist");
	check_eq("GNT-PASS-12", status[OWN], 0, "an entry by which nothing came is not in use");
	pass_on(OWN, OWN_ID, id, 0, 0);
	grant_map((uint64_t)window, GNTMAP_host_map | GNTMAP_readonly, 0, id, &handle);
	check_eq("GNT-PASS-13", copy_from(OWN_ID, OWN, 200, 8), GNTST_okay, "passing on what is mapped already");
	grant_unmap((uint64_t)window, handle);
	own[OWN].hdr.flags = 0;
	map_back((void *)status);
	unmap_other(foreign);
	set_version(1);
}

/* --- a page changes hands ------------------------------------------------------ */

static int transfer(uint64_t mfn, uint16_t dom, uint32_t ref)
{
	struct gnttab_transfer op = { .mfn = mfn, .domid = dom, .ref = ref, .status = 99 };

	return grant_op(GNTTABOP_transfer, &op) ? 98 : op.status;
}

static void transferring(void)
{
	uint8_t *given = page_alloc();
	uint64_t mfn = mfn_of(given), before = domain_info(id).tot_pages, own_before = domain_info(0).tot_pages;
	uint8_t *seen;
	int r;

	given[3] = 0x33;
	grant_theirs(TRANSFER, 0, 0, GTF_accept_transfer);
	check_eq("GNT-TRANSFER-2", transfer(mfn, id, TRANSFER), GNTST_bad_page, "a page that is still mapped");
	map_page(given, 0);
	r = transfer(mfn, id, TRANSFER);
	check_eq("GNT-TRANSFER-3", r, GNTST_okay, "a page that nothing refers to");
	check("GNT-TRANSFER-4",
	      theirs[TRANSFER].frame == mfn && theirs[TRANSFER].flags == (GTF_accept_transfer | GTF_transfer_committed | GTF_transfer_completed),
	      "the entry that asked for it names it");
	check("GNT-TRANSFER-5", domain_info(id).tot_pages == before + 1 && domain_info(0).tot_pages == own_before - 1, "it is the other domain's");
	seen = view_of(mfn, id);
	check("GNT-TRANSFER-6", seen && seen[3] == 0x33 && map_frame(given, mfn, PTE_DATA) != 0, "with its contents, and not the giver's any more");
	if (seen)
		unmap_other(seen);
	check_eq("GNT-TRANSFER-7", transfer(mfn, id, TRANSFER), GNTST_bad_page, "giving it again");
}

/* --- its end -------------------------------------------------------------------- */

static bool exists(void)
{
	struct xen_domctl op = { 0 };

	return domctl(XEN_DOMCTL_getdomaininfo, id, &op) == 0 && op.domain == id;
}

static void ending_while_mapped(void)
{
	uint32_t handle;
	int64_t r;
	int s;

	unmap_other(theirs);
	grant_map((uint64_t)window, GNTMAP_host_map, 0, id, &handle);
	window[9] = 0x99;
	r = domctl_simple(XEN_DOMCTL_destroydomain, id);
	sleep_for(20000000);
	check("GNT-END-1", r == 0 && window[9] == 0x99, "a page that is mapped by a grant stays when its granter is destroyed");
	check("GNT-END-2", exists() && domain_info(id).flags & XEN_DOMINF_dying, "and the granter is told as dying");
	s = grant_unmap((uint64_t)window, handle);
	sleep_for(40000000);
	check("GNT-END-3", s == GNTST_okay && !exists(), "once it is unmapped, the granter is gone");
	check_eq("GNT-END-4", grant_map((uint64_t)window, GNTMAP_host_map, 0, id, NULL), GNTST_bad_domain, "nothing of its can be mapped any more");
	check_eq("GNT-END-5", grant_unmap((uint64_t)window, handle), GNTST_bad_handle, "the handle has ended, too");
}

/* --- in a domain that is not privileged ------------------------------------------ */

static void others(uint64_t argument)
{
	uint32_t a, b;
	uint64_t list[1];

	answer[0] = setup(0, 1, list);
	answer[1] = query(0, &a, &b);
	answer[2] = version_of(0, &a);
	answer[3] = set_version(2);
	answer[4] = version_of(DOMID_SELF, &a) ? 99 : a;
	answer[5] = setup(NO_DOMAIN, 1, list);
	answer[6] = version_of(NO_DOMAIN, &a);
}

static void unprivileged(void)
{
	struct domain *d = make_domain(1);
	volatile int64_t *a;

	run_code(d, others, 0);
	a = (volatile int64_t *)in_guest(d, &answer[0]);
	check_eq("GNT-UNPRIV-1", a[0], GNTST_permission_denied, "setup_table of another domain");
	check_eq("GNT-UNPRIV-2", a[1], GNTST_permission_denied, "query_size of another domain");
	check_eq("GNT-UNPRIV-3", a[2], -EPERM, "get_version of another domain");
	check("GNT-UNPRIV-4", a[3] == -ENOSYS && a[4] == 1, "version 2, where createdomain allows only version 1");
	check("GNT-UNPRIV-5", a[5] == GNTST_bad_domain && a[6] == -ESRCH, "a domain that does not exist");
	destroy_domain(d);
}

void test_main(void)
{
	struct xen_domctl op = { .u.createdomain = createdomain_arguments() };

	op.u.createdomain.max_grant_frames = 4;
	if (domctl(XEN_DOMCTL_createdomain, 0, &op))
		bail("no domain");
	id = op.domain;
	domain_max_vcpus(id, 1);
	domain_max_mem(id, 256);
	domain_populate(id, frames, FRAMES);
	own = (union grant_entry_v2 *)grant_table_map();
	page = page_alloc();
	window = page_alloc();
	spare = page_alloc();
	map_page(window, 0);
	tables();
	mapping();
	copying();
	flushing();
	passing();
	transferring();
	ending_while_mapped();
	unprivileged();
}
