/* SPDX-License-Identifier: MIT */
/* Makes small ELF images in memory: header, program headers, then whatever is appended. */
#ifndef ELF_MAKER_H
#define ELF_MAKER_H

#include <elf.h>
#include <string.h>
#include <types.h>

#define MAKER_ROOM 8192

struct maker {
	u8 bytes[MAKER_ROOM];
	u64 size;
};

static inline Elf64_Ehdr *maker_header(struct maker *m) { return (Elf64_Ehdr *)m->bytes; }
static inline Elf64_Phdr *maker_phdr(struct maker *m, int i) { return (Elf64_Phdr *)(m->bytes + sizeof(Elf64_Ehdr)) + i; }

static inline u64 maker_append(struct maker *m, const void *data, u64 size)
{
	u64 at = m->size;

	memcpy(m->bytes + at, data, size);
	m->size = (at + size + 7) & ~7ul;
	return at;
}

static inline void maker_start(struct maker *m, int phdrs, u64 entry)
{
	static const u8 ident[16] = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1 };
	Elf64_Ehdr *h = maker_header(m);

	memset(m, 0, sizeof(*m));
	memcpy(h->e_ident, ident, sizeof(ident));
	h->e_type = ET_EXEC;
	h->e_machine = EM_X86_64;
	h->e_version = 1;
	h->e_entry = entry;
	h->e_phoff = sizeof(*h);
	h->e_ehsize = sizeof(*h);
	h->e_phentsize = sizeof(Elf64_Phdr);
	h->e_phnum = phdrs;
	h->e_shentsize = sizeof(Elf64_Shdr);
	m->size = sizeof(*h) + phdrs * sizeof(Elf64_Phdr);
}

static inline void maker_load(struct maker *m, int i, u64 paddr, const void *data, u64 file_size, u64 mem_size)
{
	*maker_phdr(m, i) = (Elf64_Phdr){
		.p_type = PT_LOAD, .p_offset = maker_append(m, data, file_size),
		.p_vaddr = 0xdead000, .p_paddr = paddr, .p_filesz = file_size, .p_memsz = mem_size,
	};
}

struct note_list {
	u8 bytes[2048];
	u32 size;
};

static inline void note_add_named(struct note_list *l, const char *owner, u32 type, const void *desc, u32 size)
{
	Elf64_Nhdr n = { (u32)strlen(owner) + 1, size, type };

	memcpy(l->bytes + l->size, &n, sizeof(n));
	l->size += sizeof(n);
	memcpy(l->bytes + l->size, owner, n.n_namesz);
	l->size += (n.n_namesz + 3) & ~3u;
	memcpy(l->bytes + l->size, desc, size);
	l->size += (size + 3) & ~3u;
}

static inline void note_number_of(struct note_list *l, u32 type, u64 value, u32 size)
{
	note_add_named(l, "Xen", type, &value, size);
}

static inline void note_string(struct note_list *l, u32 type, const char *s)
{
	note_add_named(l, "Xen", type, s, strlen(s));
}

static inline void maker_notes(struct maker *m, int i, const struct note_list *l)
{
	*maker_phdr(m, i) = (Elf64_Phdr){
		.p_type = PT_NOTE, .p_offset = maker_append(m, l->bytes, l->size), .p_filesz = l->size, .p_memsz = l->size,
	};
}

/* Sections: a null one, one with this content, and the names. */
static inline void maker_section(struct maker *m, const char *name, u32 type, const void *data, u64 size)
{
	char names[64] = "";
	Elf64_Shdr s[3] = { 0 };
	Elf64_Ehdr *h = maker_header(m);

	memcpy(names + 1, name, strlen(name) + 1);
	s[1] = (Elf64_Shdr){ .sh_name = 1, .sh_type = type, .sh_offset = maker_append(m, data, size), .sh_size = size };
	s[2] = (Elf64_Shdr){ .sh_type = 3, .sh_offset = maker_append(m, names, sizeof(names)), .sh_size = sizeof(names) };
	h->e_shoff = maker_append(m, s, sizeof(s));
	h->e_shnum = 3;
	h->e_shstrndx = 2;
}

#endif
