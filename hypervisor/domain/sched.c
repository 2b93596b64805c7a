/* SPDX-License-Identifier: MIT */
/*
 * Who runs. Each CPU has a queue of runnable vCPUs, served in turn; a turn ends when the vCPU
 * blocks, yields or others have waited for a slice. Without any the idle vCPU halts the CPU.
 *
 * Invariant, under run_lock: a vCPU is running, or in its CPU's queue (once: `queued`), or not runnable. One that is put down or
 * shut down while it waits in the queue leaves it when its turn comes. While idle runs the registers keep
 * the user state of `loaded`, so that a guest which only waited for an event pays for no switch.
 */
#include <asm.h>
#include <console.h>
#include <cpu.h>
#include <domain.h>
#include <emulate.h>
#include <entry.h>
#include <pvclock.h>
#include <uaccess.h>

#define SLICE_NS 10000000

static bool runnable(const struct vcpu *v)
{
	return v->online && !v->blocked && !v->domain->is_shut_down;
}

/* --- the queue ------------------------------------------------------------------------------------------- */

static void enqueue(struct cpu *c, struct vcpu *v)
{
	struct vcpu **at = &c->run_queue;

	v->queued = true;
	while (*at)
		at = &(*at)->run_next;
	v->run_next = NULL;
	*at = v;
}

static struct vcpu *dequeue(struct cpu *c)
{
	struct vcpu *v = c->run_queue;

	if (v) {
		c->run_queue = v->run_next;
		v->queued = false;
	}
	return v;
}

/* After something that kept v from running has gone. True: it joined the queue. */
static bool join(struct cpu *c, struct vcpu *v)
{
	if (v == c->running || v->queued || !runnable(v))
		return false;
	enqueue(c, v);
	runstate_change(v, RUN_RUNNABLE);
	return true;
}

static void request_schedule(struct cpu *c)
{
	__atomic_or_fetch(&c->running->work, WORK_SCHEDULE, __ATOMIC_ACQ_REL);
	if (c != current->cpu)
		send_kick(c);
}

static void slice_over(struct timer *t)
{
	request_schedule(container_of(t, struct cpu, slice));
}

/* --- user state: what entering the hypervisor leaves in the registers -------------------------------------- */

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
}

static void switch_user_state(struct cpu *c, struct vcpu *next)
{
	if (c->loaded)
		save_user_state(c->loaded);
	load_user_state(c, next);
	control_switch(c->loaded, next);
	fpu_switch(c->loaded, next);
	debugreg_switch(c->loaded, next);
	c->loaded = next;
	next->counters[COUNT_SWITCH]++;
}

/* --- switching ------------------------------------------------------------------------------------------------ */

static void switch_to(struct cpu *c, struct vcpu *prev, struct vcpu *next)
{
	if (next != c->idle && next != c->loaded)
		switch_user_state(c, next);
	if (next != c->idle)
		runstate_change(next, RUN_RUNNING);
	c->tss.rsp0 = (u64)&next->regs.es;
	c->entry_frame = (u64)&next->regs.ss;
	cpu_enter_mode(c, next->kernel_mode);
	switch_stacks(&prev->saved_rsp, next->saved_rsp);
}

/* Others of the domain wait for who holds its page mutex, so that one lets go before it stops for good. */
static bool holds_page_mutex(const struct vcpu *v)
{
	return READ_ONCE(v->domain->page_mutex_holder) == v->slot + 1u;
}

/* The CPU goes on with the first of the queue; returns when `current` is chosen again. */
void schedule(void)
{
	struct vcpu *prev = current, *next;
	struct cpu *c = prev->cpu;

	if (likely(!c->run_queue && prev != c->idle && runnable(prev)))
		return;
	spin_lock(&c->run_lock);
	if (prev != c->idle) {
		if (runnable(prev) || holds_page_mutex(prev))
			enqueue(c, prev);
		runstate_change(prev, runnable(prev) ? RUN_RUNNABLE : prev->online && prev->blocked ? RUN_BLOCKED : RUN_OFFLINE);
	}
	next = dequeue(c);
	if (!next)
		next = c->idle;
	c->running = next;
	spin_unlock(&c->run_lock);
	if (c->run_queue)
		timer_set(&c->slice, now_ns() + SLICE_NS);
	if (next != prev)
		switch_to(c, prev, next);
	else if (prev != c->idle)
		runstate_change(prev, RUN_RUNNING);
}

void preempt_point(void)
{
	struct vcpu *v = current;

	take_interrupts();
	if (v->work & WORK_SCHEDULE) {
		__atomic_and_fetch(&v->work, ~WORK_SCHEDULE, __ATOMIC_ACQ_REL);
		schedule();
		if (unlikely(!runnable(v)))
			__atomic_or_fetch(&v->work, WORK_SCHEDULE, __ATOMIC_ACQ_REL);
	}
}

/* Runs once, on the new vCPU's stack, before it enters the guest. */
void vcpu_started(struct vcpu *v)
{
}

void idle_loop(void)
{
	struct vcpu *v = current;
	struct cpu *c = v->cpu;

	c->slice.fire = slice_over;
	for (;;) {
		__atomic_and_fetch(&v->work, ~WORK_SCHEDULE, __ATOMIC_ACQ_REL);
		if (c->run_queue)
			schedule();
		else
			halt_for_interrupt();
	}
}

/* --- waiting and waking ------------------------------------------------------------------------------------------ */

void vcpu_block(struct vcpu *v)
{
	v->blocked = true;
	__atomic_or_fetch(&v->work, WORK_SCHEDULE, __ATOMIC_ACQ_REL);
}

/* Callable from interrupts and by other CPUs; a vCPU still on its way to sleep just stays awake. */
void vcpu_wake(struct vcpu *v)
{
	struct cpu *c = v->cpu;
	bool queued;

	spin_lock(&c->run_lock);
	v->blocked = false;
	queued = join(c, v);
	spin_unlock(&c->run_lock);
	if (queued)
		request_schedule(c);
}

void vcpu_kick(struct vcpu *v)
{
	if (v->blocked)
		vcpu_wake(v);
	else if (v != current && v->cpu != current->cpu)
		send_kick(v->cpu);
}

/* Puts a vCPU up: initialised, from now on runnable. */
void vcpu_online(struct vcpu *v)
{
	struct cpu *c = v->cpu;
	bool queued;

	spin_lock(&c->run_lock);
	v->online = true;
	v->blocked = false;
	queued = join(c, v);
	spin_unlock(&c->run_lock);
	if (queued)
		request_schedule(c);
}

/* Goes down on its way back to the guest, or when its turn in the queue comes. */
void vcpu_offline(struct vcpu *v)
{
	v->online = false;
	__atomic_or_fetch(&v->work, WORK_SCHEDULE, __ATOMIC_ACQ_REL);
}
