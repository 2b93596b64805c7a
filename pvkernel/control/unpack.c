/* SPDX-License-Identifier: MIT */
/*
 * What is packed in a kernel file, unpacked by libraries; and the last ones kept, since whoever makes one domain of a
 * file makes more of it.
 *
 *	kept[0], kept[1]	the latest first; known by the place of the packed file, which never changes
 *
 * A file says how long its unpacked form is: more than that is never written, and a length for which there is no memory
 * is refused before anything else. Kept are at most two, and while a quarter of domain 0's memory stays free.
 */
#include <libdeflate.h>
#include <lz4.h>
#include <lzma.h>
#include <zstd.h>

#include "../../hypervisor/include/image.h"
#include "../include/boot.h"
#include "../include/lib.h"
#include "../include/mm.h"
#include "unpack.h"

#define KEPT 2
#define LEAVE_FREE (1024 * PAGE_SIZE)	/* for everyone else while a file is unpacked */
#define LENGTH_BYTES 4			/* behind a bzImage's payload; gzip has its own */
#define GZIP_LEAST 18			/* header and trailer */
#define LZ4_LEGACY_MAGIC 0x184c2102

static struct kept {
	const void *file;		/* NULL: unused */
	u8 *data;
	u64 length;
} kept[KEPT];

/* --- formats: out has `length` bytes, all of which must come; NULL, or what is wrong -------------------------- */

static const char *unpack_gzip(u8 *out, size_t length, const u8 *in, size_t size)
{
	struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
	enum libdeflate_result result;

	if (!d)
		return "no memory to unpack it";
	result = libdeflate_gzip_decompress(d, in, size, out, length, NULL);
	libdeflate_free_decompressor(d);
	return result == LIBDEFLATE_SUCCESS ? NULL : "its gzip stream is damaged";
}

static const char *unpack_xz(u8 *out, size_t length, const u8 *in, size_t size)
{
	u64 memory = pages_free() * PAGE_SIZE;
	size_t used = 0, made = 0;

	switch (lzma_stream_buffer_decode(&memory, 0, NULL, in, &used, size, out, &made, length)) {
	case LZMA_OK:
		return made == length ? NULL : "its xz stream is shorter than it says";
	case LZMA_MEM_ERROR:
	case LZMA_MEMLIMIT_ERROR:
		return "no memory for the dictionary of its xz stream";
	case LZMA_OPTIONS_ERROR:
		return "its xz stream uses a filter other than x86 and LZMA2";
	default:
		return "its xz stream is damaged";
	}
}

/* The legacy frame: a magic number, then blocks, each after its packed length. */
static const char *unpack_lz4(u8 *out, size_t length, const u8 *in, size_t size)
{
	size_t at = 0, made = 0;
	u32 n;

	while (size - at >= sizeof(n)) {
		int got;

		memcpy(&n, in + at, sizeof(n));
		at += sizeof(n);
		if (n == LZ4_LEGACY_MAGIC)
			continue;
		if (n > size - at || n > LZ4_MAX_INPUT_SIZE)
			return "its lz4 stream ends early";
		got = LZ4_decompress_safe((const char *)in + at, (char *)out + made, n,
					  MIN(length - made, LZ4_MAX_INPUT_SIZE));
		if (got < 0)
			return "its lz4 stream is damaged";
		at += n;
		made += got;
	}
	return made == length ? NULL : "its lz4 stream is shorter than it says";
}

static const char *unpack_zstd(u8 *out, size_t length, const u8 *in, size_t size)
{
	ZSTD_DCtx *context = ZSTD_createDCtx();
	size_t made;

	if (!context)
		return "no memory to unpack it";
	made = ZSTD_decompressDCtx(context, out, length, in, size);
	ZSTD_freeDCtx(context);
	if (ZSTD_isError(made))
		return "its zstd stream is damaged";
	return made == length ? NULL : "its zstd stream is shorter than it says";
}

static const struct format {
	const char *name;
	const char *(*unpack)(u8 *out, size_t length, const u8 *in, size_t size);
	u32 trailer;			/* bytes of the payload that are not the stream's */
} formats[] = {
	{ "gzip", unpack_gzip, 0 },
	{ "xz", unpack_xz, LENGTH_BYTES },
	{ "lz4", unpack_lz4, LENGTH_BYTES },
	{ "zstd", unpack_zstd, LENGTH_BYTES },
};

static const struct format *format_named(const char *name)
{
	for (size_t i = 0; name && i < ARRAY_SIZE(formats); i++)
		if (!strcmp(formats[i].name, name))
			return &formats[i];
	return NULL;
}

/* --- kept files ----------------------------------------------------------------------------------------------- */

static bool find_kept(const void *file)
{
	struct kept found;
	size_t i = 0;

	while (i < KEPT && kept[i].file != file)
		i++;
	if (i == KEPT)
		return false;
	found = kept[i];
	memmove(kept + 1, kept, i * sizeof(kept[0]));
	kept[0] = found;
	return true;
}

/* The oldest goes. False: there was none. */
static bool drop_kept(void)
{
	size_t i = KEPT;

	while (i > 0 && !kept[i - 1].file)
		i--;
	if (!i)
		return false;
	vfree(kept[i - 1].data);
	kept[i - 1] = (struct kept){ 0 };
	return true;
}

static void keep(const void *file, u8 *data, u64 length)
{
	if (kept[KEPT - 1].file)
		drop_kept();
	memmove(kept + 1, kept, (KEPT - 1) * sizeof(kept[0]));
	kept[0] = (struct kept){ file, data, length };
}

void kernel_unpack_trim(void)
{
	while (pages_free() < boot.nr_pages / 4 && drop_kept())
		;
}

/* --- the whole way -------------------------------------------------------------------------------------------- */

static u8 *room_for(u64 length)
{
	u8 *data = NULL;

	do {
		if (length + LEAVE_FREE <= pages_free() * PAGE_SIZE)
			data = vmalloc(length);
	} while (!data && drop_kept());
	return data;
}

static const char *unpack_payload(const void *file, const struct payload *p, const struct format *format)
{
	const char *error;
	u32 length;
	u8 *data;

	if (p->size < GZIP_LEAST)
		return "what is packed in it is too short";
	memcpy(&length, p->at + p->size - sizeof(length), sizeof(length));
	data = length ? room_for(length) : NULL;
	if (!data)
		return "there is no memory for the length that its unpacked form is said to have";
	error = format->unpack(data, length, p->at, p->size - format->trailer);
	if (error)
		vfree(data);
	else
		keep(file, data, length);
	return error;
}

const char *kernel_unpack(const void *file, u64 size, const u8 **elf, u64 *elf_size)
{
	const struct format *format;
	const char *error = NULL;
	struct payload p;

	image_identify(&p, file, size);
	format = format_named(p.format);
	if (p.protocol && !format)
		return "a Linux bzImage whose payload is not packed with gzip, xz, lz4 or zstd";
	if (!p.protocol && p.format && !p.gzip)
		return "packed, but neither with gzip nor as a Linux bzImage";
	*elf = file;
	*elf_size = size;
	if (format && !find_kept(file))
		error = unpack_payload(file, &p, format);
	if (format) {
		*elf = kept[0].data;
		*elf_size = kept[0].length;
	}
	return error;
}
