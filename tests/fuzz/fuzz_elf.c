/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a kernel file. The sanitizer sees a read outside; here is checked what image.h and placement.h promise about
 * an image that was accepted, since the builder relies on it without looking again.
 */
#include <stdlib.h>

#include "../../hypervisor/domain/elf.c"
#include "../../hypervisor/domain/elfnote.c"
#include "../../hypervisor/domain/placement.c"

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

static bool within(struct area a, u64 end)
{
	return a.pfn <= end && a.pages <= end - a.pfn;
}

static void check_placement(const struct image *image, u64 pages, u64 ramdisk_size)
{
	struct placement p;

	if (!place_domain(&p, image, pages, ramdisk_size, 2)) {
		CHECK(p.error);
		return;
	}
	CHECK(p.end <= pages && p.stack < p.end && p.start_info < p.end && p.rings < p.end - 1 && within(p.tables, p.end));
	CHECK(p.tables.pages >= 4 && within(p.initrd, pages) && within(p.p2m, pages) && within(p.p2m_tables, pages));
	CHECK((image->kernel_end - image->virt_base - 1) / PAGE_SIZE < p.start_info);
	CHECK(placed_at(&p, p.end) > image->virt_base && (placed_at(&p, p.end) - 1) >> 47 == image->virt_base >> 47);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct image image;
	struct payload p;

	image_identify(&p, data, size);
	CHECK(p.at >= data && p.size <= size && p.at + p.size <= data + size && (!p.gzip || p.format));
	if (!image_parse(&image, data, size)) {
		CHECK(image.error);
		return 0;
	}
	check_image(&image);
	check_placement(&image, 1024, 0);
	check_placement(&image, 65536, 5000);
	check_placement(&image, 1ul << 32, 1ul << 34);
	return 0;
}
