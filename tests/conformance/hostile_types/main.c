/* SPDX-License-Identifier: MIT */
/*
 * Every road by which the hypervisor itself writes to memory that a guest names, tried with a page
 * table as the target, and every use of a page tried while it has another.
 */
#include "guest.h"
#include <abi/memory.h>

static uint64_t *table;

static bool untouched(void)
{
	for (int i = 0; i < 512; i++)
		if (table[i])
			return false;
	return true;
}

static void sleep(uint64_t ns)
{
	struct sched_poll op = { .timeout = system_time() + ns };

	hypercall(sched_op, SCHEDOP_poll, &op);
}

/* Areas that the hypervisor fills at a linear address: the mapping is read-only, so it must not. */
static void areas(void)
{
	struct vcpu_register_runstate_memory_area runstate = { .addr.v = (uint64_t)table };
	struct vcpu_register_time_memory_area clock = { .addr.v = (uint64_t)table };

	hypercall(vcpu_op, VCPUOP_register_runstate_memory_area, 0, &runstate);
	sleep(2000000);
	check("SAFE-1", untouched(), "a runstate area in a page table is not written");
	runstate.addr.v = UNMAPPED;
	hypercall(vcpu_op, VCPUOP_register_runstate_memory_area, 0, &runstate);
	hypercall(vcpu_op, VCPUOP_register_vcpu_time_memory_area, 0, &clock);
	sleep(2000000);
	check("SAFE-2", untouched(), "nor is a copy of the clock");
	clock.addr.v = 0;
	hypercall(vcpu_op, VCPUOP_register_vcpu_time_memory_area, 0, &clock);
	check("SAFE-3", hypercall(xen_version, XENVER_extraversion, table) == -EFAULT && untouched(),
	      "nor a result");
}

/* Giving a page table away: it may go, but not become writable while it is one. */
static void giving(void)
{
	uint64_t *l1 = page_alloc(), mfn = mfn_of(l1);
	struct xen_memory_reservation op = { .extent_start = (uint64_t)&mfn,
					     .nr_extents = 1,
					     .domid = DOMID_SELF };
	void *window = page_alloc();

	make_readonly(l1);
	mmuext(MMUEXT_PIN_L1_TABLE, mfn, 0);
	hypercall(memory_op, XENMEM_decrease_reservation, &op);
	check("SAFE-4", map_frame(window, mfn_of(l1), PTE_DATA) < 0,
	      "a page table that was given up cannot be mapped read-write");
	check("SAFE-4", mmuext(MMUEXT_CLEAR_PAGE, mfn_of(l1), 0) < 0, "nor written otherwise");
	map_back(window);
}

/* A page that the hypervisor writes to by its frame keeps the type writable for good. */
static void registered(void)
{
	void *page = page_alloc();
	struct vcpu_register_vcpu_info info = { .mfn = mfn_of(page) };
	struct evtchn_init_control fifo = { .control_gfn = mfn_of(table) };

	check_eq("SAFE-5", hypercall(event_channel_op, EVTCHNOP_init_control, &fifo), -EINVAL,
		 "a page table is no control block");
	if (hypercall(vcpu_op, VCPUOP_register_vcpu_info, 0, &info))
		bail("vcpu_info cannot be moved");
	vcpu_info = page;
	mask_upcalls(true);
	make_readonly(page);
	check_eq("SAFE-6", mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(page), 0), -EINVAL,
		 "the page of a vcpu_info cannot become a page table");
	map_back(page);
}

static void descriptors(void)
{
	void *page = page_alloc();
	uint64_t mfn = mfn_of(page);

	make_readonly(page);
	hypercall(set_gdt, &mfn, 16);
	check_eq("SAFE-7", mmuext(MMUEXT_PIN_L1_TABLE, mfn, 0), -EINVAL,
		 "a page of descriptors cannot become a page table");
	hypercall(set_gdt, 0, 0);
	check("SAFE-8",
	      mmuext(MMUEXT_PIN_L1_TABLE, mfn, 0) == 0 && mmuext(MMUEXT_UNPIN_TABLE, mfn, 0) == 0 &&
		      map_frame(page, mfn, PTE_DATA) == 0,
	      "but it can when it is one no more");
}

void test_main(void)
{
	table = page_alloc();
	make_readonly(table);
	if (mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(table), 0))
		bail("no page table");
	areas();
	giving();
	descriptors();
	registered();
	check("SAFE-9", untouched(), "after all that the page table is as it was");
}
