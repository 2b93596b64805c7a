/* SPDX-License-Identifier: MIT */
/*
 * The command line: words "name", "no-name", "name=value", as the table below knows them. A size without
 * a suffix is in KiB. Unknown words are warned of and skipped.
 */
#include <boot.h>
#include <console.h>
#include <string.h>

struct options options = { .maxcpus = ~0ul, .smap = true, .guest_log_level = LOG_WARNING, .console = "com1" };

static bool parse_size(const char *value, void *to)
{
	static const char suffixes[] = "BKMGT";
	char *end;
	u64 n = strtoul(value, &end, 0);
	const char *suffix = *end ? strchr(suffixes, *end & ~0x20) : &suffixes[1];

	if (end == value || !suffix || (*end && end[1]))
		return false;
	*(u64 *)to = n << 10 * (suffix - suffixes);
	return true;
}

/* "SIZE,min:SIZE,max:SIZE": with bounds only, the maximum counts. */
static bool parse_dom0_mem(const char *value, void *to)
{
	char word[32];

	for (const char *next; value; value = next ? next + 1 : NULL) {
		next = strchr(value, ',');
		strlcpy(word, value, next ? min((size_t)(next - value) + 1, sizeof(word)) : sizeof(word));
		if (!strncmp(word, "min:", 4))
			continue;
		if (!parse_size(strncmp(word, "max:", 4) ? word : word + 4, to))
			return false;
	}
	return true;
}

static bool parse_number(const char *value, void *to)
{
	char *end;

	*(u64 *)to = strtoul(value, &end, 0);
	return end != value && !*end;
}

static bool parse_bool(const char *value, void *to)
{
	static const char *const no[] = { "0", "no", "off", "false", "disable" };
	static const char *const yes[] = { "", "1", "yes", "on", "true", "enable" };

	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		if (!strcmp(value, no[i]))
			return *(bool *)to = false, true;
	for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
		if (!strcmp(value, yes[i]))
			return *(bool *)to = true, true;
	return false;
}

/* A level, or "level/level" whose first counts. */
static bool parse_level(const char *value, void *to)
{
	static const struct { const char *name; int level; } levels[] = {
		{ "none", LOG_ERROR }, { "error", LOG_ERROR }, { "warning", LOG_WARNING }, { "info", LOG_INFO },
		{ "debug", LOG_DEBUG }, { "all", LOG_DEBUG },
	};

	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		size_t n = strlen(levels[i].name);

		if (!strncmp(value, levels[i].name, n) && (!value[n] || value[n] == '/'))
			return *(int *)to = levels[i].level, true;
	}
	return false;
}

static bool parse_console(const char *value, void *to)
{
	strlcpy(to, value, sizeof(options.console));
	return !strcmp(value, "com1") || !strcmp(value, "none");
}

/* The speed; the format is always 8n1. */
static bool parse_com1(const char *value, void *to)
{
	char *end;

	strlcpy(to, value, sizeof(options.com1));
	return strtoul(value, &end, 10) != 0 && (!*end || !strcmp(end, ",8n1"));
}

static const struct option {
	const char *name;
	bool (*parse)(const char *value, void *to);
	void *to;
} table[] = {
	{ "console", parse_console, options.console },
	{ "com1", parse_com1, options.com1 },
	{ "loglvl", parse_level, &log_level },
	{ "guest_loglvl", parse_level, &options.guest_log_level },
	{ "dom0_mem", parse_dom0_mem, &options.dom0_mem },
	{ "maxcpus", parse_number, &options.maxcpus },
	{ "noreboot", parse_bool, &options.noreboot },
	{ "smap", parse_bool, &options.smap },
};

static void parse_word(char *word)
{
	bool negated = !strncmp(word, "no-", 3);
	char *value = strchr(word, '=');

	if (value)
		*value++ = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (strcmp(word + 3 * negated, table[i].name))
			continue;
		if (negated ? value || table[i].parse != parse_bool || !parse_bool("no", table[i].to)
			    : !table[i].parse(value ? value : "", table[i].to))
			log_warning("command line: %s cannot be \"%s\"", word, value ? value : "");
		return;
	}
	log_warning("command line: unknown option %s", word);
}

void cmdline_parse(char *cmdline)
{
	while (*cmdline) {
		char *end = strchr(cmdline, ' ');

		if (end)
			*end++ = '\0';
		if (*cmdline)
			parse_word(cmdline);
		if (!end)
			return;
		cmdline = end;
	}
}
