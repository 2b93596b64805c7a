/* SPDX-License-Identifier: MIT */
/*
 * The check image: the hypervisor from the same sources, with lock order checked (locks.c) and invariants recounted again and again
 * (frames.c, memory.c, grants.c, pirqs.c, queue.c, from points.c). A violation is a panic that names it.
 */
#ifndef PARAVANE_CHECK_H
#define PARAVANE_CHECK_H

#include <types.h>

void check_frames_begin(void);	/* has its memory from the first call on, during boot */
/* All with every other CPU in a guest, idle or waiting at a point where it holds nothing, and the scheduler's lock held. */
void check_frames(void);
void check_memory(void);
void check_grants(void);
void check_pirqs(void);
void check_queue(void);

#endif
