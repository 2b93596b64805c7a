/* SPDX-License-Identifier: MIT */
/* The shell: a line, its words, a command from the linker's table. */
#include "cmdline.h"
#include "console.h"
#include "edit.h"
#include "insn.h"
#include "lib.h"
#include "shell.h"
#include "time.h"

#define MAX_WORDS 32

extern const struct command command_table[], command_table_end[];

static const struct command *find(const char *name)
{
	for (const struct command *c = command_table; c < command_table_end; c++) {
		if (!strcmp(c->name, name))
			return c;
	}
	return NULL;
}

const char *shell_prompt = "pvkernel> ";

static u64 failures;

u64 shell_failures(void)
{
	return failures;
}

int shell_run_words(int argc, char **argv)
{
	const struct command *c = find(argv[0]);

	if (!c) {
		printf("%s: no such command; help lists them\n", argv[0]);
		return 1;
	}
	return c->fn(argc, argv);
}

static int run_one(char *text)
{
	char *words[MAX_WORDS];
	int n = split(text, " \t\r", words, MAX_WORDS);
	int err;

	if (!n)
		return 0;
	err = shell_run_words(n, words);
	if (err) {
		printf("%s: failed (%d)\n", words[0], err);
		failures++;
	}
	return err;
}

/* Blanks out comments, which end with the line. */
static void drop_comments(char *text)
{
	bool quoted = false, blank = true;

	for (; *text; text++) {
		if (*text == '#' && blank && !quoted) {
			while (text[1] && text[1] != '\n')
				*text++ = ' ';
			*text = ' ';
		}
		if (*text == '"')
			quoted = !quoted;
		if (*text == '\n')
			quoted = false;
		blank = strchr(" \t;\n", *text);
	}
}

/* Cuts at semicolons outside quotes and at ends of lines, without removing the quotes: they are for the words. */
int shell_run(char *text)
{
	bool quoted = false, end = false;
	char *start = text;
	int status = 0;

	drop_comments(text);
	for (; !end; text++) {
		end = !*text;
		if (*text == '"')
			quoted = !quoted;
		if (end || *text == '\n' || (*text == ';' && !quoted)) {
			*text = 0;
			status = run_one(start);
			start = text + 1;
			quoted = false;
		}
	}
	return status;
}

static void editor_out(void *unused, const char *text, size_t len)
{
	console_write(text, len);
}

void shell_loop(void)
{
	static struct editor editor = { .out = editor_out };

	editor.prompt = shell_prompt;
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

/* At once, so that no line of another thread's comes between two words. */
static int cmd_echo(int argc, char **argv)
{
	char line[512];
	size_t n = 0;

	for (int i = 1; i < argc; i++) {
		const char *word = argv[i];

		do {
			if (n == sizeof(line)) {
				console_write(line, n);
				n = 0;
			}
			line[n++] = *word ? *word : i + 1 < argc ? ' ' : '\n';
		} while (*word++);
	}
	if (argc == 1)
		line[n++] = '\n';
	console_write(line, n);
	return 0;
}
COMMAND(echo, cmd_echo, "WORDS: prints them");

/* Puts number for each %n of a word; false: no room. */
static bool with_number(const char *word, u64 number, char *out, size_t size)
{
	size_t n = 0;

	while (*word && n < size) {
		if (word[0] == '%' && word[1] == 'n') {
			n += snprintf(out + n, size - n, "%lu", number);
			word += 2;
		} else {
			out[n++] = *word++;
		}
	}
	if (n >= size)
		return false;
	out[n] = 0;
	return true;
}

static int repeat_once(int argc, char **argv, u64 number)
{
	char text[EDIT_LINE_MAX], *words[MAX_WORDS], *at = text;

	for (int i = 0; i < argc; i++) {
		if (!with_number(argv[i], number, at, text + sizeof(text) - at)) {
			printf("repeat: the command is too long\n");
			return 1;
		}
		words[i] = at;
		at += strlen(at) + 1;
	}
	return shell_run_words(argc, words);
}

static int cmd_repeat(int argc, char **argv)
{
	u64 times;
	int err = 0;

	if (argc < 3 || !parse_u64(argv[1], &times)) {
		printf("usage: repeat TIMES COMMAND, in which %%n is the round's number\n");
		return 1;
	}
	for (u64 i = 1; i <= times && !err && !console_interrupted(); i++)
		err = repeat_once(argc - 2, argv + 2, i);
	return err;
}
COMMAND(repeat, cmd_repeat, "TIMES COMMAND: the same command again, %n being the round's number; stops when one fails");

static int cmd_not(int argc, char **argv)
{
	if (argc < 2) {
		printf("usage: not COMMAND\n");
		return 1;
	}
	return !shell_run_words(argc - 1, argv + 1);
}
COMMAND(not, cmd_not, "COMMAND: succeeds if the command fails");

/* Under QEMU's -icount shift=0 a tick is an instruction, of everybody who ran meanwhile. */
static int cmd_cost(int argc, char **argv)
{
	u64 start = rdtsc(), ns = now();
	int err;

	if (argc < 2) {
		printf("usage: cost COMMAND\n");
		return 1;
	}
	err = shell_run_words(argc - 1, argv + 1);
	printf("cost: %lu ticks, %lu us: %s\n", rdtsc() - start, (now() - ns) / 1000, argv[argc - 1]);
	return err;
}
COMMAND(cost, cmd_cost, "COMMAND: how long it takes, in ticks of the TSC");
