/* SPDX-License-Identifier: MIT */
/*
 * `evil DOMAIN vbd|vif NUMBER MODE`: another device for a guest, with a backend that lies in that way; `evil-end` takes it away.
 * `evil-ring DOMAIN console|xenstore`: nonsense in a guest's ring of bytes, beside the backend that it has.
 */
#include <abi/console.h>
#include <abi/errno.h>
#include <abi/xs_wire.h>

#include "../../../pvkernel/control/domains.h"
#include "../../../pvkernel/include/evtchn.h"
#include "../../../pvkernel/include/lib.h"
#include "../../../pvkernel/include/mm.h"
#include "../../../pvkernel/include/shell.h"
#include "../../../pvkernel/include/time.h"
#include "../../../pvkernel/include/xorshift.h"
#include "evil.h"

#define FLAPS 400

static struct {
	struct grant_mapping page;
	u8 *copy;
} kept[EVIL_KEPT];
static u32 nr_kept;
static u32 flaps_left;

u64 evil_random(void)
{
	static u64 state = 0x9e3779b97f4a7c15;

	return xorshift(&state) * 0x2545f4914f6cdd1d >> 8;
}

bool evil_is(const struct evil *e, const char *mode)
{
	return !strcmp(e->mode, mode);
}

/* --- connections --- */

struct evil *evil_probe(struct backend *b)
{
	struct evil *e = kmalloc(sizeof(*e));

	if (!e)
		return NULL;
	e->back = b;
	e->port = -1;
	back_read(b, "mode", e->mode, sizeof(e->mode));
	b->data = e;
	return e;
}

int evil_connect(struct evil *e, u32 which, const char *ref, u32 count, u32 slot)
{
	u32 refs[BACK_RING_PAGES];
	char key[32];
	u64 value;
	int err = 0;

	for (u32 i = 0; i < count && !err; i++) {
		snprintf(key, sizeof(key), count > 1 ? "%s%u" : "%s", ref, i);
		err = back_read_front_u64(e->back, key, ~0u, &value);
		refs[i] = value;
	}
	if (!err)
		err = back_ring_map(e->back, refs, count, &e->pages[which]);
	return err ? err : ring_back_init(&e->ring[which], e->pages[which].pages, count * PAGE_SIZE, slot);
}

static void deaf(void *unused)
{
}

static int start(struct evil *e, void (*fn)(void *evil))
{
	u64 port;
	int err = back_read_front_u64(e->back, "event-channel", ~0u, &port);

	if (!err)
		err = e->port = evtchn_bind_interdomain(e->back->domid, port, deaf, NULL);
	if (err < 0)
		return err;
	e->stop = false;
	e->thread = thread_create("evil", fn, e);
	return e->thread ? 0 : -ENOMEM;
}

static void stop(struct evil *e)
{
	e->stop = true;
	if (e->thread)
		thread_join(e->thread);
	e->thread = NULL;
	if (e->port >= 0)
		evtchn_close(e->port);
	e->port = -1;
	back_ring_unmap(&e->pages[0]);
	back_ring_unmap(&e->pages[1]);
}

int evil_start(struct evil *e, int err, void (*fn)(void *evil))
{
	if (!err)
		err = start(e, fn);
	if (err) {
		printf("evil: %s: not connected, error %d\n", e->back->path, err);
		stop(e);
	}
	return err;
}

void evil_disconnect(struct backend *b)
{
	stop(b->data);
}

void evil_remove(struct backend *b)
{
	kfree(b->data);
}

void evil_send(struct evil *e, u32 times)
{
	while (times--)
		evtchn_send(e->port);
}

void evil_flap(struct evil *e)
{
	static const u32 states[] = { 4, 5, 6, 2, 4, 6, 1, 5, 4, 3, 0, 9 };

	for (; flaps_left && !e->stop; flaps_left--) {
		back_write(e->back, XS_NO_TX, "state", "%u", states[evil_random() % ARRAY_SIZE(states)]);
		thread_sleep(evil_random() % (2 * NSEC_PER_MSEC));
	}
}

/* --- pages that are not let go --- */

void evil_keep(struct evil *e, u32 ref)
{
	struct grant_mapping m;

	if (nr_kept == EVIL_KEPT || !gnttab_map(e->back->domid, ref, true, &m))
		return;
	kept[nr_kept].page = m;
	kept[nr_kept].copy = kmalloc(PAGE_SIZE);
	memcpy(kept[nr_kept++].copy, m.va, PAGE_SIZE);
}

bool evil_keeps_more(void)
{
	return nr_kept < EVIL_KEPT;
}

void evil_judge_kept(struct evil *e)
{
	u32 changed = 0, pages = nr_kept;

	if (!nr_kept)
		return;
	thread_sleep(3 * NSEC_PER_SEC);
	while (nr_kept) {
		nr_kept--;
		changed += memcmp(kept[nr_kept].page.va, kept[nr_kept].copy, PAGE_SIZE) != 0;
		gnttab_unmap(&kept[nr_kept].page);
		kfree(kept[nr_kept].copy);
	}
	printf("evil: %s: %u pages kept, %u changed meanwhile\n", e->back->path, pages, changed);
}

/* --- commands --- */

static void write_node(const char *dir, const char *key, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), "%s%s%s", dir, *key ? "/" : "", key);
	xs_write(XS_NO_TX, path, value);
}

static void give(const char *dir, u16 owner, u16 reader)
{
	char perms[16];
	int n = snprintf(perms, sizeof(perms), "n%u", owner) + 1;

	n += snprintf(perms + n, sizeof(perms) - n, "r%u", reader) + 1;
	xs_set_perms(XS_NO_TX, dir, perms, n);
}

static void paths(char **argv, u16 domid, char front[96], char back[96])
{
	snprintf(front, 96, "/local/domain/%u/device/%s/%s", domid, argv[2], argv[3]);
	snprintf(back, 96, "/local/domain/0/backend/evil-%s/%u/%s", argv[2], domid, argv[3]);
}

static void register_once(void)
{
	static bool done;

	if (done)
		return;
	done = true;
	backend_register(&evil_vbd);
	backend_register(&evil_vif);
}

static int cmd_evil(int argc, char **argv)
{
	char front[96], back[96], number[8];
	u16 domid;

	if (argc != 5 || !domains_find(argv[1], &domid)) {
		printf("usage: evil DOMAIN vbd|vif NUMBER MODE\n");
		return 1;
	}
	register_once();
	flaps_left = FLAPS;
	paths(argv, domid, front, back);
	snprintf(number, sizeof(number), "%u", domid);
	write_node(back, "", "");
	give(back, 0, domid);
	write_node(back, "mode", argv[4]);
	write_node(back, "online", "1");
	write_node(back, "frontend-id", number);
	write_node(front, "", "");
	give(front, domid, 0);
	write_node(front, "virtual-device", argv[3]);
	write_node(front, "handle", argv[3]);
	write_node(front, "mac", "00:16:3e:66:66:66");
	write_node(front, "backend-id", "0");
	write_node(front, "state", "1");
	write_node(back, "state", "1");
	write_node(back, "frontend", front);
	write_node(front, "backend", back);
	return 0;
}
COMMAND(evil, cmd_evil, "DOMAIN vbd|vif NUMBER MODE: a device with a backend that lies");

static int cmd_evil_end(int argc, char **argv)
{
	char front[96], back[96];
	u16 domid;

	if (argc != 4 || !domains_find(argv[1], &domid))
		return 1;
	paths(argv, domid, front, back);
	xs_rm(XS_NO_TX, front);
	xs_rm(XS_NO_TX, back);
	return 0;
}
COMMAND_AS(evil_end, "evil-end", cmd_evil_end, "DOMAIN vbd|vif NUMBER: takes it away");

static void scribble(u32 *word)
{
	u64 r = evil_random();

	WRITE_ONCE(*word, r & 3 ? r >> 32 : *word + (r >> 32 & 2047));
}

static void scribble_ring(void *page, bool console)
{
	struct xencons_interface *c = page;
	struct xenstore_domain_interface *x = page;
	u32 *const words[2][4] = {
		{ &x->req_cons, &x->req_prod, &x->rsp_cons, &x->rsp_prod }, { &c->in_cons, &c->in_prod, &c->out_cons, &c->out_prod },
	};

	scribble(words[console][evil_random() % 4]);
	if (!console)
		x->rsp[evil_random() % sizeof(x->rsp)] = evil_random();
}

static int cmd_evil_ring(int argc, char **argv)
{
	struct grant_mapping m;
	bool console = argc == 3 && !strcmp(argv[2], "console");
	u16 domid;

	if (argc != 3 || !domains_find(argv[1], &domid))
		return 1;
	if (!gnttab_map(domid, console ? GNTTAB_RESERVED_CONSOLE : GNTTAB_RESERVED_XENSTORE, false, &m)) {
		printf("evil-ring: it cannot be mapped\n");
		return 1;
	}
	for (u32 i = 0; i < 200; i++) {
		scribble_ring(m.va, console);
		thread_sleep(NSEC_PER_MSEC);
	}
	gnttab_unmap(&m);
	return 0;
}
COMMAND_AS(evil_ring, "evil-ring", cmd_evil_ring, "DOMAIN console|xenstore: nonsense in that ring");
