/* SPDX-License-Identifier: MIT */
/*
 * drivers/backend/consback.c with pretended guests, clock and console: what a guest writes is in its scrollback,
 * in the log and before the person who is attached, and nowhere else; a flood of bytes or of events gets its share
 * and no more; indexes that are nonsense close one console; the last words of the dead can be read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* In place of the kernel's ops.h, sched.h, mm.h, lib.h and time.h. */
#define PVK_OPS_H
#define PVK_SCHED_H
#define PVK_MM_H
#define PVK_LIB_H
#define PVK_TIME_H
#include "../../pvkernel/include/list.h"
#include "../../pvkernel/include/types.h"

#define NSEC_PER_SEC 1000000000ul
#define NSEC_PER_MSEC 1000000ul
#define WAIT_QUEUE_INIT(q) { LIST_INIT((q).waiters) }
#define kmalloc(size) calloc(1, size)
#define kfree free
#define vmalloc(size) calloc(1, size)
#define vfree free
#define printf say_line

struct wait_queue { struct list waiters; };
struct timer { void (*fn)(void *arg); void *arg; };

static u64 clock_ns = 1;
static char screen[1 << 20];
static size_t shown;
static void (*while_waiting)(void);	/* what goes on in the world when a thread waits */

static u64 now(void) { return clock_ns; }
static bool irq_save(void) { return true; }
static void irq_restore(bool was) { }
static void wake_up(struct wait_queue *q) { }
static void wait_on(struct wait_queue *q) { while_waiting(); }
static void timer_add(struct timer *t, u64 when) { }
static void timer_cancel(struct timer *t) { }
static bool thread_create(const char *name, void (*fn)(void *), void *arg) { return true; }

static int say_line(const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(screen + shown, sizeof(screen) - shown, format, ap);
	va_end(ap);
	shown += n;
	return n;
}

#include "../../ring-buffers/byte_ring.c"
#include "../../drivers/backend/scrollback.c"
#include "../../drivers/backend/consback.c"

void console_write(const char *text, size_t len)
{
	memcpy(screen + shown, text, len);
	shown += len;
}

static const char *keys;

int console_getc_unless(const bool *stop)
{
	return *stop || !*keys ? -1 : (u8)*keys++;
}

void console_wake(void) { }

/* --- pretended guests: number n has domid n and port n --- */

#define GUESTS 16

static struct guest {
	struct xencons_interface page;
	struct byte_ring out, in;
	evtchn_handler_t fn;
	void *arg;
	bool masked, pending;
	u32 events;			/* that it got */
} guest[GUESTS];

void evtchn_set_handler(u32 port, evtchn_handler_t fn, void *arg)
{
	guest[port].fn = fn;
	guest[port].arg = arg;
}

static void deliver(struct guest *g)
{
	if (g->pending && !g->masked) {
		g->pending = false;
		g->fn(g->arg);
	}
}

void evtchn_mask(u32 port) { guest[port].masked = true; }

void evtchn_unmask(u32 port)
{
	guest[port].masked = false;
	deliver(&guest[port]);
}

int evtchn_send(u32 port)
{
	guest[port].events++;
	return 0;
}

static void guest_kick(int n)
{
	guest[n].pending = true;
	deliver(&guest[n]);
}

/* As many as fit; an event when the ring's rule says so. */
static int guest_write(int n, const char *text, size_t length)
{
	bool notify = false;
	int written = byte_ring_write(&guest[n].out, text, length, &notify);

	if (notify)
		guest_kick(n);
	return written;
}

static void begin(int n, const char *name)
{
	struct xencons_interface *page = &guest[n].page;

	guest[n] = (struct guest){ 0 };
	byte_ring_producer(&guest[n].out, page->out, sizeof(page->out), &page->out_prod, &page->out_cons);
	byte_ring_consumer(&guest[n].in, page->in, sizeof(page->in), &page->in_prod, &page->in_cons);
	assert_int_equal(consback_start(n, name, page, n), 0);
}

static void run(void)
{
	struct console *c;

	while ((c = next_due()))
		serve(c);
}

static int start(void **state)
{
	shown = 0;
	memset(screen, 0, sizeof(screen));
	clock_ns += 10 * NSEC_PER_SEC;
	return 0;
}

static int stop(void **state)
{
	consback_log(false);
	for (int n = 0; n < GUESTS; n++)
		consback_stop(n);
	while (!list_empty(&consoles))
		forget(list_entry(consoles.next, struct console, node));
	return 0;
}

static const char *tail(const char *name)
{
	static char buf[SCROLLBACK_SIZE + 1];
	int n = consback_read(name, buf, SCROLLBACK_SIZE);

	assert_true(n >= 0);
	buf[n] = 0;
	return buf;
}

static void test_output(void **state)
{
	begin(1, "one");
	begin(2, "two");
	consback_log(true);
	guest_write(1, "hel", 3);
	run();
	guest_write(2, "\033[2Jother\r\n", 11);
	guest_write(1, "lo\r\nrest", 8);
	run();
	assert_string_equal(tail("one"), "hello\r\nrest");
	assert_string_equal(tail("two"), "\033[2Jother\r\n");
	assert_string_equal(screen, "[one] hello\n[two] [2Jother\n");
	guest_write(2, "\xc3\xa9\xc2\x9b\x7f\t.\r\n", 9);
	run();
	assert_string_equal(screen + 27, "[two] \xc3\xa9\xc2\t.\n");
	assert_int_equal(consback_read("three", NULL, 0), -ENOENT);
	shown = 0;
	guest_write(2, "\xc2\x01\x9b" "2J\n", 6);	/* one control character hides in another */
	run();
	assert_memory_equal(screen, "[two] \xc2" "2J\n", 10);
	shown = 0;
	print_tail("two");
	assert_memory_equal(screen, "[2Jother\n\xc3\xa9\xc2\t.\n\xc2" "2J\n", 19);
	consback_rename(2, "three");
	assert_memory_equal(tail("three"), "\033[2Jother\r\n", 11);
	assert_true(guest[1].events);
}

static void test_scrollback_wraps(void **state)
{
	char block[1000];

	begin(1, "one");
	for (int i = 0; i < 200; i++) {
		memset(block, 'a' + i % 26, sizeof(block));
		assert_int_equal(guest_write(1, block, sizeof(block)), sizeof(block));
		clock_ns += NSEC_PER_SEC;
		run();
	}
	assert_int_equal(strlen(tail("one")), SCROLLBACK_SIZE);
	assert_int_equal(tail("one")[SCROLLBACK_SIZE - 1], 'a' + 199 % 26);
	assert_int_equal(tail("one")[SCROLLBACK_SIZE - 1001], 'a' + 198 % 26);
}

/* Two flood, one says a word now and then: each word is out at once, the others get RATE and no more. */
static void test_flood(void **state)
{
	static char junk[4096];
	u64 before[3], seconds = 4;

	for (int n = 1; n <= 3; n++)
		begin(n, (const char *[]){ "", "a", "b", "c" }[n]);
	run();
	for (int n = 1; n <= 2; n++)
		before[n] = find_domain(n)->scroll.written;
	for (u64 ms = 0; ms < seconds * 1000; ms++, clock_ns += NSEC_PER_MSEC) {
		u64 said = find_domain(3)->scroll.written;

		for (int turns = 0; turns < 100; turns++) {
			struct console *c = next_due();

			guest_write(1, junk, sizeof(junk));
			guest_write(2, junk, sizeof(junk));
			if (ms % 100 == 0 && turns == 5)
				guest_write(3, "word", 4);
			if (ms % 100 == 0 && turns == 9)
				assert_int_equal(find_domain(3)->scroll.written, said + 4);
			if (c)
				serve(c);
		}
	}
	for (int n = 1; n <= 2; n++) {
		u64 got = find_domain(n)->scroll.written - before[n];

		assert_in_range(got, RATE * seconds * TURN / (TURN + TURN_COST) * 95 / 100, RATE * seconds + BURST);
	}
}

/* A line that is empty is a long one in the log: with its name it counts as what it is there. */
static void test_flood_of_lines(void **state)
{
	char name[CONSBACK_NAME_MAX], newlines[2048];
	u64 seconds = 2;

	memset(newlines, '\n', sizeof(newlines));
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	consback_log(true);
	begin(1, name);
	for (u64 ms = 0; ms < seconds * 1000; ms++, clock_ns += NSEC_PER_MSEC) {
		size_t before = shown;
		struct console *c;

		guest_write(1, newlines, sizeof(newlines));
		c = next_due();
		if (c)
			serve(c);
		assert_in_range(shown - before, 0, LOG_TURN * (CONSBACK_NAME_MAX + 3));
	}
	assert_in_range(shown, RATE * seconds / 2, RATE * seconds + BURST + LOG_TURN * (CONSBACK_NAME_MAX + 3));
	clock_ns += 100000 * NSEC_PER_SEC;	/* long silence is no more than a burst */
	assert_non_null(next_due());
	assert_int_equal(find_domain(1)->tokens, BURST);
}

static void test_event_storm(void **state)
{
	u64 turns = 0;

	begin(1, "storm");
	begin(2, "quiet");
	run();
	for (int i = 0; i < 100000; i++, clock_ns += 10000) {
		struct console *c;

		guest_kick(1);
		c = next_due();
		if (c) {
			serve(c);
			turns++;
		}
	}
	assert_in_range(turns, 100, (RATE + BURST) / TURN_COST + 1);
}

static void test_hostile_indexes(void **state)
{
	begin(1, "liar");
	begin(2, "honest");
	guest[1].page.out_prod = 5000;
	guest_kick(1);
	guest_write(2, "fine", 4);
	run();
	assert_string_equal(screen, "consback: liar has indexes beyond its ring, its console is closed\n");
	assert_string_equal(tail("honest"), "fine");
	for (int i = 0; i < 5; i++) {
		guest_kick(1);
		run();
	}
	assert_int_equal(consback_send("liar", "x", 1), 0);
	consback_stop(1);
	assert_string_equal(tail("liar"), "");
}

static void test_last_words(void **state)
{
	char all[2048];

	begin(1, "one");
	run();
	memset(all, 'x', sizeof(all));
	all[0] = '<';
	all[sizeof(all) - 1] = '>';
	assert_int_equal(guest_write(1, all, sizeof(all)), sizeof(all));
	consback_stop(1);
	assert_int_equal(strlen(tail("one")), sizeof(all));
	assert_memory_equal(tail("one"), all, sizeof(all));
	begin(2, "one");
	assert_string_equal(tail("one"), "");
	consback_stop(2);
	assert_string_equal(tail("one"), "");
	for (int n = 3; n < 3 + DEAD_KEPT; n++) {
		begin(n, "other");
		consback_stop(n);
	}
	assert_int_equal(consback_read("one", NULL, 0), -ENOENT);
}

static void test_attach(void **state)
{
	char typed[8] = "";
	bool notify = false;

	begin(1, "one");
	begin(2, "two");
	guest_write(1, "10%\r20%\r\nprompt> ", 17);
	run();
	keys = "ls\r\x1d";
	assert_int_equal(consback_attach("one"), 0);
	assert_string_equal(screen, "10%\r20%\nprompt> \nleft one\n");
	assert_int_equal(byte_ring_read(&guest[1].in, typed, sizeof(typed), &notify), 3);
	assert_string_equal(typed, "ls\r");
	assert_null(attached);
	assert_int_equal(consback_attach("nobody"), -ENOENT);
	consback_stop(1);
	assert_int_equal(consback_attach("one"), -ENOENT);
	keys = "";
	assert_int_equal(consback_attach("two"), 0);
}

/* A guest that does not read: what does not fit rings the bell, and the key to leave still works. */
static void test_attach_full(void **state)
{
	char many[2000];

	begin(1, "one");
	memset(many, 'k', sizeof(many));
	many[1998] = 0x1d;
	many[1999] = 0;
	keys = many;
	assert_int_equal(consback_attach("one"), 0);
	assert_non_null(strchr(screen, '\a'));
	assert_int_equal(byte_ring_bytes(&guest[1].in), 1024);
}

static void answer_later(void)
{
	clock_ns += NSEC_PER_MSEC;
	if (clock_ns / NSEC_PER_MSEC % 4 == 0)
		guest_write(1, "pong one\r\n", 10);
	run();
}

static void silence(void)
{
	clock_ns += NSEC_PER_MSEC;
}

static void answer_at_once(const char *text)
{
	bool notify = false;
	char typed[32];

	clock_ns += NSEC_PER_MSEC;
	if (byte_ring_read(&guest[1].in, typed, sizeof(typed), &notify) > 0)
		guest_write(1, text, strlen(text));
	run();
}

static void echo(void)
{
	answer_at_once("say hello\r\n");
}

static void echo_and_obey(void)
{
	answer_at_once("say hello\r\nhello\r\n");
}

static void test_ask(void **state)
{
	begin(1, "one");
	guest_write(1, "pong before\r\n", 13);
	run();
	while_waiting = answer_later;
	assert_int_equal(consback_ask("one", "ping", "pong one", NSEC_PER_SEC), 0);
	while_waiting = silence;
	assert_int_equal(consback_ask("one", "ping", "pong", NSEC_PER_SEC), -ETIMEDOUT);
	while_waiting = echo;
	assert_int_equal(consback_ask("one", "say hello", "hello", NSEC_PER_SEC), -ETIMEDOUT);
	while_waiting = echo_and_obey;
	assert_int_equal(consback_ask("one", "say hello", "hello", NSEC_PER_SEC), 0);
	assert_int_equal(consback_ask("two", "ping", "pong", NSEC_PER_SEC), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_output, start, stop),
		cmocka_unit_test_setup_teardown(test_scrollback_wraps, start, stop),
		cmocka_unit_test_setup_teardown(test_flood, start, stop),
		cmocka_unit_test_setup_teardown(test_flood_of_lines, start, stop),
		cmocka_unit_test_setup_teardown(test_event_storm, start, stop),
		cmocka_unit_test_setup_teardown(test_hostile_indexes, start, stop),
		cmocka_unit_test_setup_teardown(test_last_words, start, stop),
		cmocka_unit_test_setup_teardown(test_attach, start, stop),
		cmocka_unit_test_setup_teardown(test_attach_full, start, stop),
		cmocka_unit_test_setup_teardown(test_ask, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
