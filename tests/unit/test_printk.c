/* SPDX-License-Identifier: MIT */
/* Formatting agrees with the C library's on every conversion we have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../hypervisor/debug/printk.c"

static char console[512];
static size_t console_length;

void console_write(const char *text, size_t length)
{
	memcpy(console, text, length);
	console_length = length;
}

void log_record(const char *text, size_t length) { }

static size_t hv_format(char *to, size_t size, const char *format, ...)
{
	va_list arguments;
	size_t n;

	va_start(arguments, format);
	n = vscnprintf(to, size, format, arguments);
	va_end(arguments);
	return n;
}

#define SAME(size, ...) do { \
	char ours[128], theirs[128]; \
	memset(ours, '#', sizeof(ours)); \
	memset(theirs, '#', sizeof(theirs)); \
	size_t n_ = snprintf(theirs, size, __VA_ARGS__); \
	assert_int_equal(hv_format(ours, size, __VA_ARGS__), min(n_, (size_t)(size) - 1)); \
	assert_memory_equal(ours, theirs, sizeof(ours)); \
} while (0)

#pragma GCC diagnostic ignored "-Wformat-truncation"

static void numbers(void **state)
{
	static const u64 values[] = { 0, 1, 9, 10, 0x7f, 0x80, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 1ull << 63, ~0ull };

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		u64 n = values[i];

		SAME(128, "%d %u %x", (int)n, (unsigned)n, (unsigned)n);
		SAME(128, "%ld|%lu|%lx", (long)n, n, n);
		SAME(128, "%20lu|%020lx|%5u|%016lx|%03lu", n, n, (unsigned)n, n, n);
		if (n)
			SAME(128, "%#lx", n);
	}
}

static void strings(void **state)
{
	static const char unterminated[4] = { 'a', 'b', 'c', 'd' };

	SAME(128, "%s|%.*s|%c%%", "word", 2, "word", 'x');
	SAME(128, "%.*s|%.*s", 3, unterminated, 4, unterminated);
	for (int size = 1; size < 20; size++)
		SAME(size, "%s and %d", "twelve", 345678);
}

static void lines(void **state)
{
	char expected[300] = "(PV) ", longest[400];

	log_level = LOG_WARNING;
	console_length = 0;
	log_info("dropped");
	assert_int_equal(console_length, 0);
	log_error("kept %d", 1);
	assert_memory_equal(console, "(PV) kept 1\n", console_length);
	memset(longest, 'y', sizeof(longest));
	longest[399] = 0;
	log_error("%s", longest);
	memset(expected + 5, 'y', 250);
	assert_memory_equal(console, expected, 250);
	assert_int_equal(console[console_length - 1], '\n');
	assert_true(console_length <= 256);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers), cmocka_unit_test(strings), cmocka_unit_test(lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
