/* SPDX-License-Identifier: MIT */
/*
 * The frame table: for every frame of memory its owner, how many references it has, what it is
 * used as and how many uses there are. This is the boundary between domains.
 *
 * Invariants
 *   1. A frame has one type while its type count is above 0. FRAME_WRITABLE and the page-table
 *      types exclude each other, so no guest has a writable mapping of a page table.
 *   2. A type reference holds a general reference. A frame with count 0 is free.
 *   3. A guest's PTE that maps a frame holds a general reference, and a FRAME_WRITABLE one if it
 *      maps it writable. An upper-level entry holds a type reference of the level below.
 *   4. Only references to frames of the owner named are given: get_frame() checks the owner and
 *      counts in one atomic step.
 *   5. A frame that was typed writable becomes a page table or is freed only after every CPU that
 *      may hold a stale translation has flushed (`stamp`).
 */
#ifndef PARAVANE_FRAMES_H
#define PARAVANE_FRAMES_H

#include <layout.h>
#include <types.h>

struct domain;
struct vcpu;

enum frame_type {
	FRAME_NONE, FRAME_L1, FRAME_L2, FRAME_L3, FRAME_L4, FRAME_SEGDESC, FRAME_WRITABLE,
};

#define OWNER_NONE 0xffff	/* free */
#define OWNER_XEN 0x7ff2	/* the hypervisor's own (DOMID_XEN) */
#define OWNER_IO 0x7ff1		/* not memory (DOMID_IO) */

struct frame {
	union {
		struct {
			u32 count;	/* general references */
			u16 owner;	/* domid, or OWNER_* */
			u16 flags;	/* FRAME_* flags below; order while free */
		};
		u64 count_owner;	/* the three, for compare-and-swap */
	};
	union {
		struct {
			u32 type;	/* bits 31..28 enum frame_type, 27 validated, 26 pinned, 25..0 count */
			u32 stamp;	/* TLB clock when the last type reference was dropped */
		};
		u64 type_stamp;
	};
	u32 next, prev;			/* owner's list or free list, as frame numbers; 0: end */
};

#define frame_table ((struct frame *)FRAME_TABLE_START)

/* One past the highest frame of RAM. Holes below it read as OWNER_IO frames. */
extern mfn_t max_mfn;

static inline struct frame *mfn_to_frame(mfn_t mfn) { return &frame_table[mfn]; }
static inline mfn_t frame_to_mfn(const struct frame *f) { return f - frame_table; }
static inline void *mfn_to_virt(mfn_t mfn) { return (void *)(DIRECTMAP_START + (mfn << PAGE_SHIFT)); }
static inline void *maddr_to_virt(maddr_t m) { return (void *)(DIRECTMAP_START + m); }
static inline mfn_t virt_to_mfn(const void *p) { return ((u64)p - DIRECTMAP_START) >> PAGE_SHIFT; }
static inline maddr_t virt_to_maddr(const void *p) { return (u64)p - DIRECTMAP_START; }

/* --- mm/alloc.c: the physical allocator ---------------------------------------------------------- */

void alloc_init_range(mfn_t start, mfn_t end);	/* RAM that is free; max_mfn is known */
void *alloc_pages(int order);		/* the hypervisor's own, zeroed, directmap address; NULL: none left */
void free_pages(void *p, int order);
u64 free_page_count(void);		/* frames that are free */
static inline void *alloc_page(void) { return alloc_pages(0); }
static inline void free_page(void *p) { free_pages(p, 0); }

/* 2^order frames for a domain: zeroed, one general reference each (PGC "allocated"), on its list, counted against max_pages
 * unless `uncounted`. mfn below 2^(bits) if bits != 0. INVALID_MFN: no memory or over the maximum. */
mfn_t alloc_domain_frames(struct domain *d, int order, int bits);
/* A frame that the hypervisor fills and a domain may map (shared_info, grant frames): owner d, not on its list nor counted. */
mfn_t share_frame_with(struct domain *d, void *page);
void unshare_frame(struct domain *d, void *page);

/* --- mm/frames.c ---------------------------------------------------------------------------------- */

bool get_frame(mfn_t mfn, domid_t owner);	/* a general reference, if the owner is that */
void put_frame(mfn_t mfn);
int get_frame_type(mfn_t mfn, domid_t owner, enum frame_type type);	/* general + type reference; validates; 0, -EINVAL, -EBUSY... */
void put_frame_type(mfn_t mfn);

/* --- mm/m2p.c --------------------------------------------------------------------------------------- */

/* Slots of frames that are no RAM are read-only: they hold INVALID_PFN for good. */
#define m2p_table ((u64 *)M2P_WRITABLE_START)
#define INVALID_PFN (~0ull)
void m2p_set(mfn_t mfn, u64 pfn);	/* through the hypervisor's writable alias */

/* --- mm/pv_mmu.c, for others ------------------------------------------------------------------------ */

/* Writes one L1 entry of d's page tables; the old one's references are dropped. For grant maps and the like. */
int mmu_pin(struct domain *d, mfn_t mfn, enum frame_type type);	/* as MMUEXT_PIN_*: validates one of d's tables and holds it; 0, -EINVAL... */
int mmu_install_kernel_l4(struct vcpu *v, mfn_t l4);	/* takes references, replaces v->kernel_cr3 */
int mmu_install_user_l4(struct vcpu *v, mfn_t l4);	/* 0: none */
/* The PTE's location that maps `va` in the running vCPU's kernel tables, as directmap pointer, or NULL. L1 frame in *l1. */
u64 *guest_l1e(struct vcpu *v, u64 va, mfn_t *l1);
bool ptwr_emulate(struct vcpu *v, u64 address);	/* a write fault to a page table: true if done */
void mmu_teardown(struct domain *d);

/* --- mm/segdesc.c ----------------------------------------------------------------------------------- */

/* The CPU missed the LDT page at this offset of v's LDT: validates and maps it. False: the guest's page fault. */
bool segdesc_ldt_fault(struct vcpu *v, u64 offset);

#endif
