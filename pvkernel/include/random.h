/* SPDX-License-Identifier: MIT */
/*
 * Numbers that outsiders cannot guess: ports, sequence numbers, seeds of hash tables. Where the processor has RDSEED or RDRAND
 * they are as good as that; elsewhere nothing but time goes into them, which is good against who guesses from afar and no more. Not for keys.
 */
#ifndef PVK_RANDOM_H
#define PVK_RANDOM_H

#include "types.h"

void random_add(const void *bytes, size_t size);	/* whatever they are, the numbers get no worse */
void random_event(void);				/* something came from outside, now; cheap */
u64 random_number(void);
void random_secret(u8 secret[32]);

#endif
