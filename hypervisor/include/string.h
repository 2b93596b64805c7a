/* SPDX-License-Identifier: MIT */
/* The few memory and string functions that the compiler and the code base call (debug/string.c). */
#ifndef PARAVANE_STRING_H
#define PARAVANE_STRING_H

#include <stddef.h>

void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
void strlcpy(char *to, const char *from, size_t size);
unsigned long strtoul(const char *s, char **end, int base);

#endif
