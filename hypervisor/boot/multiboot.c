/* SPDX-License-Identifier: MIT */
/*
 * What the multiboot loader says: command line, modules, memory map. All of it lies in memory that
 * will be given away, so it is copied here, and nothing of the loader's is read later.
 * Layouts: Multiboot Specification 0.6.96, section 3.3.
 */
#include <boot.h>
#include <console.h>
#include <frames.h>
#include <string.h>

#define LOADER_MAGIC 0x2badb002

enum {
	HAS_CMDLINE = 1 << 2, HAS_MODULES = 1 << 3, HAS_MAP = 1 << 6, HAS_LOADER_NAME = 1 << 9,
};

struct multiboot_info {
	u32 flags, lower_kib, upper_kib, boot_device, cmdline, module_count, modules, symbols[4];
	u32 map_length, map, drives_length, drives, config_table, loader_name;
};

struct multiboot_module {
	u32 start, end, string, reserved;
};

struct multiboot_region {
	u32 size;		/* of the rest */
	u64 start, length;
	u32 type;
} __attribute__((packed));

struct boot_module boot_modules[MAX_BOOT_MODULES];
int boot_module_count;
char boot_cmdline[MAX_CMDLINE];
static char module_cmdline[MAX_BOOT_MODULES][MAX_CMDLINE];

struct memory_region machine_map[MAX_MEMORY_REGIONS];
int machine_map_count;

/* GRUB 2 leaves the file's name out of a command line; GRUB 0.97, QEMU and others put it first. */
static bool names_files(const struct multiboot_info *info)
{
	const char *name = info->flags & HAS_LOADER_NAME ? maddr_to_virt(info->loader_name) : "";

	return strncmp(name, "GRUB ", 5) || name[5] == '0';
}

static void copy_cmdline(char *to, const char *from, bool skip_name)
{
	while (*from == ' ')
		from++;
	if (skip_name) {
		while (*from && *from != ' ')
			from++;
		while (*from == ' ')
			from++;
	}
	strlcpy(to, from, MAX_CMDLINE);
}

static void copy_modules(const struct multiboot_info *info, bool skip_name)
{
	const struct multiboot_module *m = maddr_to_virt(info->modules);

	for (u32 i = 0; i < info->module_count && boot_module_count < MAX_BOOT_MODULES; i++) {
		char *cmdline = module_cmdline[boot_module_count];

		if (m[i].end <= m[i].start || m[i].start % PAGE_SIZE)
			panic("module %u is empty or not page aligned: 0x%x to 0x%x", i, m[i].start, m[i].end);
		copy_cmdline(cmdline, m[i].string ? maddr_to_virt(m[i].string) : "", skip_name);
		boot_modules[boot_module_count++] = (struct boot_module){ m[i].start, m[i].end, cmdline };
	}
}

static void copy_map(const struct multiboot_info *info)
{
	u32 at = 0;

	while (at + sizeof(struct multiboot_region) <= info->map_length) {
		const struct multiboot_region *r = maddr_to_virt(info->map + at);

		if (r->length && machine_map_count < MAX_MEMORY_REGIONS)
			machine_map[machine_map_count++] = (struct memory_region){ r->start, r->length, r->type };
		at += r->size + sizeof(r->size);
	}
}

void multiboot_parse(u32 magic, maddr_t address)
{
	const struct multiboot_info *info = maddr_to_virt(address);

	if (magic != LOADER_MAGIC)
		panic("not booted by multiboot: the loader says 0x%x", magic);
	if (info->flags & HAS_CMDLINE)
		copy_cmdline(boot_cmdline, maddr_to_virt(info->cmdline), names_files(info));
	if (info->flags & HAS_MODULES)
		copy_modules(info, names_files(info));
	if (info->flags & HAS_MAP)
		copy_map(info);
}

void boot_module_release(int index)
{
	struct boot_module *m = &boot_modules[index];

	alloc_init_range(m->start >> PAGE_SHIFT, ROUND_UP(m->end, PAGE_SIZE) >> PAGE_SHIFT);
	m->end = m->start;
}
