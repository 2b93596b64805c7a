/* SPDX-License-Identifier: MIT */
/*
 * Descriptor tables: set_gdt, update_descriptor and the LDT. A page of descriptors has the type
 * FRAME_SEGDESC: all of its entries are harmless and no guest can write to it. The pages that a vCPU uses are mapped
 * in its window (layout.h), writable for the CPU, which marks descriptors accessed:
 *
 *   GDT  all pages when it is set; unused ones show empty_descriptors
 *   LDT  a page when the CPU first misses it; ldt_mapped says which are there
 *
 * Harmless are: absent descriptors, code and data of ring 3, and call gates to the flat ring-3 code segment or to
 * a segment of the guest's own.
 */
#include <abi/arch-x86_64.h>
#include <console.h>
#include <cpu.h>
#include <entry.h>
#include <hypercall.h>
#include <pagetable.h>
#include <pte.h>
#include <string.h>
#include <uaccess.h>

#define SELECTOR_LDT 4	/* a selector's table indicator */
#define DESCRIPTOR_TYPE(d) ((d) >> 40 & 0xf)
#define DESCRIPTOR_S (1ull << 44)	/* code or data */
#define DESCRIPTOR_DPL (3ull << 45)
#define DESCRIPTOR_P (1ull << 47)
#define TYPE_CALL_GATE 12

#define GDT_PAGES FIRST_RESERVED_GDT_PAGE
#define DESCRIPTORS_PER_PAGE 512
#define MAX_LDT_ENTRIES 8192

const u64 empty_descriptors[DESCRIPTORS_PER_PAGE] __attribute__((aligned(4096)));

/* --- what a descriptor may be ------------------------------------------------------------------------------------- */

static bool call_gate_allowed(u64 d)
{
	unsigned selector = d >> 16 & 0xfffc;

	return (selector < FIRST_RESERVED_GDT_PAGE * PAGE_SIZE || selector == (FLAT_KERNEL_CS64 & 0xfffc)) && !(d >> 32 & 0xff);
}

/* Ring 3 is given to descriptors of a lower one. False: not allowed. */
static bool descriptor_check(u64 *descriptor)
{
	u64 d = *descriptor;

	if (!(d & DESCRIPTOR_P))
		return true;
	if (!(d & DESCRIPTOR_S) && DESCRIPTOR_TYPE(d) && !(DESCRIPTOR_TYPE(d) == TYPE_CALL_GATE && call_gate_allowed(d)))
		return false;
	*descriptor = d | DESCRIPTOR_DPL;
	return true;
}

bool segdesc_validate(u64 *page)
{
	for (int i = 0; i < DESCRIPTORS_PER_PAGE; i++) {
		u64 d = page[i];

		if (!descriptor_check(&d))
			return false;
		if (d != page[i])
			page[i] = d;
	}
	return true;
}

/* --- the GDT -------------------------------------------------------------------------------------------------------- */

static unsigned gdt_pages(unsigned entries)
{
	return (entries + DESCRIPTORS_PER_PAGE - 1) / DESCRIPTORS_PER_PAGE;
}

static void map_gdt_page(struct vcpu *v, unsigned i, maddr_t m, u64 flags)
{
	/* The window's tables exist since the vCPU does. */
	if (map_hv_page(vcpu_window(v) + i * PAGE_SIZE, m, flags))
		panic("GDT page %u of a vCPU: no tables", i);
}

static void put_frames(const u64 *frames, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		put_frame_type(frames[i]);
}

int set_gdt(struct vcpu *v, const u64 *frames, unsigned entries)
{
	unsigned pages = gdt_pages(entries), had = gdt_pages(v->gdt_entries), i;
	u64 old[GDT_PAGES];

	if (entries > GDT_PAGES * DESCRIPTORS_PER_PAGE)
		return -EINVAL;
	for (i = 0; i < pages; i++) {
		if (get_frame_type(frames[i], v->domain->id, FRAME_SEGDESC)) {
			put_frames(frames, i);
			return -EINVAL;
		}
	}
	for (i = 0; i < had; i++)
		old[i] = v->gdt_frames[i];
	for (i = 0; i < pages; i++) {
		if (i >= had || old[i] != frames[i])
			map_gdt_page(v, i, frames[i] << PAGE_SHIFT, HV_RW);
		v->gdt_frames[i] = frames[i];
	}
	for (; i < had; i++)
		map_gdt_page(v, i, image_to_maddr(empty_descriptors), HV_RO);
	v->gdt_entries = entries;
	put_frames(old, had);
	return 0;
}

long do_set_gdt(u64 list, u64 entries, u64 a3, u64 a4, u64 a5, struct vcpu *v)
{
	u64 frames[GDT_PAGES];
	unsigned pages;

	entries = (u32)entries;
	if (entries > GDT_PAGES * DESCRIPTORS_PER_PAGE)
		return -EINVAL;
	pages = gdt_pages(entries);
	for (unsigned i = 0; i < pages; i++)
		if (get_guest_u64(&frames[i], list + i * 8))
			return -EFAULT;
	return set_gdt(v, frames, entries);
}

/* --- the LDT -------------------------------------------------------------------------------------------------------- */

static u64 ldt_window(const struct vcpu *v)
{
	return vcpu_window(v) + VCPU_WINDOW_LDT * PAGE_SIZE;
}

/* Another CPU that runs v may still know a page; it forgets before the frame becomes anything else (frames.c). */
void drop_ldt_pages(struct vcpu *v)
{
	u64 va = ldt_window(v);

	spin_lock(&v->ldt_lock);
	for (unsigned mapped = v->ldt_mapped; mapped; mapped &= mapped - 1) {
		u64 page = va + __builtin_ctz(mapped) * PAGE_SIZE;
		mfn_t mfn = pte_mfn(*hv_l1e(page));

		unmap_hv_page(page);
		put_frame_type(mfn);
	}
	v->ldt_mapped = 0;
	spin_unlock(&v->ldt_lock);
}

bool segdesc_ldt_fault(struct vcpu *v, u64 offset)
{
	unsigned i = offset >> PAGE_SHIFT;
	u64 pte, va = ldt_window(v) + i * PAGE_SIZE;
	bool wanted;

	if (i * DESCRIPTORS_PER_PAGE >= v->ldt_entries)
		return false;
	pte = mmu_read_l1e(v, v->ldt_base + i * PAGE_SIZE);
	if (!(pte & PTE_PRESENT) || get_frame_type(pte_mfn(pte), v->domain->id, FRAME_SEGDESC))
		return false;
	spin_lock(&v->ldt_lock);
	wanted = !(v->ldt_mapped & 1u << i) && !map_hv_page(va, pte_mfn(pte) << PAGE_SHIFT, HV_RW);
	if (wanted)
		v->ldt_mapped |= 1u << i;
	spin_unlock(&v->ldt_lock);
	if (!wanted)
		put_frame_type(pte_mfn(pte));
	return wanted;
}

void segdesc_prepare(struct vcpu *v, u16 selector)
{
	if (selector & SELECTOR_LDT && !(v->ldt_mapped >> (selector >> PAGE_SHIFT) & 1))
		segdesc_ldt_fault(v, selector & ~7u);
}

/* base and entries as in MMUEXT_SET_LDT. */
int set_ldt(struct vcpu *v, u64 base, unsigned entries)
{
	if (base & (PAGE_SIZE - 1) || entries > MAX_LDT_ENTRIES || !guest_address_ok(base) ||
	    !address_canonical(base))
		return -EINVAL;
	drop_ldt_pages(v);
	v->ldt_base = entries ? base : 0;
	v->ldt_entries = entries;
	if (v == current)
		load_ldt(v->cpu, ldt_window(v), entries);
	return 0;
}

/* --- update_descriptor --------------------------------------------------------------------------------------------- */

/* On a page of descriptors the new one is checked; on plain memory any word may be stored. */
long do_update_descriptor(u64 at, u64 descriptor, u64 a3, u64 a4, u64 a5, struct vcpu *v)
{
	mfn_t mfn = at >> PAGE_SHIFT;
	domid_t owner = v->domain->id;

	if (unlikely(at & 7 || !descriptor_check(&descriptor)) || unlikely(!get_frame(mfn, owner)))
		return -EINVAL;
	if (!get_validated(mfn, FRAME_SEGDESC) && !get_writable(mfn)) {
		put_frame(mfn);
		return -EINVAL;
	}
	WRITE_ONCE(*(u64 *)maddr_to_virt(at), descriptor);
	put_frame_type(mfn);
	return 0;
}
