/* SPDX-License-Identifier: MIT */
/*
 * `hold KIB`: a program whose use of memory goes up and down. It holds so many KiB in pages, each full of words that only this page
 * should have, and looks at them when it lets them go. The pages are chained through their first word. When there are no more it waits
 * for the balloon to bring some, and leaves the last MiB to everybody else.
 */
#include "../include/lib.h"
#include "../include/mm.h"
#include "../include/sched.h"
#include "../include/shell.h"
#include "../include/time.h"

#define LEAVE 256
#define WORDS (PAGE_SIZE / sizeof(u64))
#define WAIT (100 * NSEC_PER_MSEC)

static u64 top = NO_PAGE, held, wrong;

static u64 word_of(u64 pfn, u64 i)
{
	return (pfn << 16 ^ i) * 0x9e3779b97f4a7c15;
}

static bool take_one(void)
{
	u64 pfn = pages_free() > LEAVE ? page_alloc() : NO_PAGE, *words;

	if (pfn == NO_PAGE)
		return false;
	words = pfn_to_virt(pfn);
	words[0] = top;
	for (u64 i = 1; i < WORDS; i++)
		words[i] = word_of(pfn, i);
	top = pfn;
	held++;
	return true;
}

static void drop_one(void)
{
	u64 pfn = top, *words = pfn_to_virt(pfn);

	for (u64 i = 1; i < WORDS; i++)
		wrong += words[i] != word_of(pfn, i);
	top = words[0];
	page_free(pfn);
	held--;
}

static int cmd_hold(int argc, char **argv)
{
	u64 kib, seconds = 0, end;

	if (argc < 2 || argc > 3 || !parse_u64(argv[1], &kib) || (argc == 3 && !parse_u64(argv[2], &seconds))) {
		printf("usage: hold KIB [SECONDS]\n");
		return 1;
	}
	end = now() + seconds * NSEC_PER_SEC;
	while (held > kib >> 2)
		drop_one();
	while (held < kib >> 2 && (take_one() || now() < end)) {
		if (pages_free() <= LEAVE)
			thread_sleep(WAIT);
	}
	printf("hold: %lu KiB held, %lu words wrong\n", held << 2, wrong);
	return held != kib >> 2 || wrong;
}
COMMAND(hold, cmd_hold, "KIB [SECONDS]: from now on so much memory is in use; waits for it if told");
