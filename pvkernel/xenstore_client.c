/* SPDX-License-Identifier: MIT */
/*
 * Requests to xenstore in C, and the thread that calls watches back.
 *
 *	watches		registered ones: path, the caller's struct, a number that is the token
 *	pending		events that wait for the thread
 *
 * Both lists are touched with interrupts disabled. At most PENDING_MAX events of a watch wait, however fast others write. One
 * more, or one for which there is no memory, marks its watch, which is then called with its own path: the caller looks at
 * everything anew, so nothing is missed.
 */
#include <abi/errno.h>

#include "lib.h"
#include "list.h"
#include "mm.h"
#include "ops.h"
#include "sched.h"
#include "xenstore.h"

#define DIRECTORY_TRIES 100
#define PENDING_MAX 64

struct registered {
	struct list node;
	const struct xs_watch *watch;
	u64 token;
	u32 waiting;			/* events of it in pending */
	bool all;			/* call it with its own path */
	char path[];
};

struct pending {
	struct list node;
	struct registered *to;
	char path[];
};

static struct list watches = LIST_INIT(watches), pending = LIST_INIT(pending);
static struct wait_queue changed = WAIT_QUEUE_INIT(changed);
static struct thread *watcher;
static struct registered *calling;	/* whose fn runs */
static u64 last_token;

/* --- requests --------------------------------------------------------------------------------- */

int xs_errno(const char *name)
{
	static const struct { const char *name; int err; } errors[] = {
		{ "EINVAL", EINVAL }, { "EACCES", EACCES }, { "EEXIST", EEXIST }, { "ENOENT", ENOENT },
		{ "ENOMEM", ENOMEM }, { "ENOSPC", ENOSPC }, { "EIO", EIO }, { "ENOSYS", ENOSYS }, { "EBUSY", EBUSY },
		{ "EAGAIN", EAGAIN }, { "EISCONN", EISCONN }, { "E2BIG", E2BIG }, { "EPERM", EPERM },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(errors); i++) {
		if (!strcmp(errors[i].name, name))
			return errors[i].err;
	}
	return EIO;
}

/* path NUL rest; the reply, with a NUL behind it, goes to buf, or nowhere if that is NULL. */
static int request(u32 type, u32 tx, const char *path, const void *rest, size_t length, char *buf, size_t size)
{
	size_t head = strlen(path) + 1;
	char *both;
	int n;

	if (head + length > XENSTORE_PAYLOAD_MAX)
		return -E2BIG;
	both = kmalloc(2 * XENSTORE_PAYLOAD_MAX + 1);
	if (!both)
		return -ENOMEM;
	memcpy(both, path, head);
	if (length)
		memcpy(both + head, rest, length);
	n = xs_exchange(type, tx, both, head + length, both + XENSTORE_PAYLOAD_MAX);
	if (n >= 0 && buf && (size_t)n >= size)
		n = -E2BIG;
	if (n >= 0 && buf)
		memcpy(buf, both + XENSTORE_PAYLOAD_MAX, n + 1);
	kfree(both);
	return n;
}

static int command(u32 type, u32 tx, const char *path, const void *rest, size_t length)
{
	int n = request(type, tx, path, rest, length, NULL, 0);

	return MIN(n, 0);
}

int xs_read(u32 tx, const char *path, char *buf, size_t size)
{
	return request(XS_READ, tx, path, NULL, 0, buf, size);
}

int xs_write_bytes(u32 tx, const char *path, const void *value, size_t length)
{
	return command(XS_WRITE, tx, path, value, length);
}

int xs_write(u32 tx, const char *path, const char *value)
{
	return xs_write_bytes(tx, path, value, strlen(value));
}

int xs_read_u64(u32 tx, const char *path, u64 *value)
{
	char text[32];
	int n = xs_read(tx, path, text, sizeof(text));

	if (n < 0)
		return n == -E2BIG ? -EINVAL : n;
	return strlen(text) == (size_t)n && parse_u64(text, value) ? 0 : -EINVAL;
}

int xs_mkdir(u32 tx, const char *path)
{
	return command(XS_MKDIR, tx, path, NULL, 0);
}

int xs_rm(u32 tx, const char *path)
{
	return command(XS_RM, tx, path, NULL, 0);
}

/* A list that is longer than a payload comes in parts; it is whole if no part saw another generation. */
static int directory_parts(u32 tx, const char *path, char *buf, size_t size)
{
	char *part = kmalloc(XENSTORE_PAYLOAD_MAX + 1);
	char first[24], offset[12];
	int used = 0, n = part ? 1 : -ENOMEM;

	while (n > 0) {
		int head, length = snprintf(offset, sizeof(offset), "%u", used) + 1;

		n = request(XS_DIRECTORY_PART, tx, path, offset, length, part, XENSTORE_PAYLOAD_MAX + 1);
		if (n < 0)
			break;
		head = strlen(part) + 1;
		if (head > (int)sizeof(first) || (used && strcmp(first, part))) {
			n = -EAGAIN;
			break;
		}
		memcpy(first, part, head);
		n -= head;
		if (n < 1 || used + n > (int)size) {
			n = n < 1 ? -EIO : -E2BIG;
			break;
		}
		memcpy(buf + used, part + head, n);
		used += n;
		/* An empty name is the end. */
		if (!buf[used - 1] && (used == 1 || !buf[used - 2])) {
			used--;
			n = 0;
		}
	}
	kfree(part);
	return n < 0 ? n : used;
}

int xs_directory(u32 tx, const char *path, char *buf, size_t size)
{
	int n = request(XS_DIRECTORY, tx, path, NULL, 0, buf, size);

	for (int i = 0; n == -E2BIG && size > XENSTORE_PAYLOAD_MAX && i < DIRECTORY_TRIES; i++) {
		n = directory_parts(tx, path, buf, size);
		if (n == -E2BIG)
			break;
		n = n == -EAGAIN ? -E2BIG : n;
	}
	return n;
}

int xs_get_perms(u32 tx, const char *path, char *buf, size_t size)
{
	return request(XS_GET_PERMS, tx, path, NULL, 0, buf, size);
}

int xs_set_perms(u32 tx, const char *path, const char *perms, size_t length)
{
	return command(XS_SET_PERMS, tx, path, perms, length);
}

int xs_transaction_start(u32 *tx)
{
	char id[16];
	u64 val;
	int n = request(XS_TRANSACTION_START, 0, "", NULL, 0, id, sizeof(id));

	if (n < 0)
		return n;
	if (!parse_u64(id, &val) || !val || val > ~0u)
		return -EIO;
	*tx = val;
	return 0;
}

int xs_transaction_end(u32 tx, bool commit)
{
	return command(XS_TRANSACTION_END, tx, commit ? "T" : "F", NULL, 0);
}

/* --- watches: interrupts are disabled where the lists are touched ------------------------------- */

static struct registered *find(const char *path, const struct xs_watch *w)
{
	list_for_each(at, &watches) {
		struct registered *r = list_entry(at, struct registered, node);

		if (r->watch == w && !strcmp(r->path, path))
			return r;
	}
	return NULL;
}

static struct registered *find_token(u64 token)
{
	list_for_each(at, &watches) {
		struct registered *r = list_entry(at, struct registered, node);

		if (r->token == token)
			return r;
	}
	return NULL;
}

void xs_watch_event(const char *path, const char *token)
{
	struct pending *p = kmalloc(sizeof(*p) + strlen(path) + 1);
	struct registered *r;
	u64 number;
	bool irq = irq_save();

	r = parse_u64(token, &number) ? find_token(number) : NULL;
	if (r && p && r->waiting < PENDING_MAX) {
		r->waiting++;
		p->to = r;
		memcpy(p->path, path, strlen(path) + 1);
		list_insert_before(&pending, &p->node);
		p = NULL;
	} else if (r) {
		r->all = true;
	}
	wake_up(&changed);
	irq_restore(irq);
	kfree(p);
}

/* A watch to be called, now `calling`; *p is its event, or NULL if it is to look at everything. */
static struct registered *next_call(struct pending **p)
{
	*p = NULL;
	if (!list_empty(&pending)) {
		*p = list_entry(pending.next, struct pending, node);
		list_remove(&(*p)->node);
		(*p)->to->waiting--;
		return (*p)->to;
	}
	list_for_each(at, &watches) {
		struct registered *r = list_entry(at, struct registered, node);

		if (r->all) {
			r->all = false;
			return r;
		}
	}
	return NULL;
}

static void call(struct registered *r, const char *path)
{
	r->watch->fn(r->watch->arg, path);
}

static void watch_thread(void *unused)
{
	cpu->irq_disable();
	for (;;) {
		struct pending *p;

		calling = next_call(&p);
		if (!calling) {
			wait_on(&changed);
			continue;
		}
		cpu->irq_enable();
		call(calling, p ? p->path : calling->path);
		kfree(p);
		cpu->irq_disable();
		calling = NULL;
		wake_up(&changed);
	}
}

static struct registered *add(const char *path, const struct xs_watch *w)
{
	struct registered *r = kmalloc(sizeof(*r) + strlen(path) + 1);
	bool irq = irq_save();

	if (!watcher)
		watcher = thread_create("xenwatch", watch_thread, NULL);
	if (r && watcher) {
		memcpy(r->path, path, strlen(path) + 1);
		r->watch = w;
		r->token = ++last_token;
		list_insert_before(&watches, &r->node);
	}
	irq_restore(irq);
	if (!watcher) {
		kfree(r);
		return NULL;
	}
	return r;
}

/* Out of the lists, with its events; then nobody calls it but who does already. */
static void drop(struct registered *r)
{
	bool irq = irq_save();

	list_remove(&r->node);
	for (struct list *at = pending.next, *next; at != &pending; at = next) {
		struct pending *p = list_entry(at, struct pending, node);

		next = at->next;
		if (p->to == r) {
			list_remove(&p->node);
			kfree(p);
		}
	}
	while (calling == r && thread_current() != watcher)
		wait_on(&changed);
	irq_restore(irq);
	kfree(r);
}

static int tell(u32 type, const struct registered *r)
{
	char token[24];
	int n = snprintf(token, sizeof(token), "%lu", r->token) + 1;

	return command(type, XS_NO_TX, r->path, token, n);
}

int xs_watch(const char *path, const struct xs_watch *w)
{
	struct registered *r;
	bool irq = irq_save(), used = find(path, w);
	int err;

	irq_restore(irq);
	if (used)
		return -EEXIST;
	r = add(path, w);
	if (!r)
		return -ENOMEM;
	err = tell(XS_WATCH, r);
	if (err)
		drop(r);
	return err;
}

int xs_unwatch(const char *path, const struct xs_watch *w)
{
	bool irq = irq_save();
	struct registered *r = find(path, w);
	int err;

	irq_restore(irq);
	if (!r)
		return -ENOENT;
	err = tell(XS_UNWATCH, r);
	drop(r);
	return err;
}
