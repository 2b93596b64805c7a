/* SPDX-License-Identifier: MIT */
/*
 * pvkernel/sched.c on a pretended processor: its threads really switch stacks here, interrupts come at random wherever they are enabled
 * and end each halt. They run timers and a device, which makes tokens that threads wait for. What must hold: a halt is only for when
 * nobody is ready and nobody waits for a token that is there; everybody comes to an end; each nanosecond is one thread's; what
 * ended is freed, and not before it has left its stack (AddressSanitizer).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* In place of the kernel's insn.h, lib.h, mm.h, time.h and traps.h. Stacks are larger here. */
#define PVK_INSN_H
#define PVK_LIB_H
#define PVK_MM_H
#define PVK_TIME_H
#define PVK_TRAPS_H
#define PAGE_SIZE 16384ul
#define NSEC_PER_MSEC 1000000ul
#include "list.h"
#include "ops.h"

#define die(...) do { fprintf(stderr, __VA_ARGS__); abort(); } while (0)
#define panic(why) die("%s\n", why)

struct timer {
	struct list node;
	u64 when;
	void (*fn)(void *arg);
	void *arg;
	bool armed;
};

static struct list timers = LIST_INIT(timers);
static u64 clock_ns = 1;
static void *fs_base;
static int allocations;
static u64 freed_ran;		/* of threads that are no more */

static void *fs_first_word(void) { return *(void **)fs_base; }
static u64 now(void) { return clock_ns; }

static void timer_cancel(struct timer *t)
{
	if (t->armed)
		list_remove(&t->node);
	t->armed = false;
}

static void timer_add(struct timer *t, u64 when)
{
	timer_cancel(t);
	t->when = when;
	t->armed = true;
	list_insert_before(&timers, &t->node);
}

static void *vmalloc(u64 size)
{
	allocations++;
	return aligned_alloc(4096, size);
}

static void vfree(void *p)
{
	allocations--;
	free(p);
}

static void *kmalloc(size_t size)
{
	allocations++;
	return calloc(1, size);
}

static void kfree(void *p);

#include "../../pvkernel/sched.c"

char boot_stack_end[1];

/* All that is made are threads. */
static void kfree(void *p)
{
	freed_ran += ((struct thread *)p)->ran;
	allocations--;
	free(p);
}

/* As entry.S has them, but for the alignment that the host's compiler counts on. */
__asm__(
	".text\n"
	"switch_stack:\n"
	"	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	"	mov %rsp, (%rdi)\n"
	"	mov %rsi, %rsp\n"
	"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"	ret\n"
	".globl thread_start\n"
	"thread_start:\n"
	"	xor %ebp, %ebp\n"
	"	sub $8, %rsp\n"
	"	mov %rbx, %rdi\n"
	"	mov %r12, %rsi\n"
	"	call thread_main\n"
	"	ud2\n");

/* AddressSanitizer would look for the bounds of a stack that it does not know. */
void __asan_handle_no_return(void);
void __asan_handle_no_return(void) { }

/* --- the processor ------------------------------------------------------------------------------------------------ */

static bool enabled = true, devices_on = true;
static u32 halts, interrupts, tokens, made, wanted, consumed;
static struct wait_queue for_tokens = WAIT_QUEUE_INIT(for_tokens);

static struct timer *first_timer(void)
{
	struct timer *first = NULL;

	list_for_each(node, &timers) {
		struct timer *t = list_entry(node, struct timer, node);

		if (!first || t->when < first->when)
			first = t;
	}
	return first;
}

static void run_timers(void)
{
	for (struct timer *t = first_timer(); t && t->when <= clock_ns; t = first_timer()) {
		timer_cancel(t);
		t->fn(t->arg);
	}
}

static void make_tokens(u32 n)
{
	tokens += n;
	made += n;
	wake_up(&for_tokens);
}

/* What the kernel does when an interrupt comes; the thread may go on much later, and interrupts are enabled again then. */
static void interrupt(bool by_device)
{
	interrupts++;
	enabled = false;
	run_timers();
	if (by_device && wanted > made)
		make_tokens(1 + (u32)random() % (wanted - made));
	if (enabled)
		die("a handler enabled interrupts\n");
	sched_preempt();
	enabled = true;
}

static void maybe_interrupt(void)
{
	if (devices_on && random() % 4 == 0) {
		clock_ns += random() % 50000;
		interrupt(random() % 2);
	}
}

static void irq_enable(void)
{
	enabled = true;
	maybe_interrupt();
}

static void irq_disable(void) { enabled = false; }
static bool irq_enabled(void) { return enabled; }

/* Something ends it: a timer, the device, or nothing at all. */
static void halt(void)
{
	struct timer *t = first_timer();

	halts++;
	if (enabled || !list_empty(&run_queue) || (tokens && !list_empty(&for_tokens.waiters)))
		die("a halt that may last for ever\n");
	if (!t && wanted == made)
		die("everybody waits, and nothing comes\n");
	if (devices_on && random() % 8 == 0)
		interrupt(false);
	else if (wanted > made && (!t || random() % 2))
		interrupt(true);
	else if (t) {
		clock_ns = clock_ns < t->when ? t->when : clock_ns;
		interrupt(false);
	}
	enabled = true;
	if (random() % 2)
		maybe_interrupt();
}

static void set_fs_base(u64 base) { fs_base = (void *)base; }
static void switch_context(const struct cpu_context *next) { fs_base = (void *)next->fs_base; }

static const struct cpu_ops ops = {
	.irq_enable = irq_enable, .irq_disable = irq_disable, .irq_enabled = irq_enabled, .halt = halt, .set_fs_base = set_fs_base,
	.switch_context = switch_context,
};
const struct cpu_ops *cpu = &ops;
u8 *irq_flags;

/* --- what threads do ------------------------------------------------------------------------------------------------ */

static void compute(u64 ns)
{
	for (u64 end = clock_ns + ns; clock_ns < end; clock_ns += 50000) {
		if (devices_on)
			maybe_interrupt();
		else if (first_timer() && first_timer()->when <= clock_ns)
			interrupt(false);
	}
}

static void take_token(void)
{
	bool irq = irq_save();

	wanted++;
	while (!tokens)
		wait_on(&for_tokens);
	tokens--;
	consumed++;
	irq_restore(irq);
}

static void act(u32 depth);

static void child(void *depth)
{
	for (int i = random() % 4; i >= 0; i--)
		act((u64)depth);
}

static void have_child(u32 depth)
{
	struct thread *t = thread_create("child", child, (void *)(u64)(depth + 1));

	compute(random() % 200000);
	if (random() % 2)
		thread_join(t);
	else
		thread_detach(t);
}

static void act(u32 depth)
{
	switch (random() % 6) {
	case 0: case 1:
		take_token();
		break;
	case 2:
		thread_yield();
		break;
	case 3:
		thread_sleep(random() % (3 * NSEC_PER_MSEC));
		break;
	case 4:
		compute(random() % (2 * NSEC_PER_MSEC));
		break;
	case 5:
		if (depth < 3)
			have_child(depth);
		break;
	}
}

static void worker(void *steps)
{
	for (u64 n = (u64)steps; n; n--)
		act(0);
}

/* --- cases ------------------------------------------------------------------------------------------------------------ */

static int set_up(void **state)
{
	static bool done;

	if (!done)
		sched_init();
	done = true;
	devices_on = true;
	return 0;
}

static void nobody_is_forgotten(void **state)
{
	enum { WORKERS = 3, STEPS = 8000 };
	struct thread *t[WORKERS];
	int before = allocations;

	for (int i = 0; i < WORKERS; i++)
		t[i] = thread_create("worker", worker, (void *)(u64)STEPS);
	for (int i = 0; i < WORKERS; i++)
		thread_join(t[i]);
	while (first_thread.all_node.next != &idle->all_node || idle->all_node.next != &all_threads)
		thread_sleep(NSEC_PER_MSEC);
	thread_sleep(NSEC_PER_MSEC);
	assert_int_equal(consumed, wanted);
	assert_int_equal(made, wanted);
	assert_int_equal(allocations, before);
	assert_in_range(consumed, 1000, ~0u);
	assert_in_range(halts, 1000, ~0u);
	assert_in_range(interrupts, 1000, ~0u);
	assert_true(enabled);
	assert_int_equal(first_thread.ran + (clock_ns - first_thread.since) + idle->ran + freed_ran, clock_ns - 1);
}

/* One that waits alone goes on where it is, without a switch to anybody. */
static void alone(void **state)
{
	u64 before = first_thread.switches, idle_before = idle->ran;

	for (int i = 0; i < 100; i++)
		thread_sleep(2 * NSEC_PER_MSEC);
	assert_int_equal(first_thread.switches, before);
	assert_in_range(idle->ran - idle_before, 100 * NSEC_PER_MSEC, ~0ul);
}

static u64 turns[2], finished[2];

static void long_work(void *which)
{
	if (which)
		thread_sleep(5 * NSEC_PER_MSEC);
	compute(400 * NSEC_PER_MSEC);
	turns[(u64)which] = current()->switches;
	finished[(u64)which] = clock_ns;
}

/* The second is woken while the first computes, and never waits for anything; they share the processor, by slices. */
static void slices(void **state)
{
	struct thread *t[2];

	devices_on = false;
	for (u64 i = 0; i < 2; i++)
		t[i] = thread_create("long", long_work, (void *)i);
	for (int i = 0; i < 2; i++)
		thread_join(t[i]);
	for (int i = 0; i < 2; i++)
		assert_in_range(turns[i], 18, 45);
	assert_in_range(finished[1] - finished[0], 0, 30 * NSEC_PER_MSEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nobody_is_forgotten, set_up),
		cmocka_unit_test_setup(alone, set_up),
		cmocka_unit_test_setup(slices, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
