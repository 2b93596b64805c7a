/* SPDX-License-Identifier: MIT */
/* The periodic timer of a vCPU. It runs when the domain starts; the runtime has stopped it. */
#include "guest.h"

#define MS 1000000UL

static uint32_t port;

/* How often VIRQ_TIMER comes within ns, to a vCPU that works: it need not come to one that sleeps. */
static unsigned int ticks(uint64_t ns)
{
	uint64_t end = system_time() + ns;
	unsigned int n = 0;

	while (system_time() < end) {
		n += port_pending(port);
		port_clear(port);
	}
	return n;
}

static int64_t set(uint64_t period)
{
	struct vcpu_set_periodic_timer op = { .period_ns = period };

	return hypercall(vcpu_op, VCPUOP_set_periodic_timer, 0, &op);
}

static int64_t stop(void)
{
	return hypercall(vcpu_op, VCPUOP_stop_periodic_timer, 0, 0);
}

void test_main(void)
{
	unsigned int n;
	int64_t r;

	port = (uint32_t)evtchn_bind_virq(VIRQ_TIMER, 0);
	port_clear(port);
	check_eq("VCPU-PERIODIC-5", start_timer_was_running, true, "it runs when the domain starts");
	check("VCPU-PERIODIC-1", set(999999) == -EINVAL && set(0) == -EINVAL,
	      "less than a millisecond is refused");
	check_eq("VCPU-PERIODIC-2", set(~0UL), -EINVAL, "so is 2^64 - 1");
	check_eq("VCPU-PERIODIC-6", stop(), 0, "stopping when none runs");
	r = set(MS);
	n = ticks(50 * MS);
	check("VCPU-PERIODIC-3", r == 0 && n >= 5,
	      "with 1 ms it comes again and again (%u times in 50 ms)", n);
	r = stop();
	port_clear(port);
	check("VCPU-PERIODIC-4", r == 0 && ticks(10 * MS) == 0, "stopped, it does not come any more");
}
