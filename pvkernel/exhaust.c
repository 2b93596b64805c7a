/* SPDX-License-Identifier: MIT */
/*
 * `exhaust WHAT`: takes all that there is of something, says how much that was and by which error it ended, holds it for a while, and keeps
 * what only the domain's end gives back. `garbage WHAT`: random indexes in a ring that we share with domain 0, and events to make it look.
 * `ports`: how many we have.
 */
#include <abi/console.h>
#include <abi/event_channel.h>
#include <abi/grant_table.h>
#include <abi/memory.h>
#include <abi/xs_wire.h>

#include "boot.h"
#include "evtchn.h"
#include "gnttab.h"
#include "hypercall.h"
#include "lib.h"
#include "mm.h"
#include "ops.h"
#include "sched.h"
#include "shell.h"
#include "time.h"
#include "xenstore.h"
#include "xorshift.h"

/* Each takes one more, the n-th; 0 or why there is none. */

static int take_node(u64 n)
{
	char path[32];

	snprintf(path, sizeof(path), "data/exhaust/%lu", n);
	return xs_write(XS_NO_TX, path, "x");
}

static void ignore(void *unused, const char *path)
{
}

static int take_watch(u64 n)
{
	struct xs_watch *w = kmalloc(sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->fn = ignore;
	return xs_watch("data", w);
}

static int take_transaction(u64 n)
{
	u32 tx;

	return xs_transaction_start(&tx);
}

static int take_port(u64 n)
{
	struct evtchn_alloc_unbound op = { .dom = DOMID_SELF };

	return HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &op);
}

/* References are our own table's; the hypervisor's limit is how large that may become. */
static int take_grant(u64 n)
{
	u64 frames[128];
	struct gnttab_setup_table op = { .dom = DOMID_SELF, .nr_frames = n + 1, .frame_list = (u64)frames };
	int err = n < ARRAY_SIZE(frames) ? HYPERVISOR_grant_table_op(GNTTABOP_setup_table, &op, 1) : -E2BIG;

	gnttab_grant(0, virt_to_pfn(boot.start_info), false);
	return err ? err : op.status;
}

/* Our own page, granted to ourselves, as often as we are let. */
static int take_mapping(u64 n)
{
	static u32 ref;
	static u64 domid;
	struct grant_mapping m;

	if (!ref && (xs_read_u64(XS_NO_TX, "domid", &domid) < 0 || !(ref = gnttab_grant(domid, page_alloc(), false))))
		return -ENOENT;
	return gnttab_map(domid, ref, false, &m) ? 0 : -ENOSPC;
}

static int take_memory(u64 n)
{
	u64 mfn;
	struct xen_memory_reservation r = { .extent_start = (u64)&mfn, .nr_extents = 1, .domid = DOMID_SELF };

	return HYPERVISOR_memory_op(XENMEM_increase_reservation, &r) == 1 ? 0 : -ENOMEM;
}

static const struct {
	const char *name;
	int (*take)(u64 n);
} stocks[] = {
	{ "nodes", take_node }, { "watches", take_watch }, { "transactions", take_transaction }, { "ports", take_port },
	{ "grants", take_grant }, { "mappings", take_mapping }, { "memory", take_memory },
};

#define MOST 20000

static void exhaust(unsigned int i)
{
	u64 n = 0;
	int err = 0;

	while (n < MOST && !err) {
		err = stocks[i].take(n);
		n += !err;
	}
	printf("exhaust: %lu %s, then error %d\n", n, stocks[i].name, err);
}

static int cmd_exhaust(int argc, char **argv)
{
	unsigned int found = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(stocks); i++) {
		if (argc > 1 && (!strcmp(argv[1], stocks[i].name) || !strcmp(argv[1], "all"))) {
			exhaust(i);
			found++;
		}
	}
	if (!found)
		printf("usage: exhaust nodes|watches|transactions|ports|grants|mappings|memory|all\n");
	return !found;
}
COMMAND(exhaust, cmd_exhaust, "WHAT: takes all that we are let have of nodes, watches, transactions, ports, grants, mappings, memory, or all");

/* --- garbage --- */

static u64 random_word(void)
{
	static u64 x = 88172645463325252;

	return xorshift(&x);
}

/* A quarter of the words are close to what they were, so that the other end goes on with what it then finds. */
static void scribble(u32 *word)
{
	u64 r = random_word();

	WRITE_ONCE(*word, r & 3 ? r >> 32 : *word + (r >> 32 & 2047));
}

static void scribble_console(void *page)
{
	struct xencons_interface *c = page;

	for (unsigned int i = 0; i < sizeof(c->out) / 8; i++)
		((u64 *)c->out)[i] = random_word();
	scribble(random_word() & 1 ? &c->out_prod : &c->out_cons);
	scribble(random_word() & 1 ? &c->in_prod : &c->in_cons);
}

static void scribble_xenstore(void *page)
{
	struct xenstore_domain_interface *x = page;
	u32 *words[] = { &x->req_cons, &x->req_prod, &x->rsp_cons, &x->rsp_prod, &x->server_features, &x->connection, &x->error };

	for (unsigned int i = 0; i < sizeof(x->req) / 8; i++)
		((u64 *)x->req)[i] = random_word() & (i & 1 ? 0xf0000001f : 0xf0000000f);	/* often like a header */
	scribble(words[random_word() % ARRAY_SIZE(words)]);
	scribble(&x->req_prod);
}

static int cmd_garbage(int argc, char **argv)
{
	bool console = argc > 1 && !strcmp(argv[1], "console"), store = argc > 1 && !strcmp(argv[1], "xenstore");
	u64 ms = 1000, end;
	u64 pfn;

	if (boot.native || boot.initial_domain || !(console || store) || (argc > 2 && !parse_u64(argv[2], &ms))) {
		printf("usage: garbage console|xenstore [MILLISECONDS], in a guest\n");
		return 1;
	}
	pfn = mfn_to_pfn(console ? boot.start_info->console.domU.mfn : boot.start_info->store_mfn);
	for (end = now() + ms * NSEC_PER_MSEC; now() < end; ) {
		(console ? scribble_console : scribble_xenstore)(pfn_to_virt(pfn));
		evtchn_send(console ? boot.start_info->console.domU.evtchn : boot.start_info->store_evtchn);
		thread_sleep(random_word() % (20 * NSEC_PER_MSEC));
	}
	return 0;
}
COMMAND(garbage, cmd_garbage, "console|xenstore [MILLISECONDS]: random indexes and bytes in a ring");

static int cmd_ports(int argc, char **argv)
{
	u32 n = 0;

	for (u32 port = 0; port < EVTCHN_2L_NR_CHANNELS; port++) {
		struct evtchn_status s = { .dom = DOMID_SELF, .port = port };

		n += !HYPERVISOR_event_channel_op(EVTCHNOP_status, &s) && s.status != EVTCHNSTAT_closed;
	}
	printf("ports: %u in use\n", n);
	return 0;
}
COMMAND(ports, cmd_ports, "how many event channels are in use");
