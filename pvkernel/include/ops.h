/* SPDX-License-Identifier: MIT */
/*
 * The privileged operations of this kernel, all of them. What cpu= chooses at boot is which of three
 * tables `cpu` points to:
 *
 *   hypercall  asks the hypervisor, several requests at a time where the ABI has a list for it
 *   trap       executes the bare instruction, which faults in ring 3 and is interpreted
 *   native     executes the same instruction in ring 0, where it just works
 *
 * An operation that has no instruction a hypervisor interprets is the hypercall in `trap` as well;
 * ops_describe() says which those are, found by trying at boot.
 */
#ifndef PVK_OPS_H
#define PVK_OPS_H

#include "types.h"

struct regs;

/* One page-table entry to be stored. ptr is any kernel address of it. */
struct pte_update {
	u64 *ptr;
	u64 val;
};

/* What belongs to a thread besides its stack pointer and callee-saved registers. */
struct cpu_context {
	u64 kernel_sp;			/* stack for entries from user mode */
	u64 fs_base;			/* the thread's descriptor */
};

enum { FLUSH_NONE, FLUSH_PAGE, FLUSH_ALL };
enum { STOP_POWEROFF, STOP_REBOOT, STOP_CRASH };

struct cpu_ops {
	const char *name;

	void (*irq_enable)(void);
	void (*irq_disable)(void);
	bool (*irq_enabled)(void);
	void (*halt)(void);		/* entered disabled; waits enabled, returns enabled */

	/* Entries of tables of one level (1 to 4). No flush: the caller knows what is stale. */
	void (*set_ptes)(unsigned int level, const struct pte_update *list, unsigned int count);
	void (*set_va)(u64 va, u64 pte, unsigned int flush);	/* the L1 entry of va */
	void (*pin_table)(unsigned int level, u64 pfn);
	void (*unpin_table)(u64 pfn);
	void (*write_cr3)(u64 maddr);
	u64 (*read_cr3)(void);
	void (*invlpg)(u64 va);
	void (*flush_tlb)(void);
	u64 (*read_cr2)(void);

	void (*switch_context)(const struct cpu_context *next);
	void (*set_fs_base)(u64 base);
	void (*set_gs_base)(u64 base);
	void (*set_ts)(bool set);
	void (*set_dr)(unsigned int n, u64 val);
	u64 (*get_dr)(unsigned int n);
	void (*cpuid)(u32 leaf, u32 subleaf, u32 out[4]);

	void (*set_timer)(u64 deadline);	/* system time in ns; 0: none */
	void (*stop)(unsigned int how);		/* ends the machine or the domain */

	/* How to leave an exception: 0 by the iret hypercall, 1 by iretq. May change regs for it. */
	int (*prepare_exit)(struct regs *regs);
};

extern const struct cpu_ops *cpu;
extern const struct cpu_ops ops_hypercall, ops_native;
extern struct cpu_ops ops_trap;

void ops_trap_init(void);

/* Chooses by name; false: no such way here. */
bool ops_select(const char *name);

/* After events work: tries the bare instructions and replaces those that are refused. */
void ops_probe(void);
void ops_describe(void);

/* What `hypercall` has for a flag, which needs no call: vcpu_info's evtchn_upcall_pending and evtchn_upcall_mask. NULL: another table is in force. */
extern u8 *irq_flags;

/* Disables and says whether they were enabled; irq_restore gets that back. */
static inline bool irq_save(void)
{
	bool was;

	if (irq_flags) {
		was = !READ_ONCE(irq_flags[1]);
		WRITE_ONCE(irq_flags[1], 1);
		barrier();
		return was;
	}
	was = cpu->irq_enabled();
	cpu->irq_disable();
	return was;
}

static inline void irq_restore(bool was)
{
	u8 *flags = irq_flags;

	if (!was)
		return;
	if (flags) {
		barrier();
		WRITE_ONCE(flags[1], 0);
		barrier();
		if (!READ_ONCE(flags[0]))
			return;
	}
	cpu->irq_enable();
}

#endif
