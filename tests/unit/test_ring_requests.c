/* SPDX-License-Identifier: MIT */
/*
 * ring-buffers/ring.h: both ends against a model, by random steps from indexes about to wrap, answers out of order; an event exactly
 * when the other end asked for one and is past it; and one end against shared words that take any value at any time, where no
 * byte outside the ring and the caller's memory may be touched and an end takes nothing that its peer may not have given.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../ring-buffers/ring.c"

#define ENTRIES 8u
#define SLOT 24u

struct entry {
	u32 words[SLOT / 4];
};

/* The ring in memory of its own, so that the sanitizer sees a step beside it. */
struct rings {
	struct ring_header *shared;
	struct ring_front f;
	struct ring_back b;
};

static u32 random_word(void)
{
	return (u32)random() << 16 ^ (u32)random();
}

/* A ring in the middle of its life: `start` requests have come and gone. */
static struct rings make(u32 start)
{
	u32 bytes = RING_HEADER_SIZE + ENTRIES * SLOT;
	struct rings r = { .shared = malloc(bytes) };

	ring_front_init(&r.f, r.shared, bytes, SLOT);
	r.shared->req_prod = r.shared->rsp_prod = start;
	r.shared->req_event = r.shared->rsp_event = start + 1;
	r.f.req_prod = r.f.req_published = r.f.rsp_cons = r.f.rsp_seen = start;
	assert_int_equal(ring_back_init(&r.b, r.shared, bytes, SLOT), 0);
	assert_int_equal(r.f.entries, ENTRIES);
	assert_int_equal(r.b.entries, ENTRIES);
	return r;
}

static struct entry entry_of(u32 id)
{
	struct entry e;

	for (u32 i = 0; i < SLOT / 4; i++)
		e.words[i] = id * 31 + i;
	return e;
}

static void test_entries(void **state)
{
	struct { u32 pages, slot, entries; } all[] = {
		{ 1, 112, 32 }, { 2, 112, 64 }, { 4, 112, 128 }, { 16, 112, 512 }, { 1, 12, 256 }, { 1, 8, 256 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		assert_int_equal(ring_entries(all[i].pages * 4096, all[i].slot), all[i].entries);
}

static void test_copies(void **state)
{
#define COPY(size) do { \
		u64 from[(size) / 8 + 2], to[(size) / 8 + 2]; \
		memset(from, 0x5a, sizeof(from)); \
		memset(to, 0, sizeof(to)); \
		for (u32 i = 0; i < (size); i++) \
			((u8 *)from)[i] = i + 1; \
		ring_copy(to, from, size); \
		assert_memory_equal(to, from, size); \
		assert_int_equal(((u8 *)to)[size], 0); \
	} while (0)
	COPY(4);
	COPY(8);
	COPY(12);
	COPY(16);
	COPY(24);
	COPY(32);
	COPY(60);
	COPY(64);
	COPY(112);
	COPY(120);
#undef COPY
}

/* What the ends have done, by plain counters, and which answers are owed. */
struct model {
	u32 put, published, taken, answered, answers_published, got;
	u32 owed[ENTRIES], nr_owed;		/* ids taken and not answered */
	u32 answers[2 * ENTRIES];		/* ids answered, by their number modulo the size */
	bool back_waits, front_waits;		/* asked, and not told since */
	u32 back_at, front_at;			/* for how many */
};

static void front_puts(struct rings *r, struct model *m)
{
	struct entry e = entry_of(m->put);

	assert_int_equal(ring_front_room(&r->f), ENTRIES - (m->put - m->got));
	if (!ring_front_room(&r->f))
		return;
	ring_put_request(&r->f, &e, sizeof(e));
	m->put++;
}

static void front_pushes(struct rings *r, struct model *m)
{
	bool wanted = m->back_waits && m->published < m->back_at && m->put >= m->back_at;

	assert_int_equal(ring_push_requests(&r->f), wanted);
	m->published = m->put;
	m->back_waits &= !wanted;
}

static void back_takes(struct rings *r, struct model *m)
{
	struct entry e, expected = entry_of(m->taken);
	bool there = m->taken < m->published;

	assert_int_equal(ring_get_request(&r->b, &e, sizeof(e)), there);
	if (!there)
		return;
	assert_memory_equal(&e, &expected, sizeof(e));
	m->owed[m->nr_owed++] = m->taken++;
}

static void back_answers(struct rings *r, struct model *m)
{
	u32 i, id;
	struct entry e;

	if (!m->nr_owed)
		return;
	i = random() % m->nr_owed;
	id = m->owed[i];
	m->owed[i] = m->owed[--m->nr_owed];
	e = entry_of(~id);
	ring_put_response(&r->b, &e, sizeof(e) - 8);
	m->answers[m->answered++ % ARRAY_SIZE(m->answers)] = id;
}

static void back_pushes(struct rings *r, struct model *m)
{
	bool wanted = m->front_waits && m->answers_published < m->front_at && m->answered >= m->front_at;

	assert_int_equal(ring_push_responses(&r->b), wanted);
	m->answers_published = m->answered;
	m->front_waits &= !wanted;
}

static void front_gets(struct rings *r, struct model *m)
{
	struct entry e, expected = entry_of(~m->answers[m->got % ARRAY_SIZE(m->answers)]);
	bool there = m->got < m->answers_published;

	assert_int_equal(ring_get_response(&r->f, &e, sizeof(e) - 8), there);
	if (!there)
		return;
	assert_memory_equal(&e, &expected, sizeof(e) - 8);
	m->got++;
}

static void back_waits(struct rings *r, struct model *m)
{
	u32 n = 1 + random() % 3;

	m->back_at = m->taken + n;
	m->back_waits = m->published < m->back_at;
	assert_int_equal(ring_await_requests(&r->b, n), !m->back_waits);
}

static void front_waits(struct rings *r, struct model *m)
{
	u32 n = 1 + random() % 3;

	m->front_at = m->got + n;
	m->front_waits = m->answers_published < m->front_at;
	assert_int_equal(ring_await_responses(&r->f, n), !m->front_waits);
}

static void test_model(void **state)
{
	void (*const steps[])(struct rings *, struct model *) = {
		front_puts, front_puts, front_pushes, back_takes, back_takes, back_answers, back_answers, back_pushes, front_gets, front_gets,
		back_waits, front_waits,
	};

	srandom(1);
	for (int run = 0; run < 300; run++) {
		struct rings r = make(run % 2 ? random_word() : (u32)-20);
		/* As a fresh page says: an event for the first of each. */
		struct model m = { .back_waits = true, .front_waits = true, .back_at = 1, .front_at = 1 };

		for (int step = 0; step < 1000; step++)
			steps[random() % ARRAY_SIZE(steps)](&r, &m);
		assert_true(m.got > 50);
		free(r.shared);
	}
}

/* A busy ring: both ends work and neither waits, so after the first of each no push asks for an event. */
static void test_hold_off(void **state)
{
	struct rings r = make((u32)-3);
	struct entry e = { 0 };

	for (int i = 0; i < 1000; i++) {
		ring_put_request(&r.f, &e, sizeof(e));
		assert_int_equal(ring_push_requests(&r.f), i == 0);
		assert_int_equal(ring_get_request(&r.b, &e, sizeof(e)), 1);
		ring_put_response(&r.b, &e, sizeof(e));
		assert_int_equal(ring_push_responses(&r.b), i == 0);
		assert_int_equal(ring_get_response(&r.f, &e, sizeof(e)), 1);
	}
	assert_false(ring_push_requests(&r.f));
	assert_false(ring_push_responses(&r.b));
	free(r.shared);
}

/* The backend of a ring that another one served goes on where the answers end. */
static void test_takeover(void **state)
{
	struct rings r = make(100);
	struct ring_back again;
	struct entry e, third = entry_of(103);

	for (u32 i = 101; i <= 103; i++) {
		e = entry_of(i);
		ring_put_request(&r.f, &e, sizeof(e));
	}
	ring_push_requests(&r.f);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ring_get_request(&r.b, &e, sizeof(e)), 1);
		ring_put_response(&r.b, &e, sizeof(e));
	}
	ring_push_responses(&r.b);
	assert_int_equal(ring_back_init(&again, r.shared, RING_HEADER_SIZE + ENTRIES * SLOT, SLOT), 0);
	assert_int_equal(ring_requests(&again), 1);
	assert_int_equal(ring_get_request(&again, &e, sizeof(e)), 1);
	assert_memory_equal(&e, &third, sizeof(e));
	free(r.shared);
}

static void test_nonsense_breaks(void **state)
{
	static const u32 bad[] = { ENTRIES + 1, 0x80000000, (u32)-1 };
	struct entry e = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct rings r = make(1000);
		struct ring_back b;

		ring_put_request(&r.f, &e, sizeof(e));
		ring_push_requests(&r.f);
		r.shared->req_prod = 1000 + bad[i];
		assert_int_equal(ring_back_init(&b, r.shared, RING_HEADER_SIZE + ENTRIES * SLOT, SLOT), -EINVAL);
		assert_int_equal(ring_get_request(&b, &e, sizeof(e)), -EIO);
		assert_true(ring_await_requests(&r.b, 1));
		assert_int_equal(ring_get_request(&r.b, &e, sizeof(e)), -EIO);
		r.shared->req_prod = 1001;		/* once broken, always */
		assert_int_equal(ring_requests(&r.b), -EIO);
		r.shared->rsp_prod = bad[i] == ENTRIES + 1 ? 1002 : 1000 + bad[i];
		assert_true(ring_await_responses(&r.f, 1));
		assert_int_equal(ring_get_response(&r.f, &e, sizeof(e)), -EIO);
		r.shared->rsp_prod = 1001;
		assert_int_equal(ring_responses(&r.f), -EIO);
		free(r.shared);
	}
}

/* A response to what was put, but not published, is none. */
static void test_early_response(void **state)
{
	struct rings r = make(0);
	struct entry e = { 0 };

	ring_put_request(&r.f, &e, sizeof(e));
	r.shared->rsp_prod = 1;
	assert_int_equal(ring_get_response(&r.f, &e, sizeof(e)), -EIO);
	free(r.shared);
}

static void disturb(struct ring_header *h)
{
	u32 *words[] = { &h->req_prod, &h->req_event, &h->rsp_prod, &h->rsp_event };
	u32 *word = words[random() % 4];

	*word = random() % 200 ? *word + random() % 3 : random_word();
	*(u8 *)((char *)h + random() % (RING_HEADER_SIZE + ENTRIES * SLOT)) ^= random() % 50 == 0;
}

/* 1, 0 or -EIO, which stays. */
static void judge(int n, bool was, bool broken)
{
	assert_true(n == -EIO ? broken : !was && !broken && (n == 0 || n == 1));
}

static void hostile_front(struct rings *r)
{
	bool was = r->b.broken;
	struct entry *e = malloc(sizeof(*e));
	u32 taken = r->b.req_cons;
	int n = ring_get_request(&r->b, e, sizeof(*e));

	judge(n, was, r->b.broken);
	assert_int_equal(r->b.req_cons, taken + (n == 1));
	assert_true(r->b.req_cons - r->b.rsp_published <= ENTRIES);
	assert_true(r->b.req_seen - r->b.rsp_published <= ENTRIES);
	if (random() % 2 && r->b.rsp_prod != r->b.req_cons)
		ring_put_response(&r->b, e, sizeof(*e));
	if (random() % 2) {
		ring_push_responses(&r->b);
		assert_true(r->b.rsp_published == r->b.rsp_prod);
	}
	ring_await_requests(&r->b, 1);
	free(e);
}

static void hostile_back(struct rings *r)
{
	bool was = r->f.broken;
	struct entry *e = calloc(1, sizeof(*e));
	u32 got = r->f.rsp_cons;
	int n;

	if (random() % 2 && ring_front_room(&r->f))
		ring_put_request(&r->f, e, sizeof(*e));
	if (random() % 2)
		ring_push_requests(&r->f);
	n = ring_get_response(&r->f, e, sizeof(*e));
	judge(n, was, r->f.broken);
	assert_int_equal(r->f.rsp_cons, got + (n == 1));
	assert_true(r->f.req_published - r->f.rsp_cons <= ENTRIES);
	ring_await_responses(&r->f, 1);
	free(e);
}

static void test_hostile(void **state)
{
	u32 broken = 0;

	srandom(2);
	for (int run = 0; run < 20000; run++) {
		struct rings r = make(random_word());
		bool front = run % 2;

		for (int step = 0; step < 40; step++) {
			disturb(r.shared);
			(front ? hostile_front : hostile_back)(&r);
		}
		broken += front ? r.b.broken : r.f.broken;
		free(r.shared);
	}
	assert_true(broken > 1000 && broken < 20000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_hold_off),
		cmocka_unit_test(test_takeover),
		cmocka_unit_test(test_nonsense_breaks),
		cmocka_unit_test(test_early_response),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
