/* SPDX-License-Identifier: MIT */
/* The hypervisor's command line: every option, every refusal, and words that nobody knows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../hypervisor/boot/cmdline.c"

u64 log_level;
char *strstr(const char *text, const char *part);
static char said[1024];

void printk_at(unsigned level, const char *format, ...)
{
	size_t n = strlen(said);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(said + n, sizeof(said) - n, format, arguments);
	va_end(arguments);
}

static void parse(const char *line)
{
	char copy[128];

	snprintf(copy, sizeof(copy), "%s", line);
	said[0] = '\0';
	cmdline_parse(copy);
	assert_string_equal(copy, line);	/* the guest may ask for it */
}

static void sizes(void **state)
{
	static const struct { const char *word; u64 bytes; } good[] = {
		{ "128M", 128ul << 20 }, { "1g", 1ul << 30 }, { "4096", 4096ul << 10 }, { "512K", 512ul << 10 }, { "77b", 77 },
		{ "0x10M", 16ul << 20 },
	};
	static const char *const bad[] = { "", "M", "12Q", "12MM", "max:64M" };
	char line[64];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		snprintf(line, sizeof(line), "dom0_mem=%s", good[i].word);
		parse(line);
		assert_string_equal(said, "");
		assert_int_equal(options.dom0_mem, good[i].bytes);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(line, sizeof(line), "dom0_mem=%s", bad[i]);
		parse(line);
		assert_non_null(strstr(said, "dom0_mem cannot be"));
	}
}

static void words(void **state)
{
	parse("  console=none   loglvl=warning maxcpus=3 smap=0 ");
	assert_string_equal(said, "");
	assert_int_equal(options.console, 0);
	assert_int_equal(log_level, LOG_WARNING);
	assert_int_equal(options.maxcpus, 3);
	assert_int_equal(options.smap, 0);
	parse("smap=1 console=com1 loglvl=all");
	assert_int_equal(options.console, 1);
	assert_true(log_level > LOG_INFO);
	assert_int_equal(options.smap, 1);
	parse("dom0_max_vcpus=5 dom0_vcpus_pin");
	assert_int_equal(options.dom0_max_vcpus, 5);
	assert_int_equal(options.dom0_vcpus_pin, 1);
	parse("dom0_vcpus_pin=0");
	assert_int_equal(options.dom0_vcpus_pin, 0);
	assert_string_equal(said, "");
}

static void refusals(void **state)
{
	static const char *const bad[] = {
		"smap=perhaps", "smap", "maxcpus", "maxcpus=x", "loglvl=loud", "console=vga", "dom0_max_vcpus",
		"dom0_vcpus_pin=2",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		parse(bad[i]);
		assert_non_null(strstr(said, "cannot be"));
	}
	parse("frobnicate=1 smap=1");
	assert_string_equal(said, "command line: unknown option frobnicate");
	assert_int_equal(options.smap, 1);
	assert_int_equal(options.maxcpus, 3);
	parse("");
	assert_string_equal(said, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes), cmocka_unit_test(words), cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
