/* SPDX-License-Identifier: MIT */
/*
 * The run queue: whatever vCPUs do to each other, each is in it at most once and none that may run is left out. Stacks are not
 * switched here; the test follows the switches by `running`.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define PARAVANE_ASM_H
#define PARAVANE_UACCESS_H
#define EXTABLE(from, to)
#define MSR_FS_BASE 0
#define MSR_GS_BASE 0
#define MSR_KERNEL_GS_BASE 0

#include <domain.h>
#include <entry.h>

static struct vcpu *running;
#undef current
#define current running

static inline u64 rdmsr(u32 n) { return 0; }
static inline void wrmsr(u32 n, u64 x) { }
static inline void write_cr3(u64 x) { }
static inline void take_interrupts(void) { }
static inline void halt_for_interrupt(void) { }
static inline bool guest_address_ok(u64 address) { return true; }
static inline bool address_canonical(u64 address) { return true; }
static inline void user_access_begin(void) { }
static inline void user_access_end(void) { }
#define raw_get_u64(x, address, label) do { (x) = 0; if (!(address)) goto label; } while (0)

#include "../../hypervisor/domain/sched.c"

#define VCPUS 3
static struct cpu cpu;
static struct domain domain;
static struct vcpu idle, vcpus[VCPUS];

void switch_stacks(u64 *save_rsp_here, u64 new_rsp) { running = cpu.running; }
void spin_wait(struct spinlock *l) { fail(); }
void send_kick(struct cpu *c) { }
void timer_set(struct timer *t, u64 deadline) { }
u64 now_ns(void) { return 0; }
void runstate_change(struct vcpu *v, int state) { v->runstate = state; }
void flush_tlb_local(void) { }
void load_gdt(u64 page14) { }
void load_ldt(struct cpu *c, u64 base, unsigned entries) { }
void control_switch(struct vcpu *prev, struct vcpu *next) { }
void fpu_switch(struct vcpu *prev, struct vcpu *next) { }
void debugreg_switch(struct vcpu *prev, struct vcpu *next) { }
void entry_hypercall(void) { }
void (*hypercall_entry)(void) = entry_hypercall;
void entry_user_syscall(void) { }

static int times_queued(const struct vcpu *v)
{
	int times = 0, length = 0;

	for (const struct vcpu *q = cpu.run_queue; q; q = q->run_next) {
		assert_true(++length <= VCPUS);
		times += q == v;
	}
	return times;
}

static void check_invariant(void)
{
	assert_ptr_equal(running, cpu.running);
	for (int i = 0; i < VCPUS; i++) {
		struct vcpu *v = &vcpus[i];

		assert_int_equal(times_queued(v), v->queued);
		assert_true(times_queued(v) + (v == running) <= 1);
		assert_true(!runnable(v) || v == running || v->queued);
	}
}

static int reset(void **state)
{
	memset(vcpus, 0, sizeof(vcpus));
	memset(&domain, 0, sizeof(domain));
	memset(&cpu, 0, sizeof(cpu));
	idle.cpu = &cpu;
	running = cpu.running = cpu.idle = &idle;
	for (int i = 0; i < VCPUS; i++) {
		vcpus[i].cpu = &cpu;
		vcpus[i].domain = &domain;
		vcpus[i].slot = i;
		vcpus[i].kernel_mode = true;
	}
	return 0;
}

/* Every register of the CPU is vcpu's already, so that none is loaded. */
static void run_next(void)
{
	cpu.loaded = cpu.run_queue;
	schedule();
	check_invariant();
}

static void start_two(void)
{
	vcpu_online(&vcpus[0]);
	vcpu_online(&vcpus[1]);
	run_next();
	assert_ptr_equal(running, &vcpus[0]);
}

static void down_and_up_while_queued(void **state)
{
	start_two();
	vcpu_offline(&vcpus[1]);
	vcpu_online(&vcpus[1]);
	check_invariant();
	vcpu_online(&vcpus[2]);
	check_invariant();
}

static void down_and_up_while_running(void **state)
{
	start_two();
	vcpu_offline(running);
	vcpu_online(running);
	check_invariant();
	run_next();
	assert_ptr_equal(running, &vcpus[1]);
}

static void wake_while_queued(void **state)
{
	start_two();
	vcpus[1].blocked = true;
	vcpu_wake(&vcpus[1]);
	vcpu_wake(&vcpus[1]);
	vcpu_wake(running);
	check_invariant();
}

static void blocked_and_woken(void **state)
{
	start_two();
	vcpu_block(running);
	run_next();
	assert_ptr_equal(running, &vcpus[1]);
	assert_int_equal(times_queued(&vcpus[0]), 0);
	vcpu_wake(&vcpus[0]);
	check_invariant();
	assert_int_equal(times_queued(&vcpus[0]), 1);
}

static void offline_leaves(void **state)
{
	start_two();
	vcpu_offline(&vcpus[1]);
	vcpu_offline(running);
	run_next();
	assert_ptr_equal(running, &vcpus[1]);
	run_next();
	assert_ptr_equal(running, &idle);
}

/* Who validates page tables lets go of the mutex first, and is stopped then. */
static void offline_with_page_mutex(void **state)
{
	start_two();
	domain.page_mutex_holder = running->slot + 1;
	vcpu_offline(running);
	cpu.loaded = cpu.run_queue;
	preempt_point();
	assert_ptr_equal(running, &vcpus[1]);
	assert_int_equal(times_queued(&vcpus[0]), 1);
	assert_true(vcpus[0].work & WORK_SCHEDULE);
	domain.page_mutex_holder = 0;
	run_next();
	run_next();
	run_next();
	assert_ptr_equal(running, &vcpus[1]);
	assert_int_equal(times_queued(&vcpus[0]), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(down_and_up_while_queued, reset),
		cmocka_unit_test_setup(down_and_up_while_running, reset),
		cmocka_unit_test_setup(wake_while_queued, reset),
		cmocka_unit_test_setup(blocked_and_woken, reset),
		cmocka_unit_test_setup(offline_leaves, reset),
		cmocka_unit_test_setup(offline_with_page_mutex, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
