/* SPDX-License-Identifier: MIT */
/* Targets of a configuration's disks: the words are those of disk.h, tried in this order. */
#include "../../include/cmdline.h"
#include "../../include/lib.h"
#include "../../include/partition.h"
#include "../../include/shell.h"
#include "../ramdisk.h"
#include "disk.h"

#define MAX_RAM_DISK (1ul << 40)

static bool prefix(const char **text, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(*text, word, len))
		return false;
	*text += len;
	return true;
}

/* Bytes: a number with K, M, G or nothing behind it. */
static bool parse_size(const char *text, u64 *bytes)
{
	static const char units[] = "KMG";
	char number[24];
	size_t len = strlen(text);
	const char *unit = len ? strchr(units, text[len - 1] & ~0x20) : NULL;
	unsigned int shift = unit && *unit ? 10 * (unit - units + 1) : 0;

	if (len >= sizeof(number))
		return false;
	snprintf(number, sizeof(number), "%.*s", (int)(shift ? len - 1 : len), text);
	if (!parse_u64(number, bytes) || *bytes > MAX_RAM_DISK >> shift)
		return false;
	*bytes <<= shift;
	return *bytes >= SECTOR_SIZE;
}

/* It lives as long as somebody has it open. */
static struct block_device *open_private_ram(u64 bytes, char *error, size_t size)
{
	struct block_device *d = disk_ram(NULL, bytes);

	if (!d)
		snprintf(error, size, "no memory for a RAM disk of %lu bytes", bytes);
	return d;
}

static struct block_device *open_named_ram(const char *name, size_t len, u64 bytes, char *error, size_t size)
{
	char full[32];
	struct block_device *d;

	if (snprintf(full, sizeof(full), "%.*s", (int)len, name) >= (int)sizeof(full)) {
		snprintf(error, size, "the name of RAM disk %s is too long", name);
		return NULL;
	}
	d = block_get(full);
	if (!d)
		d = disk_ram(full, bytes);
	if (!d)
		snprintf(error, size, "no memory for RAM disk %s", full);
	return d;
}

static struct block_device *open_ram(const char *what, char *error, size_t size)
{
	const char *colon = strchr(what, ':');
	u64 bytes;

	if (!parse_size(colon ? colon + 1 : what, &bytes)) {
		snprintf(error, size, "ram:%s: expected a size such as 64M behind ram: or ram:NAME:", what);
		return NULL;
	}
	return colon ? open_named_ram(what, colon - what, bytes, error, size) : open_private_ram(bytes, error, size);
}

/* SIZE: before a target; what is none is the target's own beginning. */
static u64 take_limit(const char **target)
{
	const char *colon = strchr(*target, ':');
	char text[24];
	u64 limit;

	if (!colon || snprintf(text, sizeof(text), "%.*s", (int)(colon - *target), *target) >= (int)sizeof(text) || !parse_size(text, &limit))
		return ~0ul;
	*target = colon + 1;
	return limit;
}

static struct block_device *open_overlay(const char *target, char *error, size_t size)
{
	u64 limit = take_limit(&target);
	struct block_device *base = disk_open(target, true, error, size), *d;

	if (!base)
		return NULL;
	d = disk_overlay(base, limit);
	block_put(base);
	if (!d)
		snprintf(error, size, "no memory for an overlay of %s", target);
	return d;
}

static struct block_device *open_label(const char *label, char *error, size_t size)
{
	struct block_device *d = partition_by_label(label);

	if (!d)
		snprintf(error, size, "PARTLABEL=%s: expected the name of exactly one partition", label);
	return d;
}

static struct block_device *open_file(const char *path, char *error, size_t size)
{
	struct block_device *d = disk_file(path);

	if (!d && ramdisk_find(path))
		snprintf(error, size, "%s: expected a file of a sector at least, and memory for it", path);
	else if (!d)
		snprintf(error, size, "%s: neither a block device nor a file of the ramdisk", path);
	return d;
}

static struct block_device *open_any(const char *target, char *error, size_t size)
{
	struct block_device *d;
	const char *name = target;

	if (prefix(&target, "ram:"))
		return open_ram(target, error, size);
	if (prefix(&target, "overlay:"))
		return open_overlay(target, error, size);
	if (prefix(&target, "PARTLABEL="))
		return open_label(target, error, size);
	prefix(&name, "/dev/");
	d = block_get(name);
	return d ? d : open_file(target, error, size);
}

struct block_device *disk_open(const char *target, bool readonly, char *error, size_t size)
{
	struct block_device *d = open_any(target, error, size);

	if (d && d->readonly && !readonly) {
		snprintf(error, size, "%s can only be read: expected ro", target);
		block_put(d);
		return NULL;
	}
	return d;
}

/* What a domain's configuration would do. */
static int cmd_disk_open(int argc, char **argv)
{
	char error[128];
	struct block_device *d;

	if (argc != 2) {
		printf("usage: disk-open TARGET\n");
		return 1;
	}
	d = disk_open(argv[1], true, error, sizeof(error));
	if (!d) {
		printf("disk-open: %s\n", error);
		return 1;
	}
	printf("%s is %s, %lu sectors\n", argv[1], d->name, d->sectors);
	block_put(d);
	return 0;
}
COMMAND_AS(disk_open, "disk-open", cmd_disk_open, "TARGET: opens a disk as a domain's configuration does, and says what it is");
