/* SPDX-License-Identifier: MIT */
/*
 * A guest image, taken apart. Nothing in here is trusted further than image_parse() has checked:
 *
 *   1. every segment's bytes lie inside the file, and offset + size does not overflow;
 *   2. virt_base <= kernel_start <= every segment <= kernel_end, none of it in the hypervisor's range
 *      nor across the non-canonical gap;
 *   3. entry and the hypercall page lie in [kernel_start, kernel_end), init_p2m outside it.
 */
#ifndef PARAVANE_IMAGE_H
#define PARAVANE_IMAGE_H

#include <types.h>

#define MAX_SEGMENTS 32

struct segment {
	u64 va;			/* where it is to be seen */
	u64 offset, file_size;	/* its bytes in the file; what is left of mem_size is zero */
	u64 mem_size;
};

struct text {			/* part of the file, not terminated */
	const char *at;
	size_t length;
};

struct image {
	const u8 *file;
	size_t size;

	int segments;
	struct segment segment[MAX_SEGMENTS];
	u64 kernel_start, kernel_end;	/* addresses of the first byte and behind the last */

	/* What the notes say, or the default of a note that is missing. */
	u64 entry;
	u64 virt_base;			/* address of pseudo-physical 0 */
	u64 paddr_offset;
	u64 hypercall_page, init_p2m;	/* valid if has_... */
	bool has_hypercall_page, has_init_p2m;
	u64 mod_start_pfn;		/* not 0: takes its ramdisk unmapped */
	struct text guest_os, guest_version, loader, xen_version, features;

	u32 notes_seen;			/* bit n: note n was there */
	bool legacy;			/* they came from section __xen_guest */
	u64 note_bytes;			/* read so far; bounded, since headers may name the same bytes again and again */
	const char *error;		/* what is wrong, */
	u64 error_value;		/* and with which number */
};

/* What the bytes of a kernel file are, or of the payload of a Linux bzImage. */
struct payload {
	const u8 *at;
	size_t size;
	const char *format;		/* its name; NULL: not one that is known to compress kernels */
	bool gzip;
	u16 protocol;			/* of a bzImage: major << 8 | minor; 0: it is none */
};

/* Looks at the magic numbers, and into a Linux bzImage for its payload. */
void image_identify(struct payload *p, const u8 *file, size_t size);

/* False: `image->error` says why not. The file must stay in place while the image is used. */
bool image_parse(struct image *image, const u8 *file, size_t size);

/* --- between elf.c and elfnote.c ------------------------------------------------------------------ */

/* `size` bytes at `offset` of the file, or NULL if they are not all inside. */
static inline const u8 *image_bytes(const struct image *image, u64 offset, u64 size)
{
	return offset <= image->size && size <= image->size - offset ? image->file + offset : NULL;
}

static inline bool image_fail(struct image *image, const char *error, u64 value)
{
	image->error = error;
	image->error_value = value;
	return false;
}

#define SEEN(image, note) ((image)->notes_seen >> XEN_ELFNOTE_##note & 1)

bool text_is(struct text t, const char *word);
/* Cuts the text before the first `separator` off the front of *rest, and the separator. */
struct text text_cut(struct text *rest, char separator);

bool image_read_notes(struct image *image, u64 offset, u64 size);
bool image_read_guest_section(struct image *image, u64 offset, u64 size);

/* --- domain/inflate.c ----------------------------------------------------------------------------- */

/* The length that a gzip stream says it has when inflated; 0: too short to be one. */
u64 gzip_length(const u8 *stream, size_t size);
/* Inflates and checks length and CRC; NULL, or what is wrong. */
const char *gzip_inflate(void *to, size_t length, const u8 *stream, size_t size);

/* --- domain/build.c ------------------------------------------------------------------------------- */

struct boot_module;
/* Builds domain 0 from the modules (ramdisk may be NULL) and lets it run, or ends the machine with the reason why not. */
void dom0_build(const struct boot_module *kernel, const struct boot_module *ramdisk);

/* Fills a page with the entry points by which guests make hypercalls. */
void hypercall_page_fill(void *page);

#endif
