/* SPDX-License-Identifier: MIT */
/*
 * `capture` of domain 0's switch, and tools/pcap, which makes a file of what it prints: packets come back as they were, cut where
 * they are to be, from a console that others write to as well; what is being printed stays, whatever is asked meanwhile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "packet_host.h"

#define PVK_TIME_H
#define NSEC_PER_SEC 1000000000ul

static u64 clock_ns = 5 * NSEC_PER_SEC + 7;
static u64 wall_clock_ns(void) { return clock_ns++; }
static void *vmalloc(size_t size) { return malloc(size); }
static void vfree(void *p) { free(p); }

static bool parse_u64(const char *s, u64 *val)
{
	char *end;

	*val = strtoull(s, &end, 10);
	return *s >= '0' && *s <= '9' && !*end;
}

/* --- the console: what was printed; after each line of it somebody may do something --- */

static char *console;
static size_t console_length;
static void (*meanwhile)(void);

__attribute__((format(printf, 1, 2))) static int console_printf(const char *format, ...)
{
	char line[256];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	assert_in_range(n, 0, sizeof(line) - 1);
	console = realloc(console, console_length + n + 1);
	memcpy(console + console_length, line, n + 1);
	console_length += n;
	if (meanwhile)
		meanwhile();
	return n;
}

#define printf console_printf
#include "../../pvkernel/control/network/capture.c"
#undef printf

struct list switch_ports = LIST_INIT(switch_ports);

static struct net_device device = { .name = "vif1.0" };
static struct port port = { .device = &device };

#define run(...) run_words((const char *[]){ "capture", ##__VA_ARGS__, NULL })

static int run_words(const char **words)
{
	char *copies[6];
	int n = 0, status;

	for (; words[n]; n++)
		copies[n] = strdup(words[n]);
	status = cmd_capture(n, copies);
	while (n)
		free(copies[--n]);
	return status;
}

static int begin_test(void **state)
{
	list_init(&switch_ports);
	list_insert_before(&switch_ports, &port.node);
	port.capture = false;
	meanwhile = NULL;
	free(console);
	console = NULL;
	console_length = 0;
	return 0;
}

static int end_test(void **state)
{
	meanwhile = NULL;
	run("clear");
	free(console);
	console = NULL;
	console_length = 0;
	return pages_out != 0;
}

/* Bytes that tell the packet and their place. */
static u8 byte_of(u32 packet, u32 at)
{
	return packet * 37 + at * 11 + at / 256;
}

static void pass(u32 number, u32 length)
{
	struct packet *p = packet_alloc(length);

	for (u32 i = 0; i < length; i++) {
		u8 byte = byte_of(number, i);

		packet_write(p, i, &byte, 1);
	}
	capture_packet(p);
	packet_put(p);
}

/* --- tools/pcap --- */

/* The file that it makes of a console, or NULL: it makes none, and says so. */
static u8 *pcap_of(const char *text, size_t length, size_t *size)
{
	char folder[] = "/tmp/capture-XXXXXX", path[64], command[160];
	u8 *data = NULL;
	FILE *f;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/out", folder);
	snprintf(command, sizeof(command), "tools/pcap - %s 2>/dev/null", path);
	f = popen(command, "w");
	assert_int_equal(fwrite(text, 1, length, f), length);
	if (!pclose(f)) {
		f = fopen(path, "rb");
		assert_non_null(f);
		data = malloc(4 << 20);
		*size = fread(data, 1, 4 << 20, f);
		fclose(f);
		unlink(path);
	}
	rmdir(folder);
	return data;
}

static u32 word(const u8 *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (u32)p[3] << 24;
}

/* The records of a file, of packets first, first + 1, ... with these lengths. */
static void check_file(const u8 *file, size_t size, u32 kept, u32 first, const u32 *lengths, u32 count)
{
	size_t at = 24;

	assert_int_equal(word(file), 0xa1b23c4d);
	assert_int_equal(word(file + 4), 4 << 16 | 2);
	assert_int_equal(word(file + 16), kept);
	assert_int_equal(word(file + 20), 1);
	for (u32 n = 0; n < count; n++) {
		u32 captured = MIN(lengths[n], kept);

		assert_true(at + 16 + captured <= size);
		assert_int_equal(word(file + at), 5);
		assert_int_equal(word(file + at + 8), captured);
		assert_int_equal(word(file + at + 12), lengths[n]);
		for (u32 i = 0; i < captured; i++)
			assert_int_equal(file[at + 16 + i], byte_of(first + n, i));
		at += 16 + captured;
	}
	assert_int_equal(at, size);
}

static void check_console(u32 kept, u32 first, const u32 *lengths, u32 count)
{
	size_t size;
	u8 *file = pcap_of(console, console_length, &size);

	assert_non_null(file);
	check_file(file, size, kept, first, lengths, count);
	free(file);
}

/* --- cases --- */

static const u32 lengths[] = { 14, 60, 61, 62, 100, 101, 1514, 9000 };

static void pass_all(u32 first)
{
	for (u32 i = 0; i < ARRAY_SIZE(lengths); i++)
		pass(first + i, lengths[i]);
}

static void test_to_a_file(void **state)
{
	assert_int_equal(run("vif1.0", "on", "100"), 0);
	assert_true(port.capture && !capture_all);
	pass_all(1);
	assert_int_equal(run("vif1.0", "off"), 0);
	assert_false(port.capture);
	assert_int_equal(run("dump"), 0);
	check_console(100, 1, lengths, ARRAY_SIZE(lengths));
}

/* A guest's line that looks like a dump's, lines that end with a return, too, one of the hypervisor's, an older dump and one that has no end. */
static void test_among_others(void **state)
{
	char *text = NULL;
	size_t length, size;
	FILE *f = open_memstream(&text, &length);
	u8 *file;

	run("all", "on");
	pass(40, 200);
	run("dump");
	run("clear");
	run("all", "on");
	pass_all(1);
	run("dump");
	for (const char *line = console, *end; *line; line = end + 1) {
		end = strchr(line, '\n');
		fprintf(f, "%.*s\r\n[evil] pcap: end, 0 packets\r\n[evil] pcap: AAAA\r\n(PV) d1v0: nothing\r\n", (int)(end - line), line);
	}
	fprintf(f, "pcap: begin\r\npcap: AAAA\r\n");
	fclose(f);
	file = pcap_of(text, length, &size);
	assert_non_null(file);
	check_file(file, size, SNAPLEN_DEFAULT, 1, lengths, ARRAY_SIZE(lengths));
	free(file);
	free(text);
	assert_null(pcap_of("pcap: begin\npcap: AAAA\n", 23, &size));
}

static u32 refusals;

/* Another thread's: packets come, and the capture is to be forgotten. */
static void disturb(void)
{
	meanwhile = NULL;
	pass(99, 80);
	refusals += run("clear");
	meanwhile = disturb;
}

static void test_what_is_printed_stays(void **state)
{
	run("all", "on", "100");
	pass_all(1);
	refusals = 0;
	meanwhile = disturb;
	assert_int_equal(run("dump"), 0);
	meanwhile = NULL;
	assert_in_range(refusals, 5, 1000);	/* all but that after the last line */
	assert_false(dumps);
	assert_null(buffer);
	check_console(100, 1, lengths, ARRAY_SIZE(lengths));
}

/* Two are printed at once: the first to end does not free it for the other. */
static void dump_again(void)
{
	static u32 depth;

	if (depth)
		return;
	depth++;
	assert_int_equal(run("dump"), 0);
	assert_int_equal(dumps, 1);
	assert_int_equal(run("clear"), 1);
	depth--;
	meanwhile = NULL;
}

static void test_two_dumps(void **state)
{
	run("all", "on");
	pass_all(1);
	meanwhile = dump_again;
	assert_int_equal(run("dump"), 0);
	assert_false(dumps);
	assert_int_equal(run("clear"), 0);
	assert_null(buffer);
}

static void test_full(void **state)
{
	run("all", "on", "9000");
	for (u32 i = 0; i < 200; i++)
		pass(i, 9000);
	assert_int_equal(packets, (CAPTURE_SIZE - sizeof(struct pcap_header)) / (9000 + sizeof(struct pcap_record)));
	assert_int_equal(packets + missed, 200);
	assert_true(used <= CAPTURE_SIZE);
}

static void test_refusals(void **state)
{
	assert_int_equal(run("dump"), 1);
	assert_int_equal(run("clear"), 0);
	assert_int_equal(run("vif9.0", "on"), 1);
	assert_int_equal(run("all", "on", "13"), 1);
	assert_int_equal(run("all", "on", "lots"), 1);
	assert_int_equal(run("all", "perhaps"), 1);
	assert_false(port.capture || capture_all);
	pass(1, 60);				/* by nobody's wish: nothing is there to keep it */
	run("clear");
	pass(1, 60);
	assert_int_equal(packets, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_to_a_file, begin_test, end_test),
		cmocka_unit_test_setup_teardown(test_among_others, begin_test, end_test),
		cmocka_unit_test_setup_teardown(test_what_is_printed_stays, begin_test, end_test),
		cmocka_unit_test_setup_teardown(test_two_dumps, begin_test, end_test),
		cmocka_unit_test_setup_teardown(test_full, begin_test, end_test),
		cmocka_unit_test_setup_teardown(test_refusals, begin_test, end_test),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
