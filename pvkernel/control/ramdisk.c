/* SPDX-License-Identifier: MIT */
/*
 * The ramdisk's table of contents: files[0..count), in the archive's order, pointing into the module that the loader
 * left. Its frames belong to nobody else (boot.c), so names and data stay where they are for ever.
 */
#include <abi/xen.h>

#include "../include/boot.h"
#include "../include/console.h"
#include "../include/lib.h"
#include "../include/mm.h"
#include "../include/shell.h"
#include "cpio.h"
#include "ramdisk.h"

static struct ramdisk_file *files;
static u64 count;

/* By the direct map: a loader may hand over the module unmapped. */
static const void *module_data(const struct start_info *si)
{
	return pfn_to_virt(si->flags & SIF_MOD_START_PFN ? si->mod_start : virt_to_pfn((void *)si->mod_start));
}

static u64 count_files(struct cpio c)
{
	struct ramdisk_file f;
	u64 n = 0;

	while (cpio_next(&c, &f))
		n++;
	return n;
}

void ramdisk_init(void)
{
	const struct start_info *si = boot.start_info;
	struct ramdisk_file f;
	struct cpio c;
	u64 n;

	if (!si || !si->mod_start || !si->mod_len)
		return;
	cpio_open(&c, module_data(si), si->mod_len);
	n = count_files(c);
	files = kmalloc(n * sizeof(*files));
	if (!files) {
		printf("ramdisk: no memory for a table of %lu files\n", n);
		return;
	}
	while (cpio_next(&c, &f) && count < n)
		files[count++] = f;
	printf("ramdisk: %lu files, %lu KiB\n", count, si->mod_len / 1024);
	if (c.error)
		printf("ramdisk: damaged at byte %lu of %lu: expected %s\n", (u64)(c.at - c.start), (u64)si->mod_len, c.error);
}

const struct ramdisk_file *ramdisk_find(const char *path)
{
	while (*path == '/')
		path++;
	for (u64 i = 0; i < count; i++) {
		if (!strcmp(files[i].name, path))
			return &files[i];
	}
	return NULL;
}

const struct ramdisk_file *ramdisk_next(const struct ramdisk_file *f)
{
	const struct ramdisk_file *next = f ? f + 1 : files;

	return next < files + count ? next : NULL;
}

/* A file is listed if its path begins with one of the words. */
static int cmd_ls(int argc, char **argv)
{
	bool any = argc < 2;

	for (const struct ramdisk_file *f = ramdisk_next(NULL); f; f = ramdisk_next(f)) {
		bool wanted = argc < 2;

		for (int i = 1; i < argc; i++)
			wanted |= !strncmp(f->name, argv[i], strlen(argv[i]));
		if (wanted)
			printf("%10lu %s\n", f->size, f->name);
		any |= wanted;
	}
	if (!any)
		printf("ls: no such file in the ramdisk\n");
	return !any;
}
COMMAND(ls, cmd_ls, "[PATH...]: the ramdisk's files, or those whose paths begin so");

static int cmd_cat(int argc, char **argv)
{
	if (argc < 2) {
		printf("usage: cat FILE...\n");
		return 1;
	}
	for (int i = 1; i < argc; i++) {
		const struct ramdisk_file *f = ramdisk_find(argv[i]);

		if (!f) {
			printf("cat: %s: no such file in the ramdisk\n", argv[i]);
			return 1;
		}
		console_write(f->data, f->size);
	}
	return 0;
}
COMMAND(cat, cmd_cat, "FILE...: prints files of the ramdisk");
