/* SPDX-License-Identifier: MIT */
/* The newest bytes that a console has put out. */
#ifndef BACKEND_SCROLLBACK_H
#define BACKEND_SCROLLBACK_H

#include "../../pvkernel/include/types.h"

#define SCROLLBACK_SIZE 65536u

struct scrollback {
	char *bytes;		/* SCROLLBACK_SIZE; byte number n of the output is at n % SCROLLBACK_SIZE */
	u64 written;		/* since the console began */
};

void scrollback_add(struct scrollback *s, const char *text, size_t length);
size_t scrollback_newest(const struct scrollback *s, char *buf, size_t size);	/* the newest, at most size; how many */

/*
 * Does text, which is not empty, occur in what was written after the first *from bytes and is still there? Then *from becomes
 * the number of the byte behind its first occurrence.
 */
bool scrollback_find(const struct scrollback *s, u64 *from, const char *text);

#endif
