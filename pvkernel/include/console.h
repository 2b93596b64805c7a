/* SPDX-License-Identifier: MIT */
/* The console: characters out at once, characters in through a queue that threads wait on. */
#ifndef PVK_CONSOLE_H
#define PVK_CONSOLE_H

#include "types.h"

void console_write(const char *text, size_t len);
void console_init_input(void);	/* after events and threads work */
int console_getc(void);		/* waits for the next byte */

/* Interrupt side: takes everything that has come. */
void console_poll_input(void *unused);

#endif
