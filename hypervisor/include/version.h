/* SPDX-License-Identifier: MIT */
/* The version that guests are told: that of the ABI's reference, and our own name after it. */
#ifndef PARAVANE_VERSION_H
#define PARAVANE_VERSION_H

#define VERSION_MAJOR 4
#define VERSION_MINOR 17
#define VERSION_EXTRA ".7-paravane"	/* at most 15 characters */
#define VERSION_NUMBER (VERSION_MAJOR << 16 | VERSION_MINOR)

#endif
