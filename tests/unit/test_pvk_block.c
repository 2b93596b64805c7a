/* SPDX-License-Identifier: MIT */
/* pvkernel/block.c and block_io.c against a disk in memory that checks what the gate promises, and fails when told to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* In place of the kernel's headers. */
#define PVK_LIB_H
#define PVK_MM_H
#define PVK_OPS_H
#define PVK_SCHED_H
#define PVK_SHELL_H
#define COMMAND(cmd, function, text) static __attribute__((used)) int (*const keep_##cmd)(int, char **) = function
#include "../../pvkernel/include/types.h"

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096ul
#define WAIT_QUEUE_INIT(q) { 0 }
struct wait_queue { int unused; };

static u32 kmallocs_left = ~0u;

static void *kmalloc(size_t size)
{
	void *p;

	if (!kmallocs_left)
		return NULL;
	kmallocs_left--;
	p = aligned_alloc(4096, (size + 4095) & ~4095ul);
	return memset(p, 0, size);
}

static void kfree(void *p) { free(p); }
static bool irq_save(void) { return true; }
static void irq_restore(bool was) { }
static void wake_up(struct wait_queue *q) { }
static void finish_all(void);
static void wait_on(struct wait_queue *q) { finish_all(); }

#include "../../pvkernel/block.c"
#include "../../pvkernel/block_io.c"

#define SECTORS 4096u

static u8 content[SECTORS * SECTOR_SIZE];
static struct block_device d;
static struct list queue = LIST_INIT(queue);
static u32 submitted, most_at_once, at_once, releases;
static u64 fails_at = ~0ul;

static void disk_submit(struct block_device *dev, struct block_request *r)
{
	u64 bytes = 0, own = dev->sector_size / SECTOR_SIZE;

	assert_true(r->op == BLOCK_FLUSH || (r->sector + r->sectors <= dev->sectors && r->sectors));
	assert_true(!(r->sector % own) && !(r->sectors % own));
	for (u32 i = 0; i < r->nr_pieces; i++) {
		assert_true(r->pieces[i].offset + r->pieces[i].length <= PAGE_SIZE);
		assert_int_equal((u64)r->pieces[i].page % PAGE_SIZE, 0);
		bytes += r->pieces[i].length;
	}
	if (r->op == BLOCK_READ || r->op == BLOCK_WRITE)
		assert_int_equal(bytes, r->sectors * SECTOR_SIZE);
	assert_true(r->nr_pieces <= dev->max_pieces);
	list_insert_before(&queue, &r->node);
	submitted++;
	at_once++;
	most_at_once = MAX(most_at_once, at_once);
}

static void finish(struct block_request *r)
{
	u8 *at = content + r->sector * SECTOR_SIZE;
	bool fails = fails_at >= r->sector && fails_at < r->sector + r->sectors;

	for (u32 i = 0; !fails && i < r->nr_pieces; i++) {
		u8 *data = (u8 *)r->pieces[i].page + r->pieces[i].offset;

		memcpy(r->op == BLOCK_READ ? data : at, r->op == BLOCK_READ ? at : data, r->pieces[i].length);
		at += r->pieces[i].length;
	}
	at_once--;
	r->done(r, fails ? -EIO : 0);
}

static void finish_all(void)
{
	assert_false(list_empty(&queue));
	while (!list_empty(&queue)) {
		struct block_request *r = list_entry(queue.next, struct block_request, node);

		list_remove(&r->node);
		finish(r);
	}
}

static void disk_release(struct block_device *dev)
{
	releases++;
}

static const struct block_ops disk_ops = { .submit = disk_submit, .release = disk_release };

static int start(void **state)
{
	d = (struct block_device){ .name = "x", .sectors = SECTORS, .sector_size = 512, .can_flush = true, .can_discard = true,
				   .max_pieces = 4, .ops = &disk_ops };
	assert_int_equal(block_register(&d), 0);
	submitted = most_at_once = releases = 0;
	fails_at = ~0ul;
	kmallocs_left = ~0u;
	return 0;
}

static int stop(void **state)
{
	block_unregister(&d);
	return 0;
}

static void test_registry(void **state)
{
	struct block_device twin = d;
	struct block_device *held = block_get("x");

	assert_ptr_equal(held, &d);
	assert_null(block_get("y"));
	assert_int_equal(block_register(&twin), -EEXIST);
	block_unregister(&d);
	assert_null(block_get("x"));
	assert_int_equal(releases, 0);
	assert_int_equal(block_io(held, BLOCK_READ, 0, content, 512), -ENODEV);
	assert_int_equal(submitted, 0);
	block_put(held);
	assert_int_equal(releases, 1);
	assert_int_equal(block_register(&d), 0);
}

static int error_of_request;

static void note_error(struct block_request *r, int err)
{
	error_of_request = err;
}

/* What the gate says, without the device having seen it. */
static int gate(enum block_op op, u64 sector, u64 sectors, u32 offset, u32 length, u32 pieces)
{
	struct block_piece p[8];
	struct block_request r = { .op = op, .sector = sector, .sectors = sectors, .pieces = p, .nr_pieces = pieces, .done = note_error };

	for (u32 i = 0; i < pieces; i++)
		p[i] = (struct block_piece){ .page = content, .offset = offset, .length = length };
	error_of_request = 1;
	block_submit(&d, &r);
	assert_int_equal(submitted, 0);
	return error_of_request;
}

static void test_gate(void **state)
{
	assert_int_equal(gate(BLOCK_READ, SECTORS, 1, 0, 512, 1), -EINVAL);
	assert_int_equal(gate(BLOCK_READ, SECTORS - 1, 2, 0, 1024, 1), -EINVAL);
	assert_int_equal(gate(BLOCK_READ, ~0ul, 2, 0, 1024, 1), -EINVAL);
	assert_int_equal(gate(BLOCK_READ, 0, ~0ul, 0, 512, 1), -EINVAL);
	assert_int_equal(gate(BLOCK_READ, 0, 0, 0, 512, 0), -EINVAL);
	assert_int_equal(gate(BLOCK_READ, 0, 1, 0, 0, 1), -EINVAL);
	assert_int_equal(gate(BLOCK_READ, 0, 2, 0, 512, 1), -EINVAL);
	assert_int_equal(gate(BLOCK_READ, 0, 1, 100, 512, 1), -EINVAL);
	assert_int_equal(gate(BLOCK_READ, 0, 1, 0, 500, 1), -EINVAL);
	assert_int_equal(gate(BLOCK_WRITE, 0, 2, 3584, 1024, 1), -EINVAL);
	assert_int_equal(gate(BLOCK_WRITE, 0, 5, 0, 512, 5), -EINVAL);
	assert_int_equal(gate(BLOCK_DISCARD, SECTORS - 1, 2, 0, 0, 0), -EINVAL);
	d.readonly = true;
	assert_int_equal(gate(BLOCK_WRITE, 0, 1, 0, 512, 1), -EROFS);
	assert_int_equal(gate(BLOCK_DISCARD, 0, 1, 0, 0, 0), -EROFS);
	d.readonly = d.can_discard = d.can_flush = false;
	assert_int_equal(gate(BLOCK_DISCARD, 0, 1, 0, 0, 0), -EOPNOTSUPP);
	assert_int_equal(gate(BLOCK_FLUSH, 0, 0, 0, 0, 0), -EOPNOTSUPP);
	assert_int_equal(block_flush(&d), 0);
	d.sector_size = 4096;
	assert_int_equal(gate(BLOCK_READ, 1, 8, 0, 4096, 1), -EINVAL);
	assert_int_equal(gate(BLOCK_READ, 8, 1, 0, 512, 1), -EINVAL);
}

/* Any place, length, alignment, limit of the device: the content is as after plain copies. */
static void test_random(void **state)
{
	static u8 expected[sizeof(content)], memory[sizeof(content) + 8192] __attribute__((aligned(4096)));

	srand(3);
	memcpy(expected, content, sizeof(content));
	for (u32 i = 0; i < 2000; i++) {
		u32 own = rand() % 4 ? 512 : 4096, sector, sectors;
		u8 *buf = memory + (rand() % 2 ? rand() % 8 * 512 : rand() % 4096);

		d.sector_size = own;
		d.max_pieces = 2 + rand() % 6;
		sectors = (1 + rand() % (i % 50 ? 64 : 3000)) * 512 / own * (own / 512);
		sectors = sectors ? sectors : own / 512;
		sector = rand() % (SECTORS - sectors + 1) / (own / 512) * (own / 512);
		for (u32 j = 0; j < sectors * 512; j += 64)
			buf[j] = rand();
		if (rand() % 2) {
			memcpy(expected + sector * 512, buf, sectors * 512);
			assert_int_equal(block_io(&d, BLOCK_WRITE, sector, buf, sectors * 512), 0);
			assert_memory_equal(content, expected, sizeof(content));
		} else {
			assert_int_equal(block_io(&d, BLOCK_READ, sector, buf, sectors * 512), 0);
			assert_memory_equal(buf, expected + sector * 512, sectors * 512);
		}
	}
}

static void test_at_once(void **state)
{
	static u8 memory[1 << 20] __attribute__((aligned(4096)));

	assert_int_equal(block_io(&d, BLOCK_READ, 0, memory, sizeof(memory)), 0);
	assert_in_range(most_at_once, 32, 256);
	assert_int_equal(at_once, 0);
}

static void test_errors(void **state)
{
	static u8 memory[1 << 20] __attribute__((aligned(4096)));

	fails_at = 100;
	assert_int_equal(block_io(&d, BLOCK_READ, 0, memory, sizeof(memory)), -EIO);
	assert_int_equal(at_once, 0);
	assert_int_equal(block_io(&d, BLOCK_READ, 101, memory, 4096), 0);
	assert_int_equal(block_io(&d, BLOCK_WRITE, 96, memory + 100, 4096), -EIO);
	assert_int_equal(block_io(&d, BLOCK_DISCARD, 100, NULL, 512), -EIO);
	assert_int_equal(block_io(&d, BLOCK_READ, 0, memory, 0), -EINVAL);
	assert_int_equal(block_io(&d, BLOCK_READ, 0, memory, 100), -EINVAL);
	kmallocs_left = 1;
	assert_int_equal(block_io(&d, BLOCK_READ, 0, memory, sizeof(memory)), -ENOMEM);
	assert_int_equal(block_flush(&d), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_registry, start, stop), cmocka_unit_test_setup_teardown(test_gate, start, stop),
		cmocka_unit_test_setup_teardown(test_random, start, stop), cmocka_unit_test_setup_teardown(test_at_once, start, stop),
		cmocka_unit_test_setup_teardown(test_errors, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
