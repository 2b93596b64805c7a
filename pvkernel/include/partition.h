/* SPDX-License-Identifier: MIT */
/* Partitions of block devices, as devices of their own. */
#ifndef PVK_PARTITION_H
#define PVK_PARTITION_H

#include "block.h"

/*
 * Finds the partitions of a registered device, and registers each as NAME1, NAME2, ... (NAMEp1 after a digit); then d->scanned. Once for a
 * device, by a thread: it reads, and a disk that is a guest's may take long to answer.
 */
void partitions_scan(struct block_device *d);
void partitions_unregister(struct block_device *d);	/* behind block_unregister(d), also while a scan runs */
struct block_device *partition_by_label(const char *label);	/* referenced; NULL: none, or several */

#endif
