/* SPDX-License-Identifier: MIT */
/* C's names for sources that are not this kernel's, in both images. Meanings are C's. */
#ifndef PVK_LIBC_H
#define PVK_LIBC_H

#include "types.h"

void *malloc(size_t size);	/* content undefined; large pieces have pages of their own */
void *calloc(size_t count, size_t size);
void *realloc(void *old, size_t size);
void free(void *p);
void qsort(void *base, size_t count, size_t size, int (*compare)(const void *, const void *));
char *strcpy(char *to, const char *from);
char *strncpy(char *to, const char *from, size_t size);
char *strcat(char *to, const char *from);
long time(long *to);			/* the wall clock's seconds since 1970 */
void abort(void) __attribute__((noreturn));
size_t strnlen(const char *s, size_t max);
unsigned long strtoul(const char *s, char **end, int base);
long strtol(const char *s, char **end, int base);

#endif
