/* SPDX-License-Identifier: MIT */
/*
 * `work`: a neighbour that notices harm. Word i of the buffer holds mix(round, i) between rounds; a round looks
 * whether each is still that, adds it to the checksum and writes the next round's. So a byte that somebody
 * else has changed, and a register or flag that got lost on the way through the hypervisor, shows at once, and
 * the checksum after round n is the same on every machine.
 */
#include "../include/lib.h"
#include "../include/mm.h"
#include "../include/shell.h"
#include "../include/time.h"

#define BUFFER_SIZE (1024 * 1024ul)
#define WORDS (BUFFER_SIZE / sizeof(u64))
#define REPORT_EVERY (5 * NSEC_PER_SEC)

struct work {
	u64 *words;
	u64 round, sum, wrong;
};

static u64 mix(u64 round, u64 i)
{
	u64 x = (round << 32 | i) + 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static void one_round(struct work *w)
{
	for (u64 i = 0; i < WORDS; i++) {
		u64 is = READ_ONCE(w->words[i]), should = mix(w->round, i);

		if (is != should && !w->wrong++)
			printf("work: CORRUPT: word %lu of round %lu is %lx, should be %lx\n", i, w->round, is, should);
		w->sum = (w->sum << 1 | w->sum >> 63) ^ is;
		WRITE_ONCE(w->words[i], mix(w->round + 1, i));
	}
	w->round++;
}

static void report(const struct work *w)
{
	printf("work: round %lu, checksum %016lx, %lu wrong\n", w->round, w->sum, w->wrong);
}

static int run(struct work *w, u64 rounds)
{
	u64 next = now() + REPORT_EVERY;

	for (u64 i = 0; i < WORDS; i++)
		w->words[i] = mix(0, i);
	while (w->round < rounds && !w->wrong) {
		one_round(w);
		if (now() >= next) {
			report(w);
			next += REPORT_EVERY;
		}
	}
	report(w);
	return w->wrong != 0;
}

static int cmd_work(int argc, char **argv)
{
	struct work w = { 0 };
	u64 rounds = ~0ul;
	int err;

	if (argc > 1 && !parse_u64(argv[1], &rounds)) {
		printf("usage: work [ROUNDS]\n");
		return 1;
	}
	w.words = vmalloc(BUFFER_SIZE);
	if (!w.words) {
		printf("work: no memory\n");
		return 1;
	}
	err = run(&w, rounds);
	vfree(w.words);
	return err;
}
COMMAND(work, cmd_work, "[ROUNDS]: computes over a MiB and checks every word of it, for ever if not told");
