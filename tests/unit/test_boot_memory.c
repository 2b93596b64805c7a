/* SPDX-License-Identifier: MIT */
/*
 * Firmware's memory map, however it overlaps: ranges against a model of one byte a page. What an early
 * allocation gives is RAM, free, and nobody else's; the allocator gets the rest, each page once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <pagetable.h>
#define image_to_maddr(p) (LOAD_ADDRESS + 0x20000)
#include "../../hypervisor/mm/boot_memory.c"
#include <string.h>

#define PAGES 4096ul	/* 16 MiB */
#define IMAGE_TOP image_to_maddr(image_end)

struct memory_region machine_map[MAX_MEMORY_REGIONS];
int machine_map_count;
struct boot_module boot_modules[MAX_BOOT_MODULES];
int boot_module_count;
char image_end[1];

enum { NOTHING, RAM, TAKEN };
static u8 model[PAGES];		/* what each page is */
static jmp_buf panicked;

void printk_at(unsigned level, const char *format, ...)
{
}

void panic(const char *format, ...)
{
	longjmp(panicked, 1);
}

void alloc_init_range(mfn_t start, mfn_t end)
{
	assert_true(start < end && end <= PAGES);
	for (; start < end; start++) {
		assert_int_equal(model[start], RAM);
		model[start] = TAKEN;
	}
}

static void add(u64 start, u64 size, u32 type)
{
	machine_map[machine_map_count++] = (struct memory_region){ start, size, type };
}

static void mark(u64 start, u64 end, u8 what, u8 only)
{
	for (u64 page = start / PAGE_SIZE; page * PAGE_SIZE < end && page < PAGES; page++)
		if (model[page] == only)
			model[page] = what;
}

/* A page is RAM if a RAM region covers it whole and no other region touches it. */
static void make_model(void)
{
	memset(model, NOTHING, sizeof(model));
	for (int i = 0; i < machine_map_count; i++)
		if (machine_map[i].type == 1)
			mark(ROUND_UP(machine_map[i].start, PAGE_SIZE), (machine_map[i].start + machine_map[i].size) & PAGE_MASK,
			     RAM, NOTHING);
	for (int i = 0; i < machine_map_count; i++)
		if (machine_map[i].type != 1)
			mark(machine_map[i].start & PAGE_MASK, machine_map[i].start + machine_map[i].size, NOTHING, RAM);
}

static void check_ram(void)
{
	u64 page = 0;

	for (int i = 0; i < ram.count; i++) {
		assert_true(ram.range[i].start < ram.range[i].end);
		for (; page < ram.range[i].start / PAGE_SIZE; page++)
			assert_int_not_equal(model[page], RAM);
		for (; page < ram.range[i].end / PAGE_SIZE; page++)
			assert_int_equal(model[page], RAM);
	}
	for (; page < PAGES; page++)
		assert_int_not_equal(model[page], RAM);
}

static void reset(void)
{
	ram.count = unused.count = machine_map_count = boot_module_count = 0;
}

/* Random maps of few regions, so that there is room in the lists. */
static void one_random_map(void)
{
	reset();
	add(0, PAGES * PAGE_SIZE / 2, 1);
	for (int n = rand() % 12; n > 0; n--) {
		u64 start = rand() % (PAGES * PAGE_SIZE);

		add(start, rand() % (PAGES * PAGE_SIZE - start), 1 + rand() % 3);
	}
	for (; boot_module_count < rand() % 4; boot_module_count++) {
		u64 start = 0x200000 + rand() % 1000 * PAGE_SIZE;

		boot_modules[boot_module_count] = (struct boot_module){ start, start + 1 + rand() % 0x40000, "" };
	}
	make_model();
	if (setjmp(panicked))
		return;
	boot_memory_init();
	check_ram();
	mark(0, PAGE_SIZE, TAKEN, RAM);
	mark(TRAMPOLINE, TRAMPOLINE + PAGE_SIZE, TAKEN, RAM);
	mark(LOAD_ADDRESS, IMAGE_TOP, TAKEN, RAM);
	for (int i = 0; i < boot_module_count; i++)
		mark(boot_modules[i].start, boot_modules[i].end, TAKEN, RAM);
	for (int n = rand() % 600; n > 0; n--) {
		u64 pages = rand() % 50 ? 1 : LARGE_PAGE / PAGE_SIZE;
		maddr_t m = pages == 1 ? boot_alloc_page() : boot_alloc_large_page();

		assert_int_equal(m % (pages * PAGE_SIZE), 0);
		if (m)
			alloc_init_range(m / PAGE_SIZE, m / PAGE_SIZE + pages);
	}
}

static void random_maps(void **state)
{
	srand(1);
	for (int i = 0; i < 3000; i++)
		one_random_map();
}

/* After any allocations exactly the rest is handed over. */
static void hand_over(void **state)
{
	reset();
	add(0, 0x9fc00, 1);
	add(0x9fc00, 0x400, 2);
	add(0x100000, 0xe00000, 1);
	boot_modules[boot_module_count++] = (struct boot_module){ 0x400000, 0x412345, "" };
	make_model();
	if (setjmp(panicked))
		fail();
	boot_memory_init();
	mark(0, PAGE_SIZE, TAKEN, RAM);
	mark(TRAMPOLINE, TRAMPOLINE + PAGE_SIZE, TAKEN, RAM);
	mark(LOAD_ADDRESS, IMAGE_TOP, TAKEN, RAM);
	mark(0x400000, 0x413000, TAKEN, RAM);
	for (int i = 0; i < 100; i++) {
		mfn_t mfn = boot_alloc_page() / PAGE_SIZE;

		alloc_init_range(mfn, mfn + 1);
	}
	for (int i = 0; i < 2; i++) {
		maddr_t m = boot_alloc_large_page();

		assert_true(m && m % LARGE_PAGE == 0);
		alloc_init_range(m / PAGE_SIZE, (m + LARGE_PAGE) / PAGE_SIZE);
	}
	boot_memory_hand_over();
	for (u64 page = 0; page < PAGES; page++)
		assert_int_not_equal(model[page], RAM);
}

/* Early allocations stay where the first page tables reach. */
static void only_below_4g(void **state)
{
	reset();
	add(0x100000, 0xf00000, 1);
	add(4ul << 30, 8ul << 30, 1);
	if (setjmp(panicked))
		return;
	boot_memory_init();
	for (;;)
		assert_true(boot_alloc_page() < EARLY_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_maps), cmocka_unit_test(hand_over), cmocka_unit_test(only_below_4g),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
