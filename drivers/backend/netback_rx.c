/* SPDX-License-Identifier: MIT */
/*
 * What a guest gets. Packets wait in a circle until somebody flushes; whoever does so first takes a batch of them to the ring, and does it again
 * if more came meanwhile. The guest has posted buffers, each a page that it grants; one grant copy writes all packets of a batch
 * into them, and each buffer has its response in the order in which they were posted.
 *
 * A packet's pieces begin a buffer each, which saves copies in two parts, unless that takes more than one buffer too many.
 *
 * Bounded is what waits, in packets and in pages of memory: of one guest, and of all of them. A guest may have as much as nobody
 * has yet, and a little always, so those that take nothing leave room for those that do. What a guest has not taken for long is dropped, and until
 * it takes something again one packet waits for it at a time.
 */
#include <abi/errno.h>

#include "../../pvkernel/include/evtchn.h"
#include "../../pvkernel/include/lib.h"
#include "../../pvkernel/include/mm.h"
#include "../../pvkernel/include/ops.h"
#include "netback.h"

/* --- the circle --- */

u32 netback_pages_max = 2048;
static u32 pages_waiting;

/* Of memory: each piece may have its own, however short it is, and a long one several. */
static u32 pages_of(const struct packet *p)
{
	return MAX(p->nr_pieces, p->length / PAGE_SIZE + 1);
}

static void count_pages(struct vif *vif, int n)
{
	vif->pending_pages += n;
	pages_waiting += n;
}

static bool has_room(const struct vif_queue *q, u32 pages)
{
	u32 unused = netback_pages_max - MIN(pages_waiting, netback_pages_max);

	return q->pending_count < (q->stalled ? 1 : RX_PENDING) &&
	       q->vif->pending_pages + pages <= MIN(MAX(unused, RX_PENDING_SURE), RX_PENDING_PAGES);
}

static bool enqueue(struct vif_queue *q, struct packet *p)
{
	bool irq = irq_save();
	u32 pages = pages_of(p);
	bool room = has_room(q, pages);

	if (room) {
		q->pending[(q->pending_head + q->pending_count++) % RX_PENDING] = p;
		count_pages(q->vif, pages);
	}
	irq_restore(irq);
	return room;
}

static struct packet *first_pending(struct vif_queue *q)
{
	return q->pending_count ? q->pending[q->pending_head] : NULL;
}

static void dequeue(struct vif_queue *q)
{
	bool irq = irq_save();

	count_pages(q->vif, -pages_of(q->pending[q->pending_head]));
	q->pending_head = (q->pending_head + 1) % RX_PENDING;
	q->pending_count--;
	irq_restore(irq);
}

/* Packets of one connection stay in one queue. The bytes are IPv4's addresses and ports, and of IPv6 some that differ as well. */
static struct vif_queue *choose_queue(struct vif *vif, const struct packet *p)
{
	u32 words[3] = { 0 }, hash;

	if (vif->nr_queues == 1 || p->pieces[0].length < 38)
		return &vif->queue[0];
	memcpy(words, p->pieces[0].data + 26, 12);
	hash = (words[0] ^ words[1] ^ words[2]) * 0x9e3779b1u;
	return &vif->queue[(hash >> 16) % vif->nr_queues];
}

static bool wanted(const struct vif *vif, const struct packet *p)
{
	static const u8 broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	const u8 *to = p->pieces[0].data;

	if (!vif->multicast_control || !(to[0] & 1) || !memcmp(to, broadcast, 6))
		return true;
	for (u32 i = 0; i < vif->nr_multicast; i++) {
		if (!memcmp(vif->multicast[i], to, 6))
			return true;
	}
	return false;
}

void netback_send(struct net_device *d, struct packet *p)
{
	struct vif *vif = d->data;

	if (!wanted(vif, p)) {
		packet_put(p);
	} else if ((!vif->sg && p->length > PAGE_SIZE) || !enqueue(choose_queue(vif, p), p)) {
		d->tx_dropped++;
		packet_put(p);
	}
}

/* --- to the ring --- */

static bool piece_per_slot(const struct vif *vif, const struct packet *p, u32 *slots)
{
	u32 used = 0;

	for (u32 i = 0; i < p->nr_pieces; i++) {
		used += p->pieces[i].length != 0;
		if (p->pieces[i].length > PAGE_SIZE)
			return false;
	}
	if (!vif->sg || used > *slots + 1 || used > XEN_NETIF_NR_SLOTS_MIN)
		return false;
	*slots = used;
	return true;
}

/* As many buffers as asked for; false: the guest has not posted them. */
static bool stage(struct vif_queue *q, u32 wanted)
{
	while (q->nr_staged < wanted) {
		int n = ring_get_request(&q->rx, &q->staged[q->nr_staged], sizeof(q->staged[0]));

		if (n < 0)
			netback_broken(q->vif, -EIO);
		if (n <= 0)
			return false;
		q->nr_staged++;
	}
	return true;
}

static bool stage_or_await(struct vif_queue *q, u32 wanted)
{
	while (!stage(q, wanted)) {
		if (q->rx.broken || !ring_await_requests(&q->rx, wanted - q->nr_staged))
			return false;
	}
	return true;
}

static struct rx_slot *new_slot(struct vif_queue *q, u32 staged)
{
	struct rx_slot *s = &q->rx_slot[q->nr_rx_slots++];

	*s = (struct rx_slot){ .response.id = q->staged[staged].id, .op = q->nr_rx_ops };
	return s;
}

static void add_copy(struct vif_queue *q, u32 ref, const u8 *data, struct rx_slot *s, u32 n)
{
	q->rx_op[q->nr_rx_ops++] = (struct gnttab_copy){
		.source = { .u.gmfn = pfn_to_mfn(virt_to_pfn(data)), .domid = DOMID_SELF, .offset = (u64)data & ~PAGE_MASK },
		.dest = { .u.ref = ref, .domid = q->vif->backend->domid, .offset = s->response.status },
		.len = n, .flags = GNTCOPY_dest_gref,
	};
	s->response.status += n;
	s->ops++;
}

static void add_extra(struct vif_queue *q, const struct packet *p, u32 staged)
{
	struct rx_slot *s = new_slot(q, staged);

	s->is_extra = true;
	s->extra.type = XEN_NETIF_EXTRA_TYPE_GSO;
	s->extra.u.gso.size = p->gso_size;
	s->extra.u.gso.type = p->gso_type;
}

static u16 first_flags(const struct packet *p)
{
	u16 flags = p->gso_type ? NETRXF_extra_info : 0;

	if (p->csum_blank)
		return flags | NETRXF_csum_blank | NETRXF_data_validated;
	return flags | (p->csum_valid ? NETRXF_data_validated : 0);
}

/* Opens the next buffer, and behind the first the one that extra info takes. */
static struct rx_slot *open_slot(struct vif_queue *q, const struct packet *p, u32 *staged)
{
	struct rx_slot *s = new_slot(q, (*staged)++);

	if (*staged > 1)
		return s;
	s->response.flags = first_flags(p);
	if (p->gso_type)
		add_extra(q, p, (*staged)++);
	return s;
}

/* The buffers are staged; how many were used. */
static u32 add_packet(struct vif_queue *q, const struct packet *p, bool each)
{
	struct rx_slot *s = NULL;
	u32 staged = 0, room = 0, ref = 0;

	for (u32 i = 0; i < p->nr_pieces; i++) {
		const u8 *data = p->pieces[i].data;
		u32 left = p->pieces[i].length, n;

		if (each)
			room = 0;
		for (; left; left -= n, data += n, room -= n) {
			if (!room) {
				if (s)
					s->response.flags |= NETRXF_more_data;
				ref = q->staged[staged].gref;
				s = open_slot(q, p, &staged);
				room = PAGE_SIZE;
			}
			n = MIN(MIN(left, room), (u32)(PAGE_SIZE - ((u64)data & ~PAGE_MASK)));
			add_copy(q, ref, data, s, n);
		}
	}
	return staged;
}

static void put_slot(struct vif_queue *q, const struct rx_slot *s)
{
	struct netif_rx_response r __attribute__((aligned(8))) = s->response;

	if (s->is_extra) {
		ring_put_response(&q->rx, &s->extra, sizeof(s->extra));
		return;
	}
	for (u32 op = s->op; op < (u32)s->op + s->ops; op++) {
		if (q->rx_op[op].status != GNTST_okay)
			r.status = NETIF_RSP_ERROR;
	}
	ring_put_response(&q->rx, &r, sizeof(r));
}

/* What was taken stays, and is answered, though the copies may have failed. */
static void finish_batch(struct vif_queue *q)
{
	if (q->nr_rx_ops)
		gnttab_copy(q->rx_op, q->nr_rx_ops);
	for (u32 i = 0; i < q->nr_rx_slots; i++)
		put_slot(q, &q->rx_slot[i]);
	if (ring_push_responses(&q->rx))
		evtchn_send(q->rx_port);
	q->nr_rx_slots = q->nr_rx_ops = 0;
}

static void unstage(struct vif_queue *q, u32 used)
{
	q->nr_staged -= used;
	if (q->nr_staged)
		memmove(q->staged, q->staged + used, q->nr_staged * sizeof(q->staged[0]));
}

/* False: nothing waits, or the guest has to post buffers first. */
static bool add_next(struct vif_queue *q)
{
	struct packet *p = first_pending(q);
	struct net_device *d = &q->vif->device;
	u32 slots;
	bool each;

	if (!p || q->rx.broken)
		return false;
	slots = (p->length + PAGE_SIZE - 1) / PAGE_SIZE;
	each = piece_per_slot(q->vif, p, &slots);
	if (!stage_or_await(q, slots + (p->gso_type != 0)))
		return false;
	unstage(q, add_packet(q, p, each));
	d->tx_packets++;
	d->tx_bytes += p->length;
	return true;
}

/* Packets are let go of when they are copied. */
static bool rx_batch(struct vif_queue *q)
{
	struct packet *done[RX_BATCH];
	u32 n = 0;

	while (n < RX_BATCH && q->nr_rx_slots + RX_STAGED <= RX_SLOTS && q->nr_rx_ops + RX_PACKET_OPS <= RX_OPS && add_next(q)) {
		done[n++] = first_pending(q);
		dequeue(q);
	}
	if (!n)
		return false;
	q->rx_batches++;
	q->stalled = false;
	finish_batch(q);
	for (u32 i = 0; i < n; i++)
		packet_put(done[i]);
	return true;
}

static bool enter(struct vif_queue *q)
{
	bool irq = irq_save(), mine = !q->rx_busy;

	if (mine)
		q->rx_busy = true;
	else
		q->rx_again = true;
	irq_restore(irq);
	return mine;
}

/* False: somebody came meanwhile. */
static bool leave(struct vif_queue *q)
{
	bool irq = irq_save(), done = !q->rx_again;

	q->rx_again = false;
	if (done)
		q->rx_busy = false;
	irq_restore(irq);
	return done;
}

static void rx_all(struct vif_queue *q)
{
	do {
		while (q->pending_count && rx_batch(q))
			;
	} while (!leave(q));
}

void netback_rx(struct vif_queue *q)
{
	if (!enter(q))
		return;
	rx_all(q);
	if (q->pending_count && !q->vif->watched) {
		q->vif->watched = true;
		netback_wake(q->vif);
	}
}

bool netback_rx_starved(struct vif_queue *q)
{
	return q->pending_count;
}

void netback_flush(struct net_device *d)
{
	struct vif *vif = d->data;

	for (u32 i = 0; i < vif->nr_queues; i++) {
		if (vif->queue[i].pending_count)
			netback_rx(&vif->queue[i]);
	}
}

static void drop_pending(struct vif_queue *q)
{
	while (q->pending_count) {
		struct packet *p = first_pending(q);

		dequeue(q);
		packet_put(p);
		q->vif->device.tx_dropped++;
	}
}

/* Not if somebody is at the ring: then it moves. */
static void stall(struct vif_queue *q)
{
	if (!enter(q))
		return;
	q->vif->stalls += !q->stalled;
	q->stalled = true;
	drop_pending(q);
	rx_all(q);
}

bool netback_rx_watch(struct vif_queue *q)
{
	bool moved = q->rx_batches != q->batches_seen;

	q->batches_seen = q->rx_batches;
	q->idle_ticks = moved || !q->pending_count ? 0 : q->idle_ticks + 1;
	if (q->idle_ticks >= RX_STALL_TICKS) {
		q->idle_ticks = 0;
		stall(q);
	}
	return q->pending_count;
}

void netback_rx_drop(struct vif_queue *q)
{
	drop_pending(q);
	q->nr_staged = 0;
}
