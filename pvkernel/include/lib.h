/* SPDX-License-Identifier: MIT */
/* Strings, memory and formatted text. The names and meanings are C's. */
#ifndef PVK_LIB_H
#define PVK_LIB_H

#include "types.h"

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);

/* Decimal, or hexadecimal after 0x. False if s is not a number to its end. */
bool parse_u64(const char *s, u64 *val);

/*
 * %d %i %u %x %X %c %s %p %% with flags - and 0, width and precision (also *), and l, ll, z, h.
 * Returns the length that the whole text has; what does not fit is left out, the NUL never is.
 */
int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap);
int snprintf(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* To the console, whole lines or parts of them. */
int printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Says why, shows where, and ends the machine as crashed. */
void panic(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
#define ASSERT(cond) do { \
	if (!(cond)) \
		panic("%s:%d: %s does not hold", __FILE__, __LINE__, #cond); \
} while (0)

#endif
