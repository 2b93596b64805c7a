/* SPDX-License-Identifier: MIT */
/*
 * ring-buffers/ring.h by two threads that sleep unless an event comes, as two domains do, through a ring of 4 entries whose indexes
 * wrap: every request arrives as it was, is answered once, in an order of the backend's, nobody sleeps for ever, and
 * ThreadSanitizer, with which this is built, sees no byte of an entry that both touch without order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../ring-buffers/ring.c"
#include "race_port.h"

#define ENTRIES 4u
#define TOTAL 200000u
#define START ((u32)-500)

struct request {
	u32 id, words[3];
};

struct response {
	u32 id, word;
};

static struct port to_front = PORT_INIT, to_back = PORT_INIT;

static struct {
	struct ring_header header;
	char entries[ENTRIES * sizeof(struct request)];
} page;

static bool stuck, wrong;

static void flag(bool *what)
{
	__atomic_store_n(what, true, __ATOMIC_SEQ_CST);
}

static void answer(struct ring_back *r, const struct request *q)
{
	struct response a = { q->id, q->id * 7 };

	for (u32 i = 0; i < 3; i++) {
		if (q->words[i] != q->id * 31 + i)
			flag(&wrong);
	}
	ring_put_response(r, &a, sizeof(a));
}

/* Answers in pairs, the later first, when two are there. */
static void *backend(void *unused)
{
	struct ring_back r;
	u32 done = 0;

	if (ring_back_init(&r, &page, sizeof(page), sizeof(struct request)))
		flag(&wrong);
	while (done < TOTAL && !__atomic_load_n(&wrong, __ATOMIC_SEQ_CST)) {
		struct request q[2];
		int n = ring_get_request(&r, &q[0], sizeof(q[0]));

		if (n > 0)
			n += ring_get_request(&r, &q[1], sizeof(q[1]));
		for (int i = n; i > 0; i--)
			answer(&r, &q[i - 1]);
		done += n > 0 ? n : 0;
		if (n > 0 && done % 3 == 0)
			continue;
		if (ring_push_responses(&r))
			port_send(&to_front);
		if (n < 0)
			flag(&wrong);
		if (!n && !ring_await_requests(&r, 1) && !port_wait(&to_back)) {
			flag(&stuck);
			break;
		}
	}
	if (ring_push_responses(&r))
		port_send(&to_front);
	return NULL;
}

/* How many answers came; each of a request that is under way, once. */
static u32 take_answers(struct ring_front *r, bool under_way[2 * ENTRIES], u32 *low)
{
	struct response a;
	u32 n = 0;

	while (ring_get_response(r, &a, sizeof(a)) == 1) {
		assert_int_equal(a.word, a.id * 7);
		assert_true(a.id - *low < 2 * ENTRIES && under_way[a.id % (2 * ENTRIES)]);
		under_way[a.id % (2 * ENTRIES)] = false;
		n++;
	}
	return n;
}

static void test_threads(void **state)
{
	struct ring_front r;
	pthread_t thread;
	bool under_way[2 * ENTRIES] = { 0 };
	u32 sent = 0, got = 0, low = 0;

	ring_front_init(&r, &page, sizeof(page), sizeof(struct request));
	page.header.req_prod = page.header.rsp_prod = START;
	page.header.req_event = page.header.rsp_event = START + 1;
	r.req_prod = r.req_published = r.rsp_cons = r.rsp_seen = START;
	assert_int_equal(r.entries, ENTRIES);
	assert_int_equal(pthread_create(&thread, NULL, backend, NULL), 0);
	while (got < TOTAL) {
		u32 before = sent, n;

		while (sent < TOTAL && ring_front_room(&r) && sent - low < 2 * ENTRIES && sent - before < 1 + sent % 3) {
			struct request q = { sent, { sent * 31, sent * 31 + 1, sent * 31 + 2 } };

			ring_put_request(&r, &q, sizeof(q));
			under_way[sent++ % (2 * ENTRIES)] = true;
		}
		if (ring_push_requests(&r))
			port_send(&to_back);
		got += n = take_answers(&r, under_way, &low);
		while (low < sent && !under_way[low % (2 * ENTRIES)])
			low++;
		assert_false(r.broken);
		if (!n && sent == before && !ring_await_responses(&r, 1))
			assert_true(port_wait(&to_front));
	}
	pthread_join(thread, NULL);
	assert_false(stuck || wrong);
	assert_true(to_back.sent && to_back.sent < TOTAL && to_front.sent && to_front.sent < TOTAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
