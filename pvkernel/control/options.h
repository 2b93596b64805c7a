/* SPDX-License-Identifier: MIT */
/* What the commands' words have in common: options, domains, sizes. */
#ifndef CTL_OPTIONS_H
#define CTL_OPTIONS_H

#include "../include/types.h"

/* Prints "COMMAND: expected WHAT"; 1, a command's status for wrong usage. */
int usage(const char *command, const char *expected);

/* Takes the option out of the words; how often it was there. */
int take_option(int *argc, char **argv, const char *option);
/* The same with the word behind it: true and *value if it was there. An option without a word behind it stays. */
bool take_value_option(int *argc, char **argv, const char *option, const char **value);

/* A domain that is there; otherwise says so with the command's name and returns false. */
bool take_domain(const char *command, const char *word, u16 *domid);

/* "64m", "65536", "1g": KiB without a unit. */
bool parse_kib(const char *text, u64 *kib);

#endif
