/* SPDX-License-Identifier: MIT */
/*
 * A physical CPU. It lies in a window of its own beside the code of its SYSCALL entry and its
 * interrupt stacks (cpu/descriptors.c); `current->cpu` is the one that runs this.
 */
#ifndef PARAVANE_CPU_H
#define PARAVANE_CPU_H

#include <spinlock.h>
#include <types.h>
#include <vcpu.h>

#define MAX_CPUS 8

struct tss {
	u32 reserved0;
	u64 rsp0, rsp1, rsp2;
	u64 reserved1;
	u64 ist[7];
	u64 reserved2;
	u16 reserved3, iomap_base;
} __attribute__((packed));

struct cpu {
	u64 entry_frame;	/* where SYSCALL's entry puts rsp: &current->regs.ss */
	u64 entry_rsp;		/* the guest's rsp for the length of two instructions */
	u64 entry_target;	/* where SYSCALL goes on: guest kernel mode: hypercall; user mode: bounce */
	u64 entry_target32, entry_target_sysenter;	/* the same from compatibility mode, and for SYSENTER */
	u64 entry_syscall, entry_syscall32, entry_sysenter;	/* the entry code's addresses */
	struct vcpu *running;	/* [s], as `loaded` and `since`: under the scheduler's lock */
	struct vcpu *loaded;	/* the guest vCPU whose user state and tables are in the registers (kept while idle runs) */
	struct vcpu *idle;
	int id;
	u32 apic_id;
	bool online;
	bool traced;		/* its entries are those that record */
	maddr_t cr3;		/* loaded now */
	u32 kicks;		/* VECTOR_KICKs taken: at each it was in a guest, idle or at a preemption point */
	u64 flush_request;	/* [a] a shootdown that others wait for */
	u32 tlb_clock;		/* value of the TLB clock at this CPU's last full flush */
	struct spinlock timers_lock;	/* the next two */
	struct timer *timers;	/* sorted by deadline */
	u64 timer_programmed;	/* ns; what the local APIC timer is set to, 0: off */
	struct timer *firing;	/* whose `fire` runs now; under timers_lock */
	u64 virtual;		/* [s] virtual time (sched.c): that of the least who runs or waits here; never goes back */
	u64 since;		/* system time when `running` was last chosen over another */
	u64 idle_ns;		/* idle time before that */
	u64 slice_end;		/* [s] when to choose anew, or 0: when asked only */
	struct domain *refill;	/* whose refill timer has to be armed once the lock is released */
	struct timer slice;	/* fires then, or earlier */
	u32 to_kick;		/* CPUs to be kicked once the lock is released */
	u64 tsc_online;		/* TSC when it came up */
	struct tss tss;
};

extern struct cpu *cpus[MAX_CPUS];
extern int cpu_count;	/* CPUs online */

/* --- cpu/descriptors.c: for switching vCPUs -------------------------------------------------------- */
void load_gdt(u64 page14);	/* the GDT whose page 14, the hypervisor's, is mapped there */
void load_idt(bool traced);	/* the usual one, or the one whose entries record first */
void load_ldt(struct cpu *c, u64 base, unsigned entries);

/* --- cpu/features.c ----------------------------------------------------------------------------- */
struct cpu_features {
	bool intel, amd;	/* the vendor */
	bool smep, smap, umip, nx, pge, fsgsbase, xsave, page1gb, x2apic, rdtscp, cpuid_faulting;
	u64 xcr0;		/* what the hypervisor lets guests have */
	u32 xsave_size;
};
extern struct cpu_features cpu_has;

/* --- cpu/time.c ------------------------------------------------------------------------------------ */
extern u64 time_waited;		/* TSC ticks that this machine's boot spent waiting for clocks */
u64 now_ns(void);		/* system time: ns since boot, the same on all CPUs */
extern u32 tsc_mul; extern s8 tsc_shift; extern u64 tsc_khz;	/* pvclock's scale */
extern u64 wallclock_at_boot;	/* s since 1970 at system time 0 */
void timer_program(u64 deadline_ns);	/* the local APIC's one-shot; 0: off */

/* --- cpu/smp.c: TLB clock and shootdowns ------------------------------------------------------------ */
void flush_tlb_local(void);		/* everything, global pages too */
void flush_tlb_page_local(u64 va);
void flush_tlb_all_cpus(void);		/* returns when all have flushed */
void flush_tlb_of(const struct domain *d);	/* on the CPUs that have translations by d's tables */
extern u32 tlb_clock;			/* advances with every full flush */
/* Flushes the CPUs that have not flushed since `stamp`. */
void flush_tlb_since(u32 stamp);
void send_kick(struct cpu *cpu);

#endif
