/* SPDX-License-Identifier: MIT */
/*
 * The scheduler on simulated CPUs. A step lets time pass and each CPU do one thing: take an interrupt, run its vCPU for a while, or what the
 * vCPU decides to: block, yield, stop at a point in a hypercall. After each step the scheduler's invariants are checked against what
 * is seen from outside. Stacks are not switched; `current` follows `running`.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define PARAVANE_ASM_H
static inline void take_interrupts(void) { }
static inline void halt_for_interrupt(void) { }
static inline void pause(void) { }

#include <domain.h>
#include <entry.h>

static struct vcpu *host_current;
#undef current
#define current host_current

#include "../../hypervisor/domain/sched.c"
#include "../../hypervisor/domain/sched_share.c"
#include "../../hypervisor/domain/sched_control.c"

#define MS 1000000ull
#define STEP_NS 50000ull
#define MAX_SIM_DOMAINS 5
#define MAX_SIM_VCPUS 4

struct cpu *cpus[MAX_CPUS];
int cpu_count;
bool zero_free_memory(void) { return false; }

static struct cpu cpu[MAX_CPUS];
static struct vcpu idle[MAX_CPUS];
static struct domain domain[MAX_SIM_DOMAINS];
static struct vcpu_info info[MAX_SIM_DOMAINS][MAX_SIM_VCPUS];
static struct vcpu vcpus[MAX_SIM_DOMAINS][MAX_SIM_VCPUS];
static int domain_count;

static u64 now;
static u64 ran[MAX_SIM_DOMAINS][MAX_SIM_VCPUS], waited[MAX_SIM_DOMAINS][MAX_SIM_VCPUS], longest_wait;
static struct timer *timers[64];
static int timer_count;
static bool kicked[MAX_CPUS];
static bool waking;		/* by somebody who may hold locks */

/* --- in place of other parts ------------------------------------------------------------------------------------- */

u64 now_ns(void) { return now; }
void spin_wait(struct spinlock *l) { fail(); }
void send_kick(struct cpu *c) { kicked[c->id] = true; }
void runstate_change(struct vcpu *v, int state, u64 at) { v->runstate = state; }
void vcpu_timers_start(struct vcpu *v) { }
void entry_hypercall(void) { }
void (*hypercall_entry)(void) = entry_hypercall;
void entry_user_syscall(void) { }
void timer_kill(struct timer *t) { t->deadline = 0; }
u32 trace_mask;
void trace_switch(const struct vcpu *next) { }

void switch_stacks(u64 *save_rsp_here, u64 new_rsp)
{
	host_current = host_current->cpu->running;
}

void timer_arm(struct timer *t, u64 deadline)
{
	int i;

	for (i = 0; i < timer_count && timers[i] != t; i++)
		;
	if (i == timer_count)
		timers[timer_count++] = t;
	t->deadline = deadline;
	t->cpu = host_current->cpu;
}

/* What is due may fire in it, and takes locks that are held where somebody is woken. */
void timer_set(struct timer *t, u64 deadline)
{
	assert_int_equal(sched_lock.held, 0);
	assert_false(waking);
	timer_arm(t, deadline);
}

void load_vcpu(struct cpu *c, struct vcpu *next)
{
	assert_null(next->loaded_on);
	if (c->loaded)
		c->loaded->loaded_on = NULL;
	c->loaded = next;
	next->loaded_on = c;
}

void unload_vcpu(struct cpu *c)
{
	c->loaded->loaded_on = NULL;
	c->loaded = NULL;
}

/* --- the machine ---------------------------------------------------------------------------------------------------- */

static void wake(struct vcpu *v)
{
	waking = true;
	vcpu_wake(v);
	waking = false;
}

static void online(struct vcpu *v)
{
	waking = true;
	vcpu_online(v);
	waking = false;
}

static struct domain *add_domain(int vcpu_count, u32 weight, u32 cap)
{
	struct domain *d = &domain[domain_count];

	d->id = domain_count;
	sched_init_domain(d);
	d->vcpu_count = vcpu_count;
	for (int i = 0; i < vcpu_count; i++) {
		struct vcpu *v = d->vcpu[i] = &vcpus[domain_count][i];

		v->domain = d;
		v->id = i;
		v->kernel_mode = true;
		v->info = &info[domain_count][i];
		v->cpu = &cpu[i % cpu_count];
		sched_init_vcpu(v);
	}
	domain_count++;
	assert_int_equal(sched_set(d, weight, cap), 0);
	return d;
}

static void start_machine(int n)
{
	memset(cpu, 0, sizeof(cpu));
	memset(idle, 0, sizeof(idle));
	memset(domain, 0, sizeof(domain));
	memset(vcpus, 0, sizeof(vcpus));
	memset(ran, 0, sizeof(ran));
	memset(waited, 0, sizeof(waited));
	memset(kicked, 0, sizeof(kicked));
	cpu_count = n;
	domain_count = timer_count = 0;
	run_queue = NULL;
	longest_wait = 0;
	now = 1;
	for (int i = 0; i < n; i++) {
		cpus[i] = &cpu[i];
		cpu[i].id = i;
		cpu[i].idle = cpu[i].running = &idle[i];
		cpu[i].slice.fire = slice_over;
		idle[i].cpu = &cpu[i];
	}
	host_current = &idle[0];
}

static void start_all(void)
{
	for (int i = 0; i < domain_count; i++)
		for (int j = 0; j < domain[i].vcpu_count; j++)
			online(domain[i].vcpu[j]);
}

static bool loaded_well(const struct vcpu *v)
{
	return !v->loaded_on || v->loaded_on->loaded == v;
}

static void check_queue(void)
{
	int length = 0, queued = 0;

	for (struct vcpu *v = run_queue; v; v = v->run_next) {
		assert_true(v->queued && ++length <= MAX_SIM_DOMAINS * MAX_SIM_VCPUS);
		assert_true(!v->run_next || v->vtime <= v->run_next->vtime);
	}
	for (int i = 0; i < domain_count; i++) {
		u32 active = 0;

		for (int j = 0; j < domain[i].vcpu_count; j++) {
			struct vcpu *v = domain[i].vcpu[j];

			queued += v->queued;
			active += v->queued || is_running(v);
			assert_true(v->queued + is_running(v) <= 1);
			assert_true(v->queued || is_running(v) || !may_run(v));
			assert_true(!v->queued || may_run(v));
			assert_true(loaded_well(v));
			assert_true(!is_running(v) || v->loaded_on == v->cpu);
		}
		assert_int_equal(active, domain[i].active);
	}
	assert_int_equal(queued, length);
}

static bool asked(const struct cpu *c)
{
	return c->running->work & WORK_SCHEDULE;
}

static bool may_take(const struct vcpu *v, const struct cpu *c)
{
	return is_allowed(v, c) && (!v->loaded_on || v->loaded_on == c);
}

/* Of each that waits some CPU knows which may take it, or can soon; an idle one is not left to wait for a busy one. */
static void check_nobody_forgotten(void)
{
	for (struct vcpu *v = run_queue; v; v = v->run_next) {
		bool known = v->loaded_on && asked(v->loaded_on), idle_asked = known, unasked = false;

		for (int i = 0; i < cpu_count; i++) {
			if (!may_take(v, &cpu[i]))
				continue;
			known |= asked(&cpu[i]) || (cpu[i].slice_end && timer_covers(&cpu[i], cpu[i].slice_end));
			idle_asked |= asked(&cpu[i]);
			unasked |= is_idle(&cpu[i]);
		}
		assert_true(unasked ? idle_asked : known);
	}
}

static void check(void)
{
	assert_int_equal(sched_lock.held, 0);
	check_queue();
	check_nobody_forgotten();
}

static void fire_timers(int c)
{
	for (int i = 0; i < timer_count; i++) {
		struct timer *t = timers[i];

		if (t->cpu == &cpu[c] && t->deadline && t->deadline <= now) {
			t->deadline = 0;
			t->fire(t);
		}
	}
}

/* CPU c handles its interrupts and goes back to its guest, choosing if it was asked to. */
static void exit_to_guest(int c)
{
	host_current = cpu[c].running;
	fire_timers(c);
	kicked[c] = false;
	while (host_current->work & WORK_SCHEDULE) {
		host_current->work &= ~WORK_SCHEDULE;
		if (host_current == cpu[c].idle)
			reschedule(host_current, STANDS_AT_EXIT);
		else
			schedule();
		assert_ptr_equal(host_current, cpu[c].running);
	}
	assert_true(!cpu[c].slice.deadline || cpu[c].slice.deadline > now);
	check();
}

static void account(u64 ns)
{
	for (int i = 0; i < domain_count; i++) {
		for (int j = 0; j < domain[i].vcpu_count; j++) {
			struct vcpu *v = domain[i].vcpu[j];

			ran[i][j] += is_running(v) ? ns : 0;
			waited[i][j] = v->queued ? waited[i][j] + ns : 0;
			longest_wait = max(longest_wait, waited[i][j]);
		}
	}
}

static void simulate(u64 ms)
{
	for (u64 end = now + ms * MS; now < end; ) {
		for (int c = 0; c < cpu_count; c++)
			exit_to_guest(c);
		now += STEP_NS;
		account(STEP_NS);
	}
}

static u64 domain_ran(int i)
{
	u64 sum = 0;

	for (int j = 0; j < domain[i].vcpu_count; j++)
		sum += ran[i][j];
	return sum;
}

/* Within `percent` of what it should be. */
static void assert_about(u64 got, u64 wanted, u64 percent)
{
	u64 off = got > wanted ? got - wanted : wanted - got;

	if (off * 100 > wanted * percent)
		fail_msg("got %lu, not %lu", (unsigned long)got, (unsigned long)wanted);
}

/* --- shares --------------------------------------------------------------------------------------------------------- */

static void shares_1_2_4(int n)
{
	static const u32 weight[] = { 128, 256, 512 };

	start_machine(n);
	for (int i = 0; i < 3; i++)
		add_domain(n, weight[i], 0);
	start_all();
	simulate(7000);
	for (int i = 0; i < 3; i++)
		assert_about(domain_ran(i), (n * 1000 << i) * MS, 3);
	for (int i = 0; i < n; i++)
		assert_int_equal(cpu_idle_ns(&cpu[i]) / MS, 0);
}

static void shares_on_one_cpu(void **state) { shares_1_2_4(1); }
static void shares_on_two_cpus(void **state) { shares_1_2_4(2); }
static void shares_on_four_cpus(void **state) { shares_1_2_4(4); }

static void number_of_vcpus_does_not_count(void **state)
{
	start_machine(1);
	add_domain(4, 256, 0);
	add_domain(1, 256, 0);
	start_all();
	simulate(4000);
	assert_about(domain_ran(0), 2000 * MS, 3);
	assert_about(domain_ran(1), 2000 * MS, 3);
}

/* A share that one vCPU cannot use is the others', in their proportion. */
static void share_beyond_a_cpu(void **state)
{
	start_machine(2);
	add_domain(1, 4000, 0);
	add_domain(1, 256, 0);
	add_domain(1, 512, 0);
	start_all();
	simulate(3000);
	assert_about(domain_ran(0), 3000 * MS, 1);
	assert_about(domain_ran(1), 1000 * MS, 3);
	assert_about(domain_ran(2), 2000 * MS, 3);
}

static void caps(void **state)
{
	static const u32 cap[] = { 10, 35, 150 };

	for (int n = 1; n <= 4; n *= 2) {
		start_machine(n);
		for (int i = 0; i < 3; i++)
			add_domain(2, 256, cap[i]);
		start_all();
		simulate(4000);
		assert_about(domain_ran(0), 400 * MS, 2);
		if (n > 1)
			assert_about(domain_ran(1), 1400 * MS, 2);
		if (n > 2)
			assert_about(domain_ran(2), 6000 * MS, 2);
	}
}

static void cap_lifted(void **state)
{
	start_machine(1);
	add_domain(1, 256, 20);
	start_all();
	simulate(1000);
	assert_about(domain_ran(0), 200 * MS, 2);
	sched_set(&domain[0], 256, 0);
	simulate(1000);
	assert_about(domain_ran(0), 1200 * MS, 2);
	assert_int_equal(sched_set(&domain[0], 0, 0), -EINVAL);
	assert_int_equal(sched_set(&domain[0], 65536, 0), -EINVAL);
}

/* What a cap leaves to one that is alone is no turn: who comes, and has run as much, waits for a slice. */
static void a_quota_is_no_slice(void **state)
{
	for (u32 cap = 100; cap <= 3200; cap *= 2) {
		start_machine(1);
		add_domain(1, 256, cap);
		add_domain(1, 256, 0);
		online(&vcpus[0][0]);
		simulate(1);
		host_current = cpu[0].running;
		vcpus[1][0].vtime = 1 * MS;
		online(&vcpus[1][0]);
		simulate(1000);
		assert_true(ran[1][0] > 0);
		assert_true(longest_wait <= SLICE_NS + 2 * MS);
	}
}

/* One that slept long gets no more than its share afterwards, and what it waits for at first is short. */
static void sleep_earns_no_credit(void **state)
{
	start_machine(1);
	add_domain(1, 256, 0);
	add_domain(1, 256, 0);
	online(&vcpus[0][0]);
	simulate(5000);
	online(&vcpus[1][0]);
	simulate(2);
	assert_true(ran[1][0] > 0);
	simulate(1998);
	assert_about(ran[1][0], 1000 * MS, 3);
	assert_true(longest_wait <= 2 * SLICE_NS);
}

/* Who ran long alone does not pay for it. */
static void running_alone_costs_nothing(void **state)
{
	start_machine(2);
	add_domain(1, 256, 0);
	add_domain(1, 256, 0);
	add_domain(1, 256, 0);
	online(&vcpus[0][0]);
	online(&vcpus[1][0]);
	simulate(3000);
	online(&vcpus[2][0]);
	simulate(3000);
	assert_about(ran[0][0], 5000 * MS, 3);
	assert_about(ran[1][0], 5000 * MS, 3);
	assert_about(ran[2][0], 2000 * MS, 3);
}

/* Two run alone, the one faster in virtual time; then others come. */
static void a_lead_is_not_paid_for_long(void **state)
{
	start_machine(2);
	add_domain(1, 256, 0);
	add_domain(1, 1024, 0);
	add_domain(1, 256, 0);
	add_domain(1, 256, 0);
	online(&vcpus[0][0]);
	online(&vcpus[1][0]);
	simulate(5000);
	online(&vcpus[2][0]);
	online(&vcpus[3][0]);
	simulate(3000);
	assert_true(longest_wait <= 300 * MS);
	memset(ran, 0, sizeof(ran));
	simulate(3000);
	for (int i = 0; i < 4; i++)
		assert_about(ran[i][0], (i == 1 ? 3000 : 1000) * MS, 3);
}

/* A CPU on which less has to be shared does not set the time by which those of another CPU wake or arrive. */
static void cpus_apart_have_their_own_time(void **state)
{
	start_machine(2);
	for (int i = 0; i < 5; i++) {
		add_domain(1, 256, 0);
		vcpu_set_affinity(&vcpus[i][0], i ? 2 : 1);
	}
	for (int i = 0; i < 4; i++)
		online(&vcpus[i][0]);
	for (int i = 0; i < 500; i++) {
		simulate(9);
		vcpu_block(&vcpus[0][0]);
		simulate(1);
		host_current = &idle[0];
		wake(&vcpus[0][0]);
	}
	host_current = cpu[0].running;
	online(&vcpus[4][0]);
	simulate(1000);
	assert_true(longest_wait <= 100 * MS);
	assert_about(ran[4][0], 250 * MS, 10);
	host_current = cpu[0].running;
	vcpu_set_affinity(&vcpus[0][0], 2);
	simulate(1000);
	assert_true(longest_wait <= 300 * MS);
}

/* Who ran as one of two pays as one of two, though the other is asleep by the time that it pays. */
static void sleeping_together_earns_nothing(void **state)
{
	start_machine(2);
	add_domain(2, 256, 0);
	start_all();
	simulate(1);
	for (int i = 0; i < 2; i++) {
		vcpus[0][i].vtime = 0;
		vcpus[0][i].charged_at = now;
	}
	simulate(8);
	for (int i = 0; i < 2; i++)
		vcpu_block(&vcpus[0][i]);
	simulate(1);
	for (int i = 0; i < 2; i++)
		assert_about(vcpus[0][i].vtime, 2 * 8 * MS, 2);
}

/* Two domains on the first of two CPUs, a third on the other. */
static void start_two_and_one(void)
{
	start_machine(2);
	for (int i = 0; i < 3; i++) {
		add_domain(1, 256, 0);
		vcpu_set_affinity(&vcpus[i][0], i < 2 ? 1 : 2);
	}
}

/* One that is woken while its CPU goes on anyway is left to wait until the turn ends, by whichever CPU: nobody is asked. */
static void a_wake_that_changes_nothing_asks_nobody(void **state)
{
	for (int from = 0; from < 2; from++) {
		start_two_and_one();
		start_all();
		simulate(15);		/* the slice's timer is armed since then */
		assert_true(is_running(&vcpus[1][0]));
		vcpu_offline(&vcpus[0][0]);
		simulate(1);
		host_current = cpu[from].running;
		vcpus[0][0].vtime = 6 * MS;	/* as much as the other one has run */
		online(&vcpus[0][0]);
		assert_true(vcpus[0][0].queued);
		assert_false(asked(&cpu[0]) || kicked[0]);
		check();
		simulate(11);
		assert_true(is_running(&vcpus[0][0]));
	}
}

/* Whose timer is not set yet sets it itself, and is asked by another CPU, which cannot. */
static void a_wake_sets_the_timer_of_its_own_cpu(void **state)
{
	for (int from = 0; from < 2; from++) {
		start_two_and_one();
		online(&vcpus[1][0]);
		online(&vcpus[2][0]);
		simulate(3);
		assert_int_equal(cpu[0].slice.deadline, 0);
		host_current = cpu[from].running;
		vcpus[0][0].vtime = 3 * MS;	/* as much as the other one has run */
		online(&vcpus[0][0]);
		assert_true(vcpus[0][0].queued);
		assert_int_equal(asked(&cpu[0]), from == 1);
		assert_int_equal(kicked[0], from == 1);
		assert_int_equal(cpu[0].slice.deadline, from == 0 ? cpu[0].slice_end : 0);
		check();
		simulate(11);
		assert_true(is_running(&vcpus[0][0]));
	}
}

/* The same for one that is far behind: it waits no longer than a turn lasts at least. */
static void far_behind_waits_for_the_least_turn(void **state)
{
	struct vcpu *first = &vcpus[0][0], *second = &vcpus[1][0];

	start_machine(1);
	add_domain(1, 256, 0);
	add_domain(1, 256, 0);
	start_all();
	simulate(15);
	for (int i = 0; i < 100; i++) {
		struct vcpu *woken = is_running(first) ? second : first;

		vcpu_offline(woken);
		simulate(3);
		woken->vtime = 0;
		cpu[0].since = now;
		host_current = cpu[0].running;
		online(woken);
		assert_true(is_running(woken == first ? second : first));
		now += RATE_LIMIT_NS;
		exit_to_guest(0);
		assert_true(is_running(woken));
	}
}

/* --- where ------------------------------------------------------------------------------------------------------------ */

static void affinity(void **state)
{
	start_machine(2);
	add_domain(2, 256, 0);
	add_domain(1, 256, 0);
	start_all();
	assert_int_equal(vcpu_set_affinity(&vcpus[0][0], 4), -EINVAL);
	for (int i = 0; i < 200; i++) {
		u64 mask = 1 + i % 3;

		assert_int_equal(vcpu_set_affinity(&vcpus[0][i & 1], mask), 0);
		assert_int_equal(vcpu_get_affinity(&vcpus[0][i & 1]), mask);
		simulate(1);
		for (int j = 0; j < 2; j++)
			assert_true(!is_running(&vcpus[0][j]) || is_allowed(&vcpus[0][j], vcpus[0][j].cpu));
		simulate(7);
	}
	for (int j = 0; j < 2; j++)
		vcpu_set_affinity(&vcpus[0][j], 1);
	memset(ran, 0, sizeof(ran));
	simulate(1000);
	assert_about(domain_ran(0), 1000 * MS, 3);
	assert_about(domain_ran(1), 1000 * MS, 3);
}

static void pinned_for_a_while(void **state)
{
	struct vcpu *v = &vcpus[0][0];

	start_machine(2);
	add_domain(1, 256, 0);
	start_all();
	assert_int_equal(vcpu_pin_override(v, -1), -EINVAL);
	assert_int_equal(vcpu_pin_override(v, 2), -EINVAL);
	for (int n = 0; n < 2; n++) {
		assert_int_equal(vcpu_pin_override(v, n), 0);
		assert_int_equal(vcpu_pin_override(v, n), -EBUSY);
		assert_int_equal(vcpu_set_affinity(v, 1), -EBUSY);
		simulate(1);
		assert_ptr_equal(v->cpu, &cpu[n]);
		assert_true(is_running(v));
		assert_int_equal(vcpu_pin_override(v, -1), 0);
	}
}

/* --- stopping ----------------------------------------------------------------------------------------------------------- */

static void blocked_stays_loaded_until_paused(void **state)
{
	struct vcpu *v = &vcpus[0][0];

	start_machine(2);
	add_domain(1, 256, 0);
	start_all();
	simulate(1);
	assert_true(is_running(v));
	vcpu_block(v);
	simulate(1);
	assert_false(is_running(v) || v->queued);
	assert_non_null(v->loaded_on);
	host_current = v->loaded_on->idle == &idle[0] ? &idle[1] : &idle[0];
	spin_lock(&sched_lock);
	domain[0].pause_count++;
	sched_stop(v);
	spin_unlock(&sched_lock);
	simulate(1);
	assert_null(v->loaded_on);
	wake(v);
	simulate(1);
	assert_true(is_out(v));
	domain_unpause(&domain[0]);
	simulate(1);
	assert_true(is_running(v));
}

/* An event of its own, after it had said that it would block. */
static void does_not_sleep_through_an_upcall(void **state)
{
	start_machine(1);
	add_domain(1, 256, 0);
	start_all();
	simulate(1);
	for (int mask = 0; mask < 2; mask++) {
		host_current = &vcpus[0][0];
		info[0][0].evtchn_upcall_pending = 1;
		info[0][0].evtchn_upcall_mask = mask;
		vcpu_block(host_current);
		assert_false(batch_point());
		assert_int_equal(is_running(&vcpus[0][0]), !mask);
	}
	info[0][0].evtchn_upcall_pending = 0;
}

/* At a point in the middle of work it is preempted but not stopped; in a batch it is, unless the domain is dying. */
static void stops_where_it_holds_nothing(void **state)
{
	struct vcpu *v = &vcpus[0][0];

	start_machine(1);
	add_domain(1, 256, 0);
	start_all();
	simulate(1);
	host_current = v;
	vcpu_offline(v);
	preempt_point();
	assert_ptr_equal(host_current, v);
	assert_true(v->work & WORK_SCHEDULE);
	assert_false(batch_point());
	assert_ptr_equal(host_current, &idle[0]);
	assert_false(is_running(v) || v->queued);
	simulate(1);
	assert_false(is_running(v));
	domain[0].dying = true;
	v->work = 0;
	spin_lock(&sched_lock);
	sched_join(v);
	spin_unlock(&sched_lock);
	simulate(1);
	assert_true(is_running(v));
	assert_true(abandoned(v));
	v->work |= WORK_SCHEDULE;
	simulate(1);
	assert_true(is_out(v));
	wake(v);
	online(v);
	simulate(1);
	assert_true(is_out(v));
}

static void down_and_up_at_any_time(void **state)
{
	start_machine(1);
	add_domain(3, 256, 0);
	start_all();
	simulate(1);
	for (int i = 0; i < 3; i++) {
		vcpu_offline(&vcpus[0][i]);
		check();
		online(&vcpus[0][i]);
		online(&vcpus[0][i]);
		check();
		vcpu_offline(&vcpus[0][i]);
	}
	simulate(1);
	assert_ptr_equal(cpu[0].running, &idle[0]);
}

/* --- anything ------------------------------------------------------------------------------------------------------------- */

static u64 random_state;

static u32 rnd(u32 n)
{
	random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
	return (random_state >> 33) % n;
}

/* What a running vCPU may do of its own accord. */
static void act(struct vcpu *v)
{
	host_current = v;
	switch (rnd(6)) {
	case 0: vcpu_block(v); break;
	case 1: vcpu_yield(v); break;
	case 2: preempt_point(); break;
	case 3: batch_point(); break;
	default: break;
	}
}

static void disturb(struct domain *d, struct vcpu *v)
{
	switch (rnd(12)) {
	case 0: vcpu_offline(v); break;
	case 1: online(v); break;
	case 2: vcpu_set_affinity(v, 1 + rnd((1 << cpu_count) - 1)); break;
	case 3: vcpu_pin_override(v, (int)rnd(cpu_count + 1) - 1); break;
	case 4: sched_set(d, 1 + rnd(1000), rnd(3) ? 0 : 1 + rnd(150)); break;
	case 5:
		if (d->pause_count)
			domain_unpause(d);
		break;
	case 6:
		spin_lock(&sched_lock);
		d->pause_count++;
		stop_each(d);
		spin_unlock(&sched_lock);
		break;
	case 7:
		d->is_shut_down = !rnd(4);
		domain_stop_vcpus(d);
		break;
	default:
		wake(v);
	}
}

static void anything(void **state)
{
	for (int round = 0; round < 60; round++) {
		random_state = round;
		start_machine(1 + rnd(4));
		for (int i = 0; i < MAX_SIM_DOMAINS; i++)
			add_domain(1 + rnd(MAX_SIM_VCPUS), 1 + rnd(600), 0);
		start_all();
		for (int step = 0; step < 2000; step++) {
			int c = rnd(cpu_count), i = rnd(domain_count);

			now += rnd(1000000);
			host_current = cpu[c].running;
			if (rnd(2) && host_current != cpu[c].idle)
				act(host_current);
			if (!rnd(3)) {
				host_current = cpu[c].running;
				disturb(&domain[i], domain[i].vcpu[rnd(domain[i].vcpu_count)]);
			}
			check();
			exit_to_guest(c);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares_on_one_cpu), cmocka_unit_test(shares_on_two_cpus), cmocka_unit_test(shares_on_four_cpus),
		cmocka_unit_test(number_of_vcpus_does_not_count), cmocka_unit_test(share_beyond_a_cpu), cmocka_unit_test(caps),
		cmocka_unit_test(cap_lifted), cmocka_unit_test(a_quota_is_no_slice), cmocka_unit_test(sleep_earns_no_credit), cmocka_unit_test(running_alone_costs_nothing),
		cmocka_unit_test(a_lead_is_not_paid_for_long),
		cmocka_unit_test(cpus_apart_have_their_own_time), cmocka_unit_test(sleeping_together_earns_nothing),
		cmocka_unit_test(a_wake_that_changes_nothing_asks_nobody), cmocka_unit_test(a_wake_sets_the_timer_of_its_own_cpu),
		cmocka_unit_test(far_behind_waits_for_the_least_turn),
		cmocka_unit_test(affinity), cmocka_unit_test(pinned_for_a_while), cmocka_unit_test(blocked_stays_loaded_until_paused),
		cmocka_unit_test(does_not_sleep_through_an_upcall),
		cmocka_unit_test(stops_where_it_holds_nothing), cmocka_unit_test(down_and_up_at_any_time), cmocka_unit_test(anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
