/* SPDX-License-Identifier: MIT */
/*
 * The start of the day: which registers, tables and pages an image finds at its first
 * instruction. head.S has put the registers aside; the rest is read before anything moves.
 */
#include "guest.h"

/* rip is the ENTRY note's, which is how we got here; the others have to be looked at. */
static void registers(void)
{
	struct entry_state *s = &entry_state;
	uint64_t others = s->rax | s->rbx | s->rcx | s->rdx | s->rdi | s->rbp | s->r8 | s->r9 | s->r10 |
			  s->r11 | s->r12 | s->r13 | s->r14 | s->r15;

	check_eq("ENTRY-1", s->rsi, (uint64_t)start_info, "rsi is the address of start_info");
	check_eq("ENTRY-2", others, 0, "all other general registers are 0");
	check("ENTRY-3", s->cs == FLAT_KERNEL_CS64 && s->ss == FLAT_KERNEL_SS,
	      "cs and ss are the flat selectors (cs %x ss %x)", s->cs, s->ss);
	check("ENTRY-4", (s->ds | s->es | s->fs | s->gs) == 0, "ds, es, fs and gs are null");
	check_eq("ENTRY-5", s->rflags & ~0x8d5UL, 0x202, "rflags has IF, not DF, TF, NT, AC or IOPL");
	check("ENTRY-6", s->mxcsr == 0x1f80 && s->fcw == 0x37f, "the FPU is in its initial state");
}

/* The boot stack is one page, read-write, its end in rsp. */
static void stack(void)
{
	struct attempt a = attempt_write((void *)(entry_state.rsp - 8), 1);

	check("ENTRY-7", a.vector == NO_TRAP && (entry_state.rsp & 15) == 0,
	      "below rsp there is a writable stack");
}

static void start_info_fields(void)
{
	check("ENTRY-8", strncmp(start_info->magic, "xen-3.0-x86_64", 32) == 0,
	      "start_info.magic names the interface");
	check("ENTRY-9",
	      (start_info->flags & (SIF_PRIVILEGED | SIF_INITDOMAIN)) ==
		      (SIF_PRIVILEGED | SIF_INITDOMAIN),
	      "domain 0 finds SIF_PRIVILEGED and SIF_INITDOMAIN");
	check("ENTRY-10", start_info->nr_pages >= 16384 && start_info->nr_pages <= 32768,
	      "nr_pages is what dom0_mem=128M says, or a little less (%lu)", start_info->nr_pages);
	check("ENTRY-11", start_info->shared_info != 0 && (start_info->shared_info & 4095) == 0,
	      "shared_info is the machine address of a page");
	check("ENTRY-12", start_info->store_mfn == 0 && start_info->store_evtchn == 0,
	      "domain 0 has no xenstore ring");
	check("ENTRY-13", start_info->mod_len == 0 && start_info->mod_start == 0,
	      "without a ramdisk mod_start and mod_len are 0");
	check("ENTRY-14", start_info->cmd_line[MAX_GUEST_CMDLINE - 1] == 0,
	      "cmd_line ends within its field");
}

static uint64_t read_cr3(uint64_t unused)
{
	uint64_t value;

	__asm__ volatile("mov %%cr3, %0" : "=r"(value));
	return value;
}

/* Every table of the boot mapping, from pt_base on, is mapped read-only. */
static bool tables_readonly(void)
{
	for (uint64_t i = 0; i < start_info->nr_pt_frames; i++)
		if (*entry_of((void *)(start_info->pt_base + i * PAGE_SIZE), 1) & PTE_RW)
			return false;
	return true;
}

static void page_tables(void)
{
	struct attempt a = attempt(read_cr3, 0);

	check("ENTRY-15", a.vector == NO_TRAP && a.value >> PAGE_SHIFT == boot_l4_mfn(),
	      "cr3 is the frame at pt_base");
	check("ENTRY-16", start_info->nr_pt_frames >= 4 && tables_readonly(),
	      "the nr_pt_frames tables from pt_base on are mapped read-only");
	a = attempt_write((void *)start_info->pt_base, 0);
	check("ENTRY-17", a.vector == VECTOR_PF && a.regs.error_code == 3,
	      "a store to the boot L4 is a page fault");
	check_eq("ENTRY-18", mmuext(MMUEXT_PIN_L4_TABLE, boot_l4_mfn(), 0), -EINVAL,
		 "the boot L4 is pinned already");
}

/* The linear boot mapping: every page of the image and 512 KiB behind the stack. */
static void boot_mapping(void)
{
	uint64_t end = (entry_state.rsp & ~4095UL) + 512 * 1024;
	bool linear = true, writable = true;

	for (uint64_t va = (uint64_t)&entry_state & ~4095UL; va < end; va += PAGE_SIZE) {
		uint64_t *pte = entry_of((void *)va, 1);

		if (va == (uint64_t)shared_info)
			continue;
		linear = linear && pte && (*pte & PTE_PRESENT) &&
			 m2p((*pte & PTE_ADDR_MASK) >> PAGE_SHIFT) == (va - VIRT_BASE) >> PAGE_SHIFT;
	}
	writable = attempt_write((void *)(end - 8), 1).vector == NO_TRAP;
	check("ENTRY-19", linear, "the boot mapping is linear: va - VIRT_BASE is the pfn");
	check("ENTRY-20", writable, "512 KiB behind the stack are mapped read-write");
	check("ENTRY-21",
	      start_info->mfn_list > (uint64_t)image_end - 4096 &&
		      start_info->mfn_list < (uint64_t)start_info,
	      "the p2m list lies behind the image, start_info behind it");
}

static bool p2m_matches_m2p(void)
{
	for (uint64_t pfn = 0; pfn < start_info->nr_pages; pfn++)
		if (m2p(p2m()[pfn]) != pfn)
			return false;
	return true;
}

static bool evtchn_mask_clear(void)
{
	for (int i = 0; i < 64; i++)
		if (shared_info->evtchn_mask[i])
			return false;
	return true;
}

void test_main(void)
{
	registers();
	stack();
	start_info_fields();
	page_tables();
	boot_mapping();
	check("ENTRY-22", p2m_matches_m2p(), "m2p[p2m[pfn]] is pfn for every page of the domain");
	check_eq("ENTRY-23", m2p(start_info->shared_info >> PAGE_SHIFT), -1, "shared_info has no pfn");
	check("ENTRY-24", shared_info->vcpu_info[0].evtchn_upcall_mask == 1, "upcalls are masked");
	check("ENTRY-25", evtchn_mask_clear(), "no event channel is masked");
}
