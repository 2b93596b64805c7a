/* SPDX-License-Identifier: MIT */
/*
 * What domains cost, in ticks of the TSC, which are executed instructions under QEMU's -icount shift=0. A line each for
 * tools/bench, in the form of the command `bench`, counts being those of domain 0:
 *
 *	bench NAME cost N [cr3 N flush N fault N]
 *
 * A creation is all from the configuration's text until the guest can be unpaused. Then domain 0 sleeps, so that each new
 * guest has come to rest and none of its own boot is counted.
 */
#include <abi/sysctl.h>

#include "../../drivers/backend/consback.h"
#include "../include/exits.h"
#include "../include/insn.h"
#include "../include/lib.h"
#include "../include/mm.h"
#include "../include/sched.h"
#include "../include/shell.h"
#include "../include/time.h"
#include "control.h"
#include "domains.h"
#include "hypercontrol.h"
#include "options.h"
#include "ramdisk.h"

#define MESSAGE_MAX 512
#define SETTLE (100 * NSEC_PER_MSEC)
#define GROWTH_OF 10			/* so many at either end tell the growth */

/* What a stretch of work took: ticks, and this domain's counters. */
struct cost {
	u64 ticks, count[PARAVANE_COUNTERS];
	bool counted;
};

static struct cost cost_begin(void)
{
	struct cost c;

	c.counted = exits_read(c.count);
	c.ticks = rdtsc();
	return c;
}

static void cost_end(struct cost *c)
{
	u64 end = rdtsc(), after[PARAVANE_COUNTERS];

	c->ticks = end - c->ticks;
	exits_read(after);
	for (unsigned int i = 0; i < PARAVANE_COUNTERS; i++)
		c->count[i] = after[i] - c->count[i];
}

static void cost_add(struct cost *sum, const struct cost *c)
{
	sum->ticks += c->ticks;
	sum->counted = c->counted;
	for (unsigned int i = 0; i < PARAVANE_COUNTERS; i++)
		sum->count[i] += c->count[i];
}

static void print_row(const char *name, u64 value)
{
	printf("bench %s cost %lu\n", name, value);
}

static void print_cost(const char *name, const struct cost *c, u64 n)
{
	printf("bench %s cost %lu", name, c->ticks / n);
	if (c->counted)
		printf(" cr3 %lu flush %lu fault %lu", c->count[PARAVANE_COUNT_cr3_loads] / n,
		       c->count[PARAVANE_COUNT_tlb_flushes] / n, c->count[PARAVANE_COUNT_page_faults] / n);
	printf("\n");
}

/* --- one domain --- */

/* Creates it as `create -p FILE` does, under a name with its number behind; false: it has said why. */
static bool create(const struct ramdisk_file *f, u64 number, u16 *domid, struct cost *cost)
{
	struct domain_config *config = kmalloc(sizeof(*config));
	char message[MESSAGE_MAX] = "no memory";
	bool ok = false;

	*cost = cost_begin();
	if (config && config_parse(f->name, f->data, f->size, config, message, sizeof(message))) {
		size_t n = strlen(config->name);

		snprintf(config->name + n, sizeof(config->name) - n, "%lu", number);
		ok = !domains_create(config, true, domid, message, sizeof(message));
	}
	cost_end(cost);
	kfree(config);
	if (!ok)
		printf("%s, domain %lu: %s\n", f->name, number, message);
	return ok;
}

static void run(u16 domid)
{
	struct xen_domctl op;

	domctl(XEN_DOMCTL_unpausedomain, domid, &op);
}

static bool destroy(u16 domid, struct cost *cost)
{
	char message[MESSAGE_MAX];
	bool ok;

	*cost = cost_begin();
	ok = !domains_destroy(domid, message, sizeof(message));
	cost_end(cost);
	if (!ok)
		printf("domain %u: %s\n", domid, message);
	return ok;
}

static u64 free_bytes(void)
{
	struct xen_sysctl op;

	return sysctl(XEN_SYSCTL_physinfo, &op) ? 0 : op.u.physinfo.free_pages << PAGE_SHIFT;
}

static u64 memory_of(u16 domid)
{
	struct xen_domctl_getdomaininfo info;

	return domains_info(domid, &info) ? info.tot_pages << PAGE_SHIFT : 0;
}

/* --- many --- */

struct many {
	u64 count, made;
	u16 *domids;
	struct cost *made_for, destroyed;
};

static struct cost sum_of(const struct cost *list, u64 from, u64 to)
{
	struct cost sum = { 0 };

	for (u64 i = from; i < to; i++)
		cost_add(&sum, &list[i]);
	return sum;
}

static void report_many(const struct many *m, u64 used, u64 memory)
{
	u64 few = MIN(m->made / 2, (u64)GROWTH_OF);
	struct cost all = sum_of(m->made_for, 0, m->made), early = sum_of(m->made_for, 0, few),
		    late = sum_of(m->made_for, m->made - few, m->made);

	print_cost("create_tiny_first", &m->made_for[0], 1);
	print_cost("create_tiny_mean", &all, m->made);
	print_cost("create_tiny_last", &late, few);
	print_row("create_tiny_growth", late.ticks * 100 / early.ticks);
	print_cost("destroy_tiny", &m->destroyed, m->made);
	print_row("domain_bytes", (used - memory) / m->made);
}

static bool run_many(const struct ramdisk_file *f, struct many *m)
{
	u64 before = free_bytes(), used, memory = 0;
	struct cost cost;
	bool ok = true;

	while (ok && m->made < m->count) {
		ok = create(f, m->made, &m->domids[m->made], &m->made_for[m->made]);
		if (!ok)
			break;
		run(m->domids[m->made++]);
		thread_sleep(SETTLE);
	}
	used = before - free_bytes();
	for (u64 i = 0; i < m->made; i++)
		memory += memory_of(m->domids[i]);
	for (u64 i = 0; i < m->made; i++) {
		ok &= destroy(m->domids[i], &cost);
		cost_add(&m->destroyed, &cost);
	}
	if (m->made > 1)
		report_many(m, used, memory);
	return ok;
}

static int cmd_bench_domains(int argc, char **argv)
{
	const struct ramdisk_file *f = argc == 3 ? ramdisk_find(argv[1]) : NULL;
	struct many m = { 0 };
	bool ok = false;

	if (!f || !parse_u64(argv[2], &m.count) || m.count < 2 || m.count > 1000)
		return usage("bench-domains", "FILE COUNT, 2 to 1000");
	m.domids = vmalloc(m.count * sizeof(*m.domids));
	m.made_for = vmalloc(m.count * sizeof(*m.made_for));
	if (m.domids && m.made_for)
		ok = run_many(f, &m);
	vfree(m.domids);
	vfree(m.made_for);
	return !ok;
}
COMMAND_AS(bench_domains, "bench-domains", cmd_bench_domains,
	   "FILE COUNT: what creating and destroying so many domains of a configuration costs");

/* --- until its first instruction, which the guest notes: see its command `entry` --- */

static u64 entry_of(const char *name)
{
	static const char before[] = "entered at ";
	char text[2048], *at;
	int n = consback_read(name, text, sizeof(text) - 1);
	u64 tsc = 0;

	text[MAX(n, 0)] = 0;
	for (at = text; *at && strncmp(at, before, sizeof(before) - 1); at++)
		;
	for (at += *at ? sizeof(before) - 1 : 0; *at >= '0' && *at <= '9'; at++)
		tsc = tsc * 10 + *at - '0';
	return tsc;
}

static int cmd_bench_create(int argc, char **argv)
{
	const struct ramdisk_file *f = argc == 3 || argc == 4 ? ramdisk_find(argv[2]) : NULL;
	struct cost cost, end;
	char name[CONFIG_NAME_MAX];
	u64 start = rdtsc(), entry;
	u16 domid;

	if (!f)
		return usage("bench-create", "ROW FILE [ENTRY-ROW]");
	if (!create(f, 0, &domid, &cost))
		return 1;
	print_cost(argv[1], &cost, 1);
	if (argc == 4) {
		run(domid);
		thread_sleep(5 * SETTLE);
		domains_name(domid, name, sizeof(name));
		entry = entry_of(name);
		if (entry > start && entry < rdtsc())	/* Xen's guests have a TSC of their own */
			print_row(argv[3], entry - start);
	}
	return !destroy(domid, &end);
}
COMMAND_AS(bench_create, "bench-create", cmd_bench_create,
	   "ROW FILE [ENTRY-ROW]: what creating a domain costs, and until it runs, which its command `entry` tells");
