/* SPDX-License-Identifier: MIT */
/*
 * The command `bench`. For each operation: rounds to warm up, then several batches, of which the least
 * counts, since a timer interrupt can only add. Upcalls stay masked, the timer stays off.
 *
 *	bench NAME COST [cr3 N flush N fault N]
 *
 * one line each, per operation; the counts only where the hypervisor tells. tools/bench reads these lines.
 */
#include <abi/event_channel.h>
#include <abi/physdev.h>
#include <abi/xen.h>

#include "bench.h"
#include "boot.h"
#include "exits.h"
#include "hypercall.h"
#include "insn.h"
#include "lib.h"
#include "mm.h"
#include "ops.h"
#include "shell.h"
#include "time.h"
#include "traps.h"

#define WARM_UP 252

static unsigned int batches = 7, rounds = 1000;

static const struct bench_group *const groups[] = {
	&bench_calls, &bench_instructions, &bench_mmu, &bench_exceptions, &bench_events, &bench_grants, &bench_switch,
	&bench_timers,
};

/* --- what groups use -------------------------------------------------------------------------------- */

#define MAX_PAGES 512

static u64 pages[MAX_PAGES];
static unsigned int nr_pages;

void *bench_page(void)
{
	u64 pfn = page_alloc();

	if (pfn == NO_PAGE || nr_pages == MAX_PAGES)
		panic("no memory for the bench");
	pages[nr_pages++] = pfn;
	memset(pfn_to_virt(pfn), 0, PAGE_SIZE);
	return pfn_to_virt(pfn);
}

static void free_pages(void)
{
	while (nr_pages) {
		u64 pfn = pages[--nr_pages];

		page_protect(pfn, PROT_WRITE);
		page_free(pfn);
	}
}

void bench_check(const char *what, long err)
{
	if (err)
		panic("bench: %s: %ld", what, err);
}

struct gate {
	u16 offset0, selector, type;
	u16 offset1;
	u32 offset2, reserved;
};

static struct {
	struct gate *gate, old;
} changed[4];
static unsigned int nr_changed;

static void native_handler(unsigned int vector, u64 entry)
{
	struct { u16 limit; u64 base; } __attribute__((packed)) idtr;
	struct gate *g;

	__asm__ volatile("sidt %0" : "=m"(idtr));
	g = (struct gate *)idtr.base + vector;
	ASSERT((vector + 1) * sizeof(*g) - 1 <= idtr.limit && nr_changed < ARRAY_SIZE(changed));
	changed[nr_changed].gate = g;
	changed[nr_changed++].old = *g;
	g->offset0 = entry;
	g->offset1 = entry >> 16;
	g->offset2 = entry >> 32;
}

void bench_handler(unsigned int vector, const char *pv, const char *native)
{
	struct trap_info table[2] = {
		{ .vector = vector, .flags = TI_MASK_EVENTS | 3, .cs = FLAT_KERNEL_CS, .address = (u64)pv },
	};

	if (boot.native)
		native_handler(vector, (u64)native);
	else
		bench_check("set_trap_table", HYPERVISOR_set_trap_table(table));
}

void bench_handlers_end(void)
{
	if (!boot.native)
		traps_init();
	while (nr_changed) {
		nr_changed--;
		*changed[nr_changed].gate = changed[nr_changed].old;
	}
}

/* --- measuring ----------------------------------------------------------------------------------------- */

static u64 batch(bench_loop_t loop, u64 n, const u64 *arg)
{
	u64 start = rdtsc(), part = loop(n, arg), whole = rdtsc() - start;

	return part ? part : whole;
}

static u64 least(bench_loop_t loop, u64 n, const u64 *arg)
{
	u64 best = ~0ul;

	batch(loop, MIN(n, WARM_UP), arg);
	for (unsigned int i = 0; i < batches; i++) {
		u64 t = batch(loop, n, arg);

		best = MIN(best, t);
	}
	return best;
}

/* In hundredths, rounded. */
static void print_fixed(const char *name, u64 sum, u64 n)
{
	u64 hundredths = (sum * 100 + n / 2) / n;

	printf(" %s %lu.%02lu", name, hundredths / 100, hundredths % 100);
}

static void print_counts(const struct bench *b, u64 n, const u64 *arg)
{
	static const struct {
		const char *name;
		unsigned int index;
	} shown[] = { { "cr3", PARAVANE_COUNT_cr3_loads }, { "flush", PARAVANE_COUNT_tlb_flushes }, { "fault", PARAVANE_COUNT_page_faults } };
	u64 before[PARAVANE_COUNTERS], after[PARAVANE_COUNTERS];

	if (!exits_read(before))
		return;
	b->loop(n, arg);
	exits_read(after);
	for (unsigned int i = 0; i < ARRAY_SIZE(shown); i++)
		print_fixed(shown[i].name, after[shown[i].index] - before[shown[i].index], n * b->ops);
}

/* Ticks of n rounds, n being what batches go by. */
static u64 measure_rounds(const struct bench *b, u64 n, const u64 *arg)
{
	static const u64 no_arg[BENCH_ARGS];
	u64 nothing = least(b->empty ? b->empty : loop_empty, n, no_arg);
	u64 cost = least(boot.native ? b->native : b->loop, n, arg);

	return cost - MIN(cost, nothing);
}

static u64 measure(const struct bench *b, bool print)
{
	u64 n = MAX(rounds / MAX(b->divide, 1u), 1u), arg[BENCH_ARGS] = { 0 }, cost;

	if (b->prepare)
		b->prepare(arg);
	cost = measure_rounds(b, n, arg);
	if (print) {
		printf("bench %s", b->name);
		print_fixed("cost", cost, n * b->ops);
		print_counts(b, n, arg);
		printf("\n");
	}
	if (b->finish)
		b->finish();
	free_pages();
	return cost * 100 / (n * b->ops);
}

/* --- the command ------------------------------------------------------------------------------------------ */

static bool begins(const char *s, const char *with)
{
	return !strncmp(s, with, strlen(with));
}

static bool wanted(const struct bench *b, const char *prefix)
{
	return (boot.native ? b->native : b->loop) && begins(b->name, prefix);
}

static unsigned int run_group(const struct bench_group *g, const char *prefix)
{
	unsigned int done = 0;

	for (unsigned int i = 0; i < g->count; i++) {
		if (!wanted(&g->list[i], prefix))
			continue;
		if (!done++) {
			printf("%s\n", g->title);
			if (g->begin)
				g->begin();
		}
		measure(&g->list[i], true);
	}
	if (done && g->end)
		g->end();
	return done;
}

static void set_iopl(u32 level)
{
	struct physdev_set_iopl iopl = { level };

	bench_check("set_iopl", HYPERVISOR_physdev_op(PHYSDEVOP_set_iopl, &iopl));
}

/* Everything is masked and the timer off until bench_end(), which gets what this returns. */
static bool bench_begin(bool quick)
{
	bool irq = irq_save();

	batches = quick ? 2 : 7;
	rounds = quick ? 20 : 1000;
	cpu->set_timer(0);
	if (!boot.native) {
		set_iopl(1);
		bench_check("vm_assist", HYPERVISOR_vm_assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables));
	}
	return irq;
}

static void bench_end(bool irq)
{
	if (!boot.native && cpu != &ops_trap) {
		set_iopl(0);
		HYPERVISOR_vm_assist(VMASST_CMD_disable, VMASST_TYPE_writable_pagetables);
	}
	timer_reprogram();
	irq_restore(irq);
}

u64 bench_quick(const char *name)
{
	bool irq = bench_begin(true);
	u64 cost = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(groups); i++) {
		for (unsigned int j = 0; j < groups[i]->count; j++) {
			const struct bench *b = &groups[i]->list[j];

			if (strcmp(b->name, name) || !wanted(b, name))
				continue;
			if (groups[i]->begin)
				groups[i]->begin();
			cost = measure(b, false);
			if (groups[i]->end)
				groups[i]->end();
		}
	}
	bench_end(irq);
	return cost;
}

static int cmd_bench(int argc, char **argv)
{
	bool quick = argc > 1 && begins(argv[1], "quick"), irq;
	const char *prefix = argc > 1 + quick ? argv[1 + quick] : "";
	unsigned int done = 0;

	printf("bench-entry %lu\n", boot.entry_tsc);
	irq = bench_begin(quick);
	for (unsigned int i = 0; i < ARRAY_SIZE(groups); i++)
		done += run_group(groups[i], prefix);
	bench_end(irq);
	printf("bench: %u operations, in TSC ticks each\n", done);
	return done == 0;
}
COMMAND(bench, cmd_bench, "[quick] [PREFIX]: what operations cost, all or those whose name begins so");
