/* SPDX-License-Identifier: MIT */
/* `spawn`: a command in a thread of its own, so that the prompt goes on. */
#include "lib.h"
#include "mm.h"
#include "sched.h"
#include "shell.h"

#define TEXT_MAX 256

static void run(void *text)
{
	shell_run(text);
	kfree(text);
}

/* The words again as one text; false: too long. */
static bool join(char **words, int n, char *text)
{
	size_t at = 0;

	for (int i = 0; i < n; i++) {
		size_t len = strlen(words[i]);

		if (at + len + 2 > TEXT_MAX)
			return false;
		memcpy(text + at, words[i], len);
		at += len;
		text[at++] = ' ';
	}
	text[at] = 0;
	return true;
}

static int cmd_spawn(int argc, char **argv)
{
	char *text = kmalloc(TEXT_MAX);
	bool usable = argc > 1 && text && join(argv + 1, argc - 1, text);
	struct thread *t = usable ? thread_create("spawned", run, text) : NULL;

	if (!t) {
		kfree(text);
		printf("usage: spawn COMMAND, of less than %d characters, while there is memory\n", TEXT_MAX);
		return 1;
	}
	thread_detach(t);
	return 0;
}
COMMAND(spawn, cmd_spawn, "COMMAND: runs it in a thread of its own");
