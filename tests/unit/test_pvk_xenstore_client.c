/* SPDX-License-Identifier: MIT */
/* pvkernel/xenstore_client.c: each request goes out once, with its path and value, whatever the answer is, and the answer comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* In place of the kernel's ops.h, sched.h, mm.h and lib.h. */
#define PVK_OPS_H
#define PVK_SCHED_H
#define PVK_MM_H
#define PVK_LIB_H
#include "list.h"
#include "types.h"

#define WAIT_QUEUE_INIT(q) { LIST_INIT((q).waiters) }
#define kmalloc(size) calloc(1, size)
#define kfree free

struct wait_queue { struct list waiters; };
struct thread;

static bool parse_u64(const char *s, u64 *val)
{
	char *end;

	*val = strtoull(s, &end, 0);
	return *s && !*end;
}

static const struct { void (*irq_enable)(void), (*irq_disable)(void); } *cpu;
static bool irq_save(void) { return true; }
static void irq_restore(bool was) { }
static void wake_up(struct wait_queue *q) { }
static void wait_on(struct wait_queue *q) { abort(); }
static struct thread *thread_current(void) { return NULL; }
static struct thread *thread_create(const char *name, void (*fn)(void *), void *arg) { return (struct thread *)&cpu; }

#include "../../pvkernel/xenstore_client.c"

static u32 sent, sent_type, sent_tx, sent_length;
static char sent_payload[XENSTORE_PAYLOAD_MAX];
static int answer;
static const char *answer_text;

int xs_exchange(u32 type, u32 tx, const void *payload, u32 length, char *reply)
{
	sent++;
	sent_type = type;
	sent_tx = tx;
	sent_length = length;
	memcpy(sent_payload, payload, length);
	if (answer >= 0) {
		memcpy(reply, answer_text, answer);
		reply[answer] = 0;
	}
	return answer;
}

static void expect(int got, int wanted, u32 type, u32 tx, const char *payload, u32 length)
{
	assert_int_equal(got, wanted);
	assert_int_equal(sent, 1);
	assert_int_equal(sent_type, type);
	assert_int_equal(sent_tx, tx);
	assert_int_equal(sent_length, length);
	assert_memory_equal(sent_payload, payload, length);
	sent = 0;
}

static void test_once(void **state)
{
	static const int answers[] = { 3, -ENOENT, -EAGAIN, -EACCES, -ENOSPC };
	static const struct xs_watch watch;
	char buf[16];

	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		int err = MIN(answers[i], 0);

		answer = answers[i];
		answer_text = "OK";
		expect(xs_write(5, "a/b", "xyz"), err, XS_WRITE, 5, "a/b\0xyz", 7);
		expect(xs_mkdir(0, "a"), err, XS_MKDIR, 0, "a", 2);
		expect(xs_rm(1, "a"), err, XS_RM, 1, "a", 2);
		expect(xs_set_perms(1, "a", "n0\0r1", 6), err, XS_SET_PERMS, 1, "a\0n0\0r1", 8);
		expect(xs_transaction_end(7, true), err, XS_TRANSACTION_END, 7, "T", 2);
		expect(xs_transaction_end(7, false), err, XS_TRANSACTION_END, 7, "F", 2);
		expect(xs_read(2, "a", buf, sizeof(buf)), answers[i], XS_READ, 2, "a", 2);
		expect(xs_directory(2, "a", buf, sizeof(buf)), answers[i], XS_DIRECTORY, 2, "a", 2);
		assert_int_equal(xs_watch("a", &watch), err);
		assert_int_equal(sent, 1);
		sent = 0;
		if (!err)
			assert_int_equal(xs_unwatch("a", &watch), 0);
		sent = 0;
	}
}

static void test_values(void **state)
{
	char buf[4];
	u64 value;
	u32 tx;

	answer_text = "12";
	answer = 2;
	assert_int_equal(xs_read_u64(0, "a", &value), 0);
	assert_int_equal(value, 12);
	assert_int_equal(xs_transaction_start(&tx), 0);
	assert_int_equal(tx, 12);
	answer_text = "1\0" "2";
	answer = 3;
	assert_int_equal(xs_read_u64(0, "a", &value), -EINVAL);
	assert_int_equal(xs_read(0, "a", buf, 4), 3);
	assert_int_equal(xs_read(0, "a", buf, 3), -E2BIG);
	answer_text = "0";
	answer = 1;
	assert_int_equal(xs_transaction_start(&tx), -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_once),
		cmocka_unit_test(test_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
