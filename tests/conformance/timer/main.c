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
	struct sched_poll op = { .ports = (uint64_t)&port,
				 .nr_ports = 1,
				 .timeout = system_time() + ns };

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

/* What both ways promise in the same words: the way under test. */
static int64_t (*set)(uint64_t);

static bool once_and_not_early(void)
{
	uint64_t deadline = system_time() + 3 * MS;
	int64_t r = set(deadline);

	return r == 0 && fired_within(1000 * MS) >= deadline && !fired_within(5 * MS);
}

static bool at_once(void)
{
	int64_t r = set(system_time() - 5 * MS);
	bool pending = port_pending(port);

	port_clear(port);
	return r == 0 && pending;
}

static bool second_replaces_first(void)
{
	uint64_t deadline = system_time() + 20 * MS;

	set(deadline - 10 * MS);
	set(deadline);
	return fired_within(1000 * MS) >= deadline;
}

static void one_shot(int64_t (*way)(uint64_t), const char *const tags[3])
{
	set = way;
	check(tags[0], in_some_try(once_and_not_early),
	      "a deadline in the future: once, and not before it");
	check(tags[1], in_some_try(at_once), "a deadline in the past: at once");
	check(tags[2], in_some_try(second_replaces_first), "setting it again replaces the deadline");
}

static bool stopped(void)
{
	set_shot(system_time() + 10 * MS);
	return hypercall(vcpu_op, VCPUOP_stop_singleshot_timer, 0, 0) == 0 && !fired_within(15 * MS);
}

static bool cancelled(void)
{
	set_op(system_time() + 10 * MS);
	return set_op(0) == 0 && !fired_within(15 * MS);
}

static bool one_timer(void)
{
	set_shot(system_time() + 10 * MS);
	set_op(system_time() + 50 * MS);
	return !fired_within(15 * MS) && fired_within(1000 * MS);
}

static void stopping(void)
{
	check("VCPU-SHOT-4", in_some_try(stopped), "stopped, it raises nothing");
	check_eq("VCPU-SHOT-5", hypercall(vcpu_op, VCPUOP_stop_singleshot_timer, 0, 0), 0,
		 "stopping none");
	check("TIMER-3", in_some_try(cancelled), "0 cancels the deadline");
	check("VCPU-SHOT-6", in_some_try(one_timer), "set_timer_op moves the same timer");
}

static void strange_times(void)
{
	uint64_t start = system_time(), seen;

	set_op(start + (1UL << 51));
	seen = fired_within(1000 * MS);
	check("TIMER-5", seen >= start + 90 * MS && seen < start + 600 * MS,
	      "far ahead: after about 100 ms");
	start = system_time();
	set_op(-1UL);
	seen = fired_within(1000 * MS);
	check("TIMER-6", seen >= start + 90 * MS && seen < start + 600 * MS,
	      "negative: after about 100 ms");
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
