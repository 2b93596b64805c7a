/* SPDX-License-Identifier: MIT */
/*
 * What a Linux guest sees of the hypervisor below it, and loads that move about its processors. A run prints one line,
 * "probe NAME: ok" or "probe NAME: failed: WHY", and ends with 0 or 1.
 *
 *	xenstore	speaks to the kernel's /dev/xen/xenbus: reads, writes, a watch, transactions, errors
 *	clocks S	threads on all processors read the clocks in turn: none goes back
 *	migrate S	vector registers survive being moved from processor to processor
 *	storm S		threads of one process map, unmap, signal each other: a page that is gone is gone on all processors
 *	burn S		keeps each processor busy
 *
 * "now" prints the wall clock and the monotonic one in milliseconds.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096ul
#define WORKERS 8

static int64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int64_t deadline;

static int time_is_left(void)
{
	return clock_ns(CLOCK_MONOTONIC) < deadline;
}

static const char *volatile wrong;

static void *fail(const char *why)
{
	wrong = why;
	return NULL;
}

/* --- xenstore: a header of four words, then the body; answers to requests in order, events between them --- */

enum { XS_DIRECTORY = 1, XS_READ = 2, XS_WATCH = 4, XS_TRANSACTION_START = 6, XS_TRANSACTION_END = 7, XS_WRITE = 11,
	XS_RM = 13, XS_WATCH_EVENT = 15, XS_ERROR = 16 };

struct header {
	uint32_t type, req_id, tx_id, len;
};

static int store;
static char body[4096];
static int events;

static int read_all(void *to, size_t length)
{
	for (size_t done = 0; done < length;) {
		ssize_t n = read(store, (char *)to + done, length - done);

		if (n <= 0)
			return 0;
		done += n;
	}
	return 1;
}

/* The type of the next message; its body is in `body`, with a NUL. */
static int receive(void)
{
	struct header h;

	if (!read_all(&h, sizeof(h)) || h.len >= sizeof(body) || !read_all(body, h.len))
		return -1;
	body[h.len] = 0;
	events += h.type == XS_WATCH_EVENT;
	return h.type;
}

/* `text` has its length given, since it may hold NULs. The type of the answer, which is not an event. */
static int ask(int type, uint32_t tx, const char *text, size_t length)
{
	struct header h = { type, 7, tx, length };
	int answer;

	if (write(store, &h, sizeof(h)) != sizeof(h) || write(store, text, length) != (ssize_t)length)
		return -1;
	do
		answer = receive();
	while (answer == XS_WATCH_EVENT);
	return answer;
}
#define ASK(type, tx, text) ask(type, tx, text, sizeof(text))		/* with its NUL */
#define ASK_BARE(type, tx, text) ask(type, tx, text, sizeof(text) - 1)	/* without: a value's end */

static const char *one_transaction(void)
{
	uint32_t tx;

	if (ASK(XS_TRANSACTION_START, 0, "") != XS_TRANSACTION_START)
		return "no transaction starts";
	tx = atoi(body);
	if (ASK_BARE(XS_WRITE, tx, "data/probe\0inside") != XS_WRITE)
		return "a write in a transaction";
	if (ASK(XS_READ, 0, "data/probe") != XS_READ || strcmp(body, "first"))
		return "a transaction's write is seen outside";
	if (ASK(XS_READ, tx, "data/probe") != XS_READ || strcmp(body, "inside"))
		return "a transaction does not see its own write";
	if (ASK(XS_TRANSACTION_END, tx, "T") != XS_TRANSACTION_END)
		return "a transaction without a conflict does not end";
	if (ASK(XS_READ, 0, "data/probe") != XS_READ || strcmp(body, "inside"))
		return "a transaction's write is lost";
	return NULL;
}

static const char *abandoned_transaction(void)
{
	uint32_t tx;

	ASK(XS_TRANSACTION_START, 0, "");
	tx = atoi(body);
	ASK_BARE(XS_WRITE, tx, "data/probe\0never");
	if (ASK(XS_TRANSACTION_END, tx, "F") != XS_TRANSACTION_END)
		return "a transaction cannot be abandoned";
	if (ASK(XS_READ, 0, "data/probe") != XS_READ || strcmp(body, "inside"))
		return "an abandoned write is there";
	return NULL;
}

static const char *conflict(void)
{
	uint32_t tx;

	ASK(XS_TRANSACTION_START, 0, "");
	tx = atoi(body);
	ASK(XS_READ, tx, "data/probe");
	ASK_BARE(XS_WRITE, tx, "data/probe\0mine");
	ASK_BARE(XS_WRITE, 0, "data/probe\0yours");
	if (ASK(XS_TRANSACTION_END, tx, "T") != XS_ERROR || strcmp(body, "EAGAIN"))
		return "a conflict is not told by EAGAIN";
	return NULL;
}

static const char *xenstore(void)
{
	const char *why;

	store = open("/dev/xen/xenbus", O_RDWR);
	if (store < 0)
		return "/dev/xen/xenbus does not open";
	if (ASK(XS_READ, 0, "domid") != XS_READ || atoi(body) < 1)
		return "domid cannot be read";
	if (ASK(XS_READ, 0, "name") != XS_READ || !body[0])
		return "name cannot be read";
	if (ASK(XS_READ, 0, "data/nothing") != XS_ERROR || strcmp(body, "ENOENT"))
		return "what is not there is not ENOENT";
	if (ASK_BARE(XS_WRITE, 0, "name\0mine") != XS_ERROR || strcmp(body, "EACCES"))
		return "another's node is not EACCES";
	if (ASK_BARE(XS_WRITE, 0, "data/probe\0first") != XS_WRITE)
		return "data cannot be written";
	if (ask(XS_WATCH, 0, "data/probe\0token", 17) != XS_WATCH)
		return "no watch";
	why = one_transaction();
	if (!why)
		why = abandoned_transaction();
	if (!why)
		why = conflict();
	if (!why && (ASK(XS_RM, 0, "data/probe") != XS_RM || ASK(XS_READ, 0, "data/probe") != XS_ERROR))
		why = "a node removed is there";
	/* At the start, by the transaction, by the write beside the other, by the removal. */
	while (!why && events < 4)
		if (receive() != XS_WATCH_EVENT || strcmp(body, "data/probe") || strcmp(body + 11, "token"))
			why = "another event than the watch's";
	return why;
}

/* --- clocks --- */

static const clockid_t clocks[] = { CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME, CLOCK_MONOTONIC_RAW };
#define CLOCKS (sizeof(clocks) / sizeof(*clocks))
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static int64_t last[CLOCKS];

static void move_to(unsigned int number)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(number % sysconf(_SC_NPROCESSORS_ONLN), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void *read_clocks(void *number)
{
	move_to((uintptr_t)number);
	while (time_is_left() && !wrong) {
		for (unsigned int i = 0; i < CLOCKS; i++) {
			pthread_mutex_lock(&turn);
			int64_t t = clock_ns(clocks[i]);

			if (t < last[i])
				fail("a clock goes back from one processor to the next");
			last[i] = t;
			pthread_mutex_unlock(&turn);
		}
	}
	return NULL;
}

/* --- vector registers, from processor to processor --- */

static void *migrate(void *argument)
{
	unsigned int seed = (uintptr_t)argument, hops = 0;
	unsigned char in[256], out[256];

	for (unsigned int i = 0; i < sizeof(in); i++)
		in[i] = seed * 37 + i;
	while (time_is_left() && !wrong) {
		cpu_set_t set;
		long result;

		CPU_ZERO(&set);
		CPU_SET((seed + hops++) % sysconf(_SC_NPROCESSORS_ONLN), &set);
#define EACH(op) op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7)
#define LOAD(n) "movdqu 16*" #n "(%1), %%xmm" #n "\n"
#define STORE(n) "movdqu %%xmm" #n ", 16*" #n "(%2)\n"
		/* The move itself between load and store: sched_setaffinity(0, size, set). */
		__asm__ volatile(EACH(LOAD) "mov $203, %%eax\nsyscall\n" "mov $100000, %%ecx\n1: dec %%ecx\njnz 1b\n" EACH(STORE)
				 : "=&a"(result) : "r"(in), "r"(out), "D"(0L), "S"(sizeof(set)), "d"(&set)
				 : "rcx", "r11", "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7");
		if (memcmp(in, out, 128))
			fail("a vector register changed on the way");
	}
	return NULL;
}

/* --- one address space on all processors --- */

static volatile int signals;

static void count_signal(int number)
{
	__atomic_add_fetch(&signals, 1, __ATOMIC_RELAXED);
}

static pthread_t workers[WORKERS];

/* Pages that come from the kernel must be zero: a stale translation would show, or hit, another thread's. */
static void *storm(void *argument)
{
	uintptr_t seed = (uintptr_t)argument;
	unsigned int round = 0;

	while (time_is_left() && !wrong) {
		unsigned long pages = 1 + (seed * 31 + round * 7) % 64;
		volatile uint64_t *at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (at == MAP_FAILED)
			return fail("mmap");
		for (unsigned long i = 0; i < pages; i++) {
			if (at[i * 512])
				return fail("a new page is not zero");
			at[i * 512] = seed << 32 | round;
		}
		if (round % 4 == 0)
			sched_yield();
		if (round % 8 == 0)
			pthread_kill(workers[(seed + 1) % WORKERS], SIGUSR1);
		for (unsigned long i = 0; i < pages; i++)
			if (at[i * 512] != (seed << 32 | round))
				return fail("another's write");
		if (round % 3 == 0 && (madvise((void *)at, pages * PAGE, MADV_DONTNEED) || at[0]))
			return fail("pages given back are not zero");
		munmap((void *)at, pages * PAGE);
		round++;
	}
	return NULL;
}

static void *burn(void *argument)
{
	while (time_is_left())
		;
	return argument;
}

/* Threads must not end while others may signal them: all wait at the end until joined. */
static pthread_barrier_t end;
static void *(*work)(void *);

static void *worker(void *number)
{
	work(number);
	pthread_barrier_wait(&end);
	return NULL;
}

static const char *in_threads(void *(*what)(void *))
{
	unsigned int count = what == burn ? sysconf(_SC_NPROCESSORS_ONLN) : WORKERS;

	signal(SIGUSR1, count_signal);
	work = what;
	if (count > WORKERS)
		count = WORKERS;
	pthread_barrier_init(&end, NULL, count + 1);
	for (unsigned int i = 0; i < WORKERS; i++)
		workers[i] = pthread_self();
	for (uintptr_t i = 0; i < count; i++)
		if (pthread_create(&workers[i], NULL, worker, (void *)i))
			return "pthread_create";
	pthread_barrier_wait(&end);
	for (unsigned int i = 0; i < count; i++)
		pthread_join(workers[i], NULL);
	if (what == storm && !signals)
		return "no signal came";
	return wrong;
}

static const struct {
	const char *name;
	void *(*threads)(void *);
} probes[] = {
	{ "xenstore", NULL }, { "clocks", read_clocks }, { "migrate", migrate }, { "storm", storm }, { "burn", burn },
};

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "now"))
		return printf("%ld %ld\n", clock_ns(CLOCK_REALTIME) / 1000000, clock_ns(CLOCK_MONOTONIC) / 1000000) < 0;
	for (unsigned int i = 0; argc > 1 && i < sizeof(probes) / sizeof(*probes); i++) {
		const char *why;

		if (strcmp(argv[1], probes[i].name))
			continue;
		deadline = clock_ns(CLOCK_MONOTONIC) + (argc > 2 ? atoi(argv[2]) : 1) * 1000000000LL;
		why = probes[i].threads ? in_threads(probes[i].threads) : xenstore();
		printf("probe %s: %s%s\n", argv[1], why ? "failed: " : "ok", why ? why : "");
		return why != NULL;
	}
	fprintf(stderr, "usage: linux_probe now | xenstore | clocks|migrate|storm|burn SECONDS\n");
	return 2;
}
