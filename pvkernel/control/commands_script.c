/* SPDX-License-Identifier: MIT */
/* For scripts: what a guest has printed, and typing for it. */
#include <abi/errno.h>

#include "../../drivers/backend/consback.h"
#include "../include/lib.h"
#include "../include/mm.h"
#include "../include/shell.h"
#include "../include/time.h"
#include "control.h"
#include "domains.h"
#include "options.h"
#include "wait.h"

#define SCROLLBACK_MAX (64 * 1024)
#define LINE_MAX 200

/* The line that holds the text, or NULL. The console's bytes are any. */
static const char *find_text(const char *all, int length, const char *text, int *line_length)
{
	int n = strlen(text);

	for (int i = 0; i + n <= length; i++) {
		int start = i, end = i + n;

		if (memcmp(all + i, text, n))
			continue;
		while (start && all[start - 1] != '\n')
			start--;
		while (end < length && all[end] != '\n' && all[end] != '\r')
			end++;
		*line_length = end - start;
		return all + start;
	}
	return NULL;
}

/* What else is in the line must not make it look like another. */
static void print_line(const char *name, const char *line, int length)
{
	char text[LINE_MAX];

	printf("%s| %.*s\n", name, (int)consback_text(text, line, MIN(length, LINE_MAX)), text);
}

/* 0: found and printed. */
static int grep(const char *name, const char *text, char *buffer)
{
	int length = consback_read(name, buffer, SCROLLBACK_MAX), line_length;
	const char *line = find_text(buffer, MAX(length, 0), text, &line_length);

	if (line)
		print_line(name, line, line_length);
	return line ? 0 : MIN(length, -1);
}

static int cmd_console_grep(int argc, char **argv)
{
	u64 seconds = 30, end;
	char *buffer;
	int err;

	if (argc < 3 || argc > 4 || (argc == 4 && !parse_u64(argv[3], &seconds)))
		return usage("console-grep", "NAME TEXT [SECONDS]");
	buffer = kmalloc(SCROLLBACK_MAX);
	if (!buffer)
		return 1;
	end = now() + seconds * NSEC_PER_SEC;
	do
		err = grep(argv[1], argv[2], buffer);
	while (err && wait_more(end));
	kfree(buffer);
	if (err == -ENOENT)
		printf("console-grep: %s: no such console\n", argv[1]);
	else if (err)
		printf("console-grep: %s: \"%s\" has not been printed yet\n", argv[1], argv[2]);
	return err != 0;
}
COMMAND_AS(console_grep, "console-grep", cmd_console_grep,
	   "NAME TEXT [SECONDS]: waits until a guest's console has shown it, 30 s at most if not told");

static int cmd_send(int argc, char **argv)
{
	int n, length;

	if (argc < 2)
		return usage("send", "NAME [TEXT...]");
	for (int i = 2; i <= argc; i++) {
		const char *text = i == argc ? "\r" : argv[i];

		length = strlen(text);
		n = consback_send(argv[1], text, length);
		if (n == length && i + 1 < argc)
			n = consback_send(argv[1], " ", length = 1);
		if (n == length)
			continue;
		printf("send: %s: %s\n", argv[1], n == -ENOENT ? "no such console" : "the guest does not read");
		return 1;
	}
	return 0;
}
COMMAND(send, cmd_send, "NAME [TEXT...]: types it into a guest's console, and a return");

/* One that is about to be restarted is asked when it is back. */
static int cmd_ask(int argc, char **argv)
{
	u64 seconds = 30, end;
	int err;

	if (argc < 4 || argc > 5 || (argc == 5 && !parse_u64(argv[4], &seconds)))
		return usage("ask", "NAME LINE ANSWER [SECONDS]");
	end = now() + seconds * NSEC_PER_SEC;
	do
		err = consback_ask(argv[1], argv[2], argv[3], end - MIN(now(), end));
	while (err == -ENOENT && domains_known(argv[1]) && wait_more(end));
	if (err)
		printf("ask: %s: %s\n", argv[1], err == -ENOENT ? "no such console" : errno_name(err));
	return err != 0;
}
COMMAND(ask, cmd_ask, "NAME LINE ANSWER [SECONDS]: types a line, waits until the answer has come after it");
