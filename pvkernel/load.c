/* SPDX-License-Identifier: MIT */
/* Loads for the scheduler: one that only wants the CPU, one that mostly sleeps and notes how late it is woken. */
#include "boot.h"
#include "histogram.h"
#include "lib.h"
#include "sched.h"
#include "shell.h"
#include "time.h"

static int cmd_spin(int argc, char **argv)
{
	u64 ms = ~0ul, end, rounds = 0;

	if (argc > 1 && !parse_u64(argv[1], &ms)) {
		printf("usage: spin [MILLISECONDS]\n");
		return 1;
	}
	printf("spin: begins\n");
	for (end = argc > 1 ? now() + ms * NSEC_PER_MSEC : ~0ul; now() < end; rounds++) {
		for (unsigned int i = 0; i < 1000; i++)
			barrier();
		cpu_relax();
	}
	printf("spin: %lu rounds\n", rounds);
	return 0;
}
COMMAND(spin, cmd_spin, "[MILLISECONDS]: keeps the CPU busy, for ever if not told");

/* Sleeps of 1 to 8 ms, so that they do not keep step with anybody's time slices. */
static int cmd_latency(int argc, char **argv)
{
	struct histogram late = { 0 };
	u64 times = 200;

	if (argc > 1 && (!parse_u64(argv[1], &times) || !times)) {
		printf("usage: latency [TIMES]\n");
		return 1;
	}
	for (u64 i = 0; i < times; i++) {
		u64 wait = NSEC_PER_MSEC + i * 1234567 % (7 * NSEC_PER_MSEC), due = now() + wait;

		thread_sleep(wait);
		histogram_add(&late, now() - due);
	}
	histogram_print(&late, "latency", "ns");
	printf("latency: done\n");
	return 0;
}
COMMAND(latency, cmd_latency, "[TIMES]: sleeps, and how much later than asked it is woken");

/* For who started this kernel and wants to know how long that took. */
static int cmd_entry(int argc, char **argv)
{
	printf("entered at %lu\n", boot.entry_tsc);
	return 0;
}
COMMAND(entry, cmd_entry, "the TSC at this kernel's first instruction");
