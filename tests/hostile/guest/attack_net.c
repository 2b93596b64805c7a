/* SPDX-License-Identifier: MIT */
/*
 * `attack-net`: what a guest can do to the backend of its network interface, and to the switch behind it. A packet that is only wrong is
 * answered as such; one whose end cannot be found ends the connection; nothing that claims another's address gets through.
 *
 * `attack-net die`: packets to everybody without end, for being destroyed in the middle of them. `attack-net fragments`: datagrams to everybody in
 * two parts, the latter first; whoever else gets them must get them as they were sent.
 */
#include <abi/netif.h>

#include "../../../pvkernel/include/evtchn.h"
#include "../../../pvkernel/include/gnttab.h"
#include "../../../pvkernel/include/lib.h"
#include "../../../pvkernel/include/mm.h"
#include "../../../pvkernel/include/net.h"
#include "../../../pvkernel/include/sched.h"
#include "../../../pvkernel/include/shell.h"
#include "../../../pvkernel/include/time.h"
#include "../../../pvkernel/include/xenstore.h"
#include "attack.h"

#define WHO "attack-net"
#define FRAME 1000			/* bytes of one that is good */
#define HEADERS 1000
#define STORM 4096
#define EVENTS 10000
#define FRAGMENTS 20

static struct attack a;
static struct attack_ring tx, rx;
static struct attack_page frame, readonly;
static u8 mac[6];
static int port;
static u16 ids;

/* --- a connection --- */

static bool read_mac(void)
{
	char path[96], text[24];

	snprintf(path, sizeof(path), "%s/mac", a.front);
	if (xs_read(XS_NO_TX, path, text, sizeof(text)) != 17)
		return false;
	for (u32 i = 0; i < 6; i++) {
		char digits[5] = { '0', 'x', text[3 * i], text[3 * i + 1] };
		u64 byte = 0;

		parse_u64(digits, &byte);
		mac[i] = byte;
	}
	return true;
}

static void publish_good_keys(void)
{
	attack_write(&a, "tx-ring-ref", "%u", tx.page.ref);
	attack_write(&a, "rx-ring-ref", "%u", rx.page.ref);
	attack_write(&a, "event-channel", "%d", port);
	attack_write(&a, "request-rx-copy", "1");
	attack_write(&a, "feature-sg", "1");
	attack_write(&a, "feature-gso-tcpv4", "1");
	attack_write(&a, "request-multicast-control", "1");
	attack_write(&a, "multi-queue-num-queues", "1");
}

static bool prepare(void)
{
	port = attack_port(&a);
	return port >= 0 && attack_ring_make(&a, &tx, sizeof(struct netif_tx_request)) &&
	       attack_ring_make(&a, &rx, sizeof(struct netif_rx_request)) && attack_page_make(&a, &frame, false) &&
	       attack_page_make(&a, &readonly, true);
}

static void put_away(void)
{
	evtchn_close(port);
	attack_page_end(&tx.page);
	attack_page_end(&rx.page);
	attack_page_end(&frame);
	attack_page_end(&readonly);
}

/* A broadcast of ours, of a type that nobody knows. */
static void good_frame(u8 *f)
{
	memset(f, 0, PAGE_SIZE);
	memset(f, 0xff, 6);
	memcpy(f + 6, mac, 6);
	f[12] = 0x88;
	f[13] = 0xb5;
}

static bool begin(void)
{
	if (!attack_rest(&a) || !prepare())
		return false;
	good_frame(frame.va);
	publish_good_keys();
	attack_write(&a, "state", "%u", XenbusStateConnected);
	return attack_wait_state(&a, STATE(XenbusStateConnected), ATTACK_PATIENCE);
}

static void end(void)
{
	attack_close(&a);
	put_away();
}

static struct netif_tx_request *put(void)
{
	struct netif_tx_request *q = attack_slot(&tx, tx.prod++);

	*q = (struct netif_tx_request){ .gref = frame.ref, .id = ids++, .size = FRAME };
	return q;
}

static void put_extra(u8 type, u8 flags, u8 gso_type, u16 gso_size)
{
	struct netif_extra_info *e = (struct netif_extra_info *)put();

	*e = (struct netif_extra_info){ .type = type, .flags = flags };
	e->u.gso.type = gso_type;
	e->u.gso.size = gso_size;
}

static void publish(void)
{
	__atomic_store_n(&tx.shared->req_prod, tx.prod, __ATOMIC_SEQ_CST);
	evtchn_send(port);
}

/* The worst status of all answers to what was put; 99: not all were answered; 98: there are more than that. */
static int answers(void)
{
	int worst = NETIF_RSP_OKAY;

	if (!attack_answered(&tx, tx.prod - tx.cons, ATTACK_PATIENCE))
		return 99;
	if (READ_ONCE(tx.shared->rsp_prod) != tx.prod)
		return 98;
	for (; tx.cons != tx.prod; tx.cons++) {
		const struct netif_tx_response *r = attack_slot(&tx, tx.cons);

		if (r->status != NETIF_RSP_NULL)
			worst = MIN(worst, r->status);
	}
	return worst;
}

static bool proper_send(void)
{
	good_frame(frame.va);
	put();
	publish();
	return answers() == NETIF_RSP_OKAY;
}

/* --- packets that are wrong --- */

static void size_0(void) { put()->size = 0; }
static void size_13(void) { put()->size = 13; }
static void ref_beyond(void) { put()->gref = 0xffffffff; }
static void ref_unused(void) { put()->gref = 500; }

static void parts_of_more(void)
{
	put()->flags = NETTXF_more_data;
	put()->size = 2000;
}

static void part_of_0(void)
{
	put()->flags = NETTXF_more_data;
	put()->size = 0;
}

static void multicast_none(void)
{
	put()->flags = NETTXF_extra_info;
	put_extra(XEN_NETIF_EXTRA_TYPE_MCAST_ADD, 0, 0, 0);
}

static const struct {
	const char *name;
	void (*put)(void);
} refused[] = {
	{ "a packet of 0 bytes", size_0 }, { "of 13 bytes", size_13 }, { "a reference beyond the table", ref_beyond },
	{ "a reference that grants nothing", ref_unused }, { "parts that are more than the whole", parts_of_more }, { "a part of 0 bytes", part_of_0 },
	{ "listening to an address that is nobody's", multicast_none },
};

static void wrong_packets(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(refused); i++) {
		int status;

		refused[i].put();
		publish();
		status = answers();
		attack_said(WHO, refused[i].name, status == NETIF_RSP_ERROR || status == NETIF_RSP_DROPPED ? "refused" : "BAD: status %d", status);
	}
}

/* --- what may be answered either way, but harms nobody --- */

static void random_headers(u8 *f)
{
	static const u16 types[] = { 0x0008, 0xdd86, 0x0608, 0x0081, 0xa888, 0x0608 };
	u16 type = types[attack_random() % ARRAY_SIZE(types)];

	good_frame(f);
	memcpy(f + 12, &type, 2);
	for (u32 i = 14; i < 120; i++)
		f[i] = attack_random();
	f[14] = attack_random() % 4 ? 0x45 : attack_random();
	f[23] = attack_random() % 2 ? 6 : 17;
	if (attack_random() % 2) {
		f[16] = 0;
		f[17] = attack_random();
	}
}

static void headers(void)
{
	bool all = true;

	for (u32 i = 0; all && i < HEADERS; i++) {
		bool gso = attack_random() % 2;
		struct netif_tx_request *q = put();

		random_headers(frame.va);
		q->size = 14 + attack_random() % 300;
		q->offset = attack_random() % 64;
		q->flags = (attack_random() & (NETTXF_csum_blank | NETTXF_data_validated)) | (gso ? NETTXF_extra_info : 0);
		if (gso)
			put_extra(XEN_NETIF_EXTRA_TYPE_GSO, 0, attack_random() % 4, attack_random() % 3 ? attack_random() : 0);
		publish();
		all = answers() < 98;
	}
	attack_said(WHO, "headers of garbage with offload", all && proper_send() ? "answered" : "BAD: not answered");
}

static void multicast(void)
{
	int status = 0, worst = 0;

	for (u32 i = 0; i < 200 && status < 98; i++) {
		put()->flags = NETTXF_extra_info;
		put_extra(XEN_NETIF_EXTRA_TYPE_MCAST_ADD, 0, 0, i << 8 | 1);
		publish();
		status = answers();
		worst = MIN(worst, status);
	}
	attack_said(WHO, "200 addresses to listen to", worst == NETIF_RSP_ERROR ? "no more than it has room for" : "BAD: status %d", worst);
}

/* As many senders and targets as can be; the switch must learn none of them. */
static void forge(void)
{
	bool all = true;

	for (u32 i = 0; all && i < 1000; i++) {
		u8 *f = frame.va;

		good_frame(f);
		for (u32 at = 0; at < 12; at++)
			f[at] = attack_random() & (at % 6 ? 0xff : 0xfe);
		put();
		publish();
		all = answers() < 98;
	}
	attack_said(WHO, "1000 forged senders", all ? "answered" : "BAD: not answered");
}

static void storm(void)
{
	u32 lost = 0;

	good_frame(frame.va);
	for (u32 i = 0; i < STORM / 128 && !lost; i++) {
		for (u32 n = 0; n < 128; n++)
			put();
		publish();
		lost += answers() >= 98;
	}
	attack_said(WHO, "4096 broadcasts", lost ? "BAD: not answered" : "answered");
	for (u32 i = 0; i < EVENTS; i++)
		evtchn_send(port);
	attack_said(WHO, "10000 events", proper_send() ? "still served" : "BAD: no answer afterwards");
}

/* --- buffers to receive into --- */

static void buffers(const char *what, u32 ref, u32 count)
{
	for (u32 i = 0; i < count; i++) {
		struct netif_rx_request *q = attack_slot(&rx, rx.prod++);

		*q = (struct netif_rx_request){ .id = 7, .gref = ref };
	}
	__atomic_store_n(&rx.shared->req_prod, rx.prod, __ATOMIC_SEQ_CST);
	evtchn_send(port);
	thread_sleep(100 * NSEC_PER_MSEC);
	rx.cons = READ_ONCE(rx.shared->rsp_prod);
	attack_said(WHO, what, proper_send() ? "still served" : "BAD: no answer afterwards");
}

/* --- what ends a connection --- */

static void over_the_page(void) { put()->offset = PAGE_SIZE - 10; }
static void size_most(void) { put()->size = 0xffff; }
static void offset_most(void) { put()->offset = 0xffff; }
static void unknown_extra(void) { put()->flags = NETTXF_extra_info; put_extra(200, 0, 0, 0); }
static void extra_0(void) { put()->flags = NETTXF_extra_info; put_extra(0, 0, 0, 0); }
static void no_end(void) { put()->flags = NETTXF_more_data; }
static void extra_missing(void) { put()->flags = NETTXF_extra_info; }
static void far_ahead(void) { tx.prod += 1000; }
static void behind(void) { tx.prod--; }

static void slots_19(void)
{
	for (u32 i = 0; i < 19; i++) {
		put()->flags = i < 18 ? NETTXF_more_data : 0;
		((struct netif_tx_request *)attack_slot(&tx, tx.prod - 1))->size = i ? 10 : FRAME;
	}
}

static void extras_for_ever(void)
{
	put()->flags = NETTXF_extra_info;
	for (u32 i = 0; i < 200; i++)
		put_extra(XEN_NETIF_EXTRA_TYPE_GSO, XEN_NETIF_EXTRA_FLAG_MORE, 1, 1000);
}

static const struct {
	const char *name;
	void (*put)(void);
} closing[] = {
	{ "bytes over the end of a page", over_the_page }, { "65535 bytes in a page", size_most }, { "offset 65535", offset_most },
	{ "19 slots", slots_19 }, { "extra info without end", extras_for_ever }, { "extra info of type 200", unknown_extra },
	{ "extra info of type 0", extra_0 }, { "a packet without an end", no_end }, { "extra info that is missing", extra_missing },
	{ "an index far ahead", far_ahead }, { "an index behind", behind },
};

static void ends(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(closing); i++) {
		if (!begin() || !proper_send()) {
			attack_said(WHO, closing[i].name, "BAD: no connection");
			continue;
		}
		closing[i].put();
		publish();
		attack_said(WHO, closing[i].name, attack_wait_state(&a, STATES_CLOSED, ATTACK_PATIENCE) ? "closed" : "BAD: state %u",
			    attack_back_state(&a));
		end();
	}
}

static const struct {
	const char *key, *value;
} keys[] = {
	{ "tx-ring-ref", "4294967296" }, { "rx-ring-ref", "-1" }, { "tx-ring-ref", "" }, { "multi-queue-num-queues", "4000000000" },
	{ "multi-queue-num-queues", "0" }, { "event-channel", "131072" }, { "event-channel", "0" }, { "request-rx-copy", "2" },
};

static void absurd_keys(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(keys); i++) {
		char what[64];

		snprintf(what, sizeof(what), "%s = %s", keys[i].key, keys[i].value);
		if (!attack_rest(&a) || !prepare()) {
			attack_said(WHO, what, "BAD: no connection");
			continue;
		}
		publish_good_keys();
		attack_write(&a, keys[i].key, "%s", keys[i].value);
		attack_write(&a, "state", "%u", XenbusStateConnected);
		attack_said(WHO, what, attack_wait_state(&a, STATES_CLOSED, ATTACK_PATIENCE) ? "closed" : "BAD: state %u", attack_back_state(&a));
		end();
	}
}

/* --- */

static void packets_of_one_connection(void)
{
	if (!begin()) {
		attack_said(WHO, "a connection", "BAD: none");
		return;
	}
	wrong_packets();
	headers();
	multicast();
	forge();
	storm();
	buffers("a read-only page to receive into, 40 times", readonly.ref, 40);
	buffers("no page to receive into, 40 times", 500, 40);
	buffers("one page to receive into, 40 times", frame.ref, 40);
	end();
}

/* Of UDP, 8 bytes, to 255.255.255.255; where: in units of those. */
static bool send_fragment(u8 id, u8 where, bool more)
{
	u8 ip[20] = { 0x45, 0, 0, 28, 0, id, more << 5, where, 64, IPPROTO_UDP, 0, 0, 10, 0, 0, 66, 255, 255, 255, 255 }, *f = frame.va;
	u16 sum = ~checksum_of(ip, sizeof(ip));

	good_frame(f);
	f[12] = ETHERTYPE_IPV4 >> 8;
	f[13] = ETHERTYPE_IPV4 & 0xff;
	memcpy(ip + 10, &sum, sizeof(sum));
	memcpy(f + ETH_HEADER, ip, sizeof(ip));
	put()->size = ETH_HEADER + 28;
	publish();
	return answers() == NETIF_RSP_OKAY;
}

static int fragments(void)
{
	bool all = begin();

	for (u32 id = 0; all && id < FRAGMENTS / 2; id++)
		all = send_fragment(id, 1, false) && send_fragment(id, 0, true);
	attack_said(WHO, "fragments to everybody", all ? "sent" : "BAD: not answered");
	end();
	return 0;
}

static int die(void)
{
	if (!begin())
		return 1;
	printf(WHO ": in the middle\n");
	for (;;) {
		for (u32 n = 0; n < 128; n++)
			put();
		publish();
		answers();
	}
}

static int cmd_attack_net(int argc, char **argv)
{
	if (!attack_take(&a, "vif") || !read_mac())
		return 1;
	if (argc > 1 && !strcmp(argv[1], "die"))
		return die();
	if (argc > 1 && !strcmp(argv[1], "fragments"))
		return fragments();
	packets_of_one_connection();
	ends();
	absurd_keys();
	printf(WHO ": done\n");
	return 0;
}
COMMAND_AS(attack_net, "attack-net", cmd_attack_net, "[die|fragments]: all that a frontend can do to the backend of its network");
