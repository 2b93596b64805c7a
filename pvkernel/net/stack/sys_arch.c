/* SPDX-License-Identifier: MIT */
/*
 * Threads, locks and queues as lwIP wants them, made of the kernel's. A semaphore is a count and who waits for it; a mailbox
 * a ring of pointers. Both are looked at with interrupts disabled, which on one CPU is their lock.
 */
#include "lib.h"
#include "mm.h"
#include "mutex.h"
#include "ops.h"
#include "sched.h"
#include "time.h"

#include <lwip/sys.h>

struct sys_sem {
	u32 count;
	struct wait_queue waiters;
};

struct sys_mutex {
	struct mutex mutex;
};

struct sys_mbox {
	u32 size, head, tail;		/* free-running: put at head, taken at tail */
	struct wait_queue fetchers, posters;
	void *messages[];
};

int net_errno;

void sys_init(void)
{
}

u32_t sys_now(void)
{
	return now() / NSEC_PER_MSEC;
}

u32_t sys_jiffies(void)
{
	return sys_now();
}

sys_prot_t sys_arch_protect(void)
{
	return irq_save();
}

void sys_arch_unprotect(sys_prot_t was)
{
	irq_restore(was);
}

sys_thread_t sys_thread_new(const char *name, lwip_thread_fn fn, void *arg, int stack_size, int priority)
{
	return thread_create(name, fn, arg);
}

/* --- waiting, for ever or so many milliseconds --- */

struct deadline {
	struct timer timer;
	struct wait_queue *queue;
	u64 start;
};

static void deadline_passed(void *arg)
{
	struct deadline *d = arg;

	wake_up(d->queue);
}

static void deadline_begin(struct deadline *d, struct wait_queue *q, u32_t ms)
{
	d->queue = q;
	d->start = now();
	d->timer = (struct timer){ .fn = deadline_passed, .arg = d };
	if (ms)
		timer_add(&d->timer, d->start + ms * NSEC_PER_MSEC);
}

/* False: the time is over. */
static bool deadline_wait(struct deadline *d, u32_t ms)
{
	if (ms && !d->timer.armed)
		return false;
	wait_on(d->queue);
	return true;
}

static u32_t deadline_end(struct deadline *d)
{
	timer_cancel(&d->timer);
	return (now() - d->start) / NSEC_PER_MSEC;
}

/* --- semaphores --- */

err_t sys_sem_new(sys_sem_t *sem, u8_t count)
{
	*sem = kmalloc(sizeof(**sem));
	if (!*sem)
		return ERR_MEM;
	(*sem)->count = count;
	list_init(&(*sem)->waiters.waiters);
	return ERR_OK;
}

void sys_sem_free(sys_sem_t *sem)
{
	kfree(*sem);
}

void sys_sem_signal(sys_sem_t *sem)
{
	bool irq = irq_save();

	(*sem)->count++;
	wake_up(&(*sem)->waiters);
	irq_restore(irq);
}

u32_t sys_arch_sem_wait(sys_sem_t *sem, u32_t ms)
{
	bool irq = irq_save(), taken;
	struct deadline d;
	u32_t waited;

	deadline_begin(&d, &(*sem)->waiters, ms);
	while (!(*sem)->count && deadline_wait(&d, ms))
		;
	taken = (*sem)->count;
	if (taken)
		(*sem)->count--;
	waited = deadline_end(&d);
	irq_restore(irq);
	return taken ? waited : SYS_ARCH_TIMEOUT;
}

/* --- mutexes --- */

err_t sys_mutex_new(sys_mutex_t *m)
{
	*m = kmalloc(sizeof(**m));
	if (!*m)
		return ERR_MEM;
	list_init(&(*m)->mutex.waiters.waiters);
	return ERR_OK;
}

void sys_mutex_free(sys_mutex_t *m)
{
	kfree(*m);
}

void sys_mutex_lock(sys_mutex_t *m)
{
	mutex_lock(&(*m)->mutex);
}

void sys_mutex_unlock(sys_mutex_t *m)
{
	mutex_unlock(&(*m)->mutex);
}

/* --- mailboxes --- */

err_t sys_mbox_new(sys_mbox_t *mbox, int size)
{
	struct sys_mbox *m = kmalloc(sizeof(*m) + size * sizeof(m->messages[0]));

	*mbox = m;
	if (!m)
		return ERR_MEM;
	m->size = size;
	list_init(&m->fetchers.waiters);
	list_init(&m->posters.waiters);
	return ERR_OK;
}

void sys_mbox_free(sys_mbox_t *mbox)
{
	kfree(*mbox);
}

static bool put_message(struct sys_mbox *m, void *message)
{
	if (m->head - m->tail == m->size)
		return false;
	m->messages[m->head++ % m->size] = message;
	wake_up(&m->fetchers);
	return true;
}

static bool take_message(struct sys_mbox *m, void **message)
{
	void *taken;

	if (m->head == m->tail)
		return false;
	taken = m->messages[m->tail++ % m->size];
	if (message)
		*message = taken;
	wake_up(&m->posters);
	return true;
}

void sys_mbox_post(sys_mbox_t *mbox, void *message)
{
	bool irq = irq_save();

	while (!put_message(*mbox, message))
		wait_on(&(*mbox)->posters);
	irq_restore(irq);
}

err_t sys_mbox_trypost(sys_mbox_t *mbox, void *message)
{
	bool irq = irq_save(), put = put_message(*mbox, message);

	irq_restore(irq);
	return put ? ERR_OK : ERR_MEM;
}

err_t sys_mbox_trypost_fromisr(sys_mbox_t *mbox, void *message)
{
	return sys_mbox_trypost(mbox, message);
}

u32_t sys_arch_mbox_fetch(sys_mbox_t *mbox, void **message, u32_t ms)
{
	bool irq = irq_save(), taken;
	struct deadline d;
	u32_t waited;

	deadline_begin(&d, &(*mbox)->fetchers, ms);
	while (!(taken = take_message(*mbox, message)) && deadline_wait(&d, ms))
		;
	waited = deadline_end(&d);
	irq_restore(irq);
	if (!taken && message)
		*message = NULL;
	return taken ? waited : SYS_ARCH_TIMEOUT;
}

u32_t sys_arch_mbox_tryfetch(sys_mbox_t *mbox, void **message)
{
	bool irq = irq_save(), taken = take_message(*mbox, message);

	irq_restore(irq);
	return taken ? 0 : SYS_MBOX_EMPTY;
}
