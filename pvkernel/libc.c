/* SPDX-License-Identifier: MIT */
/* What sources that are not this kernel's call by the names of C: the parser of images, the decompressors, the filesystem. */
#include "lib.h"
#include "libc.h"
#include "mm.h"
#include "time.h"

/* Larger pieces come by the page, for contiguous frames are rare. */
#define LARGEST_KMALLOC 65536

static bool in_arena(const void *p)
{
	return (u64)p >= ARENA_BASE && (u64)p < ARENA_END;
}

/* In front of each piece: its size, for realloc(); as long as keeps the alignment that C promises. */
struct piece {
	size_t size;
	size_t unused;
};

void *malloc(size_t size)
{
	struct piece *p;

	if (__builtin_add_overflow(size, sizeof(*p), &size))
		return NULL;
	p = size > LARGEST_KMALLOC ? vmalloc(size) : kmalloc(size);
	if (!p)
		return NULL;
	p->size = size - sizeof(*p);
	return p + 1;
}

void *calloc(size_t count, size_t size)
{
	void *p = NULL;

	if (!__builtin_mul_overflow(count, size, &size))
		p = malloc(size);
	return p ? memset(p, 0, size) : NULL;
}

void free(void *p)
{
	struct piece *piece = p;

	if (!p)
		return;
	if (in_arena(--piece))
		vfree(piece);
	else
		kfree(piece);
}

void *realloc(void *old, size_t size)
{
	void *p = malloc(size);

	if (p && old) {
		memcpy(p, old, MIN(size, ((struct piece *)old - 1)->size));
		free(old);
	}
	return p;
}

static void swap(char *a, char *b, size_t size)
{
	while (size--) {
		char c = *a;

		*a++ = *b;
		*b++ = c;
	}
}

/* The element at `at` sinks below all that are greater. */
static void sift(char *base, size_t at, size_t count, size_t size, int (*compare)(const void *, const void *))
{
	for (size_t child = 2 * at + 1; child < count; at = child, child = 2 * at + 1) {
		if (child + 1 < count && compare(base + child * size, base + (child + 1) * size) < 0)
			child++;
		if (compare(base + at * size, base + child * size) >= 0)
			return;
		swap(base + at * size, base + child * size, size);
	}
}

/* A heap's sort: no recursion on a kernel's stack, and n log n whatever the order was. */
void qsort(void *base, size_t count, size_t size, int (*compare)(const void *, const void *))
{
	for (size_t i = count / 2; i--;)
		sift(base, i, count, size, compare);
	for (size_t i = count; i-- > 1;) {
		swap(base, (char *)base + i * size, size);
		sift(base, 0, i, size, compare);
	}
}

char *strncpy(char *to, const char *from, size_t size)
{
	size_t n = strnlen(from, size);

	memcpy(to, from, n);
	memset(to + n, 0, size - n);
	return to;
}

char *strcpy(char *to, const char *from)
{
	memcpy(to, from, strlen(from) + 1);
	return to;
}

char *strcat(char *to, const char *from)
{
	strcpy(to + strlen(to), from);
	return to;
}

long time(long *to)
{
	long seconds = wall_clock();

	if (to)
		*to = seconds;
	return seconds;
}

void abort(void)
{
	panic("abort() by somebody else's code");
}

size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n])
		n++;
	return n;
}

static unsigned int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'z' ? c - 'a' + 10u : 36;
}

/* Without signs and blanks in front; too large a number is ULONG_MAX. */
unsigned long strtoul(const char *s, char **end, int base)
{
	unsigned long value = 0;

	if ((base == 0 || base == 16) && s[0] == '0' && (s[1] | 0x20) == 'x' && digit_of(s[2]) < 16) {
		base = 16;
		s += 2;
	}
	if (base == 0)
		base = s[0] == '0' ? 8 : 10;
	for (; digit_of(*s) < (unsigned int)base; s++)
		if (__builtin_mul_overflow(value, base, &value) || __builtin_add_overflow(value, digit_of(*s), &value))
			value = ~0ul;
	if (end)
		*end = (char *)s;
	return value;
}

long strtol(const char *s, char **end, int base)
{
	bool negative = *s == '-';
	unsigned long value = MIN(strtoul(s + negative, end, base), ~0ul >> 1);

	return negative ? -(long)value : (long)value;
}
