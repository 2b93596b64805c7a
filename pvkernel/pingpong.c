/* SPDX-License-Identifier: MIT */
/*
 * What it costs to wake another domain. One side serves: it has a port whose number is in xenstore, and its handler
 * sends every event back. The other binds to it, sends, blocks until the answer comes, and counts ticks of the TSC,
 * which are executed instructions under QEMU's -icount shift=0. On one CPU a round is two sends, two upcalls and
 * two switches between the domains. `yield` in two domains on one CPU at once is a switch and nothing else.
 */
#include <abi/errno.h>
#include <abi/sched.h>

#include "evtchn.h"
#include "exits.h"
#include "histogram.h"
#include "hypercall.h"
#include "insn.h"
#include "lib.h"
#include "ops.h"
#include "peer.h"
#include "shell.h"
#include "time.h"

#define KEY "pingpong"
#define WARM_UP 10
#define PATIENCE (5 * NSEC_PER_SEC)

/* What this domain's part was, per round: tools/bench adds the other's, which is the same. */
static void print_counts(const char *what, const u64 *before, const u64 *after, u64 n)
{
	static const u8 index[] = { PARAVANE_COUNT_cr3_loads, PARAVANE_COUNT_tlb_flushes, PARAVANE_COUNT_page_faults };
	u64 each[3];

	for (unsigned int i = 0; i < 3; i++)
		each[i] = ((after[index[i]] - before[index[i]]) * 100 + n / 2) / n;
	printf("%s: here cr3 %lu.%02lu flush %lu.%02lu fault %lu.%02lu\n", what, each[0] / 100, each[0] % 100, each[1] / 100,
	       each[1] % 100, each[2] / 100, each[2] % 100);
}

/* --- the side that answers --- */

static u32 server_port;

static void send_back(void *unused)
{
	evtchn_send(server_port);
}

static int serve(u16 peer)
{
	char text[12];
	int port, err;

	if (server_port)
		evtchn_close(server_port);
	port = evtchn_alloc_unbound(peer, send_back, NULL);
	if (port < 0)
		return port;
	server_port = port;
	snprintf(text, sizeof(text), "%u", server_port);
	err = peer_publish(peer, KEY, text);
	if (!err)
		printf("pingpong: port %u answers domain %u\n", server_port, peer);
	return err;
}

/* --- the side that counts --- */

static bool answered;

static void answer(void *unused)
{
	answered = true;
}

static void nothing(void *unused)
{
}

/* Ticks of one round; 0: no answer. Interrupts are disabled, but while the CPU waits. */
static u64 one_round(u32 port, u64 end)
{
	u64 start = rdtsc();

	answered = false;
	evtchn_send(port);
	while (!answered) {
		if (now() > end)
			return 0;
		cpu->halt();
		cpu->irq_disable();
	}
	return rdtsc() - start;
}

static int measure(u32 port, u64 rounds)
{
	struct timer limit = { .fn = nothing };
	struct histogram times = { 0 };
	u64 end = now() + PATIENCE, ticks = 1, before[PARAVANE_COUNTERS], after[PARAVANE_COUNTERS];
	bool irq = irq_save(), counted;

	timer_add(&limit, end + NSEC_PER_MSEC);
	for (u64 i = 0; i < WARM_UP && ticks; i++)
		ticks = one_round(port, end);
	counted = exits_read(before);
	while (times.count < rounds && ticks) {
		ticks = one_round(port, end);
		if (ticks)
			histogram_add(&times, ticks);
	}
	exits_read(after);
	timer_cancel(&limit);
	irq_restore(irq);
	histogram_print(&times, "pingpong", "ticks a round");
	if (counted)
		print_counts("pingpong", before, after, rounds);
	printf("pingpong: done\n");
	return times.count == rounds ? 0 : -ETIMEDOUT;
}

static int play(const char *name, u64 rounds)
{
	int domid = peer_find(name), n, port, err;
	char text[12];
	u64 remote;

	if (domid < 0)
		return domid;
	n = peer_read(domid, KEY, text, sizeof(text));
	if (n < 0 || !parse_u64(text, &remote))
		return n < 0 ? n : -EINVAL;
	port = evtchn_bind_interdomain(domid, remote, answer, NULL);
	if (port < 0)
		return port;
	err = measure(port, rounds);
	evtchn_close(port);
	return err;
}

static int cmd_pingpong(int argc, char **argv)
{
	bool serves = argc > 1 && !strcmp(argv[1], "serve");
	u64 n = 0;
	int err;

	if (argc < 2 || (argc > 2 && !serves && !parse_u64(argv[2], &n))) {
		printf("usage: pingpong serve [DOMAIN] | pingpong NAME [ROUNDS]\n");
		return 1;
	}
	err = !serves ? play(argv[1], n ? n : 1000) : argc > 2 ? peer_find(argv[2]) : 0;
	if (serves && err >= 0)
		err = serve(err);
	if (err)
		printf("pingpong: error %d\n", err);
	return err;
}
COMMAND(pingpong, cmd_pingpong, "serve [DOMAIN] | NAME [ROUNDS]: events to another domain and back, in ticks");

static int cmd_yield(int argc, char **argv)
{
	u64 n = 10000, start, before[PARAVANE_COUNTERS], after[PARAVANE_COUNTERS];
	bool counted;

	if (argc > 1 && (!parse_u64(argv[1], &n) || !n)) {
		printf("usage: yield [TIMES]\n");
		return 1;
	}
	counted = exits_read(before);
	start = rdtsc();
	for (u64 i = 0; i < n; i++)
		HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
	start = rdtsc() - start;
	exits_read(after);
	printf("yield: %lu ticks each\n", start / n);
	if (counted)
		print_counts("yield", before, after, n);
	return 0;
}
COMMAND(yield, cmd_yield, "[TIMES]: gives the CPU away, in ticks each");
