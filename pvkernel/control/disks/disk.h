/* SPDX-License-Identifier: MIT */
/* Disks by the words of a configuration, and what makes them. */
#ifndef CTL_DISK_H
#define CTL_DISK_H

#include "../../include/block.h"

/*
 * Opens what a configuration's target names; the caller puts the reference. `readonly` says that the caller will only read: who will
 * write does not get a disk that cannot be written.
 *
 *	ram:SIZE		a new RAM disk of SIZE bytes (K, M, G follow), zeroed, that ends with the last reference
 *	ram:NAME:SIZE		the RAM disk NAME, made when it does not exist, and kept
 *	vda, /dev/vda, vda1	a device or a partition by its name
 *	PARTLABEL=NAME		a GPT partition by its name
 *	overlay:TARGET		a copy-on-write view of TARGET, private, kept in memory, lost at close
 *	overlay:SIZE:TARGET	the same, whose own pages are SIZE bytes at most
 *	PATH			a file of domain 0's ramdisk, in place: what is written stays until domain 0 ends
 *
 * NULL: no such thing, and `error` says what was expected.
 */
struct block_device *disk_open(const char *target, bool readonly, char *error, size_t size);

/* Each gives the caller a reference. NULL: no memory, the name is taken, or too small. */
struct block_device *disk_ram(const char *name, u64 bytes);	/* NULL: a private one, not registered, that ends with this reference */
struct block_device *disk_file(const char *path);	/* of the ramdisk; the same device for the same file */
struct block_device *disk_overlay(struct block_device *base, u64 limit);	/* private; holds the base; limit: bytes of its own, ~0: any */

/* A RAM disk of at least its size gets this one, also while it is used. -EOPNOTSUPP: no RAM disk; -EINVAL: it would shrink; -ENOMEM. */
int disk_grow(struct block_device *d, u64 bytes);

#endif
