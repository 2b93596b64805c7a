/* SPDX-License-Identifier: MIT */
/* What the loader told: one structure, filled by pv_start() or native_start() and constant after. */
#ifndef PVK_BOOT_H
#define PVK_BOOT_H

#include <abi/arch-x86_64.h>

#include "types.h"

#define MAX_RAM_RANGES 32

struct ram_range {
	u64 first, end;			/* pfns: first <= pfn < end */
};

struct boot_info {
	bool native;			/* ring 0, no hypervisor below */
	bool initial_domain;		/* domain 0: console by console_io, power by sched_op */
	const struct start_info *start_info;	/* NULL when native */
	u64 entry_tsc;			/* the TSC on the way in */
	u64 nr_pages;			/* every pfn is below, those that only the balloon will fill too */
	u64 ram_pages;			/* pfns below have frames at boot */
	struct ram_range free[MAX_RAM_RANGES];	/* RAM that nobody uses yet */
	unsigned int nr_free;
	char cmdline[MAX_GUEST_CMDLINE];
};

extern struct boot_info boot;

/* Hypervisor's page, mapped; NULL when native. vcpu_info is this vCPU's part of it. */
extern struct shared_info *shared_info;
extern struct vcpu_info *vcpu_info;

/* Linker script: VIRT_BASE is where physical 0 would be; the image's parts, page-aligned. */
#define VIRT_BASE 0xffffffff80000000ul
extern char image_start[], image_text_end[], image_rodata_end[], image_end[];

void kernel_main(void) __attribute__((noreturn));

#endif
