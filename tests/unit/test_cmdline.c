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

int log_level;
static char said[1024];

void printk_at(int level, const char *format, ...)
{
	size_t n = strlen(said);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(said + n, sizeof(said) - n, format, arguments);
	va_end(arguments);
}

void strlcpy(char *to, const char *from, size_t size)
{
	snprintf(to, size, "%s", from);
}

static void parse(const char *line)
{
	char copy[128];

	snprintf(copy, sizeof(copy), "%s", line);
	said[0] = '\0';
	cmdline_parse(copy);
}

static void sizes(void **state)
{
	static const struct { const char *word; u64 bytes; } good[] = {
		{ "128M", 128ul << 20 }, { "1g", 1ul << 30 }, { "4096", 4096ul << 10 }, { "512K", 512ul << 10 }, { "77b", 77 },
		{ "0x10M", 16ul << 20 }, { "max:64M", 64ul << 20 }, { "min:1M,max:64M", 64ul << 20 }, { "32M,max:64M", 64ul << 20 },
	};
	static const char *const bad[] = { "", "M", "12Q", "12MM", "max:" };
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
	parse("  console=com1   com1=115200,8n1 loglvl=all guest_loglvl=error/warning maxcpus=3 noreboot smap=0 ");
	assert_string_equal(said, "");
	assert_string_equal(options.console, "com1");
	assert_string_equal(options.com1, "115200,8n1");
	assert_int_equal(log_level, LOG_DEBUG);
	assert_int_equal(options.guest_log_level, LOG_ERROR);
	assert_int_equal(options.maxcpus, 3);
	assert_true(options.noreboot);
	assert_false(options.smap);
	parse("smap no-noreboot");
	assert_true(options.smap);
	assert_false(options.noreboot);
	parse("no-smap");
	assert_false(options.smap);
	assert_string_equal(said, "");
}

static void refusals(void **state)
{
	static const char *const bad[] = {
		"smap=perhaps", "no-maxcpus", "no-smap=1", "maxcpus", "maxcpus=x", "loglvl=loud", "console=vga", "com1=fast", "com1=9600,7e1",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		parse(bad[i]);
		assert_non_null(strstr(said, "cannot be"));
	}
	parse("frobnicate=1 smap");
	assert_string_equal(said, "command line: unknown option frobnicate");
	assert_true(options.smap);
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
