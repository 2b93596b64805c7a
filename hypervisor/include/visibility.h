/* SPDX-License-Identifier: MIT */
/* Included before everything: nothing is exported, so every reference is a plain rip-relative one. */
#ifndef __ASSEMBLY__
#pragma GCC visibility push(hidden)
#endif
