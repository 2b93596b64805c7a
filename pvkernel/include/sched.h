/* SPDX-License-Identifier: MIT */
/* Kernel threads: preemptible, one CPU, round robin with a time slice. */
#ifndef PVK_SCHED_H
#define PVK_SCHED_H

#include "list.h"
#include "ops.h"
#include "types.h"

struct thread;

/* Threads that wait for something. Take it and look at the condition with interrupts disabled. */
struct wait_queue {
	struct list waiters;
};

#define WAIT_QUEUE_INIT(q) { LIST_INIT((q).waiters) }

void sched_init(void);			/* the caller becomes the first thread */
struct thread *thread_create(const char *name, void (*fn)(void *), void *arg);	/* NULL: no memory */
void thread_exit(void) __attribute__((noreturn));
void thread_yield(void);
void thread_sleep(u64 ns);
/* One of these, once for each thread created that ends. */
void thread_join(struct thread *t);	/* waits for its end, frees it */
void thread_detach(struct thread *t);	/* frees it some time after its end */
struct thread *thread_current(void);
void thread_list(void);

void wait_on(struct wait_queue *q);	/* entered and left with interrupts disabled */
void wake_waiters(struct wait_queue *q);	/* wake_up()'s, of whom there are some */

/* All of them. Who looks at his condition while we look at the list is not there: there is one CPU. */
static inline void wake_up(struct wait_queue *q)
{
	if (!list_empty(&q->waiters))
		wake_waiters(q);
}

/* Interrupt side: switch if the slice is over or somebody better was woken. */
void sched_preempt(void);

#endif
