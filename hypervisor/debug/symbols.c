/* SPDX-License-Identifier: MIT */
/*
 * Names for text addresses, and backtraces. tools/symbols makes the table out of a first link, a
 * second link includes it; it lies behind the text, which therefore does not move.
 *
 * There are no frame pointers, so a backtrace lists every word on the stack that is the
 * address after a call instruction: a superset of the callers, in order.
 */
#include <console.h>
#include <layout.h>
#include <sections.h>
#include <types.h>
#include <uaccess.h>

struct symbol {
	u32 offset;	/* of its address from IMAGE_START; ascending */
	u32 name;	/* offset in symbol_names */
};

extern const u32 symbol_count;
extern const struct symbol symbol_table[];
extern const char symbol_names[];

#define BACKTRACE_WORDS 512
#define BACKTRACE_LINES 24

static bool in_text(u64 address)
{
	return address >= (u64)image_text_start && address < (u64)image_text_end;
}

const char *symbol_find(u64 address, u64 *offset)
{
	const struct symbol *s = symbol_table, *end = s + symbol_count;

	if (!in_text(address) || s == end || address - IMAGE_START < s->offset)
		return NULL;
	while (s + 1 < end && s[1].offset <= address - IMAGE_START)
		s++;
	*offset = address - IMAGE_START - s->offset;
	return symbol_names + s->name;
}

/* CALL with a 32-bit displacement, or through a register or memory: FF /2 of 2, 3, 6 or 7 bytes. */
static bool follows_call(u64 address)
{
	const u8 *p = (const u8 *)address;
	static const u8 lengths[] = { 2, 3, 6, 7 };

	if (!in_text(address - 7) || !in_text(address))
		return false;
	if (p[-5] == 0xe8)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++)
		if (p[-lengths[i]] == 0xff && (p[1 - lengths[i]] >> 3 & 7) == 2)
			return true;
	return false;
}

/* A stack may end at a guard page anywhere. */
static bool peek(u64 address, u64 *word)
{
	u64 x;

	raw_get_u64(x, address, fault);
	*word = x;
	return true;
fault:
	return false;
}

void backtrace(u64 rsp)
{
	int lines = 0;
	u64 word, offset;

	for (int i = 0; i < BACKTRACE_WORDS && lines < BACKTRACE_LINES && peek((rsp & ~7ul) + i * 8, &word); i++) {
		if (!follows_call(word))
			continue;
		const char *name = symbol_find(word - 1, &offset);

		log_error("  [%016lx] %s+0x%lx", word, name ? name : "?", offset + 1);
		lines++;
	}
}
