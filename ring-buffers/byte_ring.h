/* SPDX-License-Identifier: MIT */
/*
 * One end of a ring of bytes in memory that two domains share, as consoles and xenstore use it. A channel
 * both ways is two rings. The other end is not trusted: see byte_ring.c for what that means.
 */
#ifndef RINGS_BYTE_RING_H
#define RINGS_BYTE_RING_H

#include "../pvkernel/include/types.h"

struct byte_ring {
	char *data;		/* shared */
	u32 size;		/* a power of two */
	u32 *published;		/* shared: our index as the other end may see it */
	u32 *peer;		/* shared: the other end's index */
	u32 index;		/* ours: bytes written or read so far, modulo 2^32 */
	bool broken;		/* the other end's index was nonsense: nothing moves any more */
};

/* Our index goes on from what the page says, 0 in a fresh one. */
void byte_ring_producer(struct byte_ring *r, char *data, u32 size, u32 *prod, u32 *cons);
void byte_ring_consumer(struct byte_ring *r, char *data, u32 size, u32 *prod, u32 *cons);

/* How many bytes could be written (by a producer) or read (by a consumer) now. -EIO: the ring is broken. */
int byte_ring_room(struct byte_ring *r);
int byte_ring_bytes(struct byte_ring *r);

/*
 * As many of length bytes as there are room for or bytes of; how many it was, 0 when full or empty. -EIO: the ring
 * is broken. *notify becomes true when the other end may be asleep for want of what this call brought, and is
 * otherwise left alone: the caller then sends one event for as many calls as it likes, before it sleeps itself.
 */
int byte_ring_write(struct byte_ring *r, const void *bytes, u32 length, bool *notify);
int byte_ring_read(struct byte_ring *r, void *bytes, u32 length, bool *notify);

#endif
