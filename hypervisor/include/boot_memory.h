/* SPDX-License-Identifier: MIT */
/* What RAM there is, and what of it is free, until the physical allocator takes over (mm/boot_memory.c). */
#ifndef PARAVANE_BOOT_MEMORY_H
#define PARAVANE_BOOT_MEMORY_H

#include <types.h>

struct range {
	maddr_t start, end;	/* page aligned; end is past the last byte */
};

#define MAX_RANGES 64

struct range_list {
	int count;
	struct range range[MAX_RANGES];	/* ascending, apart from each other */
};

extern struct range_list ram;

#define TRAMPOLINE 0x8000	/* where other CPUs start */

void boot_memory_init(void);
/* Contents undefined, below 4 GiB; panics when there is none. The same, 2 MiB aligned and large: 0 when there is none. */
maddr_t boot_alloc_page(void);
maddr_t boot_alloc_large_page(void);
/* The end of the early allocations: what is left goes to the physical allocator. */
void boot_memory_hand_over(void);

#endif
