/* SPDX-License-Identifier: MIT */
/* Ways for a domain to crash: each ends that domain and nothing else. */
#include "domain.h"
#include <abi/callback.h>

static struct vcpu_guest_context c __attribute__((aligned(4096)));

static void dies(const char *tag, void (*how)(uint64_t), const char *text)
{
	struct domain *d = make_domain(1);

	check_eq(tag, run_code(d, how, 0), SHUTDOWN_crash, "%s ends the domain with reason crash", text);
	destroy_domain(d);
}

static void bad_iret(uint64_t argument)
{
	(void)argument;
	__asm__ volatile("mov %0, %%rsp; mov $23, %%eax; syscall" : : "r"(UNMAPPED) : "rax", "rcx", "r11");
}

static void no_handler(uint64_t argument)
{
	(void)argument;
	hypercall(set_trap_table, 0);
	__asm__ volatile("ud2");
}

static void no_stack(uint64_t argument)
{
	(void)argument;
	__asm__ volatile("mov %0, %%rsp; ud2" : : "r"(UNMAPPED));
}

static void no_user_stack(uint64_t argument)
{
	(void)argument;
	hypercall(stack_switch, USER_SS, UNMAPPED);
	run_user((uint64_t(*)(uint64_t))UNMAPPED, 0);
}

static void no_page_tables(uint64_t argument)
{
	(void)argument;
	mmu_update_one(entry_maddr((void *)VIRT_BASE, 4), 0);
	mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0);
	*(volatile int *)trap_stack_top;
}

static void stack_in_hypervisor(uint64_t argument)
{
	(void)argument;
	__asm__ volatile("mov %0, %%rsp; ud2" : : "r"(HYPERVISOR_VIRT_START + 0x100000));
}

/* A context that is accepted, but whose first instruction cannot be fetched, and nobody handles that. */
static void nowhere(void)
{
	struct domain *d = make_domain(1);

	context_for(d, &c, no_handler, 0);
	c.user_regs.rip = UNMAPPED;
	check("CRASH-7",
	      set_context(d->id, 0, &c) == 0 && domctl_simple(XEN_DOMCTL_unpausedomain, d->id) == 0 &&
		      wait_shutdown(d) == SHUTDOWN_crash,
	      "starting at an address that is not mapped ends the domain with reason crash");
	check("CRASH-8",
	      domctl_with(XEN_DOMCTL_getvcpucontext, d->id, .u.vcpucontext.ctxt = (uint64_t)&c) == 0 &&
		      c.user_regs.rip == UNMAPPED,
	      "the registers of a crashed domain can be got: rip is where it died");
	destroy_domain(d);
}

static void watched(uint64_t argument)
{
	struct sched_watchdog op = {.id = 0, .timeout = 1};

	(void)argument;
	hypercall(sched_op, SCHEDOP_watchdog, &op);
	for (;;)
		hypercall(sched_op, SCHEDOP_block);
}

static void odd_reason(uint64_t argument)
{
	struct sched_shutdown op = {.reason = (uint32_t)argument};

	hypercall(sched_op, SCHEDOP_shutdown, &op);
}

static void reasons(void)
{
	struct sched_remote_shutdown op;
	struct domain *d = make_domain(1);

	check_eq("CRASH-9", run_code(d, watched, 0), SHUTDOWN_watchdog,
		 "a watchdog that nobody feeds ends the domain with reason watchdog");
	destroy_domain(d);
	d = make_domain(1);
	check_eq("CRASH-10", run_code(d, odd_reason, 77), 77,
		 "a reason that means nothing is told as it was given");
	destroy_domain(d);
	d = make_domain(1);
	op = (struct sched_remote_shutdown){.domain_id = d->id, .reason = SHUTDOWN_crash};
	check_eq("CRASH-11", hypercall(sched_op, SCHEDOP_remote_shutdown, &op), 0,
		 "domain 0 shuts another domain down by remote_shutdown");
	check_eq("CRASH-12", domain_info(d->id).flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask,
		 SHUTDOWN_crash, "with the reason that it gives");
	op.domain_id = 77;
	check_eq("CRASH-13", hypercall(sched_op, SCHEDOP_remote_shutdown, &op), -ESRCH,
		 "of a domain that does not exist it fails with -ESRCH");
	destroy_domain(d);
}

void test_main(void)
{
	uint64_t before = free_pages();

	dies("CRASH-1", bad_iret, "an iret frame that cannot be read");
	dies("CRASH-2", no_handler, "an exception without a handler");
	dies("CRASH-3", no_stack, "an exception whose frame cannot be written");
	dies("CRASH-4", no_user_stack, "an exception in user mode without a kernel stack");
	dies("CRASH-5", no_page_tables, "removing the mapping of everything");
	dies("CRASH-6", stack_in_hypervisor, "a stack in the hypervisor's range");
	nowhere();
	reasons();
	check_eq("CRASH-14", free_pages(), before,
		 "of domains that crashed nothing is left when they are destroyed");
}
