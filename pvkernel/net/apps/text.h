/* SPDX-License-Identifier: MIT */
/* Text that grows: a page as it is made. */
#ifndef PVK_NET_TEXT_H
#define PVK_NET_TEXT_H

#include "types.h"

struct text {
	char *chars;		/* used of them, in size, from kmalloc(); NULL: none yet */
	size_t used, size;
	bool lost;		/* memory was out: something is missing */
};

void text_add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void text_free(struct text *t);

/* --- chart.c --- */

struct bar {
	const char *label;
	u64 value[2];		/* in hundredths; 0: no bar */
};

/* Two bars for each label, by what their series are called, as an SVG picture. */
void chart_bars(struct text *t, const char *series[2], const struct bar *bars, u32 count);

/* --- live.c --- */

void live_page(struct text *t);		/* HTML: this domain's exits, memory, interfaces, disks */
void live_chart_page(struct text *t);	/* HTML: what hypercalls cost and what traps, measured now */

#endif
