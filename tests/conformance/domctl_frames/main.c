/* SPDX-License-Identifier: MIT */
/* What a frame is used as, the hypercall page, and the wall clock of another domain. */
#include "domain.h"

static uint64_t asked[1100], frames[8];
static uint16_t id;

static int64_t types(uint64_t count)
{
	return domctl_with(XEN_DOMCTL_getpageframeinfo3, id,
			   .u.getpageframeinfo3 = {.num = count, .array = (uint64_t)asked});
}

static uint64_t type_of(uint64_t mfn)
{
	asked[0] = mfn;
	return types(1) ? ~0UL : asked[0];
}

static void empty_tables(void)
{
	for (int i = 0; i < 4; i++) {
		uint64_t *table = view_of(frames[i], id);

		memset(table, 0, PAGE_SIZE);
		if (i)
			table[0] = frames[i - 1] << PAGE_SHIFT | PTE_TABLE;
		unmap_other(table);
	}
}

static void page_types(void)
{
	struct xen_domctl op = {.u.getpageframeinfo3 = {.num = 1025, .array = (uint64_t)asked}};
	int64_t r;

	check_eq("DOMCTL-FRAMES-1", type_of(frames[0]), XEN_DOMCTL_PFINFO_NOTAB, "an ordinary page is NOTAB");
	empty_tables();
	check_eq("DOMCTL-FRAMES-2", mmuext_other(MMUEXT_PIN_L4_TABLE, frames[3], id), 0,
		 "domain 0 pins a tree of the domain");
	check_eq("DOMCTL-FRAMES-3", type_of(frames[3]), XEN_DOMCTL_PFINFO_L4TAB | XEN_DOMCTL_PFINFO_LPINTAB,
		 "its root is L4TAB with LPINTAB");
	asked[0] = frames[0], asked[1] = frames[1], asked[2] = frames[2], asked[3] = frames[4];
	r = types(4);
	check("DOMCTL-FRAMES-4",
	      r == 0 && asked[0] == XEN_DOMCTL_PFINFO_L1TAB && asked[1] == XEN_DOMCTL_PFINFO_L2TAB &&
		      asked[2] == XEN_DOMCTL_PFINFO_L3TAB && asked[3] == XEN_DOMCTL_PFINFO_NOTAB,
	      "the tables below are L1TAB, L2TAB and L3TAB, not pinned");
	check_eq("DOMCTL-FRAMES-5", mmuext_other(MMUEXT_UNPIN_TABLE, frames[3], id), 0, "domain 0 unpins it");
	check_eq("DOMCTL-FRAMES-6", type_of(frames[3]), XEN_DOMCTL_PFINFO_NOTAB, "then it is NOTAB");
	mmuext_other(MMUEXT_PIN_L1_TABLE, frames[0], id);
	check_eq("DOMCTL-FRAMES-7", type_of(frames[0]), XEN_DOMCTL_PFINFO_L1TAB | XEN_DOMCTL_PFINFO_LPINTAB,
		 "a pinned L1 table is L1TAB with LPINTAB");
	mmuext_other(MMUEXT_UNPIN_TABLE, frames[0], id);
	check_eq("DOMCTL-FRAMES-8", type_of(mfn_of(asked)), XEN_DOMCTL_PFINFO_XTAB,
		 "a frame of another domain is XTAB");
	check_eq("DOMCTL-FRAMES-9", type_of(0xffffffffff), XEN_DOMCTL_PFINFO_XTAB,
		 "a frame that does not exist is XTAB");
	check_eq("DOMCTL-FRAMES-10", types(0), 0, "0 frames are no error");
	r = domctl(XEN_DOMCTL_getpageframeinfo3, id, &op);
	check_eq("DOMCTL-FRAMES-11", r, -E2BIG, "more than 1024 fail with -E2BIG");
	for (int i = 0; i < 1024; i++)
		asked[i] = frames[0];
	check("DOMCTL-FRAMES-12", types(1024) == 0 && asked[1023] == XEN_DOMCTL_PFINFO_NOTAB,
	      "1024 can be asked about");
	op.u.getpageframeinfo3.num = 1, op.u.getpageframeinfo3.array = UNMAPPED;
	check_eq("DOMCTL-FRAMES-13", domctl(XEN_DOMCTL_getpageframeinfo3, id, &op), -EFAULT,
		 "an array that cannot be read fails with -EFAULT");
}

static int64_t init_stubs(uint64_t mfn)
{
	return domctl_with(XEN_DOMCTL_hypercall_init, id, .u.hypercall_init.gmfn = mfn);
}

static void stubs(void)
{
	uint8_t *page = view_of(frames[4], id);
	unsigned int wrong = 0;
	int64_t r;

	memset(page, 0, PAGE_SIZE);
	r = init_stubs(frames[4]);
	check("DOMCTL-STUBS-1", r == 0 && memcmp(page, hypercall_page, 32 * 24) == 0,
	      "hypercall_init fills a frame with the stubs that the first domain has");
	for (int i = 0; i < 128; i++)
		wrong += page[32 * i] == 0;
	check_eq("DOMCTL-STUBS-2", wrong, 0, "all 128 stubs are there");
	unmap_other(page);
	check_eq("DOMCTL-STUBS-3", init_stubs(mfn_of(asked)), -EINVAL,
		 "a frame of another domain fails with -EINVAL");
	check_eq("DOMCTL-STUBS-4", init_stubs(0xffffffffff), -EINVAL,
		 "a frame that does not exist fails with -EINVAL");
	empty_tables();
	mmuext_other(MMUEXT_PIN_L1_TABLE, frames[0], id);
	check_eq("DOMCTL-STUBS-5", init_stubs(frames[0]), -EPERM, "a page table fails with -EPERM");
	mmuext_other(MMUEXT_UNPIN_TABLE, frames[0], id);
}

static void clock(void)
{
	volatile struct shared_info *shared = view_of(domain_info(id).shared_info_frame, id);
	uint32_t before;
	int64_t r = domctl_with(XEN_DOMCTL_settimeoffset, id, .u.settimeoffset.time_offset_seconds = 0);

	before = shared->wc_sec;
	check("DOMCTL-CLOCK-1", r == 0 && before == shared_info->wc_sec,
	      "with offset 0 a domain's wall clock is domain 0's");
	r = domctl_with(XEN_DOMCTL_settimeoffset, id, .u.settimeoffset.time_offset_seconds = 3600);
	check("DOMCTL-CLOCK-2", r == 0 && shared->wc_sec == shared_info->wc_sec + 3600,
	      "settimeoffset moves the domain's wall clock by the seconds given");
	domctl_with(XEN_DOMCTL_settimeoffset, id, .u.settimeoffset.time_offset_seconds = -60);
	check_eq("DOMCTL-CLOCK-3", shared->wc_sec, shared_info->wc_sec - 60,
		 "an offset replaces the one before, and may be negative");
	check_eq("DOMCTL-CLOCK-4", shared->wc_version & 1, 0, "wc_version is even");
	domctl_with(XEN_DOMCTL_settimeoffset, id, .u.settimeoffset.time_offset_seconds = 0);
	check_eq("DOMCTL-CLOCK-5", shared->wc_sec, before, "offset 0 brings the clock back");
	unmap_other((void *)shared);
}

void test_main(void)
{
	id = (uint16_t)create_empty(1);
	domain_max_vcpus(id, 1);
	domain_max_mem(id, 1024);
	domain_populate(id, frames, 8);
	page_types();
	stubs();
	clock();
	domain_destroy(id);
}
