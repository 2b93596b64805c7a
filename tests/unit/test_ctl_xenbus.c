/* SPDX-License-Identifier: MIT */
/*
 * drivers/frontend/xenbus_front.c and drivers/backend/xenbus_back.c against each other, through the real tree, watches and permissions
 * of xenstore. Who runs when, and when an event of a watch arrives, is random; so is what goes wrong: either half starts anew or
 * gives up, the toolstack unplugs, removes by force, plugs again, a guest writes anything into its nodes. What must hold: each
 * driver is called in its order; a frontend is never connected to a backend that has another ring than its own, a backend never
 * to a ring in which one before it has answered, not even when it starts while the frontend's connected() runs; and when
 * all is quiet again a device that is plugged in works, and one that is not is closed on both sides.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "xenstore_host.h"

/* In place of the kernel's ops.h, sched.h and time.h. */
#define PVK_OPS_H
#define PVK_SCHED_H
#define PVK_TIME_H
#define NSEC_PER_SEC 1000000000ul
#define WAIT_QUEUE_INIT(q) { LIST_INIT((q).waiters) }
struct wait_queue { struct list waiters; };
struct timer { u64 when; void (*fn)(void *arg); void *arg; bool armed; };

static u64 clock_ns = 1;

static u64 now(void) { return clock_ns; }
static void timer_add(struct timer *t, u64 when) { t->when = when; t->armed = true; }
static void timer_cancel(struct timer *t) { t->armed = false; }

static bool irq_save(void) { return true; }
static void irq_restore(bool was) { }
static void wake_up(struct wait_queue *q) { }
static void wait_on(struct wait_queue *q) { abort(); }
static bool thread_create(const char *name, void (*fn)(void *), void *arg) { return true; }

static u32 lines;		/* for a person */

static int to_person(const char *format, ...)
{
	lines++;
	return 0;
}

#define panic(...) abort()
#define ASSERT(c) do { if (!(c)) abort(); } while (0)

/* --- memory: the halves' rings are the drivers' of this test, so none of this runs --------------------------- */

#define PAGE_SIZE 4096ul
#define PAGE_SHIFT 12
#define NO_PAGE 0ul
#define PROT_WRITE 0
#define PTE_ADDR_MASK 0
static void *pfn_to_virt(u64 pfn) { abort(); }
static u64 pfn_to_mfn(u64 pfn) { abort(); }
static u64 mfn_to_pfn(u64 mfn) { abort(); }
static u64 page_alloc(void) { abort(); }
static void page_free(u64 pfn) { abort(); }
static void *vmap_mfns(const u64 *mfns, u64 count, u64 prot) { abort(); }
static void vunmap(void *va) { abort(); }
static u64 *pt_lookup(u64 va) { abort(); }

#include "gnttab.h"
u32 gnttab_grant(u16 domid, u64 pfn, bool readonly) { abort(); }
void gnttab_end_page(u32 ref, u64 pfn) { abort(); }
static u32 pages_kept;		/* of the frontend's memory, by backends */
u32 gnttab_deferred(void) { return pages_kept; }
static u64 pages_total(void) { return 6400; }
void *gnttab_map_pages(u16 domid, const u32 *refs, u32 count, bool readonly, u32 *handles) { abort(); }
void gnttab_unmap_pages(void *va, const u32 *handles, u32 count) { abort(); }

/* --- a client of xenstore for each side ------------------------------------------------------------------------ */

#include "xenstore.h"

enum { BACK, FRONT, TOOLSTACK, SIDES };

#define WATCHES 16

static struct side {
	struct client client;
	struct { const struct xs_watch *w; char path[200]; u32 token; } watches[WATCHES];
} sides[SIDES];
static int side;		/* whose code runs */
static u32 last_token;

static int removal_after = -1;	/* requests of the backend's side from now on: then the toolstack removes the device */
static void remove_nodes(void);

static int ask_length(u32 type, u32 tx, const char *path, const void *rest, u32 length)
{
	char payload[XENSTORE_PAYLOAD_MAX];
	u32 head = strlen(path) + 1;

	if (side == BACK && removal_after >= 0 && !removal_after--) {
		remove_nodes();
		side = BACK;
	}
	assert_true(head + length <= sizeof(payload));
	memcpy(payload, path, head);
	if (length)
		memcpy(payload + head, rest, length);
	return host_ask(&sides[side].client, type, tx, payload, head + length);
}

/* 0 or a negative errno. */
static int ask(u32 type, u32 tx, const char *path, const void *rest, u32 length)
{
	int n = ask_length(type, tx, path, rest, length);

	return MIN(n, 0);
}

int xs_read(u32 tx, const char *path, char *buf, size_t size)
{
	int n = ask_length(XS_READ, tx, path, NULL, 0);

	if (n >= 0 && (size_t)n >= size)
		return -E2BIG;
	if (n >= 0)
		memcpy(buf, host_reply, n + 1);
	return n;
}

int xs_read_u64(u32 tx, const char *path, u64 *value)
{
	char text[32];
	int n = xs_read(tx, path, text, sizeof(text));

	return n < 0 ? n : parse_u64(text, value) ? 0 : -EINVAL;
}

int xs_write(u32 tx, const char *path, const char *value)
{
	return ask(XS_WRITE, tx, path, value, strlen(value));
}

int xs_rm(u32 tx, const char *path)
{
	return ask(XS_RM, tx, path, NULL, 0);
}

int xs_directory(u32 tx, const char *path, char *buf, size_t size)
{
	int n = ask_length(XS_DIRECTORY, tx, path, NULL, 0);

	if (n >= 0 && (size_t)n > size)
		return -E2BIG;
	if (n >= 0)
		memcpy(buf, host_reply, n);
	return n;
}

int xs_transaction_start(u32 *tx)
{
	int n = ask_length(XS_TRANSACTION_START, 0, "", NULL, 0);

	*tx = n < 0 ? 0 : strtoul(host_reply, NULL, 10);
	return MIN(n, 0);
}

int xs_transaction_end(u32 tx, bool commit)
{
	/* Somebody else is faster, now and then. */
	if (commit && random() % 4 == 0) {
		ask(XS_TRANSACTION_END, tx, "F", NULL, 0);
		return -EAGAIN;
	}
	return ask(XS_TRANSACTION_END, tx, commit ? "T" : "F", NULL, 0);
}

int xs_watch(const char *path, const struct xs_watch *w)
{
	struct side *s = &sides[side];
	char token[16];

	for (int i = 0; i < WATCHES; i++) {
		if (s->watches[i].w)
			continue;
		s->watches[i].w = w;
		s->watches[i].token = ++last_token;
		snprintf(s->watches[i].path, sizeof(s->watches[i].path), "%s", path);
		return ask(XS_WATCH, 0, path, token, sprintf(token, "%u", last_token) + 1);
	}
	abort();
}

int xs_unwatch(const char *path, const struct xs_watch *w)
{
	struct side *s = &sides[side];
	char token[16];

	for (int i = 0; i < WATCHES; i++) {
		if (s->watches[i].w != w || strcmp(s->watches[i].path, path))
			continue;
		s->watches[i].w = NULL;
		return ask(XS_UNWATCH, 0, path, token, sprintf(token, "%u", s->watches[i].token) + 1);
	}
	abort();
}

/* False: none waits. */
static bool deliver_event(int to)
{
	char event[XENSTORE_PAYLOAD_MAX];
	struct side *s = &sides[to];
	u32 token;

	if (!watch_take_event(&s->client, event))
		return false;
	token = strtoul(event + strlen(event) + 1, NULL, 10);
	side = to;
	for (int i = 0; i < WATCHES; i++) {
		if (s->watches[i].w && s->watches[i].token == token) {
			s->watches[i].w->fn(s->watches[i].w->arg, event);
			break;
		}
	}
	return true;
}

static void forget_watches(int of)
{
	client_reset(&sides[of].client);
	while (!list_empty(&sides[of].client.events)) {
		char event[XENSTORE_PAYLOAD_MAX];

		watch_take_event(&sides[of].client, event);
	}
	memset(sides[of].watches, 0, sizeof(sides[of].watches));
}

/* --- both halves ------------------------------------------------------------------------------------------------ */

#include "../../drivers/backend/xenbus_back.h"
#include "../../drivers/frontend/xenbus_front.h"

#define printf to_person
#define drop front_drop
#define mark front_mark
#define take front_take
#define disconnect front_disconnect
#define give_up front_give_up
#define set_state front_set_state
#define step front_step
#define look front_look
#define find front_find
#define scan front_scan
#define next_dirty front_next_dirty
#define next_work front_next_work
#define work front_work
#define take_token front_take_token
#include "../../drivers/frontend/xenbus_front.c"
#undef drop
#undef mark
#undef take
#undef disconnect
#undef give_up
#undef set_state
#undef step
#undef look
#undef find
#undef scan
#undef next_dirty
#undef next_work
#undef work
#undef take_token
#undef PATH
#undef NAMES
#undef BURST
#undef PAUSE
#define begin back_begin
#define drop back_drop
#define mark back_mark
#define take back_take
#define give_up back_give_up
#define set_state back_set_state
#define step back_step
#define look back_look
#define find back_find
#define scan back_scan
#define next_dirty back_next_dirty
#define next_work back_next_work
#define work back_work
#include "../../drivers/backend/xenbus_back.c"
#undef printf

/* --- the drivers: a ring is a number, a new one each time --------------------------------------------------------- */

static u32 rings_made, front_ring, back_ring;	/* 0: none */
static u32 last_back_ring;	/* that a backend was connected to: it may be dead, and its state still be there */
static bool front_is_connected, probed, fail_publish, fail_probe, fail_connect, hostile;
static u32 front_removals;
static u32 answered_ring;	/* in which a backend may have answered something */
static void (*meanwhile)(void);	/* happens while the frontend's connected() works; may be NULL */

static int test_publish(struct frontend *f, u32 tx)
{
	assert_true(!front_ring && !front_is_connected);
	if (fail_publish)
		return -ENOMEM;
	front_ring = ++rings_made;
	assert_int_equal(front_write(f, tx, "ring-ref", "%u", front_ring), 0);
	return front_write(f, tx, "event-channel", "%u", front_ring % 4000);
}

static int test_connected(struct frontend *f)
{
	assert_true(front_ring && !front_is_connected);
	assert_int_equal(last_back_ring, front_ring);
	assert_true(!back_ring || back_ring == front_ring);
	assert_int_equal(front_read_u64(f, "feature-test", 0), 7);
	front_is_connected = true;
	answered_ring = back_ring ? back_ring : answered_ring;
	if (meanwhile)
		meanwhile();
	side = FRONT;
	return 0;
}

static void test_changed(struct frontend *f)
{
	assert_true(front_is_connected);
}

static void test_disconnected(struct frontend *f)
{
	assert_true(front_ring);
	front_ring = 0;
	front_is_connected = false;
}

static void test_removed(struct frontend *f)
{
	assert_false(front_ring);
	front_removals++;
}

static struct frontend_driver front_driver = {
	.type = "test", .publish = test_publish, .connected = test_connected, .changed = test_changed, .disconnected = test_disconnected,
	.removed = test_removed,
};

static int test_probe(struct backend *b)
{
	assert_false(probed);
	if (fail_probe) {
		back_error(b, -EINVAL, "no such thing");
		return -EINVAL;
	}
	probed = true;
	return back_write(b, XS_NO_TX, "feature-test", "7");
}

static int test_connect(struct backend *b)
{
	u64 ring, port;

	assert_true(probed && !back_ring);
	if (back_read_front_u64(b, "ring-ref", 0xffffffff, &ring) || back_read_front_u64(b, "event-channel", 4095, &port)) {
		back_error(b, -EINVAL, "keys are missing");
		return -EINVAL;
	}
	assert_true(hostile || port == ring % 4000);
	/* Its owner may have let go of it a moment ago. */
	if (!ring || ring != front_ring || fail_connect) {
		back_error(b, -EFAULT, "the ring cannot be mapped");
		return -EFAULT;
	}
	assert_true(hostile || ring != answered_ring);
	back_ring = last_back_ring = ring;
	return 0;
}

static void test_disconnect(struct backend *b)
{
	assert_true(back_ring);
	back_ring = 0;
}

static void test_remove(struct backend *b)
{
	assert_true(probed && !back_ring);
	probed = false;
}

static const struct backend_driver back_driver = {
	.type = "test", .probe = test_probe, .connect = test_connect, .disconnect = test_disconnect, .remove = test_remove,
};

/* --- the toolstack ---------------------------------------------------------------------------------------------- */

#define FRONT_PATH "/local/domain/1/device/test/0"
#define BACK_PATH "/local/domain/0/backend/test/1/0"

static void put(const char *path, const char *value)
{
	side = TOOLSTACK;
	assert_int_equal(xs_write(XS_NO_TX, path, value), 0);
}

static void get(const char *path, char *value, size_t size)
{
	side = TOOLSTACK;
	if (xs_read(XS_NO_TX, path, value, size) < 0)
		value[0] = 0;
}

static void permit(const char *path, const char *perms, u32 length)
{
	side = TOOLSTACK;
	assert_true(ask(XS_SET_PERMS, 0, path, perms, length) >= 0);
}

/* In any order: each half may see any part of it. */
static void plug_front(void)
{
	put(FRONT_PATH, "");
	permit(FRONT_PATH, S("n1\0r0"));
	put(FRONT_PATH "/backend-id", "0");
	put(FRONT_PATH "/state", "1");
	put(FRONT_PATH "/backend", BACK_PATH);
}

static void plug_back(void)
{
	put(BACK_PATH, "");
	permit(BACK_PATH, S("n0\0r1"));
	put(BACK_PATH "/frontend-id", "1");
	put(BACK_PATH "/online", "1");
	put(BACK_PATH "/state", "1");
	put(BACK_PATH "/frontend", FRONT_PATH);
}

static void unplug(void)
{
	put(BACK_PATH "/online", "0");
	put(BACK_PATH "/state", "5");
}

static void remove_nodes(void)
{
	side = TOOLSTACK;
	xs_rm(XS_NO_TX, random() % 2 ? FRONT_PATH : BACK_PATH);
	xs_rm(XS_NO_TX, FRONT_PATH);
	xs_rm(XS_NO_TX, BACK_PATH);
}

/* --- time ------------------------------------------------------------------------------------------------------- */

static bool front_runs(void)
{
	if (!scan_wanted && !front_next_dirty())
		return false;
	side = FRONT;
	front_work(front_next_work());
	return true;
}

static bool fires(struct timer *t)
{
	if (!t->armed)
		return false;
	clock_ns = MAX(clock_ns, t->when);
	t->armed = false;
	t->fn(t->arg);
	return true;
}

/* False: none. */
static bool timer_fires(void)
{
	list_for_each(node, &types[0].backends) {
		if (fires(&list_entry(node, struct backend, node)->retry))
			return true;
	}
	list_for_each(node, &frontends) {
		if (fires(&list_entry(node, struct frontend, node)->retry))
			return true;
	}
	return false;
}

static bool back_runs(void)
{
	struct type *t = &types[0];

	if (!t->scan_wanted && !t->restart_wanted && !next_dirty(t))
		return false;
	side = BACK;
	work(t, next_work(t));
	return true;
}

static bool happens(u32 what)
{
	switch (what % 5) {
	case 4:
		return timer_fires();
	case 0:
		return deliver_event(FRONT);
	case 1:
		return deliver_event(BACK);
	case 2:
		return front_runs();
	}
	return back_runs();
}

static void some_time(u32 steps)
{
	while (steps--)
		happens(random());
}

static void until_quiet(void)
{
	u32 idle = 0;

	for (u32 steps = 0; idle < 5; steps++) {
		assert_true(steps < 5000);
		idle = happens(steps) ? 0 : idle + 1;
	}
}

static void start_front(void)
{
	static const struct xs_watch devices = { .fn = device_written };

	side = FRONT;
	nr_drivers = 0;
	frontend_register(&front_driver);
	assert_int_equal(xs_watch("device", &devices), 0);
}

static void start_back(void)
{
	side = BACK;
	nr_types = 0;
	backend_register(&back_driver);
	assert_int_equal(xs_watch("backend/test", &types[0].watch), 0);
}

/* The guest's kernel is gone, and another one starts. */
static void front_dies(void)
{
	while (!list_empty(&frontends)) {
		struct frontend *f = list_entry(frontends.next, struct frontend, node);

		list_remove(&f->node);
		kfree(f);
	}
	forget_watches(FRONT);
	front_ring = 0;
	front_is_connected = false;
	start_front();
}

/* The same of domain 0's driver, with all it knew and had mapped. */
static void back_dies(void)
{
	struct type *t = &types[0];

	while (!list_empty(&t->backends)) {
		struct backend *b = list_entry(t->backends.next, struct backend, node);

		list_remove(&b->node);
		kfree(b);
	}
	forget_watches(BACK);
	back_ring = 0;
	probed = false;
	start_back();
}

static int set_up(void **state)
{
	static bool made;

	if (!made)
		assert_int_equal(store_init(7), 0);
	made = true;
	for (int i = 0; i < SIDES; i++)
		client_init(&sides[i].client, i == FRONT, NULL);
	put("/local/domain/1", "");
	permit("/local/domain/1", S("n0\0r1"));
	put("/local/domain/1/device", "");
	put("/local/domain/1/error", "");
	permit("/local/domain/1/error", S("n1"));
	front_driver.published_state = XenbusStateInitialised;
	fail_publish = fail_probe = fail_connect = hostile = false;
	start_front();
	start_back();
	return 0;
}

static int tear_down(void **state)
{
	hostile = false;
	remove_nodes();
	until_quiet();
	assert_true(list_empty(&frontends) && list_empty(&types[0].backends));
	assert_false(front_ring || back_ring || probed);
	for (int i = 0; i < SIDES; i++)
		forget_watches(i);
	side = TOOLSTACK;
	xs_rm(XS_NO_TX, "/local/domain/1");
	assert_true(nodes_consistent());
	return 0;
}

static void expect_states(const char *front, const char *back)
{
	char text[16];

	get(FRONT_PATH "/state", text, sizeof(text));
	assert_string_equal(text, front);
	get(BACK_PATH "/state", text, sizeof(text));
	assert_string_equal(text, back);
}

static void expect_works(void)
{
	expect_states("4", "4");
	assert_true(front_is_connected && front_ring && back_ring == front_ring);
}

static void expect_closed(void)
{
	expect_states("6", "6");
	assert_false(front_is_connected || front_ring || back_ring);
}

/* --- the cases -------------------------------------------------------------------------------------------------- */

static void test_both_orders(void **state)
{
	for (int run = 0; run < 40; run++) {
		front_driver.published_state = run % 2 ? XenbusStateConnected : XenbusStateInitialised;
		if (run / 2 % 2)
			plug_front();
		some_time(run);
		plug_back();
		some_time(random() % 20);
		if (run / 2 % 2 == 0)
			plug_front();
		until_quiet();
		expect_works();
		remove_nodes();
		until_quiet();
		assert_false(front_ring || back_ring || probed);
	}
	assert_int_equal(front_removals, 40);
}

static void test_unplug(void **state)
{
	plug_back();
	plug_front();
	some_time(random() % 40);
	unplug();
	until_quiet();
	expect_closed();
	put(BACK_PATH "/online", "1");
	put(FRONT_PATH "/state", "1");
	put(BACK_PATH "/state", "1");
	until_quiet();
	expect_works();
}

/* A guest whose driver never comes does not keep the toolstack waiting. */
static void test_unplug_unused(void **state)
{
	fail_publish = false;
	plug_back();
	put(FRONT_PATH, "");
	permit(FRONT_PATH, S("n1\0r0"));
	put(FRONT_PATH "/state", "1");
	until_quiet();
	expect_states("1", "2");
	unplug();
	until_quiet();
	expect_states("1", "6");
}

static void test_front_gives_up(void **state)
{
	char text[64];

	plug_back();
	plug_front();
	until_quiet();
	frontend_close(list_entry(frontends.next, struct frontend, node), -EIO);
	until_quiet();
	expect_closed();
	get("/local/domain/1/error/device/test/0/error", text, sizeof(text));
	assert_string_equal(text, "5 given up");
	back_dies();
	until_quiet();
	assert_false(front_ring || back_ring);
}

static void test_back_gives_up(void **state)
{
	char text[64];
	u32 before;

	plug_back();
	plug_front();
	until_quiet();
	before = rings_made;
	backend_close(list_entry(types[0].backends.next, struct backend, node), -EIO);
	until_quiet();
	expect_works();
	assert_true(rings_made > before);
	get(BACK_PATH "/error", text, sizeof(text));
	assert_string_equal(text, "5 closed");
}

static void test_drivers_fail(void **state)
{
	plug_back();
	fail_probe = true;
	until_quiet();
	expect_states("", "6");
	plug_front();
	until_quiet();
	assert_false(front_ring || probed);
	fail_probe = false;
	backend_restart("test");
	until_quiet();
	expect_works();
	remove_nodes();
	until_quiet();
	fail_publish = true;
	plug_back();
	plug_front();
	until_quiet();
	expect_closed();
}

/* A frontend whose ring cannot be mapped tries again for ever, in states that a person can see; a line says so once. */
static void test_connect_fails(void **state)
{
	u32 before = lines, rings = rings_made;
	u64 start = clock_ns;

	fail_connect = true;
	plug_back();
	plug_front();
	some_time(4000);
	assert_false(back_ring);
	assert_int_equal(lines, before + 1);
	assert_true(rings_made - rings < 10 + (clock_ns - start) / NSEC_PER_SEC);
	fail_connect = false;
	until_quiet();
	expect_works();
}

/* The toolstack removes a device by force while the backend is at it, wherever that is: what the backend writes then does not stay. */
static void test_removed_meanwhile(void **state)
{
	int removed = 0;
	char text[16];

	for (int run = 0; run < 120; run++) {
		fail_probe = run % 3 == 0;
		plug_back();
		plug_front();
		removal_after = run / 3;
		until_quiet();
		if (removal_after < 0) {
			removed++;
			side = TOOLSTACK;
			assert_int_equal(xs_read(XS_NO_TX, BACK_PATH, text, sizeof(text)), -ENOENT);
		}
		removal_after = -1;
		remove_nodes();
		until_quiet();
		assert_false(front_ring || back_ring || probed);
	}
	assert_true(removed > 40);
}

static void test_foreign_frontend(void **state)
{
	static const char *const paths[] = { "/local/domain/2/device/test/0", "/local/domain/10/device/test/0", "/local/domain/1", "x",
		"/local/domain/1evil/x/" };

	plug_front();
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		u32 before = lines;

		plug_back();
		put(BACK_PATH "/frontend", paths[i]);
		until_quiet();
		assert_false(probed);
		assert_int_equal(lines, before + 1);
		remove_nodes();
		until_quiet();
		plug_front();
	}
}

static void fault(void)
{
	switch (random() % 10) {
	case 0:
		backend_restart("test");
		break;
	case 1:
		back_dies();
		break;
	case 2:
		front_dies();
		break;
	case 3:
		if (!list_empty(&types[0].backends))
			backend_close(list_entry(types[0].backends.next, struct backend, node), -EIO);
		break;
	case 4:
		unplug();
		break;
	case 5:
		remove_nodes();
		break;
	case 6:
		side = TOOLSTACK;
		xs_rm(XS_NO_TX, BACK_PATH);
		break;
	case 7:
		plug_back();
		break;
	case 8:
		remove_nodes();
		plug_back();
		plug_front();
		break;
	default:
		break;
	}
}

static void test_faults(void **state)
{
	srandom(3);
	for (int run = 0; run < 3000; run++) {
		front_driver.published_state = run % 2 ? XenbusStateConnected : XenbusStateInitialised;
		plug_back();
		plug_front();
		for (u32 n = random() % 6; n; n--) {
			some_time(random() % 40);
			fault();
		}
		if (random() % 2) {
			some_time(random() % 20);
			remove_nodes();
			some_time(random() % 20);
		} else if (random() % 2) {
			until_quiet();
			remove_nodes();
			until_quiet();
			assert_false(front_ring || back_ring);
		} else {
			remove_nodes();
		}
		plug_back();
		plug_front();
		until_quiet();
		expect_works();
	}
}

/* Whatever starts anew, without the toolstack's help: the device works in the end. */
static void test_restarts(void **state)
{
	srandom(4);
	plug_back();
	plug_front();
	for (int run = 0; run < 3000; run++) {
		some_time(random() % 60);
		switch (random() % 3) {
		case 0:
			backend_restart("test");
			break;
		case 1:
			back_dies();
			break;
		default:
			front_dies();
		}
		if (random() % 4 == 0) {
			until_quiet();
			expect_works();
		}
	}
	until_quiet();
	expect_works();
}

/* The backend's thread has the CPU before the frontend's goes on. */
static void back_restarts_at_once(void)
{
	meanwhile = NULL;
	backend_restart("test");
	while (back_runs() || deliver_event(BACK))
		;
}

static void test_restart_while_connecting(void **state)
{
	meanwhile = back_restarts_at_once;
	plug_back();
	plug_front();
	until_quiet();
	assert_null(meanwhile);
	expect_works();
}

static void nonsense(void)
{
	static const char *const keys[] = { "state", "state", "state", "ring-ref", "event-channel", "backend", "backend-id" };
	static const char *const values[] = { "", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "-1", " 4", "4 ", "0x4", "99999999999999999999", "abc" };
	char path[100], big[1000];

	side = FRONT;
	snprintf(path, sizeof(path), "device/test/0/%s", keys[random() % ARRAY_SIZE(keys)]);
	memset(big, '4', sizeof(big));
	big[sizeof(big) - 1] = 0;
	if (random() % 8 == 0)
		xs_rm(XS_NO_TX, path);
	else
		xs_write(XS_NO_TX, path, random() % 8 ? values[random() % ARRAY_SIZE(values)] : big);
}

/* The guest's own frontend suffers from what it writes; the backend goes on, says little, and serves the guest's next kernel. */
static void test_hostile_front(void **state)
{
	u32 before = lines;

	srandom(5);
	hostile = true;
	for (int run = 0; run < 300; run++) {
		plug_back();
		plug_front();
		forget_watches(FRONT);
		for (int i = 0; i < 100; i++) {
			nonsense();
			while (random() % 3)
				random() % 2 ? deliver_event(BACK) : back_runs();
		}
		plug_front();
		front_dies();
		until_quiet();
		expect_works();
		remove_nodes();
		until_quiet();
		assert_false(probed || back_ring);
	}
	assert_true(lines - before < 300 * 3);
}

static void front_sees(const char *backend_state)
{
	put(BACK_PATH "/state", backend_state);
	while (deliver_event(FRONT) || front_runs())
		;
}

/* A backend that only ever begins and closes, with no time in between: the frontend makes a few rings for it, and then one a second. */
static void test_hostile_back(void **state)
{
	u32 before = lines, rings;

	hostile = true;
	plug_back();
	plug_front();
	for (int i = 0; i < 10; i++)
		deliver_event(FRONT);
	rings = rings_made;
	for (int i = 0; i < 1000; i++) {
		front_sees("2");
		front_sees("6");
	}
	assert_in_range(rings_made - rings, 1, 8);
	rings = rings_made;
	for (int second = 0; second < 20; second++) {
		clock_ns += NSEC_PER_SEC;
		for (int i = 0; i < 10; i++) {
			front_sees("2");
			front_sees("6");
		}
	}
	assert_in_range(rings_made - rings, 10, 21);
	assert_true(lines - before < 3);
	remove_nodes();
	until_quiet();
}

/* One that lets nothing go gets nothing more, and a person is told once. */
static void test_keeping_back(void **state)
{
	u32 before = lines, rings = rings_made;

	plug_back();
	plug_front();
	pages_kept = 401;
	until_quiet();
	assert_int_equal(rings_made, rings);
	assert_int_equal(lines - before, 1);
	pages_kept = 0;
	remove_nodes();
	until_quiet();
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(test_both_orders),
		CASE(test_unplug),
		CASE(test_unplug_unused),
		CASE(test_front_gives_up),
		CASE(test_back_gives_up),
		CASE(test_drivers_fail),
		CASE(test_connect_fails),
		CASE(test_foreign_frontend),
		CASE(test_removed_meanwhile),
		CASE(test_restarts),
		CASE(test_restart_while_connecting),
		CASE(test_faults),
		CASE(test_hostile_front),
		CASE(test_hostile_back),
		CASE(test_keeping_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
