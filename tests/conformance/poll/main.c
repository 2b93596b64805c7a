/* SPDX-License-Identifier: MIT */
/* SCHEDOP_poll: wait for one of some ports without unmasking upcalls, or for a deadline. */
#include "guest.h"

#define MS 1000000UL

static uint32_t ports[128];

static int64_t poll_at(uint64_t list, uint32_t count, uint64_t timeout)
{
	struct sched_poll op = { .ports = list, .nr_ports = count, .timeout = timeout };

	return hypercall(sched_op, SCHEDOP_poll, &op);
}

static int64_t poll(uint32_t count, uint64_t timeout)
{
	return poll_at((uint64_t)ports, count, timeout);
}

void test_main(void)
{
	uint32_t idle = (uint32_t)evtchn_bind_ipi(0), ipi = (uint32_t)evtchn_bind_ipi(0),
		 timer = (uint32_t)evtchn_bind_virq(VIRQ_TIMER, 0);
	uint64_t start = system_time(), deadline;
	int64_t r;

	ports[0] = ipi;
	evtchn_send(ipi);
	r = poll(1, start + 10000 * MS);
	check("SCHED-POLL-1", r == 0 && system_time() < start + 5000 * MS && port_pending(ipi),
	      "a pending port ends poll and stays pending");
	port_clear(ipi);
	vcpu_info->evtchn_upcall_pending = 0;
	port_mask(ipi, true);
	evtchn_send(ipi);
	r = poll(1, start + 10000 * MS);
	check("SCHED-POLL-2", r == 0 && system_time() < start + 5000 * MS, "so does one that is masked");
	ports[0] = idle;
	deadline = system_time() + 3 * MS;
	r = poll(1, deadline);
	check("SCHED-POLL-3", r == 0 && system_time() >= deadline, "without one, the deadline does");
	r = poll(1, 1);
	check("SCHED-POLL-4", r == 0 && system_time() < deadline + 1000 * MS, "a deadline in the past");
	check_eq("SCHED-POLL-5", poll(129, 1), -EINVAL, "129 ports");
	ports[0] = ~0U;
	check_eq("SCHED-POLL-6", poll(1, 1), -EINVAL, "a port out of range");
	deadline = system_time() + 3 * MS;
	r = poll_at(0, 0, deadline);
	check("SCHED-POLL-7", r == 0 && system_time() >= deadline, "no ports: a sleep");
	check_eq("SCHED-POLL-8", poll_at(MACH2PHYS_VIRT_START, 1, 1), -EFAULT,
		 "ports in the hypervisor's range");
	check_eq("SCHED-POLL-9", poll_at(UNMAPPED, 1, 1), -EFAULT, "ports in an unmapped page");
	check_eq("SCHED-POLL-10", vcpu_info->evtchn_upcall_mask, 1, "upcalls are still masked");
	port_mask(timer, true);
	ports[0] = timer;
	deadline = system_time() + 3 * MS;
	hypercall(set_timer_op, deadline);
	r = poll(1, deadline + 10000 * MS);
	check("SCHED-POLL-11",
	      r == 0 && system_time() >= deadline && system_time() < deadline + 5000 * MS &&
		      port_pending(timer),
	      "a masked timer port ends poll when it fires");
	for (int i = 0; i < 127; i++)
		ports[i] = idle;
	ports[127] = ipi;
	start = system_time();
	r = poll(128, start + 10000 * MS);
	check("SCHED-POLL-12", r == 0 && system_time() < start + 5000 * MS,
	      "the last of 128 ports is seen");
}
