/* SPDX-License-Identifier: MIT */
/*
 * `disk-test`: random reads, writes, discards and flushes of a disk, against a model in memory.
 *
 * The disk is cut into zones, one for each thread, which alone uses it. What a thread does, operation after operation from number 1, follows from the
 * seed and its number alone, and a sector that operation n wrote says so: so after the machine was cut off a program on the host,
 * tests/system/integrity, which makes the same numbers, knows of each sector what it has to hold. For that each thread says
 *
 *	disk-test: xvda 3 flushed 1234		what operations 1 to 1234 of thread 3 wrote is on the medium
 *
 * A sector, in words of 8 bytes, little-endian: MAGIC, its number on the disk, the operation, the thread, the seed, and 59 of mixed(all of these)
 * + i * STEP. A sector that was discarded reads as zeros, or as what a write before left there: the model knows, too.
 */
#include <abi/errno.h>

#include "../include/block.h"
#include "../include/lib.h"
#include "../include/mm.h"
#include "../include/ops.h"
#include "../include/sched.h"
#include "../include/shell.h"
#include "../include/time.h"

#define MAGIC 0x7365742d6b736964ul
#define STEP 0x9e3779b97f4a7c15ul
#define WORDS (SECTOR_SIZE / sizeof(u64))
#define LONGEST 512u			/* sectors */
#define THREADS 16u
#define MOST_SECTORS (4ul << 20)	/* of the disk that are used: the model has 4 bytes for each */
#define DISCARDED 0x80000000u		/* in the model: since its last write, which is below */

struct tester {
	struct block_device *d;
	struct thread *thread;
	u64 seed, number, state;
	u64 first, sectors;	/* the zone */
	u64 bytes, limit;	/* moved, and to be moved */
	u64 operation, wrong;
	u32 *model;		/* by sector of the zone: the operation that wrote it */
	char *buf;		/* LONGEST sectors, and a page for odd alignments */
	int err;
};

static u64 mixed(u64 x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static u64 next(struct tester *t)
{
	t->state += STEP;
	return mixed(t->state);
}

/* --- sectors ----------------------------------------------------------------------------------------------------- */

static u64 base_of(const struct tester *t, u64 sector, u64 operation)
{
	return mixed(t->seed ^ mixed(sector ^ mixed(operation << 8 ^ t->number)));
}

static void fill(const struct tester *t, u64 *words, u64 sector, u64 operation)
{
	u64 base = base_of(t, sector, operation);

	words[0] = MAGIC;
	words[1] = sector;
	words[2] = operation;
	words[3] = t->number;
	words[4] = t->seed;
	for (u64 i = 5; i < WORDS; i++)
		words[i] = base + i * STEP;
}

static bool holds(const struct tester *t, const u64 *words, u64 sector, u64 operation)
{
	u64 expected[WORDS];

	fill(t, expected, sector, operation);
	return !memcmp(words, expected, SECTOR_SIZE);
}

static bool is_zero(const u64 *words)
{
	u64 any = 0;

	for (u64 i = 0; i < WORDS; i++)
		any |= words[i];
	return !any;
}

/* Never written: whatever was there. Discarded: zeros, or an older write's. */
static bool right(const struct tester *t, const u64 *words, u64 at)
{
	u32 last = t->model[at] & ~DISCARDED;
	u64 sector = t->first + at;

	if (!last)
		return true;
	if (!(t->model[at] & DISCARDED))
		return holds(t, words, sector, last);
	return is_zero(words) || (words[2] <= last && holds(t, words, sector, words[2]));
}

static void check(struct tester *t, const char *buf, u64 at, u64 count)
{
	for (u64 i = 0; i < count; i++) {
		const u64 *words = (const u64 *)(buf + i * SECTOR_SIZE);

		if (right(t, words, at + i))
			continue;
		if (!t->wrong++)
			printf("disk-test: %s: WRONG: sector %lu holds %lx of sector %lu, operation %lu of thread %lu; should be operation %u%s of %lu, at %lu\n",
			       t->d->name, t->first + at + i, words[0], words[1], words[2], words[3], t->model[at + i] & ~DISCARDED,
			       t->model[at + i] & DISCARDED ? ", discarded," : "", t->number, t->operation);
	}
}

/* --- operations ---------------------------------------------------------------------------------------------------- */

static int do_write(struct tester *t, char *buf, u64 at, u64 count)
{
	for (u64 i = 0; i < count; i++) {
		fill(t, (u64 *)(buf + i * SECTOR_SIZE), t->first + at + i, t->operation);
		t->model[at + i] = t->operation;
	}
	t->bytes += count * SECTOR_SIZE;
	return block_io(t->d, BLOCK_WRITE, t->first + at, buf, count * SECTOR_SIZE);
}

static int do_read(struct tester *t, char *buf, u64 at, u64 count)
{
	int err = block_io(t->d, BLOCK_READ, t->first + at, buf, count * SECTOR_SIZE);

	t->bytes += count * SECTOR_SIZE;
	if (!err)
		check(t, buf, at, count);
	return err;
}

static int do_discard(struct tester *t, u64 at, u64 count)
{
	if (!t->d->can_discard)
		return 0;
	for (u64 i = 0; i < count; i++)
		t->model[at + i] |= DISCARDED;
	return block_io(t->d, BLOCK_DISCARD, t->first + at, NULL, count * SECTOR_SIZE);
}

static int do_flush(struct tester *t)
{
	int err = block_flush(t->d);

	if (!err)
		printf("disk-test: %s %lu flushed %lu\n", t->d->name, t->number, t->operation);
	return err;
}

/* The host's program makes the same choice of the same four numbers. */
static int one(struct tester *t)
{
	u64 kind = next(t) % 100, size = next(t), place = next(t), align = next(t);
	u64 longest = kind % 10 < 6 ? 8 : kind % 10 < 9 ? 64 : LONGEST, count = 1 + size % MIN(longest, t->sectors);
	u64 at = place % (t->sectors - count + 1);
	char *buf = t->buf + (align % 4 ? 0 : align / 4 % (PAGE_SIZE / 8) * 8);

	t->operation++;
	if (kind < 50)
		return do_write(t, buf, at, count);
	if (kind < 88)
		return do_read(t, buf, at, count);
	if (kind < 96)
		return do_discard(t, at, count);
	return do_flush(t);
}

static int check_all(struct tester *t)
{
	int err = 0;

	for (u64 at = 0; !err && at < t->sectors; at += LONGEST)
		err = do_read(t, t->buf, at, MIN(LONGEST, t->sectors - at));
	return err;
}

static void run(void *arg)
{
	struct tester *t = arg;

	while (!t->err && !t->wrong && t->bytes < t->limit)
		t->err = one(t);
	if (!t->err && !t->wrong)
		t->err = do_flush(t);
	if (!t->err && !t->wrong)
		t->err = check_all(t);
	if (t->err)
		printf("disk-test: %s %lu: error %d in operation %lu\n", t->d->name, t->number, -t->err, t->operation);
}

/* --- all threads ----------------------------------------------------------------------------------------------------- */

static bool prepare(struct tester *t)
{
	t->state = mixed(t->seed ^ mixed(t->number + 1));
	t->model = vmalloc(t->sectors * sizeof(*t->model));
	t->buf = vmalloc(LONGEST * SECTOR_SIZE + PAGE_SIZE);
	if (!t->model || !t->buf)
		return false;
	memset(t->model, 0, t->sectors * sizeof(*t->model));
	return true;
}

static void forget(struct tester *t)
{
	if (t->model)
		vfree(t->model);
	if (t->buf)
		vfree(t->buf);
}

static int run_all(struct tester *testers, u64 threads)
{
	u64 operations = 0, bytes = 0, wrong = 0, start = now();
	const char *name = testers->d->name;
	int err = 0;

	for (u64 i = 0; i < threads; i++) {
		testers[i].thread = thread_create("disk-test", run, &testers[i]);
		if (!testers[i].thread)
			testers[i].err = -ENOMEM;
	}
	for (u64 i = 0; i < threads; i++) {
		if (testers[i].thread)
			thread_join(testers[i].thread);
		operations += testers[i].operation;
		bytes += testers[i].bytes;
		wrong += testers[i].wrong;
		err = err ? err : testers[i].err;
	}
	printf("disk-test: %s: %lu operations, %lu MiB in %lu ms, %lu wrong, error %d\n", name, operations, bytes >> 20,
	       (now() - start) / NSEC_PER_MSEC, wrong, -err);
	return err || wrong;
}

static int test(struct block_device *d, u64 mib, u64 seed, u64 threads)
{
	u64 sectors = MIN(d->sectors, MOST_SECTORS) / threads & ~7ul;
	struct tester *testers = kmalloc(threads * sizeof(*testers));
	bool ready = testers && sectors;
	int err;

	for (u64 i = 0; ready && i < threads; i++) {
		testers[i] = (struct tester){ .d = d, .seed = seed, .number = i, .first = i * sectors, .sectors = sectors,
					      .limit = (mib << 20) / threads };
		ready = prepare(&testers[i]);
	}
	printf("disk-test: %s seed %lu threads %lu zone %lu discard %u\n", d->name, seed, threads, sectors, d->can_discard);
	err = ready ? run_all(testers, threads) : 1;
	if (!ready)
		printf("disk-test: %s: too small, or no memory\n", d->name);
	for (u64 i = 0; testers && i < threads; i++)
		forget(&testers[i]);
	kfree(testers);
	return err;
}

static bool number(int argc, char **argv, int i, u64 otherwise, u64 *value)
{
	*value = otherwise;
	return argc <= i || parse_u64(argv[i], value);
}

static int cmd_disk_test(int argc, char **argv)
{
	struct block_device *d;
	u64 mib, seed, threads;
	int err;

	if (argc < 3 || !number(argc, argv, 2, 0, &mib) || !number(argc, argv, 3, 1, &seed) || !number(argc, argv, 4, 4, &threads) ||
	    !threads || threads > THREADS) {
		printf("usage: disk-test DISK MIB [SEED [THREADS]]\n");
		return 1;
	}
	d = block_get(argv[1]);
	if (!d) {
		printf("disk-test: %s: no such disk\n", argv[1]);
		return 1;
	}
	err = test(d, mib, seed, threads);
	block_put(d);
	return err;
}
COMMAND_AS(disk_test, "disk-test", cmd_disk_test, "DISK MIB [SEED [THREADS]]: writes over the disk and checks it against a model");
