/* SPDX-License-Identifier: MIT */
/*
 * netback's data path on the host: packets of every shape come out as they went in, both ways, each slot answered in order; what a hostile
 * frontend may write is answered as an error or ends the connection, and nothing of it is read twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "netback_host.h"

static u8 sent_bytes[70000];
static u32 sent_length, sent_count;
static struct packet sent_packet;

static void sent(struct packet *p)
{
	sent_count++;
	sent_length = p->length;
	sent_packet = *p;
	packet_read(p, 0, sent_bytes, p->length);
	packet_put(p);
}

/* --- what a guest sends --- */

static u8 content[70000];

/* total bytes in `slots` requests, of which the first says `total`; extra info behind it, if any. */
static void put_packet(u32 total, u32 slots, u16 flags, const struct netif_extra_info *extra, u16 id)
{
	u32 at = 0;

	for (u32 i = 0; i < slots; i++) {
		u32 rest = slots - i - 1, left = total - at;
		u32 least = left > rest * 4096 ? left - rest * 4096 : 1, most = MIN(4096u, left - rest);
		u32 n = least + rand() % (most - least + 1), offset = rand() % (4096 - n + 1);
		struct netif_tx_request r = { id + i, offset, flags, id + i, i ? n : total };

		r.gref = (id + i) % GRANTS;
		if (rest)
			r.flags |= NETTXF_more_data;
		if (i)
			r.flags &= NETTXF_more_data;
		else if (extra)
			r.flags |= NETTXF_extra_info;
		memcpy(guest_page[r.gref] + offset, content + at, n);
		ring_put_request(&tx_front, &r, sizeof(r));
		if (!i && extra) {
			struct netif_tx_request slot = { 0 };

			memcpy(&slot, extra, sizeof(*extra));
			ring_put_request(&tx_front, &slot, sizeof(slot));
		}
		at += n;
	}
	ring_push_requests(&tx_front);
}

static void expect_response(int id, int status)
{
	struct netif_tx_response r;

	assert_int_equal(ring_get_response(&tx_front, &r, sizeof(r)), 1);
	if (id >= 0)
		assert_int_equal(r.id, id);
	assert_int_equal(r.status, status);
}

static void run_tx(void)
{
	sent_count = 0;
	while (netback_tx(queue))
		;
}

static void test_send(void **state)
{
	guest_begins();
	for (u32 i = 0; i < 3000; i++) {
		u32 total = ETH_HEADER + rand() % (rand() % 2 ? 1500 : 65000), least = (total + 4095) / 4096;
		u32 wish = 1 + rand() % 18, slots = MAX(least, MIN(wish, total));

		for (u32 j = 0; j < total; j++)
			content[j] = rand();
		put_packet(total, slots, 0, NULL, i);
		run_tx();
		assert_int_equal(sent_count, 1);
		assert_int_equal(sent_length, total);
		assert_memory_equal(sent_bytes, content, total);
		for (u32 j = 0; j < slots; j++)
			expect_response((u16)(i + j), NETIF_RSP_OKAY);
	}
	assert_int_equal(vif.broken, 0);
	assert_int_equal(vif.device.rx_packets, 3000);
	guest_ends();
}

static void gso_content(u32 total)
{
	struct packet *p = make_packet(false, IPPROTO_TCP, total - 54, 0);

	packet_read(p, 0, content, total);
	packet_put(p);
}

static void test_send_gso(void **state)
{
	struct netif_extra_info extra = { .type = XEN_NETIF_EXTRA_TYPE_GSO, .u.gso = { .size = 1448, .type = XEN_NETIF_GSO_TYPE_TCPV4 } };

	guest_begins();
	gso_content(60000);
	put_packet(60000, 16, NETTXF_csum_blank | NETTXF_data_validated, &extra, 5);
	run_tx();
	assert_int_equal(sent_count, 1);
	assert_int_equal(sent_packet.gso_size, 1448);
	assert_int_equal(sent_packet.gso_type, XEN_NETIF_GSO_TYPE_TCPV4);
	expect_response(5, NETIF_RSP_OKAY);
	expect_response(-1, NETIF_RSP_NULL);
	for (u32 i = 1; i < 16; i++)
		expect_response(5 + i, NETIF_RSP_OKAY);
	for (u32 i = 0; i < 4; i++) {	/* what the offload asks for, the packet is not */
		struct netif_extra_info bad = extra;

		bad.u.gso.size = i == 0 ? 0 : i == 1 ? 1 : 1448;
		bad.u.gso.type = i == 2 ? XEN_NETIF_GSO_TYPE_TCPV6 : i == 3 ? 77 : XEN_NETIF_GSO_TYPE_TCPV4;
		put_packet(60000, 15, NETTXF_csum_blank, &bad, 5);
		run_tx();
		assert_int_equal(sent_count, 0);
		expect_response(5, NETIF_RSP_OKAY);	/* it was taken; that it goes nowhere is between it and the switch */
		expect_response(-1, NETIF_RSP_NULL);
		for (u32 j = 1; j < 15; j++)
			expect_response(5 + j, NETIF_RSP_OKAY);
	}
	assert_int_equal(vif.device.rx_dropped, 4);
	guest_ends();
}

/* One request as it stands. */
static void put_raw(u32 gref, u16 offset, u16 flags, u16 size)
{
	struct netif_tx_request r = { gref, offset, flags, 9, size };

	ring_put_request(&tx_front, &r, sizeof(r));
}

static void expect_error(void)
{
	ring_push_requests(&tx_front);
	run_tx();
	assert_int_equal(sent_count, 0);
	assert_int_equal(vif.broken, 0);
	expect_response(9, NETIF_RSP_ERROR);
	while (ring_responses(&tx_front) > 0)
		expect_response(9, NETIF_RSP_ERROR);
	put_packet(100, 1, 0, NULL, 3);		/* the next one is not hurt */
	run_tx();
	assert_int_equal(sent_count, 1);
	expect_response(3, NETIF_RSP_OKAY);
}

static void test_bad_packets(void **state)
{
	guest_begins();
	put_raw(1, 0, 0, ETH_HEADER - 1);	/* too short */
	expect_error();
	put_raw(1, 0, 0, 0);
	expect_error();
	put_raw(1, 0, NETTXF_more_data, 100);	/* the rest is as much as all */
	put_raw(2, 0, 0, 100);
	expect_error();
	put_raw(1, 0, NETTXF_more_data, 100);	/* or more */
	put_raw(2, 0, 0, 4000);
	expect_error();
	put_raw(1, 0, NETTXF_more_data, 100);	/* a fragment of nothing */
	put_raw(2, 0, 0, 0);
	expect_error();
	put_raw(GRANTS, 0, 0, 100);		/* no such grant */
	expect_error();
	put_raw(1, 0, NETTXF_more_data, 3000);
	put_raw(~0u, 0, 0, 1000);
	expect_error();
	put_raw(1, 0, NETTXF_csum_blank, 60);	/* no headers for it */
	ring_push_requests(&tx_front);
	run_tx();
	assert_int_equal(sent_count, 0);
	expect_response(9, NETIF_RSP_OKAY);
	guest_ends();
}

static void expect_broken(void)
{
	ring_push_requests(&tx_front);
	run_tx();
	assert_int_equal(sent_count, 0);
	assert_int_equal(vif.broken, -EIO);
	guest_ends();
	guest_begins();
}

static void put_extra(u8 type, u8 flags)
{
	struct netif_extra_info extra = { .type = type, .flags = flags };
	struct netif_tx_request slot = { 0 };

	memcpy(&slot, &extra, sizeof(extra));
	ring_put_request(&tx_front, &slot, sizeof(slot));
}

static void test_broken_rings(void **state)
{
	guest_begins();
	put_raw(1, 4000, 0, 100);		/* leaves its page */
	expect_broken();
	put_raw(1, 0xffff, 0, 0xffff);
	expect_broken();
	put_raw(1, 0, 0, 5000);
	expect_broken();
	put_raw(1, 0, NETTXF_more_data, 3000);	/* no end */
	expect_broken();
	put_raw(1, 0, NETTXF_extra_info, 300);
	expect_broken();
	for (u32 i = 0; i < 30; i++)		/* too many */
		put_raw(1, 0, NETTXF_more_data, i ? 10 : 3000);
	expect_broken();
	for (u32 type = 0; type < 256; type++) {
		if (type > XEN_NETIF_EXTRA_TYPE_NONE && type < XEN_NETIF_EXTRA_TYPE_MAX)
			continue;
		put_raw(1, 0, NETTXF_extra_info, 300);
		put_extra(type, 0);
		expect_broken();
	}
	put_raw(1, 0, NETTXF_extra_info, 300);	/* extra info without end */
	for (u32 i = 0; i < 100; i++)
		put_extra(XEN_NETIF_EXTRA_TYPE_HASH, XEN_NETIF_EXTRA_FLAG_MORE);
	expect_broken();
	tx_front.shared->req_prod = 257;	/* more than the ring holds */
	expect_broken();
	tx_front.shared->req_prod = -1u;
	expect_broken();
	guest_ends();
}

static void test_full_ring(void **state)
{
	guest_begins();
	for (u32 i = 0; i < 256; i++)
		put_raw(i, 10, 0, 60);
	ring_push_requests(&tx_front);
	run_tx();
	assert_int_equal(sent_count, 256);
	for (u32 i = 0; i < 256; i++)
		expect_response(9, NETIF_RSP_OKAY);
	guest_ends();
}

static void test_no_memory(void **state)
{
	guest_begins();
	put_packet(60000, 16, 0, NULL, 0);
	pages_left = 5;
	run_tx();
	pages_left = 1000000;
	assert_int_equal(sent_count, 0);
	for (u32 i = 0; i < 16; i++)
		expect_response(i, NETIF_RSP_DROPPED);
	guest_ends();
}

static void multicast(u8 type, u8 last, int status)
{
	struct netif_extra_info extra = { .type = type, .u.mcast.addr = { 0x33, 0x33, 0, 0, 0, last } };
	struct netif_tx_request slot = { 0 };

	put_raw(0, 0, NETTXF_extra_info, 0);
	memcpy(&slot, &extra, sizeof(extra));
	ring_put_request(&tx_front, &slot, sizeof(slot));
	ring_push_requests(&tx_front);
	run_tx();
	expect_response(9, status);
	expect_response(-1, NETIF_RSP_NULL);
}

static void send_to_guest(const char *to)
{
	struct packet *p = packet_alloc(60);

	memset(p->pieces[0].data, 0, 60);
	memcpy(p->pieces[0].data, to, 6);
	netback_send(&vif.device, p);
}

static void test_multicast(void **state)
{
	guest_begins();
	multicast(XEN_NETIF_EXTRA_TYPE_MCAST_ADD, 1, NETIF_RSP_ERROR);
	vif.multicast_control = true;
	multicast(XEN_NETIF_EXTRA_TYPE_MCAST_ADD, 1, NETIF_RSP_OKAY);
	multicast(XEN_NETIF_EXTRA_TYPE_MCAST_ADD, 1, NETIF_RSP_OKAY);
	assert_int_equal(vif.nr_multicast, 1);
	for (u32 i = 1; i < NETBACK_MULTICAST; i++)
		multicast(XEN_NETIF_EXTRA_TYPE_MCAST_ADD, 1 + i, NETIF_RSP_OKAY);
	multicast(XEN_NETIF_EXTRA_TYPE_MCAST_ADD, 200, NETIF_RSP_ERROR);
	send_to_guest("\x33\x33\0\0\0\x01");
	send_to_guest("\xff\xff\xff\xff\xff\xff");
	send_to_guest("\x02\0\0\0\0\x01");
	assert_int_equal(queue->pending_count, 3);
	multicast(XEN_NETIF_EXTRA_TYPE_MCAST_DEL, 1, NETIF_RSP_OKAY);
	send_to_guest("\x33\x33\0\0\0\x01");
	assert_int_equal(queue->pending_count, 3);
	guest_ends();
}

/* Whole intervals; what is owed is paid before the next packet. */
static void test_rate(void **state)
{
	u32 passed = 0;

	guest_begins();
	vif.rate = (struct vif_rate){ .bytes = 1000, .interval = 1000000, .credit = 1000, .filled_at = clock_ns };
	for (u32 round = 0; round < 200; round++) {
		while (ring_front_room(&tx_front))
			put_raw(1, 0, 0, 1500);
		ring_push_requests(&tx_front);
		run_tx();
		passed += sent_count;
		while (ring_responses(&tx_front) > 0)
			expect_response(9, NETIF_RSP_OKAY);
		clock_ns += 1000000;
	}
	assert_in_range(passed, 132, 136);
	guest_ends();
}

/* --- what a guest gets --- */

static u32 posted;

static void post(u32 count)
{
	for (; count && ring_front_room(&rx_front); count--, posted++) {
		struct netif_rx_request r __attribute__((aligned(8))) = { posted, 0, posted % GRANTS };

		ring_put_request(&rx_front, &r, sizeof(r));
	}
	ring_push_requests(&rx_front);
}

/* The next packet, as a frontend puts it together; 0: none. */
static u32 get_packet(u32 *taken, u16 *flags, struct netif_extra_info *extra)
{
	struct netif_rx_response r __attribute__((aligned(8)));
	u32 length = 0;
	bool first = true, more = true;

	extra->type = 0;
	while (more) {
		if (ring_get_response(&rx_front, &r, sizeof(r)) != 1) {
			assert_true(first);
			return 0;
		}
		assert_int_equal(r.id, (u16)*taken);
		assert_true(r.status > 0 && r.offset + r.status <= 4096);
		memcpy(sent_bytes + length, guest_page[*taken % GRANTS] + r.offset, r.status);
		length += r.status;
		(*taken)++;
		if (first)
			*flags = r.flags;
		if (r.flags & NETRXF_extra_info) {
			assert_true(first);
			assert_int_equal(ring_get_response(&rx_front, extra, sizeof(*extra)), 1);
			(*taken)++;
		}
		first = false;
		more = r.flags & NETRXF_more_data;
	}
	return length;
}

static struct packet *random_packet(u32 length)
{
	u16 lengths[19];
	u32 n = 0;

	for (u32 at = 0; at < length; at += lengths[n++]) {
		u32 left = length - at, wish = 1 + rand() % 4096;

		if (n == 18 || rand() % 2 || left > (18 - n) * 4000)
			wish = 4096;
		lengths[n] = MIN(left, wish);
	}
	return packet_alloc_pieces(lengths, n);
}

static void test_receive(void **state)
{
	static u8 expected[40][65536];
	u32 lengths[40], first = 0, last = 0, taken = 0, length;
	struct netif_extra_info extra __attribute__((aligned(8)));
	u16 flags;

	guest_begins();
	posted = 0;
	for (u32 i = 0; i < 20000 && !vif.broken; i++) {
		if (rand() % 3 && last - first < 30) {
			struct packet *p = random_packet(ETH_HEADER + rand() % (rand() % 4 ? 2000 : 65000));

			for (u32 j = 0; j < p->length; j++)
				expected[last % 40][j] = rand();
			packet_write(p, 0, expected[last % 40], p->length);
			p->csum_blank = true;
			p->gso_type = p->length > 2000;
			p->gso_size = last;
			lengths[last++ % 40] = p->length;
			netback_send(&vif.device, p);
			if (rand() % 2)
				netback_flush(&vif.device);
		} else {
			post(rand() % 60);
			netback_rx(queue);
		}
		while (rand() % 4 && (length = get_packet(&taken, &flags, &extra))) {
			assert_int_equal(length, lengths[first % 40]);
			assert_memory_equal(sent_bytes, expected[first % 40], length);
			assert_true(flags & NETRXF_csum_blank);
			if (length > 2000) {
				assert_int_equal(extra.type, XEN_NETIF_EXTRA_TYPE_GSO);
				assert_int_equal(extra.u.gso.size, (u16)first);
			}
			first++;
		}
	}
	assert_true(first > 3000);
	assert_int_equal(vif.device.tx_dropped, 0);
	guest_ends();
}

/* Eighteen pieces of one byte are one buffer all the same. */
static void test_receive_small_pieces(void **state)
{
	u16 lengths[18];
	struct packet *p;

	guest_begins();
	for (u32 i = 0; i < 18; i++)
		lengths[i] = 5;
	p = packet_alloc_pieces(lengths, 18);
	for (u32 i = 0; i < 18; i++)
		memset(p->pieces[i].data, i, 5);
	post(1);
	netback_send(&vif.device, p);
	netback_flush(&vif.device);
	assert_int_equal(queue->pending_count, 0);
	guest_ends();
}

static void test_no_buffers(void **state)
{
	guest_begins();
	for (u32 i = 0; i < 2000; i++)
		send_to_guest("\x02\0\0\0\0\x01");
	netback_flush(&vif.device);
	assert_int_equal(queue->pending_count, RX_PENDING);
	assert_int_equal(vif.device.tx_dropped, 2000 - RX_PENDING);
	guest_ends();
	guest_begins();
	for (u32 i = 0; i < 200; i++)
		netback_send(&vif.device, packet_alloc(65000));
	assert_in_range(vif.pending_pages, RX_PENDING_PAGES - 20, RX_PENDING_PAGES);
	assert_true(vif.device.tx_dropped > 100);
	vif.sg = false;
	netback_send(&vif.device, packet_alloc(4097));
	assert_int_equal(queue->pending_count, 200 + 1 - vif.device.tx_dropped);
	guest_ends();
}

/* What counts is memory, not bytes. */
static void test_pages_by_piece(void **state)
{
	u16 lengths[18];

	for (u32 i = 0; i < 18; i++)
		lengths[i] = 60;
	guest_begins();
	for (u32 i = 0; i < 200; i++) {
		struct packet *p = packet_alloc_pieces(lengths, 18);

		memset(p->pieces[0].data, 2, 60);
		netback_send(&vif.device, p);
	}
	assert_int_equal(vif.pending_pages, pages_out);
	assert_in_range(pages_out, 1, RX_PENDING_PAGES);
	guest_ends();
	guest_begins();				/* nor does a guest make such packets for another */
	for (u32 i = 0; i < 2100; i++)
		content[i] = rand();
	put_packet(2100, 18, 0, NULL, 0);
	run_tx();
	assert_int_equal(sent_count, 1);
	assert_memory_equal(sent_bytes, content, 2100);
	assert_int_equal(sent_packet.nr_pieces, 1);
	guest_ends();
}

static void crowd(struct vif *to, u32 packets)
{
	for (u32 i = 0; i < packets; i++) {
		struct packet *p = packet_alloc(60000);

		memset(p->pieces[0].data, 2, 60);
		netback_send(&to->device, p);
	}
}

/* Guests that take nothing: together they hold no more than the bound and what each has for sure. */
static void test_shared_bound(void **state)
{
	struct vif_queue *queues = calloc(40, sizeof(*queues));
	struct vif *vifs = calloc(40, sizeof(*vifs));

	guest_begins();
	for (u32 i = 0; i < 40; i++) {
		vifs[i] = vif;
		vifs[i].device.data = &vifs[i];
		vifs[i].queue = &queues[i];
		queues[i].vif = &vifs[i];
		crowd(&vifs[i], 100);
		assert_in_range(vifs[i].pending_pages, 15, RX_PENDING_PAGES);
	}
	assert_int_equal(pages_waiting, pages_out);
	assert_in_range(pages_out, netback_pages_max - 20, netback_pages_max + 40 * RX_PENDING_SURE);
	netback_rx_drop(&queues[0]);			/* and who takes some has room again */
	crowd(&vifs[0], 2);
	assert_in_range(vifs[0].pending_pages, 15, RX_PENDING_PAGES);
	for (u32 i = 0; i < 40; i++)
		netback_rx_drop(&queues[i]);
	free(queues);
	free(vifs);
	guest_ends();
}

static void watch(u32 ticks)
{
	while (ticks--)
		netback_rx_watch(queue);
}

/* A guest that takes nothing loses what waits, and then has one packet waiting at a time until it is back. */
static void test_stalled(void **state)
{
	guest_begins();
	for (u32 i = 0; i < 100; i++)
		send_to_guest("\x02\0\0\0\0\x01");
	woken = 0;
	netback_flush(&vif.device);
	netback_flush(&vif.device);
	assert_int_equal(woken, 1);
	watch(RX_STALL_TICKS - 1);
	assert_int_equal(queue->pending_count, 100);
	posted = 0;
	post(10);
	netback_rx(queue);
	watch(RX_STALL_TICKS);
	assert_int_equal(queue->pending_count, 90);	/* for it moves, if slowly */
	watch(1);
	assert_int_equal(queue->pending_count, 0);
	assert_int_equal(pages_out, 0);
	assert_int_equal(vif.stalls, 1);
	assert_int_equal(vif.device.tx_dropped, 90);
	for (u32 i = 0; i < 100; i++)
		send_to_guest("\x02\0\0\0\0\x01");
	assert_int_equal(queue->pending_count, 1);
	post(10);
	netback_rx(queue);
	assert_int_equal(queue->pending_count, 0);
	for (u32 i = 0; i < 20; i++)
		send_to_guest("\x02\0\0\0\0\x01");
	assert_int_equal(queue->pending_count, 20);
	assert_false(netback_rx_watch(queue) && vif.stalls != 1);
	guest_ends();
}

static void test_bad_buffers(void **state)
{
	struct netif_rx_request r __attribute__((aligned(8))) = { 1, 0, GRANTS + 5 };
	struct netif_rx_response response __attribute__((aligned(8)));

	guest_begins();
	ring_put_request(&rx_front, &r, sizeof(r));
	ring_push_requests(&rx_front);
	send_to_guest("\x02\0\0\0\0\x01");
	netback_flush(&vif.device);
	assert_int_equal(ring_get_response(&rx_front, &response, sizeof(response)), 1);
	assert_int_equal(response.status, NETIF_RSP_ERROR);
	rx_front.shared->req_prod += 1000;
	send_to_guest("\x02\0\0\0\0\x01");
	netback_flush(&vif.device);
	assert_int_equal(vif.broken, -EIO);
	guest_ends();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_send), cmocka_unit_test(test_send_gso), cmocka_unit_test(test_bad_packets),
		cmocka_unit_test(test_broken_rings), cmocka_unit_test(test_full_ring), cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_multicast), cmocka_unit_test(test_rate), cmocka_unit_test(test_receive),
		cmocka_unit_test(test_pages_by_piece), cmocka_unit_test(test_shared_bound), cmocka_unit_test(test_stalled),
		cmocka_unit_test(test_receive_small_pieces), cmocka_unit_test(test_no_buffers), cmocka_unit_test(test_bad_buffers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
