/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's own mappings (mm/pagetable.c). hv_l4 is the model: slots 256 to 271 of every
 * L4 hold the same entries, all present from boot on, so a mapping made here is seen everywhere.
 */
#ifndef PARAVANE_PAGETABLE_H
#define PARAVANE_PAGETABLE_H

#include <abi/mmu.h>
#include <layout.h>
#include <types.h>

#define HV_RW (PTE_PRESENT | PTE_RW | PTE_ACCESSED | PTE_DIRTY | PTE_GLOBAL | PTE_NX)
#define HV_RO (PTE_PRESENT | PTE_ACCESSED | PTE_GLOBAL | PTE_NX)
#define HV_RX (PTE_PRESENT | PTE_ACCESSED | PTE_GLOBAL)
#define HV_UNCACHED (PTE_PCD | PTE_PWT)

/* Of something in the hypervisor's image. */
static inline maddr_t image_to_maddr(const void *p) { return (u64)p - IMAGE_START; }

extern u64 *hv_l4;		/* what CPUs run on that run no guest */
extern maddr_t hv_l4_maddr;

/* Builds hv_l4, loads it, and gives all free memory to the allocator. */
void pagetable_init(void);
void pagetable_load(void);	/* on this CPU */
void release_boot_memory(void);	/* once all CPUs are up: the early tables and the first stack */

/* One 4 KiB page of the windows or of device space; 0 or -ENOMEM. Replacing a mapping is allowed. */
int map_hv_page(u64 va, maddr_t m, u64 flags);
/* Removes it on this CPU; where another CPU may have used it, flush_tlb_all_cpus() is due. */
void unmap_hv_page(u64 va);
/* Takes the L1 table out in which no page around va is mapped; for free_unmapped_page(). NULL: there is none. */
void *detach_hv_table(u64 va);
/* The L1 entry of a va whose tables exist, or NULL. */
u64 *hv_l1e(u64 va);
void *map_device(maddr_t m, size_t bytes);	/* uncached, for good; NULL: no memory or space */

#endif
