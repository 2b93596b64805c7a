/* SPDX-License-Identifier: MIT */
/*
 * Several devices on one disk that serves its queue in order: who always asks gets as many bytes as any other, however many requests and
 * of what size each has; who asks for little does not wait longer when others ask for more; a device alone has the whole depth.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "blkback_host.h"

#define GUESTS 4u
#define NS_PER_REQUEST 10000u

static u64 ns_per_sector;

static struct guest {
	struct vbd vbd;
	struct ring_front front;
	u8 pages[PAGE_SIZE] __attribute__((aligned(64)));
	u32 depth, segments, outstanding;
	u64 pause, next;		/* between an answer and the next request, ns; when that is */
	u64 asked_at[BLKBACK_SLOTS];
	u64 bytes, answers, waited;
} guests[GUESTS];

static void join(struct guest *g, u32 depth, u32 segments)
{
	memset(g, 0, sizeof(*g));
	g->depth = depth;
	g->segments = segments;
	g->vbd = (struct vbd){ .back = &back, .disk = &device, .nr_queues = 1, .rules = {
		.sectors = DISK_SECTORS, .handle = (u16)DEVID, .domid = DOMID_GUEST,
	} };
	blkback_prepare(&g->vbd);
	ring_front_init(&g->front, g->pages, sizeof(g->pages), sizeof(union blkback_ring_request));
	g->vbd.queues[0] = (struct blkback_queue){ .vbd = &g->vbd };
	ring_back_init(&g->vbd.queues[0].ring, g->pages, sizeof(g->pages), sizeof(union blkback_ring_request));
	assert_int_equal(blkback_start(&g->vbd), 0);
}

static void set_up(void)
{
	struct blkif_request_segment *list = (void *)guest_pages[PAGES - 1];

	memset(&disk, 0, sizeof(disk));
	memset(guests, 0, sizeof(guests));
	list_init(&disk.submitted);
	disk.slow = true;
	ns_per_sector = 5000;			/* 100 MB/s */
	for (u32 i = 0; i < 512; i++)
		list[i] = (struct blkif_request_segment){ .gref = i % (PAGES - 1), .last_sect = 7 };
}

static void take_answers(struct guest *g)
{
	struct blkif_response r;

	while (ring_get_response(&g->front, &r, sizeof(r)) == 1) {
		assert_int_equal(r.status, BLKIF_RSP_OKAY);
		g->waited += clock_ns - g->asked_at[r.id];
		g->answers++;
		g->bytes += g->segments * PAGE_SIZE;
		g->asked_at[r.id] = 0;
		g->outstanding--;
		g->next = clock_ns + g->pause;
	}
}

static void ask_more(struct guest *g)
{
	while (g->outstanding < g->depth && clock_ns >= g->next) {
		union blkback_ring_request q = { .indirect = {
			.operation = BLKIF_OP_INDIRECT, .indirect_op = BLKIF_OP_READ, .nr_segments = g->segments, .handle = (u16)DEVID,
			.indirect_grefs = { PAGES - 1 },
		} };

		while (g->asked_at[q.indirect.id])
			q.indirect.id++;
		g->asked_at[q.indirect.id] = clock_ns;
		g->outstanding++;
		ring_put_request(&g->front, &q, sizeof(q));
		ring_push_requests(&g->front);
		blkback_poke(&g->vbd);
	}
}

/* One thread, until it has nothing to do. */
static bool thread(struct guest *g)
{
	bool busy = false;

	ask_more(g);
	while (g->vbd.poked || !list_empty(&g->vbd.finished)) {
		busy = true;
		while (blkback_round(&g->vbd))
			;
	}
	take_answers(g);
	return busy;
}

static void rounds(void)
{
	bool busy = true;

	while (busy) {
		busy = false;
		for (struct guest *g = guests; g < guests + GUESTS; g++)
			busy |= g->vbd.back && thread(g);
	}
}

static void run_for(u64 ns)
{
	u64 end = clock_ns + ns;

	for (rounds(); clock_ns < end; rounds()) {
		clock_ns += NS_PER_REQUEST;
		if (!list_empty(&disk.submitted))
			clock_ns += list_entry(disk.submitted.next, struct block_request, node)->sectors * ns_per_sector;
		disk_finish();
	}
}

/* After a while in which the depth is found. */
static void run(u64 ns)
{
	run_for(NSEC_PER_SEC / 2);
	for (struct guest *g = guests; g < guests + GUESTS; g++)
		g->bytes = g->answers = g->waited = 0;
	run_for(ns);
}

/* As its thread ends: when all that was taken is answered. */
static void leave(struct guest *g)
{
	g->depth = 0;
	g->vbd.stopping = true;
	while (g->vbd.in_flight) {
		disk_finish();
		rounds();
	}
	assert_int_equal(g->vbd.bytes_in_flight, 0);
	blkback_stop(&g->vbd);
	assert_null(g->vbd.share);
	g->vbd.back = NULL;
}

static void tear_down(void)
{
	for (struct guest *g = guests; g < guests + GUESTS; g++) {
		if (g->vbd.back)
			leave(g);
	}
	assert_true(list_empty(&shares));
}

/* Each within `percent` of what the first has. */
static void assert_equal_bytes(u32 count, u32 percent)
{
	for (u32 i = 1; i < count; i++)
		assert_in_range(guests[i].bytes * 100 / guests[0].bytes, 100 - percent, 100 + percent);
}

static void depths(void **state)
{
	set_up();
	join(&guests[0], 32, 8);
	join(&guests[1], 8, 8);
	join(&guests[2], 5, 8);
	run(NSEC_PER_SEC);
	assert_equal_bytes(3, 2);
	tear_down();
}

static void sizes(void **state)
{
	set_up();
	join(&guests[0], 32, 1);
	join(&guests[1], 16, 8);
	join(&guests[2], 3, 256);
	run(4 * NSEC_PER_SEC);
	assert_equal_bytes(3, 4);
	tear_down();
}

/* One request at a time, now and then: its wait, beside one that has `depth`. */
static u64 wait_beside(u32 depth, u32 segments, u64 pause)
{
	u64 wait;

	set_up();
	join(&guests[0], 1, 1);
	join(&guests[1], depth, segments);
	guests[0].pause = pause;
	run(NSEC_PER_SEC);
	wait = guests[0].waited / guests[0].answers;
	tear_down();
	return wait;
}

static void waits(void **state)
{
	u64 one = NS_PER_REQUEST + 8 * 5000;

	for (u64 pause = 0; pause <= 50 * NSEC_PER_MSEC; pause = pause * 10 + NSEC_PER_MSEC / 2) {
		assert_in_range(wait_beside(8, 1, pause), 0, LATE_NS + one);
		assert_in_range(wait_beside(32, 1, pause), 0, LATE_NS + one);
	}
	assert_true(wait_beside(32, 256, NSEC_PER_MSEC) == wait_beside(8, 256, NSEC_PER_MSEC));
}

/* Its share is what one at a time can have: half of theirs and more. */
static void one_beside_many(void **state)
{
	set_up();
	join(&guests[0], 1, 8);
	for (u32 i = 1; i < GUESTS; i++)
		join(&guests[i], 32, 8);
	run(NSEC_PER_SEC);
	assert_in_range(guests[0].bytes * 100 / guests[1].bytes, 50, 100);
	tear_down();
}

static void alone(void **state)
{
	set_up();
	join(&guests[0], 32, 8);
	assert_false(guests[0].vbd.shares);
	run(NSEC_PER_SEC);
	assert_int_equal(guests[0].vbd.in_flight, 32);
	join(&guests[1], 32, 8);
	assert_true(guests[0].vbd.shares);
	run(NSEC_PER_SEC);
	assert_equal_bytes(2, 2);
	assert_in_range(guests[0].bytes + guests[1].bytes, 90 << 20, 100 << 20);
	leave(&guests[1]);
	assert_false(guests[0].vbd.shares);
	run(NSEC_PER_SEC);
	assert_int_equal(guests[0].vbd.in_flight, 32);
	tear_down();
}

/* A disk that is not what they wait for gets all they have. */
static void fast_disk(void **state)
{
	set_up();
	ns_per_sector = 50;
	join(&guests[0], 32, 8);
	join(&guests[1], 32, 8);
	run(NSEC_PER_SEC / 10);
	assert_int_equal(guests[0].vbd.in_flight + guests[1].vbd.in_flight, 64);
	tear_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(depths), cmocka_unit_test(sizes), cmocka_unit_test(waits), cmocka_unit_test(one_beside_many),
		cmocka_unit_test(alone), cmocka_unit_test(fast_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
