/* SPDX-License-Identifier: MIT */
/* Borders of the image that the linker script sets; all are page aligned but the tables'. */
#ifndef PARAVANE_SECTIONS_H
#define PARAVANE_SECTIONS_H

#include <layout.h>
#include <types.h>

#define LOAD_ADDRESS 0x100000ul

extern char image_text_start[], image_text_end[], image_rodata_end[], image_kept_end[], image_end[];
extern char boot_guard[];
extern const s32 smap_sites_start[], smap_sites_end[];

#endif
