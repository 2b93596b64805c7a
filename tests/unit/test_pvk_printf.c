/* SPDX-License-Identifier: MIT */
/* pvkernel/printf.c against the host's own, conversion by conversion, and its bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "types.h"

#define PVK_LIB_H
#define vsnprintf pvk_vsnprintf
#define snprintf pvk_snprintf
int pvk_vsnprintf(char *buf, size_t size, const char *fmt, va_list ap);
int pvk_snprintf(char *buf, size_t size, const char *fmt, ...);
#include "../../pvkernel/printf.c"
#undef vsnprintf
#undef snprintf

#define SAME(...) do { \
	char ours[128], theirs[128]; \
	int n = pvk_snprintf(ours, sizeof(ours), __VA_ARGS__); \
	assert_int_equal(n, snprintf(theirs, sizeof(theirs), __VA_ARGS__)); \
	assert_string_equal(ours, theirs); \
} while (0)

static void test_conversions(void **state)
{
	SAME("plain %% text");
	SAME("%d %d %d", 0, -1, 2147483647);
	SAME("%5d|%-5d|%05d|", 42, 42, -42);
	SAME("%u %x %X", 4000000000u, 0xdeadbeef, 0xdeadbeef);
	SAME("%lu %lx %ld %zu", ~0ul, ~0ul, -9223372036854775807l - 1, sizeof(int));
	SAME("%016lx|%8x|%-8x|", 0x1234ul, 0xabc, 0xabc);
	SAME("%hu %hhu", (unsigned short)65535, (unsigned char)255);
	SAME("%s|%8s|%-8s|%.2s|%.10s|", "text", "text", "text", "text", "text");
	SAME("%*d|%-*d|%.*s", 6, 1, 6, 2, 3, "abcdef");
	SAME("%c%c|%3c|%-3c|", 'o', 'k', 'x', 'y');
	SAME("%.4d|%6.3d|", 7, 7);
	SAME("%p", (void *)0x1234);
}

static void test_bounds(void **state)
{
	char buf[8];

	memset(buf, 'z', sizeof(buf));
	assert_int_equal(pvk_snprintf(buf, 4, "%s", "longer"), 6);
	assert_string_equal(buf, "lon");
	assert_int_equal(buf[4], 'z');
	assert_int_equal(pvk_snprintf(buf, 1, "x"), 1);
	assert_int_equal(buf[0], 0);
	assert_int_equal(pvk_snprintf(NULL, 0, "count %d", 5), 7);
	assert_int_equal(pvk_snprintf(buf, sizeof(buf), "%"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conversions),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
