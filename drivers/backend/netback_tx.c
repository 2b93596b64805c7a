/* SPDX-License-Identifier: MIT */
/*
 * What a guest sends. A batch of packets is taken from the ring in four steps:
 *
 *	take	requests are copied out of the ring and judged: a packet is its first request, extra info, further requests
 *	copy	one grant copy brings all packets' bytes into memory of our own, where the guest cannot change them
 *	pass	each packet, whose headers are judged only now, goes into the switch: whoever it is for is waiting
 *	answer	each slot has its response, in order
 *
 * A packet that is no good (lengths that contradict each other, a grant that cannot be read) is answered as an error, and the next one is
 * taken; one whose headers are not what the offload asks for is dropped. What cannot be the start of any packet (a fragment that leaves its
 * page, more slots than the protocol has, a packet whose end is not in the ring, unknown extra info) breaks the connection, since where the next
 * packet begins is not known then.
 */
#include <abi/errno.h>

#include "../../pvkernel/include/evtchn.h"
#include "../../pvkernel/include/lib.h"
#include "../../pvkernel/include/mm.h"
#include "netback.h"

/* One packet's requests, as they were copied out of the ring. */
struct tx_requests {
	struct netif_tx_request request[XEN_NETIF_NR_SLOTS_MIN];
	u32 count;
	struct netif_extra_info extra[XEN_NETIF_EXTRA_TYPE_MAX];	/* by type; type 0: absent */
	u32 extras;
};

/* --- take --- */

static int next_slot(struct vif_queue *q, bool extra, struct netif_tx_request *request)
{
	int n = ring_get_request(&q->tx, request, sizeof(*request));

	if (n <= 0)
		return n;
	q->tx_id[q->nr_tx_slots] = request->id;
	q->tx_extra[q->nr_tx_slots++] = extra;
	return 1;
}

static int take_extras(struct vif_queue *q, struct tx_requests *r)
{
	union {
		struct netif_tx_request request;
		struct netif_extra_info extra;
	} slot;

	do {
		if (r->extras++ == TX_EXTRAS || next_slot(q, true, &slot.request) <= 0)
			return -EIO;
		if (slot.extra.type == XEN_NETIF_EXTRA_TYPE_NONE || slot.extra.type >= XEN_NETIF_EXTRA_TYPE_MAX)
			return -EIO;
		r->extra[slot.extra.type] = slot.extra;
	} while (slot.extra.flags & XEN_NETIF_EXTRA_FLAG_MORE);
	return 0;
}

/* The ring is not empty. 0 or -EIO. */
static int take_requests(struct vif_queue *q, struct tx_requests *r)
{
	struct netif_tx_request *last = &r->request[0];

	if (next_slot(q, false, last) <= 0)
		return -EIO;
	r->count = 1;
	r->extras = 0;
	__builtin_memset(r->extra, 0, sizeof(r->extra));
	if (last->flags & NETTXF_extra_info && take_extras(q, r))
		return -EIO;
	while (last->flags & NETTXF_more_data) {
		if (r->count == XEN_NETIF_NR_SLOTS_MIN)
			return -EIO;
		last = &r->request[r->count++];
		if (next_slot(q, false, last) <= 0)
			return -EIO;
	}
	return 0;
}

/* The first request has the size of all; afterwards its own. 0, or what becomes of the packet; -EIO: of the connection. */
static int judge_sizes(struct tx_requests *r)
{
	u32 total = r->request[0].size, rest = 0;
	int status = NETIF_RSP_OKAY;

	for (u32 i = 1; i < r->count; i++) {
		if (!r->request[i].size)
			status = NETIF_RSP_ERROR;
		rest += r->request[i].size;
	}
	if (total < ETH_HEADER || total <= rest)
		return NETIF_RSP_ERROR;
	r->request[0].size = total - rest;
	for (u32 i = 0; i < r->count; i++) {
		if (r->request[i].offset + r->request[i].size > (u32)PAGE_SIZE)
			return -EIO;
	}
	return status;
}

/*
 * Small packets in one piece, others in pieces like their requests, so that few are copied in two parts; but not of so many little ones
 * that they take far more memory than their bytes.
 */
static struct packet *make_packet_for(const struct tx_requests *r, u32 total)
{
	u16 lengths[XEN_NETIF_NR_SLOTS_MIN];

	if (total <= PAGE_SIZE / 2 || r->count > total / PAGE_SIZE + 3)
		return packet_alloc(total);
	for (u32 i = 0; i < r->count; i++)
		lengths[i] = r->request[i].size;
	return packet_alloc_pieces(lengths, r->count);
}

/* Requests and pieces are walked through side by side; no piece crosses a page. */
static void add_copies(struct vif_queue *q, const struct tx_requests *r, struct packet *p)
{
	struct packet_piece to = p->pieces[0];
	u32 piece = 0;

	for (u32 i = 0; i < r->count; i++) {
		u32 offset = r->request[i].offset, left = r->request[i].size, n;

		for (; left; left -= n, offset += n) {
			while (!to.length)
				to = p->pieces[++piece];
			n = MIN(left, to.length);
			q->tx_op[q->nr_tx_ops++] = (struct gnttab_copy){
				.source = { .u.ref = r->request[i].gref, .domid = q->vif->backend->domid, .offset = offset },
				.dest = { .u.gmfn = pfn_to_mfn(virt_to_pfn(to.data)), .domid = DOMID_SELF,
					  .offset = (u64)to.data & ~PAGE_MASK },
				.len = n, .flags = GNTCOPY_source_gref,
			};
			to.data += n;
			to.length -= n;
		}
	}
}

static void take_offload(struct packet *p, const struct tx_requests *r)
{
	const struct netif_extra_info *gso = &r->extra[XEN_NETIF_EXTRA_TYPE_GSO];

	p->csum_blank = r->request[0].flags & NETTXF_csum_blank;
	p->csum_valid = r->request[0].flags & NETTXF_data_validated;
	if (gso->type) {
		p->gso_type = gso->u.gso.type;
		p->gso_size = gso->u.gso.size;
	}
}

/* --- multicast control: a request that is all extra info --- */

static int find_multicast(const struct vif *vif, const u8 *mac)
{
	for (u32 i = 0; i < vif->nr_multicast; i++) {
		if (!memcmp(vif->multicast[i], mac, 6))
			return i;
	}
	return -1;
}

static int add_multicast(struct vif *vif, const u8 *mac)
{
	if (!(mac[0] & 1))
		return NETIF_RSP_ERROR;
	if (find_multicast(vif, mac) >= 0)
		return NETIF_RSP_OKAY;
	if (vif->nr_multicast == NETBACK_MULTICAST)
		return NETIF_RSP_ERROR;
	memcpy(vif->multicast[vif->nr_multicast++], mac, 6);
	return NETIF_RSP_OKAY;
}

static int remove_multicast(struct vif *vif, const u8 *mac)
{
	int i = find_multicast(vif, mac);

	if (i >= 0)
		memcpy(vif->multicast[i], vif->multicast[--vif->nr_multicast], 6);
	return NETIF_RSP_OKAY;
}

static bool is_control(const struct tx_requests *r)
{
	return r->extra[XEN_NETIF_EXTRA_TYPE_MCAST_ADD].type || r->extra[XEN_NETIF_EXTRA_TYPE_MCAST_DEL].type;
}

static int take_control(struct vif *vif, const struct tx_requests *r)
{
	const struct netif_extra_info *add = &r->extra[XEN_NETIF_EXTRA_TYPE_MCAST_ADD];
	const struct netif_extra_info *del = &r->extra[XEN_NETIF_EXTRA_TYPE_MCAST_DEL];

	if (!vif->multicast_control)
		return NETIF_RSP_ERROR;
	return add->type ? add_multicast(vif, add->u.mcast.addr) : remove_multicast(vif, del->u.mcast.addr);
}

/* --- the batch --- */

/* As take_requests(). */
static int take_packet(struct vif_queue *q)
{
	struct tx_packet *t = &q->tx_packet[q->nr_tx_packets];
	struct tx_requests r;
	u32 total;
	int status;

	*t = (struct tx_packet){ .first = q->nr_tx_slots, .op = q->nr_tx_ops };
	if (take_requests(q, &r))
		return -EIO;
	t->slots = q->nr_tx_slots - t->first;
	q->nr_tx_packets++;
	total = r.request[0].size;
	if (is_control(&r)) {
		t->status = take_control(q->vif, &r);
		return 0;
	}
	status = judge_sizes(&r);
	if (status == -EIO)
		return status;
	t->packet = status ? NULL : make_packet_for(&r, total);
	t->status = status ? status : t->packet ? NETIF_RSP_OKAY : NETIF_RSP_DROPPED;
	if (t->packet) {
		take_offload(t->packet, &r);
		add_copies(q, &r, t->packet);
		t->ops = q->nr_tx_ops - t->op;
	}
	q->vif->rate.credit -= total;
	return 0;
}

static bool room_in_batch(const struct vif_queue *q)
{
	return q->nr_tx_packets < TX_PACKETS && q->nr_tx_slots + XEN_NETIF_NR_SLOTS_MIN + TX_EXTRAS <= TX_SLOTS &&
	       q->nr_tx_ops + 2 * XEN_NETIF_NR_SLOTS_MIN <= TX_OPS;
}

static void copy_batch(struct vif_queue *q)
{
	if (!q->nr_tx_ops || !gnttab_copy(q->tx_op, q->nr_tx_ops))
		return;
	for (u32 i = 0; i < q->nr_tx_packets; i++) {
		struct tx_packet *t = &q->tx_packet[i];

		for (u32 op = t->op; op < (u32)t->op + t->ops; op++) {
			if (q->tx_op[op].status != GNTST_okay)
				t->status = NETIF_RSP_ERROR;
		}
	}
}

static void answer_batch(struct vif_queue *q)
{
	for (u32 i = 0; i < q->nr_tx_packets; i++) {
		const struct tx_packet *t = &q->tx_packet[i];

		for (u32 slot = t->first; slot < (u32)t->first + t->slots; slot++) {
			struct netif_tx_response response = {
				q->tx_id[slot], q->tx_extra[slot] ? NETIF_RSP_NULL : t->status,
			};

			ring_put_response(&q->tx, &response, sizeof(response));
		}
	}
	if (ring_push_responses(&q->tx))
		evtchn_send(q->tx_port);
}

static void pass_batch(struct vif_queue *q)
{
	struct vif *vif = q->vif;

	for (u32 i = 0; i < q->nr_tx_packets; i++) {
		struct tx_packet *t = &q->tx_packet[i];

		if (t->status != NETIF_RSP_OKAY)
			vif->tx_errors++;
		if (!t->packet)
			continue;
		if (t->status != NETIF_RSP_OKAY || !packet_check_offload(t->packet)) {
			vif->device.rx_dropped++;
			packet_put(t->packet);
			continue;
		}
		vif->device.rx_packets++;
		vif->device.rx_bytes += t->packet->length;
		port_input(vif->port, t->packet);
	}
	port_flush(vif->port);
}

/* --- rate --- */

/* Whole intervals; more than a thousand are as good as a thousand. */
static bool may_send(struct vif_rate *rate)
{
	u64 t, n;

	if (!rate->bytes || rate->credit > 0)
		return true;
	t = now();
	n = (t - rate->filled_at) / rate->interval;
	if (n) {
		rate->credit = MIN((s64)rate->bytes, rate->credit + (s64)(MIN(n, 1000ul) * rate->bytes));
		rate->filled_at += n * rate->interval;
	}
	return rate->credit > 0;
}

/* More than 0: requests are left; 0: none; -EIO. */
static int take_batch(struct vif_queue *q)
{
	int n;

	q->nr_tx_packets = q->nr_tx_slots = q->nr_tx_ops = 0;
	while ((n = ring_requests(&q->tx)) > 0 && room_in_batch(q) && may_send(&q->vif->rate)) {
		if (take_packet(q))
			return -EIO;
	}
	return n;
}

bool netback_tx(struct vif_queue *q)
{
	int n = take_batch(q);

	if (n < 0)
		netback_broken(q->vif, n);
	if (!q->nr_tx_packets)
		return false;
	copy_batch(q);
	pass_batch(q);
	answer_batch(q);
	return n > 0;
}
