/* SPDX-License-Identifier: MIT */
/* From an image and two sizes to the order of pages that placement.h draws. Only arithmetic: no memory is touched. */
#include <placement.h>

#define PAGE_BYTES 4096ul
#define STACK_PADDING (512 * 1024)
#define MAPPING_ALIGN (4ul << 20)

static u64 pages_of(u64 bytes)
{
	return (bytes + PAGE_BYTES - 1) / PAGE_BYTES;
}

static bool place_fail(struct placement *p, const char *error, u64 value)
{
	p->error = error;
	p->error_value = value;
	return false;
}

static struct area take(u64 *next, u64 pages)
{
	struct area a = { *next, pages };

	*next += pages;
	return a;
}

static u64 lower_tables_for(u64 start, u64 end)
{
	return tables_for(start, end, 30) + tables_for(start, end, 21) + tables_for(start, end, 12);
}

/* The tables map themselves, so their number and the end of the mapping depend on each other. */
static bool place_tables(struct placement *p, u64 next)
{
	u64 base = p->virt_base, pages = 1, end;

	for (;;) {
		end = placed_at(p, next + pages + 1) + STACK_PADDING;
		end = (end + MAPPING_ALIGN - 1) & ~(MAPPING_ALIGN - 1);
		/* Before tables are counted: beyond the last address it begins again at 0. */
		if (end <= base || (end - 1) >> 47 != base >> 47)
			return place_fail(p, "there are fewer addresses above VIRT_BASE than the first mapping takes; the KiB needed are",
					  (end - base) / 1024);
		if (1 + lower_tables_for(base, end) <= pages)
			break;
		pages = 1 + lower_tables_for(base, end);
	}
	p->tables = take(&next, pages);
	p->stack = next;
	p->end = (end - base) / PAGE_BYTES;
	return true;
}

/* INIT_P2M is used where the list cannot meet the first mapping, not even in one L4 entry. */
static bool p2m_can_be_apart(const struct image *image, u64 pages)
{
	return image->has_init_p2m && (image->init_p2m + pages * PAGE_BYTES - 1) >> 39 < image->virt_base >> 39;
}

bool place_domain(struct placement *p, const struct image *image, u64 pages, u64 ramdisk_size, u64 ring_pages)
{
	u64 next = pages_of(image->kernel_end - image->virt_base), p2m_pages = pages_of(pages * sizeof(u64));
	u64 initrd_pages = pages_of(ramdisk_size), p2m_end;

	*p = (struct placement){ .virt_base = image->virt_base, .p2m_apart = p2m_can_be_apart(image, p2m_pages) };
	if (!image->mod_start_pfn)
		p->initrd = take(&next, initrd_pages);
	if (!p->p2m_apart)
		p->p2m = take(&next, p2m_pages);
	p->start_info = next++;
	p->rings = next;
	next += ring_pages;
	if (next > pages)
		return place_fail(p, "there is less memory than the kernel takes; the KiB needed are", next * 4);
	if (!place_tables(p, next))
		return false;
	next = p->end;
	if (image->mod_start_pfn)
		p->initrd = take(&next, initrd_pages);
	if (p->p2m_apart) {
		p->p2m = take(&next, p2m_pages);
		p2m_end = image->init_p2m + p2m_pages * PAGE_BYTES;
		p->p2m_tables = take(&next, lower_tables_for(image->init_p2m, p2m_end));
	}
	return next <= pages || place_fail(p, "there is less memory than it takes to start; the KiB needed are", next * 4);
}
