/* SPDX-License-Identifier: MIT */
/* The line editor: bytes of a terminal in, bytes for a terminal out, no other world. */
#ifndef PVK_EDIT_H
#define PVK_EDIT_H

#include "types.h"

#define EDIT_LINE_MAX 256		/* with the NUL */
#define EDIT_HISTORY 16

enum edit_result { EDIT_MORE, EDIT_DONE, EDIT_CANCELLED };

struct editor {
	void (*out)(void *arg, const char *text, size_t len);
	void *arg;
	const char *prompt;
	char line[EDIT_LINE_MAX];
	unsigned int len, cursor;
	unsigned int state;		/* of an escape sequence, see edit.c */
	unsigned int number;		/* its parameter */
	bool after_return;		/* the newline of CR LF is no second line */
	char history[EDIT_HISTORY][EDIT_LINE_MAX];
	unsigned int nr_history;	/* lines ever kept; the last EDIT_HISTORY are there */
	unsigned int browse;		/* how far back: 0 is the line being typed */
	char typed[EDIT_LINE_MAX];	/* that line, while history is shown */
};

/* An empty line with its prompt. History stays. */
void edit_start(struct editor *e);

/*
 * One byte from the terminal. EDIT_DONE: e->line is complete and kept in history unless it is empty
 * or the last one again. EDIT_CANCELLED: ctrl-c.
 */
enum edit_result edit_byte(struct editor *e, char c);

#endif
