/* SPDX-License-Identifier: MIT */
/*
 * Formatted messages for the console. Conversions: d s c %, and u x with a width, 0 and #; l before d u x; .* before s. What
 * does not fit is left out.
 */
#include <console.h>
#include <stdarg.h>
#include <string.h>
#include <types.h>

u64 log_level = LOG_INFO;

struct output {
	char *at, *end;		/* end: where the final 0 goes at the latest */
};

static void put(struct output *o, char c)
{
	if (o->at < o->end)
		*o->at++ = c;
}

static void put_text(struct output *o, const char *text, int n)
{
	while (n-- > 0)
		put(o, *text++);
}

static void put_number(struct output *o, u64 n, unsigned base, int width, char fill)
{
	char digits[24], *end = digits + sizeof(digits), *at = end;

	do {
		*--at = "0123456789abcdef"[n % base];
		n /= base;
	} while (n);
	for (width -= end - at; width > 0; width--)
		put(o, fill);
	put_text(o, at, end - at);
}

static void put_signed(struct output *o, s64 n)
{
	if (n < 0)
		put(o, '-');
	put_number(o, n < 0 ? -(u64)n : (u64)n, 10, 0, ' ');
}

/* The conversion behind a '%' at f; answers its last character. */
static const char *put_conversion(struct output *o, const char *f, va_list *arguments)
{
	bool prefix = *f == '#' && f++, limited, wide;
	char fill = *f == '0' ? '0' : ' ';
	int width = strtoul(f, (char **)&f, 10), limit = 0;
	const char *text;

	limited = f[0] == '.' && f[1] == '*';
	if (limited) {
		limit = va_arg(*arguments, int);
		f += 2;
	}
	wide = *f == 'l' && f++;
	switch (*f) {
	case 's':
		text = va_arg(*arguments, const char *);
		put_text(o, text, limited ? strnlen(text, limit) : strlen(text));
		break;
	case 'c':
		put(o, va_arg(*arguments, int));
		break;
	case 'd':
		put_signed(o, wide ? va_arg(*arguments, s64) : va_arg(*arguments, s32));
		break;
	case 'u': case 'x':
		put_text(o, "0x", prefix ? 2 : 0);
		put_number(o, wide ? va_arg(*arguments, u64) : va_arg(*arguments, u32), *f == 'x' ? 16 : 10, width, fill);
		break;
	default:
		put(o, *f);
	}
	return f;
}

size_t vscnprintf(char *to, size_t size, const char *format, va_list arguments)
{
	struct output o = { to, to + size - 1 };
	va_list copy;

	va_copy(copy, arguments);
	for (const char *f = format; *f; f++) {
		if (*f == '%')
			f = put_conversion(&o, f + 1, &copy);
		else
			put(&o, *f);
	}
	va_end(copy);
	*o.at = '\0';
	return o.at - to;
}

void printk_at(unsigned level, const char *format, ...)
{
	static const char prefix[] = "(PV) ";
	char line[256];
	size_t n = sizeof(prefix) - 1;
	va_list arguments;

	if (level > log_level)
		return;
	memcpy(line, prefix, n);
	va_start(arguments, format);
	n += vscnprintf(line + n, sizeof(line) - n, format, arguments);
	va_end(arguments);
	line[n++] = '\n';	/* in place of the 0 */
	log_record(line, n);
	console_write(line, n);
}
