/* SPDX-License-Identifier: MIT */
/*
 * Physical interrupts with the event channels that they are bound to: domain 0 maps, binds, moves, closes and unmaps at random, right and
 * wrong, while sources that are not masked interrupt. After each step the invariants of ipc/pirq.c hold, of the machine's side too: a
 * source is unmasked if and only if it is mapped, bound, not waiting for eoi and not held for its rate, and signals to the CPU of the vCPU that its port notifies.
 */
#include "evtchn_host.h"

#define STEPS 60000
#define FUNCTIONS 3
#define ENTRIES 3
#define PORTS 64

static struct cpu host_cpu[VCPUS];
static u64 page[NR_PIRQS / 64];
static u64 random_state = 88172645463325252ull;
static unsigned succeeded[16];
static u32 events;

static u32 rnd(u32 n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 11) % n;
}

static struct host_source *source(const struct pirq *p)
{
	return p->kind == PIRQ_LINE ? &host_line[p - pirqs] : &host_message[p - pirqs];
}

/* --- what must be true after each step ---------------------------------------------------------------------------------- */

static void check_pirq(u32 n)
{
	const struct pirq *p = &pirqs[n];
	const struct evtchn *e = p->port ? evtchn_at(host_domain[0].evtchn, p->port) : NULL;
	bool level = p->kind == PIRQ_LINE && p->level;

	if (e) {
		assert_int_equal(e->state, EVTCHNSTAT_pirq);
		assert_int_equal(e->pirq, n);
	}
	assert_true(!p->waits || level);
	assert_int_equal(page[n / 64] >> n % 64 & 1, e && level);
	if (p->kind == PIRQ_LOST)
		assert_non_null(e);
	if (!is_mapped(p)) {
		assert_int_equal(p->vector, 0);
		return;
	}
	assert_int_not_equal(p->vector, 0);
	assert_int_equal(by_vector[p->vector], n);
	assert_int_equal(!source(p)->masked && source(p)->vector, e && !p->waits && !p->held);
	if (e) {
		assert_int_equal(source(p)->vector, p->vector);
		assert_int_equal(source(p)->apic_id, host_cpu[e->vcpu].apic_id);
	}
}

static void check(void)
{
	int vectors = 0, mapped = 0, messages = 0, bound = 0, ports = 0;

	for (u32 n = 0; n < NR_PIRQS; n++) {
		check_pirq(n);
		mapped += is_mapped(&pirqs[n]);
		messages += pirqs[n].kind == PIRQ_MESSAGE;
		bound += pirqs[n].port != 0;
	}
	for (int v = 0; v < 256; v++)
		vectors += by_vector[v] != 0;
	for (u32 port = 0; port < PORTS; port++)
		ports += evtchn_at(host_domain[0].evtchn, port)->state == EVTCHNSTAT_pirq;
	assert_int_equal(vectors, mapped);
	assert_int_equal(messages, messages_claimed);
	assert_int_equal(bound, ports);
	assert_int_equal(locks_held, 0);
}

/* --- steps ------------------------------------------------------------------------------------------------------------- */

static long bind(u32 n)
{
	struct evtchn_bind_pirq op = { .pirq = n };

	return hypercall(&host_vcpu[0][0], EVTCHNOP_bind_pirq, &op, sizeof(op));
}

static long close_it(u32 port)
{
	struct evtchn_close op = { .port = port };

	return hypercall(&host_vcpu[0][0], EVTCHNOP_close, &op, sizeof(op));
}

static long move(u32 port, u32 vcpu)
{
	struct evtchn_bind_vcpu op = { .port = port, .vcpu = vcpu };

	return hypercall(&host_vcpu[0][0], EVTCHNOP_bind_vcpu, &op, sizeof(op));
}

/* A source that is not masked signals: it is acknowledged, and its port is pending. */
static long interrupt(u32 n)
{
	struct pirq *p = &pirqs[n];
	int before = acknowledged;

	if (!is_mapped(p) || source(p)->masked)
		return -1;
	host_now += 10000;
	events++;
	pirq_interrupt(source(p)->vector);
	assert_int_equal(acknowledged, before + 1);
	assert_true(host_shared[0].evtchn_pending[p->port / 64] >> p->port % 64 & 1);
	assert_int_equal(p->waits, p->kind == PIRQ_LINE && p->level);
	host_shared[0].evtchn_pending[p->port / 64] = 0;
	return 0;
}

/* One that was on its way: of any vector, bound or not. */
static long late(int vector)
{
	u32 n = by_vector[vector];
	bool bound = n && pirqs[n].port;

	memset(host_shared[0].evtchn_pending, 0, sizeof(host_shared[0].evtchn_pending));
	pirq_interrupt(vector);
	for (u32 i = 0; i < 64; i++)
		assert_int_equal(host_shared[0].evtchn_pending[i], bound && pirqs[n].port / 64 == i ? 1ull << pirqs[n].port % 64 : 0);
	return 0;
}

/* A number that is in use more often than not. */
static u32 some_pirq(void)
{
	return rnd(8) ? (rnd(2) ? rnd(26) : NR_PIRQS - 1 - rnd(8)) : rnd(NR_PIRQS + 20);
}

static long step(u32 what)
{
	u32 n = some_pirq();

	switch (what) {
	case 0: return pirq_map_line(rnd(28) - 2, rnd(3) ? -1 : (s32)some_pirq()) < 0;
	case 1: return pirq_map_message(rnd(8) ? rnd(FUNCTIONS) : NO_FUNCTION, rnd(4), rnd(ENTRIES), rnd(4) ? -1 : (s32)some_pirq()) < 0;
	case 2: return pirq_unmap(n);
	case 3: return bind(n);
	case 4: return close_it(rnd(PORTS));
	case 5: return move(rnd(PORTS), rnd(VCPUS + 1));
	case 6: return pirq_eoi(n);
	case 7: return n < NR_PIRQS ? interrupt(n) : 1;
	case 8: return late(VECTOR_DEVICE_FIRST + rnd(VECTOR_DEVICE_LAST - VECTOR_DEVICE_FIRST + 1));
	case 9: return pirq_setup_line(rnd(30), rnd(2), rnd(2));
	case 10: return rnd(20) ? 1 : pirq_reserve(rnd(2)) < 0;
	case 11: pirq_unmap_function(rnd(FUNCTIONS)); return 0;
	case 12:
		pirq_restore_function(rnd(FUNCTIONS));
		return 0;
	}
	return 1;
}

static void random_steps(void **state)
{
	for (int i = 0; i < STEPS; i++) {
		u32 what = rnd(13);

		if (what == 11 && rnd(10))
			continue;
		succeeded[what] += step(what) == 0;
		check();
	}
	for (u32 what = 0; what < 13; what++)
		assert_in_range(succeeded[what], 20, STEPS);
	assert_in_range(events, 100, STEPS);
}

/* --- single cases -------------------------------------------------------------------------------------------------------- */

static void numbers_run_out(void **state)
{
	int mapped = 0, n;

	for (u32 entry = 0; (n = pirq_map_message(1, true, entry, -1)) >= 0; entry++)
		mapped++;
	assert_int_equal(n, -ENOSPC);
	assert_int_equal(mapped, VECTOR_DEVICE_LAST - VECTOR_DEVICE_FIRST);	/* one is int 0x80's */
	check();
	assert_int_equal(pirq_map_line(5, 5), -ENOSPC);
	assert_int_equal(pirq_unmap(NR_PIRQS - 1), 0);
	assert_int_equal(pirq_map_line(5, 5), 5);
	check();
	pirq_unmap_function(1);
	assert_int_equal(messages_claimed, 0);
	check();
}

/* Without an event channel's end nothing of a pirq stays: a reset takes the ports, and leaves the mappings. */
static void reset_unbinds(void **state)
{
	struct evtchn_reset op = { .dom = DOMID_SELF };

	for (u32 gsi = 1; gsi < HOST_GSIS; gsi++) {
		assert_int_equal(pirq_map_line(gsi, gsi), gsi);
		assert_int_equal(bind(gsi), 0);
		assert_int_equal(bind(gsi), -EEXIST);
	}
	check();
	assert_int_equal(hypercall(&host_vcpu[0][0], EVTCHNOP_reset, &op, sizeof(op)), 0);
	check();
	for (u32 gsi = 1; gsi < HOST_GSIS; gsi++) {
		assert_int_equal(pirq_port(gsi), 0);
		assert_true(host_line[gsi].masked);
		assert_int_equal(pirq_unmap(gsi), 0);
	}
}

static void hypervisors_own_line(void **state)
{
	host_line[4].vector = VECTOR_CONSOLE;
	assert_int_equal(pirq_map_line(4, 4), 4);
	assert_int_equal(bind(4), -EBUSY);
	assert_int_equal(pirq_setup_line(4, true, true), -EEXIST);
	assert_int_equal(pirq_unmap(4), 0);
	assert_int_equal(host_line[4].vector, VECTOR_CONSOLE);
}

static void eoi_unmasks_port(void **state)
{
	static u64 own[NR_PIRQS / 64];

	pirq_set_eoi_page(own, true);
	assert_int_equal(pirq_map_line(20, 20), 20);
	assert_int_equal(bind(20), 0);
	assert_int_equal(own[0], 1ull << 20);
	host_shared[0].evtchn_mask[0] = 1ull << pirq_port(20);
	assert_int_equal(pirq_eoi(20), 0);
	assert_int_equal(host_shared[0].evtchn_mask[0], 0);
}

/* An edge that comes while its line is masked is lost. */
static void moving_loses_no_edge(void **state)
{
	u32 port;

	assert_int_equal(pirq_map_line(8, 8), 8);
	assert_int_equal(bind(8), 0);
	port = pirq_port(8);
	times_masked = 0;
	for (int i = 0; i < 10; i++) {
		assert_int_equal(move(port, i & 1), 0);
		assert_int_equal(host_line[8].apic_id, host_cpu[i & 1].apic_id);
		assert_false(host_line[8].masked);
	}
	assert_int_equal(times_masked, 0);
}

/* More lines than there are numbers, and none. */
static void machines_of_many_lines(void **state)
{
	int n, reserved = 0;

	host_gsis = NR_PIRQS + 100;
	assert_int_equal(pirq_reserve(false), -ENOSPC);
	assert_int_equal(pirq_map_message(1, true, 0, -1), -ENOSPC);
	while ((n = pirq_reserve(true)) >= 0) {
		assert_in_range(n, 16, NR_PIRQS - 1);
		reserved++;
	}
	assert_int_equal(n, -ENOSPC);
	assert_int_equal(reserved, NR_PIRQS - 16);
	memset(pirqs, 0, sizeof(pirqs));
	host_gsis = 0;
	assert_int_equal(pirq_map_message(1, true, 0, 0), -EINVAL);
	for (u32 entry = 0; (n = pirq_map_message(1, true, entry, -1)) >= 0; entry++)
		assert_int_not_equal(n, 0);
	check();
}

/* In eight bits there is no such CPU, or it is all of them. */
static void wide_apic_ids(void **state)
{
	first_cpu.apic_id = 2;
	host_cpu[0].apic_id = 0x1ff;
	host_cpu[1].apic_id = 0xff;
	assert_int_equal(pirq_map_line(8, 8), 8);
	assert_int_equal(bind(8), 0);
	assert_int_equal(host_line[8].apic_id, 2);
	assert_int_equal(move(pirq_port(8), 1), 0);
	assert_int_equal(host_line[8].apic_id, 2);
}

static void a_storm_of_strangers_is_told_briefly(void **state)
{
	warnings = 0;
	for (int i = 0; i < 5000; i++)
		pirq_interrupt(0x66);
	assert_in_range(warnings, 1, 16);
	assert_int_equal(acknowledged % 5000, 0);
}

/* A level-triggered line that is always raised interrupts once for each eoi, whatever domain 0 does. */
static void a_line_that_is_always_raised(void **state)
{
	u32 came = 0;

	assert_int_equal(pirq_map_line(17, 17), 17);
	assert_int_equal(bind(17), 0);
	for (int i = 0; i < 1000; i++) {
		while (!host_line[17].masked) {
			host_now += 10000;
			pirq_interrupt(host_line[17].vector);
			came++;
		}
		assert_int_equal(move(pirq_port(17), i & 1), 0);
		assert_int_equal(came, 1 + i / 10);
		if (i % 10 == 9)
			assert_int_equal(pirq_eoi(17), 0);
	}
}

static void fire(void)
{
	struct timer *t = timer_is_set;

	assert_non_null(t);
	timer_is_set = NULL;
	host_now = t->deadline;
	t->fire(t);
}

/* Interrupts of a source that always has another, until it is masked. */
static u32 storm_of(u32 n)
{
	u32 came = 0;

	while (!source(&pirqs[n])->masked) {
		pirq_interrupt(source(&pirqs[n])->vector);
		assert_in_range(++came, 0, 2 * STORM_LIMIT);
	}
	return came;
}

/* A message and a line by edges that never end leave the machine its time, whatever domain 0 does meanwhile; it hears of the last one. */
static void a_storm_is_held(void **state)
{
	const u32 edge = 8, message = NR_PIRQS - 1;
	u32 port;

	assert_int_equal(pirq_map_line(edge, edge), edge);
	assert_int_equal(pirq_map_message(1, true, 0, -1), message);
	bind(edge);
	bind(message);
	timer_is_set = NULL;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(storm_of(message), STORM_LIMIT + 1);
		assert_int_equal(storm_of(edge), STORM_LIMIT + 1);
		port = pirq_port(edge);
		assert_int_equal(move(port, 1), 0);
		assert_int_equal(move(pirq_port(message), 1), 0);
		pirq_eoi(message);
		pirq_eoi(edge);
		pirq_restore_function(1);
		close_it(pirq_port(message));
		bind(message);
		assert_true(host_line[edge].masked && source(&pirqs[message])->masked);
		check();
		memset(host_shared[0].evtchn_pending, 0, sizeof(host_shared[0].evtchn_pending));
		fire();
		assert_true(host_shared[0].evtchn_pending[port / 64] >> port % 64 & 1);
		assert_false(host_line[edge].masked || source(&pirqs[message])->masked);
		check();
	}
	storm_of(edge);
	assert_int_equal(pirq_unmap(edge), 0);
	check();
	fire();
	check();
}

/* As many, but slower. */
static void no_storm(void **state)
{
	assert_int_equal(pirq_map_message(1, true, 0, -1), NR_PIRQS - 1);
	bind(NR_PIRQS - 1);
	timer_is_set = NULL;
	for (int i = 0; i < 10 * STORM_LIMIT; i++)
		assert_int_equal(interrupt(NR_PIRQS - 1), 0);
	assert_null(timer_is_set);
}

static void a_function_goes(void **state)
{
	pirq_map_message(2, true, 0, -1);
	pirq_unmap_function(2);
	assert_int_equal(messages_claimed, 0);
	assert_int_equal(forgotten, 2);
}

static int setup(void **state)
{
	host_reset();
	memset(pirqs, 0, sizeof(pirqs));
	memset(by_vector, 0, sizeof(by_vector));
	memset(page, 0, sizeof(page));
	memset(host_line, 0, sizeof(host_line));
	memset(host_message, 0, sizeof(host_message));
	for (u32 gsi = 0; gsi < HOST_GSIS; gsi++)
		host_line[gsi].masked = true;
	for (int v = 0; v < VCPUS; v++) {
		host_cpu[v].apic_id = 3 + v;
		host_vcpu[0][v].cpu = &host_cpu[v];
	}
	messages_claimed = acknowledged = 0;
	storm.expected = false;
	host_gsis = HOST_GSIS;
	running = &host_vcpu[0][0];
	pirq_set_eoi_page(page, false);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(random_steps, setup, host_teardown),
		cmocka_unit_test_setup_teardown(numbers_run_out, setup, host_teardown),
		cmocka_unit_test_setup_teardown(reset_unbinds, setup, host_teardown),
		cmocka_unit_test_setup_teardown(hypervisors_own_line, setup, host_teardown),
		cmocka_unit_test_setup_teardown(eoi_unmasks_port, setup, host_teardown),
		cmocka_unit_test_setup_teardown(moving_loses_no_edge, setup, host_teardown),
		cmocka_unit_test_setup_teardown(machines_of_many_lines, setup, host_teardown),
		cmocka_unit_test_setup_teardown(wide_apic_ids, setup, host_teardown),
		cmocka_unit_test_setup_teardown(a_storm_of_strangers_is_told_briefly, setup, host_teardown),
		cmocka_unit_test_setup_teardown(a_line_that_is_always_raised, setup, host_teardown),
		cmocka_unit_test_setup_teardown(a_storm_is_held, setup, host_teardown),
		cmocka_unit_test_setup_teardown(no_storm, setup, host_teardown),
		cmocka_unit_test_setup_teardown(a_function_goes, setup, host_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
