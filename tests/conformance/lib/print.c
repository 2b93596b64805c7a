/* SPDX-License-Identifier: MIT */
/*
 * Formatted text to the hypervisor's console. A line goes out in one hypercall, so that the
 * hypervisor's own messages fall between lines and not into them.
 */
#include "guest.h"
#include <stdarg.h>

bool second_domain;
char print_log[16384];
uint32_t print_log_used;

static char line[512];
static size_t used;

static void log_line(void)
{
	for (size_t i = 0; i < used && print_log_used < sizeof(print_log); i++)
		print_log[print_log_used++] = line[i];
}

static void put(char c)
{
	if (used < sizeof(line))
		line[used++] = c;
	if (c != '\n' && used < sizeof(line))
		return;
	if (second_domain)
		log_line();
	else
		hypercall(console_io, CONSOLEIO_write, used, line);
	used = 0;
}

static void put_number(uint64_t value, unsigned int base, bool negative, int width, char fill)
{
	char digits[24];
	int n = 0;

	do {
		digits[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	if (negative)
		digits[n++] = '-';
	while (width-- > n)
		put(fill);
	while (n)
		put(digits[--n]);
}

static void put_string(const char *s)
{
	for (s = s ? s : "(null)"; *s; s++)
		put(*s);
}

static void put_signed(int64_t value, int width, char fill)
{
	put_number(value < 0 ? -(uint64_t)value : (uint64_t)value, 10, value < 0, width, fill);
}

/* One conversion, `format` at the character after '%'; returns the last character used. */
static const char *convert(const char *format, va_list *args)
{
	char fill = *format == '0' ? '0' : ' ';
	int width = 0;
	bool is_long = false;

	for (; *format >= '0' && *format <= '9'; format++)
		width = width * 10 + *format - '0';
	for (; *format == 'l' || *format == 'z'; format++)
		is_long = true;
	switch (*format) {
	case 'd':
		put_signed(is_long ? va_arg(*args, int64_t) : va_arg(*args, int), width, fill);
		break;
	case 'u':
		put_number(is_long ? va_arg(*args, uint64_t) : va_arg(*args, unsigned int), 10, false,
			   width, fill);
		break;
	case 'x':
		put_number(is_long ? va_arg(*args, uint64_t) : va_arg(*args, unsigned int), 16, false,
			   width, fill);
		break;
	case 'p':
		put_number((uint64_t)va_arg(*args, void *), 16, false, 16, '0');
		break;
	case 's':
		put_string(va_arg(*args, const char *));
		break;
	case 'c':
		put((char)va_arg(*args, int));
		break;
	default:
		put(*format);
	}
	return format;
}

void print_va(const char *format, va_list args)
{
	va_list copy;

	va_copy(copy, args);
	for (; *format; format++) {
		if (*format == '%')
			format = convert(format + 1, &copy);
		else
			put(*format);
	}
	va_end(copy);
}

void print(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_va(format, args);
	va_end(args);
}
