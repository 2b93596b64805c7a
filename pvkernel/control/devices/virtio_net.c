/* SPDX-License-Identifier: MIT */
/*
 * virtio-net as network devices eth0, eth1, ... (virtio 1.1, section 5.1), queue 0 for receiving, 1 for sending.
 *
 * A buffer for receiving is a packet whose first piece begins with the device's header; a frame that needs more of them gets the pieces of
 * those that follow. What the header promises of checksums and segments is held against the frame before anybody believes it.
 * Each frame to be sent has a slot: header and table of buffers in one piece of memory within a page. A thread of the
 * device takes what comes and frees what was sent; senders free that, too, so a slot is there unless the queue is full: then the
 * frame is dropped and counted.
 *
 * Queues and slots are guarded by disabled interrupts.
 */
#include "../../include/lib.h"
#include "../../include/mm.h"
#include "../../include/net.h"
#include "../../include/ops.h"
#include "../../include/sched.h"
#include "virtio.h"

enum { FEATURE_CSUM = 0, FEATURE_GUEST_CSUM = 1, FEATURE_MTU = 3, FEATURE_MAC = 5, FEATURE_GUEST_TSO4 = 7, FEATURE_GUEST_TSO6 = 8,
       FEATURE_HOST_TSO4 = 11, FEATURE_HOST_TSO6 = 12, FEATURE_MERGE = 15 };
enum { CONFIG_MAC = 0, CONFIG_MTU = 10 };
enum { HEADER_NEEDS_CSUM = 1, HEADER_DATA_VALID = 2 };
enum { GSO_NONE = 0, GSO_TCP4 = 1, GSO_TCP6 = 4, GSO_ECN = 0x80 };
enum { RECEIVE, SEND, QUEUES };

#define RECEIVE_DATA 3600u	/* with the header less than the room of a packet's first piece */
#define TCP_CHECKSUM 16
#define UDP_CHECKSUM 6
#define MAX_TABLE (1 + 2 * PACKET_PIECES)	/* a piece may cross a page's end */

struct virtio_net_header {
	u8 flags, gso_type;
	u16 header_length, gso_size, csum_start, csum_offset, buffers;
};

_Static_assert(sizeof(struct virtio_net_header) == 12, "virtio 1.1, 5.1.6");

struct slot {
	struct slot *next;	/* free */
	struct packet *packet;
	struct virtio_net_header header;
	struct vring_desc table[MAX_TABLE];
};

struct virtio_net {
	struct virtio_device device;
	struct virtio_queue queues[QUEUES];
	struct net_device net;
	struct slot *free_slots;
	struct wait_queue work;
	bool pending;		/* an interrupt came that the thread has not answered */
};

static bool has(const struct virtio_net *n, u32 feature)
{
	return n->device.features & VIRTIO_F(feature);
}

/* --- sending --- */

static struct slot *get_slot(struct virtio_net *n)
{
	struct slot *s = n->free_slots;

	if (s)
		n->free_slots = s->next;
	return s ? s : kmalloc(sizeof(*s));
}

static void put_slot(struct virtio_net *n, struct slot *s)
{
	s->next = n->free_slots;
	n->free_slots = s;
}

/* Packets that were sent, as a list for the caller to put where it may. */
static void take_sent(struct virtio_net *n, struct packet **sent, u32 *count, u32 max)
{
	struct slot *s;
	u32 unused;

	*count = 0;
	while (*count < max && (s = vq_get(&n->queues[SEND].ring, &unused))) {
		sent[(*count)++] = s->packet;
		put_slot(n, s);
	}
}

static void free_sent(struct virtio_net *n)
{
	struct packet *sent[32];
	u32 count;

	do {
		bool irq = irq_save();

		take_sent(n, sent, &count, ARRAY_SIZE(sent));
		irq_restore(irq);
		for (u32 i = 0; i < count; i++)
			packet_put(sent[i]);
	} while (count);
}

static bool fill_header(struct packet *p, struct virtio_net_header *h)
{
	struct packet_headers at;

	*h = (struct virtio_net_header){ .gso_type = GSO_NONE };
	if (!p->csum_blank)
		return true;
	if (!packet_headers(p, &at) || (at.protocol != IPPROTO_TCP && at.protocol != IPPROTO_UDP))
		return false;
	h->flags = HEADER_NEEDS_CSUM;
	h->csum_start = at.transport;
	h->csum_offset = at.protocol == IPPROTO_TCP ? TCP_CHECKSUM : UDP_CHECKSUM;
	if (p->gso_type) {
		h->gso_type = p->gso_type == XEN_NETIF_GSO_TYPE_TCPV4 ? GSO_TCP4 : GSO_TCP6;
		h->gso_size = p->gso_size;
		h->header_length = at.payload;
	}
	return true;
}

/* The buffers of a frame behind its header, cut where a page ends. */
static u32 fill_table(const struct packet *p, struct slot *s)
{
	u32 n = 0;

	s->table[n++] = (struct vring_desc){ .addr = dma_address(&s->header), .len = sizeof(s->header) };
	for (u32 i = 0; i < p->nr_pieces; i++) {
		u8 *data = p->pieces[i].data;

		for (u32 left = p->pieces[i].length, part; left; left -= part, data += part) {
			part = MIN(left, PAGE_SIZE - ((u64)data & (PAGE_SIZE - 1)));
			if (n == MAX_TABLE)
				return 0;
			s->table[n++] = (struct vring_desc){ .addr = dma_address(data), .len = part };
		}
	}
	return n;
}

static bool queue_packet(struct virtio_net *n, struct packet *p)
{
	struct slot *s = get_slot(n);
	u32 count;

	if (!s)
		return false;
	s->packet = p;
	count = fill_header(p, &s->header) ? fill_table(p, s) : 0;
	if (count && vq_add(&n->queues[SEND].ring, s->table, dma_address(s->table), count, s))
		return true;
	put_slot(n, s);
	return false;
}

static void net_transmit(struct net_device *d, struct packet *p)
{
	struct virtio_net *n = d->data;
	u32 length = p->length;
	bool irq, queued;

	free_sent(n);
	irq = irq_save();
	queued = queue_packet(n, p);
	d->tx_packets += queued;
	d->tx_bytes += queued ? length : 0;
	d->tx_dropped += !queued;
	irq_restore(irq);
	if (!queued)
		packet_put(p);
}

/* What is sent is freed at the latest when half of it is through; the last of it at once. */
static void net_kick(struct net_device *d)
{
	struct virtio_net *n = d->data;
	struct virtio_queue *q = &n->queues[SEND];
	bool irq = irq_save();

	vq_enable_interrupt(&q->ring, MAX(vq_in_flight(&q->ring) / 2, 1u));
	virtio_kick(q);
	irq_restore(irq);
}

/* --- receiving --- */

static bool give_buffer(struct virtio_net *n)
{
	struct packet *p = packet_alloc(RECEIVE_DATA);
	struct vring_desc buffer;
	u8 *start = p ? packet_push(p, sizeof(struct virtio_net_header)) : NULL;

	buffer = (struct vring_desc){ .addr = start ? dma_address(start) : 0, .len = p ? p->length : 0, .flags = VRING_DESC_WRITE };
	if (start && vq_add(&n->queues[RECEIVE].ring, &buffer, 0, 1, p))
		return true;
	if (p)
		packet_put(p);
	return false;
}

static void refill(struct virtio_net *n)
{
	bool irq = irq_save();

	while (vq_room(&n->queues[RECEIVE].ring, 1) && give_buffer(n))
		;
	virtio_kick(&n->queues[RECEIVE]);
	irq_restore(irq);
}

static struct packet *get_buffer(struct virtio_net *n, u32 *written)
{
	bool irq = irq_save();
	struct packet *p = vq_get(&n->queues[RECEIVE].ring, written);

	irq_restore(irq);
	return p;
}

/* The others of a frame. A device that has less of them than it says, or more than a frame has, loses the frame. */
static bool get_rest(struct virtio_net *n, struct packet *p, u32 buffers)
{
	bool whole = buffers - 1 < PACKET_PIECES;

	for (u32 i = 1; i < MIN(buffers, n->queues[RECEIVE].ring.size); i++) {
		u32 written;
		struct packet *more = get_buffer(n, &written);

		if (!more)
			return false;
		packet_trim(more, written);
		if (!whole || !written || !packet_join(p, more)) {
			whole = false;
			packet_put(more);
		}
	}
	return whole;
}

static bool believe_header(struct packet *p, const struct virtio_net_header *h)
{
	u8 gso = h->gso_type & ~GSO_ECN;

	p->csum_blank = h->flags & HEADER_NEEDS_CSUM;
	p->csum_valid = h->flags & (HEADER_NEEDS_CSUM | HEADER_DATA_VALID);
	p->gso_size = h->gso_size;
	p->gso_type = gso == GSO_TCP4 ? XEN_NETIF_GSO_TYPE_TCPV4 : gso == GSO_TCP6 ? XEN_NETIF_GSO_TYPE_TCPV6 : XEN_NETIF_GSO_TYPE_NONE;
	if (gso != GSO_NONE && !p->gso_type)
		return false;
	return p->length >= ETH_HEADER && p->length <= PACKET_MAX && packet_check_offload(p);
}

/* One frame, made of what its header says. False: it is dropped. */
static bool make_frame(struct virtio_net *n, struct packet *p, u32 written)
{
	struct virtio_net_header h;
	bool whole;

	if (written < sizeof(h))
		return false;
	packet_read(p, 0, &h, sizeof(h));
	packet_trim(p, written);
	p->pieces[0].data += sizeof(h);
	p->pieces[0].length -= sizeof(h);
	p->length -= sizeof(h);
	whole = get_rest(n, p, has(n, FEATURE_MERGE) ? h.buffers : 1);
	return whole && believe_header(p, &h);
}

static void take_received(struct virtio_net *n)
{
	struct net_device *d = &n->net;
	struct packet *p;
	u32 written, batch = 0;

	while ((p = get_buffer(n, &written))) {
		bool good = make_frame(n, p, written);
		u32 length = p->length;

		d->rx_packets += good;
		d->rx_bytes += good ? length : 0;
		d->rx_dropped += !good || !d->receive;
		if (good && d->receive)
			d->receive(d, p);
		else
			packet_put(p);
		if (++batch % 64 == 0)
			refill(n);
	}
	refill(n);
	if (batch && d->received)
		d->received(d);
}

/* --- its thread --- */

static void net_came(void *arg)
{
	struct virtio_net *n = arg;

	vq_disable_interrupt(&n->queues[RECEIVE].ring);
	n->pending = true;
	wake_up(&n->work);
}

static bool nothing_to_do(struct virtio_net *n)
{
	struct virtqueue *send = &n->queues[SEND].ring;

	return vq_enable_interrupt(&n->queues[RECEIVE].ring, 1) && vq_enable_interrupt(send, MAX(vq_in_flight(send) / 2, 1u));
}

static void net_thread(void *arg)
{
	struct virtio_net *n = arg;

	for (;;) {
		bool irq;

		free_sent(n);
		take_received(n);
		irq = irq_save();
		n->pending = false;
		if (nothing_to_do(n) || n->queues[RECEIVE].ring.broken) {
			while (!n->pending)
				wait_on(&n->work);
		}
		irq_restore(irq);
	}
}

/* --- finding it --- */

/* Large frames come only to who can put them together. */
static u64 wanted_features(const struct virtio_device *v)
{
	u64 wanted = VIRTIO_F(FEATURE_CSUM) | VIRTIO_F(FEATURE_GUEST_CSUM) | VIRTIO_F(FEATURE_MTU) | VIRTIO_F(FEATURE_MAC) |
		     VIRTIO_F(FEATURE_HOST_TSO4) | VIRTIO_F(FEATURE_HOST_TSO6) | VIRTIO_F(FEATURE_MERGE);

	if (virtio_offered(v) & VIRTIO_F(FEATURE_MERGE))
		wanted |= VIRTIO_F(FEATURE_GUEST_TSO4) | VIRTIO_F(FEATURE_GUEST_TSO6);
	return wanted;
}

static bool start(struct virtio_net *n)
{
	struct virtio_device *v = &n->device;
	struct net_device *d = &n->net;

	if (!virtio_agree(v, wanted_features(v)))
		return false;
	for (u32 i = 0; i < 6; i++)
		d->mac[i] = virtio_config(v, CONFIG_MAC + i, 1);
	d->mtu = has(n, FEATURE_MTU) ? MIN(virtio_config(v, CONFIG_MTU, 2), ETH_MTU) : ETH_MTU;
	d->can_csum = d->can_csum6 = has(n, FEATURE_CSUM);
	d->can_gso4 = has(n, FEATURE_HOST_TSO4);
	d->can_gso6 = has(n, FEATURE_HOST_TSO6);
	d->send = net_transmit;
	d->flush = net_kick;
	d->batches = true;
	d->data = n;
	for (u32 i = 0; i < QUEUES; i++) {
		n->queues[i].came = net_came;
		n->queues[i].arg = n;
	}
	return virtio_start_queues(v, n->queues, QUEUES);
}

void virtio_net_probe(struct pci_device *pci)
{
	static u32 found;
	struct virtio_net *n = kmalloc(sizeof(*n));
	struct net_device *d = &n->net;

	if (!n) {
		printf("virtio-net: no memory\n");
		return;
	}
	list_init(&n->work.waiters);
	if (!virtio_open(&n->device, pci) || !start(n)) {
		virtio_fail(&n->device);
		return;
	}
	pci->driver = "virtio-net";
	snprintf(d->name, sizeof(d->name), "eth%u", found++);
	virtio_ready(&n->device);
	refill(n);
	net_device_register(d);
	if (!thread_create(d->name, net_thread, n))
		printf("%s: no memory for its thread: it cannot receive\n", d->name);
	printf("%s: %02x:%02x:%02x:%02x:%02x:%02x, %s\n", d->name, d->mac[0], d->mac[1], d->mac[2], d->mac[3], d->mac[4], d->mac[5],
	       pci->interrupts);
}
