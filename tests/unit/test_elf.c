/* SPDX-License-Identifier: MIT */
/*
 * The image parser: every kind of note and container that real kernels carry is understood, and a file
 * that is wrong in any one place is refused for that reason. Files are copied to blocks of their exact
 * size, so that the sanitizer sees any read outside.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

char *strstr(const char *text, const char *part);

#include "../../hypervisor/domain/elf.c"
#include "../../hypervisor/domain/elfnote.c"
#include "elf_maker.h"

#define BASE 0xffffffff80000000
#define MIB (1ul << 20)

static struct image image;
static struct maker m;
static struct note_list notes;

static bool parse(void)
{
	u8 *copy = malloc(m.size);
	bool ok;

	memcpy(copy, m.bytes, m.size);
	ok = image_parse(&image, copy, m.size);
	free(copy);
	return ok;
}

static void refused_for(const char *why)
{
	assert_false(parse());
	assert_non_null(image.error);
	if (!strstr(image.error, why))
		fail_msg("refused for \"%s\" instead of \"%s\"", image.error, why);
}

/* A kernel like Linux: every note, sizes mixed, FEATURES without a terminator. */
static void make_full(void)
{
	memset(&notes, 0, sizeof(notes));
	note_add_named(&notes, "GNU", 3, "12345678901234567890", 20);
	note_string(&notes, XEN_ELFNOTE_GUEST_OS, "linux");
	note_string(&notes, XEN_ELFNOTE_GUEST_VERSION, "2.6");
	note_add_named(&notes, "Xen", XEN_ELFNOTE_XEN_VERSION, "xen-3.0", 8);
	note_number_of(&notes, XEN_ELFNOTE_VIRT_BASE, BASE, 8);
	note_number_of(&notes, XEN_ELFNOTE_PADDR_OFFSET, 0, 1);
	note_number_of(&notes, XEN_ELFNOTE_INIT_P2M, 0x8000000000, 8);
	note_number_of(&notes, XEN_ELFNOTE_ENTRY, BASE + 16 * MIB + 0x40, 8);
	note_number_of(&notes, XEN_ELFNOTE_HYPERCALL_PAGE, BASE + 16 * MIB + 0x1000, 8);
	note_string(&notes, XEN_ELFNOTE_FEATURES, "!writable_page_tables|pae_pgdir_above_4gb");
	note_number_of(&notes, XEN_ELFNOTE_SUPPORTED_FEATURES, 0x8801, 4);
	note_string(&notes, XEN_ELFNOTE_PAE_MODE, "yes");
	note_string(&notes, XEN_ELFNOTE_LOADER, "generic");
	note_number_of(&notes, XEN_ELFNOTE_SUSPEND_CANCEL, 1, 4);
	note_number_of(&notes, XEN_ELFNOTE_MOD_START_PFN, 1, 2);
	note_number_of(&notes, XEN_ELFNOTE_PHYS32_ENTRY, 0x1000850, 4);
	maker_start(&m, 3, 0x1000000);
	maker_load(&m, 0, 16 * MIB, "code", 4, 0x3000);
	maker_load(&m, 1, 18 * MIB, "data", 4, 0x10000);
	maker_notes(&m, 2, &notes);
}

static void a_kernel_with_every_note(void **state)
{
	make_full();
	assert_true(parse());
	assert_int_equal(image.segments, 2);
	assert_true(image.kernel_start == BASE + 16 * MIB && image.kernel_end == BASE + 18 * MIB + 0x10000);
	assert_true(image.entry == BASE + 16 * MIB + 0x40);
	assert_true(image.virt_base == BASE && image.paddr_offset == 0);
	assert_true(image.has_hypercall_page && image.hypercall_page == BASE + 16 * MIB + 0x1000);
	assert_true(image.has_init_p2m && image.init_p2m == 0x8000000000);
	assert_true(image.mod_start_pfn && !image.legacy);
	assert_int_equal(image.guest_os.length, 5);
	assert_int_equal(image.features.length, 41);
	assert_true(image.segment[1].va == BASE + 18 * MIB && image.segment[1].file_size == 4);
}

static void missing_notes_take_defaults(void **state)
{
	memset(&notes, 0, sizeof(notes));
	note_add_named(&notes, "Xen", XEN_ELFNOTE_LOADER, "generic", 8);
	maker_start(&m, 2, MIB + 4);
	maker_load(&m, 0, MIB, "code", 4, 4096);
	maker_notes(&m, 1, &notes);
	assert_true(parse());
	assert_true(image.entry == MIB + 4 && image.virt_base == 0 && image.kernel_start == MIB);
	assert_false(image.has_hypercall_page || image.has_init_p2m || image.mod_start_pfn);
}

static void address_zero_is_an_address(void **state)
{
	memset(&notes, 0, sizeof(notes));
	note_number_of(&notes, XEN_ELFNOTE_ENTRY, 0, 8);
	note_number_of(&notes, XEN_ELFNOTE_VIRT_BASE, 0, 8);
	maker_start(&m, 2, 0x12345678);
	maker_load(&m, 0, 0, "code", 4, 0x1f0);
	maker_notes(&m, 1, &notes);
	assert_true(parse());
	assert_true(image.entry == 0 && image.kernel_start == 0 && image.kernel_end == 0x1f0);
}

static void numbers_of_every_size(void **state)
{
	static const u32 good[] = { 1, 2, 4, 8 }, bad[] = { 0, 3, 5, 7, 9, 16 };

	for (size_t i = 0; i < ARRAY_SIZE(good) + ARRAY_SIZE(bad); i++) {
		u32 size = i < ARRAY_SIZE(good) ? good[i] : bad[i - ARRAY_SIZE(good)];
		u8 desc[16] = { 0x10 };

		memset(&notes, 0, sizeof(notes));
		note_add_named(&notes, "Xen", XEN_ELFNOTE_ENTRY, desc, size);
		maker_start(&m, 2, 0);
		maker_load(&m, 0, 0, "code", 4, 4096);
		maker_notes(&m, 1, &notes);
		if (i < ARRAY_SIZE(good)) {
			assert_true(parse());
			assert_true(image.entry == 0x10);
		} else {
			refused_for("1, 2, 4 or 8 bytes");
		}
	}
}

static void notes_in_a_section(void **state)
{
	memset(&notes, 0, sizeof(notes));
	note_number_of(&notes, XEN_ELFNOTE_VIRT_BASE, BASE, 8);
	note_number_of(&notes, XEN_ELFNOTE_ENTRY, BASE + MIB, 8);
	maker_start(&m, 1, 0);
	maker_load(&m, 0, MIB, "code", 4, 4096);
	maker_section(&m, ".notes", SHT_NOTE, notes.bytes, notes.size);
	assert_true(parse());
	assert_true(image.entry == BASE + MIB && !image.legacy);
}

static void make_legacy(const char *text)
{
	maker_start(&m, 1, BASE + MIB);
	maker_load(&m, 0, BASE + MIB, "code", 4, 4096);
	maker_section(&m, "__xen_guest", 1, text, strlen(text) + 1);
}

static void the_legacy_section(void **state)
{
	make_legacy("GUEST_OS=old,GUEST_VER=1,XEN_VER=xen-3.0,LOADER=generic,VIRT_BASE=0xffffffff80000000,"
		    "HYPERCALL_PAGE=0x100,PAE=yes");
	assert_true(parse());
	assert_true(image.legacy && image.virt_base == BASE && image.paddr_offset == BASE);
	assert_true(image.kernel_start == BASE + MIB && image.entry == BASE + MIB);
	assert_true(image.has_hypercall_page && image.hypercall_page == BASE + MIB);
	make_legacy("VIRT_BASE=high");
	refused_for("not a number");
	make_legacy("VIRT_BASE=");
	refused_for("not a number");
	make_legacy("LOADER=grub,VIRT_BASE=0xffffffff80000000");
	refused_for("LOADER");
	make_legacy(",,=,=x,VIRT_BASE=0xffffffff80000000,");
	assert_true(parse());
}

static void an_unusable_p2m_address_is_ignored(void **state)
{
	static const u64 unusable[] = { 0x8000000001, BASE, BASE + 16 * MIB, 0x900000000000, 0xffff800000000000 };

	for (size_t i = 0; i < ARRAY_SIZE(unusable); i++) {
		make_full();
		note_number_of(&notes, XEN_ELFNOTE_INIT_P2M, unusable[i], 8);
		maker_notes(&m, 2, &notes);
		assert_true(parse());
		assert_false(image.has_init_p2m);
	}
}

static void wrong_headers(void **state)
{
	make_full();
	m.size = 63;
	refused_for("shorter");
	make_full();
	m.bytes[1] = 'F';
	refused_for("not an ELF");
	make_full();
	m.bytes[EI_CLASS] = 1;
	refused_for("64-bit");
	make_full();
	maker_header(&m)->e_machine = 40;
	refused_for("64-bit");
	make_full();
	maker_header(&m)->e_type = 1;
	refused_for("executable");
	make_full();
	maker_header(&m)->e_phentsize = 32;
	refused_for("56 bytes");
	make_full();
	maker_header(&m)->e_phoff = ~0ul - 20;
	refused_for("program headers outside");
	make_full();
	maker_header(&m)->e_phnum = 0xffff;
	refused_for("program headers outside");
}

static void wrong_segments(void **state)
{
	make_full();
	maker_phdr(&m, 0)->p_offset = ~0ul;
	refused_for("bytes lie outside");
	make_full();
	maker_phdr(&m, 0)->p_offset = m.size - 3;
	refused_for("bytes lie outside");
	make_full();
	maker_phdr(&m, 0)->p_filesz = 0x3001;
	refused_for("more bytes in the file than in memory");
	make_full();
	maker_phdr(&m, 0)->p_memsz = ~0ul;
	refused_for("overflows");
	make_full();
	maker_phdr(&m, 0)->p_paddr = ~0ul - 0x1000;
	refused_for("overflows");
	make_full();
	maker_phdr(&m, 0)->p_paddr = 2048 * MIB - 0x1000;
	refused_for("overflows");
	make_full();
	maker_phdr(&m, 0)->p_type = maker_phdr(&m, 1)->p_type = 0;
	refused_for("no segment");
}

static void addresses_that_do_not_fit(void **state)
{
	static const struct {
		u64 base, entry;
		const char *why;
	} cases[] = {
		{ 0xffff800000000000, 0xffff800001000000, "not between" },	/* the hypervisor's */
		{ 0xffff87ffff000000, 0xffff880000000000, "not between" },
		{ 0x00007fffff000000, 0x0000800000000000, "not between" },	/* across the gap */
		{ 0x0001000000000000, 0x0001000001000000, "not between" },
		{ BASE + 1, BASE + 16 * MIB + 1, "page boundary" },
		{ BASE, BASE, "entry point" },
		{ BASE, BASE + 18 * MIB + 0x10000, "entry point" },
		{ BASE, 0, "entry point" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		memset(&notes, 0, sizeof(notes));
		note_number_of(&notes, XEN_ELFNOTE_VIRT_BASE, cases[i].base, 8);
		note_number_of(&notes, XEN_ELFNOTE_ENTRY, cases[i].entry, 8);
		make_full();
		memset(&notes, 0, sizeof(notes));
		note_number_of(&notes, XEN_ELFNOTE_VIRT_BASE, cases[i].base, 8);
		note_number_of(&notes, XEN_ELFNOTE_ENTRY, cases[i].entry, 8);
		maker_notes(&m, 2, &notes);
		refused_for(cases[i].why);
	}
}

static void hypercall_pages_outside(void **state)
{
	static const u64 wrong[] = { BASE, BASE + 16 * MIB + 0x1008, BASE + 19 * MIB, 0, 0xffff800000000000 };

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		make_full();
		note_number_of(&notes, XEN_ELFNOTE_HYPERCALL_PAGE, wrong[i], 8);
		maker_notes(&m, 2, &notes);
		refused_for("hypercall page");
	}
}

static void wrong_notes(void **state)
{
	Elf64_Nhdr huge = { 4, 0xffffffff, XEN_ELFNOTE_ENTRY }, name = { 0xfffffffe, 0, 0 };

	make_full();
	maker_phdr(&m, 2)->p_offset = m.size;
	refused_for("notes outside");
	make_full();
	maker_phdr(&m, 2)->p_filesz = ~0ul;
	refused_for("notes outside");
	make_full();
	memcpy(m.bytes + maker_phdr(&m, 2)->p_offset, &huge, sizeof(huge));
	refused_for("beyond the end");
	make_full();
	memcpy(m.bytes + maker_phdr(&m, 2)->p_offset, &name, sizeof(name));
	refused_for("beyond the end");
	make_full();
	maker_phdr(&m, 2)->p_offset = 0;
	refused_for("no Xen notes");
	make_full();
	note_string(&notes, XEN_ELFNOTE_XEN_VERSION, "xen-2.0");
	maker_notes(&m, 2, &notes);
	refused_for("XEN_VERSION");
	make_full();
	note_string(&notes, XEN_ELFNOTE_FEATURES, "dom0|!telepathy");
	maker_notes(&m, 2, &notes);
	refused_for("unknown feature");
}

static void notes_that_contradict(void **state)
{
	memset(&notes, 0, sizeof(notes));
	note_number_of(&notes, XEN_ELFNOTE_PADDR_OFFSET, 0x1000, 8);
	maker_start(&m, 2, 0);
	maker_load(&m, 0, 0x1000, "code", 4, 4096);
	maker_notes(&m, 1, &notes);
	refused_for("without VIRT_BASE");
	memset(&notes, 0, sizeof(notes));
	note_number_of(&notes, XEN_ELFNOTE_PHYS32_ENTRY, 0x1000, 4);
	maker_start(&m, 2, 0);
	maker_load(&m, 0, 0x1000, "code", 4, 4096);
	maker_notes(&m, 1, &notes);
	refused_for("PVH");
}

/* Headers that name the same bytes again and again must not buy time. */
static void repeated_notes_are_bounded(void **state)
{
	static u8 big[64 + 2000 * 56 + 4096];
	Elf64_Ehdr *h = (Elf64_Ehdr *)big;

	make_full();
	memcpy(big, m.bytes, 64);
	h->e_phnum = 2000;
	for (int i = 0; i < 2000; i++)
		((Elf64_Phdr *)(big + 64))[i] =
			(Elf64_Phdr){ .p_type = PT_NOTE, .p_offset = 64 + 2000 * 56, .p_filesz = 4096 };
	assert_false(image_parse(&image, big, sizeof(big)));
	assert_non_null(strstr(image.error, "more bytes of notes"));
}

static void every_truncation_is_survived(void **state)
{
	make_full();
	for (u64 size = m.size; m.size > 0; m.size--)
		assert_true(parse() ? m.size > size - 64 : image.error != NULL);
	make_legacy("VIRT_BASE=0xffffffff80000000");
	for (; m.size > 0; m.size--)
		parse();
}

static void make_bzimage(u8 *file, u16 protocol, u32 offset, u32 length, const char *magic)
{
	memset(file, 0, 4096);
	file[0x1f1] = 1;
	memcpy(file + 0x202, "HdrS", 4);
	memcpy(file + 0x206, &protocol, 2);
	memcpy(file + 0x248, &offset, 4);
	memcpy(file + 0x24c, &length, 4);
	memcpy(file + 1024 + 0x10, magic, 6);
}

static void containers(void **state)
{
	u8 *file = malloc(4096);
	struct payload p;

	make_bzimage(file, 0x20f, 0x10, 2000, "\xfd" "7zXZ");
	image_identify(&p, file, 4096);
	assert_true(!p.gzip && p.protocol == 0x20f);
	assert_string_equal(p.format, "xz");
	make_bzimage(file, 0x20f, 0x10, 2000, "\x1f\x8b\x08\x00\x00");
	image_identify(&p, file, 4096);
	assert_true(p.gzip && p.at == file + 1040 && p.size == 2000);
	make_bzimage(file, 0x20f, 0x10, 4096, "\x1f\x8b\x08\x00\x00");
	image_identify(&p, file, 4096);
	assert_true(p.protocol && !p.format && !p.size);
	make_bzimage(file, 0x20f, 0xfffffff0, 0xffffffff, "\x1f\x8b\x08\x00\x00");
	image_identify(&p, file, 4096);
	assert_true(p.protocol && !p.format && !p.size);
	memcpy(file, "\x02\x21\x4c\x18", 4);
	image_identify(&p, file, 4);
	assert_string_equal(p.format, "lz4");
	image_identify(&p, file, 1);
	assert_null(p.format);
	image_identify(&p, file, 0);
	assert_null(p.format);
	memcpy(file, ELFMAG, 4);
	image_identify(&p, file, 64);
	assert_true(!p.format && !p.protocol && p.at == file && p.size == 64);
	free(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kernel_with_every_note),
		cmocka_unit_test(missing_notes_take_defaults),
		cmocka_unit_test(address_zero_is_an_address),
		cmocka_unit_test(numbers_of_every_size),
		cmocka_unit_test(notes_in_a_section),
		cmocka_unit_test(the_legacy_section),
		cmocka_unit_test(an_unusable_p2m_address_is_ignored),
		cmocka_unit_test(wrong_headers),
		cmocka_unit_test(wrong_segments),
		cmocka_unit_test(addresses_that_do_not_fit),
		cmocka_unit_test(hypercall_pages_outside),
		cmocka_unit_test(wrong_notes),
		cmocka_unit_test(notes_that_contradict),
		cmocka_unit_test(repeated_notes_are_bounded),
		cmocka_unit_test(every_truncation_is_survived),
		cmocka_unit_test(containers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
