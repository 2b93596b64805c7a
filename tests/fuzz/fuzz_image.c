/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a kernel file for domain 0's builder: ELF, gzip, or bzImage with any payload, the decompressors' own code
 * under the sanitizers. Domain 0 has 4 MiB for what is unpacked; more must not be asked for, and nothing be left over.
 */
#include <stdlib.h>

#define PVK_LIB_H
#define PVK_MM_H
#define PVK_BOOT_H
#include <string.h>
#include <types.h>

void *memmove(void *to, const void *from, size_t n);	/* not in the string.h that is first on the path */

#define CHECK(c) do { if (!(c)) __builtin_trap(); } while (0)

#define NR_PAGES 2048

static struct {
	u64 nr_pages;
} boot = { NR_PAGES };

static u64 used;

static u64 pages_free(void)
{
	return NR_PAGES - used;
}

static u64 pages_in(u64 size)
{
	return (size + PAGE_SIZE - 1) / PAGE_SIZE;
}

static void *vmalloc(u64 size)
{
	u64 *p;

	CHECK(pages_in(size) <= pages_free());
	used += pages_in(size);
	p = malloc(size + 2 * sizeof(u64));
	*p = size;
	return p + 2;
}

static void vfree(void *va)
{
	u64 *p = (u64 *)va - 2;

	used -= pages_in(*p);
	free(p);
}

#include "../../hypervisor/domain/elf.c"
#include "../../hypervisor/domain/elfnote.c"
#include "../../pvkernel/control/unpack.c"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct image image;
	const u8 *elf, *again;
	u64 elf_size, again_size;
	const char *error = kernel_unpack(data, size, &elf, &elf_size);

	if (!error) {
		CHECK(!kernel_unpack(data, size, &again, &again_size) && elf == again && elf_size == again_size);
		image_parse(&image, elf, elf_size);
	}
	while (drop_kept())
		;
	CHECK(!used);
	return 0;
}
