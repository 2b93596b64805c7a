/* SPDX-License-Identifier: MIT */
/*
 * pvkernel/control/devices/virtio_net.c against a model of a network card that does what the header of a frame asks: it cuts a large packet,
 * IPv6 too, by the header's words alone and completes checksums where they say, and each segment has to be right. The other way a frame of
 * any number of buffers arrives whole, with its offload; one whose header promises what the frame is not does not arrive.
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
#define kmalloc(size) calloc(1, size)

struct wait_queue { struct list waiters; };

static void wait_on(struct wait_queue *q) { abort(); }
static void wake_up(struct wait_queue *q) { }
static bool thread_create(const char *name, void (*fn)(void *), void *arg) { return true; }

#include "../../pvkernel/control/devices/virtqueue.c"
#include "../../pvkernel/control/devices/virtio_net.c"

#define ENTRIES 64
#define BIG 70000u

/* --- the card --- */

static u64 offered;
static struct virtio_net *driver;
static u8 memory[QUEUES][3][PAGE_SIZE] __attribute__((aligned(4096)));
static u16 taken[QUEUES], returned[QUEUES];

bool virtio_open(struct virtio_device *v, struct pci_device *pci) { return true; }
u64 virtio_offered(const struct virtio_device *v) { return offered; }
void virtio_ready(struct virtio_device *v) { }
void virtio_fail(struct virtio_device *v) { abort(); }
void virtio_kick(struct virtio_queue *q) { vq_publish(&q->ring); }
u32 virtio_config(const struct virtio_device *v, u32 offset, u32 bytes) { return offset == 0 ? 2 : offset; }
u64 dma_address(const void *va) { return (u64)va; }

bool virtio_agree(struct virtio_device *v, u64 wanted)
{
	v->features = wanted & offered;
	return true;
}

bool virtio_start_queues(struct virtio_device *v, struct virtio_queue *queues, u32 nr)
{
	for (u32 i = 0; i < nr; i++)
		vq_init(&queues[i].ring, ENTRIES, memory[i][0], memory[i][1], memory[i][2], true, false);
	driver = CONTAINER_OF(v, struct virtio_net, device);
	return true;
}

/* The buffers of the request that begins at `head`, one after the other; writes into them or reads them. */
static u32 move(u32 queue, u16 head, u8 *bytes, u32 length, bool write)
{
	const struct vring_desc *table = driver->queues[queue].ring.desc, *d = &table[head];
	u32 at = 0;

	if (d->flags & VRING_DESC_INDIRECT)
		d = table = (void *)d->addr;
	for (;; d = &table[d->next]) {
		u32 n = MIN(d->len, length - at);

		assert_int_equal(!!(d->flags & VRING_DESC_WRITE), write);
		if (write)
			memcpy((void *)d->addr, bytes + at, n);
		else
			memcpy(bytes + at, (void *)d->addr, n);
		at += n;
		if (!(d->flags & VRING_DESC_NEXT))
			return at;
	}
}

static void give_back(u32 queue, u16 head, u32 written)
{
	struct virtqueue *q = &driver->queues[queue].ring;

	q->used->ring[returned[queue] % ENTRIES].id = head;
	q->used->ring[returned[queue]++ % ENTRIES].len = written;
	q->used->index = returned[queue];
}

/* The next request; false: none. */
static bool take(u32 queue, u16 *head)
{
	struct virtqueue *q = &driver->queues[queue].ring;

	if (taken[queue] == q->avail->index)
		return false;
	*head = q->avail->ring[taken[queue]++ % ENTRIES];
	return true;
}

static struct {
	struct virtio_net_header header;
	u8 frame[BIG];
} wire;

/* A frame that was sent, with its header in front; its length. */
static u32 transmitted(void)
{
	static u8 all[BIG];
	u32 length;
	u16 head;

	assert_true(take(SEND, &head));
	length = move(SEND, head, all, sizeof(all), false) - sizeof(wire.header);
	memcpy(&wire.header, all, sizeof(wire.header));
	memcpy(wire.frame, all + sizeof(wire.header), length);
	give_back(SEND, head, 0);
	return length;
}

/* What came from the card. */
static struct packet *arrived;

static void receive(struct net_device *d, struct packet *p)
{
	assert_null(arrived);
	arrived = p;
}

/* As many buffers as it takes, if `buffers` is 0, else what it says of them. */
static void deliver(u32 length, u16 buffers)
{
	static u8 all[BIG];
	u32 total = length + sizeof(wire.header), n = RECEIVE_DATA + sizeof(wire.header);

	wire.header.buffers = buffers ? buffers : (total + n - 1) / n;
	memcpy(all, &wire, total);
	for (u32 at = 0; at < total; at += n) {
		u16 head;

		assert_true(take(RECEIVE, &head));
		give_back(RECEIVE, head, move(RECEIVE, head, all + at, total - at, true));
	}
	take_received(driver);
}

static void plug(u64 features)
{
	static struct pci_device pci;

	memset(memory, 0, sizeof(memory));
	memset(taken, 0, sizeof(taken));
	memset(returned, 0, sizeof(returned));
	offered = features;
	virtio_net_probe(&pci);
	driver->net.receive = receive;
}

/* All but the buffers that the card has are free again. */
static void unplug(void)
{
	struct slot *s;
	u32 written;
	u16 head;

	free_sent(driver);
	while (take(RECEIVE, &head))
		give_back(RECEIVE, head, 0);
	for (struct packet *p; (p = vq_get(&driver->queues[RECEIVE].ring, &written));)
		packet_put(p);
	while ((s = driver->free_slots)) {
		driver->free_slots = s->next;
		free(s);
	}
	net_device_unregister(&driver->net);
	free(driver);
	assert_int_equal(pages_out, 0);
}

#define ALL_OFFLOAD (VIRTIO_F(FEATURE_CSUM) | VIRTIO_F(FEATURE_GUEST_CSUM) | VIRTIO_F(FEATURE_HOST_TSO4) | VIRTIO_F(FEATURE_HOST_TSO6) | \
		     VIRTIO_F(FEATURE_GUEST_TSO4) | VIRTIO_F(FEATURE_GUEST_TSO6) | VIRTIO_F(FEATURE_MERGE))

static struct packet *large(bool ipv6, u32 payload, u16 size)
{
	struct packet *p = make_packet(ipv6, IPPROTO_TCP, payload, 0);

	p->csum_blank = true;
	p->gso_type = ipv6 ? XEN_NETIF_GSO_TYPE_TCPV6 : XEN_NETIF_GSO_TYPE_TCPV4;
	p->gso_size = size;
	assert_true(packet_check_offload(p));
	return p;
}

/* --- sending --- */

/* As a card does it: the checksum from csum_start on, which holds the pseudo header's already, goes to csum_offset. */
static void complete(u8 *frame, u32 length)
{
	u32 at = wire.header.csum_start + wire.header.csum_offset;
	u16 sum = ~sum_words(frame + wire.header.csum_start, length - wire.header.csum_start, 0);

	frame[at] = sum >> 8;
	frame[at + 1] = sum;
}

static void check_frame(const u8 *frame, u32 length)
{
	struct packet *p = packet_alloc(length);

	packet_write(p, 0, frame, length);
	check_packet(p);
	packet_put(p);
}

/* A segment by the words of the header: those headers, so much of what is behind them, and lengths and checksums of its own. */
static u32 cut(u32 at, u32 length, const u8 *payload, bool ipv6)
{
	u32 headers = wire.header.header_length, n = MIN(length - headers - at, wire.header.gso_size);
	u32 tcp = wire.header.csum_start, field = tcp + wire.header.csum_offset;
	static u8 s[BIG];
	u32 sum;

	memcpy(s, wire.frame, headers);
	memcpy(s + headers, wire.frame + headers + at, n);
	assert_memory_equal(s + headers, payload + at, n);
	put16(ipv6 ? s + 18 : s + 16, headers + n - (ipv6 ? 54 : 14));
	sum = ipv6 ? sum_words(s + 22, 32, 6 + 20 + n) : sum_words(s + 26, 8, 6 + 20 + n);
	put16(s + field, sum);
	complete(s, headers + n);
	check_frame(s, headers + n);
	return n;
}

static void send_large(bool ipv6)
{
	static u8 original[BIG];

	for (u32 i = 0; i < 200; i++) {
		u16 size = 500 + rand() % 900;
		struct packet *p = large(ipv6, size + 1 + rand() % 60000, size);
		u32 length = p->length, headers = ipv6 ? 74 : 54, at = 0;

		packet_read(p, 0, original, length);
		net_send(&driver->net, p);
		net_flush(&driver->net);
		assert_int_equal(transmitted(), length);
		assert_int_equal(wire.header.flags, HEADER_NEEDS_CSUM);
		assert_int_equal(wire.header.gso_type, ipv6 ? 4 : 1);	/* virtio 1.1, 5.1.6 */
		assert_int_equal(wire.header.gso_size, size);
		assert_int_equal(wire.header.header_length, headers);
		while (at < length - headers)
			at += cut(at, length, original + headers, ipv6);
	}
}

static void test_card_cuts(void **state)
{
	plug(ALL_OFFLOAD);
	send_large(false);
	send_large(true);
	unplug();
}

/* What the card cannot cut is cut before, and what it cannot sum is summed. */
static void test_card_cannot(void **state)
{
	for (u32 csum = 0; csum < 2; csum++) {
		plug(csum ? VIRTIO_F(FEATURE_CSUM) | VIRTIO_F(FEATURE_HOST_TSO4) : 0);
		net_send(&driver->net, large(true, 14400, 1440));
		net_flush(&driver->net);
		for (u32 i = 0; i < 10; i++) {
			u32 length = transmitted();

			assert_int_equal(length, 74 + 1440);
			assert_int_equal(wire.header.gso_type, GSO_NONE);
			assert_int_equal(wire.header.flags, csum ? HEADER_NEEDS_CSUM : 0);
			if (csum)
				complete(wire.frame, length);
			check_frame(wire.frame, length);
		}
		assert_int_equal(taken[SEND], driver->queues[SEND].ring.avail->index);
		unplug();
	}
}

/* --- receiving --- */

static void fill_wire(struct packet *p)
{
	packet_read(p, 0, wire.frame, p->length);
	wire.header = (struct virtio_net_header){
		.flags = HEADER_NEEDS_CSUM, .gso_type = p->gso_type == XEN_NETIF_GSO_TYPE_TCPV6 ? GSO_TCP6 : GSO_TCP4, .gso_size = p->gso_size,
	};
	packet_put(p);
}

static void test_large_arrive(void **state)
{
	static u8 got[BIG];

	plug(ALL_OFFLOAD);
	for (u32 i = 0; i < 200; i++) {
		bool ipv6 = i & 1;
		struct packet *p = large(ipv6, 1 + rand() % 60000, 1440);
		u32 length = p->length;

		fill_wire(p);
		deliver(length, 0);
		assert_non_null(arrived);
		assert_int_equal(arrived->length, length);
		assert_int_equal(arrived->gso_type, ipv6 ? XEN_NETIF_GSO_TYPE_TCPV6 : XEN_NETIF_GSO_TYPE_TCPV4);
		assert_true(arrived->csum_blank);
		packet_read(arrived, 0, got, length);
		assert_memory_equal(got, wire.frame, length);
		check_segments(arrived);
		packet_put(arrived);
		arrived = NULL;
	}
	unplug();
}

static void test_headers_that_lie(void **state)
{
	static const struct {
		u8 gso;
		u16 size, buffers;
	} lies[] = {
		{ GSO_TCP4, 1440, 0 }, { GSO_TCP6, 0, 0 }, { GSO_TCP6, PACKET_GSO_MIN - 1, 0 }, { 3, 1440, 0 }, { 0x7f, 1440, 0 },
		{ GSO_TCP6, 1440, 1 }, { GSO_TCP6, 1440, 65535 }, { GSO_TCP6, 1440, 60 },
	};

	for (u32 i = 0; i < ARRAY_SIZE(lies); i++) {
		struct packet *p = large(true, 10000, 1440);
		u32 length = p->length;

		plug(ALL_OFFLOAD);
		fill_wire(p);
		wire.header.gso_type = lies[i].gso;
		wire.header.gso_size = lies[i].size;
		deliver(length, lies[i].buffers);
		assert_null(arrived);
		assert_true(driver->net.rx_dropped);
		unplug();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_card_cuts), cmocka_unit_test(test_card_cannot), cmocka_unit_test(test_large_arrive),
		cmocka_unit_test(test_headers_that_lie),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
