/* SPDX-License-Identifier: MIT */
/*
 * Limits as buckets of tokens: -overdraft <= tokens <= BURST_NS worth. Time that is worth less than a token is not spent but kept in
 * filled_at, so any limit is kept exactly in the long run.
 */
#include "blkback.h"

#define BURST_NS (NSEC_PER_SEC / 10)

static s64 burst(const struct rate *r)
{
	return MAX(r->per_second / (NSEC_PER_SEC / BURST_NS), 1);
}

void rate_init(struct rate *r, u64 per_second, u64 t)
{
	*r = (struct rate){ .per_second = per_second, .filled_at = t };
	r->tokens = burst(r);
}

/* a * b / c without loss in between; the largest number there is if that is too small for it. */
static u64 scale(u64 a, u64 b, u64 c)
{
	u64 high = (unsigned __int128)a * b >> 64, low = a * b, rest;

	if (high >= c)
		return ~0ul;
	__asm__("divq %2" : "+a"(low), "=d"(rest) : "r"(c), "1"(high));
	return low;
}

u64 rate_wait(struct rate *r, u64 t)
{
	u64 more;

	if (!r->per_second)
		return 0;
	more = scale(t - r->filled_at, r->per_second, NSEC_PER_SEC);
	if (more) {
		r->filled_at = more >= (u64)(burst(r) - r->tokens) ? t : r->filled_at + scale(more, NSEC_PER_SEC, r->per_second);
		r->tokens = MIN((u64)(burst(r) - r->tokens), more) + r->tokens;
	}
	return r->tokens > 0 ? 0 : scale(1 - r->tokens, NSEC_PER_SEC, r->per_second) + 1;
}
