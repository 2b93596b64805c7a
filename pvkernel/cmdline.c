/* SPDX-License-Identifier: MIT */
/* Words and quotes, for the boot command line and for the shell. Pure functions: tests/unit has them. */
#include "cmdline.h"
#include "lib.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

/* Copies a value up to the blank that ends it, without its quotes; returns what follows it. */
static const char *take_value(const char *s, bool quoted, char *buf, size_t size)
{
	size_t n = 0;

	for (; *s && (quoted || !is_space(*s)); s++) {
		if (*s == '"')
			quoted = !quoted;
		else if (buf && n + 1 < size)
			buf[n++] = *s;
	}
	if (buf && size)
		buf[n] = 0;
	return s;
}

bool cmdline_get(const char *line, const char *key, char *buf, size_t size)
{
	size_t len = strlen(key);
	bool found = false;

	while (*line) {
		bool quote = *line == '"';	/* GRUB makes "key=two words" of key="two words" */
		bool match = !strncmp(line + quote, key, len);
		char end = match ? line[quote + len] : 'x';

		if (is_space(*line)) {
			line++;
		} else if (match && (end == '=' || !end || is_space(end))) {
			found = true;
			line = take_value(line + quote + len + (end == '='), quote, buf, size);
		} else {
			line = take_value(line, false, NULL, 0);
		}
	}
	return found;
}

int split(char *text, const char *separators, char **parts, int max)
{
	char *out = text;
	int n = 0;

	while (*text && n < max) {
		bool quoted = false, any = false;

		parts[n] = out;
		for (; *text && (quoted || !strchr(separators, *text)); text++) {
			any = true;
			if (*text == '"')
				quoted = !quoted;
			else
				*out++ = *text;
		}
		if (*text)
			text++;
		if (any) {
			n++;
			*out++ = 0;
		}
	}
	return n;
}
