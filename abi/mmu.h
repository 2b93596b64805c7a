/* SPDX-License-Identifier: MIT */
/*
 * Page tables: the requests by which a guest changes its own, and the bits of an entry.
 * A guest writes machine frame numbers; the hypervisor checks each before it counts. See mmu.md.
 */
#ifndef ABI_MMU_H
#define ABI_MMU_H

/* mmu_update.ptr bits 1:0 */
#define MMU_NORMAL_PT_UPDATE 0		/* store val in the table entry at ptr */
#define MMU_MACHPHYS_UPDATE 1		/* m2p[frame of ptr] = val */
#define MMU_PT_UPDATE_PRESERVE_AD 2	/* as 0, keeping Accessed and Dirty of the old entry */
#define MMU_PT_UPDATE_NO_TRANSLATE 3	/* as 0 */

/* mmuext_op.cmd */
#define MMUEXT_PIN_L1_TABLE 0
#define MMUEXT_PIN_L2_TABLE 1
#define MMUEXT_PIN_L3_TABLE 2
#define MMUEXT_PIN_L4_TABLE 3
#define MMUEXT_UNPIN_TABLE 4
#define MMUEXT_NEW_BASEPTR 5
#define MMUEXT_TLB_FLUSH_LOCAL 6
#define MMUEXT_INVLPG_LOCAL 7
#define MMUEXT_TLB_FLUSH_MULTI 8
#define MMUEXT_INVLPG_MULTI 9
#define MMUEXT_TLB_FLUSH_ALL 10
#define MMUEXT_INVLPG_ALL 11
#define MMUEXT_FLUSH_CACHE 12
#define MMUEXT_SET_LDT 13
#define MMUEXT_NEW_USER_BASEPTR 15
#define MMUEXT_CLEAR_PAGE 16
#define MMUEXT_COPY_PAGE 17
#define MMUEXT_FLUSH_CACHE_GLOBAL 18
#define MMUEXT_MARK_SUPER 19
#define MMUEXT_UNMARK_SUPER 20

/* update_va_mapping: flags. With UVMF_MULTI the upper bits point to a bitmap of vCPUs. */
#define UVMF_NONE 0
#define UVMF_TLB_FLUSH 1
#define UVMF_INVLPG 2
#define UVMF_FLUSHTYPE_MASK 3
#define UVMF_MULTI 0
#define UVMF_LOCAL 0
#define UVMF_ALL 4

/* Bits of a page-table entry. */
#define PTE_PRESENT 0x001
#define PTE_RW 0x002
#define PTE_USER 0x004
#define PTE_PWT 0x008
#define PTE_PCD 0x010
#define PTE_ACCESSED 0x020
#define PTE_DIRTY 0x040
#define PTE_PSE 0x080			/* L2, L3: a large page */
#define PTE_PAT 0x080			/* L1 */
#define PTE_GLOBAL 0x100
#define PTE_AVAIL 0xe00			/* the guest's own */
#define PTE_GUEST_KERNEL 0x0010000000000000	/* set by the hypervisor in leaves without PTE_USER */
#define PTE_NX 0x8000000000000000
#define PTE_ADDR_MASK 0x000ffffffffff000

#ifndef __ASSEMBLY__
#include <stdint.h>

/* One request of mmu_update. 16 bytes. */
struct mmu_update {
	uint64_t ptr;	/* 0x00 IN: machine address of the entry | MMU_* */
	uint64_t val;	/* 0x08 IN: the new entry, or the new pfn */
};

/* One request of mmuext_op. 24 bytes. */
struct mmuext_op {
	uint32_t cmd;			/* 0x00 IN: MMUEXT_* */
	union {
		uint64_t mfn;		/* 0x08 IN */
		uint64_t linear_addr;	/* 0x08 IN */
	} arg1;				/* 0x08 */
	union {
		uint32_t nr_ents;	/* 0x10 IN */
		uint64_t vcpumask;	/* 0x10 IN: points to a bitmap, one bit per vCPU */
		uint64_t src_mfn;	/* 0x10 IN */
	} arg2;				/* 0x10 */
};
#endif

#endif
