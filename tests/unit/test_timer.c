/* SPDX-License-Identifier: MIT */
/*
 * Timers: two CPUs set, move and stop timers of each other, also while one fires; a model has each timer's deadline. Every
 * timer fires once for each time it is set, not before its deadline, in order, and no later than the clock's interrupt after it.
 * The clock here is `now`; device[c] is what the local APIC of CPU c was set to, and its interrupt comes when `now` is there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <types.h>

#define PARAVANE_SPINLOCK_H
struct spinlock {
	bool held;
};

static inline void spin_lock(struct spinlock *l)
{
	assert_false(l->held);
	l->held = true;
}

static inline void spin_unlock(struct spinlock *l)
{
	assert_true(l->held);
	l->held = false;
}

#include <cpu.h>

static struct vcpu *running;
#undef current
#define current running

#include "../../hypervisor/cpu/timer.c"

#define CPUS 2
#define TIMERS 12
#define STEPS 100000

struct cpu *cpus[MAX_CPUS];
int cpu_count;
static struct cpu cpu[CPUS];
static struct vcpu idle[CPUS];
static struct timer timers[TIMERS];

static u64 now, device[CPUS];
static int accesses, fired_in_all;
static struct {
	u64 deadline;	/* 0: not set */
	int cpu, fired;
} model[TIMERS];
static bool churn;	/* what fires sets and stops timers */

void handle_flush_request(void) { fail(); }

static u64 random_state;

static u32 rnd(u32 n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 11) % n;
}

u64 now_ns(void) { return now; }

static int this_cpu(void) { return running - idle; }

void timer_program(u64 deadline)
{
	assert_false(running->cpu->timers_lock.held);
	device[this_cpu()] = deadline;
	accesses++;
}

/* The list is that of the model: sorted, complete, each timer once, and the device is set for its first. */
static void check_cpu(int c)
{
	int length = 0, expected = 0;
	u64 last = 0;

	for (struct timer *t = cpu[c].timers; t; t = t->next) {
		assert_true(++length <= TIMERS);
		assert_true(t->deadline >= last);
		assert_ptr_equal(t->cpu, &cpu[c]);
		assert_int_equal(t->deadline, model[t - timers].deadline);
		last = t->deadline;
	}
	for (int i = 0; i < TIMERS; i++)
		expected += model[i].deadline && model[i].cpu == c;
	assert_int_equal(length, expected);
	if (cpu[c].timer_programmed == FIRING)
		return;
	if (cpu[c].timers)
		assert_true(device[c] && device[c] <= cpu[c].timers->deadline);
	assert_true(!cpu[c].timer_programmed || cpu[c].timer_programmed == device[c]);
}

static void check(void)
{
	for (int c = 0; c < CPUS; c++)
		check_cpu(c);
}

/* In the order of calls: what is set now may fire before timer_set() returns. */
static void set(int i, u64 deadline)
{
	struct cpu *c = running->cpu;
	u64 programmed = c->timer_programmed;
	bool earlier = !programmed || deadline < programmed;
	int fired = model[i].fired;

	model[i].deadline = deadline ? deadline : 1;
	model[i].cpu = this_cpu();
	accesses = 0;
	timer_set(&timers[i], deadline);
	if (deadline > now) {
		assert_int_equal(accesses, earlier);
		assert_int_equal(model[i].fired, fired);
	} else if (earlier) {
		assert_true(model[i].fired > fired);
	}
}

/* Nothing fires in it: what is due does by the next interrupt. */
static void arm(int i, u64 deadline)
{
	struct cpu *c = running->cpu;
	u64 programmed = c->timer_programmed;
	int fired = fired_in_all;

	model[i].deadline = deadline;
	model[i].cpu = this_cpu();
	accesses = 0;
	timer_arm(&timers[i], deadline);
	assert_int_equal(accesses, !programmed || deadline < programmed);
	assert_int_equal(fired_in_all, fired);
}

static void stop(int i)
{
	model[i].deadline = 0;
	timer_stop(&timers[i]);
	assert_int_equal(timers[i].deadline, 0);
}

static void fire(struct timer *t)
{
	int i = t - timers, c = this_cpu();

	assert_false(cpu[0].timers_lock.held || cpu[1].timers_lock.held);
	assert_int_equal(t->deadline, 0);
	assert_true(model[i].deadline && model[i].deadline <= now);
	assert_int_equal(model[i].cpu, c);
	for (int other = 0; other < TIMERS; other++)
		assert_true(!model[other].deadline || model[other].cpu != c || model[other].deadline >= model[i].deadline);
	model[i].deadline = 0;
	model[i].fired++;
	fired_in_all++;
	if (!churn)
		return;
	if (!rnd(2))
		set(i, now + 1 + rnd(50));
	running = &idle[rnd(CPUS)];
	if (!rnd(3))
		set(rnd(TIMERS), now + 1 + rnd(50));
	if (!rnd(3))
		stop(rnd(TIMERS));
	now += rnd(3);
	running = &idle[c];
	check();
}

/* The interrupts that are due come; after them nothing is. */
static void interrupts(void)
{
	struct vcpu *before = running;

	for (int c = 0; c < CPUS; c++) {
		running = &idle[c];
		for (int times = 0; device[c] && device[c] <= now; times++) {
			assert_true(times < 100);
			device[c] = 0;
			timers_expire(&cpu[c]);
			check();
		}
	}
	running = before;
	for (int i = 0; i < TIMERS; i++)
		assert_true(!model[i].deadline || model[i].deadline > now || device[model[i].cpu] <= now);
}

static int reset(void **state)
{
	memset(cpu, 0, sizeof(cpu));
	memset(timers, 0, sizeof(timers));
	memset(model, 0, sizeof(model));
	memset(device, 0, sizeof(device));
	for (int c = 0; c < CPUS; c++)
		idle[c].cpu = &cpu[c];
	for (int i = 0; i < TIMERS; i++)
		timers[i].fire = fire;
	running = &idle[0];
	random_state = 88172645463325252ull;
	now = 1000;
	churn = false;
	fired_in_all = 0;
	return 0;
}

static void fires_once_at_its_deadline(void **state)
{
	set(0, 2000);
	now = 1999;
	interrupts();
	assert_int_equal(model[0].fired, 0);
	now = 2000;
	interrupts();
	assert_int_equal(model[0].fired, 1);
	now = 9000;
	interrupts();
	timers_expire(&cpu[0]);
	assert_int_equal(model[0].fired, 1);
}

static void moving_ahead_costs_no_device_access(void **state)
{
	set(0, 2000);
	set(0, 3000);
	assert_int_equal(device[0], 2000);
	now = 2000;
	interrupts();
	assert_int_equal(model[0].fired, 0);
	assert_int_equal(device[0], 3000);
	set(1, 2500);
	assert_int_equal(device[0], 2500);
}

static void what_is_due_fires_at_once(void **state)
{
	set(0, 2000);
	set(1, 0);
	assert_int_equal(model[1].fired, 1);
	assert_int_equal(model[0].fired, 0);
	assert_int_equal(device[0], 2000);
}

static void a_timer_moves_between_cpus(void **state)
{
	set(0, 2000);
	running = &idle[1];
	set(0, 2000);
	check();
	assert_null(cpu[0].timers);
	now = 2000;
	interrupts();
	assert_int_equal(model[0].fired, 1);
}

static void the_last_deadline_of_all(void **state)
{
	set(0, ~0ull);
	check();
	assert_int_equal(device[0], ~0ull);
	set(1, ~0ull - 1);
	check();
	assert_int_equal(device[0], ~0ull - 1);
}

static void random_sequences(void **state)
{
	for (int step = 0; step < STEPS; step++) {
		churn = step & 1024;
		running = &idle[rnd(CPUS)];
		switch (rnd(8)) {
		case 0:
		case 1:
			stop(rnd(TIMERS));
			break;
		case 2:
			now += rnd(60);
			break;
		case 3:
			(rnd(2) ? set : arm)(rnd(TIMERS), now - rnd(20));
			break;
		default:
			(rnd(4) ? set : arm)(rnd(TIMERS), now + rnd(200));
			break;
		}
		check();
		if (rnd(2))
			interrupts();
	}
	assert_true(fired_in_all > STEPS / 20);
	churn = false;
	now += 1000;
	interrupts();
	for (int i = 0; i < TIMERS; i++)
		assert_int_equal(model[i].deadline, 0);
	check();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(fires_once_at_its_deadline, reset),
		cmocka_unit_test_setup(moving_ahead_costs_no_device_access, reset),
		cmocka_unit_test_setup(what_is_due_fires_at_once, reset),
		cmocka_unit_test_setup(a_timer_moves_between_cpus, reset),
		cmocka_unit_test_setup(the_last_deadline_of_all, reset),
		cmocka_unit_test_setup(random_sequences, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
