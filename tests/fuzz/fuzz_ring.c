/* SPDX-License-Identifier: MIT */
/*
 * One end of a ring of requests and responses; the input is what its hostile other end stores into the page, between our steps. What
 * must hold, whatever it stores: our indexes keep their order; nothing is touched outside the ring and the caller's memory
 * (the sanitizer's business); a ring that is broken stays so; a get moves exactly one entry; and as long as the ring is not
 * broken, what the other end has published is what we get, no more and no less.
 */
#include <stdlib.h>
#include <string.h>

#include "../../ring-buffers/ring.c"
#include "input.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static u32 word(struct input *in)
{
	u32 v = byte(in);

	v |= (u32)byte(in) << 8;
	v |= (u32)byte(in) << 16;
	return v | (u32)byte(in) << 24;
}

/* Small steps of an index, which keep a ring alive for long, and anything else. */
static void store(struct input *in, void *page, u32 bytes)
{
	u32 *words = page;
	u8 what = byte(in);

	if (what < 160)
		words[what % 4] += what / 4 % 4;
	else if (what < 176)
		words[what % 4] = word(in);
	else
		((u8 *)page)[word(in) % bytes] = byte(in);
}

static void check_back(const struct ring_back *r)
{
	CHECK(r->req_cons - r->rsp_published <= r->entries);
	CHECK(r->rsp_prod - r->rsp_published <= r->req_cons - r->rsp_published);
	CHECK(r->req_seen - r->rsp_published <= r->entries);
}

static void backend_step(struct input *in, struct ring_back *r)
{
	u8 what = byte(in);
	u32 size = r->slot, cons = r->req_cons, there = __atomic_load_n(&r->shared->req_prod, __ATOMIC_SEQ_CST) - r->req_seen;
	bool was = r->broken, waits = r->req_seen != cons, pushed;
	u64 *entry = malloc(size);
	int n;

	switch (what % 4) {
	case 0:
		n = size == 112 ? ring_get_request(r, entry, 112) : ring_get_request(r, entry, 8);
		CHECK(n == -EIO ? r->broken : !was && n == (waits || there != 0));
		CHECK(r->req_cons == cons + (n == 1));
		break;
	case 1:
		memset(entry, what, size);
		if (r->rsp_prod != r->req_cons) {
			if (size == 112)
				ring_put_response(r, entry, 16);
			else
				ring_put_response(r, entry, 8);
		}
		break;
	case 2:
		pushed = r->rsp_prod != r->rsp_published;
		ring_push_responses(r);
		CHECK(r->rsp_published == r->rsp_prod && (!pushed || r->shared->rsp_prod == r->rsp_prod));
		break;
	default:
		ring_await_requests(r, 1 + what / 4 % r->entries);
	}
	CHECK(r->broken >= was);
	check_back(r);
	free(entry);
}

static void frontend_step(struct input *in, struct ring_front *r)
{
	u8 what = byte(in);
	u32 size = r->slot, cons = r->rsp_cons, there = __atomic_load_n(&r->shared->rsp_prod, __ATOMIC_SEQ_CST) - r->rsp_seen;
	bool was = r->broken, waits = r->rsp_seen != cons, pushed;
	u64 *entry = calloc(1, size);
	int n;

	switch (what % 4) {
	case 0:
		n = size == 112 ? ring_get_response(r, entry, 16) : ring_get_response(r, entry, 8);
		CHECK(n == -EIO ? r->broken : !was && n == (waits || there != 0));
		CHECK(r->rsp_cons == cons + (n == 1));
		break;
	case 1:
		if (ring_front_room(r)) {
			if (size == 112)
				ring_put_request(r, entry, 112);
			else
				ring_put_request(r, entry, 8);
		}
		break;
	case 2:
		pushed = r->req_prod != r->req_published;
		ring_push_requests(r);
		CHECK(r->req_published == r->req_prod && (!pushed || r->shared->req_prod == r->req_prod));
		break;
	default:
		ring_await_responses(r, 1 + what / 4 % r->entries);
	}
	CHECK(r->broken >= was);
	CHECK(r->req_prod - r->rsp_cons <= r->entries && r->rsp_seen - r->rsp_cons <= r->req_published - r->rsp_cons);
	free(entry);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = { data, size };
	u8 how = byte(&in);
	u32 slot = how & 1 ? 112 : 8, bytes = 64 + slot * (how & 2 ? 4 : 16);
	struct ring_header *page = calloc(1, bytes);
	struct ring_back b;
	struct ring_front f;

	if (how & 4) {
		page->req_prod = word(&in);
		page->rsp_prod = how & 8 ? page->req_prod - byte(&in) : word(&in);
		CHECK((ring_back_init(&b, page, bytes, slot) == 0) == (page->req_prod - page->rsp_prod <= b.entries));
		check_back(&b);
	} else {
		ring_front_init(&f, page, bytes, slot);
	}
	while (in.left) {
		store(&in, page, bytes);
		if (how & 4)
			backend_step(&in, &b);
		else
			frontend_step(&in, &f);
	}
	free(page);
	return 0;
}
