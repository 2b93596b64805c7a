/* SPDX-License-Identifier: MIT */
/*
 * A round of the policy. What there is to spend is the machine's free memory, less what it keeps, less what a guest to come needs,
 * less what guests have been promised and not yet taken. First those that are short are given of it, in proportion to what they lack; if that
 * is not enough, those with more than they need are asked for the rest, less what is on its way already, in
 * proportion to what they can spare. Nobody moves by less than SMALLEST or by more than a part of what it has.
 */
#include "balloon_decide.h"

#define MIB 1024ul
#define SMALLEST 512ul
#define NEAR (2 * MIB)		/* a guest whose memory differs by less has reached its target */
#define STEP 64ul		/* less is no movement */
#define CALM_ROUNDS 5
#define PATIENCE 10u
#define EXCUSED_ROUNDS 60

u64 balloon_want(u64 used)
{
	return used + used / 4 + 4 * MIB;
}

static u64 low(u64 used)
{
	return used + used / 8 + 2 * MIB;
}

static u64 high(u64 used)
{
	return used + used / 2 + 8 * MIB;
}

static u64 less(u64 a, u64 b)
{
	return a > b ? a - b : 0;
}

static u64 bounded(const struct balloon_guest *g, u64 kib)
{
	return MIN(MAX(kib, g->min), g->max);
}

static u64 used(const struct balloon_guest *g)
{
	return less(g->now, g->free);
}

bool balloon_is_short(const struct balloon_guest *g)
{
	return g->reports && g->now < low(used(g));
}

static bool is_there(const struct balloon_guest *g)
{
	return less(g->now, g->target) < NEAR && less(g->target, g->now) < NEAR;
}

/* --- what a guest may get or give ------------------------------------------------------------------- */

/* What it lacks, one round's worth. */
static u64 lack(const struct balloon_guest *g)
{
	u64 wants = bounded(g, balloon_want(used(g)));

	return balloon_is_short(g) ? MIN(less(wants, g->target), MAX(g->now / 4, 8 * MIB)) : 0;
}

/* What it can spare, one round's worth. */
static u64 spare(const struct balloon_guest *g)
{
	u64 keeps = bounded(g, balloon_want(used(g)));

	if (!g->reports || g->busy || g->excused || g->now < high(used(g)) || !is_there(g))
		return 0;
	return MIN(less(g->target, keeps), MAX(g->now / 8, 4 * MIB));
}

/* --- a round ----------------------------------------------------------------------------------------- */

/* Target and memory apart for long: the guest does not follow, or cannot. Its target becomes what it has. */
static void settle(struct balloon_guest *g)
{
	bool moved = less(g->now, g->before) >= STEP || less(g->before, g->now) >= STEP;
	bool apart = less(g->now, g->target) >= STEP || less(g->target, g->now) >= STEP;

	g->still = moved || !apart ? 0 : MIN(g->still + 1, PATIENCE);
	g->before = g->now;
	if (!g->reports || g->still < PATIENCE || is_there(g))
		return;
	if (g->now > g->target)
		g->excused = EXCUSED_ROUNDS;
	g->target = bounded(g, g->now);
	g->still = 0;
}

/* What it has yet to take, or to give, as long as it seems to do that. */
static u64 promised_to(const struct balloon_guest *g)
{
	return g->still < PATIENCE ? less(g->target, g->now) : 0;
}

static u64 coming_from(const struct balloon_guest *g)
{
	return g->reports && g->still < PATIENCE ? less(g->now, g->target) : 0;
}

static void begin(struct balloon_guest *g)
{
	g->busy = g->reports && balloon_is_short(g) ? CALM_ROUNDS : less(g->busy, 1);
	g->excused = less(g->excused, 1);
	settle(g);
	g->next = g->target;
	g->state = !g->reports ? BALLOON_SILENT : g->excused ? BALLOON_STUCK : balloon_is_short(g) ? BALLOON_SHORT : BALLOON_CALM;
}

/*
 * Divides `amount` among the guests in proportion to their parts, of which none gets more. A share too small to be worth a move
 * goes to the next one. In whole steps, so that no product overflows. What was divided.
 */
static u64 divide(struct balloon_guest *guests, u32 count, u64 amount, u64 (*part)(const struct balloon_guest *), bool up)
{
	u64 sum = 0, given = 0, due = 0;

	for (u32 i = 0; i < count; i++)
		sum += part(&guests[i]);
	amount = MIN(amount, sum);
	for (u32 i = 0; i < count; i++) {
		u64 most = part(&guests[i]), share;

		due += sum >= STEP ? most / STEP * (amount / STEP) / (sum / STEP) * STEP : 0;
		share = MIN(due, most);
		if (share < SMALLEST)
			continue;
		guests[i].next = up ? guests[i].target + share : guests[i].target - share;
		if (!up)
			guests[i].state = BALLOON_GIVES;
		due -= share;
		given += share;
	}
	return given;
}

bool balloon_decide(struct balloon_guest *guests, u32 count, const struct balloon_machine *m)
{
	u64 reserved = m->keep + m->wanted, coming = 0, lacking = 0, asked;

	for (u32 i = 0; i < count; i++) {
		begin(&guests[i]);
		reserved += promised_to(&guests[i]);
		coming += coming_from(&guests[i]);
		lacking += lack(&guests[i]);
	}
	divide(guests, count, less(m->free, reserved), lack, true);
	asked = divide(guests, count, less(reserved + lacking, m->free + coming), spare, false);
	return asked || coming >= SMALLEST;
}
