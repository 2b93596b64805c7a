/* SPDX-License-Identifier: MIT */
/* sha256.h by the source package that also unpacks kernels. */
#include <string.h>

#include <check.h>

#include "sha256.h"

_Static_assert(sizeof(struct sha256) >= sizeof(lzma_check_state), "room for its state");

void sha256_init(struct sha256 *s)
{
	lzma_sha256_init((lzma_check_state *)s);
}

void sha256_update(struct sha256 *s, const void *bytes, size_t size)
{
	lzma_sha256_update(bytes, size, (lzma_check_state *)s);
}

void sha256_finish(struct sha256 *s, uint8_t digest[32])
{
	lzma_check_state *state = (lzma_check_state *)s;

	lzma_sha256_finish(state);
	memcpy(digest, state->buffer.u8, 32);
}
