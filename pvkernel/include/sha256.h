/* SPDX-License-Identifier: MIT */
/* SHA-256, liblzma's. */
#ifndef PVK_SHA256_H
#define PVK_SHA256_H

#include <stddef.h>
#include <stdint.h>

struct sha256 {
	uint64_t state[13];
};

void sha256_init(struct sha256 *s);
void sha256_update(struct sha256 *s, const void *bytes, size_t size);
void sha256_finish(struct sha256 *s, uint8_t digest[32]);

#endif
