/* SPDX-License-Identifier: MIT */
/*
 * callback_op and set_callbacks: the addresses at which events, failed returns, system calls and
 * NMIs enter the guest kernel.
 */
#include "guest.h"
#include <abi/callback.h>

static int64_t register_as(uint16_t type, uint16_t flags, uint64_t address)
{
	struct callback_register op = { .type = type, .flags = flags, .address = address };

	return hypercall(callback_op, CALLBACKOP_register, &op);
}

static int64_t unregister(uint16_t type)
{
	struct callback_unregister op = { .type = type };

	return hypercall(callback_op, CALLBACKOP_unregister, &op);
}

static void types(void)
{
	check_eq("CALLBACK-1", register_as(CALLBACKTYPE_event, 0, (uint64_t)callback_event), 0, "event");
	check_eq("CALLBACK-2", register_as(CALLBACKTYPE_failsafe, 0, (uint64_t)callback_failsafe), 0,
		 "failsafe");
	check_eq("CALLBACK-3",
		 register_as(CALLBACKTYPE_syscall, CALLBACKF_mask_events, (uint64_t)callback_syscall), 0,
		 "syscall");
	check_eq("CALLBACK-4", register_as(CALLBACKTYPE_nmi, 0, (uint64_t)callback_nmi), 0, "nmi");
	check_eq("CALLBACK-5", register_as(CALLBACKTYPE_sysenter, 0, (uint64_t)callback_sysenter), 0,
		 "sysenter");
	check_eq("CALLBACK-6", register_as(CALLBACKTYPE_syscall32, 0, (uint64_t)callback_syscall32), 0,
		 "syscall32");
	check_eq("CALLBACK-7", register_as(9, 0, (uint64_t)callback_event), -ENOSYS, "an unknown type");
	check_eq("CALLBACK-8", register_as(CALLBACKTYPE_event, 0, NON_CANONICAL), -EINVAL,
		 "a non-canonical address");
	check_eq("CALLBACK-9", unregister(CALLBACKTYPE_nmi), 0, "only nmi can be unregistered");
	check_eq("CALLBACK-10", unregister(CALLBACKTYPE_event), -EINVAL, "an event callback cannot");
	check_eq("CALLBACK-11", unregister(9), -ENOSYS, "an unknown type cannot be unregistered");
	check_eq("CALLBACK-12", hypercall(callback_op, 5, 0), -ENOSYS, "an unknown sub-operation");
	check_eq("CALLBACK-13", hypercall(callback_op, CALLBACKOP_register, UNMAPPED), -EFAULT,
		 "an unmapped argument");
	check_eq("CALLBACK-14",
		 hypercall(callback_op, CALLBACKOP_unregister, MACH2PHYS_VIRT_START),
		 -EFAULT, "an argument in the hypervisor's range");
}

/* set_callbacks(event, failsafe, syscall) sets three at once. */
static uint64_t do_syscall(uint64_t nr)
{
	__asm__ volatile("syscall" : "+a"(nr) : : "rcx", "r11", "memory");
	return nr;
}

static void all_at_once(void)
{
	unsigned int before = upcalls;

	check_eq("CALLBACK-15",
		 hypercall(set_callbacks, callback_event, callback_failsafe, callback_syscall32), 0,
		 "set_callbacks sets event, failsafe and syscall");
	check_eq("CALLBACK-16", run_user(do_syscall, 0).vector, TRAP_SYSCALL32,
		 "the syscall callback is the new one");
	vcpu_info->evtchn_upcall_pending = 1;
	deliver_events();
	mask_upcalls(true);
	check_eq("CALLBACK-17", upcalls, before + 1, "the event callback works");
	check_eq("CALLBACK-18",
		 hypercall(set_callbacks, NON_CANONICAL, callback_failsafe, callback_syscall), 0,
		 "a non-canonical address is passed over");
	check_eq("CALLBACK-18", run_user(do_syscall, 0).vector, TRAP_SYSCALL,
		 "while the others are set");
	vcpu_info->evtchn_upcall_pending = 1;
	deliver_events();
	mask_upcalls(true);
	check_eq("CALLBACK-19", upcalls, before + 2, "and the event callback stays what it was");
}

static uint64_t do_sysenter(uint64_t unused)
{
	__asm__ volatile("sysenter" : : : "rcx", "r11", "memory");
	return 0;
}

void test_main(void)
{
	struct attempt a;

	types();
	all_at_once();
	a = run_user(do_sysenter, 0);
	check("CALLBACK-20", a.vector == TRAP_SYSENTER || a.vector == VECTOR_UD || a.vector == VECTOR_GP,
	      "SYSENTER of user mode enters its callback, or is the fault of a processor without it (vector %d)",
	      a.vector);
}
