/* SPDX-License-Identifier: MIT */
/*
 * Threads that allocate, map, sleep and free at random, all at once and preempted anywhere. Each page
 * and object is marked by its owner when it is got and looked at when it is given back; at the end
 * everything must be where it was.
 */
#include "lib.h"
#include "mm.h"
#include "ops.h"
#include "sched.h"
#include "shell.h"
#include "time.h"
#include "xorshift.h"

#define NR_THREADS 4
#define HELD 8

struct worker {
	struct thread *thread;
	u64 random, end, rounds, bad;
	struct held {
		u64 *p;
		u64 bytes;
		bool mapped;
	} held[HELD];
};

static u64 next_random(struct worker *w)
{
	return xorshift(&w->random);
}

static u64 mark(const struct worker *w, const struct held *h)
{
	return (u64)w ^ (u64)h->p ^ h->bytes;
}

static void take(struct worker *w, struct held *h)
{
	h->mapped = next_random(w) & 1;
	h->bytes = h->mapped ? (1 + next_random(w) % 40) * PAGE_SIZE : 16 + next_random(w) % 6000 / 8 * 8;
	h->p = h->mapped ? vmalloc(h->bytes) : kmalloc(h->bytes);
	if (h->p)
		h->p[0] = h->p[h->bytes / 8 - 1] = mark(w, h);
}

static void give(struct worker *w, struct held *h)
{
	if (h->p[0] != mark(w, h) || h->p[h->bytes / 8 - 1] != mark(w, h))
		w->bad++;
	if (h->mapped)
		vfree(h->p);
	else
		kfree(h->p);
	h->p = NULL;
}

static void work(void *arg)
{
	struct worker *w = arg;

	for (; now() < w->end; w->rounds++) {
		struct held *h = &w->held[next_random(w) % HELD];

		if (h->p)
			give(w, h);
		else
			take(w, h);
		if (next_random(w) % 64 == 0)
			thread_sleep(next_random(w) % NSEC_PER_MSEC);
	}
	for (unsigned int i = 0; i < HELD; i++) {
		if (w->held[i].p)
			give(w, &w->held[i]);
	}
}

static bool start(struct worker *w, unsigned int i, u64 end)
{
	*w = (struct worker){ .random = 88172645463325252ul + i * 7919, .end = end };
	w->thread = thread_create("stress", work, w);
	return w->thread;
}

static int cmd_stress(int argc, char **argv)
{
	static struct worker workers[NR_THREADS];
	u64 ms = 200, heap = heap_used(), arena = arena_used(), bad = 0, rounds = 0;

	if (argc > 1 && !parse_u64(argv[1], &ms)) {
		printf("usage: stress [MILLISECONDS]\n");
		return 1;
	}
	for (unsigned int i = 0; i < NR_THREADS; i++)
		bad += !start(&workers[i], i, now() + ms * NSEC_PER_MSEC);
	for (unsigned int i = 0; i < NR_THREADS; i++) {
		if (workers[i].thread)
			thread_join(workers[i].thread);
		rounds += workers[i].rounds;
		bad += workers[i].bad;
	}
	printf("stress: %lu rounds, %lu wrong, heap %ld bytes, arena %ld pages\n", rounds, bad,
	       (long)(heap_used() - heap), (long)(arena_used() - arena));
	return bad || heap_used() != heap || arena_used() != arena;
}
COMMAND(stress, cmd_stress, "[MILLISECONDS]: threads allocate and map against each other");
