/* SPDX-License-Identifier: MIT */
/* Commands. A file that has one says so with COMMAND at its end; the linker makes the list. */
#ifndef PVK_SHELL_H
#define PVK_SHELL_H

#include "types.h"

struct command {
	const char *name;
	int (*fn)(int argc, char **argv);	/* 0, or not 0 when it failed and has said why */
	const char *help;
};

#define COMMAND(cmd, function, text) \
	static const struct command command_##cmd \
		__attribute__((used, aligned(8), section(".command_table." #cmd))) = { \
		.name = #cmd, .fn = function, .help = text, \
	}

/* Runs the commands in text, separated by semicolons; text is changed. */
void shell_run(char *text);
void shell_loop(void) __attribute__((noreturn));

/* Before the first command, in a thread: what the image has for it, a guest's in guest/, domain 0's in control/. */
void services_init(void);

#endif
