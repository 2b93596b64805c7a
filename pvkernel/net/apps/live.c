/* SPDX-License-Identifier: MIT */
/* Pages that a domain makes about itself, at the moment at which it is asked. */
#include "bench.h"
#include "block.h"
#include "boot.h"
#include "exits.h"
#include "gnttab.h"
#include "../stack/interface.h"
#include "lib.h"
#include "mm.h"
#include "mutex.h"
#include "rings.h"
#include "text.h"
#include "time.h"
#include "xenstore.h"

#include <lwip/stats.h>

#define RINGS_SHOWN 64

static void head(struct text *t, const char *title)
{
	char name[64];

	if (boot.native || xs_read(XS_NO_TX, "name", name, sizeof(name)) <= 0)
		snprintf(name, sizeof(name), "pvkernel");
	text_add(t, "<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'><title>%s: %s</title><style>"
		 "body{font:15px sans-serif;max-width:52em;margin:2em auto;color:#222}table{border-collapse:collapse;margin:.5em 0 1.5em}"
		 "td,th{padding:.15em 1em .15em 0;text-align:right;border-bottom:1px solid #ddd}td:first-child,th:first-child{text-align:left}"
		 "</style></head><body><h1>%s: %s</h1><p><a href='/'>index</a> <a href='/live'>state</a> <a href='/live/chart'>chart</a></p>\n",
		 name, title, name, title);
}

static void tail(struct text *t)
{
	text_add(t, "</body></html>\n");
}

static void row(struct text *t, const char *what, u64 value)
{
	text_add(t, "<tr><td>%s</td><td>%lu</td></tr>\n", what, value);
}

static void exits_table(struct text *t)
{
	u64 count[PARAVANE_COUNTERS];

	text_add(t, "<h2>Exits to the hypervisor</h2>\n");
	if (!exits_read(count)) {
		text_add(t, "<p>This hypervisor does not tell.</p>\n");
		return;
	}
	text_add(t, "<table>\n");
	for (unsigned int i = 0; i < PARAVANE_COUNTERS; i++)
		if (exits_name(i))
			row(t, exits_name(i), count[i]);
	text_add(t, "</table>\n");
}

static void memory_table(struct text *t)
{
	text_add(t, "<h2>Memory</h2><table>\n");
	row(t, "pages", boot.nr_pages);
	row(t, "pages free", pages_free());
	row(t, "heap in use, bytes", heap_used());
	row(t, "arena in use, pages", arena_used());
	row(t, "grant references free", gnttab_free_refs());
	row(t, "granted pages that the other end keeps", gnttab_deferred());
	row(t, "up, seconds", now() / NSEC_PER_SEC);
	text_add(t, "</table>\n");
}

static void interface_rows(struct text *t, const struct net_device *d)
{
	text_add(t, "<tr><td>%s, received</td><td>%lu</td><td>%lu</td><td>%lu</td></tr>\n<tr><td>%s, sent</td><td>%lu</td><td>%lu</td><td>%lu</td></tr>\n",
		 d->name, d->rx_packets, d->rx_bytes, d->rx_dropped, d->name, d->tx_packets, d->tx_bytes, d->tx_dropped);
}

static void network_tables(struct text *t)
{
	text_add(t, "<h2>Network</h2><table><tr><th></th><th>packets</th><th>bytes</th><th>dropped</th></tr>\n");
	stack_lock();
	list_for_each(node, &interfaces)
		interface_rows(t, list_entry(node, struct interface, node)->device);
	stack_unlock();
	text_add(t, "</table><table><tr><th></th><th>received</th><th>sent</th><th>dropped</th></tr>\n");
#define PROTOCOL(name, s) \
	text_add(t, "<tr><td>%s</td><td>%u</td><td>%u</td><td>%u</td></tr>\n", name, (u32)(s).recv, (u32)(s).xmit, (u32)(s).drop)
	PROTOCOL("IPv4", lwip_stats.ip);
	PROTOCOL("IPv6", lwip_stats.ip6);
	PROTOCOL("ICMP", lwip_stats.icmp);
	PROTOCOL("TCP", lwip_stats.tcp);
	PROTOCOL("UDP", lwip_stats.udp);
#undef PROTOCOL
	text_add(t, "</table>\n");
}

static void disks_table(struct text *t)
{
	struct block_device *d = NULL;

	text_add(t, "<h2>Disks</h2><table><tr><th></th><th>MiB</th></tr>\n");
	while ((d = block_next(d)))
		text_add(t, "<tr><td>%s%s</td><td>%lu</td></tr>\n", d->name, d->readonly ? ", read-only" : "", d->sectors >> (20 - SECTOR_SHIFT));
	text_add(t, "</table>\n");
}

static void rings_table(struct text *t)
{
	struct ring_view *views = kmalloc(RINGS_SHOWN * sizeof(*views));
	u32 n = views ? rings_read(views, RINGS_SHOWN) : 0;

	text_add(t, "<h2>Rings</h2><table><tr><th></th><th>entries</th><th>requests</th><th>responses</th><th>waiting</th><th>held off</th></tr>\n");
	for (u32 i = 0; i < n; i++) {
		const struct ring_view *v = &views[i];

		text_add(t, "<tr><td>%s</td><td>%u</td><td>%u</td><td>%u</td><td>%u</td><td>%lu</td></tr>\n", v->name, v->entries, v->requests,
			 v->responses, v->requests - v->responses, v->held_off);
	}
	text_add(t, "</table>\n");
	kfree(views);
}

void live_page(struct text *t)
{
	head(t, "state");
	exits_table(t);
	memory_table(t);
	network_tables(t);
	disks_table(t);
	rings_table(t);
	tail(t);
}

/* --- the same operation by hypercall and by trap --- */

static const struct pair {
	const char *label, *hypercall, *trap;
} pairs[] = {
	{ "page-table entry", "mmu_update_1_flags", "ptwr_flags" },
	{ "the same CR3 again", "mmuext_new_baseptr_same", "pi_mov_to_cr3_same" },
	{ "FS base", "hc_set_segment_base_fs", "pi_wrmsr_fsbase" },
	{ "CR0.TS on and off", "hc_fpu_taskswitch_toggle_each", "pi_mov_to_cr0_ts_toggle_each" },
	{ "read a debug register", "hc_get_debugreg", "pi_mov_from_dr7" },
	{ "write a debug register", "hc_set_debugreg", "pi_mov_to_dr0" },
	{ "the least of its kind", "hc_unknown_nr", "pi_wbinvd" },
};

/* Who loads the page again and again does not keep the domain busy with it. */
static void measured(struct bar *bars)
{
	static struct bar kept[ARRAY_SIZE(pairs)];
	static struct mutex lock = MUTEX_INIT(lock);
	static u64 when;

	mutex_lock(&lock);
	if (!when || now() - when > 10 * NSEC_PER_SEC) {
		for (u32 i = 0; i < ARRAY_SIZE(pairs); i++)
			kept[i] = (struct bar){ pairs[i].label, { bench_quick(pairs[i].hypercall), bench_quick(pairs[i].trap) } };
		when = now();
	}
	memcpy(bars, kept, sizeof(kept));
	mutex_unlock(&lock);
}

void live_chart_page(struct text *t)
{
	static const char *series[2] = { "hypercall", "instruction that traps" };
	struct bar bars[ARRAY_SIZE(pairs)];

	measured(bars);
	head(t, "what an operation costs");
	text_add(t, "<p>The same operations, asked for by a hypercall and done by the bare instruction, which traps and is emulated; measured in this "
		 "domain within the last ten seconds, in ticks of the TSC: executed instructions when QEMU runs with -icount shift=0.</p>\n");
	chart_bars(t, series, bars, ARRAY_SIZE(bars));
	tail(t);
}
