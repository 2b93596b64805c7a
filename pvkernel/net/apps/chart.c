/* SPDX-License-Identifier: MIT */
/* Text that grows, and pictures of bars. */
#include "lib.h"
#include "mm.h"
#include "text.h"

#define BAR 14
#define LABEL 190
#define WIDTH 700
#define VALUE 60

static bool text_grow(struct text *t, size_t more)
{
	size_t size = MAX(t->size, 2048);
	char *chars;

	while (size < t->used + more + 1)
		size *= 2;
	if (size == t->size)
		return true;
	chars = kmalloc(size);
	if (!chars)
		return false;
	memcpy(chars, t->chars, t->used);
	kfree(t->chars);
	t->chars = chars;
	t->size = size;
	return true;
}

void text_add(struct text *t, const char *fmt, ...)
{
	va_list ap, again;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (t->lost || !text_grow(t, n))
		t->lost = true;
	else
		t->used += vsnprintf(t->chars + t->used, t->size - t->used, fmt, again);
	va_end(again);
}

void text_free(struct text *t)
{
	kfree(t->chars);
	*t = (struct text){ 0 };
}

static u64 largest(const struct bar *bars, u32 count)
{
	u64 most = 1;

	for (u32 i = 0; i < count; i++)
		most = MAX(most, MAX(bars[i].value[0], bars[i].value[1]));
	return most;
}

static void one_bar(struct text *t, u32 y, u64 value, u64 most, const char *colour)
{
	u64 width = value * (WIDTH - LABEL - VALUE) / most;

	text_add(t, "<rect x='%u' y='%u' width='%lu' height='%u' fill='%s'/><text x='%lu' y='%u' class='v'>%lu</text>\n", LABEL, y, width,
		 BAR - 2, colour, LABEL + width + 4, y + BAR - 4, (value + 50) / 100);
}

void chart_bars(struct text *t, const char *series[2], const struct bar *bars, u32 count)
{
	static const char *const colours[2] = { "#2a6fbb", "#d9822b" };
	u64 most = largest(bars, count);
	u32 y = 30;

	text_add(t, "<svg xmlns='http://www.w3.org/2000/svg' width='%u' height='%u' font-family='sans-serif' font-size='12'>\n"
		 "<style>.v{font-size:10px;fill:#444}</style>\n", WIDTH, y + count * (2 * BAR + 8));
	for (u32 s = 0; s < 2; s++)
		text_add(t, "<rect x='%u' y='4' width='12' height='12' fill='%s'/><text x='%u' y='14'>%s</text>\n", LABEL + s * 160, colours[s],
			 LABEL + s * 160 + 18, series[s]);
	for (u32 i = 0; i < count; i++, y += 2 * BAR + 8) {
		text_add(t, "<text x='%u' y='%u' text-anchor='end'>%s</text>\n", LABEL - 8, y + BAR + 2, bars[i].label);
		for (u32 s = 0; s < 2; s++)
			one_bar(t, y + s * BAR, bars[i].value[s], most, colours[s]);
	}
	text_add(t, "</svg>\n");
}
