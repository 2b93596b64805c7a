/* SPDX-License-Identifier: MIT */
/* Event channels: one-bit messages between domains, vCPUs and the hypervisor. See event_channel.md. */
#ifndef ABI_EVENT_CHANNEL_H
#define ABI_EVENT_CHANNEL_H

#define EVTCHNOP_bind_interdomain 0
#define EVTCHNOP_bind_virq 1
#define EVTCHNOP_bind_pirq 2
#define EVTCHNOP_close 3
#define EVTCHNOP_send 4
#define EVTCHNOP_status 5
#define EVTCHNOP_alloc_unbound 6
#define EVTCHNOP_bind_ipi 7
#define EVTCHNOP_bind_vcpu 8
#define EVTCHNOP_unmask 9
#define EVTCHNOP_reset 10
#define EVTCHNOP_init_control 11
#define EVTCHNOP_expand_array 12
#define EVTCHNOP_set_priority 13

/* evtchn_status.status */
#define EVTCHNSTAT_closed 0
#define EVTCHNSTAT_unbound 1
#define EVTCHNSTAT_interdomain 2
#define EVTCHNSTAT_pirq 3
#define EVTCHNSTAT_virq 4
#define EVTCHNSTAT_ipi 5

/* evtchn_bind_pirq.flags */
#define BIND_PIRQ__WILL_SHARE 1

/* Ports of the two-level ABI. */
#define EVTCHN_2L_NR_CHANNELS 4096

/* The FIFO ABI: priorities, and the bits of an event word. */
#define EVTCHN_FIFO_PRIORITY_MAX 0
#define EVTCHN_FIFO_PRIORITY_DEFAULT 7
#define EVTCHN_FIFO_PRIORITY_MIN 15
#define EVTCHN_FIFO_MAX_QUEUES 16
#define EVTCHN_FIFO_PENDING 31
#define EVTCHN_FIFO_MASKED 30
#define EVTCHN_FIFO_LINKED 29
#define EVTCHN_FIFO_BUSY 28
#define EVTCHN_FIFO_LINK_BITS 17
#define EVTCHN_FIFO_LINK_MASK 0x1ffff
#define EVTCHN_FIFO_NR_CHANNELS 0x20000

#ifndef __ASSEMBLY__
#include <stdint.h>

/* 8 bytes. */
struct evtchn_alloc_unbound {
	uint16_t dom;		/* 0x00 IN: whose port */
	uint16_t remote_dom;	/* 0x02 IN: who may bind to it */
	uint32_t port;		/* 0x04 OUT */
};

/* 12 bytes. */
struct evtchn_bind_interdomain {
	uint16_t remote_dom;	/* 0x00 IN */
	uint32_t remote_port;	/* 0x04 IN */
	uint32_t local_port;	/* 0x08 OUT */
};

/* 12 bytes. */
struct evtchn_bind_virq {
	uint32_t virq;		/* 0x00 IN */
	uint32_t vcpu;		/* 0x04 IN */
	uint32_t port;		/* 0x08 OUT */
};

/* 12 bytes. */
struct evtchn_bind_pirq {
	uint32_t pirq;		/* 0x00 IN */
	uint32_t flags;		/* 0x04 IN: BIND_PIRQ__WILL_SHARE */
	uint32_t port;		/* 0x08 OUT */
};

/* 8 bytes. */
struct evtchn_bind_ipi {
	uint32_t vcpu;		/* 0x00 IN */
	uint32_t port;		/* 0x04 OUT */
};

/* 4 bytes. */
struct evtchn_close {
	uint32_t port;		/* 0x00 IN */
};

/* 4 bytes. */
struct evtchn_send {
	uint32_t port;		/* 0x00 IN */
};

/* 24 bytes. */
struct evtchn_status {
	uint16_t dom;		/* 0x00 IN */
	uint32_t port;		/* 0x04 IN */
	uint32_t status;	/* 0x08 OUT: EVTCHNSTAT_* */
	uint32_t vcpu;		/* 0x0c OUT: which vCPU it notifies */
	union {
		struct {
			uint16_t dom;	/* 0x10 OUT: who may bind */
		} unbound;		/* 0x10 */
		struct {
			uint16_t dom;	/* 0x10 OUT: the other side */
			uint32_t port;	/* 0x14 OUT: its port there */
		} interdomain;		/* 0x10 */
		uint32_t pirq;		/* 0x10 OUT */
		uint32_t virq;		/* 0x10 OUT */
	} u;			/* 0x10 */
};

/* 8 bytes. */
struct evtchn_bind_vcpu {
	uint32_t port;		/* 0x00 IN */
	uint32_t vcpu;		/* 0x04 IN */
};

/* 4 bytes. */
struct evtchn_unmask {
	uint32_t port;		/* 0x00 IN */
};

/* 2 bytes. */
struct evtchn_reset {
	uint16_t dom;		/* 0x00 IN */
};

/* 24 bytes. */
struct evtchn_init_control {
	uint64_t control_gfn;	/* 0x00 IN: page of the control block */
	uint32_t offset;	/* 0x08 IN: where in it */
	uint32_t vcpu;		/* 0x0c IN */
	uint8_t link_bits;	/* 0x10 OUT: width of LINK */
	uint8_t _pad[7];	/* 0x11 */
};

/* 8 bytes. */
struct evtchn_expand_array {
	uint64_t array_gfn;	/* 0x00 IN: page of 1024 event words */
};

/* 8 bytes. */
struct evtchn_set_priority {
	uint32_t port;		/* 0x00 IN */
	uint32_t priority;	/* 0x04 IN: 0 high to 15 low */
};

/* A vCPU's queues in the FIFO ABI. 72 bytes. */
struct evtchn_fifo_control_block {
	uint32_t ready;				/* 0x00 SHARED: bit per queue with events */
	uint32_t _rsvd;				/* 0x04 */
	uint32_t head[EVTCHN_FIFO_MAX_QUEUES];	/* 0x08 SHARED: first port of each queue */
};
#endif

#endif
