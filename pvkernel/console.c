/* SPDX-License-Identifier: MIT */
/*
 * The console, one of three: domain 0 has the hypervisor's (console_io and VIRQ_CONSOLE), another
 * domain a ring in a shared page and an event channel, and a bare machine has COM1. Input goes into a
 * queue of bytes at interrupt level; when the queue is full, what comes is lost.
 */
#include <abi/console.h>
#include <abi/sched.h>

#include "boot.h"
#include "console.h"
#include "evtchn.h"
#include "hypercall.h"
#include "lib.h"
#include "mm.h"
#include "native.h"
#include "ops.h"
#include "sched.h"

#define QUEUE_SIZE 256

static char queue[QUEUE_SIZE];
static unsigned int queue_head, queue_tail;	/* free-running: put at head, taken at tail */
static struct wait_queue readers = WAIT_QUEUE_INIT(readers);

/* --- the ring of a domain that is not domain 0 --- */

static struct xencons_interface *ring(void)
{
	u64 pfn = mfn_to_pfn(boot.start_info->console.domU.mfn);

	return (struct xencons_interface *)(VIRT_BASE + (pfn << PAGE_SHIFT));
}

static void ring_notify(void)
{
	evtchn_send(boot.start_info->console.domU.evtchn);
}

static void ring_write(const char *text, size_t len)
{
	struct xencons_interface *r = ring();

	while (len) {
		u32 prod = r->out_prod;

		while (len && prod - READ_ONCE(r->out_cons) < sizeof(r->out)) {
			r->out[prod++ % sizeof(r->out)] = *text++;
			len--;
		}
		barrier();
		WRITE_ONCE(r->out_prod, prod);
		ring_notify();
		if (len)
			HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
	}
}

static size_t ring_read(char *buf, size_t size)
{
	struct xencons_interface *r = ring();
	u32 cons = r->in_cons;
	size_t n = 0;

	while (n < size && cons != READ_ONCE(r->in_prod)) {
		barrier();
		buf[n++] = r->in[cons++ % sizeof(r->in)];
	}
	barrier();
	WRITE_ONCE(r->in_cons, cons);
	if (n)
		ring_notify();
	return n;
}

/* --- all three --- */

void console_write(const char *text, size_t len)
{
	if (boot.native)
		uart_write(text, len);
	else if (boot.initial_domain)
		HYPERVISOR_console_io(CONSOLEIO_write, len, text);
	else
		ring_write(text, len);
}

static size_t console_read(char *buf, size_t size)
{
	long n;

	if (boot.native)
		return uart_read(buf, size);
	if (!boot.initial_domain)
		return ring_read(buf, size);
	n = HYPERVISOR_console_io(CONSOLEIO_read, size, buf);
	return n > 0 ? n : 0;
}

void console_poll_input(void *unused)
{
	bool irq = irq_save();
	char buf[16];
	size_t n;

	while ((n = console_read(buf, sizeof(buf)))) {
		for (size_t i = 0; i < n && queue_head - queue_tail < QUEUE_SIZE; i++)
			queue[queue_head++ % QUEUE_SIZE] = buf[i];
	}
	wake_up(&readers);
	irq_restore(irq);
}

void console_init_input(void)
{
	if (boot.native) {
		native_irq_handler(IRQ_COM1, console_poll_input, NULL);
		uart_enable_irq();
	} else if (!boot.initial_domain) {
		evtchn_set_handler(boot.start_info->console.domU.evtchn, console_poll_input, NULL);
	} else if (evtchn_bind_virq(VIRQ_CONSOLE, console_poll_input, NULL) < 0) {
		printf("console: no VIRQ_CONSOLE, so no input\n");
	}
	console_poll_input(NULL);
}

int console_getc(void)
{
	bool irq = irq_save();
	u8 c;

	while (queue_head == queue_tail)
		wait_on(&readers);
	c = queue[queue_tail++ % QUEUE_SIZE];
	irq_restore(irq);
	return c;
}

int printf(const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	console_write(line, MIN(n, (int)sizeof(line) - 1));
	return n;
}
