/* SPDX-License-Identifier: MIT */
/* Kernel files as they come, packed or not, to the ELF file inside. */
#ifndef CTL_UNPACK_H
#define CTL_UNPACK_H

#include "../include/types.h"

/*
 * The ELF file in a kernel file: the file itself if nothing is packed; what is in it, if it is gzip's; the payload of a
 * Linux bzImage, packed with gzip, xz, lz4 or zstd. NULL, or what is wrong with the file. The result stays valid until the
 * next call of either; the file must stay in place, unchanged, for ever.
 */
const char *kernel_unpack(const void *file, u64 size, const u8 **elf, u64 *elf_size);

/* Forgets unpacked kernels until a quarter of domain 0's memory is free. */
void kernel_unpack_trim(void);

#endif
