/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a kernel file. The sanitizer sees a read outside; here is checked what image.h promises about an
 * image that was accepted, since the builder relies on it without looking again.
 */
#include <stdlib.h>

#include "../../hypervisor/domain/elf.c"
#include "../../hypervisor/domain/elfnote.c"

#define CHECK(c) do { if (!(c)) __builtin_trap(); } while (0)

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static void check_segment(const struct image *image, const struct segment *s)
{
	CHECK(s->offset <= image->size && s->file_size <= image->size - s->offset);
	CHECK(s->file_size <= s->mem_size && s->mem_size);
	CHECK(s->va >= image->kernel_start && s->va + s->mem_size > s->va && s->va + s->mem_size <= image->kernel_end);
}

static void check_image(const struct image *image)
{
	CHECK(image->segments > 0 && image->segments <= MAX_SEGMENTS);
	for (int i = 0; i < image->segments; i++)
		check_segment(image, &image->segment[i]);
	CHECK(!(image->virt_base & ~PAGE_MASK) && image->virt_base <= image->kernel_start);
	CHECK(image->kernel_end <= 1ul << 47 || image->virt_base >= HV_END);
	CHECK(image->entry >= image->kernel_start && image->entry < image->kernel_end);
	if (image->has_hypercall_page)
		CHECK(image->hypercall_page >= image->kernel_start && image->hypercall_page < image->kernel_end &&
		      !(image->hypercall_page & ~PAGE_MASK));
	if (image->has_init_p2m)
		CHECK(image->init_p2m < image->virt_base && !(image->init_p2m & ~PAGE_MASK));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct image image;
	struct payload p;

	image_identify(&p, data, size);
	CHECK(p.at >= data && p.size <= size && p.at + p.size <= data + size && (!p.gzip || p.format));
	if (image_parse(&image, data, size))
		check_image(&image);
	else
		CHECK(image.error);
	return 0;
}
