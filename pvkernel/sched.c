/* SPDX-License-Identifier: MIT */
/*
 * Threads. All but the running one are in run_queue (READY), in a wait queue (WAITING), or done. When run_queue is empty the one that
 * ran last is idle in its own place, WAITING or already READY again; the idle thread, in no queue, does that for one that is
 * done. Everything here is guarded by disabled interrupts, which on one CPU is a lock; a thread that is switched to finds
 * them disabled and gets its own state back by irq_restore or by the return from the interrupt that preempted it.
 *
 * FS points to the running thread's structure, whose first word is its own address.
 */
#include "insn.h"
#include "lib.h"
#include "mm.h"
#include "sched.h"
#include "time.h"
#include "traps.h"

#define STACK_SIZE (4 * PAGE_SIZE)
#define SLICE (10 * NSEC_PER_MSEC)

enum thread_state { READY, RUNNING, WAITING, DONE };

struct thread {
	struct thread *self;
	u64 sp;
	struct cpu_context context;
	struct list node;		/* in run_queue or a wait queue */
	struct list all_node;
	enum thread_state state;
	bool detached;
	struct wait_queue ended;
	void *stack;
	const char *name;
	unsigned int id;
	u64 ran, since, switches;	/* ns on the CPU, start of this turn, turns */
};

void switch_stack(u64 *save_sp, u64 load_sp);
extern char thread_start[];
void thread_main(void (*fn)(void *), void *arg) __attribute__((noreturn));

static struct list run_queue = LIST_INIT(run_queue);
static struct list all_threads = LIST_INIT(all_threads);
static struct list ended_detached = LIST_INIT(ended_detached);	/* by node; off their stacks whenever somebody else runs */
static struct thread first_thread, *idle;
static unsigned int next_id;
static bool running, need_switch;
static struct timer slice;

static struct thread *current(void)
{
	return fs_first_word();
}

struct thread *thread_current(void)
{
	return current();
}

static void slice_over(void *unused)
{
	need_switch = true;
}

static struct thread *pick_next(void)
{
	struct thread *t;

	if (list_empty(&run_queue))
		return idle;
	t = list_entry(run_queue.next, struct thread, node);
	list_remove(&t->node);
	return t;
}

static void free_thread(struct thread *t)
{
	vfree(t->stack);
	kfree(t);
}

static void free_ended(void)
{
	bool irq;

	if (list_empty(&ended_detached))
		return;
	irq = irq_save();
	while (!list_empty(&ended_detached)) {
		struct thread *t = list_entry(ended_detached.next, struct thread, node);

		list_remove(&t->node);
		free_thread(t);
	}
	irq_restore(irq);
}

/*
 * Idle from t on. Most often the one that waits is also the one that is woken next, and then nothing has to be switched. Its state
 * tells sched_preempt() to keep away. The time when somebody became ready.
 */
static u64 rest(struct thread *self, u64 t)
{
	u64 end;

	self->ran += t - self->since;
	while (list_empty(&run_queue)) {
		free_ended();
		cpu->halt();
		cpu->irq_disable();
	}
	end = now();
	idle->ran += end - t;
	self->since = end;
	return end;
}

/* The running thread has already been put where it belongs. */
static void schedule(void)
{
	struct thread *prev = current(), *next;
	u64 t = now();

	if (prev->state == WAITING && list_empty(&run_queue))
		t = rest(prev, t);
	need_switch = false;
	next = pick_next();
	if (list_empty(&run_queue))
		timer_cancel(&slice);
	else if (!slice.armed)
		timer_add(&slice, t + SLICE);
	next->state = RUNNING;
	if (next == prev)
		return;
	prev->ran += t - prev->since;
	next->since = t;
	next->switches++;
	cpu->switch_context(&next->context);
	switch_stack(&prev->sp, next->sp);
}

static void make_ready(struct thread *t)
{
	t->state = READY;
	if (t != idle)
		list_insert_before(&run_queue, &t->node);
}

void thread_yield(void)
{
	bool irq = irq_save();

	make_ready(current());
	schedule();
	irq_restore(irq);
}

void sched_preempt(void)
{
	if (!running || current()->state != RUNNING)
		return;
	if (need_switch || (current() == idle && !list_empty(&run_queue))) {
		make_ready(current());
		schedule();
	}
}

void wait_on(struct wait_queue *q)
{
	struct thread *t = current();

	t->state = WAITING;
	list_insert_before(&q->waiters, &t->node);
	schedule();
}

void wake_waiters(struct wait_queue *q)
{
	bool irq = irq_save();

	while (!list_empty(&q->waiters)) {
		struct thread *t = list_entry(q->waiters.next, struct thread, node);

		list_remove(&t->node);
		make_ready(t);
		if (!slice.armed && current() != idle && current()->state == RUNNING)
			timer_add(&slice, now() + SLICE);
	}
	irq_restore(irq);
}

static void wake_queue(void *q)
{
	wake_up(q);
}

void thread_sleep(u64 ns)
{
	struct wait_queue q = WAIT_QUEUE_INIT(q);
	struct timer t = { .fn = wake_queue, .arg = &q };
	bool irq = irq_save();

	timer_add(&t, now() + ns);
	while (t.armed)
		wait_on(&q);
	irq_restore(irq);
}

static void init_thread(struct thread *t, const char *name)
{
	t->self = t;
	t->name = name;
	t->id = next_id++;
	t->context.fs_base = (u64)t;
	list_init(&t->node);
	list_init(&t->ended.waiters);
	list_insert_before(&all_threads, &t->all_node);
}

/* The first frame of a thread is what switch_stack pops: r15 r14 r13 r12 rbp rbx, return address. */
static void prepare_stack(struct thread *t, void (*fn)(void *), void *arg)
{
	u64 top = (u64)t->stack + STACK_SIZE;
	u64 *frame = (u64 *)top - 8;

	memset(frame, 0, 64);
	frame[3] = (u64)arg;
	frame[5] = (u64)fn;
	frame[6] = (u64)thread_start;
	t->sp = (u64)frame;
	t->context.kernel_sp = top;
}

static struct thread *new_thread(const char *name, void (*fn)(void *), void *arg)
{
	struct thread *t = kmalloc(sizeof(*t));

	if (!t)
		return NULL;
	t->stack = vmalloc(STACK_SIZE);
	if (!t->stack) {
		kfree(t);
		return NULL;
	}
	prepare_stack(t, fn, arg);
	return t;
}

struct thread *thread_create(const char *name, void (*fn)(void *), void *arg)
{
	struct thread *t = new_thread(name, fn, arg);
	bool irq = irq_save();

	if (t) {
		init_thread(t, name);
		make_ready(t);
		if (!slice.armed)
			timer_add(&slice, now() + SLICE);
	}
	irq_restore(irq);
	return t;
}

void thread_main(void (*fn)(void *), void *arg)
{
	cpu->irq_enable();
	fn(arg);
	thread_exit();
}

void thread_exit(void)
{
	struct thread *t = current();

	cpu->irq_disable();
	t->state = DONE;
	list_remove(&t->all_node);
	wake_up(&t->ended);
	if (t->detached)
		list_insert_before(&ended_detached, &t->node);
	schedule();
	panic("a finished thread ran again");
}

/* It frees the stack only when the thread has left it: DONE is set before, the switch comes at once. */
void thread_join(struct thread *t)
{
	bool irq = irq_save();

	while (t->state != DONE)
		wait_on(&t->ended);
	irq_restore(irq);
	free_thread(t);
}

void thread_detach(struct thread *t)
{
	bool irq = irq_save();

	t->detached = true;
	if (t->state == DONE)
		list_insert_before(&ended_detached, &t->node);
	irq_restore(irq);
}

static void idle_loop(void *unused)
{
	for (;;) {
		free_ended();
		cpu->irq_disable();
		if (list_empty(&run_queue))
			cpu->halt();
		thread_yield();
	}
}

void thread_list(void)
{
	static const char *const state[] = { "ready", "running", "waiting", "done" };
	bool irq = irq_save();

	printf("%3s %-12s %-8s %12s %10s\n", "id", "name", "state", "ran/us", "turns");
	list_for_each(node, &all_threads) {
		struct thread *t = list_entry(node, struct thread, all_node);
		u64 ran = t->ran + (t == current() ? now() - t->since : 0);

		printf("%3u %-12s %-8s %12lu %10lu\n", t->id, t->name, state[t->state], ran / 1000,
		       t->switches);
	}
	irq_restore(irq);
}

void sched_init(void)
{
	extern char boot_stack_end[];

	slice.fn = slice_over;
	first_thread.since = now();
	first_thread.context.kernel_sp = (u64)boot_stack_end;
	init_thread(&first_thread, "main");
	first_thread.state = RUNNING;
	cpu->set_fs_base((u64)&first_thread);
	idle = new_thread("idle", idle_loop, NULL);
	if (!idle)
		panic("no memory for the idle thread");
	init_thread(idle, "idle");
	running = true;
}
