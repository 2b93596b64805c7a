/* SPDX-License-Identifier: MIT */
/*
 * Disks in memory, pvkernel/control/disks/{memory,copy}.c, behind the block layer's gate, against arrays: random requests of several pieces,
 * our own pages and granted ones, on a RAM disk and on an overlay of it. A grant is a page of the test here; the hypervisor's copy is
 * memcpy, which refuses what crosses a page or is not granted.
 */
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
#define PVK_HYPERCALL_H
#define PVK_MM_H
#define PVK_MUTEX_H
#define PVK_OPS_H
#define PVK_SHELL_H
#define COMMAND(cmd, function, text) static __attribute__((used)) int (*const keep_##cmd)(int, char **) = function
#include "../../pvkernel/include/list.h"
#include "../../pvkernel/include/types.h"

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096ul
#define DOMID_SELF 0x7ff0u
#define GUEST 5
#define GRANTS 64
#define HOSTILE_REF 1000

struct mutex { bool locked; struct { struct list waiters; } waiters; };

static struct { u64 nr_pages; } boot = { 1000 };
static long allocated;		/* pages and structures that are not freed */
static u64 free_pages = 500;
static char *granted[GRANTS];
static u32 copies;

static void mutex_lock(struct mutex *m)
{
	assert_false(m->locked);
	m->locked = true;
}

static void mutex_unlock(struct mutex *m) { m->locked = false; }
static bool irq_save(void) { return true; }
static void irq_restore(bool was) { }
static u64 pages_free(void) { return free_pages; }

static void *kmalloc(size_t size)
{
	allocated++;
	return memset(aligned_alloc(4096, (size + 4095) & ~4095ul), 0, size);
}

static void kfree(void *p)
{
	allocated -= p != NULL;
	free(p);
}

static void *vmalloc(u64 size) { return kmalloc(size); }
static void vfree(void *p) { kfree(p); }
static u64 virt_to_pfn(const void *p) { return (u64)p >> PAGE_SHIFT; }
static u64 pfn_to_mfn(u64 pfn) { return pfn; }

#include "../../abi/grant_table.h"

static char *side(const struct gnttab_copy_ptr *p, bool gref, u16 len)
{
	if (p->offset + len > PAGE_SIZE)
		return NULL;
	if (!gref)
		return p->domid == DOMID_SELF ? (char *)(p->u.gmfn << PAGE_SHIFT) + p->offset : NULL;
	return p->domid == GUEST && p->u.ref < GRANTS ? granted[p->u.ref] + p->offset : NULL;
}

static long HYPERVISOR_grant_table_op(u64 cmd, struct gnttab_copy *ops, u64 count)
{
	assert_int_equal(cmd, GNTTABOP_copy);
	for (u64 i = 0; i < count; i++) {
		char *from = side(&ops[i].source, ops[i].flags & GNTCOPY_source_gref, ops[i].len);
		char *to = side(&ops[i].dest, ops[i].flags & GNTCOPY_dest_gref, ops[i].len);

		ops[i].status = from && to ? GNTST_okay : GNTST_bad_gntref;
		if (from && to)
			memcpy(to, from, ops[i].len);
		copies++;
	}
	return 0;
}

static u32 lines;		/* for a person */

static int to_person(const char *format, ...)
{
	lines++;
	return 0;
}

#define printf to_person
#include "../../pvkernel/block.c"
#include "../../pvkernel/control/disks/copy.c"
#include "../../pvkernel/control/disks/memory.c"
#undef printf

#define SECTORS 300u

static u8 ram_model[SECTORS * 512], over_model[SECTORS * 512];
static char own[16][PAGE_SIZE] __attribute__((aligned(4096)));
static struct block_device *ram, *over;
static int result, calls;

static void note(struct block_request *r, int err)
{
	result = err;
	calls++;
}

static int start(void **state)
{
	for (u32 i = 0; i < GRANTS; i++)
		granted[i] = aligned_alloc(4096, 4096);
	allocated = 0;
	free_pages = 500;
	memset(ram_model, 0, sizeof(ram_model));
	ram = disk_ram("r", SECTORS * 512);
	over = disk_overlay(ram, ~0ul);
	memset(over_model, 0, sizeof(over_model));
	assert_true(ram && over);
	return 0;
}

/* What nobody holds any more is gone to the last page. */
static int stop(void **state)
{
	block_unregister(ram);
	block_put(ram);
	block_put(over);
	assert_int_equal(allocated, 0);
	for (u32 i = 0; i < GRANTS; i++)
		free(granted[i]);
	return 0;
}

static char *data_of(const struct block_piece *p)
{
	return (p->page ? (char *)p->page : granted[p->ref]) + p->offset;
}

/* Pieces at random; each page once, so that none overlaps another. */
static u64 make_pieces(struct block_piece *p, u32 count)
{
	u64 bytes = 0;

	for (u32 i = 0; i < count; i++) {
		u16 sectors = 1 + rand() % 8;

		p[i] = (struct block_piece){ .offset = rand() % (9 - sectors) * 512, .length = sectors * 512 };
		if (rand() % 3) {
			p[i].ref = i * 4 + rand() % 4;
			p[i].granter = GUEST;
		} else {
			p[i].page = own[i];
		}
		bytes += p[i].length;
	}
	return bytes;
}

static int submit(struct block_device *d, enum block_op op, u64 sector, u64 sectors, struct block_piece *p, u32 count)
{
	struct block_request r = { .op = op, .sector = sector, .sectors = sectors, .pieces = p, .nr_pieces = count, .done = note };
	int before = calls;

	block_submit(d, &r);
	block_kick(d);
	assert_int_equal(calls, before + 1);
	return result;
}

static void one_request(struct block_device *d, u8 *model)
{
	struct block_piece p[12];
	u32 count = 1 + rand() % 12;
	u64 bytes = make_pieces(p, count), sectors = bytes / 512, sector = rand() % (SECTORS - sectors + 1);
	bool write = rand() % 2;
	u8 *at = model + sector * 512;

	for (u32 i = 0; i < count; i++) {
		for (u32 j = 0; j < p[i].length; j += 128)
			data_of(&p[i])[j] = rand();
	}
	assert_int_equal(submit(d, write ? BLOCK_WRITE : BLOCK_READ, sector, sectors, p, count), 0);
	for (u32 i = 0; i < count; at += p[i++].length) {
		if (write)
			memcpy(at, data_of(&p[i]), p[i].length);
		else
			assert_memory_equal(at, data_of(&p[i]), p[i].length);
	}
}

static void test_ram(void **state)
{
	srand(1);
	for (u32 i = 0; i < 3000; i++) {
		u64 sector = rand() % SECTORS, sectors = 1 + rand() % (SECTORS - sector);

		one_request(ram, ram_model);
		if (rand() % 20)
			continue;
		assert_int_equal(submit(ram, BLOCK_DISCARD, sector, sectors, NULL, 0), 0);
		memset(ram_model + sector * 512, 0, sectors * 512);
	}
}

static void test_overlay(void **state)
{
	srand(2);
	for (u32 i = 0; i < 40; i++)
		one_request(ram, ram_model);
	memcpy(over_model, ram_model, sizeof(over_model));
	for (u32 i = 0; i < 3000; i++)
		one_request(over, over_model);
	for (u32 i = 0; i < SECTORS; i += 4) {	/* the base has not changed */
		struct block_piece p = { .page = own[0], .length = 2048 };

		assert_int_equal(submit(ram, BLOCK_READ, i, 4, &p, 1), 0);
		assert_memory_equal(own[0], ram_model + i * 512, 2048);
	}
}

static void test_bad_grant(void **state)
{
	struct block_piece p[3] = { { .page = own[0], .length = 512 }, { .ref = HOSTILE_REF, .granter = GUEST, .length = 512 },
				    { .ref = 3, .granter = GUEST, .length = 512 } };

	assert_int_equal(submit(ram, BLOCK_WRITE, 0, 3, p, 3), -EFAULT);
	assert_int_equal(submit(over, BLOCK_READ, 0, 3, p, 3), -EFAULT);
	assert_int_equal(submit(over, BLOCK_WRITE, 0, 3, p, 3), -EFAULT);
	p[1].ref = 2;
	assert_int_equal(submit(over, BLOCK_READ, 0, 3, p, 3), 0);
}

/* Who writes may not take the last of the memory; what is there can be written still. */
static void test_no_memory(void **state)
{
	struct block_piece p = { .page = own[0], .length = 512 };

	assert_int_equal(submit(ram, BLOCK_WRITE, 0, 1, &p, 1), 0);
	free_pages = 10;
	assert_int_equal(submit(ram, BLOCK_WRITE, 1, 1, &p, 1), 0);
	assert_int_equal(submit(ram, BLOCK_WRITE, 8, 1, &p, 1), -EIO);
	assert_int_equal(submit(ram, BLOCK_READ, 8, 1, &p, 1), 0);
}

/* An overlay has no more pages of its own than it may; what it has can be written still, a person hears of it once. */
static void test_limit(void **state)
{
	struct block_piece p = { .page = own[0], .length = 512 };
	struct block_device *small = disk_overlay(ram, 2 * PAGE_SIZE);

	lines = 0;
	assert_int_equal(submit(small, BLOCK_WRITE, 0, 1, &p, 1), 0);
	assert_int_equal(submit(small, BLOCK_WRITE, 17, 1, &p, 1), 0);
	for (u32 i = 0; i < 3; i++)
		assert_int_equal(submit(small, BLOCK_WRITE, 8, 1, &p, 1), -EIO);
	assert_int_equal(lines, 1);
	assert_int_equal(submit(small, BLOCK_WRITE, 7, 1, &p, 1), 0);
	assert_int_equal(submit(small, BLOCK_READ, 8, 1, &p, 1), 0);
	block_put(small);
}

static void test_batches(void **state)
{
	struct block_piece p[100];

	for (u32 i = 0; i < 100; i++)
		p[i] = (struct block_piece){ .ref = i % GRANTS, .granter = GUEST, .length = 512 };
	copies = 0;
	assert_int_equal(submit(ram, BLOCK_READ, 0, 100, p, 100), 0);
	assert_int_equal(copies, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ram, start, stop), cmocka_unit_test_setup_teardown(test_overlay, start, stop),
		cmocka_unit_test_setup_teardown(test_bad_grant, start, stop), cmocka_unit_test_setup_teardown(test_no_memory, start, stop),
		cmocka_unit_test_setup_teardown(test_limit, start, stop), cmocka_unit_test_setup_teardown(test_batches, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
