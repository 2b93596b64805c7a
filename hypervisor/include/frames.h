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

#define OWNER_NONE 0xffff	/* nobody's: never the owner of a frame */
#define OWNER_ZEROED 0xfffe	/* nobody's: free and zero */
#define OWNER_XEN 0x7ff2	/* DOMID_XEN */
#define OWNER_LENT 0x7ff7	/* the hypervisor's, for domain 0 to map as DOMID_XEN's */
#define OWNER_IO 0x7ff1		/* not memory (DOMID_IO) */

/* struct frame.flags */
#define FRAME_ALLOCATED 0x8000	/* the owner's allocation holds a reference */
#define FRAME_SHARED 0x4000	/* the hypervisor's page, lent to the owner: on no list, not counted */
#define FRAME_FREE 0x2000	/* first frame of a free block of 2^FRAME_LOW_BITS */
#define FRAME_LINEAR 0x1000	/* FRAME_LOW_BITS of its entries map tables of its own level; else as many such entries map it */
#define FRAME_LOW_BITS 0x0fff

/* struct frame.type */
#define TYPE_SHIFT 28
#define TYPE_VALIDATED (1u << 27)
#define TYPE_PINNED (1u << 26)
#define TYPE_COUNT 0x03ffffffu
#define TYPE_WORD(t) ((u32)(t) << TYPE_SHIFT)

struct frame {
	union {
		struct {
			u32 count;	/* general references; 0: nobody's, whatever owner says */
			u16 owner;	/* domid, or OWNER_* */
			u16 flags;	/* FRAME_* */
		};
		u64 count_owner;	/* the three, for compare-and-swap */
	};
	union {
		struct {
			u32 type;	/* bits 31..28 enum frame_type, TYPE_VALIDATED, TYPE_PINNED, 25..0 count */
			u32 stamp;	/* TLB clock when the last type reference was dropped */
		};
		u64 type_stamp;
	};
	u32 next, prev;			/* owner's list or free list, as frame numbers; 0: end */
};

#define frame_table ((struct frame *)FRAME_TABLE_START)

/*
 * One past the highest frame of RAM. RAM starts as OWNER_XEN's, that is, the hypervisor's. The holes below max_mfn read as
 * OWNER_IO frames with one reference and cannot be written.
 */
extern mfn_t max_mfn;

static inline struct frame *mfn_to_frame(mfn_t mfn) { return &frame_table[mfn]; }
static inline void *mfn_to_virt(mfn_t mfn) { return (void *)(DIRECTMAP_START + (mfn << PAGE_SHIFT)); }
static inline void *maddr_to_virt(maddr_t m) { return (void *)(DIRECTMAP_START + m); }
static inline mfn_t virt_to_mfn(const void *p) { return ((u64)p - DIRECTMAP_START) >> PAGE_SHIFT; }
static inline maddr_t virt_to_maddr(const void *p) { return (u64)p - DIRECTMAP_START; }

/* --- mm/alloc.c: the physical allocator ---------------------------------------------------------- */

void alloc_init_range(mfn_t start, mfn_t end);	/* RAM that is free; max_mfn is known */
void *alloc_pages(int order);		/* the hypervisor's own, zeroed, directmap address; NULL: none left */
void free_pages(void *p, int order);
bool zero_free_memory(void);		/* a little of it, for who has nothing else to do; false: nothing to do */
u64 free_page_count(void);		/* frames that are free */
u64 free_pages_of_width(u32 least, u32 most);	/* the same, of addresses of so many bits; most 0: any */
static inline void *alloc_page(void) { return alloc_pages(0); }
static inline void free_page(void *p) { free_pages(p, 0); }

/*
 * 2^order frames for a domain: zeroed, one general reference each (FRAME_ALLOCATED), on its list, counted against
 * max_pages. Machine addresses below 2^bits if bits != 0. INVALID_MFN: no memory, or over the maximum.
 */
enum {
	ALLOC_NOT_ZEROED = 1 << 0,	/* domain 0's first memory, which held nobody's secrets */
	ALLOC_IN_EXCHANGE = 1 << 1,	/* maximum or not: the caller gives as many back */
};
mfn_t alloc_domain_frames(struct domain *d, int order, int bits, unsigned how);
/* The domain gives a frame up; it is freed when the last reference goes. Doing that again changes nothing. False: not its. */
bool release_domain_frame(struct domain *d, mfn_t mfn);

/* A page of the hypervisor's that a domain may map (shared_info, grant frames): owner d, not on its list, counted apart. */
mfn_t share_frame_with(struct domain *d, void *page);
mfn_t lend_frame(void *page, bool writable);	/* a page that domain 0 may map as DOMID_XEN's from now on, for good */
/* The hypervisor is done with it; it is freed when the domain's last mapping goes. */
void unshare_frame(struct domain *d, void *page);

/*
 * A frame changes its owner with all that is in it. Taken: from an owner whose allocation holds the only reference, and no CPU has a
 * translation to it any more; false: it is not d's, or referred to. Then it is given, false: d is being destroyed or has its maximum; or freed.
 */
bool take_domain_frame(struct domain *d, mfn_t mfn);
bool give_taken_frame(struct domain *d, mfn_t mfn);
void free_taken_frame(mfn_t mfn);

void frame_freed(mfn_t mfn);		/* put_frame()'s last step */
void free_unmapped_page(void *p);	/* free_page() for one that CPUs may still know from a mapping in a window */

/* --- references -------------------------------------------------------------------------------------- */

#define COUNT_MAX 0x7fffffffu	/* as far as get_frame() counts: as a signed number the next is below 0 */

static inline bool cas64(u64 *p, u64 *old, u64 new)
{
	return __atomic_compare_exchange_n(p, old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

/* A general reference, if the owner is that. */
static inline bool get_frame(mfn_t mfn, domid_t owner)
{
	struct frame *f = mfn_to_frame(mfn);
	u64 x;

	if (unlikely(mfn >= max_mfn))
		return false;
	x = READ_ONCE(f->count_owner);
	do {
		if (unlikely((u16)(x >> 32) != owner || (s32)((u32)x + 1) <= 1))
			return false;
	} while (unlikely(!cas64(&f->count_owner, &x, x + 1)));
	return true;
}

static inline void put_frame(mfn_t mfn)
{
	if (unlikely(!__atomic_sub_fetch(&mfn_to_frame(mfn)->count, 1, __ATOMIC_SEQ_CST)))
		frame_freed(mfn);
}

static inline enum frame_type frame_type(const struct frame *f)
{
	return READ_ONCE(f->type) >> TYPE_SHIFT;
}

/* --- mm/frames.c ---------------------------------------------------------------------------------- */

extern u64 *hv_l4;

void frames_init(void);		/* once, after features_init() */
int machine_address_bits(void);
bool device_refused(mfn_t mfn);		/* no memory, and the hypervisor's own or nothing at all */

bool get_writable_slow(mfn_t mfn);

/* False: get_writable_slow() knows. */
static inline bool try_get_writable(mfn_t mfn)
{
	struct frame *f = mfn_to_frame(mfn);
	u64 x = READ_ONCE(f->type_stamp);

	return likely((u32)x - TYPE_WORD(FRAME_WRITABLE) < TYPE_COUNT && cas64(&f->type_stamp, &x, x + 1));
}

/* A FRAME_WRITABLE reference for one who holds a general one. False: the frame is in use as something else. */
static inline bool get_writable(mfn_t mfn)
{
	return try_get_writable(mfn) || get_writable_slow(mfn);
}

extern u32 tlb_clock;	/* cpu.h */

/* For the types that need no undoing. */
static inline void drop_type(struct frame *f, enum frame_type type)
{
	u64 x = READ_ONCE(f->type_stamp), y;

	do {
		y = x - 1;
		if (!((u32)y & TYPE_COUNT))
			y = TYPE_WORD(type) | (u64)READ_ONCE(tlb_clock) << 32;
	} while (unlikely(!cas64(&f->type_stamp, &x, y)));
}

static inline void put_writable(mfn_t mfn)
{
	drop_type(mfn_to_frame(mfn), FRAME_WRITABLE);
}

/* A type reference to a table or descriptor page that is one already, for one who holds a general one. */
static inline bool get_validated(mfn_t mfn, enum frame_type type)
{
	struct frame *f = mfn_to_frame(mfn);
	u64 x = READ_ONCE(f->type_stamp);

	while (((u32)x & ~TYPE_PINNED) - (TYPE_WORD(type) | TYPE_VALIDATED) < TYPE_COUNT)
		if (likely(cas64(&f->type_stamp, &x, x + 1)))
			return true;
	return false;
}

int get_type_slow(mfn_t mfn, domid_t owner, enum frame_type type);	/* the type's; the general one is lost if there is none */

/*
 * General and type reference in one. A page table or descriptor page is validated by the first; then this may wait and be
 * preempted, so no lock is held. -EINVAL: not the owner's, or used as something else, or contents that are not allowed;
 * -EBUSY, -EPERM: an entry maps what it may not.
 */
static inline int get_frame_type(mfn_t mfn, domid_t owner, enum frame_type type)
{
	if (unlikely(!get_frame(mfn, owner)))
		return -EINVAL;
	if (type == FRAME_WRITABLE ? try_get_writable(mfn) : likely(get_validated(mfn, type)))
		return 0;
	return get_type_slow(mfn, owner, type);
}

void put_frame_type(mfn_t mfn);		/* may wait if it was the last of a page table */

int mmu_pin(struct domain *d, mfn_t mfn, enum frame_type type);	/* as MMUEXT_PIN_*: validates one of d's tables and holds it; 0, -EINVAL... */
int mmu_unpin(struct domain *d, mfn_t mfn);	/* 0; -EINVAL: not pinned, not its */

/* One vCPU at a time validates or changes tables of a domain; the others wait, running other work. */
void page_mutex_lock(struct domain *d);
void page_mutex_unlock(struct domain *d);

/* Entries of upper tables, under the page mutex; table is typed `level` and validated. *flush is set if translations were lost. */
int set_upper_entry(struct domain *d, mfn_t table, enum frame_type level, unsigned index, u64 new, bool keep_ad, bool *flush);

/* --- the machine-to-phys table --------------------------------------------------------------------------------------- */

/* Slots of frames that are no RAM hold INVALID_PFN, those of free ones, too; the former are read-only, most of them. */
#define m2p_table ((u64 *)M2P_WRITABLE_START)
#define INVALID_PFN (~0ull)
static inline void m2p_set(mfn_t mfn, u64 pfn) { m2p_table[mfn] = pfn; }

/* For whoever holds no reference: false, and nothing is set, if the frame is not the owner's. */
static inline bool m2p_set_owned(mfn_t mfn, u64 pfn, domid_t owner)
{
	if (!get_frame(mfn, owner))
		return false;
	m2p_set(mfn, pfn);
	put_frame(mfn);
	return true;
}

/* --- mm/pv_mmu.c, mm/mmuext.c, for others ----------------------------------------------------------- */

/* References on a root are taken, those on the old one dropped; 0 or -EINVAL. Install: v does not run in kernel mode; switch: it does. */
int mmu_install_kernel_l4(struct vcpu *v, mfn_t l4);
int mmu_switch_kernel_l4(struct vcpu *v, mfn_t l4);
int mmu_install_user_l4(struct vcpu *v, mfn_t l4);	/* l4 0: none */
void flush_domain_tlb(struct domain *d);	/* on every CPU that may run it */

/* A copy of the entry that maps va in d's kernel tables of v; 0: none. */
u64 mmu_read_l1e(struct vcpu *v, u64 va);

bool ptwr_wanted(struct domain *d, u64 address);	/* false: a write fault there is none for ptwr_emulate() */
bool ptwr_emulate(struct vcpu *v, u64 address);	/* a write fault to a page table: true if done */
void mmu_teardown(struct domain *d);		/* all its frames; its vCPUs are gone; preemptible */

/* --- mm/segdesc.c ------------------------------------------------------------------------------------- */

extern const u64 empty_descriptors[PAGE_SIZE / 8];	/* what unused GDT pages show */
/* v's GDT becomes these frames: 0; -EINVAL: too many entries, or a frame that cannot be one of descriptors. Not `entries`: none. */
int set_gdt(struct vcpu *v, const u64 *frames, unsigned entries);
int set_ldt(struct vcpu *v, u64 base, unsigned entries);
void drop_ldt_pages(struct vcpu *v);		/* they are validated and mapped again when used */
/* The CPU missed the LDT page at this offset of v's LDT: validates and maps it. False: the guest's page fault. */
bool segdesc_ldt_fault(struct vcpu *v, u64 offset);
/* For v itself, before the hypervisor loads this selector: the LDT page that it names is mapped, if it can be. */
void segdesc_prepare(struct vcpu *v, u16 selector);
bool segdesc_validate(u64 *page);		/* all descriptors of a page, fixed up: true if allowed */

#endif
