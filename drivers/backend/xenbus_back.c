/* SPDX-License-Identifier: MIT */
/*
 * The backend's side of the state machine of abi/xenbus.md, for all devices, each type by a thread.
 *
 *	watch of backend/TYPE			a path with domid and number: make it if it is not known, look at it
 *						a shorter one: look at all there are
 *	watch of each frontend's state		look at that device
 *
 * Watches only mark and wake; the thread reads the states as they are now, so nothing depends on how many events there
 * were. A struct backend is made for each path that an event names, and dropped when there is no node with a frontend. A device goes
 *
 *	ours			when
 *	Initialising		probe() succeeded				-> InitWait
 *	InitWait		the frontend is Initialised or Connected: connect() -> Connected
 *	Connected		the frontend is Initialising again: disconnect() -> InitWait
 *	any			it is Closing					-> Closing
 *	any			it is Closed, or was connected and is gone: disconnect() -> Closed
 *	any			the toolstack wrote Closing: so are we, and wait for the frontend
 *	any			the toolstack wrote Initialising: the node was made anew, we begin anew
 *	Closed			the frontend is Initialising, online is not 0	-> InitWait
 *
 * A frontend that is Connected or closing when we probe talked to a backend that died before: that connection is lost with
 * what that one knew, and we are Closed until the frontend has seen it and begins anew.
 *
 * A device leaves Closed BURST times at once, then once a second: who comes again and again, since it cannot be connected or
 * to wear us out, gets no more of our time.
 *
 * Invariant: connect() and disconnect() take turns, between a probe() and its remove(). The list of a type and its marks are touched
 * with interrupts disabled; only the thread makes backends go, and all else of them is the thread's.
 *
 * All that is read of a frontend's directory is a hostile guest's: lengths are bounded by the buffers, numbers by the caller.
 */
#include <abi/errno.h>
#include <abi/xen.h>

#include "../../pvkernel/include/lib.h"
#include "../../pvkernel/include/mm.h"
#include "../../pvkernel/include/ops.h"
#include "../../pvkernel/include/sched.h"
#include "../../pvkernel/include/shell.h"
#include "../../pvkernel/include/time.h"
#include "xenbus_back.h"

#define TYPES 8
#define PATH 192
#define NAMES (16 * XENSTORE_PAYLOAD_MAX)
#define BURST 8				/* connections at once */
#define PAUSE NSEC_PER_SEC		/* then one in each */
#define MARK "hotplug-status"		/* the ABI's: "connected" when a device has been found for the node */

struct type {
	const struct backend_driver *driver;
	struct list backends;
	struct wait_queue marked;
	struct xs_watch watch;
	bool scan_wanted, restart_wanted;
	/* backend_for_each()'s, NULL when there is none to run. */
	void (*visit)(struct backend *b, void *arg);
	void *visit_arg;
};

static struct type types[TYPES];
static u32 nr_types;

static struct type *type_of(const struct backend *b)
{
	for (u32 i = 0; i < nr_types; i++) {
		if (types[i].driver == b->driver)
			return &types[i];
	}
	panic("a backend without a type");
}

static void mark(struct type *t, bool *flag)
{
	bool irq = irq_save();

	*flag = true;
	wake_up(&t->marked);
	irq_restore(irq);
}

static bool take(bool *flag)
{
	bool irq = irq_save(), was = *flag;

	*flag = false;
	irq_restore(irq);
	return was;
}

/* --- keys ----------------------------------------------------------------------------------------------------- */

static int join(char path[PATH], const char *directory, const char *key)
{
	return snprintf(path, PATH, "%s/%s", directory, key) < PATH ? 0 : -E2BIG;
}

static int read_at(const char *directory, const char *key, char *buf, size_t size)
{
	char path[PATH];
	int err = join(path, directory, key);

	return err ? err : xs_read(XS_NO_TX, path, buf, size);
}

int back_read(struct backend *b, const char *key, char *buf, size_t size)
{
	return read_at(b->path, key, buf, size);
}

int back_read_front(struct backend *b, const char *key, char *buf, size_t size)
{
	return read_at(b->frontend, key, buf, size);
}

/* Without a sign, without spaces, without a NUL in the middle. */
static int number(const char *text, int length, u64 max, u64 *value)
{
	if (length < 0)
		return length == -E2BIG ? -EINVAL : length;
	if (!length || strlen(text) != (size_t)length || !parse_u64(text, value))
		return -EINVAL;
	return *value > max ? -ERANGE : 0;
}

u64 back_read_u64(struct backend *b, const char *key, u64 otherwise)
{
	char text[24];
	u64 value;

	return number(text, back_read(b, key, text, sizeof(text)), ~0ul, &value) ? otherwise : value;
}

int back_read_front_u64(struct backend *b, const char *key, u64 max, u64 *value)
{
	char text[24];

	return number(text, back_read_front(b, key, text, sizeof(text)), max, value);
}

int back_write(struct backend *b, u32 tx, const char *key, const char *fmt, ...)
{
	char path[PATH], value[256];
	va_list ap;
	int n, err = join(path, b->path, key);

	va_start(ap, fmt);
	n = vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	if (err || n >= (int)sizeof(value))
		return -E2BIG;
	return xs_write(tx, path, value);
}

static bool first_time(struct backend *b, const char *fmt)
{
	for (u32 i = 0; i < b->nr_told; i++) {
		if (b->told[i] == fmt)
			return false;
	}
	if (b->nr_told == BACK_TOLD_MAX)
		return false;
	b->told[b->nr_told++] = fmt;
	return true;
}

/* Where the frontend is: 0, -ENOENT: there is no such node, -EINVAL: it points elsewhere than to its domain. */
static int read_frontend(struct backend *b, char front[sizeof(b->frontend)])
{
	char home[40];
	int n = back_read(b, "frontend", front, sizeof(b->frontend));
	size_t length = snprintf(home, sizeof(home), "/local/domain/%u/", b->domid);

	if (n == -E2BIG || (n > 0 && (strlen(front) != (size_t)n || strncmp(front, home, length))))
		return -EINVAL;
	return n > 0 ? 0 : -ENOENT;
}

static bool is_there(struct backend *b)
{
	char front[sizeof(b->frontend)];

	return read_frontend(b, front) != -ENOENT;
}

/* Keys are missing of a node that has just been removed, too: that is no error. */
void back_error(struct backend *b, int err, const char *fmt, ...)
{
	char text[160];
	va_list ap;

	if (!is_there(b))
		return;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (first_time(b, fmt))
		printf("%s: %s (error %d)\n", b->path, text, err);
	back_write(b, XS_NO_TX, "error", "%d %s", -err, text);
}

static void set_state(struct backend *b, u32 state)
{
	if (b->state == state)
		return;
	b->state = state;
	back_write(b, XS_NO_TX, "state", "%u", state);
}

/* --- the machine of a device ---------------------------------------------------------------------------------- */

static void disconnect(struct backend *b)
{
	bool was = b->connected;

	b->connected = false;
	if (was)
		b->driver->disconnect(b);
}

static void give_up(struct backend *b, int err)
{
	disconnect(b);
	if (err)
		back_error(b, err, "closed");
	set_state(b, XenbusStateClosing);
}

static bool is_online(struct backend *b)
{
	return back_read_u64(b, "online", 1) != 0;
}

static bool probe(struct backend *b)
{
	if (!is_online(b))
		return false;
	b->state = XenbusStateInitialising;
	b->probed = !b->driver->probe(b);
	return b->probed;
}

/* A node that is new to us, whatever its state says. */
static void begin(struct backend *b)
{
	u32 front = b->frontend_state;

	back_write(b, XS_NO_TX, MARK, "connected");
	if (!probe(b) || front == XenbusStateConnected || front == XenbusStateClosing || front == XenbusStateClosed)
		set_state(b, XenbusStateClosed);
	else
		set_state(b, XenbusStateInitWait);
}

static void connect(struct backend *b)
{
	if (b->driver->connect(b)) {
		set_state(b, XenbusStateClosing);
		return;
	}
	b->connected = true;
	set_state(b, XenbusStateConnected);
}

static void retry(void *arg)
{
	struct backend *b = arg;

	mark(type_of(b), &b->dirty);
}

/* A frontend that comes again and again does so at our pace. False: later. */
static bool take_token(struct backend *b)
{
	u64 t = now();

	if (t > BURST * PAUSE && b->tokens_from < t - BURST * PAUSE)
		b->tokens_from = t - BURST * PAUSE;
	if (b->tokens_from + PAUSE > t) {
		if (!b->retry.armed)
			timer_add(&b->retry, b->tokens_from + PAUSE);
		return false;
	}
	b->tokens_from += PAUSE;
	return true;
}

static void frontend_begins(struct backend *b)
{
	disconnect(b);
	if (b->state != XenbusStateInitWait && b->probed && is_online(b) && take_token(b))
		set_state(b, XenbusStateInitWait);
}

static void follow(struct backend *b)
{
	switch (b->frontend_state) {
	case XenbusStateUnknown:
		if (!b->connected && b->state != XenbusStateClosing)
			break;
		/* fall through */
	case XenbusStateClosed:
		disconnect(b);
		set_state(b, XenbusStateClosed);
		break;
	case XenbusStateInitialising:
		if (b->state != XenbusStateClosing || is_online(b))
			frontend_begins(b);
		else if (!b->connected)
			set_state(b, XenbusStateClosed);
		break;
	case XenbusStateInitialised:
	case XenbusStateConnected:
		if (b->state == XenbusStateInitWait)
			connect(b);
		break;
	case XenbusStateClosing:
		if (b->state != XenbusStateClosed)
			set_state(b, XenbusStateClosing);
		break;
	}
}

static void unbind(struct backend *b)
{
	disconnect(b);
	if (b->probed)
		b->driver->remove(b);
	b->probed = false;
	b->state = XenbusStateUnknown;
}

static bool has_mark(struct backend *b)
{
	char text[16];

	return back_read(b, MARK, text, sizeof(text)) >= 0;
}

/*
 * Only the toolstack writes our state besides ourselves: Closing wants the device away, Initialising is a node made anew. As
 * we may have written over the latter, our mark tells, too: it is not in a new node.
 */
static void obey_toolstack(struct backend *b)
{
	u64 written = back_read_u64(b, "state", b->state);

	if (b->state != XenbusStateUnknown && (written == XenbusStateInitialising || !has_mark(b)))
		unbind(b);
	else if (written == XenbusStateClosing && b->probed)
		b->state = XenbusStateClosing;
}

static void step(struct backend *b)
{
	u64 state;

	b->frontend_state = back_read_front_u64(b, "state", XenbusStateReconfigured, &state) ? XenbusStateUnknown : state;
	obey_toolstack(b);
	if (b->state == XenbusStateUnknown) {
		take(&b->want_close);
		begin(b);
	} else {
		if (take(&b->want_close))
			give_up(b, b->close_err);
		follow(b);
	}
}

/* --- devices come and go -------------------------------------------------------------------------------------- */

static void frontend_state_written(void *arg, const char *path)
{
	struct backend *b = arg;

	mark(type_of(b), &b->dirty);
}

static void watch_frontend(struct backend *b, bool on)
{
	char path[PATH];

	if (b->watched == on || join(path, b->frontend, "state"))
		return;
	if (!on)
		xs_unwatch(path, &b->watch);
	else if (xs_watch(path, &b->watch))
		return;
	b->watched = on;
}

/* True: nothing is left of the node, or the toolstack has made it anew. */
static bool try_tidy(struct backend *b)
{
	char path[PATH], names[64];
	u32 tx;

	if (join(path, b->path, "frontend") || xs_transaction_start(&tx))
		return true;
	if (xs_read(tx, path, names, sizeof(names)) != -ENOENT)
		return xs_transaction_end(tx, false), true;
	xs_rm(tx, b->path);
	snprintf(path, sizeof(path), "backend/%s/%u", b->driver->type, b->domid);
	if (!xs_directory(tx, path, names, sizeof(names)))
		xs_rm(tx, path);
	return xs_transaction_end(tx, true) != -EAGAIN;
}

/* What we wrote while the toolstack removed the node has made it again. */
static void tidy(struct backend *b)
{
	while (!is_there(b) && !try_tidy(b))
		;
}

static void drop(struct backend *b)
{
	bool irq;

	watch_frontend(b, false);
	unbind(b);
	irq = irq_save();
	timer_cancel(&b->retry);
	list_remove(&b->node);
	irq_restore(irq);
	kfree(b);
}

static void look(struct backend *b)
{
	char front[sizeof(b->frontend)];
	int err = read_frontend(b, front);

	if (err == -ENOENT) {
		drop(b);
		return;
	}
	if (err || (b->watched && strcmp(front, b->frontend))) {
		watch_frontend(b, false);
		unbind(b);
	}
	if (err) {
		if (first_time(b, b->path))
			printf("%s: the node `frontend` does not lie below its domain\n", b->path);
		return;
	}
	memcpy(b->frontend, front, sizeof(front));
	watch_frontend(b, true);
	step(b);
	tidy(b);
}

void backend_close(struct backend *b, int err)
{
	b->close_err = err;
	b->want_close = true;
	mark(type_of(b), &b->dirty);
}

/* Interrupts are disabled. */
static struct backend *find(struct type *t, u16 domid, u32 devid)
{
	list_for_each(node, &t->backends) {
		struct backend *b = list_entry(node, struct backend, node);

		if (b->domid == domid && b->devid == devid)
			return b;
	}
	return NULL;
}

/* The one of that number, made if need be, is to be looked at. */
static void found(struct type *t, u16 domid, u32 devid)
{
	bool irq = irq_save();
	struct backend *b = find(t, domid, devid);

	if (!b && (b = kmalloc(sizeof(*b)))) {
		b->driver = t->driver;
		b->domid = domid;
		b->devid = devid;
		snprintf(b->path, sizeof(b->path), "backend/%s/%u/%u", t->driver->type, domid, devid);
		b->watch = (struct xs_watch){ .fn = frontend_state_written, .arg = b };
		b->retry = (struct timer){ .fn = retry, .arg = b };
		list_insert_before(&t->backends, &b->node);
	}
	if (b)
		b->dirty = true;
	wake_up(&t->marked);
	irq_restore(irq);
}

/* The decimal number that text begins with, not above max, and where it ends; NULL: none. */
static const char *leading_number(const char *text, u64 max, u64 *value)
{
	const char *at = text;

	for (*value = 0; *at >= '0' && *at <= '9'; at++) {
		*value = *value * 10 + *at - '0';
		if (*value > max)
			return NULL;
	}
	return at == text || (*at && *at != '/') ? NULL : at;
}

static void backend_written(void *arg, const char *path)
{
	struct type *t = arg;
	char head[40];
	size_t n = snprintf(head, sizeof(head), "backend/%s/", t->driver->type);
	u64 domid, devid;
	const char *at;

	if (strncmp(path, head, n)) {
		mark(t, &t->scan_wanted);
		return;
	}
	at = leading_number(path + n, DOMID_FIRST_RESERVED - 1, &domid);
	if (at && !*at)
		mark(t, &t->scan_wanted);
	else if (at && leading_number(at + 1, 0xffffffff, &devid))
		found(t, domid, devid);
}

static void scan_domain(struct type *t, u16 domid, char *names)
{
	char path[PATH];
	u64 devid;
	int n;

	snprintf(path, sizeof(path), "backend/%s/%u", t->driver->type, domid);
	n = xs_directory(XS_NO_TX, path, names, NAMES);
	for (int at = 0; at < n; at += strlen(names + at) + 1) {
		if (leading_number(names + at, 0xffffffff, &devid))
			found(t, domid, devid);
	}
}

static void scan(struct type *t)
{
	char *domids = kmalloc(2 * NAMES), path[PATH];
	bool irq = irq_save();
	u64 domid;
	int n;

	list_for_each(node, &t->backends)
		list_entry(node, struct backend, node)->dirty = true;
	irq_restore(irq);
	if (!domids)
		return;
	snprintf(path, sizeof(path), "backend/%s", t->driver->type);
	n = xs_directory(XS_NO_TX, path, domids, NAMES);
	for (int at = 0; at < n; at += strlen(domids + at) + 1) {
		if (leading_number(domids + at, DOMID_FIRST_RESERVED - 1, &domid))
			scan_domain(t, domid, domids + NAMES);
	}
	kfree(domids);
}

static void restart(struct type *t)
{
	for (struct list *at = t->backends.next, *next; at != &t->backends; at = next) {
		next = at->next;
		drop(list_entry(at, struct backend, node));
	}
	scan(t);
}

static void visit_all(struct type *t)
{
	list_for_each(node, &t->backends)
		t->visit(list_entry(node, struct backend, node), t->visit_arg);
	t->visit = NULL;
	wake_up(&t->marked);
}

static struct backend *next_dirty(struct type *t)
{
	list_for_each(node, &t->backends) {
		struct backend *b = list_entry(node, struct backend, node);

		if (b->dirty)
			return b;
	}
	return NULL;
}

/* Waits; NULL: it is about all of them. Who was looked at goes to the end, so that one who keeps us busy is only one of many. */
static struct backend *next_work(struct type *t)
{
	bool irq = irq_save();
	struct backend *b = NULL;

	while (!t->scan_wanted && !t->restart_wanted && !t->visit && !(b = next_dirty(t)))
		wait_on(&t->marked);
	if (b) {
		b->dirty = false;
		list_remove(&b->node);
		list_insert_before(&t->backends, &b->node);
	}
	irq_restore(irq);
	return b;
}

static void work(struct type *t, struct backend *b)
{
	if (b)
		look(b);
	if (take(&t->restart_wanted))
		restart(t);
	if (take(&t->scan_wanted))
		scan(t);
	if (t->visit)
		visit_all(t);
}

static void backend_thread(void *arg)
{
	struct type *t = arg;
	char path[40];
	int err;

	snprintf(path, sizeof(path), "backend/%s", t->driver->type);
	err = xs_watch(path, &t->watch);
	if (err)
		printf("%s: cannot watch it, error %d\n", path, err);
	for (;;)
		work(t, next_work(t));
}

void backend_register(const struct backend_driver *driver)
{
	struct type *t = &types[nr_types];

	ASSERT(nr_types < TYPES);
	*t = (struct type){ .driver = driver, .watch = { .fn = backend_written, .arg = t } };
	list_init(&t->backends);
	list_init(&t->marked.waiters);
	nr_types++;
	if (!thread_create(driver->type, backend_thread, t))
		printf("backend/%s: no memory for its thread\n", driver->type);
}

static struct type *find_type(const char *name)
{
	for (u32 i = 0; i < nr_types; i++) {
		if (!strcmp(types[i].driver->type, name))
			return &types[i];
	}
	return NULL;
}

bool backend_restart(const char *name)
{
	struct type *t = find_type(name);

	if (t)
		mark(t, &t->restart_wanted);
	return t;
}

static int cmd_restart(int argc, char **argv)
{
	if (argc == 2 && backend_restart(argv[1]))
		return 0;
	printf(argc == 2 ? "backend-restart: %s: no such type of device\n" : "usage: backend-restart vbd|vif\n", argv[1]);
	return 1;
}
COMMAND_AS(backend_restart, "backend-restart", cmd_restart, "vbd|vif: as if its driver had died and come again");

void backend_for_each(const char *name, void (*fn)(struct backend *b, void *arg), void *arg)
{
	struct type *t = find_type(name);
	bool irq = irq_save();

	while (t && t->visit)
		wait_on(&t->marked);
	if (t) {
		t->visit_arg = arg;
		t->visit = fn;
		wake_up(&t->marked);
		while (t->visit == fn && t->visit_arg == arg)
			wait_on(&t->marked);
	}
	irq_restore(irq);
}

/* --- rings ---------------------------------------------------------------------------------------------------- */

int back_ring_map(struct backend *b, const u32 *refs, u32 count, struct ring_mapping *m)
{
	*m = (struct ring_mapping){ .count = count };
	if (!count || count > BACK_RING_PAGES)
		return -EINVAL;
	m->pages = gnttab_map_pages(b->domid, refs, count, false, m->handles);
	return m->pages ? 0 : -EFAULT;
}

void back_ring_unmap(struct ring_mapping *m)
{
	if (m->pages)
		gnttab_unmap_pages(m->pages, m->handles, m->count);
	m->pages = NULL;
}
