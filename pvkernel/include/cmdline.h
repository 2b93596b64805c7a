/* SPDX-License-Identifier: MIT */
/* The boot command line: words, and key=value options whose value may be quoted. */
#ifndef PVK_CMDLINE_H
#define PVK_CMDLINE_H

#include "types.h"

/*
 * Copies the value of the last key=VALUE or key="VALUE WITH SPACES" on line into buf, cut to size.
 * A bare word "key" has the empty value. False if key is not there; then buf is left alone.
 */
bool cmdline_get(const char *line, const char *key, char *buf, size_t size);

/*
 * Splits text in place at any of the characters in separators, outside double quotes, which it
 * removes. Empty parts are left out. Returns the number of parts, at most max.
 */
int split(char *text, const char *separators, char **parts, int max);

#endif
