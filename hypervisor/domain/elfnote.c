/* SPDX-License-Identifier: MIT */
/*
 * What an image says about how it wants to start: ELF notes with the owner "Xen"
 *
 *   | n_namesz | n_descsz | n_type | name, padded to 4 | desc, padded to 4 |
 *
 * or, in old kernels, one section __xen_guest of text, KEY=VALUE separated by commas. A number has 1, 2,
 * 4 or 8 bytes in a note and is strtoul's in text; a string need not be terminated. Notes of others, and
 * types that mean nothing to a PV start, are skipped.
 */
#include <abi/elfnote.h>
#include <elf.h>
#include <image.h>
#include <string.h>

/* More than any kernel has; keeps headers that name the same bytes over and over from costing time. */
#define MAX_NOTE_BYTES (256 * 1024)

/* What notes fill in, by their type and by their name in __xen_guest. */
static const struct key {
	char name[18];
	u8 note;
	u16 field;
	bool number;		/* else struct text */
} keys[] = {
	{ "VIRT_BASE", XEN_ELFNOTE_VIRT_BASE, offsetof(struct image, virt_base), true },
	{ "VIRT_ENTRY", XEN_ELFNOTE_ENTRY, offsetof(struct image, entry), true },
	{ "ELF_PADDR_OFFSET", XEN_ELFNOTE_PADDR_OFFSET, offsetof(struct image, paddr_offset), true },
	{ "HYPERCALL_PAGE", XEN_ELFNOTE_HYPERCALL_PAGE, offsetof(struct image, hypercall_page), true },
	{ "", XEN_ELFNOTE_INIT_P2M, offsetof(struct image, init_p2m), true },
	{ "", XEN_ELFNOTE_MOD_START_PFN, offsetof(struct image, mod_start_pfn), true },
	{ "LOADER", XEN_ELFNOTE_LOADER, offsetof(struct image, loader), false },
	{ "GUEST_OS", XEN_ELFNOTE_GUEST_OS, offsetof(struct image, guest_os), false },
	{ "GUEST_VER", XEN_ELFNOTE_GUEST_VERSION, offsetof(struct image, guest_version), false },
	{ "XEN_VER", XEN_ELFNOTE_XEN_VERSION, offsetof(struct image, xen_version), false },
	{ "FEATURES", XEN_ELFNOTE_FEATURES, offsetof(struct image, features), false },
};

/* --- notes ------------------------------------------------------------------------------------------- */

static bool take_note(struct image *image, u32 type, const u8 *desc, u32 size)
{
	if (type > XEN_ELFNOTE_MAX)
		return true;
	image->notes_seen |= 1u << type;
	for (const struct key *k = keys; k < keys + ARRAY_SIZE(keys); k++) {
		void *field = (u8 *)image + k->field;

		if (k->note != type)
			continue;
		if (!k->number) {
			*(struct text *)field = (struct text){ (const char *)desc, strnlen((const char *)desc, size) };
			return true;
		}
		if (size != 1 && size != 2 && size != 4 && size != 8)
			return image_fail(image, "a Xen note has a number that is not of 1, 2, 4 or 8 bytes; its type is", type);
		*(u64 *)field = 0;
		memcpy(field, desc, size);
		return true;
	}
	return true;
}

static u64 pad4(u32 n)
{
	return ((u64)n + 3) & ~3ul;
}

bool image_read_notes(struct image *image, u64 offset, u64 size)
{
	const u8 *at = image_bytes(image, offset, size);
	Elf64_Nhdr n;

	if (!at)
		return image_fail(image, "notes outside the file, at", offset);
	image->note_bytes += size;
	if (image->note_bytes > MAX_NOTE_BYTES)
		return image_fail(image, "more bytes of notes than are read, which is", MAX_NOTE_BYTES);
	while (size >= sizeof(n)) {
		u64 desc, whole;

		memcpy(&n, at, sizeof(n));
		desc = sizeof(n) + pad4(n.n_namesz);
		if (desc + n.n_descsz > size)
			return image_fail(image, "a note reaches beyond the end of the notes; its type is", n.n_type);
		if (n.n_namesz == 4 && !memcmp(at + sizeof(n), "Xen", 4) &&
		    !take_note(image, n.n_type, at + desc, n.n_descsz))
			return false;
		whole = min(desc + pad4(n.n_descsz), size);
		at += whole;
		size -= whole;
	}
	return true;
}

/* --- section __xen_guest ----------------------------------------------------------------------------- */

bool text_is(struct text t, const char *word)
{
	return t.length == strlen(word) && !memcmp(t.at, word, t.length);
}

struct text text_cut(struct text *rest, char separator)
{
	struct text word = { rest->at, 0 };

	while (word.length < rest->length && word.at[word.length] != separator)
		word.length++;
	rest->at += min(word.length + 1, rest->length);
	rest->length -= min(word.length + 1, rest->length);
	return word;
}

static bool text_number(struct image *image, struct text value, u64 *number)
{
	char digits[24];
	char *end;

	if (!value.length || value.length >= sizeof(digits))
		return image_fail(image, "section __xen_guest has a value that is not a number; its length is", value.length);
	memcpy(digits, value.at, value.length);
	digits[value.length] = 0;
	*number = strtoul(digits, &end, 0);
	if (*end)
		return image_fail(image, "section __xen_guest has a value that is not a number; it goes wrong at", *end);
	return true;
}

static bool take_pair(struct image *image, struct text name, struct text value)
{
	for (const struct key *k = keys; k < keys + ARRAY_SIZE(keys); k++) {
		void *field = (u8 *)image + k->field;

		if (!name.length || !text_is(name, k->name))
			continue;
		image->notes_seen |= 1u << k->note;
		if (k->number)
			return text_number(image, value, field);
		*(struct text *)field = value;
	}
	return true;
}

bool image_read_guest_section(struct image *image, u64 offset, u64 size)
{
	struct text rest;
	const u8 *at = image_bytes(image, offset, size);

	if (!at)
		return image_fail(image, "section __xen_guest outside the file, at", offset);
	if (size > PAGE_SIZE)
		return image_fail(image, "section __xen_guest is longer than a page:", size);
	image->legacy = true;
	image->notes_seen |= 1u << XEN_ELFNOTE_INFO;
	rest = (struct text){ (const char *)at, strnlen((const char *)at, size) };
	while (rest.length) {
		struct text value = text_cut(&rest, ','), name = text_cut(&value, '=');

		if (!take_pair(image, name, value))
			return false;
	}
	/* These defaults differ from those of notes: addresses in headers count from VIRT_BASE, and the page is a number. */
	if (!SEEN(image, PADDR_OFFSET))
		image->paddr_offset = image->virt_base;
	image->hypercall_page = image->virt_base + (image->hypercall_page << PAGE_SHIFT);
	return true;
}
