/* SPDX-License-Identifier: MIT */
/*
 * Time for guests: clock parameters, wall clock, and how long each vCPU ran, waited and slept.
 *
 * There is one clock: system time is linear in the TSC, which all CPUs share, from tsc_base on. So the parameters that a
 * vCPU is given never change, are the same for all, and no two readings anywhere go backwards.
 *
 * Whoever reads them takes `version` before and after and tries again when it was odd or has changed.
 */
#include <abi/vcpu.h>
#include <asm.h>
#include <cpu.h>
#include <irq.h>
#include <pvclock.h>
#include <sched.h>
#include <trace.h>
#include <uaccess.h>

#define barrier() asm volatile("" ::: "memory")	/* stores are seen in order on x86 */

static struct vcpu_time_info parameters(u32 version)
{
	return (struct vcpu_time_info) {
		.version = version, .tsc_timestamp = tsc_base,
		.tsc_to_system_mul = tsc_mul, .tsc_shift = tsc_shift, .flags = XEN_PVCLOCK_TSC_STABLE_BIT,
	};
}

/* The next even version after that of the area, whatever the guest has made of it. */
static u32 next_version(u32 version)
{
	return (version | 1) + 1;
}

void pvclock_update(struct vcpu *v)
{
	struct vcpu_time_info *area = &v->info->time;
	u32 version = next_version(READ_ONCE(area->version));

	WRITE_ONCE(area->version, version - 1);
	barrier();
	*area = parameters(version - 1);
	barrier();
	WRITE_ONCE(area->version, version);
}

void wallclock_update(struct domain *d)
{
	u64 seconds = wallclock_at_boot + d->time_offset;
	struct shared_info *shared = READ_ONCE(d->shared_info);
	u32 version;

	if (!shared)
		return;		/* it is being destroyed */
	version = next_version(READ_ONCE(shared->wc_version));
	WRITE_ONCE(shared->wc_version, version - 1);
	barrier();
	shared->wc_sec = seconds;
	shared->wc_sec_hi = seconds >> 32;
	shared->wc_nsec = wallclock_nsec;
	barrier();
	WRITE_ONCE(shared->wc_version, version);
}

/* --- areas in the guest's own memory ---------------------------------------------------------------------- */

/* For a hypercall, whose caller may be another vCPU: the address is one of the tables in use. */
void vcpu_write_time_area(struct vcpu *v)
{
	u64 area = v->time_area, head;
	struct vcpu_time_info time;

	if (get_guest_u64(&head, area))
		return;
	time = parameters(next_version(head) - 1);
	if (!copy_to_guest(area, &time, sizeof(time)))
		put_guest_u64(time.version + 1, area);
}

/* The area is named by an address of the kernel's; in user mode its root is loaded for the while. v's tables are in use. */
static void enter_kernel_root(const struct vcpu *v)
{
	if (!v->kernel_mode && v->kernel_cr3 != v->user_cr3)
		write_cr3(v->kernel_cr3);
}

static void leave_kernel_root(const struct vcpu *v)
{
	if (!v->kernel_mode && v->kernel_cr3 != v->user_cr3)
		write_cr3(v->user_cr3);
}

/* With the assist, a reader sees XEN_RUNSTATE_UPDATE while the rest is being written. */
void vcpu_write_runstate_area(struct vcpu *v)
{
	struct vcpu_runstate_info info = { .state = v->runstate, .state_entry_time = v->runstate_entry };
	u64 entry = v->runstate_area + offsetof(struct vcpu_runstate_info, state_entry_time);
	bool marks = vm_assist(v->domain, VMASST_TYPE_runstate_update_flag);

	for (int i = 0; i < 4; i++)
		info.time[i] = v->runstate_time[i];
	if (marks)
		info.state_entry_time |= XEN_RUNSTATE_UPDATE;
	enter_kernel_root(v);
	if (marks)
		put_guest_u64(info.state_entry_time, entry);
	if (!copy_to_guest(v->runstate_area, &info, sizeof(info)) && marks)
		put_guest_u64(v->runstate_entry, entry);
	leave_kernel_root(v);
}

/* --- runstates ------------------------------------------------------------------------------------------------ */

/* Under the scheduler's lock. */
void runstate_change(struct vcpu *v, int state, u64 now)
{
	if (unlikely(trace_mask))
		trace_runstate_change(v, state);
	v->runstate_time[v->runstate] += now - v->runstate_entry;
	v->runstate_entry = now;
	v->runstate = state;
	if (unlikely(state == RUN_RUNNING && v->runstate_area))
		vcpu_write_runstate_area(v);
}

void runstate_get(struct vcpu *v, struct vcpu_runstate_info *info)
{
	sched_freeze();
	*info = (struct vcpu_runstate_info) { .state = v->runstate, .state_entry_time = v->runstate_entry };
	for (int i = 0; i < 4; i++)
		info->time[i] = v->runstate_time[i];
	info->time[info->state] += now_ns() - info->state_entry_time;
	sched_thaw();
}
