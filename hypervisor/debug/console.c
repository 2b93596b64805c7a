/* SPDX-License-Identifier: MIT */
/*
 * The console: COM1. Output waits for the FIFO and fills it at once. Input comes by interrupt
 * into a ring that domain 0 reads; Ctrl-a three times turns it over to the debug keys, and back.
 */
#include <abi/console.h>
#include <abi/xen.h>
#include <asm.h>
#include <boot.h>
#include <console.h>
#include <domain.h>
#include <evtchn.h>
#include <hypercall.h>
#include <spinlock.h>
#include <uaccess.h>

#define COM1 0x3f8
enum { UART_DATA = 0, UART_IER = 1, UART_FCR = 2, UART_LCR = 3, UART_MCR = 4, UART_LSR = 5 };
enum { LSR_INPUT = 0x01, LSR_FIFO_EMPTY = 0x20 };
#define UART_FIFO 16
#define UART_PATIENCE 1000000	/* looks at a FIFO that does not empty; then the text is dropped */
#define INPUT_SIZE 256
#define CTRL_A 1
#define CHUNK 128	/* of a guest's text, copied at once */

static struct spinlock console_lock;	/* held while a whole message goes out */
static bool present;

static struct spinlock input_lock;
static char input[INPUT_SIZE];		/* [input_lock] byte n at n % INPUT_SIZE */
static u32 input_head, input_tail;	/* [input_lock] typed, read: bytes ever */
static bool keys_focus;			/* input is for the hypervisor */

void console_init(void)
{
	present = inb(COM1 + UART_LSR) != 0xff;
	outb(COM1 + UART_IER, 0);
	outb(COM1 + UART_LCR, 0x83);	/* 8n1, divisor latch */
	outb(COM1 + 0, 1);		/* 115200 baud */
	outb(COM1 + 1, 0);
	outb(COM1 + UART_LCR, 0x03);
	outb(COM1 + UART_FCR, 0x07);	/* FIFOs on and empty, interrupt at the first byte */
	outb(COM1 + UART_MCR, 0x0b);	/* DTR, RTS, interrupt line */
}

void console_configure(void)
{
	present = present && options.console;
	if (present)
		outb(COM1 + UART_IER, 1);
}

/* --- output ------------------------------------------------------------------------------------------------- */

static void uart_write(const char *text, size_t n)
{
	while (n) {
		size_t chunk = min(n, (size_t)UART_FIFO);

		n -= chunk;
		for (int i = 0; !(inb(COM1 + UART_LSR) & LSR_FIFO_EMPTY); i++) {
			if (i == UART_PATIENCE)
				return;
			pause();
		}
		asm volatile("rep outsb" : "+S"(text), "+c"(chunk) : "d"(COM1 + UART_DATA) : "memory");
	}
}

void console_write(const char *text, size_t length)
{
	const char *end = text + length;

	if (!present)
		return;
	spin_lock(&console_lock);
	while (text < end) {
		const char *line = text;

		while (text < end && *text != '\n')
			text++;
		uart_write(line, text - line);
		if (text < end) {
			uart_write("\r\n", 2);
			text++;
		}
	}
	spin_unlock(&console_lock);
}

void console_break_lock(void)
{
	spin_unlock(&console_lock);
}

/* --- input -------------------------------------------------------------------------------------------------- */

static void input_for_domain(char c)
{
	spin_lock(&input_lock);
	if (input_head - input_tail < INPUT_SIZE)
		input[input_head++ % INPUT_SIZE] = c;
	spin_unlock(&input_lock);
}

static void deliver(char c)
{
	if (keys_focus)
		handle_key(c);
	else
		input_for_domain(c);
}

/* Ctrl-a's are held back until it is clear that they are not three in a row. */
static void typed(char c)
{
	static unsigned escapes;

	if (c == CTRL_A && ++escapes < 3)
		return;
	if (c == CTRL_A) {
		keys_focus = !keys_focus;
		escapes = 0;
		log_error("input goes to %s (Ctrl-a three times to switch)",
			  keys_focus ? "the hypervisor; h lists its keys" : "domain 0");
		return;
	}
	for (; escapes; escapes--)
		deliver(CTRL_A);
	deliver(c);
}

void console_interrupt(void)
{
	while (inb(COM1 + UART_LSR) & LSR_INPUT)
		typed(inb(COM1 + UART_DATA));
	if (dom0 && READ_ONCE(input_head) != READ_ONCE(input_tail))
		send_guest_virq(dom0, VIRQ_CONSOLE);
}

static int take_input(char *to, u32 length)
{
	u32 n = 0;

	spin_lock(&input_lock);
	while (n < length && input_tail != input_head)
		to[n++] = input[input_tail++ % INPUT_SIZE];
	spin_unlock(&input_lock);
	return n;
}

/* --- console_io: bytes out, and in what has come without waiting --------------------------------------------- */

static long write_out(u64 buffer, u32 bytes)
{
	char chunk[CHUNK];
	u32 n;

	for (; bytes; bytes -= n, buffer += n) {
		n = min(bytes, (u32)CHUNK);
		if (copy_from_guest(chunk, buffer, n))
			return -EFAULT;
		console_write(chunk, n);
		preempt_point();
	}
	return 0;
}

static long read_in(u64 buffer, u32 bytes)
{
	char chunk[CHUNK];
	u32 done = 0;
	int n;

	while (done < bytes && (n = take_input(chunk, min(bytes - done, (u32)CHUNK))) > 0) {
		if (copy_to_guest(buffer + done, chunk, n))
			return -EFAULT;
		done += n;
		preempt_point();
	}
	return done;
}

long do_console_io(u64 command, u64 bytes, u64 buffer, u64 a4, u64 a5, struct vcpu *v)
{
	if (!v->domain->privileged)
		return -EPERM;
	switch ((u32)command) {
	case CONSOLEIO_write:
		return write_out(buffer, bytes);
	case CONSOLEIO_read:
		if ((u32)bytes >> 31)
			return -E2BIG;
		return read_in(buffer, bytes);
	default:
		return -ENOSYS;
	}
}
