/* SPDX-License-Identifier: MIT */
/*
 * Both ends of a ring of requests and responses, in pages that two domains share. Neither end trusts the other: ring.c says
 * what that means and why each barrier is there. Entries are copied, each exactly once; `slot` is the size of the
 * larger of request and response, in bytes, at which entries lie.
 */
#ifndef RINGS_RING_H
#define RINGS_RING_H

#include <abi/ring.h>

#include "../pvkernel/include/types.h"

struct ring_front {
	struct ring_header *shared;
	u32 entries, slot;	/* entries is a power of two */
	u32 req_prod;		/* ours: requests put, published or not */
	u32 req_published;
	u32 rsp_cons;		/* responses taken; entries [rsp_cons, req_prod) are in use */
	bool broken;		/* the other end's index was nonsense: nothing moves any more */
};

/* A fresh ring in zeroed or dirty pages, `bytes` of them. */
void ring_front_init(struct ring_front *r, void *pages, u32 bytes, u32 slot);
u32 ring_front_room(const struct ring_front *r);	/* requests that can be put */
void ring_put_request(struct ring_front *r, const void *request, u32 size);	/* there is room; not yet to be seen */
bool ring_push_requests(struct ring_front *r);	/* now it is; true: the backend has to be notified */
/* 1 and a copy; 0: none; -EIO: the ring is broken. */
int ring_get_response(struct ring_front *r, void *response, u32 size);
/* Before sleeping: asks to be notified of the next response. True: there is one already. */
bool ring_await_responses(struct ring_front *r);

struct ring_back {
	struct ring_header *shared;
	u32 entries, slot;
	u32 req_cons;		/* requests taken */
	u32 rsp_prod;		/* responses put; at most req_cons */
	u32 rsp_published;
	bool broken;
};

/* Goes on where the page says: rsp_prod, which also is what the frontend has got answers up to. -EINVAL: impossible indices. */
int ring_back_init(struct ring_back *r, void *pages, u32 bytes, u32 slot);
int ring_get_request(struct ring_back *r, void *request, u32 size);	/* as ring_get_response */
bool ring_await_requests(struct ring_back *r);
void ring_put_response(struct ring_back *r, const void *response, u32 size);	/* one for each request taken, in any order */
bool ring_push_responses(struct ring_back *r);	/* true: the frontend has to be notified */

#endif
