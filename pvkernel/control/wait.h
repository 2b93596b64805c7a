/* SPDX-License-Identifier: MIT */
/* Waiting until a domain is in some state, by looking again and again. */
#ifndef CTL_WAIT_H
#define CTL_WAIT_H

#include "../include/types.h"

enum wait_state { WAIT_GONE, WAIT_SHUTDOWN, WAIT_CRASHED, WAIT_PAUSED, WAIT_THERE };

#define WAIT_FOREVER (~0ul)
#define WAIT_INTERVAL (20 * 1000000ul)	/* ns */

bool wait_for(u16 domid, enum wait_state state, u64 timeout_ns);	/* false: it is over; gone is shutdown too */

/* Sleeps a little. False: `end` has come, or ctrl-c. */
bool wait_more(u64 end);

#endif
