/* SPDX-License-Identifier: MIT */
/*
 * The one-shot timer of a vCPU, set by set_timer_op or VCPUOP_set_singleshot_timer: VIRQ_TIMER
 * once, not before its deadline.
 */
#include "guest.h"

#define MS 1000000UL

static uint32_t port;

static void sleep_until(uint64_t deadline)
{
	struct sched_poll op = { .timeout = deadline };

	hypercall(sched_op, SCHEDOP_poll, &op);
}

/* Wait for VIRQ_TIMER, but not longer than ns; returns the time at which it was seen, or 0. */
static uint64_t fired_within(uint64_t ns)
{
	struct sched_poll op = { .ports = (uint64_t)&port, .nr_ports = 1, .timeout = system_time() + ns };

	hypercall(sched_op, SCHEDOP_poll, &op);
	if (!port_pending(port))
		return 0;
	port_clear(port);
	return system_time();
}

static int64_t set_shot(uint64_t deadline)
{
	struct vcpu_set_singleshot_timer op = { .timeout_abs_ns = deadline };

	return hypercall(vcpu_op, VCPUOP_set_singleshot_timer, 0, &op);
}

static int64_t set_op(uint64_t deadline)
{
	return hypercall(set_timer_op, deadline);
}

/* What both ways promise in the same words. */
static void one_shot(int64_t (*set)(uint64_t), const char *const tags[3])
{
	uint64_t deadline = system_time() + 3 * MS, seen;
	int64_t r = set(deadline);

	seen = fired_within(1000 * MS);
	check(tags[0], r == 0 && seen >= deadline && !fired_within(5 * MS), "a deadline in the future: once, and not before it");
	r = set(system_time() - 5 * MS);
	check(tags[1], r == 0 && port_pending(port), "a deadline in the past: at once");
	fired_within(1);
	set(system_time() + 2 * MS);
	deadline = system_time() + 8 * MS;
	set(deadline);
	seen = fired_within(1000 * MS);
	check(tags[2], seen >= deadline, "setting it again replaces the deadline");
}

static void stopping(void)
{
	int64_t r;

	set_shot(system_time() + 3 * MS);
	r = hypercall(vcpu_op, VCPUOP_stop_singleshot_timer, 0, 0);
	check("VCPU-SHOT-4", r == 0 && !fired_within(6 * MS), "stopped, it raises nothing");
	check_eq("VCPU-SHOT-5", hypercall(vcpu_op, VCPUOP_stop_singleshot_timer, 0, 0), 0, "stopping none");
	set_op(system_time() + 3 * MS);
	r = set_op(0);
	check("TIMER-3", r == 0 && !fired_within(6 * MS), "0 cancels the deadline");
	set_shot(system_time() + 2 * MS);
	set_op(system_time() + 30 * MS);
	check("VCPU-SHOT-6", !fired_within(10 * MS) && fired_within(1000 * MS), "set_timer_op moves the same timer");
}

static void strange_times(void)
{
	uint64_t start = system_time(), seen;

	set_op(start + (1UL << 51));
	seen = fired_within(1000 * MS);
	check("TIMER-5", seen >= start + 90 * MS && seen < start + 600 * MS, "far ahead: after about 100 ms");
	start = system_time();
	set_op(-1UL);
	seen = fired_within(1000 * MS);
	check("TIMER-6", seen >= start + 90 * MS && seen < start + 600 * MS, "negative: after about 100 ms");
}

void test_main(void)
{
	static const char *const shot[] = { "VCPU-SHOT-1", "VCPU-SHOT-2", "VCPU-SHOT-3" };
	static const char *const op[] = { "TIMER-1", "TIMER-2", "TIMER-4" };

	port = (uint32_t)evtchn_bind_virq(VIRQ_TIMER, 0);
	sleep_until(system_time() + MS);
	port_clear(port);
	one_shot(set_shot, shot);
	one_shot(set_op, op);
	stopping();
	strange_times();
}
