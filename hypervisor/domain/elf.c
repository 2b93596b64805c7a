/* SPDX-License-Identifier: MIT */
/*
 * From the bytes of a kernel file to a struct image whose invariants (image.h) hold, whatever
 * the bytes are. Pure: reads the file, writes the image, allocates nothing, and every loop is bounded.
 *
 *   file: | Elf64_Ehdr | Elf64_Phdr[e_phnum] ... | bytes of segments, notes ... | Elf64_Shdr[e_shnum] |
 *
 * Segments are placed by p_paddr, never by p_vaddr: address = p_paddr + VIRT_BASE - PADDR_OFFSET.
 * Notes are looked for in PT_NOTE segments, then SHT_NOTE sections, then section __xen_guest;
 * the first of the three that has any is believed.
 */
#include <abi/elfnote.h>
#include <elf.h>
#include <image.h>
#include <layout.h>
#include <string.h>

/* --- headers ---------------------------------------------------------------------------------- */

static bool check_header(struct image *image, Elf64_Ehdr *h)
{
	const u8 *bytes = image_bytes(image, 0, sizeof(*h));

	if (!bytes)
		return image_fail(image, "the file is shorter than an ELF header", image->size);
	memcpy(h, bytes, sizeof(*h));
	if (memcmp(h->e_ident, ELFMAG, 4))
		return image_fail(image, "not an ELF file; it begins with", h->e_ident[0]);
	if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB || h->e_machine != EM_X86_64)
		return image_fail(image, "an ELF file, but not a 64-bit one for x86-64; its machine is", h->e_machine);
	if (h->e_type != ET_EXEC && h->e_type != ET_DYN)
		return image_fail(image, "an ELF file, but not an executable one; its type is", h->e_type);
	if (!h->e_phnum || h->e_phentsize != sizeof(Elf64_Phdr))
		return image_fail(image, "no program headers of 56 bytes; their size is", h->e_phentsize);
	if (!image_bytes(image, h->e_phoff, (u64)h->e_phnum * sizeof(Elf64_Phdr)))
		return image_fail(image, "program headers outside the file, at", h->e_phoff);
	return true;
}

static void read_phdr(const struct image *image, const Elf64_Ehdr *h, int i, Elf64_Phdr *p)
{
	memcpy(p, image->file + h->e_phoff + i * sizeof(*p), sizeof(*p));
}

static bool has_sections(const struct image *image, const Elf64_Ehdr *h)
{
	return h->e_shnum && h->e_shentsize == sizeof(Elf64_Shdr) &&
	       image_bytes(image, h->e_shoff, (u64)h->e_shnum * sizeof(Elf64_Shdr));
}

static void read_shdr(const struct image *image, const Elf64_Ehdr *h, int i, Elf64_Shdr *s)
{
	memcpy(s, image->file + h->e_shoff + i * sizeof(*s), sizeof(*s));
}

/* --- where notes may be ------------------------------------------------------------------------ */

static bool notes_of_segments(struct image *image, const Elf64_Ehdr *h)
{
	Elf64_Phdr p;

	for (int i = 0; i < h->e_phnum; i++) {
		read_phdr(image, h, i, &p);
		if (p.p_type != PT_NOTE || !p.p_offset)
			continue;
		if (!image_read_notes(image, p.p_offset, p.p_filesz))
			return false;
	}
	return true;
}

static bool notes_of_sections(struct image *image, const Elf64_Ehdr *h)
{
	Elf64_Shdr s;

	for (int i = 0; i < h->e_shnum; i++) {
		read_shdr(image, h, i, &s);
		if (s.sh_type == SHT_NOTE && !image_read_notes(image, s.sh_offset, s.sh_size))
			return false;
	}
	return true;
}

static bool section_is_named(const struct image *image, const Elf64_Shdr *names, u32 name, const char *wanted)
{
	size_t length = strlen(wanted) + 1;
	const u8 *at;

	if (name > names->sh_size || length > names->sh_size - name || names->sh_offset + name < name)
		return false;
	at = image_bytes(image, names->sh_offset + name, length);
	return at && !memcmp(at, wanted, length);
}

static bool notes_of_guest_section(struct image *image, const Elf64_Ehdr *h)
{
	Elf64_Shdr s, names;

	if (h->e_shstrndx >= h->e_shnum)
		return true;
	read_shdr(image, h, h->e_shstrndx, &names);
	for (int i = 0; i < h->e_shnum; i++) {
		read_shdr(image, h, i, &s);
		if (s.sh_type != SHT_NOBITS && section_is_named(image, &names, s.sh_name, "__xen_guest"))
			return image_read_guest_section(image, s.sh_offset, s.sh_size);
	}
	return true;
}

static bool find_notes(struct image *image, const Elf64_Ehdr *h)
{
	if (!notes_of_segments(image, h))
		return false;
	if (!image->notes_seen && has_sections(image, h)) {
		if (!notes_of_sections(image, h))
			return false;
		if (!image->notes_seen && !notes_of_guest_section(image, h))
			return false;
	}
	if (!image->notes_seen)
		return image_fail(image, "no Xen notes: the kernel is not built for this interface; program headers seen:",
				  h->e_phnum);
	return true;
}

/* --- what they say must fit together ------------------------------------------------------------- */

static bool begins(struct text t, const char *with)
{
	size_t length = strlen(with);

	return t.length >= length && !memcmp(t.at, with, length);
}

static bool check_words(struct image *image)
{
	const u32 pv = ~(1u << XEN_ELFNOTE_PHYS32_ENTRY | 1u << XEN_ELFNOTE_INFO);

	if (!(image->notes_seen & pv))
		return image_fail(image, "the kernel can only be entered without paging (PVH); its notes are", image->notes_seen);
	if (SEEN(image, XEN_VERSION) && !begins(image->xen_version, "xen-3.0"))
		return image_fail(image, "the note XEN_VERSION does not begin with xen-3.0; its length is",
				  image->xen_version.length);
	if (SEEN(image, LOADER) && !begins(image->loader, "generic") && !begins(image->guest_os, "linux"))
		return image_fail(image, "the note LOADER is not generic; its length is", image->loader.length);
	return true;
}

/* The ABI knows these; a kernel that insists on another cannot run. */
static bool feature_known(struct text name)
{
	static const char *const known[] = {
		"writable_page_tables", "writable_descriptor_tables", "auto_translated_physmap",
		"supervisor_mode_kernel", "pae_pgdir_above_4gb", "mmu_pt_update_preserve_ad", "highmem_assist",
		"gnttab_map_avail_bits", "hvm_callback_vector", "hvm_safe_pvclock", "hvm_pirqs", "dom0",
		"memory_op_vnode_supported",
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (text_is(name, known[i]))
			return true;
	return false;
}

static bool check_features(struct image *image)
{
	struct text left = image->features;

	while (left.length) {
		struct text name = text_cut(&left, '|');

		if (!name.length || name.at[0] != '!')
			continue;
		name = (struct text){ name.at + 1, name.length - 1 };
		if (!feature_known(name))
			return image_fail(image, "the kernel requires an unknown feature; its name's length is", name.length);
	}
	return true;
}

/* [start, end) can be mapped for a guest: canonical, one half, not the hypervisor's. */
static bool guest_range(u64 start, u64 end)
{
	if (start > end)
		return false;
	return end <= 1ul << 47 || (start >= HV_END && end >= start);
}

static bool inside(const struct image *image, u64 va)
{
	return va >= image->kernel_start && va < image->kernel_end;
}

static bool check_addresses(struct image *image)
{
	if (SEEN(image, PADDR_OFFSET) && !SEEN(image, VIRT_BASE) && !image->legacy)
		return image_fail(image, "note PADDR_OFFSET without VIRT_BASE; it is", image->paddr_offset);
	if (image->virt_base & ~PAGE_MASK)
		return image_fail(image, "VIRT_BASE is not on a page boundary:", image->virt_base);
	if (image->kernel_start < image->virt_base || !guest_range(image->virt_base, image->kernel_end))
		return image_fail(image, "the kernel is not between VIRT_BASE and the end of what a guest may map; it ends at",
				  image->kernel_end);
	if (!inside(image, image->entry))
		return image_fail(image, "the entry point is outside the kernel:", image->entry);
	image->has_hypercall_page = SEEN(image, HYPERCALL_PAGE);
	if (image->has_hypercall_page &&
	    ((image->hypercall_page & ~PAGE_MASK) || !inside(image, image->hypercall_page)))
		return image_fail(image, "the hypercall page is outside the kernel or not on a page boundary:",
				  image->hypercall_page);
	/* Unusable is not wrong: then the list goes into the first mapping. */
	image->has_init_p2m = SEEN(image, INIT_P2M) && !(image->init_p2m & ~PAGE_MASK) &&
			      image->init_p2m < min(image->virt_base, 1ul << 47);
	return true;
}

/* --- segments --------------------------------------------------------------------------------------- */

static bool add_segment(struct image *image, const Elf64_Phdr *p)
{
	struct segment *s;
	u64 va;

	if (!p->p_memsz)
		return true;
	if (image->segments == MAX_SEGMENTS)
		return image_fail(image, "more segments to load than are allowed, which is", MAX_SEGMENTS);
	if (p->p_filesz > p->p_memsz)
		return image_fail(image, "a segment has more bytes in the file than in memory:", p->p_filesz);
	if (!image_bytes(image, p->p_offset, p->p_filesz))
		return image_fail(image, "a segment's bytes lie outside the file, at", p->p_offset);
	va = p->p_paddr - image->paddr_offset + image->virt_base;
	if (p->p_paddr < image->paddr_offset || va < image->virt_base || p->p_memsz > -1ul - va)
		return image_fail(image, "a segment's address overflows; its p_paddr is", p->p_paddr);
	s = &image->segment[image->segments++];
	*s = (struct segment){ va, p->p_offset, p->p_filesz, p->p_memsz };
	image->kernel_start = min(image->kernel_start, va);
	image->kernel_end = max(image->kernel_end, va + p->p_memsz);
	return true;
}

static bool read_segments(struct image *image, const Elf64_Ehdr *h)
{
	Elf64_Phdr p;

	image->kernel_start = ~0ul;
	image->kernel_end = 0;
	for (int i = 0; i < h->e_phnum; i++) {
		read_phdr(image, h, i, &p);
		if (p.p_type == PT_LOAD && !add_segment(image, &p))
			return false;
	}
	if (!image->segments)
		return image_fail(image, "no segment to load; program headers seen:", h->e_phnum);
	return true;
}

bool image_parse(struct image *image, const u8 *file, size_t size)
{
	Elf64_Ehdr h;

	memset(image, 0, sizeof(*image));
	image->file = file;
	image->size = size;
	if (!check_header(image, &h))
		return false;
	image->entry = h.e_entry;
	return find_notes(image, &h) && check_words(image) && check_features(image) &&
	       read_segments(image, &h) && check_addresses(image);
}

/* --- containers --------------------------------------------------------------------------------------- */

static void identify_format(struct payload *p)
{
	static const struct {
		u8 magic[6];
		u8 length;
		const char *name;
	} formats[] = {
		{ { 0x1f, 0x8b }, 2, "gzip" },
		{ { 0xfd, '7', 'z', 'X', 'Z', 0 }, 6, "xz" },
		{ { 0x02, 0x21, 0x4c, 0x18 }, 4, "lz4" },
		{ { 0x28, 0xb5, 0x2f, 0xfd }, 4, "zstd" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (p->size >= formats[i].length && !memcmp(p->at, formats[i].magic, formats[i].length))
			p->format = formats[i].name;
	p->gzip = p->format && p->format == formats[0].name;
}

/*
 * A Linux bzImage (the boot protocol's "real-mode header"): 0x1f1 setup_sects, 0x202 "HdrS", 0x206 version,
 * 0x248 payload_offset, 0x24c payload_length. The payload starts behind the set-up sectors.
 */
static void find_payload(struct payload *p)
{
	const u8 *file = p->at;
	u64 start, size = p->size;
	u32 offset, length;

	if (size < 0x250 || memcmp(file + 0x202, "HdrS", 4))
		return;
	memcpy(&p->protocol, file + 0x206, 2);
	memcpy(&offset, file + 0x248, 4);
	memcpy(&length, file + 0x24c, 4);
	start = ((file[0x1f1] ? file[0x1f1] : 4) + 1) * 512ul + offset;
	if (p->protocol < 0x208 || start > size || length > size - start)
		length = start = 0;
	p->at = file + start;
	p->size = length;
}

void image_identify(struct payload *p, const u8 *file, size_t size)
{
	*p = (struct payload){ .at = file, .size = size };
	find_payload(p);
	identify_format(p);
}
