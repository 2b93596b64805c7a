/* SPDX-License-Identifier: MIT */
/* pvkernel/shell.c: lines, semicolons, comments, quotes, and the commands that run commands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PVK_LIB_H			/* the host has these functions already */
#include "types.h"

static bool parse_u64(const char *s, u64 *val)
{
	char *end;

	*val = strtoull(s, &end, 10);
	return *s >= '0' && *s <= '9' && !*end;
}

#include "../../pvkernel/cmdline.c"
#include "../../pvkernel/shell.c"

static char ran[1024];			/* what the commands below were given */
static unsigned int interrupt_after;	/* rounds until console_interrupted() says so */

void console_write(const char *text, size_t len)
{
}

int console_getc(void)
{
	return 0;
}

u64 now(void)
{
	return 0;
}

bool console_interrupted(void)
{
	return interrupt_after && !--interrupt_after;
}

void edit_start(struct editor *e)
{
}

enum edit_result edit_byte(struct editor *e, char c)
{
	return EDIT_CANCELLED;
}

static int record(int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		snprintf(ran + strlen(ran), sizeof(ran) - strlen(ran), "%s%s", argv[i], i + 1 < argc ? "," : "|");
	return 0;
}

static int refuse(int argc, char **argv)
{
	record(argc, argv);
	return 3;
}

const struct command command_table[] = {
	{ "do", record, "" }, { "fail", refuse, "" }, { "repeat", cmd_repeat, "" }, { "not", cmd_not, "" },
};
__asm__(".globl command_table_end\n.set command_table_end, command_table + 4 * 24");
_Static_assert(sizeof(command_table) == 4 * 24, "the end is where the assembler puts it");

static int run(const char *text, const char *want, u64 failed)
{
	char copy[512];
	u64 before = shell_failures();
	int status;

	snprintf(copy, sizeof(copy), "%s", text);
	*ran = 0;
	status = shell_run(copy);
	assert_string_equal(ran, want);
	assert_int_equal(shell_failures() - before, failed);
	return status;
}

static void test_lines(void **state)
{
	run("", "", 0);
	run("do", "do|", 0);
	run("do 1; do 2;;do 3\ndo 4\r\n\n  do 5  ", "do,1|do,2|do,3|do,4|do,5|", 0);
	run("do \"a ; b\" 'c d'", "do,a ; b,'c,d'|", 0);
	run("do \"open\ndo next", "do,open|do,next|", 0);
}

static void test_comments(void **state)
{
	run("# all of it; do 1\ndo 2 # rest; do 3\ndo a#b \"# c\";# d\ndo", "do,2|do,a#b,# c|do|", 0);
}

static void test_failures(void **state)
{
	assert_int_equal(run("fail; do 1", "fail|do,1|", 1), 0);
	assert_int_equal(run("do 1; fail", "do,1|fail|", 1), 3);
	assert_int_equal(run("nonsense", "", 1), 1);
	assert_int_equal(run("not fail", "fail|", 0), 0);
	assert_int_equal(run("not do", "do|", 1), 1);
	assert_int_equal(run("not nonsense", "", 0), 0);
	assert_int_equal(run("not", "", 1), 1);
}

static void test_repeat(void **state)
{
	run("repeat 3 do n%n %n%% \"x %n\"", "do,n1,1%%,x 1|do,n2,2%%,x 2|do,n3,3%%,x 3|", 0);
	run("repeat 0 do", "", 0);
	assert_int_equal(run("repeat 3 fail", "fail|", 1), 3);
	assert_int_equal(run("repeat x do", "", 1), 1);
	assert_int_equal(run("repeat 3", "", 1), 1);
	run("repeat 2 repeat 2 do", "do|do|do|do|", 0);
	interrupt_after = 3;
	run("repeat 9 do", "do|do|", 0);
}

/* A word that grows beyond the room for it is refused, not cut. */
static void test_repeat_long(void **state)
{
	char text[400] = "repeat 1 do ";

	memset(text + strlen(text), 'x', EDIT_LINE_MAX + 20);
	assert_int_equal(run(text, "", 1), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines), cmocka_unit_test(test_comments), cmocka_unit_test(test_failures),
		cmocka_unit_test(test_repeat), cmocka_unit_test(test_repeat_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
