/* SPDX-License-Identifier: MIT */
/* How long things took, by powers of two: range[i] counts those from 2^i up to 2^(i+1), range[0] also those of 0. */
#ifndef PVK_HISTOGRAM_H
#define PVK_HISTOGRAM_H

#include "types.h"

#define HISTOGRAM_RANGES 40

struct histogram {
	u64 count, sum, least, most;
	u64 range[HISTOGRAM_RANGES];
};

void histogram_add(struct histogram *h, u64 value);
/* "NAME: N, mean M, least L, most M UNIT" and a line for each range that has something. */
void histogram_print(const struct histogram *h, const char *name, const char *unit);

#endif
