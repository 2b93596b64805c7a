/* SPDX-License-Identifier: MIT */
/* `disk-load`: a number of reads of one size that are always under way, for some seconds; how many were done and how long one took. */
#include <abi/errno.h>

#include "../include/block.h"
#include "../include/lib.h"
#include "../include/mm.h"
#include "../include/sched.h"
#include "../include/shell.h"
#include "../include/time.h"

#define MOST 32u		/* requests under way */

struct load {
	struct block_device *d;
	u64 size, end;
	u64 slots, next;	/* places of that size on the disk, one after the other */
	u64 requests, wait;	/* ended, and how long all of them took together, ns */
	int err;
};

/* One request under way. */
static void read_on(void *arg)
{
	struct load *l = arg;
	void *buf = kmalloc(l->size);
	int err = buf ? 0 : -ENOMEM;

	while (!err && !l->err && now() < l->end) {
		u64 start = now(), slot = l->next++ % l->slots;

		err = block_io(l->d, BLOCK_READ, slot * (l->size >> SECTOR_SHIFT), buf, l->size);
		l->wait += now() - start;
		l->requests++;
	}
	l->err = l->err ? l->err : err;
	kfree(buf);
}

static int run(struct load *l, u64 count)
{
	struct thread *threads[MOST];
	u64 start = now();

	for (u64 i = 0; i < count; i++) {
		threads[i] = thread_create("disk-load", read_on, l);
		if (!threads[i])
			l->err = -ENOMEM;
	}
	for (u64 i = 0; i < count; i++) {
		if (threads[i])
			thread_join(threads[i]);
	}
	printf("disk-load: %s: %lu of %lu bytes: %lu ended, %lu KiB/s, %lu us each, error %d\n", l->d->name, count, l->size, l->requests,
	       l->requests * l->size / 1024 * 1000 / MAX((now() - start) / NSEC_PER_MSEC, 1ul), l->wait / MAX(l->requests, 1ul) / 1000, -l->err);
	return l->err != 0;
}

static int cmd_disk_load(int argc, char **argv)
{
	struct load l = { 0 };
	u64 count, seconds;
	int err = 1;

	if (argc != 5 || !parse_u64(argv[2], &l.size) || !parse_u64(argv[3], &count) || !parse_u64(argv[4], &seconds) ||
	    !l.size || l.size % SECTOR_SIZE || !count || count > MOST || seconds > 3600) {
		printf("usage: disk-load DEVICE BYTES REQUESTS SECONDS\n");
		return 1;
	}
	l.d = block_get(argv[1]);
	if (!l.d) {
		printf("disk-load: no block device %s\n", argv[1]);
		return 1;
	}
	l.slots = (l.d->sectors << SECTOR_SHIFT) / l.size;
	l.end = now() + seconds * NSEC_PER_SEC;
	if (l.slots)
		err = run(&l, count);
	else
		printf("disk-load: %lu bytes are too much\n", l.size);
	block_put(l.d);
	return err;
}
COMMAND_AS(disk_load, "disk-load", cmd_disk_load, "DEVICE BYTES REQUESTS SECONDS: so many reads always under way; what became of them");
