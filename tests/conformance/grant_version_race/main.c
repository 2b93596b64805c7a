/* SPDX-License-Identifier: MIT */
/*
 * A domain changes the version of its grant table again and again while domain 0, on another CPU, maps and copies by a grant of it. In each
 * version, what the other would take for that grant is one of a page that is not granted: an entry that was judged by the wrong version
 * shows that page.
 */
#include "domain.h"
#include "grants.h"
#include "vcpus.h"

#define REF 30			/* its entry of version 1 is the first half of PART in version 2 */
#define PART (REF / 2)
#define OPEN 0xaa
#define SECRET 0x55
#define TIMES 100		/* of each, at least */
#define PATIENCE 10000000000UL

static volatile uint32_t ready, stop, changes, busy, mapped_status;

static int64_t set_version(uint32_t version)
{
	struct gnttab_set_version op = { .version = version };

	return grant_op(GNTTABOP_set_version, &op);
}

static void linger(void)
{
	for (int i = 0; i < 20; i++)
		relax();
}

/* Until nobody uses the grants. False: we are to stop. */
static bool change_to(uint32_t version)
{
	while (set_version(version)) {
		busy++;
		relax();
		if (stop)
			return false;
	}
	changes++;
	return true;
}

static void grant_in_1(struct grant_entry_v1 *table, const void *open, const void *secret)
{
	table[2 * REF].frame = (uint32_t)mfn_of(secret);	/* the halves of REF in version 2 */
	table[2 * REF].domid = 0;
	table[2 * REF + 1] = (struct grant_entry_v1){ .flags = (uint16_t)mfn_of(secret), .domid = (uint16_t)(mfn_of(secret) >> 16) };
	table[2 * REF].flags = GTF_permit_access;
	grant_page(table, REF, 0, open, GTF_permit_access);
}

static void grant_in_2(volatile union grant_entry_v2 *table, const void *open, const void *secret)
{
	table[PART].full_page.pad0 = (uint32_t)mfn_of(secret);
	table[PART].full_page.frame = mfn_of(open);
	table[PART].hdr.domid = 0;
	table[PART].hdr.flags = GTF_permit_access;
	table[REF].full_page.frame = mfn_of(open);
	table[REF].hdr.domid = 0;
	barrier();
	table[REF].hdr.flags = GTF_permit_access;
}

/* While its frames of status are mapped, a table stays in version 2. */
static void use_status(void *window)
{
	uint64_t frame;
	struct gnttab_get_status_frames op = { .nr_frames = 1, .dom = DOMID_SELF, .frame_list = (uint64_t)&frame };

	if (grant_op(GNTTABOP_get_status_frames, &op) || op.status || map_frame(window, frame, PTE_DATA & ~PTE_RW))
		return;
	mapped_status += set_version(1) == -EBUSY;
	map_page(window, 0);
}

/* In the second domain. */
static void granter(uint64_t unused)
{
	struct grant_entry_v1 *table = grant_table_map();
	uint8_t *open = page_alloc(), *secret = page_alloc(), *window = page_alloc();

	memset(open, OPEN, PAGE_SIZE);
	memset(secret, SECRET, PAGE_SIZE);
	map_page(window, 0);
	while (!stop) {
		grant_in_1(table, open, secret);
		ready = 1;
		linger();
		if (!change_to(2))
			break;
		grant_in_2((volatile union grant_entry_v2 *)table, open, secret);
		linger();
		use_status(window);
		if (!change_to(1))
			break;
	}
}

/* With a grant mapped; at first what was on its way before may still be counted. */
static bool stays(volatile uint32_t *changed)
{
	uint32_t before;

	sleep_for(50000);
	before = *changed;
	sleep_for(300000);
	return *changed == before;
}

static void race(struct domain *d, uint8_t *window, uint8_t *to)
{
	volatile uint32_t *changed = (volatile uint32_t *)in_guest(d, &changes), *refused = (volatile uint32_t *)in_guest(d, &busy);
	uint32_t wrong = 0, leaks = 0, moves = 0, copies = 0, maps = 0, handle;

	for (uint64_t end = system_time() + PATIENCE; (*changed < TIMES || copies < TIMES || maps < TIMES) && system_time() < end; relax()) {
		int status = grant_copy(to, 256, REF, d->id);

		wrong += status != GNTST_okay && status != GNTST_general_error;
		copies += status == GNTST_okay;
		leaks += status == GNTST_okay && to[255] != OPEN;
		status = grant_map((uint64_t)window, GNTMAP_host_map | GNTMAP_readonly, REF, d->id, &handle);
		wrong += status != GNTST_okay && status != GNTST_general_error;
		if (status)
			continue;
		moves += maps++ % 4 == 0 && !stays(changed);
		leaks += window[0] != OPEN;
		wrong += grant_unmap((uint64_t)window, handle) != GNTST_okay;
	}
	note("%u copies, %u mappings, %u changes, %u times busy", copies, maps, *changed, *refused);
	check_eq("GNT-RACE-5", wrong, 0, "a grant of a table whose version changes is there, or it is not");
	check_eq("GNT-RACE-6", leaks, 0, "what it is in the other version is never seen");
	check("GNT-RACE-7", *changed >= TIMES && copies >= TIMES && maps >= TIMES && !moves, "the version changes between two uses, in none (%u)", moves);
	check("GNT-RACE-8", *(volatile uint32_t *)in_guest(d, &mapped_status) > 0, "not while its status frames are mapped");
}

/* Free pages afterwards. */
static uint64_t one_granter(void *window, void *to)
{
	struct domain *d = make_domain(1);

	start_code(d, granter, 0);
	if (wait_for((volatile uint32_t *)in_guest(d, &ready)) != 1)
		bail("the second domain does not run");
	race(d, window, to);
	*in_guest(d, &stop) = 1;
	check_eq("GNT-RACE-9", wait_shutdown(d), SHUTDOWN_poweroff, "the granter comes to its end");
	destroy_domain(d);
	return free_pages();
}

/* Twice, for what the first one needs stays: domain 0's own list of mappings. */
void test_main(void)
{
	struct xen_domctl_createdomain both = createdomain_arguments();
	uint8_t *window = page_alloc(), *to = page_alloc();
	uint64_t first;

	map_page(window, 0);
	both.grant_opts = 2;
	createdomain_other = &both;
	first = one_granter(window, to);
	check_eq("GNT-RACE-10", one_granter(window, to), first, "after another of them all memory is free again");
}
