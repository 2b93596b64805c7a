/* SPDX-License-Identifier: MIT */
/*
 * Both ends of a ring of requests and responses, in pages that two domains share. Neither end trusts the other: ring.c says
 * what that means and why each barrier is there. Entries are copied, each byte exactly once; `slot` is the size of the
 * larger of request and response, in bytes, at which entries lie. Sizes are multiples of 4, and constants at every caller, so
 * that a copy becomes a few moves. One thread at a time uses an end.
 */
#ifndef RINGS_RING_H
#define RINGS_RING_H

#include <abi/errno.h>
#include <abi/ring.h>

#include "../pvkernel/include/types.h"

#define RING_INLINE static inline __attribute__((always_inline))

struct ring_front {
	struct ring_header *shared;
	u32 entries, slot;	/* entries is a power of two */
	u32 req_prod;		/* ours: requests put, published or not */
	u32 req_published;
	u32 rsp_cons;		/* responses taken; entries [rsp_cons, req_prod) are in use */
	u32 rsp_seen;		/* responses that the other end has said are there */
	bool broken;		/* the other end's index was nonsense: nothing moves any more */
};

struct ring_back {
	struct ring_header *shared;
	u32 entries, slot;
	u32 req_cons;		/* requests taken */
	u32 req_seen;		/* requests that the other end has said are there */
	u32 rsp_prod;		/* responses put; at most req_cons */
	u32 rsp_published;
	bool broken;
};

u32 ring_entries(u32 bytes, u32 slot);	/* in so many bytes of pages */
/* A fresh ring in zeroed or dirty pages, `bytes` of them. */
void ring_front_init(struct ring_front *r, void *pages, u32 bytes, u32 slot);
/* Goes on where the page says: rsp_prod, which also is what the frontend has got answers up to. -EINVAL: impossible indices. */
int ring_back_init(struct ring_back *r, void *pages, u32 bytes, u32 slot);

/* --- what the functions below are made of --------------------------------------------------------------------- */

typedef u32 __attribute__((may_alias)) ring_u32;
typedef u64 __attribute__((may_alias)) ring_u64;

/* Each word is loaded and stored once, whatever the compiler thinks of it. Between slots, which are aligned, and our memory. */
RING_INLINE void ring_copy(void *to, const void *from, u32 size)
{
	if (size > 64 && size % 8 == 0) {
		u64 words = size / 8;

		__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
	} else if (size % 8 == 0) {
#pragma GCC unroll 8
		for (u32 i = 0; i < size / 8; i++)
			WRITE_ONCE(((ring_u64 *)to)[i], READ_ONCE(((const ring_u64 *)from)[i]));
	} else {
#pragma GCC unroll 16
		for (u32 i = 0; i < size / 4; i++)
			WRITE_ONCE(((ring_u32 *)to)[i], READ_ONCE(((const ring_u32 *)from)[i]));
	}
}

RING_INLINE void *ring_slot(struct ring_header *shared, u32 index, u32 entries, u32 slot)
{
	return (char *)shared + RING_HEADER_SIZE + (index & (entries - 1)) * slot;
}

RING_INLINE u32 ring_load(const u32 *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/* Publishes an index and says whether the other end wants to hear of it: its event index is among those that we went past. */
RING_INLINE bool ring_publish(u32 *index, const u32 *event, u32 old, u32 new)
{
	if (new == old)
		return false;
	__atomic_store_n(index, new, __ATOMIC_SEQ_CST);
	return new - __atomic_load_n(event, __ATOMIC_SEQ_CST) < new - old;
}

/* Asks to hear when the index reaches `at`; true: it has. */
RING_INLINE bool ring_await(u32 *event, const u32 *index, u32 at, u32 cons)
{
	__atomic_store_n(event, at, __ATOMIC_SEQ_CST);
	return __atomic_load_n(index, __ATOMIC_SEQ_CST) - cons >= at - cons;
}

/* --- the frontend's end --------------------------------------------------------------------------------------- */

/* Requests that can be put. */
RING_INLINE u32 ring_front_room(const struct ring_front *r)
{
	return r->entries - (r->req_prod - r->rsp_cons);
}

/* There is room. It is not to be seen before the push. */
RING_INLINE void ring_put_request(struct ring_front *r, const void *request, u32 size)
{
	ring_copy(ring_slot(r->shared, r->req_prod++, r->entries, r->slot), request, size);
}

/* Now all are that were put; true: the backend has to be notified. */
RING_INLINE bool ring_push_requests(struct ring_front *r)
{
	u32 old = r->req_published;

	r->req_published = r->req_prod;
	return ring_publish(&r->shared->req_prod, &r->shared->req_event, old, r->req_prod);
}

/* How many responses can be taken; more than were asked for: -EIO, the ring is broken. */
RING_INLINE int ring_responses(struct ring_front *r)
{
	if (r->rsp_seen == r->rsp_cons) {
		u32 there = ring_load(&r->shared->rsp_prod) - r->rsp_cons;

		if (there > r->req_published - r->rsp_cons)
			r->broken = true;
		else
			r->rsp_seen += there;
	}
	return r->broken ? -EIO : (int)(r->rsp_seen - r->rsp_cons);
}

/* 1 and a copy; 0: none; -EIO: the ring is broken. */
RING_INLINE int ring_get_response(struct ring_front *r, void *response, u32 size)
{
	int n = ring_responses(r);

	if (n <= 0)
		return n;
	ring_copy(response, ring_slot(r->shared, r->rsp_cons, r->entries, r->slot), size);
	r->rsp_cons++;
	return 1;
}

/*
 * Before sleeping: asks to be notified when n more responses are there than were taken; n is at least 1 and at most
 * the requests that wait for one. True: they are there already, or the ring is broken, as ring_responses() will tell.
 */
RING_INLINE bool ring_await_responses(struct ring_front *r, u32 n)
{
	return ring_await(&r->shared->rsp_event, &r->shared->rsp_prod, r->rsp_cons + n, r->rsp_cons);
}

/* --- the backend's end ---------------------------------------------------------------------------------------- */

/* How many requests can be taken; more than the ring holds: -EIO, the ring is broken. */
RING_INLINE int ring_requests(struct ring_back *r)
{
	if (r->req_seen == r->req_cons) {
		u32 there = ring_load(&r->shared->req_prod) - r->req_cons;

		if (there > r->entries - (r->req_cons - r->rsp_published))
			r->broken = true;
		else
			r->req_seen += there;
	}
	return r->broken ? -EIO : (int)(r->req_seen - r->req_cons);
}

/* As ring_get_response(). */
RING_INLINE int ring_get_request(struct ring_back *r, void *request, u32 size)
{
	int n = ring_requests(r);

	if (n <= 0)
		return n;
	ring_copy(request, ring_slot(r->shared, r->req_cons, r->entries, r->slot), size);
	r->req_cons++;
	return 1;
}

/* As ring_await_responses(); at most as many as the ring has entries. */
RING_INLINE bool ring_await_requests(struct ring_back *r, u32 n)
{
	return ring_await(&r->shared->req_event, &r->shared->req_prod, r->req_cons + n, r->req_cons);
}

/* One for each request taken, in any order. */
RING_INLINE void ring_put_response(struct ring_back *r, const void *response, u32 size)
{
	ring_copy(ring_slot(r->shared, r->rsp_prod++, r->entries, r->slot), response, size);
}

/* True: the frontend has to be notified. */
RING_INLINE bool ring_push_responses(struct ring_back *r)
{
	u32 old = r->rsp_published;

	r->rsp_published = r->rsp_prod;
	return ring_publish(&r->shared->rsp_prod, &r->shared->rsp_event, old, r->rsp_prod);
}

#endif
