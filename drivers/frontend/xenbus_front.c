/* SPDX-License-Identifier: MIT */
/*
 * The frontend's side of the state machine of abi/xenbus.md, for all devices, by one thread.
 *
 *	watch of "device"		a node that is not known: look at all of device/; one that is: look at it
 *	watch of each backend's state	look at that device
 *
 * Watches only mark and wake; the thread reads the states as they are now, so nothing depends on how many events there
 * were. A device goes round
 *
 *	ours			when the backend is
 *	Initialising		InitWait: publish()			-> Initialised, or Connected
 *	Initialised/Connected	Connected: we say so, then connected()	-> Connected
 *	either			Closing, Closed, gone, or starting anew though it was Connected: disconnected() -> Closed
 *	Closed			Closed and still online, or gone	-> Initialising
 *
 * From Closed we start anew only when the backend is Closed, too (or its node is gone): it cannot take our old rings for the new ones
 * then, whatever states each side missed. For the same reason Connected is written before work begins: a backend that starts anew
 * takes rings of a frontend that is Initialised, since nobody has answered anything in them yet, and refuses those of one that is Connected.
 * `online` 0 is a toolstack that takes the device away: we stay Closed. Only we write our
 * state, but for a toolstack that makes the device anew: if it says Initialising and we did not write that, we begin anew.
 *
 * A device connects BURST times at once, then once a second, and not while backends keep more than a KEPT_PART of our memory from
 * connections before: so one that comes and goes and lets nothing go takes neither our time nor our memory.
 *
 * Invariant: publish() and disconnected() take turns; connected() is between them. Nothing is locked: but for the marks, which
 * are set with interrupts disabled, all is the thread's.
 */
#include <abi/errno.h>

#include "../../pvkernel/include/gnttab.h"
#include "../../pvkernel/include/lib.h"
#include "../../pvkernel/include/mm.h"
#include "../../pvkernel/include/ops.h"
#include "../../pvkernel/include/sched.h"
#include "../../pvkernel/include/time.h"
#include "xenbus_front.h"

#define DRIVERS 8
#define PATH 192
#define NAMES XENSTORE_PAYLOAD_MAX
#define KEYS 4096
#define PUBLISHING 0xffffffffu		/* the tx of publish(): keys are collected */
#define TRIES 100
#define BURST 8				/* connections at once */
#define PAUSE NSEC_PER_SEC		/* then one in each */
#define KEPT_PART 16

static const struct frontend_driver *drivers[DRIVERS];
static u32 nr_drivers;
static struct list frontends = LIST_INIT(frontends);
static struct wait_queue marked = WAIT_QUEUE_INIT(marked);
static bool scan_wanted;

static void mark(bool *flag)
{
	bool irq = irq_save();

	*flag = true;
	wake_up(&marked);
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

/* "key NUL value NUL" behind the others. */
static int collect(struct frontend *f, const char *key, const char *value)
{
	u32 n = strlen(key) + strlen(value) + 2;

	if (!f->keys || f->keys_used + n > KEYS)
		return -E2BIG;
	f->keys_used += snprintf(f->keys + f->keys_used, KEYS - f->keys_used, "%s%c%s", key, 0, value) + 1;
	return 0;
}

static int write_key(struct frontend *f, u32 tx, const char *key, const char *value)
{
	char path[PATH];

	snprintf(path, sizeof(path), "%s/%s", f->path, key);
	return xs_write(tx, path, value);
}

int front_write(struct frontend *f, u32 tx, const char *key, const char *fmt, ...)
{
	char value[128];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof(value))
		return -E2BIG;
	return tx == PUBLISHING ? collect(f, key, value) : write_key(f, tx, key, value);
}

int front_read(struct frontend *f, const char *key, char *buf, size_t size)
{
	char path[PATH];

	snprintf(path, sizeof(path), "%s/%s", f->backend, key);
	return xs_read(XS_NO_TX, path, buf, size);
}

int front_read_own(struct frontend *f, const char *key, char *buf, size_t size)
{
	char path[PATH];

	snprintf(path, sizeof(path), "%s/%s", f->path, key);
	return xs_read(XS_NO_TX, path, buf, size);
}

u64 front_read_u64(struct frontend *f, const char *key, u64 otherwise)
{
	char text[32];
	u64 value;

	return front_read(f, key, text, sizeof(text)) > 0 && parse_u64(text, &value) ? value : otherwise;
}

static int set_state(struct frontend *f, u32 state)
{
	if (f->state == state)
		return 0;
	f->state = state;
	return front_write(f, XS_NO_TX, "state", "%u", state);
}

static void tell_error(struct frontend *f, int err)
{
	char path[PATH], text[64];

	printf("%s: given up, error %d\n", f->path, err);
	snprintf(path, sizeof(path), "error/%s/error", f->path);
	snprintf(text, sizeof(text), "%d given up", -err);
	xs_write(XS_NO_TX, path, text);
}

/* --- the machine of a device ---------------------------------------------------------------------------------- */

static void disconnect(struct frontend *f)
{
	bool was = f->published;

	f->published = f->connected = false;
	if (was)
		f->driver->disconnected(f);
}

static void give_up(struct frontend *f, int err)
{
	disconnect(f);
	f->closed = true;
	if (err)
		tell_error(f, err);
	set_state(f, XenbusStateClosing);
}

/* The collected keys and the state; everything is as it was when this fails. */
static int write_collected(struct frontend *f)
{
	const char *end = f->keys + f->keys_used;
	char state[4];
	u32 tx;
	int err = -EAGAIN;

	snprintf(state, sizeof(state), "%u", f->driver->published_state);
	for (int i = 0; err == -EAGAIN && i < TRIES; i++) {
		err = xs_transaction_start(&tx);
		if (err)
			return err;
		for (const char *key = f->keys; !err && key < end; ) {
			const char *value = key + strlen(key) + 1;

			err = write_key(f, tx, key, value);
			key = value + strlen(value) + 1;
		}
		err = err ? err : write_key(f, tx, "state", state);
		if (err)
			xs_transaction_end(tx, false);
		else
			err = xs_transaction_end(tx, true);
	}
	return err;
}

static void publish(struct frontend *f)
{
	int err;

	f->keys = kmalloc(KEYS);
	f->keys_used = 0;
	err = gnttab_deferred() > pages_total() / KEPT_PART ? -EBUSY : f->keys ? f->driver->publish(f, PUBLISHING) : -ENOMEM;
	if (!err) {
		f->published = true;
		err = write_collected(f);
	}
	kfree(f->keys);
	f->keys = NULL;
	if (err)
		give_up(f, err);
	else
		f->state = f->driver->published_state;
}

static void backend_connected(struct frontend *f, bool told)
{
	int err;

	if (f->connected) {
		if (told && f->driver->changed)
			f->driver->changed(f);
		return;
	}
	f->connected = true;
	err = set_state(f, XenbusStateConnected);
	err = err ? err : f->driver->connected(f);
	if (err)
		give_up(f, err);
}

/* The backend is Closed or has no node. */
static void backend_closed(struct frontend *f)
{
	disconnect(f);
	if (f->closed || (f->backend_state && !front_read_u64(f, "online", 1)))
		set_state(f, XenbusStateClosed);
	else if (f->state != XenbusStateInitialising) {
		set_state(f, XenbusStateClosed);
		set_state(f, XenbusStateInitialising);
	}
}

/* What our node says: another kernel's, before us, or a toolstack's that made the device anew. */
static u32 written_state(struct frontend *f)
{
	char text[4];

	return front_read_own(f, "state", text, sizeof(text)) == 1 && text[0] >= '0' && text[0] <= '8' ? text[0] - '0' : XenbusStateUnknown;
}

static void begin_later(void *arg)
{
	struct frontend *f = arg;

	mark(&f->dirty);
}

/* A backend that comes again and again does so at our pace. False: later. */
static bool take_token(struct frontend *f)
{
	u64 t = now(), latest = t + (BURST - 1) * PAUSE;

	f->paid_until = MAX(f->paid_until, t);
	if (f->paid_until > latest) {
		if (!f->retry.armed)
			timer_add(&f->retry, t + f->paid_until - latest);
		return false;
	}
	f->paid_until += PAUSE;
	return true;
}

/* It begins: perhaps anew, and then it has to see that we are Closed before we publish again. */
static void backend_begins(struct frontend *f)
{
	if (f->connected || (f->state != XenbusStateInitialising && !f->published)) {
		disconnect(f);
		set_state(f, XenbusStateClosed);
	} else if (!f->published && f->backend_state == XenbusStateInitWait && take_token(f)) {
		publish(f);
	}
}

static void step(struct frontend *f, bool told)
{
	if (f->state != XenbusStateInitialising && written_state(f) == XenbusStateInitialising) {
		disconnect(f);
		f->closed = false;
		f->state = XenbusStateInitialising;
	}
	f->backend_state = front_read_u64(f, "state", XenbusStateUnknown);
	switch (f->backend_state) {
	case XenbusStateUnknown:
	case XenbusStateClosed:
		backend_closed(f);
		break;
	case XenbusStateInitialising:
	case XenbusStateInitWait:
		if (!f->closed)
			backend_begins(f);
		else
			set_state(f, XenbusStateClosed);
		break;
	case XenbusStateConnected:
		if (f->published)
			backend_connected(f, told);
		else if (f->state != XenbusStateClosed)	/* another frontend's connection, of before us, or given up */
			set_state(f, XenbusStateClosing);
		break;
	case XenbusStateClosing:
		disconnect(f);
		set_state(f, XenbusStateClosed);
		break;
	}
}

void frontend_close(struct frontend *f, int err)
{
	f->close_err = err;
	f->want_close = true;
	mark(&f->dirty);
}

static void look(struct frontend *f)
{
	if (!take(&f->dirty))
		return;
	if (take(&f->want_close) && !f->closed)
		give_up(f, f->close_err);
	step(f, take(&f->told));
}

/* --- devices come and go -------------------------------------------------------------------------------------- */

static void backend_state_written(void *arg, const char *path)
{
	struct frontend *f = arg;

	f->told = true;
	mark(&f->dirty);
}

static struct frontend *find(const char *path)
{
	list_for_each(node, &frontends) {
		struct frontend *f = list_entry(node, struct frontend, node);

		if (!strcmp(f->path, path))
			return f;
	}
	return NULL;
}

static bool read_backend(const char *path, char *backend, size_t size, u16 *id)
{
	char key[PATH];
	u64 domid;

	snprintf(key, sizeof(key), "%s/backend-id", path);
	if (xs_read_u64(XS_NO_TX, key, &domid) < 0 || domid > 0x7fef)
		return false;
	*id = domid;
	snprintf(key, sizeof(key), "%s/backend", path);
	return xs_read(XS_NO_TX, key, backend, size) > 0;
}

static void watch_backend(struct frontend *f, bool on)
{
	char path[PATH];
	int err;

	snprintf(path, sizeof(path), "%s/state", f->backend);
	err = on ? xs_watch(path, &f->watch) : xs_unwatch(path, &f->watch);
	if (on && err)
		printf("%s: its backend cannot be watched, error %d\n", f->path, err);
}

static void add(const struct frontend_driver *driver, const char *path)
{
	struct frontend *f = kmalloc(sizeof(*f));
	bool irq;

	if (!f || !read_backend(path, f->backend, sizeof(f->backend), &f->backend_id)) {
		kfree(f);
		return;
	}
	f->driver = driver;
	snprintf(f->path, sizeof(f->path), "%s", path);
	f->state = written_state(f);
	f->watch = (struct xs_watch){ .fn = backend_state_written, .arg = f };
	f->retry = (struct timer){ .fn = begin_later, .arg = f };
	f->dirty = true;
	irq = irq_save();
	list_insert_before(&frontends, &f->node);
	irq_restore(irq);
	watch_backend(f, true);
}

static void drop(struct frontend *f)
{
	bool irq;

	watch_backend(f, false);
	disconnect(f);
	irq = irq_save();
	timer_cancel(&f->retry);
	list_remove(&f->node);
	irq_restore(irq);
	f->driver->removed(f);
	kfree(f);
}

/* Nodes without a backend yet are looked at again when they change. */
static void scan_type(const struct frontend_driver *driver, char *names)
{
	char path[sizeof(((struct frontend *)0)->path)];
	int n;

	snprintf(path, sizeof(path), "device/%s", driver->type);
	n = xs_directory(XS_NO_TX, path, names, NAMES);
	for (int at = 0; at < n; at += strlen(names + at) + 1) {
		if (snprintf(path, sizeof(path), "device/%s/%s", driver->type, names + at) < (int)sizeof(path) && !find(path))
			add(driver, path);
	}
}

/* The node is gone, or is another's device now. */
static bool is_gone(const struct frontend *f)
{
	char backend[sizeof(f->backend)];
	u16 id;

	return !read_backend(f->path, backend, sizeof(backend), &id) || id != f->backend_id || strcmp(backend, f->backend);
}

static void scan(void)
{
	char *names = kmalloc(NAMES);

	for (struct list *at = frontends.next, *next; at != &frontends; at = next) {
		struct frontend *f = list_entry(at, struct frontend, node);

		next = at->next;
		if (is_gone(f))
			drop(f);
		else
			f->dirty = true;
	}
	for (u32 i = 0; names && i < nr_drivers; i++)
		scan_type(drivers[i], names);
	kfree(names);
}

/* Is path a key of a device that we know? Then it is ours or of no interest, unless it tells of its end. Interrupts are disabled. */
static bool is_known_key(const char *path)
{
	list_for_each(node, &frontends) {
		struct frontend *f = list_entry(node, struct frontend, node);
		size_t n = strlen(f->path);

		if (!strncmp(f->path, path, n) && path[n] == '/' && strcmp(path + n, "/backend"))
			return true;
	}
	return false;
}

static void device_written(void *unused, const char *path)
{
	bool irq = irq_save(), known = is_known_key(path);

	irq_restore(irq);
	if (!known)
		mark(&scan_wanted);
}

static struct frontend *next_dirty(void)
{
	list_for_each(node, &frontends) {
		struct frontend *f = list_entry(node, struct frontend, node);

		if (f->dirty)
			return f;
	}
	return NULL;
}

/* Waits; NULL: scan. */
static struct frontend *next_work(void)
{
	bool irq = irq_save();
	struct frontend *f = NULL;

	while (!scan_wanted && !(f = next_dirty()))
		wait_on(&marked);
	irq_restore(irq);
	return f;
}

static void work(struct frontend *f)
{
	if (take(&scan_wanted))
		scan();
	else if (f)
		look(f);
}

static void frontend_thread(void *unused)
{
	static const struct xs_watch devices = { .fn = device_written };
	int err = xs_watch("device", &devices);

	if (err)
		printf("xenbus: no devices: cannot watch them, error %d\n", err);
	for (;;)
		work(next_work());
}

void frontend_register(const struct frontend_driver *driver)
{
	ASSERT(nr_drivers < DRIVERS);
	drivers[nr_drivers++] = driver;
	mark(&scan_wanted);
}

void frontends_init(void)
{
	if (!thread_create("frontends", frontend_thread, NULL))
		printf("xenbus: no devices: no memory for their thread\n");
}

/* --- rings ---------------------------------------------------------------------------------------------------- */

static void *map_ring(const u64 *pfns, u32 count)
{
	u64 mfns[16];

	if (count == 1)
		return pfn_to_virt(pfns[0]);
	for (u32 i = 0; i < count; i++)
		mfns[i] = pfn_to_mfn(pfns[i]);
	return vmap_mfns(mfns, count, PROT_WRITE);
}

void *front_ring_create(struct frontend *f, u32 order, u32 *refs)
{
	u32 count = 1u << order, got = 0;
	u64 pfns[16];
	void *pages = NULL;

	if (order > 4)
		return NULL;
	for (; got < count; got++) {
		pfns[got] = page_alloc();
		if (pfns[got] == NO_PAGE)
			break;
		memset(pfn_to_virt(pfns[got]), 0, PAGE_SIZE);
		refs[got] = gnttab_grant(f->backend_id, pfns[got], false);
		if (refs[got] == GRANT_NONE) {
			page_free(pfns[got]);
			break;
		}
	}
	if (got == count)
		pages = map_ring(pfns, count);
	while (!pages && got--)
		gnttab_end_page(refs[got], pfns[got]);
	return pages;
}

static u64 ring_pfn(const char *page)
{
	return mfn_to_pfn((*pt_lookup((u64)page) & PTE_ADDR_MASK) >> PAGE_SHIFT);
}

void front_ring_destroy(void *pages, u32 order, const u32 *refs)
{
	u32 count = 1u << order;
	u64 pfns[16];

	for (u32 i = 0; i < count; i++)
		pfns[i] = ring_pfn((char *)pages + i * PAGE_SIZE);
	if (count > 1)
		vunmap(pages);
	for (u32 i = 0; i < count; i++)
		gnttab_end_page(refs[i], pfns[i]);
}
