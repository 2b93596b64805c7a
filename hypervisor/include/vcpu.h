/* SPDX-License-Identifier: MIT */
/*
 * A virtual CPU. The structure lies at the top of the vCPU's own hypervisor stack, so that the
 * registers which an entry from the guest pushes land in `regs`:
 *
 *     guard | stack ........................ | slot | regs (r15 ... ss) | the rest of struct vcpu
 *                                  grows <---+      ^ rsp after entry   ^ TSS.rsp0
 *
 * Every vCPU having a stack, a long hypercall is preempted where it stands (preempt_point())
 * and needs no continuation. Interrupts are off in the hypervisor but for those points.
 *
 * Letters: [o] only the vCPU itself, or another CPU while it is not running;
 *          [d] under the domain's lock; [a] atomically by anyone; [s] written under the scheduler's lock.
 */
#ifndef PARAVANE_VCPU_H
#define PARAVANE_VCPU_H

#include <abi/arch-x86_64.h>
#include <abi/vcpu.h>
#include <abi/xen.h>
#include <layout.h>
#include <spinlock.h>
#include <types.h>

struct domain;
struct cpu;

/* Reasons to take the slow way back to the guest. */
enum {
	WORK_SCHEDULE = 1 << 0,	/* another vCPU may have to run: preempted, yielding, blocked, shut down */
	WORK_NMI = 1 << 1,	/* an NMI waits for delivery */
	WORK_FAILSAFE = 1 << 2,	/* a segment register could not be loaded: the failsafe callback is due */
	WORK_REAP = 1 << 4,	/* domain 0: dead domains may have to vanish */
	WORK_TRACE = 1 << 3,	/* its entry was recorded, so its return has to be */
};

/* What exits from a guest went to; the order is that of paravane_op's buffer. */
enum {
	EXIT_HYPERCALL, EXIT_INTERPRETED, EXIT_PTWR, EXIT_BOUNCED, EXIT_INTERRUPT, EXIT_UPCALL,
	COUNT_CR3_LOAD, COUNT_TLB_FLUSH, EXIT_PAGE_FAULT, EXIT_GP, COUNT_SWITCH, COUNTERS = 16, TRACED_COUNTERS = EXIT_UPCALL + 1,
};

/* Where a vCPU that does not run stands: on its way to the guest, between two items of a batch, or anywhere. */
enum { STANDS_AT_EXIT, STANDS_IN_BATCH, STANDS_AT_WORK };

enum { RUN_RUNNING, RUN_RUNNABLE, RUN_BLOCKED, RUN_OFFLINE };	/* ABI: RUNSTATE_* */

struct callback {
	u64 address;		/* 0: none */
	bool mask_events;
};

struct timer {
	u64 deadline;		/* ns of system time; 0: not armed */
	struct cpu *cpu;	/* whose queue it is in */
	struct timer *next;	/* sorted by deadline */
	void (*fire)(struct timer *t);
};

struct vcpu {
	u64 stack_slot;		/* first word of the stack below regs */
	struct cpu_user_regs regs;	/* [o] hardware frame up to ss; es, ds, fs, gs used when switched out */

	u32 work;		/* [a] WORK_*; not zero: the slow way back */
	bool kernel_mode;	/* [o] in guest kernel mode: hypercalls and the interpreter are for it */
	struct vcpu_info *info;	/* hypervisor's mapping of the guest's vcpu_info; always valid */
	struct domain *domain;
	struct cpu *cpu;	/* [s] the CPU that it runs on or last ran on */

	maddr_t kernel_cr3;	/* [o] holds an L4 type reference */
	maddr_t user_cr3;	/* [o] the same, or 0 */
	u64 kernel_sp, kernel_ss;
	struct callback event, failsafe, syscall, syscall32, sysenter, nmi;
	u64 trap_address[256];
	u8 trap_flags[256];	/* ABI: TI_* of trap_info.flags */

	u64 counters[COUNTERS];	/* [o] */
	u64 traced_counters[TRACED_COUNTERS];	/* [o] as they were at the last recorded entry */

	u64 cr4;		/* the guest's view */
	bool ts;		/* virtual CR0.TS */
	bool nmi_masked;	/* until the handler's iret */
	bool nmi_pending;	/* came while masked */
	u8 iopl;		/* PHYSDEVOP_set_iopl, 0 to 3 */
	u32 io_bitmap_ports;	/* PHYSDEVOP_set_iobitmap: length in ports, */
	u64 io_bitmap;		/* and the guest's address of it */
	u32 tsc_aux;		/* MSR TSC_AUX: what RDTSCP tells */
	u64 dr[8];
	u64 fs_base, gs_base, gs_other_base;	/* while switched out */
	void *xsave;		/* FPU state while not loaded */
	u64 xcr0;

	u16 gdt_entries, ldt_entries;
	mfn_t gdt_frames[14];	/* each holds a segdesc type reference */
	u64 ldt_base;
	struct spinlock ldt_lock;
	u16 ldt_mapped;		/* under ldt_lock; bit i: LDT page i holds a segdesc reference and is in the window */

	int id;
	int slot;		/* of its window */
	u8 runstate;		/* [s] RUN_* */
	bool claimed, initialised;	/* VCPUOP_initialise begun, done */
	bool online;		/* [s] VCPUOP_up */
	bool blocked;		/* SCHEDOP_block or _poll: wait for an event; set by [o], cleared by [s] */
	bool yielding;		/* [o] others go first */
	bool queued;		/* [s] in the run queue, by run_next */
	u8 stands;		/* [s] where it was switched out, STANDS_* */
	u32 pause_count;	/* [s] */
	u64 cpus, affinity;	/* [s] CPUs that it may run on; the same but for SCHEDOP_pin_override */
	struct cpu *loaded_on;	/* [s] the CPU whose registers have its user state, or NULL */
	u64 vtime;		/* [s] virtual time: the least runs first */
	u64 charged_at;		/* [s] system time up to which its running has been accounted */
	mfn_t info_mfn;		/* registered vcpu_info's frame, or INVALID_MFN */
	u64 runstate_entry, runstate_time[4];
	u64 runstate_area, time_area;	/* guest addresses of registered areas, 0: none */
	struct timer singleshot, periodic, poll;
	u64 period;
	u32 virq_port[24];	/* [d] */
	u64 soft_affinity;	/* CPUs that it prefers: kept for the toolstack */
	bool pin_override;	/* SCHEDOP_pin_override is in force */
	u32 poll_port;		/* the port polled; 0: none; ~0: several */
	struct vcpu *run_next;
	u64 saved_rsp;		/* of a vCPU switched out */
};

static inline struct vcpu *stack_to_vcpu(u64 rsp)
{
	return (struct vcpu *)((rsp & ~(u64)(VCPU_STACK_SPAN - 1)) + VCPU_IN_SPAN);
}

register u64 stack_pointer asm("rsp");
#define current stack_to_vcpu(stack_pointer)

static inline u64 vcpu_window(const struct vcpu *v)
{
	return (u64)v & ~(u64)(VCPU_WINDOW_SIZE - 1);
}

/* --- cpu/bounce.c: put the guest's own handler in the way ------------------------------------- */

#define NO_ERROR_CODE (~0ull)

/* Delivers an exception: the trap table's handler runs next, on the frame of abi/trap.md. A missing handler crashes the domain. */
void bounce_exception(struct vcpu *v, int vector, u64 error_code);
void bounce_gp(struct vcpu *v, u64 error_code);
void bounce_page_fault(struct vcpu *v, u64 address, u64 error_code);

/* --- domain/sched.c --------------------------------------------------------------------------- */

/* May run another vCPU, and this one on another CPU; the caller holds no lock. Long work calls preempt_point() every few thousand instructions. */
void preempt_point(void);
void schedule(void);			/* on the way back to the guest */
void vcpu_yield(struct vcpu *v);	/* v is current: others go first at the next point */
void vcpu_wake(struct vcpu *v);		/* make a blocked vCPU runnable; callable from interrupts */
void vcpu_kick(struct vcpu *v);		/* an event is pending: wake it, or make it look, wherever it is */
void vcpu_block(struct vcpu *v);	/* takes effect on the way back to the guest */

void vcpu_online(struct vcpu *v);	/* put up: runnable from now on */
void vcpu_offline(struct vcpu *v);	/* goes down on its way back to the guest */

/* --- domain/vcpu.c ------------------------------------------------------------------------------ */

struct vcpu *vcpu_create(struct domain *d, int id);	/* NULL: no memory */
extern struct vcpu_info no_vcpu_info;	/* of those who have none */
void vcpu_restart(struct vcpu *v);	/* whatever it was doing, it begins anew with v->regs; it does not run, and holds nothing */
void vcpu_free(struct vcpu *v);		/* retired; what it held of its domain's has been given up */

/* --- timers, cpu/timer.c ------------------------------------------------------------------------ */

void timer_set(struct timer *t, u64 deadline);	/* (re)arm on this CPU; what is due fires here, so the caller holds no lock */
void timer_arm(struct timer *t, u64 deadline);	/* the same under a lock: what is due fires by the next interrupt; not 0 */
void timer_stop(struct timer *t);	/* may run on another CPU; `fire` may just be running there */
void timer_kill(struct timer *t);	/* for good: `fire` is not running either, and will not. Not from a timer */
void timers_expire(struct cpu *c);	/* the timer interrupt, on that CPU */

#endif
