/* SPDX-License-Identifier: MIT */
/*
 * pvkernel/net's packets on the host: checksums against the definition, word by word; lengths and pieces of every shape; headers that lie;
 * segments that together are the packet they come from.
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

static u8 bytes[70000];

static void random_bytes(u8 *p, size_t length)
{
	for (size_t i = 0; i < length; i++)
		p[i] = rand();
}

/* RFC 1071 by the letter, over big-endian words. */
static u16 sum_of(const u8 *p, size_t length)
{
	u64 sum = 0;

	for (size_t i = 0; i < length; i++)
		sum += i & 1 ? p[i] : p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static u16 big(u16 v)
{
	return v << 8 | v >> 8;
}

static void test_checksum(void **state)
{
	for (u32 i = 0; i < 2000; i++) {
		u32 length = rand() % 3000, offset = rand() % 8;

		random_bytes(bytes, sizeof(bytes) / 16);
		if (i % 5 == 0)
			memset(bytes, 0xff, 4000);
		assert_int_equal(big(checksum_fold(checksum_add(0, bytes + offset, length))), sum_of(bytes + offset, length));
	}
}

/* Carries out of every place, also out of the last. */
static void test_checksum_carries(void **state)
{
	memset(bytes, 0xff, 128);
	assert_int_equal(checksum_fold(checksum_add(~0ul, bytes, 64)), 0xffff);
	bytes[0] = 1;
	for (u32 i = 1; i < 8; i++)
		bytes[i] = 0;
	assert_int_equal(checksum_fold(checksum_add(~0ul, bytes, 64)), 1);
	assert_int_equal(checksum_fold(checksum_add(~0ul, bytes, 8)), 1);
}

static struct packet *random_pieces(void)
{
	u16 lengths[18];
	u32 count = 1 + rand() % 18;

	for (u32 i = 0; i < count; i++)
		lengths[i] = 1 + (rand() % 3 ? rand() % 100 : rand() % 4096) % (65535 / count);
	return packet_alloc_pieces(lengths, count);
}

static void test_pieces(void **state)
{
	for (u32 i = 0; i < 2000; i++) {
		struct packet *p = i % 2 ? random_pieces() : packet_alloc(1 + rand() % 65535), *copy;
		u32 offset = rand() % p->length, length = rand() % (p->length - offset + 1);
		static u8 out[70000];

		random_bytes(bytes, p->length);
		packet_write(p, 0, bytes, p->length);
		packet_read(p, offset, out, length);
		assert_memory_equal(out, bytes + offset, length);
		assert_int_equal(big(checksum_fold(packet_sum(p, offset, length))), sum_of(bytes + offset, length));
		packet_pull_up(p, MIN(p->length, 200));
		assert_true(p->pieces[0].length >= MIN(p->length, 200));
		copy = packet_copy(p);
		packet_trim(p, 1 + offset);
		packet_read(p, 0, out, p->length);
		assert_int_equal(p->length, 1 + offset);
		assert_memory_equal(out, bytes, 1 + offset);
		packet_put(p);
		packet_read(copy, 0, out, copy->length);
		assert_memory_equal(out, bytes, copy->length);
		packet_put(copy);
	}
	assert_int_equal(pages_out, 0);
}

static void test_too_long(void **state)
{
	u16 lengths[PACKET_PIECES + 1];

	for (u32 i = 0; i < ARRAY_SIZE(lengths); i++)
		lengths[i] = 100;
	assert_null(packet_alloc(65536));
	assert_null(packet_alloc_pieces(lengths, ARRAY_SIZE(lengths)));
	lengths[0] = 4096;
	assert_null(packet_alloc_pieces(lengths, PACKET_PIECES));
	assert_int_equal(pages_out, 0);
}

static void test_no_memory(void **state)
{
	for (u32 i = 0; i < 16; i++) {
		pages_left = i;
		assert_null(packet_alloc(65000));
		assert_int_equal(pages_out, 0);
	}
	pages_left = 1000000;
}

static void test_push(void **state)
{
	struct packet *p = packet_alloc(100);
	u8 *first = p->pieces[0].data;

	assert_ptr_equal(packet_push(p, 4), first - 4);
	assert_int_equal(p->length, 104);
	assert_null(packet_push(p, 4096));
	packet_put(p);
}

/* --- headers --- */

static void test_complete(void **state)
{
	for (u32 i = 0; i < 1000; i++) {
		struct packet *p = make_packet(rand() % 2, rand() % 2 ? IPPROTO_TCP : IPPROTO_UDP, rand() % 3000, rand() % 4 * 4);

		p->csum_blank = true;
		assert_true(packet_check_offload(p));
		packet_complete_checksum(p);
		assert_false(p->csum_blank);
		check_packet(p);
		assert_true(packet_checksum_right(p));
		p->pieces[0].data[20 + rand() % 20]++;
		packet_put(p);
	}
	assert_int_equal(pages_out, 0);
}

/* One byte of the headers is anything: an answer, and offsets that keep their order. */
static void test_headers_lie(void **state)
{
	u32 refused = 0;

	for (u32 i = 0; i < 20000; i++) {
		struct packet *p = make_packet(rand() % 2, rand() % 2 ? IPPROTO_TCP : IPPROTO_UDP, rand() % 200, rand() % 4 * 4);
		struct packet_headers h;

		p->pieces[0].data[rand() % 54] = rand();
		packet_trim(p, 1 + rand() % p->length * (i % 2) + (i % 2 ? 0 : p->length));
		if (!packet_headers(p, &h)) {
			refused++;
		} else {
			assert_true(h.network <= h.transport && h.transport <= h.payload && h.payload <= h.end && h.end <= p->length);
			assert_true(h.payload <= p->pieces[0].length);
		}
		p->csum_blank = true;
		if (packet_check_offload(p))
			packet_complete_checksum(p);
		packet_put(p);
	}
	assert_true(refused > 1000);
	assert_int_equal(pages_out, 0);
}

static void test_offload_refused(void **state)
{
	struct packet *p = make_packet(false, IPPROTO_TCP, 3000, 0);

	p->gso_type = XEN_NETIF_GSO_TYPE_TCPV4;
	p->gso_size = 1000;
	assert_false(packet_check_offload(p));		/* without csum_blank */
	p->csum_blank = true;
	assert_true(packet_check_offload(p));
	p->gso_size = PACKET_GSO_MIN - 1;
	assert_false(packet_check_offload(p));
	p->gso_size = 1000;
	p->gso_type = XEN_NETIF_GSO_TYPE_TCPV6;
	assert_false(packet_check_offload(p));
	packet_put(p);
	p = make_packet(false, IPPROTO_UDP, 3000, 0);
	p->csum_blank = true;
	p->gso_type = XEN_NETIF_GSO_TYPE_TCPV4;
	p->gso_size = 1000;
	assert_false(packet_check_offload(p));
	packet_put(p);
	p = make_packet(false, IPPROTO_ICMP, 100, 0);
	p->csum_blank = true;
	assert_false(packet_check_offload(p));
	packet_put(p);
}

/* --- segments --- */

static void test_segments(void **state)
{
	for (u32 i = 0; i < 300; i++) {
		bool ipv6 = rand() % 2;
		struct packet *p = make_packet(ipv6, IPPROTO_TCP, rand() % 60000, rand() % 4 * 4);

		p->csum_blank = true;
		p->gso_type = ipv6 ? XEN_NETIF_GSO_TYPE_TCPV6 : XEN_NETIF_GSO_TYPE_TCPV4;
		p->gso_size = PACKET_GSO_MIN + rand() % 9000;
		check_segments(p);
		packet_put(p);
	}
	assert_int_equal(pages_out, 0);
}

/* --- what a device gets --- */

static u32 sent, sent_blank, sent_gso;

static void count_sent(struct net_device *d, struct packet *p)
{
	sent++;
	sent_blank += p->csum_blank;
	sent_gso += p->gso_type != 0;
	if (!p->csum_blank)
		check_packet(p);
	packet_put(p);
}

static void send_one(struct net_device d, bool ipv6)
{
	struct packet *p = make_packet(ipv6, IPPROTO_TCP, 14600, 0);

	sent = sent_blank = sent_gso = 0;
	d.send = count_sent;
	d.mtu = 1500;
	p->csum_blank = true;
	p->gso_type = ipv6 ? XEN_NETIF_GSO_TYPE_TCPV6 : XEN_NETIF_GSO_TYPE_TCPV4;
	p->gso_size = ipv6 ? 1440 : 1460;
	assert_true(packet_check_offload(p));
	net_send(&d, p);
	assert_int_equal(pages_out, 0);
}

static void test_what_a_device_takes(void **state)
{
	send_one((struct net_device){ .can_csum = true, .can_gso4 = true }, false);
	assert_int_equal(sent_gso, 1);
	send_one((struct net_device){ .can_csum = true }, false);
	assert_int_equal(sent, 10);
	assert_int_equal(sent_blank, 10);
	send_one((struct net_device){ .can_csum = true, .can_gso4 = true }, true);
	assert_int_equal(sent, 11);
	assert_int_equal(sent_blank, 0);
	send_one((struct net_device){ .can_csum6 = true, .can_gso6 = true }, true);
	assert_int_equal(sent_gso, 1);
}

static void test_shared_is_read_only(void **state)
{
	struct packet *p = make_packet(false, IPPROTO_UDP, 100, 0);
	struct net_device d = { .send = count_sent, .mtu = 1500 };

	p->csum_blank = true;
	assert_true(packet_check_offload(p));
	packet_hold(p);
	net_send(&d, p);
	assert_true(p->csum_blank);
	net_send(&d, p);
	assert_int_equal(pages_out, 0);
}

static void test_too_long_for_a_device(void **state)
{
	struct net_device d = { .send = count_sent, .mtu = 1500 };

	sent = 0;
	net_send(&d, packet_alloc(1519));
	assert_int_equal(d.tx_dropped, 1);
	assert_int_equal(sent, 0);
	assert_int_equal(pages_out, 0);
	for (u32 whole = 0; whole < 2; whole++) {	/* nor what it, or somebody behind it, would cut into longer ones */
		d.can_csum = d.can_gso4 = whole;
		for (u32 size = 1459; size < 1463; size++) {
			struct packet *p = make_packet(false, IPPROTO_TCP, 14000, 0);

			p->csum_blank = true;
			p->gso_type = XEN_NETIF_GSO_TYPE_TCPV4;
			p->gso_size = size;
			assert_true(packet_check_offload(p));
			sent = 0;
			net_send(&d, p);
			assert_int_equal(sent, size > 1460 ? 0 : whole ? 1 : 10);
		}
	}
	assert_int_equal(d.tx_dropped, 5);
	assert_int_equal(pages_out, 0);
}

static void test_mac(void **state)
{
	static const char *const bad[] = { "", "00", "00:16:3e:00:00", "00:16:3e:00:00:", "00:16:3e:00:00:0", "00:16:3e:00:00:001", "00:16:3e:00:00:0g",
					   "01:16:3e:00:00:01", "00-16-3e-00-00-01", "00:16:3e:00:00:01:", " 0:16:3e:00:00:01" };
	u8 mac[6];

	for (u32 i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(net_parse_mac(bad[i], mac));
	assert_true(net_parse_mac("02:1F:3e:aa:09:f0", mac));
	assert_memory_equal(mac, "\x02\x1f\x3e\xaa\x09\xf0", 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_checksum),
		cmocka_unit_test(test_mac),
		cmocka_unit_test(test_checksum_carries),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_push),
		cmocka_unit_test(test_complete),
		cmocka_unit_test(test_headers_lie),
		cmocka_unit_test(test_offload_refused),
		cmocka_unit_test(test_segments),
		cmocka_unit_test(test_what_a_device_takes),
		cmocka_unit_test(test_shared_is_read_only),
		cmocka_unit_test(test_too_long_for_a_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
