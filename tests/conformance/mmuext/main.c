/* SPDX-License-Identifier: MIT */
/*
 * mmuext_op: roots, flushes, page operations, the LDT. (Pinning is in pin/.)
 */
#include "guest.h"

static uint32_t done;

static int64_t op(struct mmuext_op *list, uint64_t count, uint64_t dom)
{
	done = 0x55;
	return hypercall(mmuext_op, list, count, &done, dom);
}

static void lists(void)
{
	struct mmuext_op list[3] = {
		{ .cmd = MMUEXT_TLB_FLUSH_LOCAL },
		{ .cmd = 99 },
		{ .cmd = MMUEXT_TLB_FLUSH_LOCAL },
	};

	check("MMUEXT-1", op(list, 3, DOMID_SELF) == -ENOSYS && done == 1,
	      "an unknown request ends the list; done counts those before");
	check("MMUEXT-2", op(list, 1, DOMID_SELF) == 0 && done == 1,
	      "done counts all when none is refused");
	check("MMUEXT-3", op(list, 0, DOMID_SELF) == 0 && done == 0, "an empty list is no error");
	check_eq("MMUEXT-4", hypercall(mmuext_op, list, 1, 0, DOMID_SELF), 0, "done may be absent");
	check_eq("MMUEXT-5", op(list, 1, 99), -ESRCH, "a domain that is not there");
	check_eq("MMUEXT-6", op((void *)UNMAPPED, 1, DOMID_SELF), -EFAULT, "an unmapped list");
	check_eq("MMUEXT-7", op((void *)(MACH2PHYS_VIRT_START), 1, DOMID_SELF), -EFAULT,
		 "a list in the hypervisor's range");
	check_eq("MMUEXT-8", hypercall(mmuext_op, list, 1, UNMAPPED, DOMID_SELF), 0,
		 "an unmapped done is passed over");
	list[0].cmd = 14;
	check_eq("MMUEXT-9", op(list, 1, DOMID_SELF), -ENOSYS, "request 14 does not exist");
}

static void flushes(void)
{
	uint64_t mask = 1, va = (uint64_t)&mask;

	check_eq("MMUEXT-10", mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0), 0, "TLB_FLUSH_LOCAL");
	check_eq("MMUEXT-11", mmuext(MMUEXT_INVLPG_LOCAL, va, 0), 0, "INVLPG_LOCAL");
	check_eq("MMUEXT-12", mmuext(MMUEXT_TLB_FLUSH_ALL, 0, 0), 0, "TLB_FLUSH_ALL");
	check_eq("MMUEXT-13", mmuext(MMUEXT_INVLPG_ALL, va, 0), 0, "INVLPG_ALL");
	check_eq("MMUEXT-14", mmuext(MMUEXT_TLB_FLUSH_MULTI, 0, (uint64_t)&mask), 0, "TLB_FLUSH_MULTI");
	check_eq("MMUEXT-15", mmuext(MMUEXT_INVLPG_MULTI, va, (uint64_t)&mask), 0, "INVLPG_MULTI");
	check_eq("MMUEXT-16", mmuext(MMUEXT_TLB_FLUSH_MULTI, 0, UNMAPPED), -EINVAL,
		 "an unmapped bitmap of vCPUs");
	check_eq("MMUEXT-17", mmuext(MMUEXT_INVLPG_LOCAL, NON_CANONICAL, 0), 0,
		 "a non-canonical address has nothing to flush");
	check_eq("MMUEXT-18", mmuext(MMUEXT_INVLPG_LOCAL, HYPERVISOR_VIRT_START, 0), 0,
		 "the hypervisor's range is not the guest's to flush");
}

static void roots(void)
{
	void *page = page_alloc();

	check_eq("MMUEXT-19", mmuext(MMUEXT_NEW_BASEPTR, boot_l4_mfn(), 0), 0,
		 "NEW_BASEPTR with the current root");
	check_eq("MMUEXT-20", mmuext(MMUEXT_NEW_BASEPTR, mfn_of(page), 0), -EINVAL,
		 "a page that is mapped read-write cannot be the root");
	check_eq("MMUEXT-21", mmuext(MMUEXT_NEW_BASEPTR, ~0UL, 0), -EINVAL,
		 "a frame that is not there cannot be the root");
	check_eq("MMUEXT-22", mmuext(MMUEXT_NEW_BASEPTR, mfn_of(entry_of((void *)VIRT_BASE, 3)), 0),
		 -EINVAL, "an L3 cannot be the root");
	check_eq("MMUEXT-23", mmuext(MMUEXT_NEW_USER_BASEPTR, 0, 0), 0,
		 "NEW_USER_BASEPTR with 0: no user root");
	check_eq("MMUEXT-24", mmuext(MMUEXT_NEW_USER_BASEPTR, mfn_of(page), 0), -EINVAL,
		 "a data page cannot be the user root");
	check_eq("MMUEXT-25", mmuext(MMUEXT_NEW_USER_BASEPTR, boot_l4_mfn(), 0), 0,
		 "the kernel's root may be the user root");
}

/* Another kernel root: a copy of the boot root's guest slots. */
static void switch_root(void)
{
	uint64_t *root = page_alloc();
	uint64_t *boot = (uint64_t *)start_info->pt_base;

	root[511] = boot[511];
	make_readonly(root);
	check_eq("MMUEXT-26", mmuext(MMUEXT_NEW_BASEPTR, mfn_of(root), 0), 0,
		 "NEW_BASEPTR with another root");
	check("MMUEXT-27",
	      (root[256] & PTE_PRESENT) &&
		      m2p(mfn_of(root)) == ((uint64_t)root - VIRT_BASE) >> PAGE_SHIFT,
	      "its reserved slots have been filled: the m2p is there");
	check_eq("MMUEXT-28", map_frame(root, mfn_of(root), PTE_DATA), -EBUSY,
		 "it cannot be mapped read-write");
	check_eq("MMUEXT-29", mmuext(MMUEXT_NEW_BASEPTR, boot_l4_mfn(), 0), 0, "back to the boot root");
	map_back(root);
	check_eq("MMUEXT-30", attempt_write(root, 0).vector, NO_TRAP, "and it is ordinary memory again");
}

static void page_operations(void)
{
	uint64_t *page = page_alloc(), *copy = page_alloc();
	bool cleared = true;

	for (int i = 0; i < 512; i++)
		page[i] = 0x1000 + (uint64_t)i;
	check_eq("MMUEXT-31", mmuext(MMUEXT_COPY_PAGE, mfn_of(copy), mfn_of(page)), 0, "COPY_PAGE");
	check("MMUEXT-32", memcmp(page, copy, PAGE_SIZE) == 0, "copies the whole page");
	check_eq("MMUEXT-33", mmuext(MMUEXT_CLEAR_PAGE, mfn_of(page), 0), 0, "CLEAR_PAGE");
	for (int i = 0; i < 512; i++)
		cleared = cleared && page[i] == 0;
	check("MMUEXT-34", cleared, "clears the whole page");
	check_eq("MMUEXT-35", mmuext(MMUEXT_CLEAR_PAGE, boot_l4_mfn(), 0), -EINVAL,
		 "a page table cannot be cleared");
	check_eq("MMUEXT-36", mmuext(MMUEXT_COPY_PAGE, boot_l4_mfn(), mfn_of(page)), -EINVAL,
		 "nor copied over");
	check_eq("MMUEXT-37", mmuext(MMUEXT_COPY_PAGE, mfn_of(page), ~0UL), -EINVAL,
		 "nor copied from a frame that is not there");
	check_eq("MMUEXT-38", mmuext(MMUEXT_MARK_SUPER, mfn_of(page), 0), -EOPNOTSUPP,
		 "MARK_SUPER is not possible");
	check_eq("MMUEXT-39", mmuext(MMUEXT_UNMARK_SUPER, mfn_of(page), 0), -EOPNOTSUPP,
		 "nor UNMARK_SUPER");
}

static void ldt(void)
{
	uint8_t *page = page_alloc();

	check_eq("MMUEXT-40", mmuext(MMUEXT_SET_LDT, 0, 0), 0, "SET_LDT with no entries");
	check_eq("MMUEXT-41", mmuext(MMUEXT_SET_LDT, (uint64_t)page + 8, 1), -EINVAL,
		 "an LDT that is not page-aligned");
	check_eq("MMUEXT-42", mmuext(MMUEXT_SET_LDT, (uint64_t)page, 8193), -EINVAL,
		 "more than 8192 entries");
	check_eq("MMUEXT-43", mmuext(MMUEXT_SET_LDT, NON_CANONICAL, 1), -EINVAL,
		 "a non-canonical address");
	check_eq("MMUEXT-44", mmuext(MMUEXT_SET_LDT, HYPERVISOR_VIRT_START, 1), -EINVAL,
		 "an address of the hypervisor");
}

void test_main(void)
{
	lists();
	flushes();
	roots();
	switch_root();
	page_operations();
	ldt();
}
