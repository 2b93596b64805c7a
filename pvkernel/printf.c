/* SPDX-License-Identifier: MIT */
/*
 * Formatted text. One conversion is parsed into struct spec, turned into digits in a small buffer,
 * and put out with its padding; out.len counts also what did not fit.
 */
#include "lib.h"

struct out {
	char *buf;
	size_t size;
	size_t len;
};

struct spec {
	bool left, zero, upper;
	int width, precision;
	int length;			/* how many l: 0 int, 1 or more 64 bits; negative: short */
};

static void put(struct out *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void put_padded(struct out *o, const struct spec *s, const char *sign, const char *text, int n)
{
	int signs = strlen(sign);
	int pad = s->width - n - signs;

	if (!s->left && !s->zero)
		for (; pad > 0; pad--)
			put(o, ' ');
	for (; *sign; sign++)
		put(o, *sign);
	if (s->zero && !s->left)
		for (; pad > 0; pad--)
			put(o, '0');
	for (; n > 0; n--)
		put(o, *text++);
	for (; pad > 0; pad--)
		put(o, ' ');
}

static void put_number(struct out *o, const struct spec *s, const char *sign, u64 v, unsigned int base)
{
	const char *digits = s->upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char text[24];
	int i = sizeof(text);

	do
		text[--i] = digits[v % base];
	while (v /= base);
	while ((int)sizeof(text) - i < s->precision && i > 0)
		text[--i] = '0';
	put_padded(o, s, sign, text + i, sizeof(text) - i);
}

static void put_string(struct out *o, struct spec *s, const char *text)
{
	int n = 0;

	if (!text)
		text = "(null)";
	while ((s->precision < 0 || n < s->precision) && text[n])
		n++;
	s->zero = false;
	put_padded(o, s, "", text, n);
}

static int parse_count(const char **fmt, va_list *ap)
{
	int n = 0;

	if (**fmt == '*') {
		++*fmt;
		return va_arg(*ap, int);
	}
	while (**fmt >= '0' && **fmt <= '9')
		n = n * 10 + *(*fmt)++ - '0';
	return n;
}

static struct spec parse_spec(const char **fmt, va_list *ap)
{
	struct spec s = { .precision = -1 };

	for (;; ++*fmt) {
		if (**fmt == '-')
			s.left = true;
		else if (**fmt == '0')
			s.zero = true;
		else
			break;
	}
	s.width = parse_count(fmt, ap);
	if (s.width < 0) {
		s.left = true;
		s.width = -s.width;
	}
	if (**fmt == '.') {
		++*fmt;
		s.precision = parse_count(fmt, ap);
	}
	for (;; ++*fmt) {
		if (**fmt == 'l' || **fmt == 'z' || **fmt == 't')
			s.length++;
		else if (**fmt == 'h')
			s.length--;
		else
			return s;
	}
}

static void put_signed(struct out *o, const struct spec *s, va_list *ap)
{
	s64 v = s->length > 0 ? va_arg(*ap, s64) : va_arg(*ap, int);

	put_number(o, s, v < 0 ? "-" : "", v < 0 ? -(u64)v : (u64)v, 10);
}

static void put_unsigned(struct out *o, const struct spec *s, va_list *ap, unsigned int base)
{
	u64 v = s->length > 0 ? va_arg(*ap, u64) : va_arg(*ap, unsigned int);

	if (s->length == -1)
		v = (u16)v;
	else if (s->length == -2)
		v = (u8)v;
	put_number(o, s, "", v, base);
}

static void convert(struct out *o, const char **fmt, va_list *ap)
{
	struct spec s = parse_spec(fmt, ap);
	char c = **fmt;

	if (!c)
		return;
	++*fmt;
	switch (c) {
	case 'd':
	case 'i':
		put_signed(o, &s, ap);
		break;
	case 'u':
		put_unsigned(o, &s, ap, 10);
		break;
	case 'X':
		s.upper = true;
		put_unsigned(o, &s, ap, 16);
		break;
	case 'x':
		put_unsigned(o, &s, ap, 16);
		break;
	case 'p':
		put_number(o, &s, "0x", (u64)va_arg(*ap, void *), 16);
		break;
	case 'c':
		s.zero = false;
		put_padded(o, &s, "", (char []){ va_arg(*ap, int) }, 1);
		break;
	case 's':
		put_string(o, &s, va_arg(*ap, const char *));
		break;
	default:
		put(o, c);
	}
}

int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
	struct out o = { buf, size, 0 };
	va_list args;

	va_copy(args, ap);
	while (*fmt) {
		if (*fmt != '%') {
			put(&o, *fmt++);
			continue;
		}
		fmt++;
		convert(&o, &fmt, &args);
	}
	va_end(args);
	if (size)
		buf[MIN(o.len, size - 1)] = 0;
	return o.len;
}

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n;
}
