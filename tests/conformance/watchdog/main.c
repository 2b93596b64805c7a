/* SPDX-License-Identifier: MIT */
/* SCHEDOP_watchdog: timers that shut the domain down unless they are started anew in time. */
#include "guest.h"

static int64_t watchdog(uint32_t id, uint32_t timeout)
{
	struct sched_watchdog op = { .id = id, .timeout = timeout };

	return hypercall(sched_op, SCHEDOP_watchdog, &op);
}

void test_main(void)
{
	struct sched_poll sleep = { 0 };
	int64_t first = watchdog(0, 30), second;

	check("SCHED-WATCHDOG-1", first >= 1, "a new one gets an id (%ld)", first);
	check_eq("SCHED-WATCHDOG-2", watchdog((uint32_t)first, 40), 0, "it is started anew");
	second = watchdog(0, 40);
	check_eq("SCHED-WATCHDOG-6", (int32_t)watchdog(0, 40), -ENOSPC, "there is no third");
	watchdog((uint32_t)second, 0);
	check_eq("SCHED-WATCHDOG-4", watchdog((uint32_t)second, 10), -EINVAL, "one that is not started");
	check("SCHED-WATCHDOG-5", watchdog(3, 10) == -EINVAL && watchdog(0x7fffffff, 10) == -EINVAL,
	      "ids that do not exist");
	watchdog((uint32_t)first, 1);
	check_eq("SCHED-WATCHDOG-3", watchdog((uint32_t)first, 0), 0, "it is ended");
	sleep.timeout = system_time() + 1500000000;
	hypercall(sched_op, SCHEDOP_poll, &sleep);
	check("SCHED-WATCHDOG-3", system_time() >= sleep.timeout, "and does not run out");
}
