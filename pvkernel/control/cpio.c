/* SPDX-License-Identifier: MIT */
/*
 * A cpio archive is members one after the other:
 *
 *	magic 6 | 13 numbers of 8 hexadecimal digits | name with NUL | pad to 4 | data | pad to 4
 *	          ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
 *
 * the last one named TRAILER!!!. Invariant: start <= at <= end, and everything before `at` was well formed. Names
 * and data of the files handed out lie within the archive; a name has its NUL there.
 */
#include "../include/lib.h"
#include "cpio.h"

#define MAGIC_SIZE 6
#define HEADER_SIZE 110
#define TRAILER "TRAILER!!!"
#define MODE_TYPE 0170000
#define MODE_REGULAR 0100000

enum { FIELD_MODE = 1, FIELD_FILESIZE = 6, FIELD_NAMESIZE = 11 };

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool field(const char *header, unsigned int n, u64 *value)
{
	const char *digit = header + MAGIC_SIZE + 8 * n;

	*value = 0;
	for (int i = 0; i < 8; i++) {
		if (hex_digit(digit[i]) < 0)
			return false;
		*value = *value * 16 + hex_digit(digit[i]);
	}
	return true;
}

static u64 room(const struct cpio *c)
{
	return c->end - c->at;
}

static bool damaged(struct cpio *c, const char *expected)
{
	c->error = expected;
	return false;
}

/* Padding is to a multiple of 4 from the archive's start; the last member's may be missing. */
static void advance(struct cpio *c, u64 bytes)
{
	u64 offset = c->at - c->start + bytes;

	c->at += bytes;
	c->at += MIN(-offset & 3, room(c));
}

static const char *without_root(const char *name)
{
	for (;;) {
		if (*name == '/')
			name++;
		else if (name[0] == '.' && name[1] == '/')
			name += 2;
		else
			return name;
	}
}

/* One member of any kind. */
static bool member(struct cpio *c, struct ramdisk_file *f, u64 *mode)
{
	u64 size, name_size;
	const char *name;

	if (room(c) < HEADER_SIZE || (memcmp(c->at, "070701", MAGIC_SIZE) && memcmp(c->at, "070702", MAGIC_SIZE)))
		return damaged(c, "a member's header");
	if (!field(c->at, FIELD_MODE, mode) || !field(c->at, FIELD_FILESIZE, &size) ||
	    !field(c->at, FIELD_NAMESIZE, &name_size))
		return damaged(c, "hexadecimal digits in a member's header");
	name = c->at + HEADER_SIZE;
	if (!name_size || name_size > room(c) - HEADER_SIZE || name[name_size - 1])
		return damaged(c, "a member's name, ended by a NUL");
	if (!strcmp(name, TRAILER))
		return false;
	advance(c, HEADER_SIZE + name_size);
	if (size > room(c))
		return damaged(c, "as many bytes of data as the member's header says");
	*f = (struct ramdisk_file){ .name = without_root(name), .data = c->at, .size = size };
	advance(c, size);
	return true;
}

bool cpio_next(struct cpio *c, struct ramdisk_file *f)
{
	u64 mode;

	while (!c->error && room(c) && member(c, f, &mode)) {
		if ((mode & MODE_TYPE) == MODE_REGULAR && *f->name)
			return true;
	}
	return false;
}
