/* SPDX-License-Identifier: MIT */
/* The automatic policy: while it is on, guests' targets follow what they use. */
#ifndef CTL_BALLOON_POLICY_H
#define CTL_BALLOON_POLICY_H

#include "../include/types.h"

/*
 * Around the creation of a guest. Until the end no round is made, so what is free stays free; the beginning asks the others for what is
 * lacking of `kib`, if the policy is on, and waits until it is there, nothing more is to be expected, or half a minute is over.
 */
void balloon_policy_begin_create(u64 kib);
void balloon_policy_end_create(void);

bool balloon_policy_is_on(void);

#endif
