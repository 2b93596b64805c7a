/* SPDX-License-Identifier: MIT */
/* Time in nanoseconds since the machine started, and things to do at one. */
#ifndef PVK_TIME_H
#define PVK_TIME_H

#include "list.h"
#include "types.h"

#define NSEC_PER_SEC 1000000000ul
#define NSEC_PER_MSEC 1000000ul

u64 now(void);
u64 wall_clock(void);			/* seconds since 1970, UTC */
u64 wall_clock_ns(void);		/* nanoseconds; by the second without a hypervisor */

struct date {
	unsigned int year, month, day, hour, minute, second;
};
struct date date_of(u64 seconds);

/* fn runs at interrupt level, once, when now() has reached when. It may add the timer again. */
struct timer {
	struct list node;
	u64 when;
	void (*fn)(void *arg);
	void *arg;
	bool armed;
};

void time_init(void);
void timer_add(struct timer *t, u64 when);
void timer_cancel(struct timer *t);
void timer_interrupt(void *unused);
void timer_reprogram(void);		/* after somebody else has used the hardware's deadline */

#endif
