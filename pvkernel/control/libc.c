/* SPDX-License-Identifier: MIT */
/* What sources that are not only this kernel's call by the names of C: the parser of images, the decompressors. */
#include "../include/lib.h"
#include "../include/mm.h"
#include "libc.h"

/* Larger pieces come by the page, for contiguous frames are rare. */
#define LARGEST_KMALLOC 65536

static bool in_arena(const void *p)
{
	return (u64)p >= ARENA_BASE && (u64)p < ARENA_END;
}

void *malloc(size_t size)
{
	return size > LARGEST_KMALLOC ? vmalloc(size) : kmalloc(size);
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
	if (in_arena(p))
		vfree(p);
	else
		kfree(p);
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
