/* SPDX-License-Identifier: MIT */
/*
 * Domain 0's switch on the host: random frames between random ports against a model of who may get what; the table of addresses, full and
 * flooded; tags; forged sources; ports that go while others send to them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "packet_host.h"

#define PVK_TIME_H
#define NSEC_PER_SEC 1000000000ul
#define WAIT_QUEUE_INIT(q) { 0 }
#define kmalloc(size) calloc(1, size)
#define kfree free

struct wait_queue { int unused; };

static u64 clock_ns = NSEC_PER_SEC;
static u64 now(void) { return clock_ns; }
u64 random_number(void) { return 0x123456789abcdef1ul; }
static void wait_on(struct wait_queue *q) { abort(); }
static void wake_up(struct wait_queue *q) { }

#include "../../pvkernel/control/network/filter.c"
#include "../../pvkernel/control/network/filter_ip6.c"
#include "../../pvkernel/control/network/mac_table.c"
#include "../../pvkernel/control/network/tag.c"
#include "../../pvkernel/control/network/switch.c"

bool capture_all;
static u32 captured;
void capture_packet(const struct packet *p) { captured++; }

/* --- ports that note what they get --- */

#define PORTS 20

static struct station {
	struct net_device device;
	struct port *port;
	u32 got, flushed;
	u8 last[64];
	u32 last_length;
} station[PORTS];

static void get(struct net_device *d, struct packet *p)
{
	struct station *s = d->data;

	s->got++;
	s->last_length = p->length;
	packet_read(p, 0, s->last, MIN(p->length, 64));
	packet_put(p);
}

static void flushed(struct net_device *d)
{
	((struct station *)d->data)->flushed++;
}

static int plug(u32 n, const struct port_config *c)
{
	struct station *s = &station[n];

	*s = (struct station){ .device = { .mtu = 1500, .send = get, .flush = flushed, .data = s, .mac = { 2, 0, 0, 0, 0, n } } };
	snprintf(s->device.name, sizeof(s->device.name), "port%u", n);
	return port_add(&s->port, &s->device, c);
}

static void unplug_all(void)
{
	for (u32 i = 0; i < PORTS; i++) {
		if (station[i].port)
			port_remove(station[i].port);
		station[i].port = NULL;
	}
	assert_int_equal(pages_out, 0);
}

static struct packet *frame(const u8 *to, const u8 *from, u16 type, const void *content, u32 length)
{
	struct packet *p = packet_alloc(ETH_HEADER + length);
	u8 *f = p->pieces[0].data;

	memcpy(f, to, 6);
	memcpy(f + 6, from, 6);
	put16(f + 12, type);
	if (content)
		memcpy(f + ETH_HEADER, content, length);
	else
		memset(f + ETH_HEADER, 0, length);
	return p;
}

static const u8 everybody[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

static void send_type(u32 from, const u8 *to, const u8 *source, u16 type, const void *content, u32 length)
{
	for (u32 i = 0; i < PORTS; i++)
		station[i].got = station[i].flushed = 0;
	port_input(station[from].port, frame(to, source, type, content, length));
	port_flush(station[from].port);
	for (u32 i = 0; i < PORTS; i++)
		assert_true(!station[i].got || station[i].flushed);
}

static void send(u32 from, const u8 *to)
{
	send_type(from, to, station[from].device.mac, 0x1234, NULL, 50);
}

/* --- who may get what, said once more --- */

static bool reaches(u32 from, u32 to)
{
	const struct port_config *a = &station[from].port->config, *b = &station[to].port->config;

	return from != to && !strcmp(a->bridge, b->bridge) && (b->trunk || a->vlan == b->vlan) && !(a->isolated && b->isolated);
}

static void test_random_ports(void **state)
{
	for (u32 round = 0; round < 200; round++) {
		for (u32 i = 0; i < PORTS; i++) {
			struct port_config c = { .locked = true, .vlan = rand() % 3, .isolated = rand() % 3 == 0 };

			snprintf(c.bridge, sizeof(c.bridge), rand() % 4 ? "one" : "two");
			assert_int_equal(plug(i, &c), 0);
		}
		for (u32 n = 0; n < 50; n++) {
			u32 from = rand() % PORTS, to = rand() % PORTS;

			send(from, station[to].device.mac);
			for (u32 i = 0; i < PORTS; i++)
				assert_int_equal(station[i].got, i == to && reaches(from, to));
			send(from, everybody);
			for (u32 i = 0; i < PORTS; i++)
				assert_int_equal(station[i].got, reaches(from, i));
		}
		unplug_all();
	}
}

static const struct port_config locked = { .bridge = "b", .locked = true }, open_port = { .bridge = "b" };
static const struct port_config trunk = { .bridge = "b", .trunk = true };

static void test_learning(void **state)
{
	const u8 behind[6] = { 2, 1, 1, 1, 1, 1 };

	plug(0, &locked);
	plug(1, &open_port);
	plug(2, &open_port);
	plug(3, &locked);
	send(0, behind);	/* unknown: where stations may be */
	assert_int_equal(station[1].got + station[2].got, 2);
	assert_int_equal(station[3].got, 0);
	send_type(2, everybody, behind, 0x1234, NULL, 50);
	send(0, behind);
	assert_int_equal(station[1].got, 0);
	assert_int_equal(station[2].got, 1);
	send_type(1, everybody, behind, 0x1234, NULL, 50);	/* it moved */
	send(0, behind);
	assert_int_equal(station[1].got, 1);
	clock_ns += MAC_AGE + 1;
	send(0, behind);
	assert_int_equal(station[1].got + station[2].got, 2);
	unplug_all();
}

/* Nobody takes an address that is fixed, nor all the room there is. */
static void test_addresses_of_others(void **state)
{
	u8 mac[6] = { 2, 9 };

	plug(0, &locked);
	plug(1, &open_port);
	plug(2, &open_port);
	send_type(1, everybody, station[0].device.mac, 0x1234, NULL, 50);
	send(2, station[0].device.mac);
	assert_int_equal(station[0].got, 1);
	for (u32 i = 0; i < 5000; i++) {
		mac[4] = i >> 8;
		mac[5] = i;
		send_type(1, everybody, mac, 0x1234, NULL, 50);
	}
	assert_int_equal(station[1].port->addresses.entries, GUEST_ADDRESSES);
	assert_true(switch_table.looked_through == clock_ns);
	clock_ns += MAC_LOOK;		/* too soon to look for old ones again */
	send_type(1, everybody, mac, 0x1234, NULL, 50);
	assert_false(switch_table.looked_through == clock_ns);
	assert_int_equal(plug(3, &locked), 0);
	station[3].device.mac[5] = 0;
	port_remove(station[3].port);
	assert_int_equal(port_add(&station[3].port, &station[3].device, &locked), -EEXIST);
	unplug_all();
}

static void test_table_full(void **state)
{
	static struct mac_table t;
	static struct mac_owner owner[40];
	u32 learned = 0;

	mac_init(&t, 12345);
	for (u32 i = 0; i < 40; i++) {
		owner[i].max = 100;
		for (u32 j = 0; j < 150; j++)
			learned += mac_learn(&t, &owner[i], i * 1000 + j, 1);
		assert_true(owner[i].entries <= 100);
	}
	assert_int_equal(learned, MAC_ENTRIES);
	assert_ptr_equal(mac_find(&t, 5)->owner, &owner[0]);
	assert_false(mac_expired(mac_find(&t, 5), 2));
	assert_true(mac_expired(mac_find(&t, 5), 2 + MAC_AGE));
	assert_true(mac_learn(&t, &owner[39], 999999, 2 + MAC_AGE));	/* the old make room */
	assert_null(mac_find(&t, 5));
	for (u32 i = 0; i < 40; i++)
		mac_forget(&t, &owner[i]);
	for (u32 i = 0; i < 40; i++)
		assert_int_equal(owner[i].entries, 0);
	learned = 0;
	for (u16 i = t.first_free; i; i = t.entry[i - 1].next)
		learned++;
	assert_int_equal(learned, MAC_ENTRIES);
}

static void test_forged(void **state)
{
	static const u8 other[6] = { 2, 0, 0, 0, 0, 99 };
	u8 arp[28] = { 0, 1, 8, 0, 6, 4, 0, 2 }, ip[40] = { 0x45 };
	struct port_config c = locked;

	assert_false(filter_parse_ips("10.0.0.5/24", &c));
	assert_true(filter_parse_ips("10.0.0.5 fd00::1  10.0.0.6", &c));
	assert_int_equal(c.nr_ips, 2);
	assert_int_equal(c.nr_ip6s, 1);
	plug(0, &c);
	plug(1, &locked);
	send_type(0, station[1].device.mac, other, 0x1234, NULL, 50);
	assert_int_equal(station[1].got, 0);
	assert_int_equal(station[0].port->forged, 1);
	memcpy(arp + 8, station[0].device.mac, 6);
	memcpy(arp + 14, (u8[]){ 10, 0, 0, 5 }, 4);
	send_type(0, station[1].device.mac, station[0].device.mac, ETHERTYPE_ARP, arp, 28);
	assert_int_equal(station[1].got, 1);
	arp[17] = 7;
	send_type(0, station[1].device.mac, station[0].device.mac, ETHERTYPE_ARP, arp, 28);
	assert_int_equal(station[1].got, 0);
	memset(arp + 14, 0, 4);
	arp[8]++;
	send_type(0, station[1].device.mac, station[0].device.mac, ETHERTYPE_ARP, arp, 28);
	assert_int_equal(station[1].got, 0);
	memcpy(ip + 12, (u8[]){ 10, 0, 0, 6 }, 4);
	send_type(0, station[1].device.mac, station[0].device.mac, ETHERTYPE_IPV4, ip, 40);
	assert_int_equal(station[1].got, 1);
	ip[12] = 11;
	send_type(0, station[1].device.mac, station[0].device.mac, ETHERTYPE_IPV4, ip, 40);
	assert_int_equal(station[1].got, 0);
	send_type(0, station[1].device.mac, station[0].device.mac, ETHERTYPE_IPV4, ip, 15);
	assert_int_equal(station[1].got, 0);
	unplug_all();
}

static u32 send_arp(const void *arp)
{
	send_type(0, everybody, station[0].device.mac, ETHERTYPE_ARP, arp, 28);
	return station[1].got;
}

/* From 0.0.0.0 ARP asks whether an address is taken; of others' addresses that makes them not take it. */
static void test_arp_probes(void **state)
{
	u8 arp[28] = { 0, 1, 8, 0, 6, 4, 0, 1 };
	struct port_config c = locked;

	assert_true(filter_parse_ips("10.0.0.5", &c));
	plug(0, &c);
	plug(1, &locked);
	memcpy(arp + 8, station[0].device.mac, 6);
	memcpy(arp + 24, (u8[]){ 10, 0, 0, 5 }, 4);
	assert_int_equal(send_arp(arp), 1);
	arp[27] = 6;
	assert_int_equal(send_arp(arp), 0);
	arp[14] = 10, arp[17] = 5;
	assert_int_equal(send_arp(arp), 1);
	arp[4] = 8;			/* other lengths: then its addresses are elsewhere */
	assert_int_equal(send_arp(arp), 0);
	port_remove(station[0].port);
	c.locked = false;		/* any Ethernet address, but none of others' in IPv4 */
	plug(0, &c);
	arp[4] = 6;
	arp[8]++;
	assert_int_equal(send_arp(arp), 1);
	arp[17] = 6;
	assert_int_equal(send_arp(arp), 0);
	unplug_all();
}

static void test_ip_lists(void **state)
{
	struct port_config c;

	assert_false(filter_parse_ips("", &c));
	assert_true(filter_parse_ips("fd00::1", &c));
	assert_false(filter_parse_ips("fd00::1 fd00::2 fd00::3 fd00::4 fd00::5", &c));
	assert_false(filter_parse_ips("1.2.3.256", &c));
	assert_false(filter_parse_ips("1.2.3", &c));
	assert_false(filter_parse_ips("1.2.3.4.5", &c));
	assert_false(filter_parse_ips("1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4 1.1.1.5", &c));
	assert_true(filter_parse_ips("255.0.0.1", &c));
	assert_int_equal(c.ips[0][0], 255);
}

static void test_ip6_text(void **state)
{
	static const char *const bad[] = {
		"", ":", ":::", "1", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:", ":1:2:3:4:5:6:7:8", "12345::", "::g", "1:2:3:4:5:6:7:8::",
		"::1%eth0", "fd00::1/64", "1.2.3.4", "::1:", "1::2:",
	};
	u8 ip[16];

	for (u32 i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(filter_parse_ip6(bad[i], ip));
	assert_true(filter_parse_ip6("fd00::1a2B", ip));
	assert_memory_equal(ip, "\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\x1a\x2b", 16);
	assert_true(filter_parse_ip6("1:2:3:4:5:6:7:8", ip));
	assert_memory_equal(ip, "\0\1\0\2\0\3\0\4\0\5\0\6\0\7\0\x8", 16);
	assert_true(filter_parse_ip6("::", ip));
	assert_true(filter_parse_ip6("1::", ip));
	assert_memory_equal(ip, "\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	assert_true(filter_parse_ip6("::ffff:1:2", ip));
	assert_memory_equal(ip, "\0\0\0\0\0\0\0\0\0\0\xff\xff\0\1\0\2", 16);
}

/* An IPv6 packet to everybody with these bytes behind its header, the first `length` its payload: whether port 2, domain 0's stack, gets it. Port 3 does. */
static bool reaches_padded(u32 from, u8 next, const u8 *behind, u32 length, u32 padding)
{
	static const u8 all_nodes[6] = { 0x33, 0x33, 0, 0, 0, 1 };
	u8 ip[160] = { 0x60, 0, 0, 0, 0, length, next, 255, 0xfe, 0x80 };

	memcpy(ip + 40, behind, length + padding);
	station[2].got = station[3].got = 0;
	port_input(station[from].port, frame(all_nodes, station[from].device.mac, ETHERTYPE_IPV6, ip, 40 + length + padding));
	port_flush(station[from].port);
	assert_int_equal(station[3].got, 1);
	return station[2].got;
}

static bool reaches_domain_0(u32 from, u8 next, const u8 *behind, u32 length)
{
	return reaches_padded(from, next, behind, length, 0);
}

static void test_routers_of_domain_0(void **state)
{
	u8 message[24] = { 134 }, chain[48] = { 0 };

	plug(0, &locked);
	plug(1, &open_port);
	plug(3, &locked);
	station[2] = (struct station){ .device = { .mac = { 2, 0, 0, 0, 0, 2 }, .receive = get, .data = &station[2] } };
	assert_int_equal(add(&station[2].port, &station[2].device, &locked, true, 1), 0);
	assert_false(reaches_domain_0(0, IPPROTO_ICMP6, message, 24));
	assert_int_equal(station[0].port->forged, 1);
	assert_false(reaches_domain_0(1, IPPROTO_ICMP6, message, 24));
	station[1].port->card = true;
	assert_true(reaches_domain_0(1, IPPROTO_ICMP6, message, 24));
	message[0] = 137;
	assert_false(reaches_domain_0(0, IPPROTO_ICMP6, message, 24));
	for (u32 type = 128; type < 137; type++) {
		message[0] = type;
		assert_true(reaches_domain_0(0, IPPROTO_ICMP6, message, 24) == (type != 134));
	}
	assert_true(reaches_domain_0(0, IPPROTO_TCP, (const u8[24]){ 134 }, 24));
	chain[0] = FRAGMENT;			/* behind options, in a fragment, behind options in one */
	chain[8] = DESTINATION;
	chain[16] = IPPROTO_ICMP6;
	chain[24] = 134;
	assert_false(reaches_domain_0(0, HOP_BY_HOP, chain, 48));
	assert_false(reaches_domain_0(0, IP6_ROUTING, chain, 48));
	assert_false(reaches_domain_0(0, FRAGMENT, chain + 8, 40));
	assert_false(reaches_domain_0(0, DESTINATION, chain + 16, 32));
	assert_true(reaches_domain_0(1, HOP_BY_HOP, chain, 48));
	chain[24] = 128;
	assert_true(reaches_domain_0(0, HOP_BY_HOP, chain, 48));
	chain[24] = 134;
	chain[11] = 8;				/* not the first one */
	assert_true(reaches_domain_0(0, HOP_BY_HOP, chain, 48));
	memset(chain, 0, sizeof(chain));	/* more than are followed; what ends beyond the datagram, also if padding follows */
	assert_false(reaches_domain_0(0, HOP_BY_HOP, chain, 48));
	assert_false(reaches_domain_0(0, HOP_BY_HOP, (const u8[16]){ IPPROTO_ICMP6, 200 }, 16));
	assert_false(reaches_domain_0(0, HOP_BY_HOP, chain, 4));
	assert_false(reaches_domain_0(0, IPPROTO_ICMP6, chain, 0));
	chain[0] = DESTINATION;
	chain[8] = IPPROTO_ICMP6;
	chain[16] = 128;
	assert_false(reaches_padded(0, FRAGMENT, chain, 16, 8));
	assert_true(reaches_padded(0, FRAGMENT, chain, 24, 0));
	unplug_all();
}

/* An IPv6 packet from fd00::`last` with these bytes behind its header. */
static bool ip6_passes(const u8 source[16], u8 next, const void *behind, u32 length)
{
	u8 ip[120] = { 0x60, 0, 0, 0, 0, length, next, 64 };
	u64 before = station[0].port->forged;

	memcpy(ip + 8, source, 16);
	memset(ip + 24, 0xff, 16);
	memcpy(ip + 40, behind, length);
	send_type(0, station[1].device.mac, station[0].device.mac, ETHERTYPE_IPV6, ip, 40 + length);
	assert_int_equal(station[1].got, station[0].port->forged == before);
	return station[1].got;
}

static void test_forged_ip6(void **state)
{
	struct port_config c = locked;
	u8 own[16], local[16], other[16] = { 0xfd, 1 }, none[16] = { 0 }, echo[24] = { 128 }, advert[24] = { 136 };
	u8 hop[32] = { IPPROTO_ICMP6 }, part[32] = { IPPROTO_ICMP6, 0, 0, 1 };

	assert_true(filter_parse_ips("fd00::5", &c));
	plug(0, &c);
	plug(1, &locked);
	filter_parse_ip6("fd00::5", own);
	filter_parse_ip6("fe80::ff:fe00:0", local);
	assert_true(ip6_passes(own, IPPROTO_ICMP6, echo, 24) && ip6_passes(local, IPPROTO_ICMP6, echo, 24) && ip6_passes(none, IPPROTO_ICMP6, echo, 24));
	assert_false(ip6_passes(other, IPPROTO_ICMP6, echo, 24));
	assert_false(ip6_passes(other, 50, echo, 24));
	memcpy(advert + 8, own, 16);
	assert_true(ip6_passes(own, IPPROTO_ICMP6, advert, 24));
	assert_false(ip6_passes(own, IPPROTO_ICMP6, advert, 23));
	memcpy(advert + 8, other, 16);
	assert_false(ip6_passes(own, IPPROTO_ICMP6, advert, 24));
	memcpy(hop + 8, advert, 24);		/* nor behind another header, nor in a fragment */
	assert_false(ip6_passes(own, HOP_BY_HOP, hop, 32));
	memcpy(part + 8, advert, 24);
	assert_false(ip6_passes(own, FRAGMENT, part, 32));
	hop[8] = part[8] = 128;
	assert_true(ip6_passes(own, HOP_BY_HOP, hop, 32));
	assert_true(ip6_passes(own, FRAGMENT, part, 32));
	part[0] = DESTINATION;
	assert_false(ip6_passes(own, FRAGMENT, part, 32));
	part[3] = 9;				/* not the first one */
	assert_true(ip6_passes(own, FRAGMENT, part, 32));
	echo[0] = 134;				/* no router */
	assert_false(ip6_passes(local, IPPROTO_ICMP6, echo, 24));
	echo[0] = 137;
	assert_false(ip6_passes(local, IPPROTO_ICMP6, echo, 24));
	assert_false(ip6_passes(own, IP6_ROUTING, echo, 24));
	assert_false(ip6_passes(own, IPPROTO_ICMP6, echo, 0));
	unplug_all();
}

static void test_neighbour_probes(void **state)
{
	static const u8 none[16];
	struct port_config c = locked;
	u8 own[16], solicit[24] = { 135 };

	assert_true(filter_parse_ips("fd00::5", &c));
	plug(0, &c);
	plug(1, &locked);
	filter_parse_ip6("fd00::5", own);
	filter_parse_ip6("fd00::6", solicit + 8);
	assert_true(ip6_passes(own, IPPROTO_ICMP6, solicit, 24));	/* whose is it? */
	assert_false(ip6_passes(none, IPPROTO_ICMP6, solicit, 24));	/* is it taken? */
	memcpy(solicit + 8, own, 16);
	assert_true(ip6_passes(none, IPPROTO_ICMP6, solicit, 24));
	assert_false(ip6_passes(none, IPPROTO_ICMP6, solicit, 23));
	assert_false(ip6_passes(none, 50, solicit, 24));
	assert_false(ip6_passes(none, FRAGMENT, solicit, 24));
	unplug_all();
}

/* An advertisement cut so that its target is in the second fragment, and what lies where it would be is only padding. */
static void test_padding_is_no_target(void **state)
{
	u8 ip[72] = { 0x60, 0, 0, 0, 0, 16, FRAGMENT, 255 }, *fragment = ip + 40, *advert = ip + 48;
	struct port_config c = locked;

	assert_true(filter_parse_ips("fd00::5", &c));
	plug(0, &c);
	plug(1, &locked);
	filter_parse_ip6("fd00::5", ip + 8);
	ip[24] = 0xff;
	fragment[0] = IPPROTO_ICMP6;
	fragment[3] = 1;
	advert[0] = 136;
	filter_parse_ip6("fd00::5", advert + 8);
	send_type(0, everybody, station[0].device.mac, ETHERTYPE_IPV6, ip, 72);
	assert_int_equal(station[1].got, 0);
	ip[5] = 32;
	send_type(0, everybody, station[0].device.mac, ETHERTYPE_IPV6, ip, 72);
	assert_int_equal(station[1].got, 1);
	unplug_all();
}

static void test_groups(void **state)
{
	u8 bridges[6] = { 0x01, 0x80, 0xc2, 0, 0, 0 };
	struct packet *p = make_packet(false, IPPROTO_TCP, 60000, 0);

	plug(0, &open_port);
	plug(1, &locked);
	for (u32 last = 0; last <= 16; last++) {
		bridges[5] = last;
		send(0, bridges);
		assert_int_equal(station[1].got, last > 15);
	}
	p->csum_blank = true;
	p->gso_type = XEN_NETIF_GSO_TYPE_TCPV4;
	p->gso_size = PACKET_GSO_MIN;
	p->pieces[0].data[0] |= 1;
	p->pieces[0].data[6] &= ~1;
	assert_true(packet_check_offload(p));
	station[1].got = 0;
	port_input(station[0].port, p);
	port_flush(station[0].port);
	assert_int_equal(station[1].got, 0);
	assert_int_equal(station[0].port->refused, 17);
	unplug_all();
}

static void test_tags(void **state)
{
	struct port_config five = locked;
	u8 tagged[60] = { 0, 5, 0x12, 0x34 };

	five.vlan = 5;
	plug(0, &five);
	plug(1, &locked);
	plug(2, &trunk);
	send(0, everybody);		/* out: a tag */
	assert_int_equal(station[1].got, 0);
	assert_int_equal(station[2].last_length, ETH_HEADER + 50 + 4);
	assert_memory_equal(station[2].last + 12, "\x81\0\0\x05\x12\x34", 6);
	send(1, everybody);		/* of VLAN 0: none */
	assert_int_equal(station[2].last_length, ETH_HEADER + 50);
	assert_int_equal(station[0].got, 0);
	send_type(2, everybody, station[2].device.mac, ETHERTYPE_VLAN, tagged, 60);	/* in */
	assert_int_equal(station[1].got, 0);
	assert_int_equal(station[0].last_length, ETH_HEADER + 56);
	assert_memory_equal(station[0].last + 12, "\x12\x34", 2);
	tagged[2] = 0x81;		/* a second tag */
	tagged[3] = 0;
	send_type(2, everybody, station[2].device.mac, ETHERTYPE_VLAN, tagged, 60);
	assert_int_equal(station[0].got, 0);
	send_type(1, everybody, station[1].device.mac, ETHERTYPE_VLAN, tagged, 60);	/* from a guest */
	send_type(1, everybody, station[1].device.mac, ETHERTYPE_QINQ, tagged, 60);
	assert_int_equal(station[2].got + station[0].got, 0);
	assert_int_equal(station[1].port->refused, 2);
	unplug_all();
}

/* What a card cuts for us it does not cut behind a tag. */
static void test_tagged_segments(void **state)
{
	struct port_config five = open_port;
	struct packet *p = make_packet(false, IPPROTO_TCP, 14600, 0);

	five.vlan = 5;
	plug(0, &five);
	plug(2, &trunk);
	station[2].device.can_csum = station[2].device.can_gso4 = true;
	p->csum_blank = true;
	p->gso_type = XEN_NETIF_GSO_TYPE_TCPV4;
	p->gso_size = 1460;
	p->pieces[0].data[0] &= ~1;
	p->pieces[0].data[6] &= ~1;
	assert_true(packet_check_offload(p));
	port_input(station[0].port, p);
	port_flush(station[0].port);
	assert_int_equal(station[2].got, 10);
	assert_int_equal(station[2].last_length, 1518);
	unplug_all();
}

static void test_short_and_shared(void **state)
{
	struct packet *p;

	plug(0, &locked);
	plug(1, &locked);
	plug(2, &locked);
	port_input(station[0].port, packet_alloc(13));
	assert_int_equal(station[0].port->refused, 1);
	p = frame(everybody, station[0].device.mac, 0x1234, NULL, 50);
	packet_hold(p);
	port_input(station[0].port, p);
	assert_int_equal(p->references, 1);
	packet_put(p);
	port_flush(station[0].port);
	unplug_all();
}

/* More ports than a sender keeps references to before it flushes. */
static void test_flood_flushes(void **state)
{
	for (u32 i = 0; i < PORTS; i++)
		plug(i, &locked);
	send(0, everybody);
	for (u32 i = 1; i < PORTS; i++) {
		assert_int_equal(station[i].got, 1);
		assert_int_equal(station[i].port->references, 0);
	}
	unplug_all();
}

static void test_bridges_end(void **state)
{
	struct port_config c = locked;

	for (u32 i = 0; i <= BRIDGES_MAX; i++) {
		snprintf(c.bridge, sizeof(c.bridge), "bridge%u", i);
		assert_int_equal(plug(i, &c), i < BRIDGES_MAX ? 0 : -ENOSPC);
	}
	port_remove(station[3].port);
	station[3].port = NULL;
	assert_int_equal(plug(BRIDGES_MAX, &c), 0);
	unplug_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_full), cmocka_unit_test(test_random_ports), cmocka_unit_test(test_learning),
		cmocka_unit_test(test_addresses_of_others), cmocka_unit_test(test_forged), cmocka_unit_test(test_arp_probes), cmocka_unit_test(test_ip_lists),
		cmocka_unit_test(test_ip6_text), cmocka_unit_test(test_forged_ip6), cmocka_unit_test(test_routers_of_domain_0), cmocka_unit_test(test_neighbour_probes),
		cmocka_unit_test(test_padding_is_no_target), cmocka_unit_test(test_groups), cmocka_unit_test(test_tags), cmocka_unit_test(test_tagged_segments), cmocka_unit_test(test_short_and_shared),
		cmocka_unit_test(test_flood_flushes), cmocka_unit_test(test_bridges_end),
	};

	mac_init(&switch_table, 987654321);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
