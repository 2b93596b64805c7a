/* SPDX-License-Identifier: MIT */
/*
 * pvkernel/control/devices/virtqueue.c against a model of a device, which takes requests when it likes, returns them in any order and
 * sleeps when nobody notifies it; then against one that returns what cannot be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PVK_LIB_H			/* the host has these functions already */
#include "../../pvkernel/control/devices/virtqueue.c"

#define SIZE 16
#define MOST 5

/* A request's buffers: `out` of them hold `number`, the last takes its double. */
struct request {
	struct vring_desc list[MOST + 1];
	u32 count;
	u64 number[MOST], answer;
	bool under_way;
};

static struct virtqueue q;
static u64 desc[512], avail[512], used[512];
static struct request requests[4 * SIZE];

/* The device. */
static struct vring_desc *table;
static u16 taken, heads[SIZE], nr_heads, old_used;
static bool awake, interrupt;

static u32 dice(u32 n)
{
	return rand() % n;
}

static void begin(u32 size, bool indirect, bool event_index)
{
	memset(desc, 0, sizeof(desc));
	memset(avail, 0, sizeof(avail));
	memset(used, 0, sizeof(used));
	memset(requests, 0, sizeof(requests));
	vq_init(&q, size, desc, avail, used, indirect, event_index);
	table = (struct vring_desc *)desc;
	taken = nr_heads = old_used = 0;
	awake = interrupt = false;
	assert_true(vq_enable_interrupt(&q, 1));
}

/* What the device asks for: to be told of entry n. */
static void device_wants(u16 n)
{
	memcpy(&q.used->ring[q.size], &n, 2);
}

static void device_take(void)
{
	while (taken != q.avail->index && nr_heads < SIZE)
		heads[nr_heads++] = q.avail->ring[taken++ % q.size];
	device_wants(taken);
	awake = taken != q.avail->index;
}

static void device_answer(u16 head)
{
	const struct vring_desc *d = &table[head];
	u64 sum = 0;

	if (d->flags & VRING_DESC_INDIRECT) {
		assert_int_equal(d->flags, VRING_DESC_INDIRECT);
		assert_int_equal(d->len % sizeof(*d), 0);
		table = (struct vring_desc *)d->addr;
		d = table;
	}
	for (; d->flags & VRING_DESC_NEXT; d = &table[d->next]) {
		assert_false(d->flags & VRING_DESC_WRITE);
		sum += *(u64 *)d->addr;
	}
	assert_int_equal(d->flags, VRING_DESC_WRITE);
	*(u64 *)d->addr = sum * 2;
	table = (struct vring_desc *)desc;
}

static void device_return(void)
{
	u16 i = dice(nr_heads), event;

	device_answer(heads[i]);
	q.used->ring[q.used->index % q.size].id = heads[i];
	q.used->ring[q.used->index % q.size].len = 8;
	heads[i] = heads[--nr_heads];
	q.used->index++;
	memcpy(&event, &q.avail->ring[q.size], 2);
	if (q.event_index ? (u16)(q.used->index - event - 1) < 1 : !(q.avail->flags & VRING_AVAIL_NO_INTERRUPT))
		interrupt = true;
}

static bool driver_add(void)
{
	u32 i = 0;
	struct request *r;

	while (i < 4 * SIZE && requests[i].under_way)
		i++;
	r = &requests[i];
	r->count = 1 + dice(MOST);
	for (u32 n = 0; n < r->count; n++) {
		r->number[n] = rand();
		r->list[n] = (struct vring_desc){ .addr = (u64)&r->number[n], .len = 8 };
	}
	r->list[r->count] = (struct vring_desc){ .addr = (u64)&r->answer, .len = 8, .flags = VRING_DESC_WRITE };
	r->under_way = vq_add(&q, r->list, (u64)r->list, r->count + 1, r);
	return r->under_way;
}

static u32 driver_get(void)
{
	struct request *r;
	u32 written, n = 0;

	while ((r = vq_get(&q, &written))) {
		u64 sum = 0;

		assert_true(r->under_way);
		assert_int_equal(written, 8);
		for (u32 i = 0; i < r->count; i++)
			sum += r->number[i];
		assert_int_equal(r->answer, sum * 2);
		r->under_way = false;
		n++;
	}
	return n;
}

/* Neither side looks unless it was told: a notification that is lost leaves both asleep with work to do. */
static void run(bool indirect, bool event_index)
{
	u32 added = 0, got = 0;

	begin(SIZE, indirect, event_index);
	while (got < 5000) {
		u32 n = added < 5000 ? dice(6) : 0;

		while (n-- && added < 5000)
			added += driver_add();
		if (vq_publish(&q))
			awake = true;
		if (awake && dice(2))
			device_take();
		for (n = dice(6); n && nr_heads; n--)
			device_return();
		if (interrupt && dice(2)) {
			interrupt = false;
			do {
				vq_disable_interrupt(&q);
				got += driver_get();
			} while (!vq_enable_interrupt(&q, 1));
		}
		assert_true(awake || interrupt || nr_heads || taken == q.avail->index);
		assert_true(interrupt || nr_heads || awake || added < 5000 || got == added);
	}
	assert_int_equal(q.nr_free, SIZE);
	assert_int_equal(vq_in_flight(&q), 0);
}

static void test_random(void **state)
{
	srand(7);
	for (u32 i = 0; i < 4; i++)
		run(i & 1, i & 2);
}

static void test_room(void **state)
{
	begin(SIZE, false, true);
	assert_int_equal(vq_room(&q, 3), SIZE / 3);
	while (driver_add())
		;
	assert_true(vq_room(&q, MOST + 1) == 0);
	begin(SIZE, true, true);
	assert_int_equal(vq_room(&q, 200), SIZE);
	for (u32 i = 0; i < SIZE; i++)
		assert_true(driver_add());
	assert_false(driver_add());
}

static void test_size(void **state)
{
	begin(1024, true, true);
	assert_int_equal(q.size, VQ_MAX_SIZE);
	begin(100, true, true);
	assert_int_equal(q.size, 64);
	begin(1, true, true);
	assert_int_equal(q.size, 1);
}

/* An interrupt after some of them, not each. */
static void test_late_interrupt(void **state)
{
	begin(SIZE, true, true);
	for (u32 i = 0; i < 8; i++)
		assert_true(driver_add());
	assert_true(vq_enable_interrupt(&q, 4));
	vq_publish(&q);
	device_take();
	for (u32 i = 0; i < 3; i++)
		device_return();
	assert_false(interrupt);
	device_return();
	assert_true(interrupt);
	assert_false(vq_enable_interrupt(&q, 4));
}

static void one_under_way(void)
{
	begin(SIZE, true, true);
	assert_true(driver_add());
	vq_publish(&q);
	device_take();
}

static void expect_broken(void)
{
	u32 written;

	assert_null(vq_get(&q, &written));
	assert_true(q.broken);
	assert_int_equal(vq_room(&q, 1), 0);
	assert_false(driver_add());
	assert_false(vq_publish(&q));
	assert_true(vq_enable_interrupt(&q, 1));	/* nobody loops for it */
}

static void test_id_beyond_ring(void **state)
{
	one_under_way();
	q.used->ring[0].id = SIZE;
	q.used->index = 1;
	expect_broken();
}

static void test_id_of_nothing(void **state)
{
	one_under_way();
	q.used->ring[0].id = 5;
	q.used->index = 1;
	expect_broken();
}

static void test_twice(void **state)
{
	u32 written;

	one_under_way();
	q.used->ring[1].id = q.used->ring[0].id = heads[0];
	q.used->index = 2;
	assert_non_null(vq_get(&q, &written));
	expect_broken();
}

static void test_index_jumps(void **state)
{
	one_under_way();
	q.used->index = SIZE + 1;
	expect_broken();
}

static void test_length(void **state)
{
	u32 written;

	one_under_way();
	q.used->ring[0].id = heads[0];
	q.used->ring[0].len = ~0u;
	q.used->index = 1;
	assert_non_null(vq_get(&q, &written));
	assert_int_equal(written, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random), cmocka_unit_test(test_room), cmocka_unit_test(test_size),
		cmocka_unit_test(test_late_interrupt), cmocka_unit_test(test_id_beyond_ring), cmocka_unit_test(test_id_of_nothing),
		cmocka_unit_test(test_twice), cmocka_unit_test(test_index_jumps), cmocka_unit_test(test_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
