/* SPDX-License-Identifier: MIT */
/*
 * User state: what entering the hypervisor leaves in the registers of a CPU. It stays there while the CPU idles (c->loaded), so
 * that a guest which only waited for an event pays for no switch.
 *
 * Invariant, under sched_lock: v->loaded_on == c if and only if c->loaded == v; elsewhere its state is in memory. A CPU that runs
 * a guest's vCPU has that one loaded.
 */
#include <asm.h>
#include <emulate.h>
#include <entry.h>
#include <pagetable.h>
#include <uaccess.h>
#include "sched_queue.h"

static bool load_selectors(const struct cpu_user_regs *r)
{
#define LOAD(segment, selector) \
	asm goto("1: mov %0, %%" #segment "\n" EXTABLE("1b", "%l1") :: "r"((u32)(selector)) :: refused)
	LOAD(ds, r->ds);
	LOAD(es, r->es);
	LOAD(fs, r->fs);
	LOAD(gs, r->gs);
#undef LOAD
	return true;
refused:
	asm volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%fs; mov %0, %%gs" :: "r"(0));
	return false;
}

static void save_user_state(struct vcpu *v)
{
	struct cpu_user_regs *r = &v->regs;

	asm volatile("mov %%ds, %0; mov %%es, %1; mov %%fs, %2; mov %%gs, %3"
		     : "=m"(r->ds), "=m"(r->es), "=m"(r->fs), "=m"(r->gs));
	v->fs_base = rdmsr(MSR_FS_BASE);
	v->gs_base = rdmsr(MSR_GS_BASE);
	v->gs_other_base = rdmsr(MSR_KERNEL_GS_BASE);
	v->loaded_on = NULL;
}

/* Global entries are those of the vCPU that was loaded before: they go, too. */
static void load_user_state(struct cpu *c, struct vcpu *v)
{
	u64 window = vcpu_window(v);

	c->cr3 = v->kernel_mode ? v->kernel_cr3 : v->user_cr3;
	v->counters[COUNT_CR3_LOAD]++;
	write_cr3(c->cr3);
	flush_tlb_local();
	load_gdt(window + FIRST_RESERVED_GDT_PAGE * PAGE_SIZE);
	load_ldt(c, window + VCPU_WINDOW_LDT * PAGE_SIZE, v->ldt_entries);
	if (!load_selectors(&v->regs))
		__atomic_or_fetch(&v->work, WORK_FAILSAFE, __ATOMIC_ACQ_REL);
	wrmsr(MSR_FS_BASE, v->fs_base);
	wrmsr(MSR_GS_BASE, v->gs_base);
	wrmsr(MSR_KERNEL_GS_BASE, v->gs_other_base);
	v->loaded_on = c;
}

void load_vcpu(struct cpu *c, struct vcpu *next)
{
	struct vcpu *prev = c->loaded;

	if (prev)
		save_user_state(prev);
	WRITE_ONCE(c->loaded, next);	/* before its tables are: flush_tlb_of() */
	load_user_state(c, next);
	control_switch(prev, next);
	fpu_switch(prev, next);
	debugreg_switch(prev, next);
	next->counters[COUNT_SWITCH]++;
}

/* The descriptor tables of the vCPU's window and its page tables go out of use as well: they may be freed. */
void unload_vcpu(struct cpu *c)
{
	struct vcpu *v = c->loaded;

	save_user_state(v);
	asm volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%fs; mov %0, %%gs" :: "r"(0));
	load_gdt((u64)hv_gdt);
	load_ldt(c, 0, 0);
	c->cr3 = hv_l4_maddr;
	write_cr3(c->cr3);
	flush_tlb_local();
	control_switch(v, c->idle);
	fpu_unload(v);
	debugreg_switch(v, c->idle);
	WRITE_ONCE(c->loaded, NULL);	/* after its tables are gone */
}
