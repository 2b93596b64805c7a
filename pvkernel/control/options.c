/* SPDX-License-Identifier: MIT */
/* Words of commands. An option may stand anywhere behind the command. */
#include "../include/lib.h"
#include "domains.h"
#include "options.h"

int usage(const char *command, const char *expected)
{
	printf("usage: %s %s\n", command, expected);
	return 1;
}

static void remove_words(int *argc, char **argv, int at, int count)
{
	for (int i = at; i + count < *argc; i++)
		argv[i] = argv[i + count];
	*argc -= count;
}

int take_option(int *argc, char **argv, const char *option)
{
	int found = 0;

	for (int i = 1; i < *argc;) {
		if (strcmp(argv[i], option)) {
			i++;
			continue;
		}
		remove_words(argc, argv, i, 1);
		found++;
	}
	return found;
}

bool take_value_option(int *argc, char **argv, const char *option, const char **value)
{
	for (int i = 1; i + 1 < *argc; i++) {
		if (!strcmp(argv[i], option)) {
			*value = argv[i + 1];
			remove_words(argc, argv, i, 2);
			return true;
		}
	}
	return false;
}

bool take_domain(const char *command, const char *word, u16 *domid)
{
	if (domains_find(word, domid))
		return true;
	printf("%s: %s: no such domain\n", command, word);
	return false;
}

bool parse_kib(const char *text, u64 *kib)
{
	static const char units[] = "kmgt";
	char digits[24];
	size_t n = strlen(text);
	const char *unit = n ? strchr(units, text[n - 1] | 0x20) : NULL;
	unsigned int shift = unit && *unit ? 10 * (unit - units) : 0;
	bool bytes = n && (text[n - 1] | 0x20) == 'b';

	n -= (unit && *unit) || bytes;
	if (!n || n >= sizeof(digits))
		return false;
	memcpy(digits, text, n);
	digits[n] = 0;
	if (!parse_u64(digits, kib) || *kib > ~0ul >> (shift + 1))
		return false;
	*kib = bytes ? *kib / 1024 : *kib << shift;
	return true;
}
