/* SPDX-License-Identifier: MIT */
/*
 * From what the loader left in memory to struct boot_info. Under a hypervisor the loader's own pages
 * (image, modules, p2m list, start_info, page tables, stack) lie together from the image on; all
 * frames before and after them are free. Natively the memory map says what is RAM.
 */
#include <abi/memory.h>

#include "boot.h"
#include "console.h"
#include "hypercall.h"
#include "insn.h"
#include "lib.h"
#include "mm.h"
#include "native.h"
#include "ops.h"

struct boot_info boot;
struct shared_info *shared_info;
struct vcpu_info *vcpu_info;
u64 pte_nx;

/* Only the mapping of this page of the image is used: the hypervisor's page goes there. */
static char shared_info_window[PAGE_SIZE] __attribute__((aligned(4096)));

void pv_start(const struct start_info *si, u64 stack) __attribute__((noreturn));
void native_start(u64 magic, u64 info) __attribute__((noreturn));

/* CPUID as the processor says it: a hypervisor cannot hide NX, for its bit is judged by the processor. */
static void find_nx(void)
{
	u32 a = 0x80000001, b, c = 0, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	pte_nx = d & 1u << 20 ? PTE_NX : 0;
}

static void add_free(u64 first, u64 end)
{
	if (first < end && boot.nr_free < MAX_RAM_RANGES)
		boot.free[boot.nr_free++] = (struct ram_range){ first, end };
}

/* --- PV --- */

static void map_shared_info(void)
{
	u64 pte = boot.start_info->shared_info | PROT_WRITE;

	/* Nothing can be printed before this that could not also be seen as a crash. */
	if (HYPERVISOR_update_va_mapping((u64)shared_info_window, pte, UVMF_INVLPG))
		__builtin_trap();
	shared_info = (struct shared_info *)shared_info_window;
	vcpu_info = &shared_info->vcpu_info[0];
	irq_flags = &vcpu_info->evtchn_upcall_pending;
}

static u64 page_after(u64 va)
{
	return va >= VIRT_BASE ? (PAGE_ALIGN_UP(va) - VIRT_BASE) >> PAGE_SHIFT : 0;
}

/* The first pfn after a ring page of start_info; domain 0 has none. */
static u64 page_after_ring(u64 mfn)
{
	return mfn && !boot.initial_domain ? mfn_to_pfn(mfn) + 1 : 0;
}

/*
 * What the toolstack may ever give us, as the end of RAM in the memory map. Each page of it costs 32 bytes here of what there
 * is at boot, so that no more than an eighth of that goes into the hope for more.
 */
#define MOST_GROWTH 16

static u64 most_pages(u64 now)
{
	u8 entry[XEN_MEMORY_MAP_ENTRY_SIZE];
	struct xen_memory_map map = { .nr_entries = 1, .buffer = (u64)entry };
	u64 first, bytes;

	if (HYPERVISOR_memory_op(XENMEM_memory_map, &map) || !map.nr_entries)
		return now;
	memcpy(&first, entry, sizeof(first));
	memcpy(&bytes, entry + sizeof(first), sizeof(bytes));
	return first ? now : MIN(MAX(bytes >> PAGE_SHIFT, now), now * MOST_GROWTH);
}

static void find_pv_memory(u64 stack)
{
	const struct start_info *si = boot.start_info;
	u64 used = page_after((u64)image_end);

	used = MAX(used, page_after((u64)(si + 1)));
	used = MAX(used, page_after(stack));
	used = MAX(used, page_after(si->pt_base + si->nr_pt_frames * PAGE_SIZE));
	used = MAX(used, page_after(si->mfn_list + si->nr_pages * sizeof(u64)));
	used = MAX(used, page_after_ring(si->store_mfn));
	used = MAX(used, page_after_ring(si->console.domU.mfn));
	if (si->mod_start)
		used = MAX(used, page_after(si->mod_start + si->mod_len));
	boot.ram_pages = si->nr_pages;
	boot.nr_pages = boot.initial_domain ? si->nr_pages : most_pages(si->nr_pages);
	add_free(1, virt_to_pfn(image_start));
	add_free(used, boot.ram_pages);
}

void pv_start(const struct start_info *si, u64 stack)
{
	boot.entry_tsc = rdtsc();
	find_nx();
	boot.start_info = si;
	boot.initial_domain = si->flags & SIF_INITDOMAIN;
	memcpy(boot.cmdline, si->cmd_line, sizeof(boot.cmdline) - 1);
	p2m_init((u64 *)si->mfn_list, si->nr_pages);
	map_shared_info();
	find_pv_memory(stack);
	kernel_main();
}

/* --- native: multiboot --- */

#define MULTIBOOT_LOADER_MAGIC 0x2badb002
#define MBI_CMDLINE 0x04
#define MBI_MMAP 0x40
#define E820_RAM 1

struct multiboot_info {
	u32 flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4];
	u32 mmap_length, mmap_addr;
};

struct mmap_entry {
	u32 size;			/* of the rest */
	u64 base, length;
	u32 type;
} __attribute__((packed));

static const void *low_memory(u64 maddr)
{
	return (const void *)(VIRT_BASE + maddr);
}

/* What is left of a range of RAM without the first MiB and the image. */
static void add_native_ram(u64 base, u64 end)
{
	u64 first = PAGE_ALIGN_UP(base) >> PAGE_SHIFT, last = end >> PAGE_SHIFT;

	boot.nr_pages = boot.ram_pages = MAX(boot.nr_pages, last);
	add_free(MAX(first, virt_to_pfn(image_end)), last);
}

static void find_native_memory(const struct multiboot_info *mbi)
{
	if (!(mbi->flags & MBI_MMAP)) {
		add_native_ram(0x100000, 0x100000 + mbi->mem_upper * 1024ul);
		return;
	}
	for (u64 at = mbi->mmap_addr; at < (u64)mbi->mmap_addr + mbi->mmap_length;) {
		const struct mmap_entry *e = low_memory(at);

		if (e->type == E820_RAM)
			add_native_ram(e->base, e->base + e->length);
		at += e->size + sizeof(e->size);
	}
}

static void copy_string(char *to, const char *from, size_t size)
{
	size_t n = 0;

	for (; from[n] && n + 1 < size; n++)
		to[n] = from[n];
	to[n] = 0;
}

void native_start(u64 magic, u64 info)
{
	const struct multiboot_info *mbi = low_memory(info);

	boot.entry_tsc = rdtsc();
	find_nx();
	boot.native = true;
	cpu = &ops_native;
	uart_init();
	if (magic != MULTIBOOT_LOADER_MAGIC)
		panic("started by neither a PV hypervisor nor a multiboot loader");
	if (mbi->flags & MBI_CMDLINE)
		copy_string(boot.cmdline, low_memory(mbi->cmdline), sizeof(boot.cmdline));
	find_native_memory(mbi);
	kernel_main();
}
