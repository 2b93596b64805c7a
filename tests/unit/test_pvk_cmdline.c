/* SPDX-License-Identifier: MIT */
/* pvkernel/cmdline.c: options of the boot command line, words of a shell line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define PVK_LIB_H			/* the host has these functions already */
#include "../../pvkernel/cmdline.c"

static void option(const char *line, const char *key, const char *want)
{
	char buf[32] = "untouched";

	assert_int_equal(cmdline_get(line, key, buf, sizeof(buf)), want != NULL);
	assert_string_equal(buf, want ? want : "untouched");
}

static void test_get(void **state)
{
	option("", "cpu", NULL);
	option("cpu=trap", "cpu", "trap");
	option("a b cpu=trap c", "cpu", "trap");
	option("xcpu=1 cpus=2", "cpu", NULL);
	option("cpu=one cpu=two", "cpu", "two");
	option("quiet cpu=x", "quiet", "");
	option("cpu=", "cpu", "");
	option("run=\"info;sleep 5;shutdown\" cpu=trap", "run", "info;sleep 5;shutdown");
	option("run=\"info;sleep 5;shutdown\" cpu=trap", "cpu", "trap");
	option("note=\"cpu=no such\"", "cpu", NULL);
	option("run=\"never ends", "run", "never ends");
	option("\"run=sleep 5;shutdown\" cpu=trap", "run", "sleep 5;shutdown");
	option("\"run=sleep 5;shutdown\" cpu=trap", "cpu", "trap");
	option("run=a\"b c\"d e", "run", "ab cd");
}

static void test_get_cuts(void **state)
{
	char small[4] = "zzz", one[1] = "z";

	assert_true(cmdline_get("key=12345", "key", small, sizeof(small)));
	assert_string_equal(small, "123");
	assert_true(cmdline_get("key=12345", "key", one, sizeof(one)));
	assert_int_equal(one[0], 0);
}

static void words(const char *text, const char *sep, int count, const char *const *want)
{
	char copy[64], *parts[4];

	strcpy(copy, text);
	assert_int_equal(split(copy, sep, parts, 4), count);
	for (int i = 0; i < count; i++)
		assert_string_equal(parts[i], want[i]);
}

static void test_split(void **state)
{
	words("", " ", 0, NULL);
	words("   ", " ", 0, NULL);
	words("one", " ", 1, (const char *[]){ "one" });
	words("  one\ttwo ", " \t", 2, (const char *[]){ "one", "two" });
	words("echo \"a b\" c", " ", 3, (const char *[]){ "echo", "a b", "c" });
	words("say \"\"", " ", 2, (const char *[]){ "say", "" });
	words("a;b;;c", ";", 3, (const char *[]){ "a", "b", "c" });
	words("1 2 3 4 5 6", " ", 4, (const char *[]){ "1", "2", "3", "4" });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_get),
		cmocka_unit_test(test_get_cuts),
		cmocka_unit_test(test_split),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
