/* SPDX-License-Identifier: MIT */
/*
 * pfn to mfn and back. The list that the loader built is ours to read and write; the way back is the
 * hypervisor's table, read-only at MACH2PHYS_VIRT_START, whose entry means something only if the list
 * agrees: m2p[mfn] == pfn and p2m[pfn] == mfn. Frames that are not ours, or were never there, fail
 * that test. A pfn beyond the list, or whose entry is INVALID_MFN, has no frame: it is in the balloon.
 */
#include "lib.h"
#include "mm.h"
#include "traps.h"

static u64 *p2m;			/* NULL when native */
static u64 entries;

void p2m_init(u64 *list, u64 count)
{
	p2m = list;
	entries = count;
}

void p2m_move(u64 *list, u64 count)
{
	memcpy(list, p2m, entries * sizeof(*p2m));
	for (u64 pfn = entries; pfn < count; pfn++)
		list[pfn] = INVALID_MFN;
	p2m_init(list, count);
}

void p2m_set(u64 pfn, u64 mfn)
{
	ASSERT(p2m && pfn < entries);
	p2m[pfn] = mfn;
}

u64 pfn_to_mfn(u64 pfn)
{
	if (!p2m)
		return pfn < boot.nr_pages ? pfn : INVALID_MFN;
	return pfn < entries ? p2m[pfn] : INVALID_MFN;
}

/* The table has holes where the machine has no memory: a read may fault. */
static u64 read_m2p(u64 mfn)
{
	const u64 *entry = (const u64 *)MACH2PHYS_VIRT_START + mfn;
	u64 pfn = NO_PAGE;

	if (mfn < MACH2PHYS_NR_ENTRIES)
		__asm__ volatile("1:\tmov %1, %0\n2:\n\t" FIXUP(1b, 2b) : "+r"(pfn) : "m"(*entry));
	return pfn;
}

u64 mfn_to_pfn(u64 mfn)
{
	u64 pfn;

	if (!p2m)
		return mfn < boot.nr_pages ? mfn : NO_PAGE;
	pfn = read_m2p(mfn);
	return pfn_to_mfn(pfn) == mfn ? pfn : NO_PAGE;
}
