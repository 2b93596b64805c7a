/* SPDX-License-Identifier: MIT */
/*
 * The frame table against the page tables. Every present entry of a validated table stands for references; whoever changes one takes
 * those of the new before and drops those of the old after, so at any moment
 *
 *   general references >= entries that map the frame        writable ones >= entries with RW
 *   a frame with an entry that has RW is typed writable      an upper entry names a validated table of the level below, or of its own
 *   a free frame is named by none
 *
 * The roots of vCPUs are counted as entries. References that something else holds (grants, descriptor tables, allocation) only add.
 */
#include <boot_memory.h>
#include <console.h>
#include <domain.h>
#include <frames.h>
#include <pte.h>
#include <string.h>
#include "check.h"

struct seen {
	u32 entries, writable, typed;
};
static struct seen *seen;

static u32 word_of(mfn_t mfn) { return mfn_to_frame(mfn)->type; }

static bool is_table(mfn_t mfn, enum frame_type level)
{
	u32 word = word_of(mfn);

	return word >> TYPE_SHIFT == level && word & TYPE_VALIDATED && word & TYPE_COUNT;
}

static void see_leaf(mfn_t table, u64 pte)
{
	mfn_t mfn = pte_mfn(pte);

	if (mfn >= max_mfn || mfn_to_frame(mfn)->owner == OWNER_IO)
		return;
	seen[mfn].entries++;
	if (!(pte & PTE_RW))
		return;
	seen[mfn].writable++;
	if (word_of(mfn) >> TYPE_SHIFT != FRAME_WRITABLE)
		panic("check: frame %lx of type word %x is mapped writable by table %lx", mfn, word_of(mfn), table);
}

static void see_upper(mfn_t table, enum frame_type level, u64 entry)
{
	mfn_t mfn = pte_mfn(entry);

	if (mfn == table)
		return;
	if (mfn >= max_mfn || !(is_table(mfn, level - 1) || is_table(mfn, level)))
		panic("check: table %lx of level %d names frame %lx of type word %x", table, level, mfn, mfn < max_mfn ? word_of(mfn) : 0);
	seen[mfn].entries++;
	seen[mfn].typed++;
}

static void see_table(mfn_t table, enum frame_type level)
{
	const u64 *t = mfn_to_virt(table);

	for (unsigned i = 0; i < PTE_ENTRIES; i++) {
		u64 entry = READ_ONCE(t[i]);

		if (!(entry & PTE_PRESENT) || (level == FRAME_L4 && i >= HV_FIRST_SLOT && i <= HV_LAST_SLOT))
			continue;
		if (level == FRAME_L1)
			see_leaf(table, entry);
		else
			see_upper(table, level, entry);
	}
}

static void see_root(maddr_t root)
{
	mfn_t mfn = root >> PAGE_SHIFT;

	if (!root)
		return;
	if (!is_table(mfn, FRAME_L4))
		panic("check: a vCPU's root %lx has type word %x", mfn, word_of(mfn));
	seen[mfn].entries++;
	seen[mfn].typed++;
}

static void see_roots(void)
{
	for (struct domain *d = domain_next(0); d; d = domain_next(d->id + 1)) {
		for (int i = 0; i < d->vcpu_count; i++) {
			if (!d->vcpu[i])
				continue;
			see_root(d->vcpu[i]->kernel_cr3);
			see_root(d->vcpu[i]->user_cr3);
		}
	}
}

static void compare(mfn_t mfn)
{
	const struct frame *f = mfn_to_frame(mfn);
	const struct seen *s = &seen[mfn];
	u32 pins = f->type & TYPE_PINNED ? 1 : 0, needed = s->writable + s->typed + pins;

	if (!s->entries && !needed)
		return;
	if (f->flags & FRAME_FREE || (s32)f->count <= 0)
		panic("check: frame %lx, count %u, is free and mapped by %u entries", mfn, f->count, s->entries);
	if (f->count < s->entries + pins)
		panic("check: frame %lx has %u references for %u entries", mfn, f->count, s->entries + pins);
	if ((f->type & TYPE_COUNT) < needed)
		panic("check: frame %lx of type word %x for %u uses", mfn, f->type, needed);
}

static bool may_be_table(mfn_t mfn)
{
	u32 level = word_of(mfn) >> TYPE_SHIFT;

	return level >= FRAME_L1 && level <= FRAME_L4 && is_table(mfn, level);
}

void check_frames_begin(void)
{
	int order = 0;

	while (PAGE_SIZE << order < max_mfn * sizeof(*seen))
		order++;
	if (!seen)
		seen = alloc_pages(order);
}

void check_frames(void)
{
	if (!seen)
		return;
	memset(seen, 0, max_mfn * sizeof(*seen));
	for (mfn_t mfn = 1; mfn < max_mfn; mfn++)
		if (mfn_to_frame(mfn)->owner != OWNER_IO && may_be_table(mfn))
			see_table(mfn, word_of(mfn) >> TYPE_SHIFT);
	see_roots();
	for (mfn_t mfn = 1; mfn < max_mfn; mfn++)
		if (mfn_to_frame(mfn)->owner != OWNER_IO)
			compare(mfn);
}
