/* SPDX-License-Identifier: MIT */
/*
 * pvkernel/control/balloon_decide.c against a model of a machine: guests that use memory, follow their targets more or less
 * quickly or not at all, take what is free. Random machines and loads, by seed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../pvkernel/control/balloon_decide.c"

#define MOST 12

enum nature { FOLLOWS, SLOW, REFUSES, IS_SILENT, NATURES };

struct model {
	struct balloon_guest g[MOST];
	enum nature nature[MOST];
	u64 use[MOST];
	int turned[MOST], direction[MOST];
	u32 count;
	u64 total, free;
	struct balloon_machine machine;
};

static u64 seed;

static u64 any(u64 below)
{
	seed = seed * 6364136223846793005 + 1442695040888963407;
	return (seed >> 33) % below;
}

static u64 between(u64 low_, u64 high_)
{
	return low_ + any(high_ - low_ + 1);
}

static void make(struct model *m, bool all_follow)
{
	memset(m, 0, sizeof(*m));
	m->count = between(1, MOST);
	m->machine.keep = 4 * MIB;
	m->free = between(0, 64) * MIB;
	for (u32 i = 0; i < m->count; i++) {
		struct balloon_guest *g = &m->g[i];

		g->now = g->target = between(16, 256) * MIB;
		g->min = g->now / 2;
		g->max = g->now * between(1, 4);
		m->nature[i] = all_follow ? FOLLOWS : any(NATURES);
		m->total += g->now;
	}
	m->total += m->free;
}

static void load(struct model *m)
{
	for (u32 i = 0; i < m->count; i++)
		m->use[i] = between(m->g[i].min / 4, m->g[i].max);
}

/* The guest's own balloon: it keeps what it uses. */
static void move(struct model *m, u32 i)
{
	struct balloon_guest *g = &m->g[i];
	u64 pace = m->nature[i] == SLOW ? 2 * MIB : ~0ul, by;

	if (m->nature[i] == REFUSES)
		return;
	if (g->target < g->now) {
		by = MIN(MIN(g->now - g->target, less(g->now, m->use[i])), pace);
		g->now -= by;
		m->free += by;
	} else {
		by = MIN(MIN(g->target - g->now, m->free), pace);
		g->now += by;
		m->free -= by;
	}
}

static void check(struct model *m, u32 i, u64 was)
{
	const struct balloon_guest *g = &m->g[i];

	if (m->nature[i] == IS_SILENT)
		assert_int_equal(g->next, was);
	assert_true(g->next >= g->min && g->next <= g->max);
	/* Nobody is told to have less than leaves it at ease, but by its own refusal. */
	if (g->next < was && g->state == BALLOON_GIVES)
		assert_true(g->next >= MIN(balloon_want(used(g)), g->max));
	if (g->next > was && balloon_is_short(g))
		assert_true(g->next <= MAX(bounded(g, balloon_want(used(g))), was));
}

static bool one_round(struct model *m)
{
	u64 was[MOST], sum = 0;
	bool more;

	m->machine.free = m->free;
	for (u32 i = 0; i < m->count; i++) {
		was[i] = m->g[i].target;
		m->g[i].reports = m->nature[i] != IS_SILENT;
		m->g[i].free = less(m->g[i].now, m->use[i]);
	}
	more = balloon_decide(m->g, m->count, &m->machine);
	for (u32 i = 0; i < m->count; i++) {
		int direction = m->g[i].next > was[i] ? 1 : m->g[i].next < was[i] ? -1 : 0;

		check(m, i, was[i]);
		m->g[i].target = m->g[i].next;
		m->turned[i] += direction && m->direction[i] && direction != m->direction[i];
		m->direction[i] = direction ? direction : m->direction[i];
		move(m, i);
		sum += m->g[i].now;
	}
	assert_int_equal(sum + m->free, m->total);
	return more;
}

static void test_bounds(void **state)
{
	for (seed = 1; seed < 3000; seed = (seed & 0xffff) + 1) {
		u64 first = seed;
		struct model m;

		make(&m, false);
		m.machine.wanted = any(4) ? 0 : between(1, 256) * MIB;
		for (int r = 0; r < 100; r++) {
			if (!(r % 20) || !any(10))
				load(&m);
			one_round(&m);
		}
		seed = first;
	}
}

/* While the load stays, nobody is moved one way and then the other, and it ends; what could be done has been done. */
static void test_no_swing(void **state)
{
	for (seed = 1; seed < 3000; seed = (seed & 0xffff) + 1) {
		u64 first = seed, spared = 0;
		struct model m;
		bool lacks = false;

		make(&m, true);
		load(&m);
		for (int r = 0; r < 400; r++)
			one_round(&m);
		for (u32 i = 0; i < m.count; i++) {
			u64 was = m.g[i].target;

			assert_int_equal(m.turned[i], 0);
			one_round(&m);
			assert_int_equal(m.g[i].target, was);
			spared += spare(&m.g[i]);
			lacks |= lack(&m.g[i]) >= SMALLEST;
		}
		if (lacks)
			assert_true(spared + less(m.free, m.machine.keep) < MOST * SMALLEST);
		seed = first;
	}
}

/* A use that wavers by a sixteenth around what it was moves nobody after the first moves. */
static void test_noise(void **state)
{
	for (seed = 1; seed < 1000; seed = (seed & 0xffff) + 1) {
		u64 first = seed, base[MOST], target[MOST];
		struct model m;

		make(&m, true);
		load(&m);
		memcpy(base, m.use, sizeof(base));
		for (int r = 0; r < 400; r++)
			one_round(&m);
		memset(m.turned, 0, sizeof(m.turned));
		for (u32 i = 0; i < m.count; i++)
			target[i] = m.g[i].target;
		for (int r = 0; r < 100; r++) {
			for (u32 i = 0; i < m.count; i++)
				m.use[i] = base[i] - base[i] / 32 + any(base[i] / 16 + 1);
			one_round(&m);
		}
		for (u32 i = 0; i < m.count; i++) {
			assert_true(m.turned[i] <= 1);
			if (target[i] >= balloon_want(base[i]) && target[i] < balloon_want(base[i]) + SMALLEST)
				assert_true(target[i] == m.g[i].target);
		}
		seed = first;
	}
}

/* Room for a guest to come is found if guests can spare it, and the answer says when there is no more to hope for. */
static void test_wanted(void **state)
{
	for (seed = 1; seed < 2000; seed = (seed & 0xffff) + 1) {
		u64 first = seed, possible;
		struct model m;
		int idle = 0, r;

		make(&m, true);
		for (u32 i = 0; i < m.count; i++)
			m.use[i] = m.g[i].now / 8;
		m.machine.wanted = between(1, 300) * MIB;
		possible = less(m.free, m.machine.keep);
		for (u32 i = 0; i < m.count; i++)
			possible += m.g[i].now >= high(m.use[i]) ? less(m.g[i].now, bounded(&m.g[i], balloon_want(m.use[i]))) : 0;
		for (r = 0; r < 100 && idle < 3; r++)
			idle = one_round(&m) ? 0 : idle + 1;
		assert_true(r < 100);
		if (possible >= m.machine.wanted + MOST * SMALLEST)
			assert_true(m.free + MOST * SMALLEST >= m.machine.wanted);
		if (possible >= 2 * m.machine.wanted + MOST * MIB)
			assert_true(m.free >= m.machine.wanted);
		seed = first;
	}
}

static void test_refusal(void **state)
{
	struct balloon_guest g = { .now = 64 * MIB, .target = 64 * MIB, .min = 16 * MIB, .max = 64 * MIB, .free = 60 * MIB, .reports = true };
	struct balloon_machine m = { .free = 0, .keep = 4 * MIB, .wanted = 16 * MIB };
	int r;

	for (r = 0; r < 100; r++) {
		balloon_decide(&g, 1, &m);
		if (g.state == BALLOON_STUCK)
			break;
		assert_true(g.next < 64 * MIB);
		g.target = g.next;
	}
	assert_in_range(r, PATIENCE, PATIENCE + 2);
	assert_int_equal(g.next, 64 * MIB);
	for (r = 0; r < (int)EXCUSED_ROUNDS - 1; r++) {
		g.target = g.next;
		assert_false(balloon_decide(&g, 1, &m));
		assert_int_equal(g.next, 64 * MIB);
	}
	g.target = g.next;
	balloon_decide(&g, 1, &m);
	g.target = g.next;
	assert_true(balloon_decide(&g, 1, &m));
}

static void test_short_first(void **state)
{
	struct balloon_guest g[3] = {
		{ .now = 32 * MIB, .target = 32 * MIB, .min = 16 * MIB, .max = 128 * MIB, .free = MIB, .reports = true },
		{ .now = 64 * MIB, .target = 64 * MIB, .min = 16 * MIB, .max = 64 * MIB, .free = 56 * MIB, .reports = true },
		{ .now = 64 * MIB, .target = 64 * MIB, .min = 16 * MIB, .max = 64 * MIB, .free = 60 * MIB },
	};
	struct balloon_machine m = { .free = 4 * MIB, .keep = 4 * MIB };

	assert_true(balloon_decide(g, 3, &m));
	assert_int_equal(g[0].state, BALLOON_SHORT);
	assert_int_equal(g[0].next, 32 * MIB);	/* nothing is there yet */
	assert_int_equal(g[1].state, BALLOON_GIVES);
	assert_int_equal(g[1].next, 56 * MIB);
	assert_int_equal(g[2].state, BALLOON_SILENT);
	g[1].target = g[1].now = g[1].next;
	g[1].free = 48 * MIB;
	m.free = 12 * MIB;
	balloon_decide(g, 3, &m);
	assert_int_equal(g[0].next, 40 * MIB);
}

/* Memory that is on its way is neither asked for nor promised twice. */
static void test_in_flight(void **state)
{
	struct balloon_guest g[3] = {
		{ .now = 32 * MIB, .target = 40 * MIB, .min = 16 * MIB, .max = 128 * MIB, .free = 1 * MIB, .reports = true },
		{ .now = 32 * MIB, .target = 32 * MIB, .min = 16 * MIB, .max = 40 * MIB, .free = 0, .reports = true },
		{ .now = 64 * MIB, .target = 56 * MIB, .min = 16 * MIB, .max = 64 * MIB, .free = 60 * MIB, .reports = true },
	};
	struct balloon_guest free_one = g[2];
	struct balloon_machine m = { .free = 12 * MIB, .keep = 4 * MIB };

	free_one.target = free_one.now;
	assert_true(balloon_decide(g, 3, &m));
	assert_int_equal(g[1].next, 32 * MIB);	/* the 8 MiB are the first one's */
	assert_int_equal(g[2].next, 56 * MIB);	/* it has yet to give what it was asked for */
	g[0] = free_one;
	g[0].max = g[0].now;
	assert_true(balloon_decide(g, 3, &m));
	assert_int_equal(g[1].next, 40 * MIB);	/* nobody else's now */
	g[1].target = g[1].next;
	m.free = 4 * MIB;
	assert_true(balloon_decide(g, 3, &m));
	assert_int_equal(g[0].next, 64 * MIB);	/* what is lacking is coming from the other */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds), cmocka_unit_test(test_no_swing), cmocka_unit_test(test_noise),
		cmocka_unit_test(test_wanted), cmocka_unit_test(test_refusal), cmocka_unit_test(test_short_first),
		cmocka_unit_test(test_in_flight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
