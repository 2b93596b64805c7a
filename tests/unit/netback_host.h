/* SPDX-License-Identifier: MIT */
/*
 * netback's two directions on the host, with a pretended guest: one queue, whose rings the guest's end of ring.h or anybody writes; grants 0 to
 * GRANTS - 1 are the guest's pages. What the guest sends ends in sent(), which the test has.
 */
#ifndef NETBACK_HOST_H
#define NETBACK_HOST_H

#include "packet_host.h"

#define PVK_TIME_H
#define PVK_GNTTAB_H
#define PVK_EVTCHN_H
#define XENBUS_BACK_H
#define PAGE_SHIFT 12
#define NSEC_PER_MSEC 1000000ul
#include "../../abi/grant_table.h"
#include "../../abi/xen.h"

#define GRANTS 512
#define GUEST 7

struct wait_queue { int unused; };
struct timer { int unused; };
struct thread;
struct ring_mapping { void *pages; };
struct backend { u16 domid; };

static u64 clock_ns = 1;
static u32 notified, flushes;

static __attribute__((unused)) u64 now(void) { return clock_ns; }
static u64 pfn_to_mfn(u64 pfn) { return pfn; }

static int evtchn_send(u32 port)
{
	notified++;
	return 0;
}

static int gnttab_copy(struct gnttab_copy *ops, u32 count);

#include "../../ring-buffers/ring.c"
#include "../../drivers/backend/netback_rx.c"
#include "../../drivers/backend/netback_tx.c"

static u8 *guest_page[GRANTS];		/* NULL: a grant that is refused */

/* As the hypervisor: nothing leaves a page, and a guest's page only by its grant. */
static u8 *copy_end(const struct gnttab_copy_ptr *end, bool grant, u32 length)
{
	CHECK(end->offset + length <= PAGE_SIZE);
	if (!grant) {
		CHECK(end->domid == DOMID_SELF);
		return (u8 *)(end->u.gmfn << PAGE_SHIFT) + end->offset;
	}
	CHECK(end->domid == GUEST);
	return end->u.ref < GRANTS && guest_page[end->u.ref] ? guest_page[end->u.ref] + end->offset : NULL;
}

static int gnttab_copy(struct gnttab_copy *ops, u32 count)
{
	int result = 0;

	for (u32 i = 0; i < count; i++) {
		struct gnttab_copy *op = &ops[i];
		u8 *from = copy_end(&op->source, op->flags & GNTCOPY_source_gref, op->len);
		u8 *to = copy_end(&op->dest, op->flags & GNTCOPY_dest_gref, op->len);

		CHECK(op->len);
		op->status = from && to ? GNTST_okay : GNTST_bad_gntref;
		if (from && to)
			memcpy(to, from, op->len);
		else
			result = -EIO;
	}
	return result;
}

void netback_broken(struct vif *vif, int err)
{
	vif->broken = err;
}

static u32 woken;

void netback_wake(struct vif *vif)
{
	woken++;
}

static void sent(struct packet *p);

void port_input(struct port *port, struct packet *p)
{
	CHECK(p->length >= ETH_HEADER && p->length <= PACKET_MAX && p->references == 1);
	CHECK(!p->gso_type || p->csum_blank);
	sent(p);
}

void port_flush(struct port *port)
{
	flushes++;
}

/* --- the guest --- */

static struct backend host_backend = { GUEST };
static struct vif vif;
static struct vif_queue *queue;
static struct ring_front tx_front, rx_front;
static u8 *tx_page, *rx_page;

static void guest_begins(void)
{
	if (!tx_page) {
		tx_page = aligned_alloc(PAGE_SIZE, PAGE_SIZE);
		rx_page = aligned_alloc(PAGE_SIZE, PAGE_SIZE);
		queue = malloc(sizeof(*queue));
		for (u32 i = 0; i < GRANTS; i++)
			guest_page[i] = aligned_alloc(PAGE_SIZE, PAGE_SIZE);
	}
	memset(tx_page, 0, PAGE_SIZE);
	memset(rx_page, 0, PAGE_SIZE);
	memset(queue, 0, sizeof(*queue));
	ring_front_init(&tx_front, tx_page, PAGE_SIZE, sizeof(struct netif_tx_request));
	ring_front_init(&rx_front, rx_page, PAGE_SIZE, sizeof(struct netif_rx_request));
	vif = (struct vif){ .backend = &host_backend, .queue = queue, .nr_queues = 1, .sg = true };
	vif.device = (struct net_device){ .mtu = 1500, .can_csum = true, .can_csum6 = true, .can_gso4 = true, .can_gso6 = true,
					  .send = netback_send, .flush = netback_flush, .data = &vif };
	queue->vif = &vif;
	CHECK(!ring_back_init(&queue->tx, tx_page, PAGE_SIZE, sizeof(struct netif_tx_request)));
	CHECK(!ring_back_init(&queue->rx, rx_page, PAGE_SIZE, sizeof(struct netif_rx_request)));
}

static void guest_ends(void)
{
	netback_rx_drop(queue);
	CHECK(!pages_out && !vif.pending_pages && !pages_waiting);
}

#endif
