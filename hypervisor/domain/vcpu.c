/* SPDX-License-Identifier: MIT */
/*
 * Making a vCPU: its window (layout.h) with stack, structure and descriptor tables, and its FPU area. Each has the next
 * window for good; a machine that has no memory for one does without it, and what was mapped stays so.
 */
#include <abi/arch-x86_64.h>
#include <asm.h>
#include <console.h>
#include <cpu.h>
#include <domain.h>
#include <emulate.h>
#include <entry.h>
#include <frames.h>
#include <pagetable.h>
#include <pvclock.h>
#include <sched.h>
#include <string.h>

BUILD_ASSERT(sizeof(struct vcpu) <= PAGE_SIZE);
BUILD_ASSERT(offsetof(struct vcpu, regs.es) % 16 == 0);	/* TSS.rsp0 */

static bool window_map(u64 window)
{
	for (int i = VCPU_WINDOW_STACK; i <= VCPU_WINDOW_STRUCT; i++) {
		void *page = alloc_page();

		if (!page || map_hv_page(window + i * PAGE_SIZE, virt_to_maddr(page), HV_RW))
			return false;
	}
	for (int i = 0; i < FIRST_RESERVED_GDT_PAGE; i++)
		if (map_hv_page(window + i * PAGE_SIZE, image_to_maddr(empty_descriptors), HV_RO))
			return false;
	return !map_hv_page(window + FIRST_RESERVED_GDT_PAGE * PAGE_SIZE, image_to_maddr(hv_gdt), HV_RO);
}

/* The stack of a vCPU that never ran returns to `entry` with rsp at its registers. */
static void stack_prepare(struct vcpu *v, const void *entry)
{
	u64 *sp = (u64 *)&v->regs;

	*--sp = (u64)entry;
	sp -= 6;	/* what switch_stacks() pops */
	memset(sp, 0, 6 * sizeof(*sp));
	v->saved_rsp = (u64)sp;
}

static void registers_reset(struct vcpu *v)
{
	v->regs.cs = FLAT_KERNEL_CS;
	v->regs.ss = FLAT_KERNEL_SS;
	v->regs.rflags = FLAGS_IF | 2;
	v->kernel_mode = true;
	v->cr4 = CR4_PAE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT;
	debugreg_init_vcpu(v);
}

static struct vcpu *vcpu_alloc(const void *entry)
{
	static int windows;
	int slot = __atomic_fetch_add(&windows, 1, __ATOMIC_RELAXED);
	u64 window = WINDOWS_START + (u64)slot * VCPU_WINDOW_SIZE;
	struct vcpu *v = (struct vcpu *)(window + VCPU_WINDOW_STRUCT * PAGE_SIZE);

	if (!window_map(window))
		return NULL;
	v->slot = slot;
	v->info_mfn = INVALID_MFN;
	v->runstate = RUN_OFFLINE;
	registers_reset(v);
	stack_prepare(v, entry);
	return v;
}

struct vcpu *vcpu_create(struct domain *d, int id)
{
	struct vcpu *v = vcpu_alloc(vcpu_first_run);

	if (!v)
		return NULL;
	v->domain = d;
	v->id = id;
	v->cpu = cpus[id % cpu_count];
	v->info = &d->shared_info->vcpu_info[id];
	v->info->evtchn_upcall_mask = 1;
	if (fpu_init_vcpu(v))
		return NULL;
	vcpu_timers_init(v);
	sched_init_vcpu(v);
	pvclock_update(v);
	d->vcpu[id] = v;
	d->vcpu_count = max(d->vcpu_count, id + 1);
	return v;
}

/* --- the idle vCPU: what a CPU runs when there is nothing to run ---------------------------------------- */

static struct vcpu_info idle_info;	/* never pending */

struct vcpu *idle_vcpu_create(struct cpu *c)
{
	struct vcpu *v = vcpu_alloc(idle_loop);

	if (!v)
		return NULL;
	v->cpu = c;
	v->info = &idle_info;
	v->runstate = RUN_RUNNING;
	c->idle = c->running = v;
	return v;
}

void start_on_idle(struct vcpu *idle, void (*fn)(void))
{
	run_on_stack((u64)&idle->regs, fn);
}
