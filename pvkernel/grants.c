/* SPDX-License-Identifier: MIT */
/*
 * `grants`: pages on their way between two domains, for as long as both live, so that something is always granted,
 * mapped or copied when one of them dies.
 *
 *	serve	keeps PAGES pages granted, ends a grant and makes another all the time; references are in xenstore
 *	use	maps them, reads, writes, copies, unmaps, all the time; a reference that has ended meanwhile is refused
 *
 * Each page begins with MAGIC, which both look for: what is mapped must be what was granted.
 */
#include <abi/errno.h>
#include <abi/grant_table.h>

#include "gnttab.h"
#include "hypercall.h"
#include "lib.h"
#include "mm.h"
#include "peer.h"
#include "sched.h"
#include "shell.h"
#include "time.h"

#define KEY "grants"
#define PAGES 8
#define MAGIC 0x5041524756414e45ul
#define PACE (2 * NSEC_PER_MSEC)

/* --- the side that grants --- */

struct grantor {
	u64 pfns[PAGES];
	u32 refs[PAGES];
	u64 ended, held, damaged;
};

static bool grant_pages(struct grantor *g, u16 peer)
{
	for (int i = 0; i < PAGES; i++) {
		g->pfns[i] = page_alloc();
		if (g->pfns[i] == NO_PAGE)
			return false;
		*(u64 *)pfn_to_virt(g->pfns[i]) = MAGIC;
		g->refs[i] = gnttab_grant(peer, g->pfns[i], false);
	}
	return true;
}

static int publish(const struct grantor *g, u16 peer)
{
	char text[PAGES * 11 + 1];
	int n = 0;

	for (int i = 0; i < PAGES; i++)
		n += snprintf(text + n, sizeof(text) - n, "%u ", g->refs[i]);
	return peer_publish(peer, KEY, text);
}

/* A grant that is mapped stays; the others take turns in ending. */
static void renew(struct grantor *g, u16 peer, int i)
{
	g->damaged += READ_ONCE(*(u64 *)pfn_to_virt(g->pfns[i])) != MAGIC;
	if (g->refs[i] != GRANT_NONE && !gnttab_end(g->refs[i])) {
		g->held++;
		return;
	}
	g->ended++;
	g->refs[i] = gnttab_grant(peer, g->pfns[i], false);
}

static int serve(u16 peer, u64 end)
{
	struct grantor *g = kmalloc(sizeof(*g));
	int err = g && grant_pages(g, peer) ? 0 : -ENOMEM;

	for (int i = 0; !err && now() < end; i = (i + 1) % PAGES) {
		renew(g, peer, i);
		err = publish(g, peer);
		thread_sleep(PACE);
	}
	for (int i = 0; g && i < PAGES; i++) {
		while (g->refs[i] != GRANT_NONE && !gnttab_end(g->refs[i]))
			thread_sleep(PACE);
		if (g->pfns[i] != NO_PAGE)
			page_free(g->pfns[i]);
	}
	if (g)
		printf("grants: %lu ended and renewed, %lu held by the other, %lu damaged\n", g->ended, g->held, g->damaged);
	err = err ? err : g->damaged ? -EIO : 0;
	kfree(g);
	return err;
}

/* --- the side that maps --- */

struct user {
	u64 mapped, refused, copied, wrong;
	u64 copy_pfn;
};

static void copy(struct user *u, u16 peer, u32 ref)
{
	struct gnttab_copy op = { .source.u.ref = ref, .source.domid = peer, .dest.domid = DOMID_SELF,
		.dest.u.gmfn = pfn_to_mfn(u->copy_pfn), .len = PAGE_SIZE, .flags = GNTCOPY_source_gref };

	if (HYPERVISOR_grant_table_op(GNTTABOP_copy, &op, 1) || op.status)
		return;
	u->copied++;
	u->wrong += *(u64 *)pfn_to_virt(u->copy_pfn) != MAGIC;
}

static void use(struct user *u, u16 peer, u32 ref)
{
	struct grant_mapping m;

	if (!gnttab_map(peer, ref, false, &m)) {
		u->refused++;
		return;
	}
	u->mapped++;
	u->wrong += READ_ONCE(*(u64 *)m.va) != MAGIC;
	WRITE_ONCE(((u64 *)m.va)[1], u->mapped);
	copy(u, peer, ref);
	thread_yield();
	gnttab_unmap(&m);
}

static void use_all(struct user *u, u16 peer, char *text)
{
	while (*text) {
		char *space = strchr(text, ' ');
		u64 ref;

		if (!space)
			return;
		*space = 0;
		if (parse_u64(text, &ref) && ref != GRANT_NONE)
			use(u, peer, ref);
		text = space + 1;
	}
}

static int use_peer(u16 peer, u64 end)
{
	struct user u = { .copy_pfn = page_alloc() };
	char text[PAGES * 11 + 1];
	int n = u.copy_pfn == NO_PAGE ? -ENOMEM : 0;

	while (n >= 0 && now() < end) {
		n = peer_read(peer, KEY, text, sizeof(text));
		if (n >= 0)
			use_all(&u, peer, text);
		else if (n == -ENOENT || n == -EACCES)	/* not yet, or no more: such a peer may come again */
			n = 0;
		if (!n)
			thread_sleep(PACE);
	}
	if (u.copy_pfn != NO_PAGE)
		page_free(u.copy_pfn);
	printf("grants: %lu mapped, %lu refused, %lu copied, %lu wrong\n", u.mapped, u.refused, u.copied, u.wrong);
	return n < 0 ? n : u.wrong ? -EIO : 0;
}

static int cmd_grants(int argc, char **argv)
{
	u64 ms = 1000;
	bool serves = argc > 1 && !strcmp(argv[1], "serve");
	int peer = argc > 2 ? peer_find(argv[2]) : 0, err;

	if (argc < 3 || (!serves && strcmp(argv[1], "use")) || (argc > 3 && !parse_u64(argv[3], &ms))) {
		printf("usage: grants serve|use DOMAIN [MILLISECONDS]\n");
		return 1;
	}
	err = peer < 0 ? peer : serves ? serve(peer, now() + ms * NSEC_PER_MSEC) : use_peer(peer, now() + ms * NSEC_PER_MSEC);
	if (err)
		printf("grants: error %d\n", err);
	return err;
}
COMMAND(grants, cmd_grants, "serve|use DOMAIN [MILLISECONDS]: pages granted, mapped and copied between two domains");
