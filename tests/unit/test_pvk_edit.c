/* SPDX-License-Identifier: MIT */
/*
 * pvkernel/edit.c against a small terminal: whatever is typed, what the terminal shows is the prompt
 * and the line, with its cursor where the editor's is. By cases, and by random typing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PVK_LIB_H
#include "../../pvkernel/edit.c"

#define PROMPT "> "

/* One row of a VT100; knows \r \n, ESC[K, ESC[nD, ESC[2J, ESC[H, and nothing else. */
static struct screen {
	char row[2 * EDIT_LINE_MAX];
	size_t column;
} screen;

static size_t screen_escape(const char *text)
{
	char *end;
	unsigned long n = strtoul(text + 2, &end, 10);

	assert_int_equal(text[1], '[');
	switch (*end) {
	case 'K':
		memset(screen.row + screen.column, 0, sizeof(screen.row) - screen.column);
		break;
	case 'D':
		assert_true(n && n <= screen.column);
		screen.column -= n;
		break;
	case 'J':
		memset(screen.row, 0, sizeof(screen.row));
		break;
	case 'H':
		screen.column = 0;
		break;
	default:
		fail_msg("unknown escape %c", *end);
	}
	return end + 1 - text;
}

static void screen_out(void *unused, const char *text, size_t len)
{
	char copy[EDIT_LINE_MAX * 2] = "";

	memcpy(copy, text, len);
	for (size_t i = 0; i < len;) {
		if (copy[i] == '\033') {
			i += screen_escape(copy + i);
			continue;
		}
		if (copy[i] == '\r') {
			screen.column = 0;
		} else if (copy[i] == '\n') {
			memset(&screen, 0, sizeof(screen));
		} else {
			assert_true(screen.column + 1 < sizeof(screen.row));
			screen.row[screen.column++] = copy[i];
		}
		i++;
	}
}

static struct editor *new_editor(void)
{
	struct editor *e = calloc(1, sizeof(*e));

	e->out = screen_out;
	e->prompt = PROMPT;
	memset(&screen, 0, sizeof(screen));
	edit_start(e);
	return e;
}

static void check_screen(const struct editor *e)
{
	assert_true(e->cursor <= e->len && e->len < EDIT_LINE_MAX);
	assert_int_equal(strlen(e->line), e->len);
	assert_int_equal(screen.column, strlen(PROMPT) + e->cursor);
	assert_memory_equal(screen.row, PROMPT, strlen(PROMPT));
	assert_string_equal(screen.row + strlen(PROMPT), e->line);
}

/* Types keys and, if they do not end the line, wants this line and cursor. */
static void type(struct editor *e, const char *keys, const char *line, unsigned int cursor)
{
	for (; *keys; keys++)
		assert_int_equal(edit_byte(e, *keys), EDIT_MORE);
	assert_string_equal(e->line, line);
	assert_int_equal(e->cursor, cursor);
	check_screen(e);
}

static void enter(struct editor *e, const char *line)
{
	assert_int_equal(edit_byte(e, '\r'), EDIT_DONE);
	assert_string_equal(e->line, line);
	edit_start(e);
	check_screen(e);
}

static void test_editing(void **state)
{
	struct editor *e = new_editor();

	type(e, "hello", "hello", 5);
	type(e, "\033[D\033[DX", "helXlo", 4);
	type(e, "\177", "hello", 3);
	type(e, "\001>", ">hello", 1);
	type(e, "\005<", ">hello<", 7);
	type(e, "\033[H\004", "hello<", 0);
	type(e, "\033[F\b", "hello", 5);
	type(e, "\033[1~\033[3~", "ello", 0);
	type(e, "\033[4~ a  word \027", "ello a  ", 8);
	type(e, "\027", "ello ", 5);
	type(e, "\001\006\013", "e", 1);
	type(e, "abc\002\025", "c", 0);
	type(e, "\033[C\033[C\033[C", "c", 1);
	type(e, "\033OD\033OD", "c", 0);
	type(e, "\014", "c", 0);
	type(e, "\177\177", "c", 0);
	enter(e, "c");
	free(e);
}

static void test_history(void **state)
{
	struct editor *e = new_editor();

	type(e, "\020", "", 0);
	type(e, "one", "one", 3);
	enter(e, "one");
	type(e, "two", "two", 3);
	enter(e, "two");
	enter(e, "");
	type(e, "two", "two", 3);
	enter(e, "two");
	type(e, "typing", "typing", 6);
	type(e, "\033[A", "two", 3);
	type(e, "\020", "one", 3);
	type(e, "\020", "one", 3);
	type(e, "\033[B\016", "typing", 6);
	type(e, "\016", "typing", 6);
	type(e, "\020\020!", "one!", 4);
	enter(e, "one!");
	type(e, "\020", "one!", 4);
	free(e);
}

static void test_history_is_a_ring(void **state)
{
	struct editor *e = new_editor();
	char line[24];

	for (int i = 0; i < 3 * EDIT_HISTORY; i++) {
		snprintf(line, sizeof(line), "line %d", i);
		type(e, line, line, strlen(line));
		enter(e, line);
	}
	for (int i = 0; i < EDIT_HISTORY; i++) {
		snprintf(line, sizeof(line), "line %d", 3 * EDIT_HISTORY - 1 - i);
		type(e, "\020", line, strlen(line));
	}
	type(e, "\020", line, strlen(line));
	free(e);
}

static void test_ends(void **state)
{
	struct editor *e = new_editor();

	type(e, "x", "x", 1);
	assert_int_equal(edit_byte(e, '\r'), EDIT_DONE);
	edit_start(e);
	assert_int_equal(edit_byte(e, '\n'), EDIT_MORE);	/* of the same key */
	assert_int_equal(edit_byte(e, '\n'), EDIT_DONE);
	edit_start(e);
	type(e, "abc", "abc", 3);
	assert_int_equal(edit_byte(e, 3), EDIT_CANCELLED);
	edit_start(e);
	type(e, "\020", "x", 1);
	free(e);
}

static void test_full_line(void **state)
{
	struct editor *e = new_editor();

	for (int i = 0; i < 2 * EDIT_LINE_MAX; i++)
		assert_int_equal(edit_byte(e, 'a'), EDIT_MORE);
	assert_int_equal(e->len, EDIT_LINE_MAX - 1);
	check_screen(e);
	free(e);
}

static void test_random_typing(void **state)
{
	static const char *const keys[] = {
		"\001", "\002", "\004", "\005", "\006", "\b", "\013", "\014", "\016", "\020", "\025", "\027",
		"\177", "\033[A", "\033[B", "\033[C", "\033[D", "\033[H", "\033[F", "\033[3~", "\033[99~",
		"\033Q", "\033[?5h", "\300", " ", "a", "word", "q r", "\r", "\n", "\003", "\t",
	};
	struct editor *e = new_editor();

	srand(1);
	for (int i = 0; i < 200000; i++) {
		for (const char *k = keys[rand() % (sizeof(keys) / sizeof(*keys))]; *k; k++) {
			if (edit_byte(e, *k) != EDIT_MORE)
				edit_start(e);
		}
		check_screen(e);
	}
	free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_editing),
		cmocka_unit_test(test_history),
		cmocka_unit_test(test_history_is_a_ring),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_full_line),
		cmocka_unit_test(test_random_typing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
