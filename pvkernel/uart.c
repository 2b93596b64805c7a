/* SPDX-License-Identifier: MIT */
/* COM1, 115200 8n1: the native console. */
#include "insn.h"
#include "native.h"

#define COM1 0x3f8
#define UART_DATA (COM1 + 0)
#define UART_IER (COM1 + 1)
#define UART_FCR (COM1 + 2)
#define UART_LCR (COM1 + 3)
#define UART_MCR (COM1 + 4)
#define UART_LSR (COM1 + 5)
#define LSR_DATA 0x01
#define LSR_EMPTY 0x20

void uart_init(void)
{
	outb(UART_IER, 0);
	outb(UART_LCR, 0x80);
	outb(UART_DATA, 1);
	outb(UART_IER, 0);
	outb(UART_LCR, 3);
	outb(UART_FCR, 7);
	outb(UART_MCR, 0x0b);
}

/* A port that is not there reads as all ones, and so looks ready. */
static void put(char c)
{
	while (!(inb(UART_LSR) & LSR_EMPTY))
		;
	outb(UART_DATA, c);
}

void uart_write(const char *text, size_t len)
{
	for (; len; len--, text++) {
		if (*text == '\n')
			put('\r');
		put(*text);
	}
}

size_t uart_read(char *buf, size_t size)
{
	size_t n = 0;

	while (n < size && (inb(UART_LSR) & LSR_DATA) && inb(UART_LSR) != 0xff)
		buf[n++] = inb(UART_DATA);
	return n;
}

void uart_enable_irq(void)
{
	outb(UART_IER, 1);
}
