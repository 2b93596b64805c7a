/* SPDX-License-Identifier: MIT */
/*
 * `storm`: as many events, ports or lines as we are let, at full speed. What it sends to others are events on
 * channels that they share with us anyway: console and xenstore; and to ourselves, through a channel whose both
 * ends are ours.
 */
#include <abi/event_channel.h>

#include "boot.h"
#include "evtchn.h"
#include "hypercall.h"
#include "lib.h"
#include "peer.h"
#include "shell.h"
#include "time.h"

static void seen(void *count)
{
	++*(u64 *)count;
}

static void send_all(u32 own, u64 *sent)
{
	if (!boot.initial_domain) {
		evtchn_send(boot.start_info->store_evtchn);
		evtchn_send(boot.start_info->console.domU.evtchn);
		*sent += 2;
	}
	evtchn_send(own);
	++*sent;
}

static int storm_events(u64 end)
{
	u64 sent = 0, received = 0;
	int from = evtchn_alloc_unbound(DOMID_SELF, seen, &received);
	int to = from > 0 ? evtchn_bind_interdomain(DOMID_SELF, from, seen, &received) : from;

	if (from > 0 && to > 0) {
		while (now() < end)
			send_all(to, &sent);
		evtchn_close(to);
	}
	if (from > 0)
		evtchn_close(from);
	printf("storm: %lu events sent, %lu came to ourselves\n", sent, received);
	return !sent;
}

/* To the port with which `pingpong serve` answers us: each event makes the other send one. */
static int storm_peer(const char *name, u64 end)
{
	int domid = peer_find(name), port;
	u64 sent = 0, received = 0, remote;
	char text[12];

	if (domid < 0 || peer_read(domid, "pingpong", text, sizeof(text)) < 0 || !parse_u64(text, &remote)) {
		printf("storm: %s does not answer events\n", name);
		return 1;
	}
	port = evtchn_bind_interdomain(domid, remote, seen, &received);
	for (; port > 0 && now() < end; sent++)
		evtchn_send(port);
	if (port > 0)
		evtchn_close(port);
	printf("storm: %lu events sent to %s, %lu came back\n", sent, name, received);
	return !sent;
}

static u32 own_ports[EVTCHN_2L_NR_CHANNELS];

/* Until there are no more, or it is time; how many. */
static u32 make_ports(u64 end, long *err)
{
	struct evtchn_alloc_unbound op = { .dom = DOMID_SELF };
	u32 n = 0;

	while (n < ARRAY_SIZE(own_ports) && now() < end) {
		*err = HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &op);
		if (*err)
			break;
		own_ports[n++] = op.port;
	}
	return n;
}

/* All ports that there are, then none, again and again. */
static int storm_ports(u64 end)
{
	u64 made = 0, most = 0;
	long refused = 0;

	while (now() < end) {
		long err = 0;
		u32 n = make_ports(end, &err);

		refused = err ? err : refused;
		made += n;
		most = MAX(most, n);
		while (n)
			evtchn_close(own_ports[--n]);
	}
	printf("storm: %lu ports made, at most %lu at once, then error %ld\n", made, most, refused);
	return !made;
}

static int storm_console(u64 end)
{
	u64 lines = 0;

	while (now() < end)
		printf("storm: line %lu of many, each of which somebody has to take from us\n", ++lines);
	printf("storm: %lu lines\n", lines);
	return 0;
}

static int cmd_storm(int argc, char **argv)
{
	u64 ms = 1000;

	if (argc > 1 && (argc < 3 || parse_u64(argv[2], &ms))) {
		u64 end = now() + ms * NSEC_PER_MSEC;

		if (!strcmp(argv[1], "events"))
			return storm_events(end);
		if (!strcmp(argv[1], "ports"))
			return storm_ports(end);
		if (!strcmp(argv[1], "console"))
			return storm_console(end);
		if (!strcmp(argv[1], "peer") && argc > 3)
			return storm_peer(argv[3], end);
	}
	printf("usage: storm events|ports|console [MILLISECONDS] | storm peer MILLISECONDS NAME\n");
	return 1;
}
COMMAND(storm, cmd_storm, "events|ports|console|peer [MILLISECONDS [NAME]]: as many as we are let");
