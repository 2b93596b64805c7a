/* SPDX-License-Identifier: MIT */
/*
 * blkback with a pretended disk and frontend: each request that is taken gets one answer, and what a frontend says wrong is answered
 * by an error before any disk hears of it; barriers keep their order; rates, turns and windows hold; impossible rings are closed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "blkback_host.h"

static union blkback_ring_request transfer(u8 operation, u64 id, u64 sector, u32 segments)
{
	union blkback_ring_request q = { .rw = {
		.operation = operation, .nr_segments = segments, .handle = (u16)DEVID, .id = id, .sector_number = sector,
	} };

	for (u32 i = 0; i < segments && i < BLKIF_MAX_SEGMENTS_PER_REQUEST; i++)
		q.rw.seg[i] = (struct blkif_request_segment){ .gref = i, .first_sect = 0, .last_sect = 7 };
	return q;
}

static void put(u32 queue, union blkback_ring_request q)
{
	ring_put_request(&front[queue], &q, sizeof(q));
	ring_push_requests(&front[queue]);
}

/* The response's status; it must be there, and be to this request. */
static int answer(u32 queue, u64 id, u8 operation)
{
	struct blkif_response r;

	assert_int_equal(ring_get_response(&front[queue], &r, sizeof(r)), 1);
	assert_int_equal(r.id, id);
	assert_int_equal(r.operation, operation);
	return r.status;
}

static bool no_answer(u32 queue)
{
	struct blkif_response r;

	return ring_get_response(&front[queue], &r, sizeof(r)) == 0;
}

static int ask(union blkback_ring_request q)
{
	put(0, q);
	host_run();
	return answer(0, q.rw.id, q.rw.operation == BLKIF_OP_INDIRECT ? q.indirect.indirect_op : q.rw.operation);
}

static void data_go_both_ways(void **state)
{
	host_begin(1);
	for (u32 i = 0; i < 11; i++)
		memset(guest_pages[i], 'a' + i, PAGE_SIZE);
	assert_int_equal(ask(transfer(BLKIF_OP_WRITE, 1, 8, 11)), BLKIF_RSP_OKAY);
	memset(guest_pages, 0, sizeof(guest_pages));
	assert_int_equal(ask(transfer(BLKIF_OP_READ, 2, 8, 11)), BLKIF_RSP_OKAY);
	for (u32 i = 0; i < 11; i++) {
		assert_int_equal(guest_pages[i][0], 'a' + i);
		assert_int_equal(guest_pages[i][4095], 'a' + i);
	}
	assert_int_equal(vbd.counts.sectors[BLOCK_WRITE], 88);
	assert_int_equal(vbd.counts.sectors[BLOCK_READ], 88);
	host_end();
}

static void parts_of_pages(void **state)
{
	union blkback_ring_request q = transfer(BLKIF_OP_READ, 1, 3, 2);

	host_begin(1);
	for (u32 i = 0; i < 8 * SECTOR_SIZE; i++)
		disk.data[3 * SECTOR_SIZE + i] = i / SECTOR_SIZE + 1;
	memset(guest_pages[0], 0, 2 * PAGE_SIZE);
	q.rw.seg[0] = (struct blkif_request_segment){ .gref = 0, .first_sect = 2, .last_sect = 2 };
	q.rw.seg[1] = (struct blkif_request_segment){ .gref = 1, .first_sect = 5, .last_sect = 7 };
	assert_int_equal(ask(q), BLKIF_RSP_OKAY);
	assert_int_equal(guest_pages[0][2 * SECTOR_SIZE - 1], 0);
	assert_int_equal(guest_pages[0][2 * SECTOR_SIZE], 1);
	assert_int_equal(guest_pages[0][3 * SECTOR_SIZE], 0);
	assert_int_equal(guest_pages[1][5 * SECTOR_SIZE], 2);
	assert_int_equal(guest_pages[1][4095], 4);
	host_end();
}

static union blkback_ring_request indirect(u8 op, u32 segments, u64 sector)
{
	struct blkif_request_segment *list = (void *)guest_pages[PAGES - 1];

	for (u32 i = 0; i < 512; i++)
		list[i] = (struct blkif_request_segment){ .gref = i % (PAGES - 1), .first_sect = 0, .last_sect = 7 };
	return (union blkback_ring_request){ .indirect = {
		.operation = BLKIF_OP_INDIRECT, .indirect_op = op, .nr_segments = segments, .id = 9, .sector_number = sector,
		.handle = (u16)DEVID, .indirect_grefs = { PAGES - 1 },
	} };
}

static void indirect_segments(void **state)
{
	union blkback_ring_request q;

	host_begin(1);
	memset(disk.data, 'x', sizeof(disk.data));
	assert_int_equal(ask(indirect(BLKIF_OP_READ, 256, 16)), BLKIF_RSP_OKAY);
	assert_int_equal(guest_pages[255][4095], 'x');
	assert_int_equal(ask(indirect(BLKIF_OP_WRITE, 1, 16)), BLKIF_RSP_OKAY);
	assert_int_equal(ask(indirect(BLKIF_OP_READ, 257, 0)), BLKIF_RSP_ERROR);
	assert_int_equal(ask(indirect(BLKIF_OP_READ, 0, 0)), BLKIF_RSP_ERROR);
	assert_int_equal(ask(indirect(BLKIF_OP_WRITE_BARRIER, 1, 0)), BLKIF_RSP_EOPNOTSUPP);
	q = indirect(BLKIF_OP_READ, 1, 0);
	q.indirect.handle++;
	assert_int_equal(ask(q), BLKIF_RSP_ERROR);
	q = indirect(BLKIF_OP_READ, 1, 0);
	q.indirect.indirect_grefs[0] = PAGES;		/* not granted */
	assert_int_equal(ask(q), BLKIF_RSP_ERROR);
	host_end();
}

/* None of these reaches the disk. */
static void wrong_requests(void **state)
{
	union blkback_ring_request q;

	host_begin(1);
	assert_int_equal(ask(transfer(BLKIF_OP_READ, 1, 0, 0)), BLKIF_RSP_ERROR);
	assert_int_equal(ask(transfer(BLKIF_OP_WRITE, 1, 0, 0)), BLKIF_RSP_ERROR);
	assert_int_equal(ask(transfer(BLKIF_OP_READ, 1, 0, 12)), BLKIF_RSP_ERROR);
	assert_int_equal(ask(transfer(BLKIF_OP_READ, 1, 0, 255)), BLKIF_RSP_ERROR);
	assert_int_equal(ask(transfer(BLKIF_OP_READ, 1, DISK_SECTORS - 7, 1)), BLKIF_RSP_ERROR);
	assert_int_equal(ask(transfer(BLKIF_OP_READ, 1, DISK_SECTORS, 1)), BLKIF_RSP_ERROR);
	assert_int_equal(ask(transfer(BLKIF_OP_READ, 1, ~0ul, 1)), BLKIF_RSP_ERROR);
	assert_int_equal(ask(transfer(BLKIF_OP_READ, 1, ~0ul - 7, 1)), BLKIF_RSP_ERROR);
	assert_int_equal(ask(transfer(4, 1, 0, 1)), BLKIF_RSP_EOPNOTSUPP);
	assert_int_equal(ask(transfer(255, 1, 0, 1)), BLKIF_RSP_EOPNOTSUPP);
	q = transfer(BLKIF_OP_READ, 1, 0, 1);
	q.rw.handle++;
	assert_int_equal(ask(q), BLKIF_RSP_ERROR);
	for (u32 first = 0; first < 256; first += 3) {
		for (u32 last = 0; last < 256; last += 5) {
			q = transfer(BLKIF_OP_READ, 1, 0, 1);
			q.rw.seg[0].first_sect = first;
			q.rw.seg[0].last_sect = last;
			assert_int_equal(ask(q), first <= last && last < 8 ? BLKIF_RSP_OKAY : BLKIF_RSP_ERROR);
		}
	}
	assert_int_equal(strspn(disk.log, "R"), strlen(disk.log));
	assert_int_equal(ask(transfer(BLKIF_OP_READ, 1, DISK_SECTORS - 8, 1)), BLKIF_RSP_OKAY);
	host_end();
}

static void read_only(void **state)
{
	union blkback_ring_request d = { .discard = { .operation = BLKIF_OP_DISCARD, .id = 3, .nr_sectors = 8 } };

	host_begin(1);
	vbd.rules.readonly = true;
	assert_int_equal(ask(transfer(BLKIF_OP_READ, 1, 0, 1)), BLKIF_RSP_OKAY);
	assert_int_equal(ask(transfer(BLKIF_OP_WRITE, 1, 0, 1)), BLKIF_RSP_ERROR);
	assert_int_equal(ask(transfer(BLKIF_OP_WRITE_BARRIER, 1, 0, 1)), BLKIF_RSP_ERROR);
	assert_int_equal(ask(d), BLKIF_RSP_ERROR);
	assert_int_equal(ask(indirect(BLKIF_OP_WRITE, 1, 0)), BLKIF_RSP_ERROR);
	assert_string_equal(disk.log, "R");
	host_end();
}

static void discard(void **state)
{
	union blkback_ring_request d = { .discard = { .operation = BLKIF_OP_DISCARD, .id = 3, .sector_number = 8, .nr_sectors = 8 } };

	host_begin(1);
	assert_int_equal(ask(d), BLKIF_RSP_OKAY);
	d.discard.nr_sectors = DISK_SECTORS;
	assert_int_equal(ask(d), BLKIF_RSP_ERROR);
	d.discard.nr_sectors = ~0ul;
	assert_int_equal(ask(d), BLKIF_RSP_ERROR);
	d.discard.nr_sectors = 0;
	assert_int_equal(ask(d), BLKIF_RSP_ERROR);
	d.discard.nr_sectors = 8;
	d.discard.flag = BLKIF_DISCARD_SECURE;
	assert_int_equal(ask(d), BLKIF_RSP_EOPNOTSUPP);
	d.discard.flag = 0;
	vbd.rules.can_discard = false;
	assert_int_equal(ask(d), BLKIF_RSP_EOPNOTSUPP);
	assert_string_equal(disk.log, "D");
	host_end();
}

/* A barrier begins when what came before is done, is durable when it is answered, and what comes after begins then. */
static void barriers(void **state)
{
	host_begin(2);
	disk.slow = true;
	put(0, transfer(BLKIF_OP_WRITE, 1, 0, 1));
	host_run();
	put(0, transfer(BLKIF_OP_WRITE_BARRIER, 2, 0, 1));
	host_run();
	put(0, transfer(BLKIF_OP_READ, 3, 0, 1));
	put(1, transfer(BLKIF_OP_READ, 4, 0, 1));
	host_run();
	assert_int_equal(disk.waiting, 1);
	for (u32 i = 0; i < 4; i++) {
		assert_true(disk_finish());
		host_run();
	}
	assert_string_equal(disk.log, "WFWF");
	assert_int_equal(answer(0, 1, BLKIF_OP_WRITE), BLKIF_RSP_OKAY);
	assert_int_equal(answer(0, 2, BLKIF_OP_WRITE_BARRIER), BLKIF_RSP_OKAY);
	assert_true(no_answer(0) && no_answer(1));
	assert_int_equal(disk.waiting, 2);
	disk.slow = false;
	block_kick(&device);
	host_run();
	assert_int_equal(answer(0, 3, BLKIF_OP_READ), BLKIF_RSP_OKAY);
	assert_int_equal(answer(1, 4, BLKIF_OP_READ), BLKIF_RSP_OKAY);
	memset(disk.log, 0, sizeof(disk.log));
	assert_int_equal(ask(transfer(BLKIF_OP_WRITE_BARRIER, 5, 0, 0)), BLKIF_RSP_OKAY);
	assert_int_equal(ask(transfer(BLKIF_OP_FLUSH_DISKCACHE, 6, 0, 0)), BLKIF_RSP_OKAY);
	assert_int_equal(ask(transfer(BLKIF_OP_FLUSH_DISKCACHE, 7, 0, 2)), BLKIF_RSP_OKAY);
	assert_string_equal(disk.log, "FFFW");
	vbd.rules.can_flush = false;
	assert_int_equal(ask(transfer(BLKIF_OP_FLUSH_DISKCACHE, 8, 0, 0)), BLKIF_RSP_EOPNOTSUPP);
	host_end();
}

static void errors_of_the_disk(void **state)
{
	host_begin(1);
	disk.fail = -EIO;
	assert_int_equal(ask(transfer(BLKIF_OP_READ, 1, 0, 1)), BLKIF_RSP_ERROR);
	disk.fail = -EOPNOTSUPP;
	assert_int_equal(ask(transfer(BLKIF_OP_FLUSH_DISKCACHE, 2, 0, 0)), BLKIF_RSP_EOPNOTSUPP);
	disk.fail = -EIO;			/* of the flush before; the rest is not tried, and the next request is */
	memset(disk.log, 0, sizeof(disk.log));
	assert_int_equal(ask(transfer(BLKIF_OP_WRITE_BARRIER, 3, 0, 1)), BLKIF_RSP_ERROR);
	assert_string_equal(disk.log, "F");
	assert_int_equal(ask(transfer(BLKIF_OP_READ, 4, 0, 1)), BLKIF_RSP_OKAY);
	assert_int_equal(vbd.counts.errors, 3);
	host_end();
}

/* The other end of the ring says more than fits: this device is closed, without an answer. */
static void impossible_ring(void **state)
{
	host_begin(1);
	front[0].shared->req_prod = front[0].entries + 1;
	host_run();
	assert_true(closed);
	assert_true(vbd.broken);
	assert_false(blkback_round(&vbd));
	assert_int_equal(disk.waiting, 0);
	host_end();
}

static void one_kick_one_notification(void **state)
{
	host_begin(1);
	for (u32 i = 0; i < 20; i++) {
		union blkback_ring_request q = transfer(BLKIF_OP_READ, i, i, 1);

		ring_put_request(&front[0], &q, sizeof(q));
	}
	ring_push_requests(&front[0]);
	ring_await_responses(&front[0], 1);
	assert_true(blkback_round(&vbd));
	assert_int_equal(disk.kicks, 1);
	assert_int_equal(notified, 1);
	for (u32 i = 0; i < 20; i++)
		assert_int_equal(answer(0, i, BLKIF_OP_READ), BLKIF_RSP_OKAY);
	host_end();
}

/* As many as there are slots, or a window of bytes, whichever is first; the rest waits in the ring. */
static void bounded_in_flight(void **state)
{
	host_begin(4);
	disk.slow = true;
	for (u32 q = 0; q < 4; q++)
		for (u32 i = 0; i < front[q].entries; i++)
			put(q, transfer(BLKIF_OP_READ, i, 0, 1));
	host_run();
	assert_int_equal(vbd.in_flight, BLKBACK_SLOTS);
	assert_int_equal(disk.waiting, BLKBACK_SLOTS);
	host_end();

	host_begin(1);
	disk.slow = true;
	for (u32 i = 0; i < 30; i++)
		put(0, indirect(BLKIF_OP_READ, 256, 0));
	host_run();
	assert_int_equal(vbd.bytes_in_flight, WINDOW);
	host_end();
}

static void turns_end(void **state)
{
	host_begin(1);
	for (u32 i = 0; i < 30; i++)
		put(0, indirect(BLKIF_OP_READ, 16, 0));
	assert_true(blkback_round(&vbd));
	assert_int_equal(strlen(disk.log), TURN / (16 * 4096));
	assert_int_equal(vbd.counts.turns, 1);
	host_run();
	while (!no_answer(0))
		;
	vbd.counts.turns = 0;
	for (u32 i = 0; i < 64; i++)
		put(0, transfer(BLKIF_OP_READ, i, 0, i % 2 ? 1 : 0));	/* small ones and wrong ones have their cost */
	host_run();
	assert_int_equal(vbd.counts.turns, 64 * REQUEST_COST / TURN);
	host_end();
}

static void rates(void **state)
{
	struct rate r;
	u64 taken = 0, wait;

	rate_init(&r, 1000, 5);
	for (u64 t = 5; t < 5 + 10 * NSEC_PER_SEC; t += wait ? wait : 1) {
		wait = rate_wait(&r, t);
		if (!wait) {
			rate_take(&r, 7);
			taken += 7;
		}
	}
	assert_in_range(taken, 10000, 10107 + 7);
	rate_init(&r, 0, 0);
	rate_take(&r, ~0u);
	assert_int_equal(rate_wait(&r, 1), 0);
	rate_init(&r, 1ul << 40, 0);
	rate_take(&r, 1ul << 41);
	assert_in_range(rate_wait(&r, 0), NSEC_PER_SEC * 19 / 10, NSEC_PER_SEC * 2);
	assert_int_equal(rate_wait(&r, 1ul << 62), 0);
}

static void rates_slow_requests(void **state)
{
	host_begin(1);
	rate_init(&vbd.requests, 10, clock_ns);
	for (u32 i = 0; i < 20; i++)
		put(0, transfer(BLKIF_OP_READ, i, 0, 1));
	host_run();
	for (u32 second = 0; second < 19; second++) {
		assert_true(vbd.timer.armed);
		clock_ns = vbd.timer.when;
		host_run();
	}
	assert_in_range(clock_ns, 19 * NSEC_PER_SEC / 10, 19 * NSEC_PER_SEC / 10 + 100);
	assert_int_equal(strlen(disk.log), 20);
	host_end();
}

/* Events without requests: the port is deaf until the timer; a request among them is heard of. */
static void flood(void **state)
{
	host_begin(2);
	for (u32 i = 0; i < 1000; i++)
		if (!(masked & 1))
			blkback_event(&vbd.queues[0]);
	assert_int_equal(masked, 1);
	assert_int_equal(vbd.counts.floods, 1);
	assert_true(vbd.deaf.armed);
	vbd.deaf.fn(vbd.deaf.arg);
	assert_int_equal(masked, 0);
	for (u32 i = 0; i < 1000; i++) {
		put(1, transfer(BLKIF_OP_READ, 1, 0, 1));
		blkback_event(&vbd.queues[1]);
		host_run();
		answer(1, 1, BLKIF_OP_READ);
	}
	assert_int_equal(vbd.counts.floods, 1);
	host_end();
}

static void no_memory_at_start(void **state)
{
	host_begin(1);
	host_end();
	no_memory = true;
	assert_int_equal(blkback_start(&vbd), -ENOMEM);
	assert_null(vbd.thread);
	assert_null(vbd.scratch);
	no_memory = false;
}

/* Memory for one slot only: slower, and every request is answered. */
static void little_memory(void **state)
{
	host_begin(1);
	no_memory = true;
	for (u32 i = 0; i < 10; i++)
		put(0, transfer(BLKIF_OP_READ, i, 0, 1));
	host_run();
	for (u32 i = 0; i < 10; i++)
		assert_int_equal(answer(0, i, BLKIF_OP_READ), BLKIF_RSP_OKAY);
	assert_int_equal(vbd.nr_slots, 1);
	no_memory = false;
	host_end();
}

/* A response's bytes are the three fields and zeroes, whatever was in the ring and on our stack. */
static void no_padding_leaks(void **state)
{
	u8 bytes[16];

	host_begin(1);
	put(0, transfer(BLKIF_OP_READ, 1, 0, 1));
	host_run();
	memcpy(bytes, ring_pages[0] + RING_HEADER_SIZE, sizeof(bytes));
	assert_int_equal(bytes[9] | bytes[12] | bytes[13] | bytes[14] | bytes[15], 0);
	host_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_go_both_ways), cmocka_unit_test(parts_of_pages), cmocka_unit_test(indirect_segments),
		cmocka_unit_test(wrong_requests), cmocka_unit_test(read_only), cmocka_unit_test(discard), cmocka_unit_test(barriers),
		cmocka_unit_test(errors_of_the_disk), cmocka_unit_test(impossible_ring), cmocka_unit_test(one_kick_one_notification),
		cmocka_unit_test(bounded_in_flight), cmocka_unit_test(turns_end), cmocka_unit_test(rates), cmocka_unit_test(rates_slow_requests),
		cmocka_unit_test(flood), cmocka_unit_test(no_memory_at_start), cmocka_unit_test(little_memory),
		cmocka_unit_test(no_padding_leaks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
