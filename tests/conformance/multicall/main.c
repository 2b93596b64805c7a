/* SPDX-License-Identifier: MIT */
/*
 * multicall: a list of hypercalls in one. Every entry gets its own result; only an unreadable or
 * unwritable list is an error of the call itself.
 */
#include "guest.h"

#define UNTOUCHED 0x7777

static struct multicall_entry list[8];

static struct multicall_entry *entry(int i, uint64_t op, uint64_t a1, uint64_t a2, uint64_t a3)
{
	list[i] = (struct multicall_entry){ .op = op, .result = UNTOUCHED, .args = { a1, a2, a3 } };
	return &list[i];
}

static void results(void)
{
	check_eq("MULTI-1", hypercall(multicall, list, 0), 0, "an empty list");
	entry(0, __HYPERVISOR_xen_version, XENVER_version, 0, 0);
	entry(1, __HYPERVISOR_xen_version, 99, 0, 0);
	entry(2, 63, 0, 0, 0);
	entry(3, 1UL << 32 | __HYPERVISOR_xen_version, 0, 0, 0);
	entry(4, __HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0);
	entry(5, __HYPERVISOR_xen_version, XENVER_pagesize, 0, 0);
	check("MULTI-4", hypercall(multicall, list, 6) == 0 && list[5].result == 4096,
	      "entries that fail do not stop the list");
	check("MULTI-2", list[0].result == 0x40011 && (int64_t)list[1].result == -ENOSYS,
	      "each entry has its own result");
	check_eq("MULTI-5", list[2].result, -ENOSYS, "an unknown number is -ENOSYS");
	check_eq("MULTI-6", list[3].result, -ENOSYS, "the number has 64 bits");
	check_eq("MULTI-13", list[4].result, 0, "yield returns 0 and the list goes on");
	list[1].result = UNTOUCHED;
	check("MULTI-15", hypercall(multicall, list, 0x5500000001) == 0 && list[1].result == UNTOUCHED,
	      "the upper half of the count is ignored");
}

/* Two updates of one entry: the second must win. The fourth argument must be looked at. */
static void order(void)
{
	void *page = page_alloc(), *other = page_alloc();
	static struct mmu_update update;

	entry(0, __HYPERVISOR_update_va_mapping, (uint64_t)page, mfn_of(other) << PAGE_SHIFT | PTE_DATA,
	      UVMF_INVLPG);
	entry(1, __HYPERVISOR_update_va_mapping, (uint64_t)page, mfn_of(page) << PAGE_SHIFT | PTE_DATA,
	      UVMF_INVLPG);
	hypercall(multicall, list, 2);
	check_eq("MULTI-3", (*entry_of(page, 1) & PTE_ADDR_MASK) >> PAGE_SHIFT, mfn_of(page),
		 "entries are executed in order");
	update = (struct mmu_update){ entry_maddr(page, 1), mfn_of(page) << PAGE_SHIFT | PTE_DATA };
	entry(0, __HYPERVISOR_mmu_update, (uint64_t)&update, 1, 0)->args[3] = 99;
	hypercall(multicall, list, 1);
	check_eq("MULTI-12", list[0].result, -ESRCH, "the fourth argument is honoured");
}

static void nested(void)
{
	static struct multicall_entry inner;

	inner = (struct multicall_entry){ .op = __HYPERVISOR_xen_version, .result = UNTOUCHED };
	entry(0, __HYPERVISOR_multicall, (uint64_t)&inner, 1, 0);
	entry(1, __HYPERVISOR_xen_version, 0, 0, 0);
	check("MULTI-7",
	      hypercall(multicall, list, 2) == 0 && (int64_t)list[0].result == -EINVAL &&
		      inner.result == UNTOUCHED && list[1].result == 0x40011,
	      "a multicall inside a multicall is refused, its list untouched");
}

static void bad_lists(void)
{
	char *page = page_before_hole(), *readonly = page_alloc();
	struct multicall_entry *last = (struct multicall_entry *)(page + PAGE_SIZE) - 2;

	check_eq("MULTI-8", hypercall(multicall, UNMAPPED, 1), -EFAULT, "an unmapped list");
	check_eq("MULTI-9", hypercall(multicall, MACH2PHYS_VIRT_START, 1), -EFAULT,
		 "a list in the hypervisor's range");
	entry(0, __HYPERVISOR_xen_version, 0, 0, 0);
	last[0] = last[1] = list[0];
	check("MULTI-10",
	      hypercall(multicall, last, 3) == -EFAULT && last[0].result == 0x40011 &&
		      last[1].result == 0x40011,
	      "a list that runs into an unmapped page: entries before it are done");
	memcpy(readonly, list, sizeof(list[0]));
	make_readonly(readonly);
	check_eq("MULTI-11", hypercall(multicall, readonly, 1), -EFAULT, "a list in a read-only page");
	map_back(readonly);
	entry(0, __HYPERVISOR_xen_version, 0, 0, 0);
	check("MULTI-16", hypercall(multicall, list, 1) == 0 && list[0].result == 0x40011,
	      "a good list after a bad one");
}

static void across_pages(void)
{
	char *page = page_alloc();
	struct multicall_entry *middle = (struct multicall_entry *)(page + PAGE_SIZE - 24);

	page_alloc();
	entry(0, __HYPERVISOR_xen_version, 0, 0, 0);
	*middle = list[0];
	check("MULTI-14", hypercall(multicall, middle, 1) == 0 && middle->result == 0x40011,
	      "an entry across two pages");
}

void test_main(void)
{
	results();
	order();
	nested();
	bad_lists();
	across_pages();
}
