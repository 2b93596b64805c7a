/* SPDX-License-Identifier: MIT */
/* The small commands: memory, time, threads, the end. */
#include "boot.h"
#include "lib.h"
#include "mm.h"
#include "net.h"
#include "ops.h"
#include "sched.h"
#include "shell.h"
#include "time.h"

static int cmd_mem(int argc, char **argv)
{
	printf("frames       %lu of at most %lu, %lu free\n", pages_total(), boot.nr_pages, pages_free());
	printf("heap         %lu bytes used\n", heap_used());
	printf("arena        %lu pages mapped at %lx\n", arena_used(), ARENA_BASE);
	printf("packets      %u pages wait to be packets again\n", packet_pool_pages());
	printf("root table   pfn %lu, mfn %lu\n", root_pfn(), pfn_to_mfn(root_pfn()));
	for (unsigned int i = 0; i < boot.nr_free; i++)
		printf("free at boot %lu to %lu\n", boot.free[i].first, boot.free[i].end);
	return 0;
}
COMMAND(mem, cmd_mem, "frames, heap, arena, and pages kept for packets");

static int cmd_sleep(int argc, char **argv)
{
	u64 ms = 1000, t = now();

	if (argc > 1 && !parse_u64(argv[1], &ms)) {
		printf("usage: sleep [MILLISECONDS]\n");
		return 1;
	}
	thread_sleep(ms * NSEC_PER_MSEC);
	printf("slept %lu us\n", (now() - t) / 1000);
	return 0;
}
COMMAND(sleep, cmd_sleep, "[MILLISECONDS]: waits, one second if not told");

static int cmd_ps(int argc, char **argv)
{
	thread_list();
	return 0;
}
COMMAND(ps, cmd_ps, "the threads");

static void count_thread(void *arg)
{
	u64 *rounds = arg, end = now() + 100 * NSEC_PER_MSEC;

	while (now() < end)
		++*rounds;
}

/* Nobody yields: that both get on shows that the timer preempts. */
static int cmd_threads(int argc, char **argv)
{
	u64 rounds[2] = { 0 };
	struct thread *t[2];

	for (int i = 0; i < 2; i++)
		t[i] = thread_create("counter", count_thread, &rounds[i]);
	for (int i = 0; i < 2; i++) {
		if (!t[i])
			panic("no memory for a thread");
		thread_join(t[i]);
	}
	printf("two busy threads for 100 ms: %lu and %lu rounds\n", rounds[0], rounds[1]);
	return !(rounds[0] && rounds[1]);
}
COMMAND(threads, cmd_threads, "two busy threads share the CPU by preemption");

static int cmd_date(int argc, char **argv)
{
	u64 wall = wall_clock_ns(), up = now();
	struct date d = date_of(wall / NSEC_PER_SEC);

	printf("%04u-%02u-%02u %02u:%02u:%02u.%03lu UTC, up %lu.%03lu s\n", d.year, d.month, d.day, d.hour,
	       d.minute, d.second, wall / NSEC_PER_MSEC % 1000, up / NSEC_PER_SEC, up / NSEC_PER_MSEC % 1000);
	return 0;
}
COMMAND(date, cmd_date, "wall clock and time since boot");

/* tools/boot and tools/paravane look for this line of domain 0, `follow` for a guest's, and make the number their status. */
static int cmd_exit(int argc, char **argv)
{
	u64 status = shell_failures() != 0;

	if (argc > 2 || (argc == 2 && (!parse_u64(argv[1], &status) || status > 255))) {
		printf("usage: exit [STATUS], 0 to 255\n");
		return 1;
	}
	printf("exit status: %lu\n", status);
	cpu->stop(STOP_POWEROFF);
	return 1;
}
COMMAND(exit, cmd_exit, "[STATUS]: powers off with this status, if not told 1 when a command has failed, otherwise 0");
