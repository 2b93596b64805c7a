/* SPDX-License-Identifier: MIT */
/* Histograms as text: a line for each power of two between the least and the most. */
#include "histogram.h"
#include "lib.h"

#define BAR 50

void histogram_add(struct histogram *h, u64 value)
{
	unsigned int range = value ? 63 - __builtin_clzll(value) : 0;

	h->least = h->count ? MIN(h->least, value) : value;
	h->most = MAX(h->most, value);
	h->sum += value;
	h->count++;
	h->range[MIN(range, HISTOGRAM_RANGES - 1)]++;
}

static void print_range(const struct histogram *h, const char *name, unsigned int i)
{
	static const char bar[] = "##################################################";
	int length = (h->range[i] * BAR + h->count - 1) / h->count;

	printf("%s: from %10lu %6lu %.*s\n", name, i ? 1ul << i : 0, h->range[i], length, bar);
}

void histogram_print(const struct histogram *h, const char *name, const char *unit)
{
	unsigned int first = 0, last = HISTOGRAM_RANGES - 1;

	printf("%s: %lu, mean %lu, least %lu, most %lu %s\n", name, h->count, h->count ? h->sum / h->count : 0, h->least,
	       h->most, unit);
	if (!h->count)
		return;
	while (!h->range[first])
		first++;
	while (!h->range[last])
		last--;
	for (unsigned int i = first; i <= last; i++)
		print_range(h, name, i);
}
