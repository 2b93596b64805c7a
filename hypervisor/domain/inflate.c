/* SPDX-License-Identifier: MIT */
/*
 * gzip, by libdeflate. Its working memory is one block of known size, taken and given back here;
 * output never exceeds the length that the stream itself declares and the caller has allotted.
 */
#include <frames.h>
#include <image.h>
#include <libdeflate.h>
#include <string.h>

#define WORK_ORDER 3
#define GZIP_LEAST 18	/* header and trailer */

static void *take_work(size_t size)
{
	return size <= PAGE_SIZE << WORK_ORDER ? alloc_pages(WORK_ORDER) : NULL;
}

static void return_work(void *work)
{
	free_pages(work, WORK_ORDER);
}

u64 gzip_length(const u8 *stream, size_t size)
{
	u32 length;

	if (size < GZIP_LEAST)
		return 0;
	memcpy(&length, stream + size - sizeof(length), sizeof(length));
	return length;
}

const char *gzip_inflate(void *to, size_t length, const u8 *stream, size_t size)
{
	struct libdeflate_decompressor *d;
	enum libdeflate_result result;

	libdeflate_set_memory_allocator(take_work, return_work);
	d = libdeflate_alloc_decompressor();
	if (!d)
		return "no memory to inflate it";
	result = libdeflate_gzip_decompress(d, stream, size, to, length, NULL);
	libdeflate_free_decompressor(d);
	switch (result) {
	case LIBDEFLATE_SUCCESS:
		return NULL;
	case LIBDEFLATE_SHORT_OUTPUT:
		return "it inflates to less than it says";
	case LIBDEFLATE_INSUFFICIENT_SPACE:
		return "it inflates to more than it says";
	default:
		return "the gzip stream or its checksum is wrong";
	}
}
