/* SPDX-License-Identifier: MIT */
/* See libc.c. */
#ifndef CTL_LIBC_H
#define CTL_LIBC_H

#include "../include/types.h"

void *malloc(size_t size);	/* content undefined; large pieces have pages of their own */
void *calloc(size_t count, size_t size);
void free(void *p);
size_t strnlen(const char *s, size_t max);
unsigned long strtoul(const char *s, char **end, int base);

#endif
