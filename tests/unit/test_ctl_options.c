/* SPDX-License-Identifier: MIT */
/* pvkernel/control/options.c: words, options and sizes of the toolstack's commands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PVK_LIB_H			/* the host has these functions already */
#include "types.h"

static bool parse_u64(const char *s, u64 *val)
{
	char *end;

	*val = strtoull(s, &end, 10);
	return *s >= '0' && *s <= '9' && !*end;
}

bool domains_find(const char *word, u16 *domid);

#include "../../pvkernel/control/options.c"

bool domains_find(const char *word, u16 *domid)
{
	*domid = 7;
	return !strcmp(word, "seven");
}

static void test_sizes(void **state)
{
	static const struct { const char *text; u64 kib; } good[] = {
		{ "0", 0 }, { "64", 64 }, { "64k", 64 }, { "64m", 65536 }, { "64M", 65536 }, { "2g", 2097152 }, { "1t", 1073741824 },
		{ "4096b", 4 }, { "4095b", 3 },
	};
	static const char *const bad[] = { "", "m", "x", "1x", "1mm", "-1", "99999999999999999999", "18446744073709551615g",
					   "111111111111111111111111111111k" };
	u64 kib;

	for (unsigned int i = 0; i < ARRAY_SIZE(good); i++) {
		assert_true(parse_kib(good[i].text, &kib));
		assert_int_equal(kib, good[i].kib);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(parse_kib(bad[i], &kib));
}

static void test_options(void **state)
{
	char *words[] = { "cmd", "-w", "a", "-d", "b", "-w", "-d" };
	const char *value = NULL;
	int n = ARRAY_SIZE(words);

	assert_int_equal(take_option(&n, words, "-x"), 0);
	assert_int_equal(take_option(&n, words, "-w"), 2);
	assert_int_equal(n, 5);
	assert_true(take_value_option(&n, words, "-d", &value));
	assert_string_equal(value, "b");
	assert_int_equal(n, 3);
	assert_string_equal(words[1], "a");
	assert_false(take_value_option(&n, words, "-d", &value));	/* nothing behind it */
	assert_int_equal(n, 3);
	assert_int_equal(take_option(&n, words, "cmd"), 0);	/* the command is no option */
}

static void test_domain(void **state)
{
	u16 domid;

	assert_true(take_domain("x", "seven", &domid));
	assert_int_equal(domid, 7);
	assert_false(take_domain("x", "eight", &domid));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes), cmocka_unit_test(test_options), cmocka_unit_test(test_domain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
