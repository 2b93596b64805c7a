/* SPDX-License-Identifier: MIT */
/*
 * The balloon: pages that this domain has given back, so that others can have them, and may get again.
 *
 *	in the balloon	pfn_to_mfn(pfn) == INVALID_MFN, no entry in the direct map, not the allocator's
 *	out of it	a frame, mapped writable in the direct map, the allocator's or its users'
 *
 * So the balloon needs no list of its own. The toolstack writes in memory/target how many KiB we should have; a thread
 * goes there in batches and, where it cannot, tries again each second: the machine may have no frame for us, or we none to spare.
 * RESERVE pages are never given: a target that would starve us is met as far as that.
 *
 * A policy that moves memory to where it is wanted has to know where that is. While it writes memory/report-ms, we
 * tell how much is free, as often as that, in data/free-kib.
 */
#include <abi/memory.h>
#include <abi/xen.h>

#include "../../pvkernel/include/boot.h"
#include "../../pvkernel/include/hypercall.h"
#include "../../pvkernel/include/insn.h"
#include "../../pvkernel/include/lib.h"
#include "../../pvkernel/include/mm.h"
#include "../../pvkernel/include/mutex.h"
#include "../../pvkernel/include/ops.h"
#include "../../pvkernel/include/sched.h"
#include "../../pvkernel/include/shell.h"
#include "../../pvkernel/include/time.h"
#include "../../pvkernel/include/xenstore.h"
#include "balloon.h"

#define BATCH 128
#define RESERVE 512
#define RETRY (1000 * NSEC_PER_MSEC)
#define FASTEST_REPORT 100	/* ms */
#define SLOWEST_REPORT 3600000ul

static u64 target;		/* pages */
static u64 report;		/* ns between reports, 0: none wanted */
static struct wait_queue changed = WAIT_QUEUE_INIT(changed);
static bool has_changed;
static struct mutex moving = MUTEX_INIT(moving);	/* who gives or takes */

/* One request about a list of frames, or of pfns for them; how many it was done for. */
static u64 reservation(u32 op, u64 *list, u64 count)
{
	struct xen_memory_reservation r = { .extent_start = (u64)list, .nr_extents = count, .domid = DOMID_SELF };
	long done = HYPERVISOR_memory_op(op, &r);

	return done < 0 ? 0 : done;
}

/* Into the balloon. How many went: fewer when we have no more to spare. */
static u64 give(u64 wanted)
{
	struct pte_update unmap[BATCH];
	u64 mfns[BATCH], pfn, n = 0;

	while (n < MIN(wanted, BATCH) && pages_free() > RESERVE && (pfn = page_take_out()) != NO_PAGE) {
		mfns[n] = pfn_to_mfn(pfn);
		unmap[n++] = (struct pte_update){ pt_lookup((u64)pfn_to_virt(pfn)), 0 };
		p2m_set(pfn, INVALID_MFN);
	}
	if (!n)
		return 0;
	cpu->set_ptes(1, unmap, n);
	if (reservation(XENMEM_decrease_reservation, mfns, n) != n)
		panic("the hypervisor does not take back %lu frames", n);
	return n;
}

/* Up to count pfns without a frame, from where the last search ended. */
static u64 find_absent(u64 *pfns, u64 count)
{
	static u64 at = 1;
	u64 n = 0;

	for (u64 looked = 0; n < count && looked < boot.nr_pages; looked++) {
		if (pfn_to_mfn(at) == INVALID_MFN)
			pfns[n++] = at;
		at = at + 1 < boot.nr_pages ? at + 1 : 1;
	}
	return n;
}

/* Out of the balloon. How many came: fewer when the machine has no more for us. */
static u64 take(u64 wanted)
{
	struct pte_update map[BATCH];
	u64 pfns[BATCH], mfns[BATCH];
	u64 n = find_absent(pfns, MIN(wanted, BATCH));

	memcpy(mfns, pfns, n * sizeof(*mfns));
	n = reservation(XENMEM_populate_physmap, mfns, n);
	for (u64 i = 0; i < n; i++) {
		p2m_set(pfns[i], mfns[i]);
		map[i] = (struct pte_update){ pt_lookup((u64)pfn_to_virt(pfns[i])), make_pte(mfns[i], PROT_WRITE) };
	}
	if (n)
		cpu->set_ptes(1, map, n);
	for (u64 i = 0; i < n; i++)
		page_put_in(pfns[i]);
	return n;
}

/* One step towards the target; false: no more of that is possible now. */
static bool step(void)
{
	u64 now, goal = MIN(READ_ONCE(target), boot.nr_pages), moved = 0;

	mutex_lock(&moving);
	now = pages_total();
	if (goal < now)
		moved = give(now - goal);
	else if (goal > now)
		moved = take(goal - now);
	mutex_unlock(&moving);
	return moved;
}

static bool settled(void)
{
	return pages_total() == MIN(READ_ONCE(target), boot.nr_pages);
}

static void send_report(void)
{
	char text[24];

	snprintf(text, sizeof(text), "%lu", pages_free() << 2);
	xs_write(XS_NO_TX, "data/free-kib", text);
}

/* Until the nodes change, or there is something to do without that. */
static void wait(void)
{
	u64 pause = settled() ? report : report ? MIN(RETRY, report) : RETRY;
	bool irq = irq_save();

	if (!pause) {
		while (!has_changed)
			wait_on(&changed);
	}
	pause = has_changed ? 0 : pause;
	has_changed = false;
	irq_restore(irq);
	if (pause)
		thread_sleep(pause);
}

static void balloon_thread(void *unused)
{
	while (true) {
		while (step())
			;
		if (report)
			send_report();
		wait();
	}
}

static void node_changed(void *unused, const char *path)
{
	u64 kib, ms;
	bool irq;

	if (!xs_read_u64(XS_NO_TX, "memory/target", &kib))
		WRITE_ONCE(target, kib >> 2);
	if (xs_read_u64(XS_NO_TX, "memory/report-ms", &ms))
		ms = 0;
	report = ms ? MIN(MAX(ms, FASTEST_REPORT), SLOWEST_REPORT) * NSEC_PER_MSEC : 0;
	irq = irq_save();
	has_changed = true;
	wake_up(&changed);
	irq_restore(irq);
}

void balloon_init(void)
{
	static const struct xs_watch watch = { .fn = node_changed };
	struct thread *t;

	target = pages_total();
	if (xs_watch("memory", &watch))
		return;
	t = thread_create("balloon", balloon_thread, NULL);
	if (t)
		thread_detach(t);
	else
		printf("balloon: no memory for its thread, so memory/target is not followed\n");
}

/* --- the command ------------------------------------------------------------------------------------ */

/* Ticks for each of so many pages, fewer if there are no more. */
static u64 time_pages(u64 (*move)(u64), u64 *pages)
{
	u64 done = 0, n, start = rdtsc();

	while (done < *pages && (n = move(*pages - done)))
		done += n;
	*pages = done;
	return done ? (rdtsc() - start) / done : 0;
}

/* Out and in again, while nobody else moves pages. */
static int bench(u64 pages)
{
	u64 down, up, back;

	mutex_lock(&moving);
	down = time_pages(give, &pages);
	back = pages;
	up = time_pages(take, &back);
	mutex_unlock(&moving);
	printf("balloon: %lu pages down %lu, %lu up %lu ticks a page\n", pages, down, back, up);
	return !pages || back != pages;
}

static int cmd_balloon(int argc, char **argv)
{
	u64 pages = 1024;

	if (argc > 1 && (strcmp(argv[1], "bench") || (argc > 2 && !parse_u64(argv[2], &pages)))) {
		printf("usage: balloon [bench [PAGES]]\n");
		return 1;
	}
	if (argc > 1)
		return bench(pages);
	printf("balloon: %lu KiB here, %lu wanted, %lu at most, %lu free\n", pages_total() << 2, READ_ONCE(target) << 2,
	       boot.nr_pages << 2, pages_free() << 2);
	return 0;
}
COMMAND(balloon, cmd_balloon, "[bench [PAGES]]: how much memory there is and should be; what giving and taking a page costs");
