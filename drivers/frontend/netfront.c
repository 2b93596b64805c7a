/* SPDX-License-Identifier: MIT */
/*
 * The frontend of network devices ("vif"): packets.
 *
 * Each queue is a pair of rings. The pages that their requests name are private: they hold packets for or from this one backend
 * and nothing else, are granted once, and go round:
 *
 *	sending		free buffers (a stack) -> copied into, request -> response: free again; made as they are needed
 *	receiving	request -> response: copied out -> request again; all made at the start, all with the backend but for the
 *			packet that is being put together
 *
 * A copy costs less than a grant's end and beginning, and what the backend does to a page later changes nothing that
 * was judged here. The rings' slots say which buffer: tx by the id, rx by the position, in which responses come in order.
 *
 * The backend is not trusted. Indices are ring.h's to check; a response's id has to be of a request that waits for one, offset and
 * length have to be inside of the page, a packet has at most NETFRONT_SLOTS, and its offload flags hold what packet_check_offload()
 * finds in it. What cannot be an accident ends the connection. Events without cause make the device look seldom for a while.
 *
 * Locks: rx_lock, then the user's, then tx_lock. Both are held to connect and disconnect.
 */
#include <abi/errno.h>

#include "../../pvkernel/include/evtchn.h"
#include "../../pvkernel/include/gnttab.h"
#include "../../pvkernel/include/lib.h"
#include "../../pvkernel/include/mm.h"
#include "../../pvkernel/include/ops.h"
#include "../../pvkernel/include/time.h"
#include "netfront.h"

#define FULL_PATIENCE (20 * NSEC_PER_MSEC)	/* how long a sender waits for room */
#define SPURIOUS_MAX 16			/* events in a row without cause, before they are not listened to for HOLD_OFF */
#define HOLD_OFF NSEC_PER_MSEC
#define RX_ROUND (4u * NETFRONT_ENTRIES)	/* responses taken before the locks are given away */
#define NO_BUFFER 0xffff

static void fail(struct netfront *nf, const char *what)
{
	if (!nf->failed)
		printf("netfront: %s: the backend %s; closed\n", nf->device.name, what);
	nf->failed = true;
	nf->errors++;
	nf->event = true;
	wake_up(&nf->work);
}

/* --- buffers --- */

bool netfront_buffer_make(struct netfront_buffer *b, u16 domid, bool readonly)
{
	u64 pfn = page_alloc();

	if (pfn == NO_PAGE)
		return false;
	b->page = memset(pfn_to_virt(pfn), 0, PAGE_SIZE);
	b->ref = gnttab_grant(domid, pfn, readonly);
	if (b->ref != GRANT_NONE)
		return true;
	page_free(pfn);
	b->page = NULL;
	return false;
}

void netfront_buffers_free(struct netfront_buffer *b, u32 count)
{
	for (u32 i = 0; i < count; i++)
		if (b[i].page)
			gnttab_end_page(b[i].ref, virt_to_pfn(b[i].page));
}

/* --- receiving --- */

void netfront_post(struct netfront_queue *q)
{
	while (q->nr_rx_spare && ring_front_room(&q->rx)) {
		u32 position = q->rx.req_prod & (NETFRONT_ENTRIES - 1);
		u16 buffer = q->rx_spare[--q->nr_rx_spare];
		struct netif_rx_request request = { .id = position, .gref = q->rx_buffer[buffer].ref };

		q->rx_slot[position] = buffer;
		ring_put_request(&q->rx, &request, sizeof(request));
	}
	if (ring_push_requests(&q->rx))
		evtchn_send(q->port_rx);
}

static void spare(struct netfront_queue *q, u16 buffer)
{
	q->rx_spare[q->nr_rx_spare++] = buffer;
}

static struct packet *copy_parts(struct netfront_queue *q)
{
	struct netfront_incoming *in = &q->incoming;
	struct packet *p = packet_alloc(in->length);
	u32 at = 0;

	for (u32 i = 0; p && i < in->parts; at += in->part[i++].length)
		packet_write(p, at, q->rx_buffer[in->part[i].buffer].page + in->part[i].offset, in->part[i].length);
	return p;
}

/* What the flags say of the packet, which is ours now, has to be so. A blank checksum is as good as a right one. */
static bool take_flags(struct packet *p, const struct netfront_incoming *in)
{
	p->csum_blank = in->flags & NETRXF_csum_blank;
	p->csum_valid = in->flags & (NETRXF_data_validated | NETRXF_csum_blank);
	p->gso_type = in->gso_type;
	p->gso_size = in->gso_size;
	if (!p->csum_blank) {
		p->gso_type = XEN_NETIF_GSO_TYPE_NONE;
		return true;
	}
	return packet_check_offload(p);
}

static void drop(struct netfront *nf, bool wrong)
{
	nf->device.rx_dropped++;
	nf->errors += wrong;
}

/* All parts are here: the packet goes to the user, the pages to the backend again. */
static void packet_complete(struct netfront_queue *q)
{
	struct netfront *nf = q->owner;
	struct net_device *d = &nf->device;
	struct netfront_incoming *in = &q->incoming;
	bool wrong = in->bad || in->length < ETH_HEADER || in->length > PACKET_MAX;
	struct packet *p = wrong ? NULL : copy_parts(q);

	for (u32 i = 0; i < in->parts; i++)
		spare(q, in->part[i].buffer);
	if (!p) {
		drop(nf, wrong);
	} else if (!take_flags(p, in) || !d->receive) {
		drop(nf, d->receive);
		packet_put(p);
	} else {
		d->rx_packets++;
		d->rx_bytes += p->length;
		d->receive(d, p);
	}
	q->in_packet = false;
}

static void take_extra(struct netfront_queue *q, const struct netif_extra_info *extra)
{
	struct netfront_incoming *in = &q->incoming;

	q->in_extra = extra->flags & XEN_NETIF_EXTRA_FLAG_MORE;
	if (++in->extras > XEN_NETIF_EXTRA_TYPE_MAX || extra->type != XEN_NETIF_EXTRA_TYPE_GSO || !extra->u.gso.size ||
	    (extra->u.gso.type != XEN_NETIF_GSO_TYPE_TCPV4 && extra->u.gso.type != XEN_NETIF_GSO_TYPE_TCPV6)) {
		in->bad = true;
		return;
	}
	in->gso_type = extra->u.gso.type;
	in->gso_size = extra->u.gso.size;
}

/* False: the packet has too many parts to be kept. */
static bool add_part(struct netfront_incoming *in, u16 buffer, const struct netif_rx_response *r)
{
	if (in->parts == NETFRONT_SLOTS)
		return false;
	in->part[in->parts++] = (struct netfront_part){ buffer, r->offset, r->status };
	in->length += r->status;
	return true;
}

static void take_part(struct netfront_queue *q, u16 buffer, const struct netif_rx_response *r)
{
	struct netfront_incoming *in = &q->incoming;

	if (!q->in_packet) {
		*in = (struct netfront_incoming){ .flags = r->flags };
		q->in_packet = true;
		q->in_extra = r->flags & NETRXF_extra_info;
	}
	if (r->status < 0 || r->offset + r->status > (int)PAGE_SIZE || !add_part(in, buffer, r)) {
		in->bad = true;
		spare(q, buffer);
	}
}

/* The union of what a slot can hold, each word of it once from the ring. */
union rx_slot {
	struct netif_rx_response response;
	struct netif_extra_info extra;
};

/* In a packet: parts, and behind the first one its extra info. True: there was one. */
static bool take_response(struct netfront_queue *q)
{
	u32 position = q->rx.rsp_cons & (NETFRONT_ENTRIES - 1);
	union rx_slot slot;
	int n = ring_get_response(&q->rx, &slot, sizeof(slot));
	u16 buffer = q->rx_slot[position];
	bool more;

	if (n <= 0) {
		if (n < 0)
			fail(q->owner, "has broken the receive ring");
		return false;
	}
	q->rx_slot[position] = NO_BUFFER;
	if (q->in_extra) {
		spare(q, buffer);
		take_extra(q, &slot.extra);
		more = q->in_extra || q->incoming.flags & NETRXF_more_data;
	} else {
		if (slot.response.id != position) {
			spare(q, buffer);
			fail(q->owner, "answers out of order");
			return false;
		}
		take_part(q, buffer, &slot.response);
		more = q->in_extra || slot.response.flags & NETRXF_more_data;
	}
	if (!more)
		packet_complete(q);
	return true;
}

/* True: something was there. A backend that always has more does not keep us: who wants to disconnect gets the lock in between. */
static bool receive_all(struct netfront_queue *q)
{
	bool any = false;
	u32 left = RX_ROUND;

	do {
		for (; left && !q->owner->failed && take_response(q); left--)
			any = true;
		netfront_post(q);
	} while (left && !q->owner->failed && q->rx.req_published != q->rx.rsp_cons && ring_await_responses(&q->rx, 1));
	q->owner->event |= !left;
	if (any && q->owner->device.received)
		q->owner->device.received(&q->owner->device);
	return any;
}

/* --- sending --- */

/* True: something was there. */
static bool reap(struct netfront_queue *q)
{
	struct netif_tx_response r;
	bool any = false;
	int n;

	while ((n = ring_get_response(&q->tx, &r, sizeof(r))) > 0) {
		any = true;
		if (r.status == NETIF_RSP_NULL)
			continue;
		if (r.id >= NETFRONT_ENTRIES || !q->tx_busy[r.id]) {
			fail(q->owner, "answers what was not sent");
			break;
		}
		q->tx_busy[r.id] = false;
		q->tx_free[q->nr_tx_free++] = r.id;
		q->owner->errors += r.status == NETIF_RSP_ERROR;
	}
	if (n < 0)
		fail(q->owner, "has broken the transmit ring");
	if (any)
		q->owner->stalled = false;
	return any;
}

/* For so many slots, each with a buffer. */
static bool has_room(const struct netfront_queue *q, u32 slots)
{
	return ring_front_room(&q->tx) >= slots && q->nr_tx_free >= slots;
}

static void wake_room(void *arg)
{
	wake_up(&((struct netfront *)arg)->room);
}

static void push(struct netfront_queue *q)
{
	if (ring_push_requests(&q->tx))
		evtchn_send(q->port_tx);
}

/* Waits for responses, but not for ever: a backend that hangs must not hang who sends. */
static bool wait_for_room(struct netfront *nf, struct netfront_queue *q, u32 slots)
{
	struct timer patience = { .fn = wake_room, .arg = nf };
	bool irq;

	if (nf->stalled)
		return false;
	push(q);
	irq = irq_save();
	timer_add(&patience, now() + FULL_PATIENCE);
	while (!nf->failed && !has_room(q, slots) && patience.armed) {
		u32 waiting = q->tx.req_published - q->tx.rsp_cons;

		if (!waiting || !ring_await_responses(&q->tx, MIN(slots, waiting)))
			wait_on(&nf->room);
		reap(q);
	}
	timer_cancel(&patience);
	irq_restore(irq);
	nf->stalled = !has_room(q, slots);
	return !nf->stalled;
}

/* As many buffers as the packet has pages are on top of the free ones, with pages. */
static bool make_buffers(struct netfront_queue *q, u32 count)
{
	for (u32 i = 1; i <= count; i++) {
		struct netfront_buffer *b = &q->tx_buffer[q->tx_free[q->nr_tx_free - i]];

		if (!b->page && !netfront_buffer_make(b, q->owner->front->backend_id, true))
			return false;
	}
	return true;
}

static void put_gso(struct netfront_queue *q, const struct packet *p)
{
	struct netif_extra_info extra = { .type = XEN_NETIF_EXTRA_TYPE_GSO };
	struct netif_tx_request slot = { 0 };

	extra.u.gso.size = p->gso_size;
	extra.u.gso.type = p->gso_type;
	__builtin_memcpy(&slot, &extra, sizeof(extra));
	ring_put_request(&q->tx, &slot, sizeof(slot));
}

static u16 first_flags(const struct packet *p)
{
	return (p->csum_blank ? NETTXF_csum_blank | NETTXF_data_validated : p->csum_valid ? NETTXF_data_validated : 0) |
	       (p->gso_type ? NETTXF_extra_info : 0);
}

/* There is room, and there are buffers. The first request has the length of all. */
static void put_packet(struct netfront_queue *q, const struct packet *p)
{
	u16 flags = first_flags(p);

	for (u32 at = 0, n; at < p->length; at += n) {
		u16 id = q->tx_free[--q->nr_tx_free];
		struct netfront_buffer *b = &q->tx_buffer[id];
		struct netif_tx_request request = { .gref = b->ref, .id = id };

		n = MIN(p->length - at, PAGE_SIZE);
		packet_read(p, at, b->page, n);
		request.size = at ? n : p->length;
		request.flags = flags | (at + n < p->length ? NETTXF_more_data : 0);
		q->tx_busy[id] = true;
		ring_put_request(&q->tx, &request, sizeof(request));
		if (!at && p->gso_type)
			put_gso(q, p);
		flags = 0;
	}
}

/* A flow stays in its queue. */
static struct netfront_queue *choose_queue(struct netfront *nf, const struct packet *p)
{
	u32 hash = 0;

	if (nf->nr_queues == 1)
		return &nf->queues[0];
	for (u32 i = ETH_HEADER + 12; i < MIN(p->pieces[0].length, ETH_HEADER + 44u); i++)
		hash = (hash + p->pieces[0].data[i]) * 0x9e3779b1u;
	return &nf->queues[(hash >> 16) % nf->nr_queues];
}

static bool send_locked(struct netfront *nf, const struct packet *p)
{
	u32 pages = (p->length + PAGE_SIZE - 1) / PAGE_SIZE, slots = pages + (p->gso_type != 0);
	struct netfront_queue *q;

	if (!nf->connected || nf->failed || !p->length || p->length > XEN_NETIF_MAX_TX_SIZE || slots > NETFRONT_SLOTS ||
	    (pages > 1 && !nf->can_sg))
		return false;
	q = choose_queue(nf, p);
	if (!has_room(q, slots))
		reap(q);
	if ((!has_room(q, slots) && !wait_for_room(nf, q, slots)) || nf->failed || !make_buffers(q, pages))
		return false;
	put_packet(q, p);
	return true;
}

void netfront_send(struct net_device *d, struct packet *p)
{
	struct netfront *nf = d->data;
	bool sent;

	mutex_lock(&nf->tx_lock);
	sent = send_locked(nf, p);
	if (sent) {
		d->tx_packets++;
		d->tx_bytes += p->length;
	} else {
		d->tx_dropped++;
	}
	mutex_unlock(&nf->tx_lock);
	packet_put(p);
}

void netfront_flush(struct net_device *d)
{
	struct netfront *nf = d->data;

	mutex_lock(&nf->tx_lock);
	for (u32 i = 0; nf->connected && i < nf->nr_queues; i++)
		push(&nf->queues[i]);
	mutex_unlock(&nf->tx_lock);
}

/* --- events --- */

void netfront_event(void *arg)
{
	struct netfront *nf = arg;

	nf->event = true;
	wake_up(&nf->work);
	wake_up(&nf->room);
}

static bool look(struct netfront *nf)
{
	bool any = false;

	mutex_lock(&nf->rx_lock);
	for (u32 i = 0; nf->connected && i < nf->nr_queues; i++) {
		any |= receive_all(&nf->queues[i]);
		mutex_lock(&nf->tx_lock);
		any |= !nf->failed && reap(&nf->queues[i]);
		mutex_unlock(&nf->tx_lock);
	}
	mutex_unlock(&nf->rx_lock);
	return any;
}

static void mask_ports(struct netfront *nf, bool mask)
{
	mutex_lock(&nf->rx_lock);
	for (u32 i = 0; nf->connected && i < nf->nr_queues; i++) {
		(mask ? evtchn_mask : evtchn_unmask)(nf->queues[i].port_rx);
		(mask ? evtchn_mask : evtchn_unmask)(nf->queues[i].port_tx);
	}
	mutex_unlock(&nf->rx_lock);
}

/* A backend that sends events for nothing is listened to a thousand times a second, until it has something. */
static void hold_off(struct netfront *nf, bool found)
{
	nf->spurious = found ? 0 : nf->spurious + 1;
	if (nf->spurious <= SPURIOUS_MAX)
		return;
	nf->held_off++;
	mask_ports(nf, true);
	thread_sleep(HOLD_OFF);
	mask_ports(nf, false);
}

void netfront_thread(void *arg)
{
	struct netfront *nf = arg;
	bool closed = false;

	while (!nf->ending) {
		bool irq = irq_save();

		while (!nf->event && !nf->ending)
			wait_on(&nf->work);
		nf->event = false;
		irq_restore(irq);
		hold_off(nf, look(nf));
		if (nf->failed && !closed)
			frontend_close(nf->front, -EIO);
		closed = nf->failed;
	}
}
