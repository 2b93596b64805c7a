/* SPDX-License-Identifier: MIT */
/* The split virtqueue (virtio 1.1, section 2.6), the driver's end. Its users guard it: one call at a time. */
#ifndef CTL_VIRTQUEUE_H
#define CTL_VIRTQUEUE_H

#include "../../include/types.h"

#define VQ_MAX_SIZE 256u	/* so that each part of a ring has room in one page */

#define VRING_DESC_NEXT 1
#define VRING_DESC_WRITE 2	/* the device writes */
#define VRING_DESC_INDIRECT 4
#define VRING_AVAIL_NO_INTERRUPT 1
#define VRING_USED_NO_NOTIFY 1

struct vring_desc {
	u64 addr;
	u32 len;
	u16 flags, next;
};

struct vring_avail {
	u16 flags, index;
	u16 ring[];		/* and, behind it, used_event */
};

struct vring_used {
	u16 flags, index;
	struct {
		u32 id, len;
	} ring[];		/* and avail_event */
};

struct vq_slot {
	void *token;		/* whose request has its head here; NULL: none */
	u32 room;		/* bytes that the device may write */
	u16 next;		/* of the chain, or of the free list */
	u16 count;		/* descriptors of the chain */
};

struct virtqueue {
	struct vring_desc *desc;	/* each in a page of its own */
	struct vring_avail *avail;
	struct vring_used *used;
	u16 size;		/* a power of two */
	bool indirect, event_index;
	bool broken;		/* the device said what cannot be; no more is asked or believed */
	u16 free, nr_free;
	u16 added, told;	/* the avail index as we have it, and as it was at the last kick */
	u16 seen;		/* used entries taken */
	struct vq_slot slots[VQ_MAX_SIZE];
};

/* The three pages are zeroed. size: of the device, made the largest that fits here. */
void vq_init(struct virtqueue *q, u16 size, void *desc, void *avail, void *used, bool indirect, bool event_index);

/* So many requests of `count` descriptors each have room. */
u32 vq_room(const struct virtqueue *q, u32 count);

/*
 * A request of `count` buffers, those that the device writes last. `list` may be used as an indirect table at machine address
 * `list_maddr`: it stays the device's until the request is back. False: no room.
 */
bool vq_add(struct virtqueue *q, struct vring_desc *list, u64 list_maddr, u32 count, void *token);

bool vq_publish(struct virtqueue *q);	/* what was added is the device's; true: it has to be notified */

/* A request that is back: its token; *written is never more than its buffers hold. NULL: none. */
void *vq_get(struct virtqueue *q, u32 *written);
u32 vq_in_flight(const struct virtqueue *q);	/* descriptors of the ring */

/* Asks for an interrupt when `more` (1: at once) requests are back from here on. False: so many are back already; look again. */
bool vq_enable_interrupt(struct virtqueue *q, u16 more);
void vq_disable_interrupt(struct virtqueue *q);

#endif
