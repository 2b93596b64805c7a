/* SPDX-License-Identifier: MIT */
/*
 * A machine for mm/ on the host: a little memory, two CPUs, and a model of their TLBs. It stands in for the headers that touch
 * real hardware, then for the functions that mm/ calls in other parts.
 *
 * Each CPU is a fiber. Wherever real CPUs could interleave in a way that matters (after a word is read that another may
 * change, around locks, at preemption points) yield() may let the other one run.
 */
#ifndef TESTS_MM_HOST_H
#define TESTS_MM_HOST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>
#include <cmocka.h>

#include <types.h>

/* --- in place of headers ------------------------------------------------------------------------------------------ */

#define FRAMES 144
#define FIRST_HOLE 136		/* the frames from here on are no memory */
#define DEVICE_ABOVE 0x1000	/* nor is this */

extern u8 host_memory[FRAMES * 4096];
extern u64 host_m2p[FRAMES];
extern u8 host_frame_table[];
void yield(void);

#undef READ_ONCE
#define READ_ONCE(x) ({ __typeof__(x) read_ = *(const volatile __typeof__(x) *)&(x); yield(); read_; })

#define PARAVANE_LAYOUT_H
#define HV_FIRST_SLOT 256
#define HV_LAST_SLOT 271
#define LINEAR_SLOT 258
#define HV_START 0xffff800000000000
#define HV_END 0xffff880000000000
#define M2P_START 0xffff800000000000
#define M2P_WRITABLE_START ((u64)host_m2p)
#define FRAME_TABLE_START ((u64)host_frame_table)
#define DIRECTMAP_START ((u64)host_memory)
#define IMAGE_START 0
#define VCPU_WINDOW_PAGES 64
#define VCPU_WINDOW_SIZE (VCPU_WINDOW_PAGES * 4096)
#define VCPU_WINDOW_LDT 16
#define VCPU_WINDOW_STRUCT 35
#define VCPU_STACK_SPAN 0x4000
#define VCPU_IN_SPAN 0x3000

#define PARAVANE_SPINLOCK_H
struct spinlock {
	u8 held;
};
void spin_lock(struct spinlock *l);
void spin_unlock(struct spinlock *l);

#define PARAVANE_ASM_H
#define FLAGS_DF (1ul << 10)
static inline void wbinvd(void) { }
static inline void write_cr3(u64 x) { }
static inline void cpuid(u32 leaf, u32 sub, u32 r[4]) { r[0] = 36; }

#define PARAVANE_CONSOLE_H
#define panic(...) fail_msg(__VA_ARGS__)
#define assert(c) assert_true(c)

/* A guest's pointers are the host's; address 0 faults. */
#define PARAVANE_UACCESS_H
#define HV_SHIFT 43
static inline bool guest_address_ok(u64 address) { return address >> HV_SHIFT != HV_START >> HV_SHIFT; }
static inline bool address_canonical(u64 address) { return (u64)((s64)(address << 16) >> 16) == address; }
static inline bool guest_page_ok(u64 address) { return (u64)((s64)address >> HV_SHIFT) + 15 <= 30; }
static inline bool guest_range_ok(u64 address, u64 bytes) { return guest_address_ok(address); }
static inline void user_access_begin(void) { yield(); }
static inline void user_access_end(void) { }
#define raw_get_u64(x, address, label) do { if ((u64)(address) < 4096) goto label; (x) = *(u64 *)(address); } while (0)
static inline int get_guest_u64(u64 *x, u64 at) { return at < 4096 ? -EFAULT : (*x = *(u64 *)at, 0); }
static inline int put_guest_u64(u64 x, u64 at) { return at < 4096 ? -EFAULT : (*(u64 *)at = x, 0); }
static inline int put_guest_u32(u32 x, u64 at) { return at < 4096 ? -EFAULT : (*(u32 *)at = x, 0); }
int copy_from_guest(void *to, u64 from, size_t bytes);
int copy_to_guest(u64 to, const void *from, size_t bytes);

#define PARAVANE_LINEAR_H
u64 host_walk(u64 va, int levels);
static inline u64 linear_l1e(u64 va) { return host_walk(va, 4); }
static inline u64 linear_l2e(u64 va) { return host_walk(va, 3); }

#include <vcpu.h>
#undef current
#define current (host_running[host_cpu])
extern struct vcpu *host_running[];
extern int host_cpu;

#include <string.h>
#include <abi/xen.h>
#include <boot.h>
#include <cpu.h>
#include <domain.h>
#include <emulate.h>
#include <entry.h>
#include <frames.h>
#include <pagetable.h>
#include <pte.h>

/* --- the machine ---------------------------------------------------------------------------------------------------- */

#define CPUS 2
#define DOMAINS 2
#define VCPUS 2			/* of each domain; vCPU n runs on CPU n */

u8 host_memory[FRAMES * 4096] __attribute__((aligned(4096)));
u8 host_frame_table[FRAMES * sizeof(struct frame)] __attribute__((aligned(64)));
u64 host_m2p[FRAMES];
struct vcpu *host_running[CPUS];
int host_cpu;
u64 host_hv_l4[512], *hv_l4 = host_hv_l4;
mfn_t max_mfn;
u32 tlb_clock = 1;
int cpu_count = CPUS;
struct cpu_features cpu_has = { .nx = true };
struct acpi_info acpi;
struct memory_region machine_map[MAX_MEMORY_REGIONS] = { { 0, FIRST_HOLE * 4096ull, 1 } };
int machine_map_count = 1;
struct cpu *cpus[MAX_CPUS];

static struct domain host_domain[DOMAINS];
static struct vcpu *vcpus[DOMAINS][VCPUS];
static struct cpu host_cpus[CPUS];
static mfn_t host_shared[DOMAINS];	/* their shared_info */

static u64 random_state = 88172645463325252ull;

static u32 rnd(u32 n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 11) % n;
}

/* --- fibers ---------------------------------------------------------------------------------------------------------- */

#define FIBER_STACK 0x40000

static ucontext_t scheduler, fiber[CPUS];
static void (*fiber_work[CPUS])(void);	/* NULL: idle */
static bool interleaving;
static u64 switches;

static void leave_fiber(void)
{
	int self = host_cpu;

	if (++switches > 2000000)
		fail_msg("the CPUs wait for each other");
	swapcontext(&fiber[self], &scheduler);
	host_cpu = self;
}

static void hardware_marks(void);
static u64 *mark;		/* an entry that a walk marks accessed, */
static int mark_after;		/* after so many chances */

void yield(void)
{
	if (mark && !mark_after--) {
		*mark |= PTE_ACCESSED;
		mark = NULL;
	}
	if (!interleaving)
		return;
	if (!rnd(16))
		hardware_marks();
	if (!rnd(4))
		leave_fiber();
}

static void fiber_main(void)
{
	for (;;) {
		fiber_work[host_cpu]();
		fiber_work[host_cpu] = NULL;
		leave_fiber();
	}
}

static void fiber_create(int i)
{
	static u8 stacks[CPUS][FIBER_STACK] __attribute__((aligned(64)));

	getcontext(&fiber[i]);
	fiber[i].uc_stack.ss_sp = stacks[i];
	fiber[i].uc_stack.ss_size = FIBER_STACK;
	makecontext(&fiber[i], fiber_main, 0);
}

/* Runs work on all CPUs at once, interleaved at random, to its end. */
static void run_on_cpus(void (*work)(void))
{
	int running = CPUS;

	for (int i = 0; i < CPUS; i++)
		fiber_work[i] = work;
	interleaving = true;
	switches = 0;
	while (running) {
		host_cpu = rnd(CPUS);
		if (!fiber_work[host_cpu])
			continue;
		swapcontext(&scheduler, &fiber[host_cpu]);
		running = 0;
		for (int i = 0; i < CPUS; i++)
			running += fiber_work[i] != NULL;
	}
	interleaving = false;
	host_cpu = 0;
}

/* By the tables in CR3, as they are now. */
u64 host_walk(u64 va, int levels)
{
	u64 entry = current->kernel_cr3 | PTE_PRESENT;

	for (int shift = 39; levels--; shift -= 9) {
		yield();
		if (!(entry & PTE_PRESENT) || pte_mfn(entry) >= FRAMES)
			return 0;
		entry = ((u64 *)mfn_to_virt(pte_mfn(entry)))[va >> shift & 511];
	}
	return entry;
}

void spin_lock(struct spinlock *l)
{
	yield();
	while (l->held) {
		if (!interleaving)
			fail_msg("a lock is taken twice");
		leave_fiber();
	}
	l->held = 1;
}

void spin_unlock(struct spinlock *l)
{
	assert_true(l->held);
	l->held = 0;
	yield();
}

/* --- TLBs -------------------------------------------------------------------------------------------------------------- */

/*
 * What each CPU may have cached, at the worst: (frame, as table of which level, 0 for a page; through writable entries
 * only or not). Everything that can be reached from CR3, or from anything cached, by any contents that memory has at a check.
 */
static bool cached[CPUS][5][2][FRAMES];
static bool cached_descriptors[CPUS][FRAMES];	/* by the mappings in the windows */
static u64 window_l1e[DOMAINS][VCPUS][VCPU_WINDOW_PAGES];

static bool is_hv_entry(int level, int i)
{
	return level == 4 && i >= HV_FIRST_SLOT && i <= HV_LAST_SLOT;
}

static void cache_children(int c, int level, bool rw, mfn_t table)
{
	const u64 *t = (u64 *)(host_memory + table * 4096);

	for (int i = 0; i < 512; i++) {
		mfn_t child = pte_mfn(t[i]);

		if (!(t[i] & PTE_PRESENT) || !(t[i] & PTE_USER))
			continue;	/* what is the hypervisor's is not for ring 3 */
		if (child >= FRAMES || child >= FIRST_HOLE) {
			if (level > 1 || !host_running[c]->domain->privileged)
				fail_msg("CPU %d reaches device frame %lx by a table %ld as L%d", c, child, table, level);
			continue;
		}
		cached[c][level - 1][rw && (t[i] & PTE_RW)][child] = true;
	}
}

static void tlb_fill(int c)
{
	struct vcpu *v = host_running[c];

	for (int i = 0; i < VCPU_WINDOW_PAGES; i++) {
		mfn_t m = pte_mfn(window_l1e[v->domain->id][v->id][i]);

		if (m && m < FRAMES)	/* and not the hypervisor's page of empty ones */
			cached_descriptors[c][m] = true;
	}
	if (host_cpus[c].cr3)
		cached[c][4][1][host_cpus[c].cr3 >> 12] = true;
	for (int level = 4; level > 0; level--)
		for (int rw = 0; rw < 2; rw++)
			for (mfn_t m = 0; m < FRAMES; m++)
				if (cached[c][level][rw][m])
					cache_children(c, level, rw, m);
}

/* A walk by either CPU marks an entry accessed, or a page dirty, in a table that it may have cached. */
static void hardware_marks(void)
{
	int c = rnd(CPUS), level = 1 + rnd(2);
	mfn_t m = 1 + rnd(FIRST_HOLE - 1);
	u64 *entry = (u64 *)(host_memory + m * 4096) + rnd(3);

	if (cached[c][level][1][m] && (*entry & PTE_PRESENT) && (*entry & PTE_USER))
		*entry |= PTE_ACCESSED | (level == 1 && *entry & PTE_RW ? PTE_DIRTY : 0);
}

static void tlb_flush(int c)
{
	memset(cached[c], 0, sizeof(cached[c]));
	memset(cached_descriptors[c], 0, sizeof(cached_descriptors[c]));
	host_cpus[c].tlb_clock = ++tlb_clock;
}

void flush_tlb_local(void) { tlb_flush(host_cpu); }
void flush_tlb_page_local(u64 va) { }

void flush_tlb_since(u32 stamp)
{
	for (int c = 0; c < CPUS; c++)
		if ((s32)(host_cpus[c].tlb_clock - stamp) <= 0)
			tlb_flush(c);
}

void flush_tlb_of(const struct domain *d)
{
	for (int c = 0; c < CPUS; c++)
		if (host_running[c]->domain == d)
			tlb_flush(c);
}

/* --- in place of other parts ------------------------------------------------------------------------------------------- */

void check_translations(void);

void preempt_point(void)
{
	if (!interleaving)
		return;
	if (!rnd(4))
		check_translations();
	leave_fiber();
}

void vcpu_yield(struct vcpu *v) { }

int copy_from_guest(void *to, u64 from, size_t bytes) { return from < 4096 ? -EFAULT : (memcpy(to, (void *)from, bytes), 0); }
int copy_to_guest(u64 to, const void *from, size_t bytes) { return to < 4096 ? -EFAULT : (memcpy((void *)to, from, bytes), 0); }

bool batch_point(void)
{
	preempt_point();
	return false;
}

struct domain *domain_find(domid_t id)
{
	return id == DOMID_SELF ? current->domain : id < DOMAINS ? &host_domain[id] : NULL;
}

struct domain *domain_lookup(domid_t id)
{
	return id < DOMAINS ? &host_domain[id] : NULL;
}

struct domain *domain_get(domid_t id)
{
	struct domain *d = domain_lookup(id);

	if (d)
		d->references++;
	return d;
}

void domain_put(struct domain *d)
{
	assert_true(d->references);
	d->references--;
}

static int let_go;	/* how often something that may have kept a dead domain went */

slow_path void domain_let_go(void)
{
	let_go++;
}

u64 *hv_l1e(u64 va)
{
	for (int d = 0; d < DOMAINS; d++)
		for (int v = 0; v < VCPUS; v++)
			if (va - vcpu_window(vcpus[d][v]) < VCPU_WINDOW_SIZE)
				return &window_l1e[d][v][va % VCPU_WINDOW_SIZE / 4096];
	return NULL;
}

int map_hv_page(u64 va, maddr_t m, u64 flags)
{
	*hv_l1e(va) = m | flags;
	return 0;
}

void unmap_hv_page(u64 va)
{
	*hv_l1e(va) = 0;
}

void load_ldt(struct cpu *c, u64 base, unsigned entries) { }

/* A page of a device's that domain 0 may only read. */
static mfn_t readonly_page = INVALID_MFN;
bool msix_page(mfn_t mfn) { return mfn == readonly_page; }

static u8 guest_code[16];

unsigned guest_fetch(u64 rip, u8 *bytes)
{
	memcpy(bytes, guest_code, sizeof(guest_code));
	return INSN_MAX;
}

#include "../../hypervisor/emulate/decode.c"
#include "../../hypervisor/emulate/store.c"
#include "../../hypervisor/mm/alloc.c"
#include "../../hypervisor/mm/frames.c"
#include "../../hypervisor/mm/pv_mmu.c"
#include "../../hypervisor/mm/mmuext.c"
#include "../../hypervisor/mm/ptwr.c"
#include "../../hypervisor/mm/segdesc.c"
#define exchange exchange_of_frames
#include "../../hypervisor/mm/reservation.c"
#undef exchange

#endif
