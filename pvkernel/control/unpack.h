/* SPDX-License-Identifier: MIT */
/* Kernel files as they come, packed or not, to the ELF file inside. */
#ifndef CTL_UNPACK_H
#define CTL_UNPACK_H

#include "../include/types.h"

/*
 * The ELF file in a kernel file: the file itself, or what is packed in it, or in a Linux bzImage. NULL, or what is wrong
 * with the file. The result stays valid until the next call; the file must stay in place, unchanged, for ever.
 */
const char *kernel_unpack(const void *file, u64 size, const u8 **elf, u64 *elf_size);

#endif
