/* SPDX-License-Identifier: MIT */
/*
 * How much memory each guest should have, from what is known of all of them. A pure function: tests/unit has a model of guests.
 *
 * A guest that uses u is at ease with want(u) = u + u/4 + 4 MiB. It is short below u + u/8 + 2 MiB and may give above
 * u + u/2 + 8 MiB, always as far as want(u) and no further. So, while what the guests use does not change, each of them moves
 * in one direction only and stops: nothing can swing. One that has just been short gives nothing for a while.
 * Everybody stays between its min and max; those that tell nothing are not moved at all.
 */
#ifndef CTL_BALLOON_DECIDE_H
#define CTL_BALLOON_DECIDE_H

#include "../include/types.h"

enum balloon_state { BALLOON_SILENT, BALLOON_CALM, BALLOON_SHORT, BALLOON_GIVES, BALLOON_STUCK };

struct balloon_guest {
	/* what is known; KiB */
	u64 now, target;
	u64 min, max;
	u64 free;		/* of now */
	bool reports;		/* so free is worth something */
	/* what the rounds before have left; 0 for a new guest */
	u64 before;		/* now, a round ago */
	u32 busy;		/* rounds until it may give, after it was short */
	u32 still;		/* rounds without a step towards its target */
	u32 excused;		/* rounds until it is asked again, after it did not follow */
	/* the answer */
	enum balloon_state state;
	u64 next;		/* its target from now on */
};

struct balloon_machine {
	u64 free;		/* KiB that nobody has */
	u64 keep;		/* so many of them stay */
	u64 wanted;		/* for a guest to come; nobody gets anything before there is enough */
};

/* One round. True: memory is on its way or will be asked for, so a later round may find more. */
bool balloon_decide(struct balloon_guest *guests, u32 count, const struct balloon_machine *m);

u64 balloon_want(u64 used);
bool balloon_is_short(const struct balloon_guest *g);

#endif
