/* SPDX-License-Identifier: MIT */
/*
 * Our own grants, version 1, and mappings of others'. Free references are a list threaded through next_free; 0 to 7 belong to
 * whoever built the domain. An entry is published by its flags, written last, and is free again only
 * when the hypervisor has no mapping of it any more.
 */
#include <abi/grant_table.h>

#include "gnttab.h"
#include "hypercall.h"
#include "lib.h"
#include "mm.h"
#include "ops.h"

#define NR_FRAMES 1
#define NR_ENTRIES (NR_FRAMES * PAGE_SIZE / sizeof(struct grant_entry_v1))
#define NO_ENTRY 0

static struct grant_entry_v1 *table;
static u16 next_free[NR_ENTRIES];
static u32 first_free = NO_ENTRY, nr_free;

bool gnttab_init(void)
{
	u64 frames[NR_FRAMES];
	struct gnttab_setup_table setup = { .dom = DOMID_SELF, .nr_frames = NR_FRAMES, .frame_list = (u64)frames };

	if (boot.native || HYPERVISOR_grant_table_op(GNTTABOP_setup_table, &setup, 1) || setup.status)
		return false;
	table = vmap_mfns(frames, NR_FRAMES, PROT_WRITE);
	if (!table)
		return false;
	for (u32 ref = GNTTAB_NR_RESERVED_ENTRIES; ref < NR_ENTRIES; ref++) {
		next_free[ref] = first_free;
		first_free = ref;
		nr_free++;
	}
	return true;
}

u32 gnttab_grant(u16 domid, u64 pfn, bool readonly)
{
	bool irq = irq_save();
	u32 ref = first_free;

	if (ref != NO_ENTRY) {
		first_free = next_free[ref];
		nr_free--;
		table[ref].domid = domid;
		table[ref].frame = pfn_to_mfn(pfn);
		barrier();
		WRITE_ONCE(table[ref].flags, GTF_permit_access | (readonly ? GTF_readonly : 0));
	}
	irq_restore(irq);
	return ref;
}

bool gnttab_end(u32 ref)
{
	u16 flags = READ_ONCE(table[ref].flags);
	bool irq;

	do {
		if (flags & (GTF_reading | GTF_writing))
			return false;
	} while (!__atomic_compare_exchange_n(&table[ref].flags, &flags, 0, false,
					      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
	irq = irq_save();
	next_free[ref] = first_free;
	first_free = ref;
	nr_free++;
	irq_restore(irq);
	return true;
}

u32 gnttab_free_refs(void)
{
	return nr_free;
}

/*
 * Others' pages are mapped in place of a page of our own, which lends its address and table: the hypervisor puts a
 * grant only into an entry that is empty, and takes it out again itself.
 */
static void set_entry(const struct grant_mapping *m, u64 pte)
{
	long err = HYPERVISOR_update_va_mapping((u64)m->va, pte, UVMF_INVLPG);

	if (err)
		panic("update_va_mapping of a grant's place %p: %ld", m->va, err);
}

bool gnttab_map(u16 domid, u32 ref, bool readonly, struct grant_mapping *m)
{
	struct gnttab_map_grant_ref op = { .flags = GNTMAP_host_map | (readonly ? GNTMAP_readonly : 0), .ref = ref, .dom = domid };

	m->va = vmalloc(PAGE_SIZE);
	if (!m->va)
		return false;
	m->own_pte = *pt_lookup((u64)m->va);
	set_entry(m, 0);
	op.host_addr = (u64)m->va;
	if (HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, &op, 1) || op.status) {
		set_entry(m, m->own_pte);
		vfree(m->va);
		return false;
	}
	m->handle = op.handle;
	return true;
}

void gnttab_unmap(struct grant_mapping *m)
{
	struct gnttab_unmap_grant_ref op = { .host_addr = (u64)m->va, .handle = m->handle };

	if (HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, &op, 1) || op.status)
		panic("unmap of grant handle %u: %d", m->handle, op.status);
	set_entry(m, m->own_pte);
	vfree(m->va);
}
