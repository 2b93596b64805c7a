/* SPDX-License-Identifier: MIT */
/*
 * The console, one of three: domain 0 has the hypervisor's (console_io and VIRQ_CONSOLE), another
 * domain a ring that it shares with domain 0 (drivers/frontend/consfront.c), and a bare machine COM1.
 * Input goes into a queue of bytes at interrupt level; what finds it full stays where it was until the
 * queue is empty.
 */
#include <abi/console.h>

#include "boot.h"
#include "console.h"
#include "evtchn.h"
#include "hypercall.h"
#include "lib.h"
#include "native.h"
#include "ops.h"
#include "sched.h"

#define CTRL_C 3
#define QUEUE_SIZE 256

static char queue[QUEUE_SIZE];
static unsigned int queue_head, queue_tail;	/* free-running: put at head, taken at tail */
static struct wait_queue readers = WAIT_QUEUE_INIT(readers);

/* --- COM1 --- */

static void uart_listen(void)
{
	native_irq_handler(IRQ_COM1, console_poll_input, NULL);
	uart_enable_irq();
}

const struct console_driver uart_console = { uart_write, uart_read, uart_listen };

/* --- the hypervisor's --- */

static void hypervisor_write(const char *text, size_t len)
{
	HYPERVISOR_console_io(CONSOLEIO_write, len, text);
}

static size_t hypervisor_read(char *buf, size_t size)
{
	long n = HYPERVISOR_console_io(CONSOLEIO_read, size, buf);

	return n > 0 ? n : 0;
}

static void hypervisor_listen(void)
{
	if (evtchn_bind_virq(VIRQ_CONSOLE, console_poll_input, NULL) < 0)
		printf("console: no VIRQ_CONSOLE, so no input\n");
}

const struct console_driver hypervisor_console = { hypervisor_write, hypervisor_read, hypervisor_listen };

/* --- all three --- */

static const struct console_driver *driver(void)
{
	return boot.native ? &uart_console : boot.initial_domain ? &hypervisor_console : &consfront;
}

void console_write(const char *text, size_t len)
{
	const struct console_driver *d = driver();

	if (d)
		d->write(text, len);
}

void console_poll_input(void *unused)
{
	bool irq = irq_save();
	const struct console_driver *d = driver();
	char buf[16];
	size_t room, n;

	while ((room = QUEUE_SIZE - (queue_head - queue_tail)) && d && (n = d->read(buf, MIN(room, sizeof(buf))))) {
		for (size_t i = 0; i < n; i++)
			queue[queue_head++ % QUEUE_SIZE] = buf[i];
	}
	wake_up(&readers);
	irq_restore(irq);
}

void console_init_input(void)
{
	const struct console_driver *d = driver();

	if (d)
		d->listen();
	console_poll_input(NULL);
}

int console_getc_unless(const bool *stop)
{
	bool irq = irq_save();
	int c = -1;

	if (queue_head == queue_tail)
		console_poll_input(NULL);
	while (queue_head == queue_tail && !READ_ONCE(*stop))
		wait_on(&readers);
	if (!READ_ONCE(*stop))
		c = (u8)queue[queue_tail++ % QUEUE_SIZE];
	irq_restore(irq);
	return c;
}

bool console_interrupted(void)
{
	bool irq = irq_save(), found = false;

	console_poll_input(NULL);
	for (unsigned int at = queue_tail; at != queue_head && !found; at++) {
		found = queue[at % QUEUE_SIZE] == CTRL_C;
		if (found)
			queue_tail = at + 1;
	}
	irq_restore(irq);
	return found;
}

int console_getc(void)
{
	static const bool never;

	return console_getc_unless(&never);
}

void console_wake(void)
{
	wake_up(&readers);
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
