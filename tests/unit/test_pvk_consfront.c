/* SPDX-License-Identifier: MIT */
/*
 * drivers/frontend/consfront.c against a pretended backend: what is printed arrives, lines ended as a terminal wants; a backend that does
 * not read, reads a byte at a time, is not there or has nonsense for indexes keeps who cannot sleep for a second, not for each line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* In place of the kernel's. */
#define PVK_BOOT_H
#define PVK_HYPERCALL_H
#define PVK_LIB_H
#define PVK_MM_H
#define PVK_OPS_H
#define PVK_SCHED_H
#define PVK_TIME_H
#include <abi/arch-x86_64.h>
#include <abi/xen.h>

#include "../../pvkernel/include/list.h"
#include "../../pvkernel/include/types.h"

#define NSEC_PER_SEC 1000000000ul
#define NSEC_PER_MSEC 1000000ul
#define WAIT_QUEUE_INIT(q) { 0 }
#define NO_PAGE 0ul
#define PAGE_SHIFT 12
#define PORT 3
#define VIRT_BASE ((u64)&memory - (1ul << PAGE_SHIFT))

struct wait_queue { int unused; };
struct timer { void (*fn)(void *arg); void *arg; };

static struct start_info info = { .console.domU = { .mfn = 77, .evtchn = PORT } };
static struct { const struct start_info *start_info; } boot = { &info };
static char memory[4096] __attribute__((aligned(4096)));
static u64 clock_ns = NSEC_PER_SEC;
static bool connected = true, interrupts = true;
static void (*backend)(void);		/* what it does while we wait */
static u32 sleeps;

static u64 now(void) { return clock_ns; }
static bool irq_save(void) { return interrupts; }
static void irq_restore(bool was) { }
static void wake_up(struct wait_queue *q) { }
static void timer_add(struct timer *t, u64 when) { }
static u64 mfn_to_pfn(u64 mfn) { return mfn == 77 ? 1 : NO_PAGE; }

static void wait_on(struct wait_queue *q)
{
	assert_true(interrupts);
	sleeps++;
	clock_ns += NSEC_PER_MSEC;
	backend();
}

static long HYPERVISOR_sched_op(int op, void *arg)
{
	clock_ns += NSEC_PER_MSEC;
	backend();
	return 0;
}

int evtchn_send(u32 port) { return 0; }
bool evtchn_connected(u32 port) { return connected; }
void evtchn_set_handler(u32 port, void (*fn)(void *), void *arg) { }
void console_poll_input(void *unused) { }

#include "../../ring-buffers/byte_ring.c"
#include "../../drivers/frontend/consfront.c"

static struct byte_ring other;
static char got[1 << 16];
static size_t nr_got;

static void reads(u32 most)
{
	bool notify = false;
	int n = byte_ring_read(&other, got + nr_got, most, &notify);

	assert_true(n >= 0);
	nr_got += n;
}

static void reads_all(void) { reads(sizeof(got) - nr_got); }
static void reads_nothing(void) { }
static void reads_a_byte(void) { if (clock_ns / NSEC_PER_MSEC % 500 == 0) reads(1); }

static int begin(void **state)
{
	struct xencons_interface *page = (void *)memory;

	memset(memory, 0, sizeof(memory));
	byte_ring_consumer(&other, page->out, sizeof(page->out), &page->out_prod, &page->out_cons);
	started = writing = false;
	patience = PATIENCE;
	connected = interrupts = true;
	backend = reads_all;
	nr_got = sleeps = 0;
	return 0;
}

static void say(const char *text)
{
	consfront.write(text, strlen(text));
}

/* How long `lines` lines of 80 bytes take, in ms. */
static u64 time_of(u32 lines)
{
	u64 from = clock_ns;
	char line[81];

	memset(line, 'x', 79);
	line[79] = '\n';
	line[80] = '\0';
	while (lines--)
		say(line);
	return (clock_ns - from) / NSEC_PER_MSEC;
}

static void test_text(void **state)
{
	say("one\ntwo\n\n");
	say("rest");
	reads_all();
	assert_string_equal(got, "one\r\ntwo\r\n\r\nrest");
}

static void test_sleeping(void **state)
{
	time_of(200);
	reads_all();
	assert_int_equal(nr_got, 200 * 81);
	assert_true(sleeps);
}

/* A panic's text: all of it, if the backend reads. */
static void test_interrupts_disabled(void **state)
{
	interrupts = false;
	time_of(200);
	reads_all();
	assert_int_equal(nr_got, 200 * 81);
}

static void test_backend_does_not_read(void **state)
{
	interrupts = false;
	backend = reads_nothing;
	assert_in_range(time_of(500), 1000, 1010);
	reads_all();
	assert_int_equal(nr_got, 2048);
	backend = reads_all;		/* it does again */
	nr_got = 0;
	time_of(100);
	reads_all();
	assert_int_equal(nr_got, 100 * 81);
}

static void test_backend_reads_slowly(void **state)
{
	interrupts = false;
	backend = reads_a_byte;
	assert_in_range(time_of(500), 1000, 1010);
}

static void test_no_backend(void **state)
{
	connected = false;
	backend = reads_nothing;
	assert_int_equal(time_of(500), 0);
}

static void test_nonsense(void **state)
{
	struct xencons_interface *page = (void *)memory;
	char in[16];

	say("fine");
	page->out_cons = 5000;
	page->in_prod = 5000;
	assert_int_equal(time_of(500), 0);
	assert_int_equal(consfront.read(in, sizeof(in)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_text, begin), cmocka_unit_test_setup(test_sleeping, begin),
		cmocka_unit_test_setup(test_interrupts_disabled, begin), cmocka_unit_test_setup(test_backend_does_not_read, begin),
		cmocka_unit_test_setup(test_backend_reads_slowly, begin), cmocka_unit_test_setup(test_no_backend, begin),
		cmocka_unit_test_setup(test_nonsense, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
