/* SPDX-License-Identifier: MIT */
/*
 * Dispatch: the table that entry.S calls through, made from the ABI's list, and multicall, which
 * calls through it again. Numbers without a handler answer -ENOSYS.
 */
#include <abi/paravane.h>
#include <abi/xen.h>
#include <cpu.h>
#include <domain.h>
#include <entry.h>
#include <hypercall.h>
#include <sched.h>
#include <string.h>
#include <uaccess.h>

/* Entered for its number in assembly: it does not return to the caller (entry.S). */
#define do_iret (*(hypercall_handler *)hypercall_iret)

static long absent(u64 a1, u64 a2, u64 a3, u64 a4, u64 a5, struct vcpu *v)
{
	return -ENOSYS;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"	/* what the list does not name is absent */
#define HYPERCALL(number, name, nargs, section) [number] = do_##name,
#define ABSENT(number, name)
hypercall_handler *const hypercall_table[NR_HYPERCALLS] = {
	[0 ... NR_HYPERCALLS - 1] = absent,
#include <abi/hypercalls.def>
};
#pragma GCC diagnostic pop

/* --- multicall ---------------------------------------------------------------------------------------- */

enum { ENTRY_SIZE = 64, ENTRY_RESULT = 8, ENTRY_ARGS = 16 };
#define PREEMPT_EVERY 64

static inline long multicall_one(u64 op, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5, struct vcpu *v)
{
	if (unlikely(op >= NR_HYPERCALLS))
		return -ENOSYS;
	if (unlikely(op == __HYPERVISOR_multicall))
		return -EINVAL;
	if (unlikely(op == __HYPERVISOR_iret))
		return -ENOSYS;
	return hypercall_table[op](a1, a2, a3, a4, a5, v);
}

/*
 * Runs a list in order, each entry read just before its turn; results are stored even when negative. -EFAULT: the
 * list cannot be read or written there; the entries before it have been carried out.
 */
long do_multicall(u64 list, u64 count, u64 a3, u64 a4, u64 a5, struct vcpu *v)
{
	u64 bytes = (u64)(u32)count * ENTRY_SIZE, end = list + bytes;
	u64 op, b1, b2, b3, b4, b5;
	long result;

	if (unlikely(!guest_address_ok(list)))
		return -EFAULT;
	for (; list != end; list += ENTRY_SIZE) {
		user_access_begin();
		raw_get_u64(op, list, fault);
		raw_get_u64(b1, list + ENTRY_ARGS, fault);
		raw_get_u64(b2, list + ENTRY_ARGS + 8, fault);
		raw_get_u64(b3, list + ENTRY_ARGS + 16, fault);
		raw_get_u64(b4, list + ENTRY_ARGS + 24, fault);
		raw_get_u64(b5, list + ENTRY_ARGS + 32, fault);
		user_access_end();
		result = multicall_one(op, b1, b2, b3, b4, b5, v);
		user_access_begin();
		raw_put_u64(result, list + ENTRY_RESULT, fault);
		user_access_end();
		if (unlikely(!((list >> 6) & (PREEMPT_EVERY - 1))) && batch_point())
			break;
	}
	return 0;
fault:
	user_access_end();
	return -EFAULT;
}

/* --- paravane_op: what only this hypervisor does ------------------------------------------------------- */

static long read_counters(struct domain *d, u64 buffer)
{
	u64 sums[COUNTERS] = { 0 };

	for (int i = 0; i < d->vcpu_count; i++)
		for (int j = 0; j < COUNTERS; j++)
			sums[j] += d->vcpu[i]->counters[j];
	return copy_to_guest(buffer, sums, sizeof(sums)) ? -EFAULT : COUNTERS;
}

static long set_control(struct vcpu *v, domid_t id, bool on)
{
	struct domain *d = domain_find(id);

	if (!v->domain->privileged)
		return -EPERM;
	if (!d || d->dying)
		return -ESRCH;
	if (d->privileged)
		return -EINVAL;
	WRITE_ONCE(d->control, on);
	return 0;
}

static long domain_counters(struct vcpu *v, domid_t id, u64 buffer)
{
	struct domain *d = domain_find(id);

	if (!v->domain->privileged)
		return -EPERM;
	return d ? read_counters(d, buffer) : -ESRCH;
}

/* 0: this domain's exit counters go to a2. 1: whether domain a2 may manage others becomes a3. 2: domain a2's counters go to a3. abi/paravane.md */
long do_paravane_op(u64 op, u64 a2, u64 a3, u64 a4, u64 a5, struct vcpu *v)
{
	switch (op) {
	case PARAVANE_read_counters:
		return read_counters(v->domain, a2);
	case PARAVANE_set_control:
		return set_control(v, a2, a3);
	case PARAVANE_domain_counters:
		return domain_counters(v, a2, a3);
	}
	return -ENOSYS;
}
