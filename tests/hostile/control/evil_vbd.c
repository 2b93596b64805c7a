/* SPDX-License-Identifier: MIT */
/*
 * A disk's backend that lies. Modes by what is published:
 *
 *	sectors-0 sectors-2^63 sector-size-0 sector-size-3	the guest wants no such disk
 *	huge			limits of four thousand millions: the guest takes what it can use
 *
 * and by what is done with requests; all others are answered as errors:
 *
 *	silent jump back early unknown-id twice other-op other-status storm keep flap changing
 */
#include <abi/blkif.h>
#include <abi/errno.h>

#include "../../../pvkernel/include/evtchn.h"
#include "../../../pvkernel/include/lib.h"
#include "../../../pvkernel/include/mm.h"
#include "../../../pvkernel/include/time.h"
#include "evil.h"

#define STORM 20000

static int probe(struct backend *b)
{
	struct evil *e = evil_probe(b);
	bool huge;

	if (!e)
		return -ENOMEM;
	huge = evil_is(e, "huge");
	back_write(b, XS_NO_TX, "feature-flush-cache", "1");
	back_write(b, XS_NO_TX, "feature-discard", "1");
	back_write(b, XS_NO_TX, "max-ring-page-order", huge ? "4294967295" : "0");
	back_write(b, XS_NO_TX, "multi-queue-max-queues", huge ? "4294967295" : "1");
	back_write(b, XS_NO_TX, "feature-max-indirect-segments", huge ? "4294967295" : "0");
	return 0;
}

static void respond(struct evil *e, const struct blkif_request *q, u64 id, u32 op, int status)
{
	struct blkif_response r = { .id = id, .operation = op, .status = status };

	ring_put_response(&e->ring[0], &r, sizeof(r));
}

static void keep_all(struct evil *e, const struct blkif_request *q)
{
	for (u32 i = 0; i < MIN(q->nr_segments, 11u); i++)
		evil_keep(e, q->seg[i].gref);
}

/* One request that was taken. */
static void answer(struct evil *e, const struct blkif_request *q)
{
	struct ring_header *h = e->ring[0].shared;

	if (evil_is(e, "silent") || evil_is(e, "early"))
		return;
	if (evil_is(e, "jump"))
		h->rsp_prod += 1000;
	else if (evil_is(e, "back"))
		h->rsp_prod -= 3;
	else if (evil_is(e, "unknown-id"))
		respond(e, q, q->id ^ 1ul << 40, q->operation, 0);
	else if (evil_is(e, "other-op"))
		respond(e, q, q->id, q->operation + 1, 0);
	else if (evil_is(e, "other-status"))
		respond(e, q, q->id, q->operation, 77);
	else if (evil_is(e, "twice")) {
		respond(e, q, q->id, q->operation, 0);
		respond(e, q, q->id, q->operation, 0);
	} else if (evil_is(e, "keep")) {
		keep_all(e, q);
		respond(e, q, q->id, q->operation, 0);
	} else {
		respond(e, q, q->id, q->operation, BLKIF_RSP_ERROR);
	}
}

/* Answers that were published become other ones while they may be read. */
static void change(struct evil *e)
{
	u64 *words = (u64 *)e->ring[0].shared;

	for (u32 i = 0; i < 5000; i++)
		WRITE_ONCE(words[8 + evil_random() % 480], evil_random());
}

static void serve(void *arg)
{
	struct evil *e = arg;
	struct blkif_request q;

	if (evil_is(e, "early"))
		e->ring[0].shared->rsp_prod = 7;
	if (evil_is(e, "flap"))
		evil_flap(e);
	while (!e->stop) {
		while (ring_get_request(&e->ring[0], &q, sizeof(q)) > 0)
			answer(e, &q);
		if (!evil_is(e, "early"))
			ring_push_responses(&e->ring[0]);
		evil_send(e, evil_is(e, "storm") ? STORM : 1);
		if (evil_is(e, "changing"))
			change(e);
		thread_sleep(NSEC_PER_MSEC);
	}
	evil_judge_kept(e);
}

static int connect(struct backend *b)
{
	struct evil *e = b->data;
	u64 order = 0;
	int err;

	back_read_front_u64(b, "ring-page-order", 4, &order);
	err = evil_connect(e, 0, "ring-ref", 1u << order, sizeof(struct blkif_request));
	back_write(b, XS_NO_TX, "sectors", evil_is(e, "sectors-0") ? "0" : evil_is(e, "sectors-2^63") ? "9223372036854775808" : "16384");
	back_write(b, XS_NO_TX, "sector-size", evil_is(e, "sector-size-0") ? "0" : evil_is(e, "sector-size-3") ? "3" : "512");
	back_write(b, XS_NO_TX, "physical-sector-size", "18446744073709551615");
	back_write(b, XS_NO_TX, "info", "0");
	return evil_start(e, err, serve);
}

const struct backend_driver evil_vbd = {
	.type = "evil-vbd", .probe = probe, .connect = connect, .disconnect = evil_disconnect, .remove = evil_remove,
};
