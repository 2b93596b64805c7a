/* SPDX-License-Identifier: MIT */
/*
 * Making and freeing a vCPU: its window (layout.h) with stack, structure and descriptor tables, and its FPU area.
 *
 * used_windows: bit n of byte n / 8 is window n. Eight windows fill one L1 table of the hypervisor's, which goes when none of them
 * is in use. CPUs may remember a window as it was; they flush before it is used again.
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

/* --- windows -------------------------------------------------------------------------------------------------- */

#define WINDOWS 65536
#define WINDOWS_PER_TABLE 8
BUILD_ASSERT(WINDOWS_PER_TABLE * VCPU_WINDOW_PAGES == 512);
BUILD_ASSERT(WINDOWS_START + (u64)WINDOWS * VCPU_WINDOW_SIZE <= CPU_WINDOWS_START);

static u8 used_windows[WINDOWS / WINDOWS_PER_TABLE];	/* [windows_lock] */
static u32 first_free_table;	/* [windows_lock] the bytes before are full */
static u32 windows_stamp;	/* TLB clock when a window was last given back, */
static bool windows_reused;	/* if one ever was */
static struct spinlock windows_lock;

static u64 window_of(int slot)
{
	return WINDOWS_START + (u64)slot * VCPU_WINDOW_SIZE;
}

/* The lowest that is free, or -1. */
static int window_take(void)
{
	int slot = -1;

	spin_lock(&windows_lock);
	while (first_free_table < sizeof(used_windows) && used_windows[first_free_table] == 0xff)
		first_free_table++;
	if (first_free_table < sizeof(used_windows)) {
		slot = first_free_table * WINDOWS_PER_TABLE + __builtin_ctz(~used_windows[first_free_table]);
		used_windows[first_free_table] |= 1 << slot % WINDOWS_PER_TABLE;
	}
	spin_unlock(&windows_lock);
	return slot;
}

static bool window_map(u64 window)
{
	for (int i = VCPU_WINDOW_STACK; i <= VCPU_WINDOW_STRUCT; i++) {
		void *page = alloc_page();

		if (!page)
			return false;
		if (map_hv_page(window + i * PAGE_SIZE, virt_to_maddr(page), HV_RW)) {
			free_page(page);
			return false;
		}
	}
	for (int i = 0; i < FIRST_RESERVED_GDT_PAGE; i++)
		if (map_hv_page(window + i * PAGE_SIZE, image_to_maddr(empty_descriptors), HV_RO))
			return false;
	return !map_hv_page(window + FIRST_RESERVED_GDT_PAGE * PAGE_SIZE, image_to_maddr(hv_gdt), HV_RO);
}

/* Nobody runs there, its GDT is empty and its LDT, too. */
static void window_free(int slot)
{
	u64 window = window_of(slot);
	void *table = NULL;

	for (int i = 0; i < VCPU_WINDOW_PAGES; i++) {
		u64 *entry = hv_l1e(window + i * PAGE_SIZE), old = entry ? *entry : 0;

		if (!old)
			continue;
		unmap_hv_page(window + i * PAGE_SIZE);
		if (i >= VCPU_WINDOW_STACK)
			free_unmapped_page(maddr_to_virt(old & PTE_ADDR_MASK));
	}
	spin_lock(&windows_lock);
	used_windows[slot / WINDOWS_PER_TABLE] &= ~(1 << slot % WINDOWS_PER_TABLE);
	first_free_table = min(first_free_table, (u32)slot / WINDOWS_PER_TABLE);
	if (!used_windows[slot / WINDOWS_PER_TABLE])
		table = detach_hv_table(window);
	windows_stamp = READ_ONCE(tlb_clock);
	windows_reused = true;
	spin_unlock(&windows_lock);
	if (table)
		free_unmapped_page(table);
}

/* --- making one -------------------------------------------------------------------------------------------------- */

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
	int slot = window_take();
	struct vcpu *v = (struct vcpu *)(window_of(slot) + VCPU_WINDOW_STRUCT * PAGE_SIZE);

	if (slot < 0)
		return NULL;
	if (windows_reused)
		flush_tlb_since(windows_stamp);
	if (!window_map(window_of(slot))) {
		window_free(slot);
		return NULL;
	}
	v->slot = slot;
	v->info_mfn = INVALID_MFN;
	v->runstate = RUN_OFFLINE;
	registers_reset(v);
	stack_prepare(v, entry);
	return v;
}

/* New vCPUs take turns. */
static struct cpu *next_cpu(void)
{
	static u32 turn;

	return cpus[__atomic_fetch_add(&turn, 1, __ATOMIC_RELAXED) % cpu_count];
}

struct vcpu *vcpu_create(struct domain *d, int id)
{
	struct vcpu *v = vcpu_alloc(vcpu_first_run);

	if (!v)
		return NULL;
	v->domain = d;
	v->id = id;
	v->cpu = d->privileged && !id ? cpus[0] : next_cpu();
	v->info = &d->shared_info->vcpu_info[id];
	v->info->evtchn_upcall_mask = 1;
	v->soft_affinity = ~0ull;
	if (fpu_init_vcpu(v)) {
		window_free(v->slot);
		return NULL;
	}
	vcpu_timers_init(v);
	sched_init_vcpu(v);
	pvclock_update(v);
	__atomic_store_n(&d->vcpu[id], v, __ATOMIC_RELEASE);
	__atomic_store_n(&d->vcpu_count, max(d->vcpu_count, id + 1), __ATOMIC_RELEASE);	/* others look at it any time */
	return v;
}

void vcpu_restart(struct vcpu *v)
{
	stack_prepare(v, vcpu_first_run);
}

void vcpu_free(struct vcpu *v)
{
	free_page(v->xsave);
	window_free(v->slot);
}

/* --- the idle vCPU: what a CPU runs when there is nothing to run ---------------------------------------- */

struct vcpu_info no_vcpu_info;	/* never pending */

struct vcpu *idle_vcpu_create(struct cpu *c)
{
	struct vcpu *v = vcpu_alloc(idle_loop);

	if (!v)
		return NULL;
	v->cpu = c;
	v->info = &no_vcpu_info;
	v->runstate = RUN_RUNNING;
	c->idle = c->running = v;
	return v;
}

void start_on_idle(struct vcpu *idle, void (*fn)(void))
{
	run_on_stack((u64)&idle->regs, fn);
}
