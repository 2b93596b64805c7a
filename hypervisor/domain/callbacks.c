/* SPDX-License-Identifier: MIT */
/*
 * Where the hypervisor enters the guest kernel: its trap table, its callbacks, its stack. Addresses are checked to be
 * canonical when registered, so that they need no check when used.
 */
#include <abi/callback.h>
#include <abi/nmi.h>
#include <domain.h>
#include <hypercall.h>
#include <sched.h>
#include <string.h>
#include <uaccess.h>

#define VECTOR_NMI 2

/* --- the trap table ----------------------------------------------------------------------------------------- */

long do_set_trap_table(u64 list, u64 a2, u64 a3, u64 a4, u64 a5, struct vcpu *v)
{
	struct trap_info trap;

	if (!list) {
		memset(v->trap_address, 0, sizeof(v->trap_address));
		memset(v->trap_flags, 0, sizeof(v->trap_flags));
		return 0;
	}
	for (unsigned n = 1;; n++, list += sizeof(trap)) {
		if (copy_from_guest(&trap, list, sizeof(trap)))
			return -EFAULT;
		if (!trap.address)
			return 0;
		if (!address_canonical(trap.address))
			return -EINVAL;
		v->trap_address[trap.vector] = trap.address;
		v->trap_flags[trap.vector] = trap.flags & (TI_DPL_MASK | TI_MASK_EVENTS);
		if (n % 256 == 0 && batch_point())
			return 0;
	}
}

/* --- callbacks ------------------------------------------------------------------------------------------------- */

/* Where a type of callback is kept, or NULL. */
static struct callback *callback_of(struct vcpu *v, int type)
{
	switch (type) {
	case CALLBACKTYPE_event: return &v->event;
	case CALLBACKTYPE_failsafe: return &v->failsafe;
	case CALLBACKTYPE_syscall: return &v->syscall;
	case CALLBACKTYPE_syscall32: return &v->syscall32;
	case CALLBACKTYPE_sysenter: case CALLBACKTYPE_sysenter_deprecated: return &v->sysenter;
	default: return NULL;
	}
}

/* That of NMIs is in the trap table. */
static long register_callback(struct vcpu *v, int type, bool mask_events, u64 address)
{
	struct callback *callback = callback_of(v, type);

	if (!address_canonical(address))
		return -EINVAL;
	if (callback) {
		*callback = (struct callback){ address, mask_events };
	} else if (type == CALLBACKTYPE_nmi) {
		v->trap_address[VECTOR_NMI] = address;
		v->trap_flags[VECTOR_NMI] = TI_MASK_EVENTS;	/* always */
	} else {
		return -ENOSYS;
	}
	return 0;
}

static long unregister_callback(struct vcpu *v, int type)
{
	if (type != CALLBACKTYPE_nmi)
		return callback_of(v, type) ? -EINVAL : -ENOSYS;
	v->trap_address[VECTOR_NMI] = 0;
	return 0;
}

long do_callback_op(u64 op, u64 argument, u64 a3, u64 a4, u64 a5, struct vcpu *v)
{
	u64 head, address;

	switch ((u32)op) {
	case CALLBACKOP_register:
		if (get_guest_u64(&head, argument) || get_guest_u64(&address, argument + 8))
			return -EFAULT;
		return register_callback(v, head & 0xffff, head >> 16 & CALLBACKF_mask_events, address);
	case CALLBACKOP_unregister: {
		struct callback_unregister unregister;

		if (copy_from_guest(&unregister, argument, sizeof(unregister)))
			return -EFAULT;
		return unregister_callback(v, unregister.type);
	}
	}
	return -ENOSYS;
}

/* The older form of the first three. A non-canonical one is passed over; the failsafe callback's mask flag stays. */
long do_set_callbacks(u64 event, u64 failsafe, u64 syscall, u64 a4, u64 a5, struct vcpu *v)
{
	register_callback(v, CALLBACKTYPE_event, true, event);
	register_callback(v, CALLBACKTYPE_failsafe, v->failsafe.mask_events, failsafe);
	register_callback(v, CALLBACKTYPE_syscall, false, syscall);
	return 0;
}

long do_nmi_op(u64 op, u64 argument, u64 a3, u64 a4, u64 a5, struct vcpu *v)
{
	struct xennmi_callback nmi;

	switch ((u32)op) {
	case XENNMI_register_callback:
		if (copy_from_guest(&nmi, argument, sizeof(nmi)))
			return -EFAULT;
		return register_callback(v, CALLBACKTYPE_nmi, true, nmi.handler_address);
	case XENNMI_unregister_callback:
		return unregister_callback(v, CALLBACKTYPE_nmi);
	}
	return -ENOSYS;
}

/* --- the kernel stack -------------------------------------------------------------------------------------------- */

long do_stack_switch(u64 ss, u64 sp, u64 a3, u64 a4, u64 a5, struct vcpu *v)
{
	v->kernel_ss = ss | 3;
	v->kernel_sp = sp;
	return 0;
}
