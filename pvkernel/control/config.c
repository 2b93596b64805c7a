/* SPDX-License-Identifier: MIT */
/*
 * xl.cfg, in one pass:
 *
 *	file     = { [ setting ] ( newline | ';' ) }		# starts a comment wherever a token could
 *	setting  = key ( '=' | '+=' ) ( atom | list )
 *	list     = '[' [ atom { ',' atom } [ ',' ] ] ']'	newlines may stand between its parts
 *	atom     = number | "string" | 'string'			on one line, with C's escapes
 *
 * `at` is between two tokens whenever a function of the grammar is entered or left; `atom` is the last one read, decoded.
 * A setting's effect on the configuration is a function in the table keys[], called once for each atom. A later `=`
 * replaces an earlier one; `+=` appends to a string or a list. Pure functions: tests/unit and tests/fuzz have them.
 */
#include "../include/lib.h"
#include "config.h"

#define ATOM_MAX 1024
#define KEY_MAX 32
#define ALL_CPUS (~0ul)

struct parser {
	const char *file, *at, *end;
	unsigned int line;
	struct domain_config *config;
	char *message;
	size_t size, used;		/* of message */
	char key[KEY_MAX];
	char atom[ATOM_MAX];
	bool append, is_list;		/* the setting is '+=', a list */
	unsigned int index;		/* of the atom in its list */
	char extra[ATOM_MAX], root[ATOM_MAX / 4], cmdline[ATOM_MAX];
};

/* --- messages --- */

static void message(struct parser *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool expected(struct parser *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add_message(struct parser *p, const char *format, va_list ap)
{
	int n = vsnprintf(p->message + p->used, p->size - p->used, format, ap);

	p->used = MIN(p->used + n, p->size - 1);
}

static void message(struct parser *p, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	add_message(p, format, ap);
	va_end(ap);
}

/* What is quoted from the file has come through escapes; the message is one line all the same. */
static void make_printable(char *s)
{
	for (; *s; s++) {
		if ((u8)*s < ' ' || (u8)*s >= 0x7f)
			*s = '?';
	}
}

/* Always false: the parser's verdict. It replaces warnings. */
static bool expected(struct parser *p, const char *format, ...)
{
	va_list ap;

	p->used = 0;
	if (p->line)
		message(p, "%s:%u: %s%sexpected ", p->file, p->line, p->key, *p->key ? ": " : "");
	else
		message(p, "%s: expected ", p->file);
	va_start(ap, format);
	add_message(p, format, ap);
	va_end(ap);
	make_printable(p->message);
	return false;
}

/* --- tokens --- */

static char peek(const struct parser *p)
{
	return p->at < p->end ? *p->at : 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_key_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_';
}

static void skip_blanks(struct parser *p)
{
	while (p->at < p->end && (*p->at == ' ' || *p->at == '\t' || *p->at == '\r'))
		p->at++;
	if (peek(p) == '#') {
		while (p->at < p->end && *p->at != '\n')
			p->at++;
	}
}

static void skip_lines(struct parser *p)
{
	for (skip_blanks(p); peek(p) == '\n'; skip_blanks(p)) {
		p->at++;
		p->line++;
	}
}

static int hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* After a backslash: the character it stands for, or -1. */
static int escape(struct parser *p)
{
	static const char from[] = "abfnrtv\\'\"", to[] = "\a\b\f\n\r\t\v\\'\"";
	char c = peek(p);
	const char *found = c ? strchr(from, c) : NULL;

	p->at++;
	if (found)
		return to[found - from];
	if (c != 'x' || p->end - p->at < 2 || hex_value(p->at[0]) < 0 || hex_value(p->at[1]) < 0)
		return -1;
	p->at += 2;
	return hex_value(p->at[-2]) * 16 + hex_value(p->at[-1]);
}

static bool string(struct parser *p)
{
	char quote = *p->at++;
	size_t n = 0;

	while (p->at < p->end && *p->at != quote) {
		int c = (unsigned char)*p->at++;

		if (c == '\n' || p->at == p->end)
			break;
		if (c == '\\')
			c = escape(p);
		if (c <= 0)
			return expected(p, "a known escape after the backslash, and no NUL");
		if (n + 1 == ATOM_MAX)
			return expected(p, "a string of at most %u characters", ATOM_MAX - 1);
		p->atom[n++] = c;
	}
	if (p->at >= p->end || *p->at != quote)
		return expected(p, "%c at the end of the string, on the same line", quote);
	p->at++;
	p->atom[n] = 0;
	return true;
}

static bool number(struct parser *p)
{
	size_t n = 0;

	while (p->at < p->end && is_key_char(*p->at)) {
		if (n == 20)
			return expected(p, "a number below 2^64");
		p->atom[n++] = *p->at++;
	}
	p->atom[n] = 0;
	return true;
}

static bool atom(struct parser *p)
{
	char c = peek(p);

	if (c == '"' || c == '\'')
		return string(p);
	if (is_digit(c))
		return number(p);
	return expected(p, "a number or a string in quotes");
}

/* --- what an atom means --- */

static bool set_string(struct parser *p, char *to, size_t size)
{
	size_t have = p->append ? strlen(to) : 0, length = strlen(p->atom);

	if (have + length + 1 > size)
		return expected(p, "at most %lu characters", (unsigned long)size - 1);
	memcpy(to + have, p->atom, length + 1);
	return true;
}

static bool set_number(struct parser *p, u64 min, u64 max, u64 *to)
{
	u64 value;

	if (p->append)
		return expected(p, "= and not += for a number");
	if (!parse_u64(p->atom, &value) || value < min || value > max)
		return expected(p, "a number from %lu to %lu, not %.40s", (unsigned long)min, (unsigned long)max, p->atom);
	*to = value;
	return true;
}

static bool set_u32(struct parser *p, u64 min, u64 max, u32 *to)
{
	u64 value = 0;

	if (!set_number(p, min, max, &value))
		return false;
	*to = value;
	return true;
}

static const char *const action_names[] = {
	[ACTION_DESTROY] = "destroy", [ACTION_RESTART] = "restart", [ACTION_PRESERVE] = "preserve",
	[ACTION_RENAME_RESTART] = "rename-restart",
};

const char *action_name(enum action action)
{
	return action_names[action];
}

static bool set_action(struct parser *p, enum action *to)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(action_names); i++) {
		if (!strcmp(p->atom, action_names[i])) {
			*to = i;
			return true;
		}
	}
	return expected(p, "destroy, restart, rename-restart or preserve, not %.40s", p->atom);
}

/* "N", "N-M", "all", each perhaps with ^ in front, from text up to `end`. */
static bool cpu_range(const char *text, const char *end, u64 *cpus)
{
	bool out = *text == '^';
	u64 n[2] = { 0 }, mask = ALL_CPUS;

	text += out;
	if (end - text != 3 || memcmp(text, "all", 3)) {
		for (int i = 0; i < 2; i++) {
			const char *start = text;

			for (; text < end && is_digit(*text) && n[i] < 64; text++)
				n[i] = n[i] * 10 + *text - '0';
			if (text == start || n[i] > 63)
				return false;
			if (i == 0 && text == end)
				n[++i] = n[0];
			else if (i == 0 && *text++ != '-')
				return false;
		}
		if (text != end || n[1] < n[0])
			return false;
		mask = (n[1] == 63 ? ALL_CPUS : (1ul << (n[1] + 1)) - 1) & ~((1ul << n[0]) - 1);
	}
	*cpus = out ? *cpus & ~mask : *cpus | mask;
	return true;
}

bool config_cpu_list(const char *text, u64 *cpus)
{
	*cpus = 0;
	for (;;) {
		const char *comma = strchr(text, ','), *end = comma ? comma : text + strlen(text);

		if (!cpu_range(text, end, cpus))
			return false;
		if (!comma)
			return *cpus != 0;
		text = comma + 1;
	}
}

/* --- the keys --- */

/* A number would be taken for a domain's id. */
bool config_is_name(const char *name)
{
	bool digits_only = true;
	u64 number;

	for (const char *s = name; *s; s++) {
		if (!is_key_char(*s) && (s == name || !strchr(".+-", *s)))
			return false;
		digits_only &= is_digit(*s);
	}
	return !digits_only && !parse_u64(name, &number) && strlen(name) < CONFIG_NAME_MAX;
}

static bool set_name(struct parser *p)
{
	if (!set_string(p, p->config->name, CONFIG_NAME_MAX))
		return false;
	return config_is_name(p->config->name) ? true : expected(p, "letters, digits and _ . + -, not a number");
}

/* It is printed when there is no such file. */
static bool set_path(struct parser *p, char *to, size_t size)
{
	for (const char *s = p->atom; *s; s++) {
		if ((u8)*s < ' ' || (u8)*s == 0x7f)
			return expected(p, "a path without control characters");
	}
	return set_string(p, to, size);
}

static bool set_kernel(struct parser *p)
{
	return set_path(p, p->config->kernel, sizeof(p->config->kernel));
}

static bool set_ramdisk(struct parser *p)
{
	return set_path(p, p->config->ramdisk, sizeof(p->config->ramdisk));
}

static bool set_extra(struct parser *p)
{
	return set_string(p, p->extra, sizeof(p->extra));
}

static bool set_root(struct parser *p)
{
	return set_string(p, p->root, sizeof(p->root));
}

static bool set_cmdline(struct parser *p)
{
	return set_string(p, p->cmdline, sizeof(p->cmdline));
}

#define MAX_MIB (1ul << 24)

static bool set_memory(struct parser *p)
{
	return set_number(p, 1, MAX_MIB, &p->config->memory);
}

static bool set_maxmem(struct parser *p)
{
	return set_number(p, 1, MAX_MIB, &p->config->maxmem);
}

static bool set_memory_min(struct parser *p)
{
	return set_number(p, 1, MAX_MIB, &p->config->memory_min);
}

static bool set_vcpus(struct parser *p)
{
	return set_u32(p, 1, CONFIG_VCPUS, &p->config->vcpus);
}

static bool set_maxvcpus(struct parser *p)
{
	return set_u32(p, 1, CONFIG_VCPUS, &p->config->maxvcpus);
}

/* A string is for all vCPUs; a list has one for each, and those that it does not mention may run anywhere. */
static bool set_cpus(struct parser *p)
{
	u64 cpus;

	if (p->append)
		return expected(p, "= and not +=");
	if (p->index == CONFIG_VCPUS)
		return expected(p, "at most %u vCPUs", CONFIG_VCPUS);
	if (!config_cpu_list(p->atom, &cpus))
		return expected(p, "CPUs such as \"all\", \"0-3\", \"2,^1\", not %.40s", p->atom);
	for (unsigned int i = 0; i < CONFIG_VCPUS; i++) {
		if (!p->is_list || i == p->index)
			p->config->cpus[i] = cpus;
		else if (!p->index)
			p->config->cpus[i] = ALL_CPUS;
	}
	return true;
}

static bool set_weight(struct parser *p)
{
	return set_u32(p, 1, 65535, &p->config->cpu_weight);
}

static bool set_cap(struct parser *p)
{
	return set_u32(p, 0, 65534, &p->config->cap);
}

static bool set_on_poweroff(struct parser *p)
{
	return set_action(p, &p->config->on_poweroff);
}

static bool set_on_reboot(struct parser *p)
{
	return set_action(p, &p->config->on_reboot);
}

static bool set_on_crash(struct parser *p)
{
	return set_action(p, &p->config->on_crash);
}

static bool set_on_watchdog(struct parser *p)
{
	return set_action(p, &p->config->on_watchdog);
}

static bool set_uuid(struct parser *p)
{
	unsigned int digits = 0;

	memset(p->config->uuid, 0, sizeof(p->config->uuid));
	for (const char *s = p->atom; *s; s++) {
		if (*s == '-')
			continue;
		if (hex_value(*s) < 0 || digits == 32)
			return expected(p, "32 hexadecimal digits, with - between groups");
		p->config->uuid[digits / 2] |= hex_value(*s) << (digits & 1 ? 0 : 4);
		digits++;
	}
	p->config->has_uuid = digits == 32;
	return digits == 32 ? true : expected(p, "32 hexadecimal digits, with - between groups");
}

static bool set_type(struct parser *p)
{
	return !strcmp(p->atom, "pv") ? true : expected(p, "\"pv\": no other guests run here");
}

static bool set_builder(struct parser *p)
{
	return !strcmp(p->atom, "generic") || !strcmp(p->atom, "linux") ? true : expected(p, "\"generic\": no other guests run here");
}

const char *config_add_disk(struct domain_config *c, const struct disk_config *d)
{
	if (c->disks == CONFIG_DEVICES)
		return "at most 8 disks";
	for (u32 i = 0; i < c->disks; i++) {
		if (c->disk[i].number == d->number)
			return "another vdev: there is such a one";
	}
	c->disk[c->disks++] = *d;
	return NULL;
}

static bool has_vif(const struct domain_config *c, u32 devid)
{
	for (u32 i = 0; i < c->vifs; i++) {
		if (c->vif[i].devid == devid)
			return true;
	}
	return false;
}

const char *config_add_vif(struct domain_config *c, const struct vif_config *v)
{
	u32 devid = v->devid;

	if (c->vifs == CONFIG_DEVICES)
		return "at most 8 vifs";
	if (devid == VIF_DEVID_ANY) {
		for (devid = 0; has_vif(c, devid); devid++)
			;
	} else if (has_vif(c, devid)) {
		return "another devid: there is such a one";
	}
	c->vif[c->vifs] = *v;
	c->vif[c->vifs++].devid = devid;
	return NULL;
}

static bool add_device(struct parser *p, const char *what)
{
	return what ? expected(p, "%s, in \"%.80s\"", what, p->atom) : true;
}

static bool set_disk(struct parser *p)
{
	struct disk_config d;
	const char *what = config_disk(p->atom, &d);

	return add_device(p, what ? what : config_add_disk(p->config, &d));
}

static bool set_vif(struct parser *p)
{
	struct vif_config v;
	const char *what = config_vif(p->atom, &v);

	return add_device(p, what ? what : config_add_vif(p->config, &v));
}

static bool ignore(struct parser *p)
{
	return true;
}

enum { ATOM = 1, LIST = 2, UNKNOWN = 4 };

static const struct key {
	const char *name;
	unsigned int form;
	bool (*set)(struct parser *p);
} keys[] = {
	{ "name", ATOM, set_name }, { "kernel", ATOM, set_kernel }, { "ramdisk", ATOM, set_ramdisk },
	{ "extra", ATOM, set_extra }, { "root", ATOM, set_root }, { "cmdline", ATOM, set_cmdline },
	{ "memory", ATOM, set_memory }, { "maxmem", ATOM, set_maxmem }, { "memory_min", ATOM, set_memory_min },
	{ "vcpus", ATOM, set_vcpus }, { "maxvcpus", ATOM, set_maxvcpus }, { "cpus", ATOM | LIST, set_cpus },
	{ "cpu_weight", ATOM, set_weight }, { "cap", ATOM, set_cap },
	{ "on_poweroff", ATOM, set_on_poweroff }, { "on_reboot", ATOM, set_on_reboot },
	{ "on_crash", ATOM, set_on_crash }, { "on_watchdog", ATOM, set_on_watchdog },
	{ "uuid", ATOM, set_uuid }, { "type", ATOM, set_type }, { "builder", ATOM, set_builder },
	{ "disk", LIST, set_disk }, { "vif", LIST, set_vif },
}, unknown = { "", ATOM | LIST | UNKNOWN, ignore };

static const struct key *find_key(const char *name)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(keys); i++) {
		if (!strcmp(keys[i].name, name))
			return &keys[i];
	}
	return &unknown;
}

/* --- the grammar --- */

/* An empty list empties what it is assigned to. */
static void clear_list(struct parser *p)
{
	if (p->append)
		return;
	if (!strcmp(p->key, "disk"))
		p->config->disks = 0;
	if (!strcmp(p->key, "vif"))
		p->config->vifs = 0;
}

static bool list(struct parser *p, const struct key *key)
{
	p->at++;
	p->is_list = true;
	clear_list(p);
	for (p->index = 0;; p->index++) {
		skip_lines(p);
		if (peek(p) == ']')
			break;
		if (!atom(p) || !key->set(p))
			return false;
		skip_lines(p);
		if (peek(p) == ']')
			break;
		if (peek(p) != ',')
			return expected(p, ", or ] after the list's element");
		p->at++;
	}
	p->at++;
	return true;
}

static bool key_name(struct parser *p)
{
	size_t n = 0;

	*p->key = 0;
	if (!is_key_char(peek(p)) || is_digit(peek(p)))
		return expected(p, "a key");
	while (p->at < p->end && is_key_char(*p->at)) {
		if (n + 1 == KEY_MAX)
			return expected(p, "a key of at most %u characters", KEY_MAX - 1);
		p->key[n++] = *p->at++;
	}
	p->key[n] = 0;
	return true;
}

static bool setting(struct parser *p)
{
	const struct key *key;

	if (!key_name(p))
		return false;
	key = find_key(p->key);
	skip_blanks(p);
	p->append = peek(p) == '+';
	p->at += p->append;
	if (peek(p) != '=')
		return expected(p, "= after the key");
	p->at++;
	skip_blanks(p);
	if (key->form & UNKNOWN)
		message(p, "%s:%u: %s: a key that nobody here knows, ignored\n", p->file, p->line, p->key);
	if (peek(p) == '[')
		return key->form & LIST ? list(p, key) : expected(p, "no list");
	if (!(key->form & ATOM))
		return expected(p, "a list in [ ]");
	p->is_list = false;
	p->index = 0;
	return atom(p) && key->set(p);
}

static bool settings(struct parser *p)
{
	for (;;) {
		skip_lines(p);
		*p->key = 0;
		if (p->at == p->end)
			return true;
		if (*p->at != ';') {
			if (!setting(p))
				return false;
			skip_blanks(p);
		}
		if (p->at == p->end)
			return true;
		if (*p->at == ';')
			p->at++;
		else if (*p->at != '\n')
			return expected(p, "the end of the line or ;");
	}
}

static void defaults(struct domain_config *c)
{
	memset(c, 0, sizeof(*c));
	c->vcpus = 1;
	c->memory = 32;
	c->on_reboot = ACTION_RESTART;
	for (unsigned int i = 0; i < CONFIG_VCPUS; i++)
		c->cpus[i] = ALL_CPUS;
}

/* What only the whole file shows. */
static bool complete(struct parser *p)
{
	struct domain_config *c = p->config;
	int n;

	p->line = 0;
	if (!*c->name)
		return expected(p, "name = \"...\"");
	if (!*c->kernel)
		return expected(p, "kernel = \"...\", a file of the ramdisk");
	c->maxmem = c->maxmem ? c->maxmem : c->memory;
	if (c->maxmem < c->memory)
		return expected(p, "maxmem to be at least memory");
	c->maxvcpus = c->maxvcpus ? c->maxvcpus : c->vcpus;
	if (c->maxvcpus < c->vcpus)
		return expected(p, "maxvcpus to be at least vcpus");
	if (c->memory_min > c->memory)
		return expected(p, "memory_min to be at most memory");
	c->memory *= 1024;
	c->maxmem *= 1024;
	c->memory_min = c->memory_min ? c->memory_min * 1024 : c->memory / 2;
	if (*p->cmdline)
		n = snprintf(c->extra, sizeof(c->extra), "%s", p->cmdline);
	else if (*p->root)
		n = snprintf(c->extra, sizeof(c->extra), "root=%s %s", p->root, p->extra);
	else
		n = snprintf(c->extra, sizeof(c->extra), "%s", p->extra);
	return n < (int)sizeof(c->extra) ? true : expected(p, "root and extra of at most 1023 characters together");
}

bool config_parse(const char *file, const char *text, size_t length, struct domain_config *config, char *message, size_t size)
{
	struct parser p = { .file = file, .at = text, .end = text + length, .line = 1, .config = config, .message = message,
			    .size = size };

	*message = 0;
	defaults(config);
	return settings(&p) && complete(&p);
}
