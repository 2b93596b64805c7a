/* SPDX-License-Identifier: MIT */
/*
 * pvkernel/phys.c and heap.c on a pretended machine, against a model that is a flag a frame: what is
 * handed out is free, aligned and nobody else's, and when all is given back, all is there again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* In place of the kernel's mm.h, ops.h and lib.h. */
#define PVK_MM_H
#define PVK_OPS_H
#define PVK_LIB_H
#include "types.h"

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096ul
#define PAGE_ALIGN_UP(x) (((x) + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1))
#define NO_PAGE 0ul
#define MAX_ORDER 10
#define ASSERT(cond) assert_true(cond)
#define panic(...) do { fail_msg(__VA_ARGS__); abort(); } while (0)

#define NR_PAGES 5000

static struct {
	u64 nr_pages, ram_pages;
	struct ram_range { u64 first, end; } free[4];
	unsigned int nr_free;
} boot;

static char memory[NR_PAGES * PAGE_SIZE] __attribute__((aligned(4096)));

static void *pfn_to_virt(u64 pfn)
{
	return memory + (pfn << PAGE_SHIFT);
}

static u64 virt_to_pfn(const void *p)
{
	return ((const char *)p - memory) >> PAGE_SHIFT;
}

static bool irq_save(void)
{
	return true;
}

static void irq_restore(bool was)
{
}

/* The list of frames moved: how long it is now. */
static u64 p2m_entries;

static void p2m_move(u64 *list, u64 count)
{
	list[count - 1] = 0;
	p2m_entries = count;
}

void phys_init(void);
u64 page_alloc_order(unsigned int order);
void page_free_order(u64 pfn, unsigned int order);
u64 pages_free(void);
u64 pages_total(void);
u64 page_take_out(void);
void page_put_in(u64 pfn);
u16 *page_note(u64 pfn);
void *kmalloc(size_t size);
void kfree(void *p);
u64 heap_used(void);

static u64 page_alloc(void)
{
	return page_alloc_order(0);
}

#include "../../pvkernel/phys.c"
#include "../../pvkernel/heap.c"

static u8 model_used[NR_PAGES];

static int setup(void **state)
{
	u64 taken;

	memset(free_head, 0, sizeof(free_head));
	memset(pieces, 0, sizeof(pieces));
	pages = NULL;
	nr_free = bytes_used = 0;
	boot.nr_pages = boot.ram_pages = NR_PAGES;
	boot.nr_free = 3;
	boot.free[0] = (struct ram_range){ 0, 7 };
	boot.free[1] = (struct ram_range){ 100, 2111 };
	boot.free[2] = (struct ram_range){ 2500, 9999 };
	phys_init();
	taken = boot.free[1].first - 100;
	assert_int_equal(pages_free(), 6 + 2011 - taken + 2500);
	memset(model_used, 1, sizeof(model_used));
	for (unsigned int i = 0; i < 3; i++)
		for (u64 p = MAX(boot.free[i].first, 1); p < MIN(boot.free[i].end, NR_PAGES); p++)
			model_used[p] = 0;
	return 0;
}

static void model_take(u64 pfn, unsigned int order)
{
	assert_int_equal(pfn & ((1ul << order) - 1), 0);
	for (u64 p = pfn; p < pfn + (1ul << order); p++) {
		assert_true(p > 0 && p < NR_PAGES && !model_used[p]);
		model_used[p] = 1;
	}
}

static void model_give(u64 pfn, unsigned int order)
{
	memset(model_used + pfn, 0, 1ul << order);
}

static void test_random(void **state)
{
	static struct { u64 pfn; unsigned int order; } held[400];
	u64 before = pages_free(), out = 0;

	srand(1);
	for (int i = 0; i < 100000; i++) {
		unsigned int k = rand() % ARRAY_SIZE(held);

		if (held[k].pfn) {
			model_give(held[k].pfn, held[k].order);
			page_free_order(held[k].pfn, held[k].order);
			out -= 1ul << held[k].order;
			held[k].pfn = 0;
		} else {
			held[k].order = rand() % 8 ? rand() % 4 : rand() % (MAX_ORDER + 1);
			held[k].pfn = page_alloc_order(held[k].order);
			if (held[k].pfn) {
				model_take(held[k].pfn, held[k].order);
				out += 1ul << held[k].order;
			}
		}
		assert_int_equal(pages_free(), before - out);
	}
	for (unsigned int k = 0; k < ARRAY_SIZE(held); k++) {
		if (held[k].pfn)
			page_free_order(held[k].pfn, held[k].order);
	}
	assert_int_equal(pages_free(), before);
}

/* Frame by frame to the last; given back in any order, they join to the blocks that there were. */
static void test_all_and_back(void **state)
{
	static u64 got[NR_PAGES];
	u64 total = pages_free(), n = 0, large = 0;

	while ((got[n] = page_alloc()))
		model_take(got[n++], 0);
	assert_int_equal(n, total);
	assert_int_equal(pages_free(), 0);
	for (u64 i = 0; i < n; i++)
		page_free_order(got[i * 7919 % n], 0);
	while (page_alloc_order(MAX_ORDER))
		large++;
	assert_int_equal(large, 2);
}

static void test_heap(void **state)
{
	static struct { u8 *p; size_t size; u8 mark; } held[300];
	u64 before = pages_free();

	srand(2);
	for (int i = 0; i < 50000; i++) {
		unsigned int k = rand() % ARRAY_SIZE(held);

		if (held[k].p) {
			for (size_t b = 0; b < held[k].size; b++)
				assert_int_equal(held[k].p[b], held[k].mark);
			kfree(held[k].p);
			held[k].p = NULL;
			continue;
		}
		held[k].size = rand() % 16 ? rand() % 200 : rand() % 20000;
		held[k].p = kmalloc(held[k].size);
		held[k].mark = rand();
		assert_non_null(held[k].p);
		for (size_t b = 0; b < held[k].size; b++)
			assert_int_equal(held[k].p[b], 0);
		memset(held[k].p, held[k].mark, held[k].size);
	}
	for (unsigned int k = 0; k < ARRAY_SIZE(held); k++)
		kfree(held[k].p);
	assert_int_equal(heap_used(), 0);
	assert_in_range(pages_free(), before - (MAX_CLASS - MIN_CLASS + 1), before);
	assert_null(kmalloc(PAGE_SIZE << (MAX_ORDER + 1)));
}

/* All that is free goes to the balloon and comes back; nothing else moves, and blocks grow together again. */
static void test_balloon(void **state)
{
	static u64 taken[NR_PAGES];
	u64 n = 0, free_before = pages_free(), total = pages_total();
	u64 big = page_alloc_order(MAX_ORDER), pfn;

	assert_int_not_equal(big, NO_PAGE);
	page_free_order(big, MAX_ORDER);
	while ((pfn = page_take_out()) != NO_PAGE) {
		model_take(pfn, 0);
		taken[n++] = pfn;
		assert_int_equal(pages_total(), total - n);
	}
	assert_int_equal(n, free_before);
	assert_int_equal(page_alloc(), NO_PAGE);
	while (n--) {
		page_put_in(taken[n]);
		model_give(taken[n], 0);
	}
	assert_int_equal(pages_free(), free_before);
	assert_int_equal(pages_total(), total);
	assert_int_equal(page_alloc_order(MAX_ORDER), big);
	page_free_order(big, MAX_ORDER);
}

/* Room for more than there is: the tables are as long as all of it, and no frame is made up. */
static void test_room_to_grow(void **state)
{
	pages = NULL;
	nr_free = 0;
	memset(free_head, 0, sizeof(free_head));
	boot.nr_free = 1;
	boot.free[0] = (struct ram_range){ 1, NR_PAGES / 2 };
	boot.ram_pages = NR_PAGES / 2;
	p2m_entries = 0;
	phys_init();
	assert_int_equal(p2m_entries, NR_PAGES);
	assert_int_equal(pages_total(), NR_PAGES / 2);
	assert_in_range(pages_free(), 1, NR_PAGES / 2 - boot.free[0].first);
	page_put_in(NR_PAGES - 1);
	assert_int_equal(pages_total(), NR_PAGES / 2 + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_random, setup),
		cmocka_unit_test_setup(test_all_and_back, setup),
		cmocka_unit_test_setup(test_heap, setup),
		cmocka_unit_test_setup(test_balloon, setup),
		cmocka_unit_test_setup(test_room_to_grow, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
