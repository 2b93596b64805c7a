/* SPDX-License-Identifier: MIT */
/*
 * Grants on the host: their own files, with three domains around them. Frames are counted as mm/ counts them, but no more; each domain
 * has one L1 table, whose first entries map the pages from WINDOW on. Two CPUs may run as fibers, which change places
 * wherever real ones could interleave in a way that matters.
 */
#ifndef GRANT_HOST_H
#define GRANT_HOST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <ucontext.h>
#include <cmocka.h>

#include <layout.h>
#include <string.h>
#include <types.h>

static void yield(void);
#undef READ_ONCE
#define READ_ONCE(x) ({ __typeof__(x) read_ = *(const volatile __typeof__(x) *)&(x); yield(); read_; })

/* --- two CPUs ------------------------------------------------------------------------------------------------------- */

#define CPUS 2

static u64 random_state = 88172645463325252ull;
static int host_cpu;
static bool interleaving;
static ucontext_t scheduler, fiber[CPUS];
static void (*fiber_work)(void);
static bool fiber_runs[CPUS];

static u32 rnd(u32 n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 11) % n;
}

static void leave_fiber(void)
{
	int self = host_cpu;

	swapcontext(&fiber[self], &scheduler);
	host_cpu = self;
}

static void yield(void)
{
	if (interleaving && !rnd(4))
		leave_fiber();
}

static void fiber_main(void)
{
	fiber_work();
	fiber_runs[host_cpu] = false;
	leave_fiber();
}

static void fiber_create(int i, void *stack, size_t size)
{
	getcontext(&fiber[i]);
	fiber[i].uc_stack.ss_sp = stack;
	fiber[i].uc_stack.ss_size = size;
	makecontext(&fiber[i], fiber_main, 0);
	fiber_runs[i] = true;
}

static void run_on_cpus(void (*work)(void))
{
	static u8 stacks[CPUS][0x40000];

	fiber_work = work;
	interleaving = true;
	for (int i = 0; i < CPUS; i++)
		fiber_create(i, stacks[i], sizeof(stacks[i]));
	while (fiber_runs[0] || fiber_runs[1]) {
		host_cpu = rnd(CPUS);
		if (fiber_runs[host_cpu])
			swapcontext(&scheduler, &fiber[host_cpu]);
	}
	interleaving = false;
	host_cpu = 0;
}

/* --- in place of headers -------------------------------------------------------------------------------------------- */

#define PARAVANE_SPINLOCK_H
struct spinlock {
	bool held;
};
static int locks_held[CPUS];

static inline void spin_lock(struct spinlock *l)
{
	yield();
	while (l->held) {
		assert_true(interleaving);
		leave_fiber();
	}
	l->held = true;
	assert_int_equal(locks_held[host_cpu]++, 0);
}

static inline void spin_unlock(struct spinlock *l)
{
	assert_true(l->held);
	l->held = false;
	locks_held[host_cpu]--;
	yield();
}

/* A guest's pointers are the host's; the first page faults. */
#define PARAVANE_UACCESS_H
static inline bool guest_address_ok(u64 address) { return true; }
static inline bool guest_range_ok(u64 address, u64 bytes) { return true; }
static inline void user_access_begin(void) { assert_int_equal(locks_held[host_cpu], 0); }
static inline void user_access_end(void) { }
#define raw_get_u64(x, at, label) do { if ((u64)(at) < PAGE_SIZE) goto label; (x) = *(u64 *)(at); } while (0)
#define raw_get_u32(x, at, label) do { if ((u64)(at) < PAGE_SIZE) goto label; (x) = *(u32 *)(at); } while (0)
#define raw_put_u64(x, at, label) do { if ((u64)(at) < PAGE_SIZE) goto label; *(u64 *)(at) = (x); } while (0)
#define raw_put_u32(x, at, label) do { if ((u64)(at) < PAGE_SIZE) goto label; *(u32 *)(at) = (x); } while (0)
#define raw_put_u16(x, at, label) do { if ((u64)(at) < PAGE_SIZE) goto label; *(u16 *)(at) = (x); } while (0)
static inline int put_guest_u64(u64 x, u64 at) { return at < PAGE_SIZE ? -EFAULT : (*(u64 *)at = x, 0); }
static inline int copy_from_guest(void *to, u64 at, size_t n) { return at < PAGE_SIZE ? -EFAULT : (memcpy(to, (void *)at, n), 0); }
static inline int copy_to_guest(u64 at, const void *from, size_t n) { return at < PAGE_SIZE ? -EFAULT : (memcpy((void *)at, from, n), 0); }

#define PARAVANE_ASM_H
#define PARAVANE_FRAMES_H
#include <vcpu.h>
#include <domain.h>

#define FRAMES 512
#define DOMAINS 3
#define DOMAIN_FRAMES 6
#define WINDOW 0x10000000ull
#define SLOTS 12

struct frame {
	u32 count;
	u16 owner;
	bool is_table;		/* it cannot be written */
	bool hypervisors;
	u32 writers;
};

static u8 host_memory[FRAMES][PAGE_SIZE] __attribute__((aligned(2 * PAGE_SIZE)));
static struct frame host_frame[FRAMES];
static const mfn_t max_mfn = FRAMES;
static u64 flushes;

static inline struct frame *mfn_to_frame(mfn_t mfn) { return &host_frame[mfn]; }
static inline void *mfn_to_virt(mfn_t mfn) { return host_memory[mfn]; }
static inline void *maddr_to_virt(maddr_t m) { return &host_memory[m >> PAGE_SHIFT][m % PAGE_SIZE]; }
static inline mfn_t virt_to_mfn(const void *p) { return ((const u8 *)p - host_memory[0]) / PAGE_SIZE; }

static inline bool cas64(u64 *p, u64 *old, u64 new)
{
	yield();
	return __atomic_compare_exchange_n(p, old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

static inline bool get_frame(mfn_t mfn, domid_t owner)
{
	yield();
	if (mfn >= FRAMES || !host_frame[mfn].count || host_frame[mfn].owner != owner)
		return false;
	host_frame[mfn].count++;
	return true;
}

static inline void put_frame(mfn_t mfn)
{
	yield();
	assert_true(host_frame[mfn].count > 0);
	host_frame[mfn].count--;
	assert_true(host_frame[mfn].count || !host_frame[mfn].writers);
}

static inline bool get_writable(mfn_t mfn)
{
	yield();
	if (host_frame[mfn].is_table)
		return false;
	host_frame[mfn].writers++;
	return true;
}

static inline void put_writable(mfn_t mfn)
{
	yield();
	assert_true(host_frame[mfn].writers > 0);
	host_frame[mfn].writers--;
}

static inline void *alloc_pages(int order)
{
	for (mfn_t m = 2; m + (1 << order) <= FRAMES; m += 1 << order) {
		bool used = host_frame[m].count || (order && host_frame[m + 1].count);

		if (used)
			continue;
		for (mfn_t i = m; i < m + (1 << order); i++)
			host_frame[i] = (struct frame) { .count = 1, .owner = 0xffff, .hypervisors = true };
		return memset(mfn_to_virt(m), 0, PAGE_SIZE << order);
	}
	return NULL;
}

static inline void free_pages(void *p, int order)
{
	for (mfn_t m = virt_to_mfn(p); m < virt_to_mfn(p) + (1 << order); m++) {
		assert_true(host_frame[m].hypervisors && host_frame[m].count == 1);
		host_frame[m].count = 0;
	}
}

static inline void *alloc_page(void) { return alloc_pages(0); }
static inline void free_page(void *p) { free_pages(p, 0); }

static inline mfn_t share_frame_with(struct domain *d, void *page)
{
	host_frame[virt_to_mfn(page)] = (struct frame) { .count = 1, .owner = d->id, .writers = 1 };
	return virt_to_mfn(page);
}

static inline void unshare_frame(struct domain *d, void *page)
{
	put_writable(virt_to_mfn(page));
	put_frame(virt_to_mfn(page));
}

static inline bool take_domain_frame(struct domain *d, mfn_t mfn)
{
	if (mfn >= FRAMES || host_frame[mfn].count != 1 || host_frame[mfn].owner != d->id || host_frame[mfn].writers)
		return false;
	host_frame[mfn].owner = 0xffff;
	return true;
}

static inline bool give_taken_frame(struct domain *d, mfn_t mfn)
{
	host_frame[mfn].owner = d->id;
	return true;
}

static inline void free_taken_frame(mfn_t mfn) { host_frame[mfn].count = 0; }

#define PARAVANE_PTE_H
#include <abi/mmu.h>
static mfn_t l1_table[DOMAINS];

static inline mfn_t pte_mfn(u64 pte) { return pte << 12 >> 24; }
static inline u64 l1_adjust(u64 pte) { return pte; }
static inline bool is_l1_of(struct domain *d, mfn_t mfn) { return mfn == l1_table[d->id]; }

static inline u64 *find_l1e(struct domain *d, u64 va)
{
	return va - WINDOW < SLOTS * PAGE_SIZE ? (u64 *)mfn_to_virt(l1_table[d->id]) + (va - WINDOW) / PAGE_SIZE : NULL;
}

static inline void put_l1e(struct domain *d, u64 pte)
{
	if (pte & PTE_RW)
		put_writable(pte_mfn(pte));
	put_frame(pte_mfn(pte));
}

/* --- the domains ------------------------------------------------------------------------------------------------------- */

#undef current
#define current NULL
static struct domain host_domain[DOMAINS];
static bool known[DOMAINS], let_go;	/* let_go: the last claim of some dead domain has gone */
static struct domain *caller[CPUS];

void preempt_point(void) { assert_int_equal(locks_held[host_cpu], 0); yield(); }
bool batch_point(void) { preempt_point(); return false; }
u32 trace_mask;
void trace_event(u32 event, u32 word) { }
void flush_tlb_local(void) { flushes++; }
void domain_let_go(void) { let_go = true; }
void flush_domain_tlb(struct domain *d);
void flush_domain_tlb(struct domain *d) { flushes++; }


struct domain *domain_find(domid_t id)
{
	if (id == DOMID_SELF)
		return caller[host_cpu];
	return id < DOMAINS && known[id] ? &host_domain[id] : NULL;
}

#include "../../hypervisor/ipc/grant_claim.c"
#include "../../hypervisor/ipc/grant_map.c"
#include "../../hypervisor/ipc/grant_copy.c"
#include "../../hypervisor/ipc/grant_table.c"
#include "../../hypervisor/ipc/grant_transfer.c"
#include "../../hypervisor/ipc/grant.c"

static struct vcpu host_vcpu[DOMAINS];
static mfn_t own_frame[DOMAINS][DOMAIN_FRAMES];	/* the last one is a page table */

static void domain_begin(int i)
{
	struct domain *d = &host_domain[i];

	memset(d, 0, sizeof(*d));
	d->id = i;
	d->privileged = i == 0;
	d->vcpu_count = 1 + (i == 1);
	host_vcpu[i].domain = d;
	for (int n = 0; n < DOMAIN_FRAMES; n++) {
		own_frame[i][n] = virt_to_mfn(alloc_page());
		host_frame[own_frame[i][n]] = (struct frame) { .count = 1, .owner = i, .is_table = n == DOMAIN_FRAMES - 1 };
		memset(mfn_to_virt(own_frame[i][n]), 0x10 * i + n, PAGE_SIZE);
	}
	l1_table[i] = own_frame[i][DOMAIN_FRAMES - 1];
	memset(mfn_to_virt(l1_table[i]), 0, PAGE_SIZE);
	assert_int_equal(grant_init(d), 0);
	known[i] = true;
}

static u64 *slot(int d, int n) { return (u64 *)mfn_to_virt(l1_table[d]) + n; }

static long op(int d, u32 cmd, void *list, u32 count)
{
	long result;

	caller[host_cpu] = &host_domain[d];
	result = do_grant_table_op(cmd, (u64)list, count, 0, 0, &host_vcpu[d]);

	assert_int_equal(locks_held[host_cpu], 0);
	return result;
}

#endif
