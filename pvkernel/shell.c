/* SPDX-License-Identifier: MIT */
/* The shell: a line, its words, a command from the linker's table. */
#include "cmdline.h"
#include "console.h"
#include "edit.h"
#include "lib.h"
#include "shell.h"

#define MAX_WORDS 16

extern const struct command command_table[], command_table_end[];

static const struct command *find(const char *name)
{
	for (const struct command *c = command_table; c < command_table_end; c++) {
		if (!strcmp(c->name, name))
			return c;
	}
	return NULL;
}

static void run_one(char *text)
{
	char *words[MAX_WORDS];
	int n = split(text, " \t", words, MAX_WORDS);
	const struct command *c;
	int err;

	if (!n)
		return;
	c = find(words[0]);
	if (!c) {
		printf("%s: no such command; help lists them\n", words[0]);
		return;
	}
	err = c->fn(n, words);
	if (err)
		printf("%s: failed (%d)\n", words[0], err);
}

/* Cuts at semicolons outside quotes, without removing the quotes: they are for the words. */
void shell_run(char *text)
{
	bool quoted = false, end = false;
	char *start = text;

	for (; !end; text++) {
		end = !*text;
		if (*text == '"')
			quoted = !quoted;
		if (end || (*text == ';' && !quoted)) {
			*text = 0;
			run_one(start);
			start = text + 1;
		}
	}
}

static void editor_out(void *unused, const char *text, size_t len)
{
	console_write(text, len);
}

void shell_loop(void)
{
	static struct editor editor = { .out = editor_out, .prompt = "pvkernel> " };

	printf("Type help for the commands.\n");
	for (;;) {
		enum edit_result r;

		edit_start(&editor);
		do
			r = edit_byte(&editor, console_getc());
		while (r == EDIT_MORE);
		if (r == EDIT_DONE)
			shell_run(editor.line);
	}
}

static int cmd_help(int argc, char **argv)
{
	for (const struct command *c = command_table; c < command_table_end; c++) {
		if (argc < 2 || !strcmp(argv[1], c->name))
			printf("%-12s %s\n", c->name, c->help);
	}
	return 0;
}
COMMAND(help, cmd_help, "[COMMAND]: the commands, or one of them");

static int cmd_echo(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		printf("%s%s", argv[i], i + 1 < argc ? " " : "");
	printf("\n");
	return 0;
}
COMMAND(echo, cmd_echo, "WORDS: prints them");
