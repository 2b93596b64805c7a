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

#define COMMAND_AS(id, text_name, function, text) \
	static const struct command command_##id \
		__attribute__((used, aligned(8), section(".command_table." #id))) = { \
		.name = text_name, .fn = function, .help = text, \
	}
#define COMMAND(cmd, function, text) COMMAND_AS(cmd, #cmd, function, text)

/*
 * Runs the commands in text, one a line or with semicolons between them; # starts a comment at the beginning of a word.
 * A failed one does not stop those after it. The status of the last; text is changed.
 */
int shell_run(char *text);
int shell_run_words(int argc, char **argv);	/* one command; its status */
u64 shell_failures(void);		/* commands that have failed so far */
void shell_loop(void) __attribute__((noreturn));
extern const char *shell_prompt;	/* whose shell it is */

/* Before the first command, in a thread: what the image has for it, a guest's in guest/, domain 0's in control/. */
void services_init(void);

#endif
