/* SPDX-License-Identifier: MIT */
/*
 * The command line: words "name=value" or "name", as the table below knows them. A size without a suffix is in
 * KiB. Unknown words are warned of and skipped.
 */
#include <boot.h>
#include <console.h>
#include <string.h>

struct options options = { .maxcpus = ~0ul, .smap = 1, .console = 1 };

static bool parse_size(const char *value, u64 *to)
{
	static const char suffixes[] = "BKMGT";
	char *end;
	u64 n = strtoul(value, &end, 0);
	const char *suffix = *end ? strchr(suffixes, *end & ~0x20) : &suffixes[1];

	if (end == value || !suffix || (*end && end[1]))
		return false;
	*to = n << 10 * (suffix - suffixes);
	return true;
}

static bool parse_number(const char *value, u64 *to)
{
	char *end;

	*to = strtoul(value, &end, 0);
	return end != value && !*end;
}

/* A word alone switches it on. */
static bool parse_flag(const char *value, u64 *to)
{
	*to = 1;
	return !*value || (parse_number(value, to) && *to <= 1);
}

static bool parse_level(const char *value, u64 *to)
{
	static const char *const names[] = {
		[LOG_ERROR] = "error", [LOG_WARNING] = "warning", [LOG_INFO] = "info", "all",
	};

	for (*to = 0; *to < ARRAY_SIZE(names); ++*to)
		if (!strcmp(value, names[*to]))
			return true;
	return false;
}

static bool parse_console(const char *value, u64 *to)
{
	*to = !strcmp(value, "com1");
	return *to || !strcmp(value, "none");
}

static const struct option {
	const char *name;
	bool (*parse)(const char *value, u64 *to);
	u64 *to;
} table[] = {
	{ "console", parse_console, &options.console },
	{ "loglvl", parse_level, &log_level },
	{ "dom0_mem", parse_size, &options.dom0_mem },
	{ "dom0_max_vcpus", parse_number, &options.dom0_max_vcpus },
	{ "dom0_vcpus_pin", parse_flag, &options.dom0_vcpus_pin },
	{ "maxcpus", parse_number, &options.maxcpus },
	{ "smap", parse_number, &options.smap },
};

static void set_option(const char *word, const char *value)
{
	u64 parsed;

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (strcmp(word, table[i].name))
			continue;
		if (table[i].parse(value ? value : "", &parsed))
			*table[i].to = parsed;
		else
			log_warning("command line: %s cannot be \"%s\"", word, value ? value : "");
		return;
	}
	log_warning("command line: unknown option %s", word);
}

static void parse_word(char *word)
{
	char *value = strchr(word, '=');

	if (value)
		*value = '\0';
	set_option(word, value ? value + 1 : NULL);
	if (value)
		*value = '=';
}

/* Words are ended for a moment only: XENVER_commandline shows the line. */
void cmdline_parse(char *cmdline)
{
	while (*cmdline) {
		char *end = strchr(cmdline, ' ');

		if (end)
			*end = '\0';
		if (*cmdline)
			parse_word(cmdline);
		if (!end)
			return;
		*end = ' ';
		cmdline = end + 1;
	}
}
