/* SPDX-License-Identifier: MIT */
/*
 * Memory.
 *
 *	pfn	the kernel's dense numbering of its own frames: 0 <= pfn < boot.nr_pages
 *	mfn	what the machine, and therefore a page-table entry, calls the same frame
 *
 *	kernel addresses					L4 slot
 *	0xffff880000000000  every frame, at pfn * 4096		272	read-only where it must be
 *	0xffffc90000000000  the arena: vmap, vmalloc, stacks	402
 *	0xffffffff80000000  the image, as loaded		511
 *
 * Natively mfn and pfn are the same number.
 */
#ifndef PVK_MM_H
#define PVK_MM_H

#include <abi/mmu.h>

#include "boot.h"
#include "list.h"
#include "types.h"

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096ul
#define PAGE_MASK (~(PAGE_SIZE - 1))
#define PAGE_ALIGN_UP(x) (((x) + PAGE_SIZE - 1) & PAGE_MASK)

#define DIRECT_BASE 0xffff880000000000ul
#define DIRECT_END 0xffffc88000000000ul
#define ARENA_BASE 0xffffc90000000000ul
#define ARENA_END 0xffffc91000000000ul

#define INVALID_MFN (~0ul)
#define NO_PAGE 0ul			/* pfn 0 is never handed out */

extern u64 pte_nx;			/* PTE_NX, or 0 where the processor lacks it */

/* Flags of leaf entries. The hypervisor adds what ring 3 needs. */
#define PROT_READ (PTE_PRESENT | PTE_ACCESSED | pte_nx)
#define PROT_WRITE (PROT_READ | PTE_RW | PTE_DIRTY)
#define PROT_EXEC (PTE_PRESENT | PTE_ACCESSED)
#define PROT_DEVICE (PROT_WRITE | PTE_PCD | PTE_PWT)
#define PROT_TABLE (PTE_PRESENT | PTE_RW | PTE_USER | PTE_ACCESSED | PTE_DIRTY)

/* --- p2m.c --- */

void p2m_init(u64 *list, u64 count);
void p2m_move(u64 *list, u64 count);	/* from now on the list is there, and longer; what is new has no frames */
void p2m_set(u64 pfn, u64 mfn);
u64 pfn_to_mfn(u64 pfn);		/* INVALID_MFN for a hole */
u64 mfn_to_pfn(u64 mfn);		/* NO_PAGE if it is not one of ours */

/* --- phys.c: frames by the power of two --- */

#define MAX_ORDER 10

void phys_init(void);
u64 page_alloc_order(unsigned int order);	/* first pfn, or NO_PAGE; content undefined */
void page_free_order(u64 pfn, unsigned int order);
u64 pages_free(void);
u64 pages_total(void);			/* that have frames */
u64 page_take_out(void);		/* as page_alloc(), and its frame is about to go */
void page_put_in(u64 pfn);		/* its frame has come: it is free */
static inline u64 page_alloc(void)
{
	return page_alloc_order(0);
}

static inline void page_free(u64 pfn)
{
	page_free_order(pfn, 0);
}

/* What a frame in use is for, kept by its user: the heap's class, a page table's entry count. */
u16 *page_note(u64 pfn);

/* --- paging.c: tables --- */

void paging_init(void);			/* builds the direct map */
u64 *pt_lookup(u64 va);			/* the L1 entry of va, NULL without table or in a large page */
/* False: no memory for tables, or the hypervisor refuses one of the owner's frames; then nothing is mapped. */
bool pt_map_owned(u64 va, const u64 *ptes, u64 count, u16 owner);
void pt_unmap(u64 va, u64 count);	/* flushes, and frees tables that become empty */
/* Empty entries that the hypervisor fills and empties in the name of grants; they keep their tables. */
bool pt_reserve(u64 va, u64 count);
void pt_unreserve(u64 va, u64 count);
u64 pt_new_table(void);			/* zeroed, read-only where it must be; pfn or NO_PAGE */
void pt_free_table(u64 pfn);
void page_protect(u64 pfn, u64 prot);	/* its entry in the direct map */
u64 virt_to_maddr(const void *va);	/* of memory in the direct map or the image */
u64 root_pfn(void);			/* the L4 in use */

static inline void *pfn_to_virt(u64 pfn)
{
	return (void *)(DIRECT_BASE + (pfn << PAGE_SHIFT));
}

static inline u64 virt_to_pfn(const void *va)
{
	u64 a = (u64)va;

	return (a >= VIRT_BASE ? a - VIRT_BASE : a - DIRECT_BASE) >> PAGE_SHIFT;
}

static inline u64 make_pte(u64 mfn, u64 prot)
{
	return mfn << PAGE_SHIFT | prot;
}

/* --- vmap.c: the arena --- */

void vmap_init(void);
void *vmap_mfns(const u64 *mfns, u64 count, u64 prot);
void *vmap_foreign(u16 owner, const u64 *mfns, u64 count, u64 prot);	/* another domain's; NULL also when refused */
void *vmap_maddr(u64 maddr, u64 size, u64 prot);	/* any byte range of the machine */
void *vmap_reserve(u64 count);		/* addresses with nothing there, but with their tables: for grants */
void vmap_release(void *va);		/* nothing is there again */
void *vmalloc(u64 size);		/* pages of its own, unmapped ones on both sides */
void vunmap(void *va);			/* of vmap_*: the frames stay whose they are */
void vfree(void *va);			/* of vmalloc */
u64 arena_used(void);

/* --- heap.c --- */

void *kmalloc(size_t size);		/* zeroed; NULL when memory is out */
void kfree(void *p);
u64 heap_used(void);

#endif
