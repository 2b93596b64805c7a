/* SPDX-License-Identifier: MIT */
/* Bytes are numbered from the first one ever written; those from MAX(0, written - SCROLLBACK_SIZE) on are there. */
#include "../../pvkernel/include/lib.h"
#include "scrollback.h"

void scrollback_add(struct scrollback *s, const char *text, size_t length)
{
	for (; length; length--)
		s->bytes[s->written++ % SCROLLBACK_SIZE] = *text++;
}

static u64 oldest(const struct scrollback *s)
{
	return s->written - MIN(s->written, SCROLLBACK_SIZE);
}

size_t scrollback_newest(const struct scrollback *s, char *buf, size_t size)
{
	u64 n = MIN(size, s->written - oldest(s));

	for (u64 i = 0; i < n; i++)
		buf[i] = s->bytes[(s->written - n + i) % SCROLLBACK_SIZE];
	return n;
}

bool scrollback_find(const struct scrollback *s, u64 *from, const char *text)
{
	for (u64 at = MAX(*from, oldest(s)); at < s->written; at++) {
		size_t n = 0;

		while (text[n] && at + n < s->written && s->bytes[(at + n) % SCROLLBACK_SIZE] == text[n])
			n++;
		if (!text[n]) {
			*from = at + n;
			return true;
		}
	}
	return false;
}
