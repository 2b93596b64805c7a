/* SPDX-License-Identifier: MIT */
/*
 * Line editing for a VT100-like terminal.
 *
 *	line[0 .. len) is the text, cursor <= len < EDIT_LINE_MAX, and the terminal shows prompt and
 *	text with its cursor at the same place; every function here keeps both true.
 *
 *	left right home end  ctrl-b -f -a -e	backspace delete  ctrl-h -d
 *	ctrl-u to the start, -k to the end, -w the word before: deleted
 *	up down  ctrl-p -n: history		ctrl-l: shown again on a clear screen
 */
#include "edit.h"
#include "lib.h"

enum { STATE_TEXT, STATE_ESC, STATE_CSI };

#define CTRL(c) ((c) & 31)

static void out(struct editor *e, const char *text, size_t len)
{
	e->out(e->arg, text, len);
}

static void out_string(struct editor *e, const char *text)
{
	out(e, text, strlen(text));
}

/* Writes the whole line again and puts the terminal's cursor where ours is. */
static void redraw(struct editor *e)
{
	char move[16];

	out_string(e, "\r");
	out_string(e, e->prompt);
	out(e, e->line, e->len);
	out_string(e, "\033[K");
	if (e->cursor < e->len) {
		snprintf(move, sizeof(move), "\033[%uD", e->len - e->cursor);
		out_string(e, move);
	}
}

void edit_start(struct editor *e)
{
	e->len = e->cursor = e->state = e->browse = 0;
	e->line[0] = 0;
	out_string(e, e->prompt);
}

static void insert(struct editor *e, char c)
{
	if (e->len + 1 >= EDIT_LINE_MAX)
		return;
	memmove(e->line + e->cursor + 1, e->line + e->cursor, e->len - e->cursor + 1);
	e->line[e->cursor++] = c;
	e->len++;
	if (e->cursor == e->len)
		out(e, &c, 1);
	else
		redraw(e);
}

/* Deletes from first up to end; the cursor is left where the text was. */
static void delete_range(struct editor *e, unsigned int first, unsigned int end)
{
	if (first >= end)
		return;
	memmove(e->line + first, e->line + end, e->len - end + 1);
	e->len -= end - first;
	e->cursor = first;
	redraw(e);
}

static unsigned int word_start(const struct editor *e)
{
	unsigned int i = e->cursor;

	while (i && e->line[i - 1] == ' ')
		i--;
	while (i && e->line[i - 1] != ' ')
		i--;
	return i;
}

static void move_to(struct editor *e, unsigned int where)
{
	e->cursor = MIN(where, e->len);
	redraw(e);
}

static void set_line(struct editor *e, const char *text)
{
	e->len = e->cursor = strlen(text);
	memmove(e->line, text, e->len + 1);
	redraw(e);
}

static void browse_to(struct editor *e, unsigned int back)
{
	if (back > MIN(e->nr_history, EDIT_HISTORY))
		return;
	if (!e->browse)
		memcpy(e->typed, e->line, e->len + 1);
	e->browse = back;
	set_line(e, back ? e->history[(e->nr_history - back) % EDIT_HISTORY] : e->typed);
}

static void keep_line(struct editor *e)
{
	const char *last = e->history[(e->nr_history + EDIT_HISTORY - 1) % EDIT_HISTORY];

	if (e->len && (!e->nr_history || strcmp(last, e->line)))
		memcpy(e->history[e->nr_history++ % EDIT_HISTORY], e->line, e->len + 1);
}

static enum edit_result finish(struct editor *e, char c)
{
	bool second_half = c == '\n' && e->after_return;

	e->after_return = c == '\r';
	if (second_half)
		return EDIT_MORE;
	out_string(e, "\n");
	keep_line(e);
	return EDIT_DONE;
}

static void clear_screen(struct editor *e)
{
	out_string(e, "\033[2J\033[H");
	redraw(e);
}

static void control(struct editor *e, char c)
{
	switch (c) {
	case CTRL('a'): move_to(e, 0); break;
	case CTRL('e'): move_to(e, e->len); break;
	case CTRL('b'): move_to(e, e->cursor ? e->cursor - 1 : 0); break;
	case CTRL('f'): move_to(e, e->cursor + 1); break;
	case CTRL('d'): delete_range(e, e->cursor, MIN(e->cursor + 1, e->len)); break;
	case CTRL('u'): delete_range(e, 0, e->cursor); break;
	case CTRL('k'): delete_range(e, e->cursor, e->len); break;
	case CTRL('w'): delete_range(e, word_start(e), e->cursor); break;
	case CTRL('p'): browse_to(e, e->browse + 1); break;
	case CTRL('n'): browse_to(e, e->browse ? e->browse - 1 : 0); break;
	case CTRL('l'): clear_screen(e); break;
	case CTRL('h'):
	case 127: delete_range(e, e->cursor ? e->cursor - 1 : 0, e->cursor); break;
	case 27: e->state = STATE_ESC; break;
	}
}

/* What follows ESC [ or ESC O, with its number: 1 4 7 8 and 3 are keys that end in ~. */
static void escape_final(struct editor *e, char c)
{
	static const struct { char final; unsigned int number; char meaning; } keys[] = {
		{ 'A', 0, CTRL('p') }, { 'B', 0, CTRL('n') }, { 'C', 0, CTRL('f') }, { 'D', 0, CTRL('b') },
		{ 'H', 0, CTRL('a') }, { 'F', 0, CTRL('e') }, { '~', 1, CTRL('a') }, { '~', 7, CTRL('a') },
		{ '~', 4, CTRL('e') }, { '~', 8, CTRL('e') }, { '~', 3, CTRL('d') },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(keys); i++) {
		if (keys[i].final == c && keys[i].number == e->number)
			control(e, keys[i].meaning);
	}
}

static void escape(struct editor *e, char c)
{
	if (e->state == STATE_ESC) {
		e->state = c == '[' || c == 'O' ? STATE_CSI : STATE_TEXT;
		e->number = 0;
	} else if (c >= '0' && c <= '9') {
		e->number = e->number * 10 % 1000 + c - '0';
	} else if (c < 0x20 || c >= 0x40) {
		e->state = STATE_TEXT;
		escape_final(e, c);
	}
}

enum edit_result edit_byte(struct editor *e, char c)
{
	if (e->state != STATE_TEXT) {
		escape(e, c);
		return EDIT_MORE;
	}
	if (c == '\r' || c == '\n')
		return finish(e, c);
	e->after_return = false;
	if (c == CTRL('c')) {
		out_string(e, "^C\n");
		return EDIT_CANCELLED;
	}
	if ((u8)c < 0x20 || c == 127)
		control(e, c);
	else if ((u8)c < 0x80)
		insert(e, c);
	return EDIT_MORE;
}
