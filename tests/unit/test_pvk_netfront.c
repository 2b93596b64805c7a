/* SPDX-License-Identifier: MIT */
/* netfront against a pretended backend, which keeps to the protocol or breaks it; at the end of each test no page is granted any more. */
#include "netfront_host.h"

#include <setjmp.h>
#include <cmocka.h>

/* One packet in `parts` of these bytes, as a backend fills requests; flags are the first response's. */
static void deliver(const u8 *frame, const u32 *parts, u32 count, u16 flags, const struct netif_extra_info *extra)
{
	for (u32 i = 0; i < count; i++) {
		struct netif_rx_request r;
		struct netif_rx_response a;

		assert_int_equal(ring_get_request(&rx, &r, sizeof(r)), 1);
		memcpy(granted(r.gref, true), frame, parts[i]);
		frame += parts[i];
		a = (struct netif_rx_response){ .id = r.id, .flags = (i ? 0 : flags) | (i + 1 < count ? NETRXF_more_data : 0), .status = parts[i] };
		ring_put_response(&rx, &a, sizeof(a));
		if (!i && extra) {
			assert_int_equal(ring_get_request(&rx, &r, sizeof(r)), 1);
			ring_put_response(&rx, extra, sizeof(*extra));
		}
	}
	ring_push_responses(&rx);
	look(nf);
}

static u8 *tcp_frame(u32 payload)
{
	struct packet *p = make_packet(false, IPPROTO_TCP, payload, 0);
	u8 *frame;

	p->csum_blank = true;
	packet_complete_checksum(p);
	frame = malloc(p->length);
	packet_read(p, 0, frame, p->length);
	packet_put(p);
	return frame;
}

static void test_keys(void **s)
{
	assert_int_equal(start("multi-queue-max-queues=4 " ALL), 0);
	assert_non_null(strstr(written, "tx-ring-ref="));
	assert_non_null(strstr(written, "rx-ring-ref="));
	assert_non_null(strstr(written, "event-channel="));
	assert_non_null(strstr(written, "multi-queue-num-queues=1;"));
	assert_non_null(strstr(written, "request-rx-copy=1;feature-rx-notify=1;feature-sg=1;feature-gso-tcpv4=1;feature-gso-tcpv6=1;"));
	assert_true(nf->device.can_csum && nf->device.can_csum6 && nf->device.can_gso4 && nf->device.can_gso6);
	assert_int_equal(ring_requests(&rx), NETFRONT_ENTRIES);
	stop();
	assert_int_equal(start("feature-split-event-channels=1 feature-no-csum-offload=1 feature-gso-tcpv4=1"), 0);
	assert_non_null(strstr(written, "event-channel-tx="));
	assert_non_null(strstr(written, "event-channel-rx="));
	assert_null(strstr(written, "multi-queue"));
	assert_false(nf->device.can_csum || nf->device.can_gso4);
	stop();
	strcpy(boot.cmdline, "net_queues=3");
	assert_int_equal(start("multi-queue-max-queues=2"), 0);
	assert_non_null(strstr(written, "multi-queue-num-queues=2;"));
	assert_non_null(strstr(written, "queue-1/event-channel="));
	assert_int_equal(nf->nr_queues, 2);
	boot.cmdline[0] = 0;
	stop();
}

static void test_no_device(void **s)
{
	snprintf(offers, sizeof(offers), "feature-rx-copy=0");
	front = (struct frontend){ .path = "device/vif/0" };
	assert_int_equal(netfront_driver.publish(&front, 1), -EOPNOTSUPP);
	netfront_driver.removed(&front);
	pages_left = 100;
	assert_int_equal(start(ALL), 0);	/* fewer buffers to receive into */
	pages_left = 1000000;
	stop();
	pages_left = 10;
	assert_int_equal(start(ALL), -ENOMEM);
	pages_left = 1000000;
	netfront_driver.removed(&front);
	assert_int_equal(pages_out, 0);
}

/* What the backend sees of a packet: the bytes, and in the pages nothing besides. */
static u32 take_sent(u8 *to, u16 *flags, struct netif_extra_info *extra, bool answer)
{
	struct netif_tx_request r;
	u32 length = 0, total = 0;
	bool more;

	do {
		u32 n;

		assert_int_equal(ring_get_request(&tx, &r, sizeof(r)), 1);
		if (!length) {
			total = r.size;
			*flags = r.flags;
		}
		if (r.flags & NETTXF_extra_info) {
			u32 slot[3];

			assert_int_equal(ring_get_request(&tx, slot, sizeof(slot)), 1);
			memcpy(extra, slot, sizeof(*extra));
		}
		more = r.flags & NETTXF_more_data;
		n = length ? r.size : MIN(total, PAGE_SIZE - r.offset);
		assert_true(r.offset + n <= PAGE_SIZE);
		memcpy(to + length, granted(r.gref, false) + r.offset, n);
		for (u32 i = r.offset + n; i < PAGE_SIZE; i++)
			assert_int_equal(granted(r.gref, false)[i], 0);
		length += n;
		if (answer) {
			struct netif_tx_response a = { .id = r.id };

			ring_put_response(&tx, &a, sizeof(struct netif_tx_response));
			if (r.flags & NETTXF_extra_info) {
				a = (struct netif_tx_response){ .id = 0xffff, .status = NETIF_RSP_NULL };
				ring_put_response(&tx, &a, sizeof(a));
			}
		}
	} while (more);
	assert_int_equal(length, total);
	if (answer)
		ring_push_responses(&tx);
	return length;
}

static void send_one(bool gso, u32 payload)
{
	static u8 seen[65536], meant[65536];
	struct packet *p = make_packet(false, IPPROTO_TCP, payload, 0);
	struct netif_extra_info extra = { 0 };
	u32 length = p->length;
	u16 flags;

	p->csum_blank = true;
	p->gso_type = gso ? XEN_NETIF_GSO_TYPE_TCPV4 : 0;
	p->gso_size = gso ? 1460 : 0;
	packet_read(p, 0, meant, length);
	nf->device.send(&nf->device, p);
	nf->device.flush(&nf->device);
	assert_int_equal(take_sent(seen, &flags, &extra, true), length);
	assert_memory_equal(seen, meant, length);
	assert_true(flags & NETTXF_csum_blank);
	assert_int_equal(!!(flags & NETTXF_extra_info), gso);
	if (gso)
		assert_true(extra.type == XEN_NETIF_EXTRA_TYPE_GSO && extra.u.gso.size == 1460 && extra.u.gso.type == XEN_NETIF_GSO_TYPE_TCPV4);
}

static void test_send(void **s)
{
	assert_int_equal(start(ALL), 0);
	for (u32 i = 0; i < 50; i++)
		send_one(false, 1400);
	send_one(false, 0);
	stop();
	assert_int_equal(start(ALL), 0);
	send_one(true, 64240);
	assert_int_equal(nf->device.tx_packets, 1);
	stop();
}

static void answer_all(void)
{
	static u8 seen[65536];
	struct netif_extra_info extra;
	u16 flags;

	while (ring_requests(&tx) > 0)
		take_sent(seen, &flags, &extra, true);
}

static void flood(u32 count)
{
	for (u32 i = 0; i < count; i++)
		nf->device.send(&nf->device, make_packet(false, IPPROTO_UDP, 100, 0));
	nf->device.flush(&nf->device);
}

static void test_full(void **s)
{
	assert_int_equal(start(ALL), 0);
	flood(300);		/* nobody answers: what does not fit is dropped, after one wait */
	assert_int_equal(nf->device.tx_packets, NETFRONT_ENTRIES);
	assert_int_equal(nf->device.tx_dropped, 300 - NETFRONT_ENTRIES);
	answer_all();
	flood(10);
	assert_int_equal(nf->device.tx_packets, NETFRONT_ENTRIES + 10);
	meanwhile = answer_all;	/* who waits is served meanwhile */
	flood(500);
	assert_int_equal(nf->device.tx_packets, NETFRONT_ENTRIES + 510);
	stop();
}

static void test_not_for_this_backend(void **s)
{
	assert_int_equal(start(""), 0);		/* no scatter-gather: nothing longer than a page */
	nf->device.send(&nf->device, make_packet(false, IPPROTO_UDP, 5000, 0));
	assert_int_equal(nf->device.tx_dropped, 1);
	stop();
}

static void test_receive(void **s)
{
	u32 whole[] = { 1054 }, split[] = { 54, 1, 999 }, big[16] = { 54 };
	struct netif_extra_info gso = { .type = XEN_NETIF_EXTRA_TYPE_GSO, .u.gso = { .size = 1460, .type = XEN_NETIF_GSO_TYPE_TCPV4 } };
	u8 *frame = tcp_frame(1000), *large = tcp_frame(14 * 4096);

	assert_int_equal(start(ALL), 0);
	for (u32 i = 0; i < 300; i++) {		/* round the ring */
		deliver(frame, i & 1 ? split : whole, i & 1 ? 3 : 1, NETRXF_data_validated, NULL);
		assert_int_equal(nr_got, 1);
		assert_true(got[0]->length == 1054 && got[0]->csum_valid && !got[0]->csum_blank && !got[0]->gso_type);
		check_packet(got[0]);
		drop_got();
	}
	for (u32 i = 1; i < 15; i++)
		big[i] = 4096;
	deliver(large, big, 15, NETRXF_csum_blank | NETRXF_data_validated | NETRXF_extra_info, &gso);
	assert_int_equal(nr_got, 1);
	assert_true(got[0]->csum_blank && got[0]->gso_size == 1460 && got[0]->length == 54 + 14 * 4096);
	assert_int_equal(nf->errors, 0);
	stop();
	free(frame);
	free(large);
}

/* A response that lies; the device goes on (ok) or is given up. */
static void lie(struct netif_rx_response a, bool keep_id, bool goes_on)
{
	u32 whole[] = { 1054 };
	u8 *frame = tcp_frame(1000);
	struct netif_rx_request r;

	assert_int_equal(start(ALL), 0);
	ring_get_request(&rx, &r, sizeof(r));
	if (keep_id)
		a.id = r.id;
	ring_put_response(&rx, &a, sizeof(a));
	ring_push_responses(&rx);
	look(nf);
	assert_int_equal(nr_got, 0);
	assert_int_equal(nf->failed, !goes_on);
	if (goes_on && !(a.flags & (NETRXF_more_data | NETRXF_extra_info))) {
		deliver(frame, whole, 1, 0, NULL);
		assert_int_equal(nr_got, 1);
	}
	stop();
	free(frame);
}

static void test_lies_received(void **s)
{
	lie((struct netif_rx_response){ .offset = 1, .status = 4096 }, true, true);
	lie((struct netif_rx_response){ .offset = 0xffff, .status = 0x7fff }, true, true);
	lie((struct netif_rx_response){ .offset = 4000, .status = 97 }, true, true);
	lie((struct netif_rx_response){ .status = -1 }, true, true);
	lie((struct netif_rx_response){ .status = -32768 }, true, true);
	lie((struct netif_rx_response){ .status = 13 }, true, true);	/* no Ethernet header */
	lie((struct netif_rx_response){ .status = 100, .flags = NETRXF_csum_blank }, true, true);	/* no checksum where one would be */
	lie((struct netif_rx_response){ .status = 100, .flags = NETRXF_more_data }, true, true);
	lie((struct netif_rx_response){ .status = 100, .flags = NETRXF_extra_info }, true, true);
	lie((struct netif_rx_response){ .status = 100, .id = 77 }, false, false);
}

static void test_endless_packet(void **s)
{
	u32 whole[] = { 1054 }, one[] = { 0 };
	u8 *frame = tcp_frame(1000);

	assert_int_equal(start(ALL), 0);
	for (u32 i = 0; i < 1000; i++) {
		struct netif_rx_request r;
		struct netif_rx_response a = { .status = 4096, .flags = NETRXF_more_data };

		assert_int_equal(ring_get_request(&rx, &r, sizeof(r)), 1);
		a.id = r.id;
		ring_put_response(&rx, &a, sizeof(a));
		ring_push_responses(&rx);
		look(nf);
	}
	deliver(frame, one, 1, 0, NULL);	/* its end */
	assert_int_equal(nr_got, 0);
	assert_int_equal(nf->device.rx_dropped, 1);
	deliver(frame, whole, 1, 0, NULL);
	assert_int_equal(nr_got, 1);
	stop();
	free(frame);
}

static void test_lies_sent(void **s)
{
	static const struct netif_tx_response bad[] = { { .id = 0xffff }, { .id = 5 } };

	for (u32 i = 0; i < 3; i++) {
		struct netif_tx_request r;
		struct netif_tx_response a;

		assert_int_equal(start(ALL), 0);
		flood(2);
		ring_get_request(&tx, &r, sizeof(r));
		ring_get_request(&tx, &r, sizeof(r));
		a = i < 2 ? bad[i] : (struct netif_tx_response){ .id = r.id };
		ring_put_response(&tx, &a, sizeof(a));
		ring_put_response(&tx, &a, sizeof(a));	/* the third: the same twice */
		ring_push_responses(&tx);
		look(nf);
		assert_true(nf->failed);
		flood(1);
		assert_int_equal(nf->device.tx_packets, 2);
		stop();
	}
}

static void test_index_jumps(void **s)
{
	assert_int_equal(start(ALL), 0);
	rx.shared->rsp_prod = 0x80000000;
	look(nf);
	assert_true(nf->failed && !nr_got);
	stop();
	assert_int_equal(start(ALL), 0);
	tx.shared->rsp_prod = 1;
	look(nf);
	assert_true(nf->failed);
	stop();
}

static u64 flooded;

static void answer_one(void)
{
	struct netif_rx_request r;
	struct netif_rx_response a = { .status = 60 };

	if (!ring_requests(&rx))
		netfront_post(&nf->queues[0]);		/* as it would do a little later */
	assert_int_equal(ring_get_request(&rx, &r, sizeof(r)), 1);
	a.id = r.id;
	ring_put_response(&rx, &a, sizeof(a));
	ring_push_responses(&rx);
}

static void take_and_answer(struct net_device *d, struct packet *p)
{
	packet_put(p);
	if (++flooded < 100000)
		answer_one();
}

/* A backend that has another packet whenever one is taken: the thread looks again, but the locks are free in between. */
static void test_flood(void **s)
{
	assert_int_equal(start(ALL), 0);
	nf->device.receive = take_and_answer;
	flooded = 0;
	nf->event = false;
	for (u32 i = 0; i < 4; i++)
		answer_one();
	look(nf);
	assert_in_range(flooded, NETFRONT_ENTRIES, RX_ROUND);
	assert_true(nf->event);
	nf->device.receive = receive;
	stop();
}

static void test_storm(void **s)
{
	assert_int_equal(start(ALL), 0);
	for (u32 i = 0; i < 100; i++)
		hold_off(nf, look(nf));
	assert_true(nf->held_off && masked);
	hold_off(nf, true);
	assert_int_equal(nf->spurious, 0);
	stop();
}

static void test_restarted_backend(void **s)
{
	u32 whole[] = { 1054 };
	u8 *frame = tcp_frame(1000);

	assert_int_equal(start(ALL), 0);
	flood(3);
	netfront_driver.disconnected(&front);
	flood(2);
	assert_int_equal(nf->device.tx_dropped, 2);
	assert_int_equal(netfront_driver.publish(&front, 1), 0);
	assert_int_equal(netfront_driver.connected(&front), 0);
	map_rings(0);
	flood(1);
	assert_int_equal(ring_requests(&tx), 1);
	deliver(frame, whole, 1, 0, NULL);
	assert_int_equal(nr_got, 1);
	stop();
	free(frame);
}

static void test_random_rings(void **s)
{
	srand(1);
	for (u32 round = 0; round < 300; round++) {
		assert_int_equal(start(ALL), 0);
		for (u32 i = 0; i < 60; i++) {
			struct netif_rx_request r;
			struct netif_rx_response a;

			if (ring_get_request(&rx, &r, sizeof(r)) <= 0)
				break;
			a = (struct netif_rx_response){ .id = rand() % 200 ? r.id : rand(), .flags = rand() & 31, .offset = rand() % 3 ? 0 : rand(),
							.status = rand() % 3 ? rand() % 4097 : rand() };
			for (u32 k = 0; k < 64; k++)
				granted(r.gref, true)[k] = rand() % 4 ? 0x45 : rand();
			ring_put_response(&rx, &a, sizeof(a));
			ring_push_responses(&rx);
			look(nf);
			drop_got();
			if (nf->failed)
				break;
		}
		stop();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys), cmocka_unit_test(test_no_device), cmocka_unit_test(test_send), cmocka_unit_test(test_full),
		cmocka_unit_test(test_not_for_this_backend), cmocka_unit_test(test_receive), cmocka_unit_test(test_lies_received),
		cmocka_unit_test(test_endless_packet), cmocka_unit_test(test_lies_sent), cmocka_unit_test(test_index_jumps),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_storm), cmocka_unit_test(test_restarted_backend), cmocka_unit_test(test_random_rings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
