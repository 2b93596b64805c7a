/* SPDX-License-Identifier: MIT */
/* A second domain is made, runs a function, and is gone again with all its memory. */
#include "domain.h"

static volatile uint64_t answer;

static void compute(uint64_t argument)
{
	answer = argument + 1;
}

static void stop(uint64_t argument)
{
	struct sched_shutdown op = {.reason = (uint32_t)argument};

	hypercall(sched_op, SCHEDOP_shutdown, &op);
}

static void ends(const char *tag, uint32_t how, const char *word)
{
	struct domain *d = make_domain(1);

	check_eq(tag, run_code(d, stop, how), how, "shutdown with reason %s is told by getdomaininfo", word);
	destroy_domain(d);
}

void test_main(void)
{
	uint64_t before = free_pages();
	struct domain *d = make_domain(1);

	check("RUN-1",
	      run_code(d, compute, 41) == SHUTDOWN_poweroff && *in_guest(d, &answer) == 42 && !answer,
	      "a domain runs in its own memory");
	destroy_domain(d);
	check_eq("RUN-2", free_pages(), before, "its memory is free again");
	ends("RUN-3", SHUTDOWN_reboot, "reboot");
	ends("RUN-4", SHUTDOWN_suspend, "suspend");
	ends("RUN-5", SHUTDOWN_crash, "crash");
}
