/* SPDX-License-Identifier: MIT */
/*
 * Where a new domain's first things lie in its pseudo-physical memory. Domain 0's builder in the hypervisor and
 * the guests' in domain 0 both place by this. One page after another from VIRT_BASE, all in the first mapping:
 *
 *   pfn 0 ..... | kernel | ramdisk? | p2m list? | start_info | rings | L4 L3.. L2.. L1.. | stack | >= 512 KiB | end
 *   VIRT_BASE     kernel_start                                         read-only                   4 MiB boundary
 *
 * Behind it, unmapped: the ramdisk, if the kernel takes it so (MOD_START_PFN); the p2m list and the tables that map it
 * at INIT_P2M, if the kernel names a usable place; then free memory.
 */
#ifndef PARAVANE_PLACEMENT_H
#define PARAVANE_PLACEMENT_H

#include "image.h"
#include <types.h>

struct area {
	u64 pfn, pages;
};

struct placement {
	u64 virt_base;		/* address of pfn 0 */
	struct area initrd, p2m, tables, p2m_tables;
	u64 start_info, rings, stack;	/* pfns */
	u64 end;		/* pfn where the first mapping ends */
	bool p2m_apart;		/* at INIT_P2M */
	const char *error;	/* why it cannot be; */
	u64 error_value;	/* and with which number */
};

/* All areas lie below `pages`, or false: `p->error` says why not. */
bool place_domain(struct placement *p, const struct image *image, u64 pages, u64 ramdisk_size, u64 ring_pages);

/* How many tables with entries of 2^shift bytes each are touched by [start, end). */
static inline u64 tables_for(u64 start, u64 end, int shift)
{
	return ((end - 1) >> (shift + 9)) - (start >> (shift + 9)) + 1;
}

static inline u64 placed_at(const struct placement *p, u64 pfn)
{
	return p->virt_base + pfn * 4096;
}

#endif
