/* SPDX-License-Identifier: MIT */
/*
 * The tables in CR3, read by the hardware's own walk: L4 slot 258 names the L4 itself, read-only and supervisor-only, so there
 * the entries of all L1 tables lie side by side, and within them those of all L2 tables.
 *
 * What is read is what some walk of the running CPU may still use: a hint. Whoever acts on it must check the frame that it
 * names, as find_l1e() does.
 */
#ifndef PARAVANE_LINEAR_H
#define PARAVANE_LINEAR_H

#include <layout.h>
#include <uaccess.h>

#define LINEAR_L2_START (LINEAR_START + ((u64)LINEAR_SLOT << 30))

/* The entry that maps va, or 0: an upper table lacks one. */
static inline u64 linear_l1e(u64 va)
{
	u64 entry;

	raw_get_u64(entry, LINEAR_START + (va << 16 >> 28) * 8, fault);
	return entry;
fault:
	return 0;
}

/* The entry that names the L1 table for va, or 0. */
static inline u64 linear_l2e(u64 va)
{
	u64 entry;

	raw_get_u64(entry, LINEAR_L2_START + (va << 16 >> 37) * 8, fault);
	return entry;
fault:
	return 0;
}

#endif
