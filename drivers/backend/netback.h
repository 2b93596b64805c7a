/* SPDX-License-Identifier: MIT */
/*
 * A guest's network interface, domain 0's half. netback.c connects it and has its thread, netback_tx.c takes what the guest sends,
 * netback_rx.c hands over what it gets. The names are the protocol's: tx is the guest's sending, rx its receiving.
 */
#ifndef BACKEND_NETBACK_H
#define BACKEND_NETBACK_H

#include <abi/grant_table.h>
#include <abi/netif.h>
#include <abi/xen.h>

#include "../../pvkernel/control/network/switch.h"
#include "../../pvkernel/include/net.h"
#include "../../pvkernel/include/sched.h"
#include "../../pvkernel/include/time.h"
#include "../../ring-buffers/ring.h"
#include "xenbus_back.h"

#define NETBACK_QUEUES 4
#define NETBACK_MULTICAST 64		/* addresses that a guest may ask for */

#define TX_PACKETS 64			/* of one batch */
#define TX_SLOTS 256
#define TX_OPS 320
#define TX_EXTRAS 6			/* of one packet */
#define RX_PENDING 512			/* packets that wait for the guest to post buffers */
#define RX_PENDING_PAGES 768		/* of one vif's */
#define RX_PENDING_SURE 32		/* that a vif may have however much others have */
#define RX_SLOTS 256			/* of one batch */
#define RX_OPS 256
#define RX_BATCH 64			/* packets of one batch */
#define RX_PACKET_OPS 80		/* at most so many copies make a packet: pieces, and the borders of pages on both sides */
#define RX_STAGED 32			/* buffers taken from the ring for the next packet */
#define RX_STALL_TICKS 5		/* so often looked at without having taken anything, the guest has stalled */

/* A packet of the batch that is being taken: slots [first, first + slots) and copies [op, op + ops). */
struct tx_packet {
	struct packet *packet;		/* NULL: none, status says why */
	u16 first, slots, op, ops;
	int16_t status;
};

struct rx_slot {
	struct netif_rx_response response;
	struct netif_extra_info extra __attribute__((aligned(8)));	/* the ring copies words */
	bool is_extra;
	u16 op, ops;
};

struct vif_queue {
	struct vif *vif;
	struct ring_mapping tx_pages, rx_pages;
	u32 tx_port, rx_port;		/* our ends; the same for a guest that wants one for both */
	struct ring_back tx, rx;

	/* The thread's. */
	struct gnttab_copy tx_op[TX_OPS];
	struct tx_packet tx_packet[TX_PACKETS];
	u16 tx_id[TX_SLOTS];
	bool tx_extra[TX_SLOTS];
	u32 nr_tx_ops, nr_tx_packets, nr_tx_slots;

	/* By disabled interrupts: a circle of packets that wait, and who works on the rx ring. */
	struct packet *pending[RX_PENDING];
	u32 pending_head, pending_count;
	bool rx_busy, rx_again;
	bool stalled;			/* has taken nothing for long: one packet waits for its next buffer, no more */
	u32 rx_batches, batches_seen, idle_ticks;

	/* Of who set rx_busy. */
	struct netif_rx_request staged[RX_STAGED] __attribute__((aligned(8)));
	u32 nr_staged;
	struct gnttab_copy rx_op[RX_OPS];
	struct rx_slot rx_slot[RX_SLOTS];
	u32 nr_rx_ops, nr_rx_slots;
};

/* rate: `bytes` each `interval` ns. More than there is may be taken, and is owed: so a packet of any size passes sometime. */
struct vif_rate {
	u64 bytes, interval, filled_at;
	s64 credit;
};

struct vif {
	struct list node;		/* of all, by disabled interrupts */
	struct backend *backend;
	struct net_device device;	/* as the switch sees it: send() is to the guest */
	struct port_config config;
	struct port *port;
	struct vif_rate rate;

	/* As the guest wants it. */
	bool sg, multicast_control, rx_notify;
	u8 multicast[NETBACK_MULTICAST][6];
	u32 nr_multicast;

	struct thread *thread;
	struct wait_queue wake;
	struct timer timer;
	bool due, stop;
	int broken;			/* a negative errno: the guest broke the protocol */
	u32 idle_events;		/* that brought nothing, one after the other */
	u64 events, tx_errors, stalls, held_off;
	u32 pending_pages;		/* memory of what waits in its queues; by disabled interrupts */
	bool watched;			/* something waits, or did a moment ago: the thread looks whether it moves */
	u64 watch_at;

	u32 nr_queues;
	struct vif_queue *queue;
};

void netback_init(void);		/* after xenstore and the switch */

/* One batch. True: there may be more. */
bool netback_tx(struct vif_queue *q);
/* From any thread: what waits goes to the guest, as far as it has posted buffers. */
void netback_rx(struct vif_queue *q);
bool netback_rx_starved(struct vif_queue *q);	/* packets wait for buffers */
/* From time to time, by the thread: what a guest does not take is dropped after RX_STALL_TICKS. False: nothing waits. */
bool netback_rx_watch(struct vif_queue *q);
void netback_rx_drop(struct vif_queue *q);	/* what waits; nobody sends any more */
extern u32 netback_pages_max;			/* of memory of all that waits for all guests */
void netback_send(struct net_device *d, struct packet *p);
void netback_flush(struct net_device *d);
void netback_broken(struct vif *vif, int err);	/* from any thread: the vif's own closes it */
void netback_wake(struct vif *vif);

#endif
