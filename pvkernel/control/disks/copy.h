/* SPDX-License-Identifier: MIT */
/* Moving bytes between a request's pieces and memory of ours, and requests that end with the last of several parts. */
#ifndef CTL_DISK_COPY_H
#define CTL_DISK_COPY_H

#include <abi/grant_table.h>

#include "../../include/block.h"

#define COPY_BATCH 64u

/* A request in parts: opened with one, closed once for each. The first error is the request's; the last close ends it. */
void parts_open(struct block_request *r);
void parts_add(struct block_request *r);
void parts_close(struct block_request *r, int err);

/* Copies that wait to be made: each is a part of its request. Guarded by its owner's lock. */
struct copy_batch {
	struct gnttab_copy ops[COPY_BATCH];
	struct block_request *requests[COPY_BATCH];
	u32 count;
};

/*
 * `length` bytes between offset `at` of the piece and `ours`, memory that the direct map reaches: into it if the request writes. A
 * piece of our own is copied at once; a granted one by the hypervisor, straight, when the batch is full or run.
 */
void copy_piece(struct copy_batch *b, struct block_request *r, const struct block_piece *p, u32 at, void *ours, u32 length);
void copy_run(struct copy_batch *b);

#endif
