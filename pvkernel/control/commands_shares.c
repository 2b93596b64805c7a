/* SPDX-License-Identifier: MIT */
/* `shares`: the CPU time that domains get in a while, beside what their weights and caps are. */
#include "../include/lib.h"
#include "../include/sched.h"
#include "../include/shell.h"
#include "../include/time.h"
#include "domains.h"
#include "options.h"
#include "scheduler.h"

#define MOST 16

/* All at one moment, or as near as calls can be. */
static bool read_times(const u16 *domid, u64 n, u64 *ns)
{
	struct xen_domctl_getdomaininfo info;

	for (u64 i = 0; i < n; i++) {
		if (!domains_info(domid[i], &info))
			return false;
		ns[i] = info.cpu_time;
	}
	return true;
}

static void print_share(const char *name, u16 domid, u64 ns, u64 span)
{
	u16 weight = 0, cap = 0;

	sched_get(domid, &weight, &cap);
	printf("share %s weight %u cap %u ran %lu of %lu us\n", name, weight, cap, ns / 1000, span / 1000);
}

static int cmd_shares(int argc, char **argv)
{
	u64 ms, start, n = argc - 2, before[MOST], after[MOST];
	u16 domid[MOST];

	if (argc < 3 || n > MOST || !parse_u64(argv[1], &ms))
		return usage("shares", "MILLISECONDS DOMAIN..., at most 16");
	for (u64 i = 0; i < n; i++) {
		if (!take_domain("shares", argv[i + 2], &domid[i]))
			return 1;
	}
	start = now();
	if (!read_times(domid, n, before))
		return 1;
	thread_sleep(ms * NSEC_PER_MSEC);
	start = now() - start;
	if (!read_times(domid, n, after)) {
		printf("shares: one of them has ended\n");
		return 1;
	}
	for (u64 i = 0; i < n; i++)
		print_share(argv[i + 2], domid[i], after[i] - before[i], start);
	return 0;
}
COMMAND(shares, cmd_shares, "MILLISECONDS DOMAIN...: the CPU time that each gets meanwhile");
