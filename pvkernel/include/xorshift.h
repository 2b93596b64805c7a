/* SPDX-License-Identifier: MIT */
/* Numbers that look random and are the same from the same start, which is not 0 (Marsaglia's xorshift with 13, 7, 17). For tests and names. */
#ifndef PVK_XORSHIFT_H
#define PVK_XORSHIFT_H

#include "types.h"

static inline u64 xorshift(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

#endif
