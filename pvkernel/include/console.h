/* SPDX-License-Identifier: MIT */
/* The console: characters out at once, characters in through a queue that threads wait on. */
#ifndef PVK_CONSOLE_H
#define PVK_CONSOLE_H

#include "types.h"

/* Where the characters go and come from. */
struct console_driver {
	void (*write)(const char *text, size_t len);	/* from anywhere, before anything is set up, too */
	size_t (*read)(char *buf, size_t size);		/* what has come; interrupts are disabled */
	void (*listen)(void);	/* console_poll_input() is called from now on when something comes */
};

extern const struct console_driver uart_console, hypervisor_console;

/* The console of a domain that is not domain 0; the image of domain 0 has none. */
extern const struct console_driver consfront __attribute__((weak));

void console_write(const char *text, size_t len);
void console_init_input(void);	/* after events and threads work */
int console_getc(void);		/* waits for the next byte */

/* The same, but -1 as soon as *stop is true; who makes it so calls console_wake(). */
int console_getc_unless(const bool *stop);
void console_wake(void);

/* Has ctrl-c come? It and what came before it are taken. For commands that look again and again. */
bool console_interrupted(void);

/* Interrupt side: takes what has come, as far as the queue has room. */
void console_poll_input(void *unused);

#endif
