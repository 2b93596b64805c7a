/* SPDX-License-Identifier: MIT */
/*
 * Our own grants, version 1, and mappings of others'.
 *
 *	frames[n]	512 entries each; the table grows by a frame when no entry is free, up to what the hypervisor allows
 *	next[n]		a link for each entry: of the free ones, or of the deferred ones
 *
 * References 0 to 7 belong to whoever built the domain; 0 ends the links. An entry is published by one store of all its
 * 8 bytes, and is free again only when the hypervisor has no mapping of it any more. A page whose grant should end while the other
 * domain still maps it is deferred: it stays as it is, and a timer looks every second whether it can be freed.
 */
#include <abi/errno.h>
#include <abi/grant_table.h>

#include "gnttab.h"
#include "hypercall.h"
#include "lib.h"
#include "mm.h"
#include "ops.h"
#include "sched.h"
#include "time.h"

#define MAX_FRAMES 128
#define PER_FRAME (PAGE_SIZE / sizeof(struct grant_entry_v1))
#define NO_ENTRY 0
#define BATCH 16
#define TRIES 100
#define PAUSE NSEC_PER_MSEC
#define DEFERRED_PAUSE NSEC_PER_SEC

static struct grant_entry_v1 *frames[MAX_FRAMES];
static u16 *next[MAX_FRAMES];
static u32 nr_frames, max_frames;
static u32 first_free = NO_ENTRY, nr_free;
static u32 first_deferred = NO_ENTRY, nr_deferred;
static struct timer deferred_timer;

static struct grant_entry_v1 *entry(u32 ref)
{
	return &frames[ref / PER_FRAME][ref % PER_FRAME];
}

static u16 *link_of(u32 ref)
{
	return &next[ref / PER_FRAME][ref % PER_FRAME];
}

static void push_free(u32 ref)
{
	*link_of(ref) = first_free;
	first_free = ref;
	nr_free++;
}

/* Interrupts are disabled. What the hypervisor gave and we could not map is given again the next time. */
static bool grow(void)
{
	u64 list[MAX_FRAMES];
	struct gnttab_setup_table setup = { .dom = DOMID_SELF, .nr_frames = nr_frames + 1, .frame_list = (u64)list };
	u32 first = nr_frames ? nr_frames * PER_FRAME : GNTTAB_NR_RESERVED_ENTRIES;

	if (nr_frames == max_frames)
		return false;
	next[nr_frames] = kmalloc(PER_FRAME * sizeof(u16));
	if (!next[nr_frames])
		return false;
	if (!HYPERVISOR_grant_table_op(GNTTABOP_setup_table, &setup, 1) && !setup.status)
		frames[nr_frames] = vmap_mfns(&list[nr_frames], 1, PROT_WRITE);
	if (!frames[nr_frames]) {
		kfree(next[nr_frames]);
		return false;
	}
	nr_frames++;
	for (u32 ref = nr_frames * PER_FRAME; ref-- > first;)
		push_free(ref);
	return true;
}

static void retry_deferred(void *unused);

bool gnttab_init(void)
{
	struct gnttab_query_size q = { .dom = DOMID_SELF };

	deferred_timer.fn = retry_deferred;
	if (boot.native || HYPERVISOR_grant_table_op(GNTTABOP_query_size, &q, 1) || q.status)
		return false;
	max_frames = MIN(q.max_nr_frames, MAX_FRAMES);
	return grow();
}

/* --- our pages --- */

u32 gnttab_reserve(void)
{
	bool irq = irq_save();
	u32 ref = NO_ENTRY;

	if (first_free != NO_ENTRY || grow()) {
		ref = first_free;
		first_free = *link_of(ref);
		nr_free--;
	}
	irq_restore(irq);
	return ref;
}

void gnttab_release(u32 ref)
{
	bool irq = irq_save();

	push_free(ref);
	irq_restore(irq);
}

void gnttab_allow(u32 ref, u16 domid, u64 pfn, bool readonly)
{
	u64 flags = GTF_permit_access | (readonly ? GTF_readonly : 0);

	/* What was put into the page is there before the page is theirs. */
	barrier();
	WRITE_ONCE(*(u64 *)entry(ref), flags | (u64)domid << 16 | pfn_to_mfn(pfn) << 32);
}

bool gnttab_revoke(u32 ref)
{
	struct grant_entry_v1 *e = entry(ref);
	u16 flags = READ_ONCE(e->flags);

	do {
		if (flags & (GTF_reading | GTF_writing))
			return false;
	} while (!__atomic_compare_exchange_n(&e->flags, &flags, 0, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
	return true;
}

u32 gnttab_grant(u16 domid, u64 pfn, bool readonly)
{
	u32 ref = gnttab_reserve();

	if (ref != GRANT_NONE)
		gnttab_allow(ref, domid, pfn, readonly);
	return ref;
}

bool gnttab_end(u32 ref)
{
	if (!gnttab_revoke(ref))
		return false;
	gnttab_release(ref);
	return true;
}

/* Interrupts are disabled. */
static void defer(u32 ref)
{
	*link_of(ref) = first_deferred;
	first_deferred = ref;
	nr_deferred++;
	if (!deferred_timer.armed)
		timer_add(&deferred_timer, now() + DEFERRED_PAUSE);
}

void gnttab_end_page(u32 ref, u64 pfn)
{
	bool irq;

	if (gnttab_end(ref)) {
		page_free(pfn);
		return;
	}
	irq = irq_save();
	defer(ref);
	irq_restore(irq);
}

static void retry_deferred(void *unused)
{
	u32 ref = first_deferred, following;

	first_deferred = NO_ENTRY;
	nr_deferred = 0;
	for (; ref != NO_ENTRY; ref = following) {
		following = *link_of(ref);
		if (gnttab_revoke(ref)) {
			page_free(mfn_to_pfn(entry(ref)->frame));
			push_free(ref);
		} else {
			defer(ref);
		}
	}
}

u32 gnttab_free_refs(void)
{
	return nr_free;
}

u32 gnttab_deferred(void)
{
	return nr_deferred;
}

/* --- others' pages --- */

/* The granter's page is on its way back to memory: it is worth waiting for, by who may wait. */
static void try_again(u32 cmd, void *op, int16_t *status)
{
	for (int i = 0; *status == GNTST_eagain && i < TRIES && cpu->irq_enabled(); i++) {
		thread_sleep(PAUSE);
		if (HYPERVISOR_grant_table_op(cmd, op, 1))
			*status = GNTST_general_error;
	}
}

/* A list of elements of that size, each with its status at that offset. */
static inline __attribute__((always_inline)) int run_batch(u32 cmd, void *ops, u32 count, u32 size, u32 status_at)
{
	long err = HYPERVISOR_grant_table_op(cmd, ops, count);
	int16_t refused = 0;

	for (char *op = ops; count; count--, op += size) {
		int16_t *status = (int16_t *)(op + status_at);

		if (err)
			*status = GNTST_general_error;
		else if (*status == GNTST_eagain)
			try_again(cmd, op, status);
		refused |= *status;
	}
	return refused ? -EIO : 0;
}

int gnttab_copy(struct gnttab_copy *ops, u32 count)
{
	return run_batch(GNTTABOP_copy, ops, count, sizeof(*ops), offsetof(struct gnttab_copy, status));
}

int gnttab_map_batch(struct gnttab_map_grant_ref *ops, u32 count)
{
	return run_batch(GNTTABOP_map_grant_ref, ops, count, sizeof(*ops), offsetof(struct gnttab_map_grant_ref, status));
}

void gnttab_unmap_batch(struct gnttab_unmap_grant_ref *ops, u32 count)
{
	long err = HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, ops, count);

	for (u32 i = 0; i < count; i++) {
		if (err || ops[i].status)
			panic("unmap of grant handle %u: %ld, %d", ops[i].handle, err, ops[i].status);
	}
}

/* How many of the first were mapped, all of them or those before the first that was refused; the others are not. */
static u32 map_some(u16 domid, const u32 *refs, u32 count, u32 flags, char *va, u32 *handles)
{
	struct gnttab_map_grant_ref ops[BATCH];
	u32 good = 0;

	for (u32 i = 0; i < count; i++)
		ops[i] = (struct gnttab_map_grant_ref){ .host_addr = (u64)va + i * PAGE_SIZE, .flags = flags, .ref = refs[i], .dom = domid };
	gnttab_map_batch(ops, count);
	while (good < count && !ops[good].status) {
		handles[good] = ops[good].handle;
		good++;
	}
	for (u32 i = good; i < count; i++) {
		struct gnttab_unmap_grant_ref undo = { .host_addr = ops[i].host_addr, .handle = ops[i].handle };

		if (!ops[i].status)
			gnttab_unmap_batch(&undo, 1);
	}
	return good;
}

static void unmap_all(char *va, const u32 *handles, u32 count)
{
	struct gnttab_unmap_grant_ref ops[BATCH];

	for (u32 done = 0, n; done < count; done += n) {
		n = MIN(BATCH, count - done);
		for (u32 i = 0; i < n; i++)
			ops[i] = (struct gnttab_unmap_grant_ref){ .host_addr = (u64)va + (done + i) * PAGE_SIZE, .handle = handles[done + i] };
		gnttab_unmap_batch(ops, n);
	}
}

void *gnttab_map_pages(u16 domid, const u32 *refs, u32 count, bool readonly, u32 *handles)
{
	char *va = vmap_reserve(count);
	u32 flags = GNTMAP_host_map | (readonly ? GNTMAP_readonly : 0);

	for (u32 done = 0; va && done < count;) {
		u32 n = MIN(BATCH, count - done), good = map_some(domid, refs + done, n, flags, va + done * PAGE_SIZE, handles + done);

		done += good;
		if (good < n) {
			unmap_all(va, handles, done);
			vmap_release(va);
			va = NULL;
		}
	}
	return va;
}

void gnttab_unmap_pages(void *va, const u32 *handles, u32 count)
{
	unmap_all(va, handles, count);
	vmap_release(va);
}

bool gnttab_map(u16 domid, u32 ref, bool readonly, struct grant_mapping *m)
{
	m->va = gnttab_map_pages(domid, &ref, 1, readonly, &m->handle);
	return m->va;
}

void gnttab_unmap(struct grant_mapping *m)
{
	gnttab_unmap_pages(m->va, &m->handle, 1);
}
