/* SPDX-License-Identifier: MIT */
/*
 * A block device from inside a Linux, by direct I/O, so that no cache of the guest's is between it and the backend.
 *
 *	linux_block fill DEV SEED	each sector gets its number and the seed, in requests of all sizes up to 1 MiB
 *	linux_block verify DEV SEED	and has them still, read in other sizes
 *	linux_block zero DEV FIRST N	so many sectors from FIRST on are zero
 *	linux_block jobs DEV N SECONDS	N threads write and read back parts of their own at random, with flushes
 *	linux_block cost DEV read|write SIZE COUNT	the time that one request takes, one at a time
 *
 * Prints one line, which begins with the word; status 0 if all was right.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/fs.h>
#include <time.h>
#include <unistd.h>

#define SECTOR 512u
#define MOST (1u << 20)

static const char *device;
static uint64_t sectors;

static int open_device(int flags)
{
	int fd = open(device, flags | O_DIRECT);
	uint64_t bytes = 0;

	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &bytes)) {
		printf("%s: %s\n", device, strerror(errno));
		exit(1);
	}
	sectors = bytes / SECTOR;
	return fd;
}

static uint64_t *new_buffer(void)
{
	void *p = NULL;

	if (posix_memalign(&p, 4096, MOST))
		exit(1);
	return p;
}

static void stamp(uint64_t *p, uint64_t first, uint64_t n, uint64_t seed)
{
	for (uint64_t s = 0; s < n; s++)
		for (uint32_t i = 0; i < SECTOR / 8; i++)
			p[s * SECTOR / 8 + i] = (first + s) * 0x9e3779b97f4a7c15 + seed * 64 + i;
}

/* The first sector that is not as stamped; n: all are. */
static uint64_t differing(const uint64_t *p, uint64_t first, uint64_t n, uint64_t seed)
{
	uint64_t wanted[SECTOR / 8];

	for (uint64_t s = 0; s < n; s++) {
		stamp(wanted, first + s, 1, seed);
		if (memcmp(wanted, p + s * SECTOR / 8, SECTOR))
			return s;
	}
	return n;
}

static int move(int fd, int write, uint64_t *p, uint64_t first, uint64_t n)
{
	ssize_t done = write ? pwrite(fd, p, n * SECTOR, first * SECTOR) : pread(fd, p, n * SECTOR, first * SECTOR);

	if (done == (ssize_t)(n * SECTOR))
		return 0;
	printf("%s of %lu sectors at %lu: %s\n", write ? "write" : "read", n, first, done < 0 ? strerror(errno) : "short");
	return 1;
}

/* Requests of sizes that no power of two divides, and the largest ones in between. */
static int whole(int write, uint64_t seed, uint32_t odd)
{
	int fd = open_device(write ? O_RDWR : O_RDONLY);
	uint64_t *p = new_buffer(), n;
	uint32_t round = 0;

	for (uint64_t at = 0; at < sectors; at += n, round++) {
		n = round % 3 == 2 ? MOST / SECTOR : round * odd % 300 + 1;
		n = n < sectors - at ? n : sectors - at;
		if (write)
			stamp(p, at, n, seed);
		if (move(fd, write, p, at, n))
			return 1;
		if (!write && differing(p, at, n, seed) < n) {
			printf("sector %lu is not what was written\n", at + differing(p, at, n, seed));
			return 1;
		}
	}
	if (write && fsync(fd)) {
		printf("fsync: %s\n", strerror(errno));
		return 1;
	}
	printf("%s: %lu sectors, right\n", write ? "fill" : "verify", sectors);
	return 0;
}

static int zero(uint64_t first, uint64_t count)
{
	int fd = open_device(O_RDONLY);
	uint64_t *p = new_buffer(), n;

	for (uint64_t at = first; at < first + count; at += n) {
		n = first + count - at < MOST / SECTOR ? first + count - at : MOST / SECTOR;
		if (move(fd, 0, p, at, n))
			return 1;
		for (uint64_t i = 0; i < n * SECTOR / 8; i++) {
			if (p[i]) {
				printf("sector %lu is not zero\n", at + i / (SECTOR / 8));
				return 1;
			}
		}
	}
	printf("zero: %lu sectors, right\n", count);
	return 0;
}

/* --- several at once --- */

struct job {
	pthread_t thread;
	uint32_t seed;
	uint64_t first, count, rounds;
	int failed;
	time_t end;
};

/* Says so when they are not. */
static int as_stamped(const uint64_t *p, uint64_t first, uint64_t n, uint64_t seed)
{
	uint64_t at = differing(p, first, n, seed);

	if (at < n)
		printf("sector %lu of %lu at %lu is not what was written: %lx\n", at, n, first, p[at * SECTOR / 8]);
	return at == n;
}

/* Writes, once at least, a stretch of its own and reads it back by another size; each stretch has the seed that was written last. */
static void *work(void *arg)
{
	struct job *j = arg;
	int fd = open_device(O_RDWR);
	uint64_t *p = new_buffer();

	while ((!j->rounds || time(NULL) < j->end) && !j->failed) {
		uint64_t n = rand_r(&j->seed) % 256 + 1, at = j->first + rand_r(&j->seed) % (j->count - n), seed = rand_r(&j->seed), half = n / 2;

		stamp(p, at, n, seed);
		j->failed = move(fd, 1, p, at, n) || (seed % 8 == 0 && fdatasync(fd) && printf("fdatasync: %s\n", strerror(errno)));
		memset(p, 0, n * SECTOR);
		j->failed = j->failed || move(fd, 0, p, at + half, n - half) || !as_stamped(p, at + half, n - half, seed);
		if (half)
			j->failed = j->failed || move(fd, 0, p, at, half) || !as_stamped(p, at, half, seed);
		j->rounds++;
	}
	return NULL;
}

static int jobs(uint32_t count, uint32_t seconds)
{
	struct job job[16] = { 0 };
	uint64_t rounds = 0;
	int failed = 0;

	open_device(O_RDWR);
	for (uint32_t i = 0; i < count; i++) {
		job[i] = (struct job){ .seed = i + 1, .first = sectors / count * i, .count = sectors / count, .end = time(NULL) + seconds };
		pthread_create(&job[i].thread, NULL, work, &job[i]);
	}
	for (uint32_t i = 0; i < count; i++) {
		pthread_join(job[i].thread, NULL);
		failed += job[i].failed;
		rounds += job[i].rounds;
	}
	printf("jobs: %u, %lu rounds, %s\n", count, rounds, failed || rounds < count ? "wrong" : "right");
	return failed || rounds < count;
}

static uint64_t ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ul + t.tv_nsec;
}

static int cost(int write, uint64_t size, uint32_t count)
{
	int fd = open_device(O_RDWR);
	uint64_t *p = new_buffer(), start = 0, n = size / SECTOR, slots = sectors / n;

	for (uint32_t i = 0; i < count + count / 4; i++) {
		if (i == count / 4)
			start = ns();
		if (move(fd, write, p, i % slots * n, n))
			return 1;
	}
	printf("cost: %s %lu bytes: %lu ns\n", write ? "write" : "read", size, (ns() - start) / count);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";

	device = argc > 2 ? argv[2] : "";
	if (!strcmp(what, "fill") && argc == 4)
		return whole(1, atol(argv[3]), 37);
	if (!strcmp(what, "verify") && argc == 4)
		return whole(0, atol(argv[3]), 53);
	if (!strcmp(what, "zero") && argc == 5)
		return zero(atol(argv[3]), atol(argv[4]));
	if (!strcmp(what, "jobs") && argc == 5)
		return jobs(atoi(argv[3]) & 15, atoi(argv[4]));
	if (!strcmp(what, "cost") && argc == 6)
		return cost(!strcmp(argv[3], "write"), atol(argv[4]), atoi(argv[5]));
	printf("usage: linux_block fill|verify DEV SEED | zero DEV FIRST N | jobs DEV N SECONDS | cost DEV read|write SIZE COUNT\n");
	return 2;
}
