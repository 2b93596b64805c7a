/* SPDX-License-Identifier: MIT */
/*
 * The builder of guests against a pretended hypervisor: frames are pages of a file, a foreign mapping shows them, and
 * when the root is pinned its tables are walked again from nothing: only the domain's frames, no table writable, no page
 * left mapped by domain 0, every address where the ABI says it is. The layout is judged by what Xen's own builder made
 * of a Debian kernel.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

/* In place of the kernel's headers. */
#define PVK_MM_H
#define PVK_LIB_H
#define PVK_HYPERCALL_H
#include <abi/arch-x86_64.h>
#include <abi/domctl.h>
#include <abi/grant_table.h>
#include <abi/memory.h>
#include <abi/mmu.h>
#include <abi/xen.h>
#include <types.h>

#include "elf_maker.h"

#define PAGE_ALIGN_UP(x) (((x) + PAGE_SIZE - 1) & PAGE_MASK)

#define DOMID 7
#define FIRST_MFN 1000
#define NR_FRAMES 20000
#define GRANT_MFN (FIRST_MFN + NR_FRAMES - 1)
#define SHARED_MFN (FIRST_MFN + NR_FRAMES - 2)

static struct {
	int file;
	u64 top;		/* frames from here on are taken */
	unsigned int largest;	/* order of extents that there still are */
	u64 limit;		/* pages that there are */
	u64 owned;
	bool is_owned[NR_FRAMES], pinned;
	u32 mapped[NR_FRAMES];	/* by domain 0 */
	u64 hypercall_page, root;
	u64 map_size;		/* of the one region that it was told to have */
	struct vcpu_guest_context context;
} machine;

static u64 make_pte(u64 mfn, u64 flags)
{
	return mfn << PAGE_SHIFT | flags;
}

static void *kmalloc(size_t size)
{
	return calloc(1, size);
}

#define kfree free
#define vmalloc malloc
#define vfree free

/* --- the hypervisor ----------------------------------------------------------------------------------------- */

#define MORE_PAGES 77	/* that it may have, over what it is built with */

static long set_memory_map(const struct xen_foreign_memory_map *m)
{
	const u8 *entry = (const u8 *)m->map.buffer;
	u64 start;
	u32 type;

	assert_int_equal(m->domid, DOMID);
	assert_int_equal(m->map.nr_entries, 1);
	memcpy(&start, entry, 8);
	memcpy(&machine.map_size, entry + 8, 8);
	memcpy(&type, entry + 16, 4);
	assert_int_equal(start, 0);
	assert_int_equal(type, XEN_E820_RAM);
	return 0;
}

static long HYPERVISOR_memory_op(u64 cmd, void *arg)
{
	struct xen_memory_reservation *r = arg;
	u64 *list, i;

	if (cmd == XENMEM_set_memory_map)
		return set_memory_map(arg);
	if (cmd == XENMEM_maximum_reservation) {
		assert_int_equal(((struct xen_memory_domain *)arg)->domid, DOMID);
		return machine.limit + MORE_PAGES;
	}
	list = (u64 *)r->extent_start;
	assert_int_equal(cmd, XENMEM_populate_physmap);
	assert_int_equal(r->domid, DOMID);
	for (i = 0; i < r->nr_extents && r->extent_order <= machine.largest; i++) {
		u64 pages = 1ul << r->extent_order;

		if (machine.owned + pages > machine.limit)
			break;
		assert_int_equal(list[i], machine.owned);
		machine.owned += pages;
		machine.top -= pages;
		list[i] = machine.top;
		memset(&machine.is_owned[machine.top - FIRST_MFN], 1, pages);
	}
	return i;
}

static long HYPERVISOR_grant_table_op(u64 cmd, void *list, u64 count)
{
	struct gnttab_setup_table *t = list;

	assert_int_equal(cmd, GNTTABOP_setup_table);
	assert_int_equal(t->dom, DOMID);
	*(u64 *)t->frame_list = GRANT_MFN;
	return 0;
}

struct mapping {
	char *at;
	u64 count, mfns[4096];
};
static struct mapping mappings[4];

void *foreign_map(u16 domid, const u64 *mfns, u64 count)
{
	struct mapping *m = mappings;
	size_t size = count << PAGE_SHIFT;

	while (m->at)
		m++;
	assert_true(m < mappings + ARRAY_SIZE(mappings) && count <= ARRAY_SIZE(m->mfns) && domid == DOMID);
	m->at = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	m->count = count;
	for (u64 i = 0; i < count; i++) {
		u64 n = mfns[i] - FIRST_MFN;

		assert_true(n < NR_FRAMES && (machine.is_owned[n] || mfns[i] == GRANT_MFN || mfns[i] == SHARED_MFN));
		assert_false(machine.pinned);
		m->mfns[i] = mfns[i];
		machine.mapped[n]++;
		mmap(m->at + (i << PAGE_SHIFT), PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, machine.file,
		     n << PAGE_SHIFT);
	}
	return m->at;
}

void foreign_unmap(void *va)
{
	struct mapping *m = mappings;

	while (m->at != va)
		m++;
	for (u64 i = 0; i < m->count; i++)
		machine.mapped[m->mfns[i] - FIRST_MFN]--;
	munmap(m->at, m->count << PAGE_SHIFT);
	m->at = NULL;
}

static const void *frame(u64 mfn)
{
	static void *all;

	if (!all)
		all = mmap(NULL, (size_t)NR_FRAMES << PAGE_SHIFT, PROT_READ, MAP_SHARED, machine.file, 0);
	assert_true(mfn - FIRST_MFN < NR_FRAMES);
	return (char *)all + ((mfn - FIRST_MFN) << PAGE_SHIFT);
}

long domctl(u32 cmd, u16 domid, struct xen_domctl *op)
{
	assert_int_equal(domid, DOMID);
	switch (cmd) {
	case XEN_DOMCTL_getdomaininfo:
		op->u.getdomaininfo.shared_info_frame = SHARED_MFN;
		return 0;
	case XEN_DOMCTL_hypercall_init:
		machine.hypercall_page = op->u.hypercall_init.gmfn;
		return 0;
	case XEN_DOMCTL_setvcpucontext:
		assert_true(machine.pinned);
		memcpy(&machine.context, (void *)op->u.vcpucontext.ctxt, sizeof(machine.context));
		return 0;
	}
	return -ENOSYS;
}

static long HYPERVISOR_mmuext_op(const void *op, u64 count, u32 *done, u64 domid)
{
	const struct mmuext_op *o = op;

	assert_int_equal(o->cmd, MMUEXT_PIN_L4_TABLE);
	assert_int_equal(domid, DOMID);
	for (u64 i = 0; i < NR_FRAMES; i++)
		assert_int_equal(machine.mapped[i], 0);
	machine.root = o->arg1.mfn;
	machine.pinned = true;
	return 0;
}

#include "../../pvkernel/control/unpack.h"

const char *kernel_unpack(const void *file, u64 size, const u8 **elf, u64 *elf_size)
{
	*elf = file;
	*elf_size = size;
	return NULL;
}

void kernel_unpack_trim(void)
{
}

#include "../../hypervisor/domain/elf.c"
#include "../../hypervisor/domain/elfnote.c"
#include "../../hypervisor/domain/placement.c"
#include "../../pvkernel/control/builder.c"

/* --- what was pinned ------------------------------------------------------------------------------------------ */

static u8 seen_as[NR_FRAMES];
#define SEEN_TABLE 1
#define SEEN_WRITABLE 2

static struct walk {
	u64 leaves;
	const struct placement *place;
	const struct image *image;
	const u64 *p2m;		/* by pfn */
} walk;

/* The page that the ABI puts at this address. */
static u64 expected_pfn(u64 va)
{
	const struct placement *p = walk.place;

	if (va >= p->virt_base && va < placed_at(p, p->end))
		return (va - p->virt_base) >> PAGE_SHIFT;
	assert_true(p->p2m_apart);
	assert_in_range(va, walk.image->init_p2m, walk.image->init_p2m + (p->p2m.pages << PAGE_SHIFT) - 1);
	return p->p2m.pfn + ((va - walk.image->init_p2m) >> PAGE_SHIFT);
}

static void walk_table(u64 mfn, int level, u64 base)
{
	const u64 *table = frame(mfn);

	assert_true(machine.is_owned[mfn - FIRST_MFN]);
	seen_as[mfn - FIRST_MFN] |= SEEN_TABLE;
	for (u64 i = 0; i < 512; i++) {
		u64 va = base + (i << (12 + 9 * (level - 1))), child = (table[i] & PTE_ADDR_MASK) >> PAGE_SHIFT;

		if (!(table[i] & PTE_PRESENT)) {
			assert_int_equal(table[i], 0);
			continue;
		}
		if (level == 4 && i >= 256)
			va |= 0xffff000000000000;
		if (level > 1) {
			walk_table(child, level - 1, va);
			continue;
		}
		assert_true(child - FIRST_MFN < NR_FRAMES && machine.is_owned[child - FIRST_MFN]);
		assert_int_equal(child, walk.p2m[expected_pfn(va)]);
		seen_as[child - FIRST_MFN] |= table[i] & PTE_RW ? SEEN_WRITABLE : 0;
		walk.leaves++;
	}
}

static void check_tables(const struct placement *p, const struct image *image, const u64 *p2m)
{
	memset(seen_as, 0, sizeof(seen_as));
	walk = (struct walk){ 0, p, image, p2m };
	walk_table(machine.root, 4, 0);
	assert_int_equal(walk.leaves, p->end + (p->p2m_apart ? p->p2m.pages : 0));
	for (u64 i = 0; i < NR_FRAMES; i++)
		assert_int_not_equal(seen_as[i], SEEN_TABLE | SEEN_WRITABLE);
}

/* --- building --------------------------------------------------------------------------------------------------- */

struct trial {
	u64 virt_base, paddr, mem_size, pages, ramdisk_size, init_p2m, mod_start_pfn;
	unsigned int largest;
};

static const u8 code[3000] = { 0xf4, 1, 2, 3, [2999] = 9 };
static u8 ramdisk[3 * PAGE_SIZE + 5];
static char error[160];

static void make_image(struct maker *m, const struct trial *t)
{
	struct note_list l = { .size = 0 };

	note_number_of(&l, XEN_ELFNOTE_VIRT_BASE, t->virt_base, 8);
	note_number_of(&l, XEN_ELFNOTE_ENTRY, t->virt_base + t->paddr + 16, 8);
	note_number_of(&l, XEN_ELFNOTE_HYPERCALL_PAGE, t->virt_base + ((t->paddr + 0xfff) & ~0xffful), 8);
	note_number_of(&l, XEN_ELFNOTE_MOD_START_PFN, t->mod_start_pfn, 4);
	if (t->init_p2m)
		note_number_of(&l, XEN_ELFNOTE_INIT_P2M, t->init_p2m, 8);
	note_string(&l, XEN_ELFNOTE_LOADER, "generic");
	maker_start(m, 2, 0);
	maker_load(m, 0, t->paddr, code, sizeof(code), t->mem_size);
	maker_notes(m, 1, &l);
}

static void machine_reset(u64 limit, unsigned int largest)
{
	if (machine.file)
		assert_int_equal(ftruncate(machine.file, 0), 0);
	else
		machine.file = memfd_create("frames", 0);
	assert_int_equal(ftruncate(machine.file, (off_t)NR_FRAMES << PAGE_SHIFT), 0);
	machine = (__typeof__(machine)){ .file = machine.file, .top = SHARED_MFN, .limit = limit, .largest = largest };
}

static int try(const struct trial *t, struct build_result *result)
{
	static struct maker m;
	struct build_request r = {
		.kernel = m.bytes, .cmdline = "one two", .pages = t->pages, .max_pages = t->pages, .store_port = 1, .console_port = 2,
		.ramdisk = t->ramdisk_size ? ramdisk : NULL, .ramdisk_size = t->ramdisk_size,
	};

	make_image(&m, t);
	r.kernel_size = m.size;
	error[0] = 0;
	return build_domain(DOMID, &r, result, error, sizeof(error));
}

/* Reads size bytes from a pseudo-physical address. */
static void read_memory(const u64 *p2m, u64 address, void *to, u64 size)
{
	for (u64 i = 0; i < size; i++, address++)
		((u8 *)to)[i] = ((const u8 *)frame(p2m[address >> PAGE_SHIFT]))[address % PAGE_SIZE];
}

static void check_start_info(const struct trial *t, const struct placement *p, const u64 *p2m,
			     const struct build_result *result)
{
	const struct start_info *si = frame(p2m[p->start_info]);

	assert_string_equal(si->magic, "xen-3.0-x86_64");
	assert_string_equal((const char *)si->cmd_line, "one two");
	assert_int_equal(si->nr_pages, t->pages);
	assert_int_equal(si->shared_info, (u64)SHARED_MFN << PAGE_SHIFT);
	assert_int_equal(si->flags, t->ramdisk_size && t->mod_start_pfn ? SIF_MOD_START_PFN : 0);
	assert_int_equal(si->store_mfn, p2m[p->start_info + 1]);
	assert_int_equal(si->store_mfn, result->store_mfn);
	assert_int_equal(si->console.domU.mfn, p2m[p->start_info + 2]);
	assert_int_equal(si->console.domU.mfn, result->console_mfn);
	assert_int_equal(si->store_evtchn, 1);
	assert_int_equal(si->console.domU.evtchn, 2);
	assert_int_equal(si->pt_base, t->virt_base + (p->tables.pfn << PAGE_SHIFT));
	assert_int_equal(p2m[p->tables.pfn], machine.root);
	assert_int_equal(si->nr_pt_frames, p->tables.pages);
	assert_int_equal(si->mfn_list, p->p2m_apart ? t->init_p2m : t->virt_base + (p->p2m.pfn << PAGE_SHIFT));
	assert_int_equal(si->first_p2m_pfn, p->p2m_apart ? p->p2m.pfn : 0);
	assert_int_equal(si->nr_p2m_frames, p->p2m_apart ? p->p2m.pages + p->p2m_tables.pages : 0);
	assert_int_equal(si->mod_len, t->ramdisk_size);
	if (t->ramdisk_size)
		assert_int_equal(si->mod_start, t->mod_start_pfn ? p->initrd.pfn : placed_at(p, p->initrd.pfn));
}

static void check_grants(const struct build_result *result)
{
	const struct grant_entry_v1 *g = frame(GRANT_MFN);

	assert_int_equal(g[GNTTAB_RESERVED_CONSOLE].frame, result->console_mfn);
	assert_int_equal(g[GNTTAB_RESERVED_XENSTORE].frame, result->store_mfn);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(g[i].flags, GTF_permit_access);
		assert_int_equal(g[i].domid, 0);
	}
	assert_int_equal(g[2].flags, 0);
}

static void check_registers(const struct trial *t, const struct placement *p)
{
	const struct vcpu_guest_context *c = &machine.context;

	assert_int_equal(c->user_regs.rip, t->virt_base + t->paddr + 16);
	assert_int_equal(c->user_regs.rsp, placed_at(p, p->stack + 1));
	assert_int_equal(c->user_regs.rsi, placed_at(p, p->start_info));
	assert_int_equal(c->user_regs.rflags, 0x200);
	assert_int_equal(c->user_regs.cs, FLAT_KERNEL_CS);
	assert_int_equal(c->user_regs.ss, FLAT_KERNEL_SS);
	assert_int_equal(c->kernel_sp, c->user_regs.rsp);
	assert_int_equal(c->ctrlreg[3], machine.root << PAGE_SHIFT);
	assert_int_equal(c->flags, VGCF_in_kernel | VGCF_online);
}

static void check_contents(const struct trial *t, const struct placement *p, const u64 *p2m)
{
	static u8 got[sizeof(ramdisk)];
	const struct shared_info *shared = frame(SHARED_MFN);

	read_memory(p2m, t->paddr, got, sizeof(code));
	assert_memory_equal(got, code, sizeof(code));
	if (t->ramdisk_size) {
		read_memory(p2m, p->initrd.pfn << PAGE_SHIFT, got, t->ramdisk_size);
		assert_memory_equal(got, ramdisk, t->ramdisk_size);
	}
	for (u64 i = 0; i < t->pages; i++) {
		u64 entry;

		read_memory(p2m, (p->p2m.pfn << PAGE_SHIFT) + i * 8, &entry, 8);
		assert_int_equal(entry, p2m[i]);
	}
	for (int i = 0; i < 32; i++)
		assert_int_equal(shared->vcpu_info[i].evtchn_upcall_mask, 1);
	assert_int_equal(machine.hypercall_page, p2m[(t->paddr + 0xfff) >> PAGE_SHIFT]);
}

static void check_trial(const struct trial *t)
{
	static struct maker m;
	static struct image image;
	static u64 p2m[NR_FRAMES];
	struct placement p;
	struct build_result result;

	machine_reset(t->pages, t->largest);
	assert_int_equal(try(t, &result), 0);
	make_image(&m, t);
	assert_true(image_parse(&image, m.bytes, m.size));
	assert_true(place_domain(&p, &image, t->pages, t->ramdisk_size, 2));
	assert_true(machine.pinned);
	assert_int_equal(machine.map_size, (t->pages + MORE_PAGES) << PAGE_SHIFT);
	/* The frames as the machine gave them, from the top down. */
	for (u64 i = 0, top = SHARED_MFN, order; i < t->pages; i += 1ul << order) {
		order = t->largest;
		while (1ul << order > t->pages - i)
			order--;
		top -= 1ul << order;
		for (u64 k = 0; k < 1ul << order; k++)
			p2m[i + k] = top + k;
	}
	check_tables(&p, &image, p2m);
	check_start_info(t, &p, p2m, &result);
	check_grants(&result);
	check_registers(t, &p);
	check_contents(t, &p, p2m);
}

static void test_layouts(void **state)
{
	static const struct trial trials[] = {
		{ 0xffffffff80000000, 0x100000, 0x40000, 2048, 0, 0, 0, 9 },
		{ 0xffffffff80000000, 0x100000, 0x40000, 2048, 0, 0, 0, 0 },
		{ 0xffffffff80000000, 0x100000, 0x40000, 2049, sizeof(ramdisk), 0, 0, 18 },
		{ 0xffffffff80000000, 0x100000, 0x40000, 2500, sizeof(ramdisk), 0x8000000000, 1, 9 },
		{ 0xffffffff80000000, 0x1000000, 0x400000, 16000, sizeof(ramdisk), 0x8000000000, 1, 4 },
		{ 0, 0x1000, 0x5000, 1200, sizeof(ramdisk), 0, 1, 9 },
		{ 0x3fe00000, 0x1f0000, 0x20000, 3000, 0, 0, 0, 9 },
		{ 0x7fffc00000, 0x1f0000, 0x20000, 3000, sizeof(ramdisk), 0, 0, 3 },
		{ 0xffff880000000000, 0x200010, 0x20000, 8000, 0, 0xffff880000000000 - 0x400000, 0, 18 },
	};

	for (size_t i = 0; i < sizeof(ramdisk); i++)
		ramdisk[i] = i * 7 + 1;
	for (size_t i = 0; i < ARRAY_SIZE(trials); i++)
		check_trial(&trials[i]);
}

/* What Xen's builder made of Debian's 6.1.192 with 256 MiB and a ramdisk of 0x213 pages. */
static void test_as_xen_places(void **state)
{
	struct image image = {
		.virt_base = 0xffffffff80000000, .kernel_start = 0xffffffff81000000, .kernel_end = 0xffffffff84a00000,
		.init_p2m = 0x8000000000, .has_init_p2m = true, .mod_start_pfn = 1,
	};
	struct placement p;

	assert_true(place_domain(&p, &image, 65536, 0x213000, 2));
	assert_int_equal(p.start_info, 0x4a00);
	assert_int_equal(p.rings, 0x4a01);
	assert_int_equal(p.tables.pfn, 0x4a03);
	assert_int_equal(p.tables.pages, 0x29);
	assert_int_equal(p.stack, 0x4a2c);
	assert_int_equal(placed_at(&p, p.end), 0xffffffff84c00000);
	assert_int_equal(p.initrd.pfn, 0x4c00);
	assert_int_equal(p.initrd.pages, 0x213);
	assert_int_equal(p.p2m.pfn, 0x4e13);
	assert_int_equal(p.p2m.pages + p.p2m_tables.pages, 0x83);
	/* Without the notes: the same 64 MiB domain that was looked at has its list in front of start_info. */
	image = (struct image){ .kernel_start = 0x100000, .kernel_end = 0x128000 };
	assert_true(place_domain(&p, &image, 16384, 0, 2));
	assert_int_equal(placed_at(&p, p.p2m.pfn), 0x128000);
	assert_int_equal(placed_at(&p, p.start_info), 0x148000);
	assert_int_equal(placed_at(&p, p.tables.pfn), 0x14b000);
	assert_int_equal(p.tables.pages, 5);
}

/* Below the last address nothing wraps: the whole first mapping fits, or the image is refused. */
static void test_near_the_top(void **state)
{
	u64 placed = 0;

	for (u64 room = PAGE_SIZE; room <= 16ul << 20; room += PAGE_SIZE) {
		struct image image = { .virt_base = -room, .kernel_start = -room, .kernel_end = -room + PAGE_SIZE - 1 };
		struct placement p;

		if (!place_domain(&p, &image, 8192, 0, 2))
			continue;
		placed++;
		assert_in_range(p.tables.pages, 4, 16);
		assert_true(p.stack < p.end && p.end <= 8192 && p.end * PAGE_SIZE < room);
	}
	assert_true(placed);
}

/* One line each, a fitting errno, and nothing stays mapped. */
static void test_refusals(void **state)
{
	static const struct {
		struct trial t;
		u64 limit;
		int err;
	} bad[] = {
		{ { 0xffffffff80000000, 0x100000, 0x40000, 100, 0, 0, 0, 9 }, 100, -ENOMEM },
		{ { 0xffffffff80000000, 0x100000, 0x40000, 1023, 0, 0, 0, 9 }, 1023, -ENOMEM },
		{ { 0xffffffff80000000, 0x100000, 0x40000, 1024, sizeof(ramdisk), 0, 1, 9 }, 1024, -ENOMEM },
		{ { 0xffffffff80000000, 0x100000, 0x40000, 2048, 0, 0, 0, 9 }, 2047, -ENOMEM },
		{ { 0xffffffff80000000, 0x100000, 0x7ff00000, 2048, 0, 0, 0, 9 }, 2048, -EINVAL },
		{ { 0x7fffffe00000, 0x100000, 0x80000, 2048, 0, 0, 0, 9 }, 2048, -ENOMEM },
		{ { 0xffffffff80000000, 0x100000, 0x7fc00000, 2048, 0, 0, 0, 9 }, 2048, -ENOMEM },
		{ { 0xffff800000000000, 0x100000, 0x40000, 2048, 0, 0, 0, 9 }, 2048, -EINVAL },
		{ { 0x100, 0x100000, 0x40000, 2048, 0, 0, 0, 9 }, 2048, -EINVAL },
	};
	struct build_result result;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		machine_reset(bad[i].limit, 9);
		assert_int_equal(try(&bad[i].t, &result), bad[i].err);
		assert_true(error[0] && !strchr(error, '\n'));
		assert_false(machine.pinned);
		for (size_t k = 0; k < ARRAY_SIZE(mappings); k++)
			assert_null(mappings[k].at);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layouts), cmocka_unit_test(test_as_xen_places), cmocka_unit_test(test_near_the_top),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
