/* SPDX-License-Identifier: MIT */
/* Memory and strings. The bulk operations are the processor's own. */
#include <string.h>
#include <types.h>

void *memcpy(void *to, const void *from, size_t n)
{
	void *at = to;
	size_t words = n / 8, rest = n % 8;

	asm volatile("rep movsq" : "+D"(at), "+S"(from), "+c"(words) :: "memory");
	asm volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(rest) :: "memory");
	return to;
}

void *memset(void *to, int byte, size_t n)
{
	void *at = to;
	size_t words = n / 8, rest = n % 8;
	u64 pattern = (u8)byte * 0x0101010101010101ul;

	asm volatile("rep stosq" : "+D"(at), "+c"(words) : "a"(pattern) : "memory");
	asm volatile("rep stosb" : "+D"(at), "+c"(rest) : "a"(pattern) : "memory");
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *x = a, *y = b;

	for (size_t i = 0; i < n; i++)
		if (x[i] != y[i])
			return x[i] - y[i];
	return 0;
}

size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n])
		n++;
	return n;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (((const volatile char *)s)[n])
		n++;
	return n;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (a[i] != b[i] || !a[i])
			return (u8)a[i] - (u8)b[i];
	return 0;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, ~(size_t)0);
}

char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)s;
		if (!*s)
			return NULL;
	}
}

void strlcpy(char *to, const char *from, size_t size)
{
	size_t n = strnlen(from, size - 1);

	memcpy(to, from, n);
	to[n] = '\0';
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'z' ? c - 'a' + 10 : 99;
}

/* Base 0: 0x means 16, a leading 0 means 8. Overflow wraps; there is no sign. */
unsigned long strtoul(const char *s, char **end, int base)
{
	unsigned long n = 0;

	if ((base == 0 || base == 16) && s[0] == '0' && (s[1] | 0x20) == 'x' && digit(s[2]) < 16) {
		s += 2;
		base = 16;
	}
	if (!base)
		base = *s == '0' ? 8 : 10;
	for (; digit(*s) < base; s++)
		n = n * base + digit(*s);
	if (end)
		*end = (char *)s;
	return n;
}
