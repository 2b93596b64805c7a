/* SPDX-License-Identifier: MIT */
/* Formatting agrees with the C library's on every conversion we have; the log keeps the last bytes in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define vsnprintf hv_vsnprintf
#define snprintf hv_snprintf
#include "../../hypervisor/debug/printk.c"
#undef snprintf
#undef vsnprintf

static char console[512];
static size_t console_length;

void console_write(const char *text, size_t length)
{
	memcpy(console, text, length);
	console_length = length;
}

void spin_wait(struct spinlock *l)
{
	fail_msg("a lock is held");
}

#define SAME(size, ...) do { \
	char ours[128], theirs[128]; \
	memset(ours, '#', sizeof(ours)); \
	memset(theirs, '#', sizeof(theirs)); \
	assert_int_equal(hv_snprintf(ours, size, __VA_ARGS__), snprintf(theirs, size, __VA_ARGS__)); \
	assert_memory_equal(ours, theirs, sizeof(ours)); \
} while (0)

#pragma GCC diagnostic ignored "-Wformat-truncation"

static void numbers(void **state)
{
	static const u64 values[] = { 0, 1, 9, 10, 0x7f, 0x80, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 1ull << 63, ~0ull };

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		u64 n = values[i];

		SAME(128, "%d %u %x %i", (int)n, (unsigned)n, (unsigned)n, (int)n);
		SAME(128, "%ld|%lu|%lx|%llx|%zu", (long)n, n, n, (unsigned long long)n, (size_t)n);
		SAME(128, "%hhu %hx", (unsigned char)n, (unsigned short)n);
		SAME(128, "%20ld|%-20lu|%020lx|%5d", (long)n, n, n, (int)n);
		SAME(128, "%05d|%*d|%016lx", (int)n, 12, (int)n, n);
		if (n)
			SAME(128, "%#lx|%p", n, (void *)n);
	}
}

static void strings(void **state)
{
	static const char unterminated[4] = { 'a', 'b', 'c', 'd' };

	SAME(128, "%s|%10s|%-10s|%.2s|%c%%", "word", "word", "word", "word", 'x');
	SAME(128, "%.*s|%.4s", 3, unterminated, unterminated);
	for (int size = 0; size < 20; size++)
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

/* A reader that comes late gets the last LOG_SIZE bytes; one that keeps up gets everything once. */
static void ring(void **state)
{
	static char all[LOG_SIZE + 1], piece[100];
	u64 late = 0, steady = 0;
	size_t n, got = 0;

	while (log_read(&steady, piece, sizeof(piece)) == sizeof(piece))
		;
	for (int i = 0; i < 5000; i++) {
		log_error("line %d", i);
		n = log_read(&steady, piece, sizeof(piece));
		assert_memory_equal(piece, console, n);
		assert_int_equal(n, console_length);
	}
	while ((n = log_read(&late, piece, 37)) > 0) {
		memcpy(all + got, piece, n);
		got += n;
	}
	assert_int_equal(got, LOG_SIZE);
	assert_memory_equal(all + got - 15, "(PV) line 4999\n", 15);
	assert_int_equal(late, steady);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers), cmocka_unit_test(strings), cmocka_unit_test(lines), cmocka_unit_test(ring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
