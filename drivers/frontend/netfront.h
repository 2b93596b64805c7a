/* SPDX-License-Identifier: MIT */
/* A network device's frontend: what its halves share, netfront.c that moves packets and netfront_bus.c that connects. */
#ifndef NETFRONT_H
#define NETFRONT_H

#include <abi/netif.h>

#include "../../pvkernel/include/mutex.h"
#include "../../pvkernel/include/net.h"
#include "../../pvkernel/include/sched.h"
#include "../../ring-buffers/ring.h"
#include "xenbus_front.h"

#define NETFRONT_ENTRIES 256	/* of a ring of one page */
#define NETFRONT_SLOTS XEN_NETIF_NR_SLOTS_MIN

struct netfront_buffer {
	u8 *page;
	u32 ref;
};

/* A packet whose responses come in: its parts so far, in pages that are ours until it is copied. */
struct netfront_incoming {
	u16 parts, extras;
	u32 length;
	u16 flags;		/* of the first part */
	u16 gso_size;
	u8 gso_type;
	bool bad;
	struct netfront_part {
		u16 buffer, offset, length;
	} part[NETFRONT_SLOTS];
};

struct netfront;

struct netfront_queue {
	struct netfront *owner;
	u32 port_tx, port_rx;	/* the same, or two */

	struct ring_front tx;
	u32 tx_ref;
	struct netfront_buffer tx_buffer[NETFRONT_ENTRIES];
	u16 tx_free[NETFRONT_ENTRIES], nr_tx_free;	/* buffers that no request names; those behind nr_tx_made have no page yet */
	bool tx_busy[NETFRONT_ENTRIES];	/* by buffer: a request names it */

	struct ring_front rx;
	u32 rx_ref;
	struct netfront_buffer rx_buffer[NETFRONT_ENTRIES];
	u16 rx_slot[NETFRONT_ENTRIES];	/* by position in the ring: the buffer of the request there, or NO_BUFFER */
	u16 rx_spare[NETFRONT_ENTRIES], nr_rx_spare;	/* buffers with no request */
	bool in_extra;		/* the next slot holds extra info */
	bool in_packet;		/* the next slot goes on with what `incoming` has */
	struct netfront_incoming incoming;
};

struct netfront {
	struct list node;	/* of all, by disabled interrupts */
	struct net_device device;
	struct frontend *front;
	struct mutex rx_lock, tx_lock;
	struct netfront_queue *queues;	/* nr_queues of them, or NULL */
	u32 nr_queues;
	bool connected, registered;
	bool failed;		/* the backend did what no backend may; set once a connection */
	bool can_sg;
	bool stalled;		/* a sender has waited in vain, and nothing came since */
	bool event, ending;
	struct wait_queue work, room;	/* the thread; senders */
	struct thread *thread;
	u32 spurious;
	u64 errors, held_off;
};

bool netfront_buffer_make(struct netfront_buffer *b, u16 domid, bool readonly);	/* a private page, granted; false: no memory */
void netfront_buffers_free(struct netfront_buffer *b, u32 count);
void netfront_post(struct netfront_queue *q);	/* gives the backend all pages to receive into */
void netfront_send(struct net_device *d, struct packet *p);
void netfront_flush(struct net_device *d);
void netfront_event(void *nf);
void netfront_thread(void *nf);

extern const struct frontend_driver netfront_driver;

#endif
