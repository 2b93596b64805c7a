/* SPDX-License-Identifier: MIT */
/*
 * Formatted messages. Conversions: d i u x X p c s %, with -, 0, #, width, precision (both may be *), h hh l ll z.
 *
 * Whole messages go to the console and into a ring of the last LOG_SIZE bytes. log_lock guards the ring;
 * the console has its own lock.
 */
#include <console.h>
#include <spinlock.h>
#include <stdarg.h>
#include <string.h>
#include <types.h>

#define LOG_SIZE 16384

int log_level = LOG_INFO;

static struct spinlock log_lock;
static char log_ring[LOG_SIZE];		/* [log_lock] byte n of the log at n % LOG_SIZE */
static u64 log_end;			/* [log_lock] bytes ever logged */

/* --- formatting ------------------------------------------------------------------------------------------- */

struct output {
	char *at, *end;		/* end: where the final 0 goes at the latest */
	int length;		/* as if there were room for all */
};

static void put(struct output *o, char c)
{
	if (o->at < o->end)
		*o->at++ = c;
	o->length++;
}

struct conversion {
	bool left, zero, alternate;
	int width, precision;	/* precision -1: none */
	int longs;		/* -2 hh, -1 h, 0, 1 l z, 2 ll */
};

static void put_padded(struct output *o, const struct conversion *c, const char *text, int n, const char *prefix)
{
	int prefix_length = strlen(prefix), fill = c->width - n - prefix_length;

	for (; fill > 0 && !c->left && !c->zero; fill--)
		put(o, ' ');
	for (; *prefix; prefix++)
		put(o, *prefix);
	for (; fill > 0 && !c->left; fill--)
		put(o, '0');
	for (int i = 0; i < n; i++)
		put(o, text[i]);
	for (; fill > 0; fill--)
		put(o, ' ');
}

static void put_number(struct output *o, const struct conversion *c, u64 n, unsigned base, const char *prefix)
{
	char digits[24], *at = digits + sizeof(digits);

	do {
		*--at = "0123456789abcdef"[n % base];
		n /= base;
	} while (n);
	put_padded(o, c, at, digits + sizeof(digits) - at, prefix);
}

static void put_string(struct output *o, struct conversion *c, const char *s)
{
	if (!s)
		s = "(null)";
	c->zero = false;
	put_padded(o, c, s, c->precision < 0 ? strlen(s) : strnlen(s, c->precision), "");
}

static const char *parse_conversion(const char *f, struct conversion *c, va_list *arguments)
{
	*c = (struct conversion){ .precision = -1 };
	for (;; f++) {
		if (*f == '-')
			c->left = true;
		else if (*f == '0')
			c->zero = true;
		else if (*f == '#')
			c->alternate = true;
		else
			break;
	}
	if (*f == '*') {
		c->width = va_arg(*arguments, int);
		f++;
	} else {
		c->width = strtoul(f, (char **)&f, 10);
	}
	if (*f == '.') {
		f++;
		if (*f == '*') {
			c->precision = va_arg(*arguments, int);
			f++;
		} else {
			c->precision = strtoul(f, (char **)&f, 10);
		}
	}
	for (; *f == 'l' || *f == 'z' || *f == 'h'; f++)
		c->longs += *f == 'h' ? -1 : 1;
	return f;
}

static u64 get_unsigned(int longs, va_list *arguments)
{
	if (longs > 0)
		return va_arg(*arguments, u64);
	u32 n = va_arg(*arguments, u32);

	return longs == -2 ? (u8)n : longs == -1 ? (u16)n : n;
}

static void put_conversion(struct output *o, char kind, struct conversion *c, va_list *arguments)
{
	if (kind == 's') {
		put_string(o, c, va_arg(*arguments, const char *));
	} else if (kind == 'c') {
		put(o, va_arg(*arguments, int));
	} else if (kind == 'd' || kind == 'i') {
		s64 n = c->longs > 0 ? va_arg(*arguments, s64) : va_arg(*arguments, s32);

		put_number(o, c, n < 0 ? -(u64)n : (u64)n, 10, n < 0 ? "-" : "");
	} else if (kind == 'u') {
		put_number(o, c, get_unsigned(c->longs, arguments), 10, "");
	} else if (kind == 'x' || kind == 'X') {
		put_number(o, c, get_unsigned(c->longs, arguments), 16, c->alternate ? "0x" : "");
	} else if (kind == 'p') {
		put_number(o, c, va_arg(*arguments, u64), 16, "0x");
	} else {
		put(o, kind);
	}
}

int vsnprintf(char *to, size_t size, const char *format, va_list arguments)
{
	struct output o = { to, size ? to + size - 1 : to, 0 };
	struct conversion c;
	va_list copy;

	va_copy(copy, arguments);
	for (const char *f = format; *f; f++) {
		if (*f != '%') {
			put(&o, *f);
			continue;
		}
		f = parse_conversion(f + 1, &c, &copy);
		if (!*f)
			break;
		put_conversion(&o, *f, &c, &copy);
	}
	va_end(copy);
	if (size)
		*o.at = '\0';
	return o.length;
}

int snprintf(char *to, size_t size, const char *format, ...)
{
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(to, size, format, arguments);
	va_end(arguments);
	return n;
}

/* --- the log ------------------------------------------------------------------------------------------------ */

static void log_append(const char *text, size_t n)
{
	spin_lock(&log_lock);
	for (size_t i = 0; i < n; i++)
		log_ring[log_end++ % LOG_SIZE] = text[i];
	spin_unlock(&log_lock);
}

size_t log_read(u64 *position, char *to, size_t size)
{
	size_t n = 0;

	spin_lock(&log_lock);
	if (log_end > LOG_SIZE && *position < log_end - LOG_SIZE)
		*position = log_end - LOG_SIZE;
	while (n < size && *position < log_end)
		to[n++] = log_ring[(*position)++ % LOG_SIZE];
	spin_unlock(&log_lock);
	return n;
}

void printk_at(int level, const char *format, ...)
{
	static const char prefix[] = "(PV) ";
	char line[256];
	size_t n = sizeof(prefix) - 1;
	va_list arguments;

	if (level > log_level)
		return;
	memcpy(line, prefix, n);
	va_start(arguments, format);
	n += vsnprintf(line + n, sizeof(line) - n - 1, format, arguments);
	va_end(arguments);
	n = min(n, sizeof(line) - 2);
	line[n++] = '\n';
	log_append(line, n);
	console_write(line, n);
}
