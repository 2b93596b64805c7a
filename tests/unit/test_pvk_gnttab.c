/* SPDX-License-Identifier: MIT */
/*
 * pvkernel/gnttab.c with a pretended hypervisor: references are given out once each, and as many as the table can grow to, whatever
 * fails on the way; a page whose grant the other domain still uses is neither free nor lost; what is mapped is all or nothing;
 * an operation that says "again" is done again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* In place of the kernel's ops.h, sched.h, mm.h, lib.h, time.h and hypercall.h. */
#define PVK_OPS_H
#define PVK_SCHED_H
#define PVK_MM_H
#define PVK_LIB_H
#define PVK_TIME_H
#define PVK_HYPERCALL_H
#include <abi/grant_table.h>
#include <abi/xen.h>

#include "types.h"

#define NSEC_PER_SEC 1000000000ul
#define NSEC_PER_MSEC 1000000ul
#define PAGE_SIZE 4096ul
#define PROT_WRITE 0
#define panic(...) abort()
#define kfree free

struct timer { u64 when; void (*fn)(void *arg); bool armed; };

static struct { bool native; } boot;
static bool may_wait = true;
static bool irq_is_enabled(void) { return may_wait; }
static const struct { bool (*irq_enabled)(void); } cpu_ops = { irq_is_enabled }, *cpu = &cpu_ops;

static bool irq_save(void) { return true; }
static void irq_restore(bool was) { }
static u64 now(void) { return 0; }
static void timer_add(struct timer *t, u64 when) { t->armed = true; }

/* --- the hypervisor ---------------------------------------------------------------------------------------------- */

#define FRAMES 4u
#define ENTRIES (FRAMES * 512)
#define PFN_OFFSET 0x1000	/* from a pfn to its mfn */

static struct grant_entry_v1 table[ENTRIES];
static u32 frames_now, again, calls, naps;
static bool fail_call, fail_memory, fail_vmap;
static u32 refuse_ref;			/* is not granted to us */

#define MAPPINGS 4096
static struct { u64 va; bool used; } mappings[MAPPINGS];
static u32 nr_mapped;

static void thread_sleep(u64 ns) { naps++; }

static int16_t give(int16_t status)
{
	if (again) {
		again--;
		return GNTST_eagain;
	}
	return status;
}

static void map_one(struct gnttab_map_grant_ref *op)
{
	u32 i = 0;

	op->status = give(op->ref == refuse_ref ? GNTST_general_error : GNTST_okay);
	if (op->status)
		return;
	while (mappings[i].used)
		i++;
	mappings[i].used = true;
	mappings[i].va = op->host_addr;
	nr_mapped++;
	op->handle = i;
	op->dev_bus_addr = op->ref * PAGE_SIZE;
}

static void unmap_one(struct gnttab_unmap_grant_ref *op)
{
	assert_true(mappings[op->handle].used && mappings[op->handle].va == op->host_addr);
	mappings[op->handle].used = false;
	nr_mapped--;
	op->status = GNTST_okay;
}

static long HYPERVISOR_grant_table_op(u64 cmd, void *list, u64 count)
{
	struct gnttab_setup_table *setup = list;
	struct gnttab_query_size *q = list;

	calls++;
	if (fail_call)
		return -38;
	switch (cmd) {
	case GNTTABOP_query_size:
		q->status = 0;
		q->max_nr_frames = FRAMES;
		return 0;
	case GNTTABOP_setup_table:
		assert_true(setup->nr_frames <= FRAMES);
		frames_now = MAX(frames_now, setup->nr_frames);
		for (u32 i = 0; i < setup->nr_frames; i++)
			((u64 *)setup->frame_list)[i] = i;
		setup->status = 0;
		return 0;
	}
	for (u64 i = 0; i < count; i++) {
		if (cmd == GNTTABOP_map_grant_ref)
			map_one((struct gnttab_map_grant_ref *)list + i);
		else if (cmd == GNTTABOP_unmap_grant_ref)
			unmap_one((struct gnttab_unmap_grant_ref *)list + i);
		else
			((struct gnttab_copy *)list)[i].status = give(GNTST_okay);
	}
	return 0;
}

/* --- the kernel's memory ----------------------------------------------------------------------------------------- */

#define PFNS 5000
static bool page_is_free[PFNS];
static u32 reserved;

static void *kmalloc(size_t size) { return fail_memory ? NULL : calloc(1, size); }
static u64 pfn_to_mfn(u64 pfn) { return pfn + PFN_OFFSET; }
static u64 mfn_to_pfn(u64 mfn) { return mfn - PFN_OFFSET; }

static void *vmap_mfns(const u64 *mfns, u64 count, u64 prot)
{
	assert_int_equal(count, 1);
	assert_true(*mfns < frames_now);
	return fail_vmap ? NULL : table + *mfns * 512;
}

static void page_free(u64 pfn)
{
	assert_false(page_is_free[pfn]);
	for (u32 ref = 0; ref < ENTRIES; ref++)
		assert_false(table[ref].flags && table[ref].frame == pfn_to_mfn(pfn));
	page_is_free[pfn] = true;
}

static void *vmap_reserve(u64 count)
{
	if (fail_memory)
		return NULL;
	reserved++;
	return (void *)0x100000;
}

static void vmap_release(void *va)
{
	assert_int_equal(nr_mapped, 0);
	reserved--;
}

#include "../../pvkernel/gnttab.c"

static void setup(void)
{
	for (u32 i = 0; i < nr_frames; i++)
		free(next[i]);
	memset(frames, 0, sizeof(frames));
	memset(table, 0, sizeof(table));
	memset(page_is_free, 0, sizeof(page_is_free));
	nr_frames = max_frames = first_free = nr_free = first_deferred = nr_deferred = frames_now = 0;
	fail_call = fail_memory = fail_vmap = false;
	assert_true(gnttab_init());
}

/* --- the cases --------------------------------------------------------------------------------------------------- */

static void test_grows_to_the_end(void **state)
{
	static bool given[ENTRIES];
	u32 ref, n = 0;

	setup();
	assert_int_equal(gnttab_free_refs(), 512 - 8);
	memset(given, 0, sizeof(given));
	while (n < ENTRIES) {
		/* Each failure once for each frame: nothing is lost by it. */
		if (!gnttab_free_refs()) {
			fail_memory = true;
			assert_int_equal(gnttab_reserve(), GRANT_NONE);
			fail_memory = false;
			fail_call = true;
			assert_int_equal(gnttab_reserve(), GRANT_NONE);
			fail_call = false;
			fail_vmap = true;
			assert_int_equal(gnttab_reserve(), GRANT_NONE);
			fail_vmap = false;
		}
		ref = gnttab_grant(3, n, n % 2);
		if (ref == GRANT_NONE)
			break;
		assert_true(ref >= GNTTAB_NR_RESERVED_ENTRIES && ref < ENTRIES && !given[ref]);
		given[ref] = true;
		assert_int_equal(table[ref].domid, 3);
		assert_int_equal(table[ref].frame, n + PFN_OFFSET);
		assert_int_equal(table[ref].flags, n % 2 ? GTF_permit_access | GTF_readonly : GTF_permit_access);
		n++;
	}
	assert_int_equal(n, ENTRIES - GNTTAB_NR_RESERVED_ENTRIES);
	for (ref = GNTTAB_NR_RESERVED_ENTRIES; ref < ENTRIES; ref++)
		assert_true(gnttab_end(ref) && !table[ref].flags);
	assert_int_equal(gnttab_free_refs(), n);
}

static void test_model(void **state)
{
	static u64 pfn_of[ENTRIES];		/* 0: not granted */
	u32 held = 0, deferred = 0;

	setup();
	srandom(1);
	memset(pfn_of, 0, sizeof(pfn_of));
	for (u32 step = 0; step < 20000; step++) {
		u32 ref = 8 + random() % 1000;

		switch (random() % 5) {
		case 0:
			if (step % 4000 < PFNS - 1 && !page_is_free[step % 4000 + 1]) {
				u64 pfn = step % 4000 + 1;
				bool used = false;

				for (u32 i = 0; i < ENTRIES; i++)
					used |= table[i].flags && table[i].frame == pfn_to_mfn(pfn);
				if (used)
					break;
				ref = gnttab_grant(1, pfn, false);
				assert_true(ref != GRANT_NONE && !pfn_of[ref]);
				pfn_of[ref] = pfn;
			}
			break;
		case 1:			/* the other domain maps it */
			if (table[ref].flags)
				table[ref].flags |= GTF_reading | (random() % 2 ? GTF_writing : 0);
			break;
		case 2:
			table[ref].flags &= ~(GTF_reading | GTF_writing);
			break;
		case 3:
			if (!pfn_of[ref])
				break;
			held += !!(table[ref].flags & GTF_reading);
			gnttab_end_page(ref, pfn_of[ref]);
			/* Its reference is free, or its page is waiting. */
			assert_int_equal(page_is_free[pfn_of[ref]], !table[ref].flags);
			page_is_free[pfn_of[ref]] = false;
			pfn_of[ref] = 0;
			break;
		default:
			if (random() % 20 || !deferred_timer.armed)
				break;
			deferred_timer.armed = false;
			deferred_timer.fn(NULL);
			memset(page_is_free, 0, sizeof(page_is_free));
		}
		deferred = MAX(deferred, gnttab_deferred());
		assert_true(!gnttab_deferred() || deferred_timer.armed);
	}
	assert_true(held > 50 && deferred > 10);
	for (u32 i = 0; i < ENTRIES; i++)
		table[i].flags &= ~(GTF_reading | GTF_writing);
	deferred_timer.fn(NULL);
	assert_int_equal(gnttab_deferred(), 0);
	for (u32 i = 0; i < ENTRIES; i++) {
		if (pfn_of[i])
			assert_true(gnttab_end(i));
	}
	assert_int_equal(gnttab_free_refs(), nr_frames * 512 - 8);
}

static void test_revoke_and_allow(void **state)
{
	u32 ref;

	setup();
	ref = gnttab_reserve();
	assert_int_equal(table[ref].flags, 0);
	gnttab_allow(ref, 7, 20, true);
	assert_int_equal(table[ref].domid, 7);
	table[ref].flags |= GTF_reading;
	assert_false(gnttab_revoke(ref));
	assert_int_equal(table[ref].flags, GTF_permit_access | GTF_readonly | GTF_reading);
	table[ref].flags &= ~GTF_reading;
	assert_true(gnttab_revoke(ref));
	gnttab_allow(ref, 8, 21, false);
	assert_int_equal(table[ref].flags, GTF_permit_access);
	assert_true(gnttab_end(ref));
}

static void test_map_all_or_none(void **state)
{
	u32 refs[40], handles[40];

	setup();
	for (u32 i = 0; i < 40; i++)
		refs[i] = 100 + i;
	for (u32 count = 1; count <= 40; count++) {
		for (u32 bad = 0; bad <= count; bad++) {
			void *va;

			refuse_ref = 100 + bad;		/* bad == count: none of them */
			va = gnttab_map_pages(5, refs, count, true, handles);
			assert_int_equal(va != NULL, bad == count);
			assert_int_equal(nr_mapped, va ? count : 0);
			for (u32 i = 0; va && i < count; i++)
				assert_int_equal(mappings[handles[i]].va, (u64)va + i * PAGE_SIZE);
			if (va)
				gnttab_unmap_pages(va, handles, count);
			assert_int_equal(nr_mapped, 0);
			assert_int_equal(reserved, 0);
		}
	}
	refuse_ref = 0;
	fail_memory = true;
	assert_null(gnttab_map_pages(5, refs, 3, true, handles));
	fail_memory = false;
	fail_call = true;
	assert_null(gnttab_map_pages(5, refs, 3, true, handles));
	assert_int_equal(reserved, 0);
	fail_call = false;
}

static void test_again(void **state)
{
	struct gnttab_copy ops[3] = { 0 };

	setup();
	again = 5;
	naps = 0;
	assert_int_equal(gnttab_copy(ops, 3), 0);
	assert_true(naps > 0 && !again);
	again = 1000000;		/* it never comes */
	assert_int_equal(gnttab_copy(ops, 3), -EIO);
	assert_int_equal(ops[2].status, GNTST_eagain);
	assert_true(naps < 1000);
	may_wait = false;
	naps = 0;
	assert_int_equal(gnttab_copy(ops, 3), -EIO);
	assert_int_equal(naps, 0);
	may_wait = true;
	again = 0;
	fail_call = true;
	assert_int_equal(gnttab_copy(ops, 3), -EIO);
	for (u32 i = 0; i < 3; i++)
		assert_int_equal(ops[i].status, GNTST_general_error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grows_to_the_end),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_revoke_and_allow),
		cmocka_unit_test(test_map_all_or_none),
		cmocka_unit_test(test_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
