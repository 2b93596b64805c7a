/* SPDX-License-Identifier: MIT */
/*
 * Watches. A point is a path that somebody watches; points are in a hash table by their path, so an event at a
 * path costs one look-up for each of its names, however many watches there are. The watches of a point are grouped by client.
 *
 *	point "/local/domain/5/device" --- watch, watch, watch ...
 *						 \
 *	client ------------------------------- watches, events waiting (watch, path)
 *
 * An event that waits already is not queued again: its receiver will look at the newest state anyway. When
 * EVENTS_MAX wait, or memory is out, the watch's own reserve stands for all that follow: "something changed at or below
 * what you watch". So no change goes unnoticed, and a client that never reads costs a bounded amount.
 */
#include "store.h"

#define BUCKETS 1024u

struct point {
	struct point *chain;
	struct list watches;
	u32 hash;
	char path[];
};

struct watch {
	struct list in_point, in_client;
	struct point *point;
	struct client *client;
	u32 skip;			/* the part of the point's path that the client did not send */
	u32 depth;			/* names below the path that still matter */
	bool reserve;			/* an event for the path itself waits, without a struct event */
	u32 charged;
	char token[];
};

struct event {
	struct list node;		/* in the client's */
	struct watch *watch;
	char path[];			/* absolute */
};

static struct point *points[BUCKETS];

/* --- points ----------------------------------------------------------------------------------- */

static u32 hash_byte(u32 h, char c)
{
	return (h ^ (u8)c) * 16777619u;
}

static u32 hash_path(const char *path, u32 length)
{
	u32 h = 2166136261u;

	for (u32 i = 0; i < length; i++)
		h = hash_byte(h, path[i]);
	return h;
}

static struct point *point_find(const char *path, u32 length, u32 hash)
{
	for (struct point *p = points[hash % BUCKETS]; p; p = p->chain) {
		if (p->hash == hash && !strncmp(p->path, path, length) && !p->path[length])
			return p;
	}
	return NULL;
}

static struct point *point_get(const char *path)
{
	u32 length = strlen(path), hash = hash_path(path, length);
	struct point *p = point_find(path, length, hash);

	if (p)
		return p;
	p = kmalloc(sizeof(*p) + length + 1);
	if (!p)
		return NULL;
	memcpy(p->path, path, length + 1);
	p->hash = hash;
	list_init(&p->watches);
	p->chain = points[hash % BUCKETS];
	points[hash % BUCKETS] = p;
	return p;
}

static void point_put(struct point *p)
{
	struct point **at = &points[p->hash % BUCKETS];

	if (!list_empty(&p->watches))
		return;
	while (*at != p)
		at = &(*at)->chain;
	*at = p->chain;
	kfree(p);
}

/* --- events ----------------------------------------------------------------------------------- */

static bool waits(const struct watch *w, const char *path)
{
	list_for_each(at, &w->client->events) {
		struct event *e = list_entry(at, struct event, node);

		if (e->watch == w && !strcmp(e->path, path))
			return true;
	}
	return false;
}

static void queue(struct watch *w, const char *path)
{
	struct client *c = w->client;
	u32 length = strlen(path);
	struct event *e = NULL;

	if (w->reserve || waits(w, path))
		return;
	if (c->nr_events < EVENTS_MAX)
		e = kmalloc(sizeof(*e) + length + 1);
	if (e) {
		e->watch = w;
		memcpy(e->path, path, length + 1);
		list_insert_before(&c->events, &e->node);
		c->nr_events++;
	} else {
		w->reserve = true;
	}
	if (c->wake)
		c->wake(c);
}

static void event_drop(struct client *c, struct event *e)
{
	list_remove(&e->node);
	c->nr_events--;
	kfree(e);
}

bool watch_events_pending(const struct client *c)
{
	if (!list_empty(&c->events))
		return true;
	list_for_each(at, &c->watches) {
		if (list_entry(at, struct watch, in_client)->reserve)
			return true;
	}
	return false;
}

static u32 print_event(const struct watch *w, const char *path, char *payload)
{
	u32 n = strlen(path + w->skip) + 1, token = strlen(w->token) + 1;

	memcpy(payload, path + w->skip, n);
	memcpy(payload + n, w->token, token);
	return n + token;
}

u32 watch_take_event(struct client *c, char *payload)
{
	u32 length;

	if (!list_empty(&c->events)) {
		struct event *e = list_entry(c->events.next, struct event, node);

		length = print_event(e->watch, e->path, payload);
		event_drop(c, e);
		return length;
	}
	list_for_each(at, &c->watches) {
		struct watch *w = list_entry(at, struct watch, in_client);

		if (w->reserve) {
			w->reserve = false;
			return print_event(w, w->point->path, payload);
		}
	}
	return 0;
}

/* --- watches ---------------------------------------------------------------------------------- */

static struct watch *watch_find(struct client *c, const char *path, const char *token)
{
	list_for_each(at, &c->watches) {
		struct watch *w = list_entry(at, struct watch, in_client);

		if (!strcmp(w->point->path, path) && !strcmp(w->token, token))
			return w;
	}
	return NULL;
}

static void watch_drop(struct watch *w)
{
	struct client *c = w->client;

	for (struct list *at = c->events.next, *next; at != &c->events; at = next) {
		struct event *e = list_entry(at, struct event, node);

		next = at->next;
		if (e->watch == w)
			event_drop(c, e);
	}
	list_remove(&w->in_client);
	list_remove(&w->in_point);
	point_put(w->point);
	client_uncharge(c, w->charged);
	c->nr_watches--;
	kfree(w);
}

/* Beside another watch of the same client, so that its permissions are asked once for all of them. */
static void put_in_point(struct point *p, struct watch *w)
{
	struct list *before = &p->watches;

	list_for_each(at, &p->watches) {
		if (list_entry(at, struct watch, in_point)->client == w->client)
			before = at->next;
	}
	list_insert_before(before, &w->in_point);
	w->point = p;
}

static int watch_new(struct client *c, const char *path, const char *token, struct watch **w)
{
	u32 bytes = sizeof(**w) + strlen(token) + 1, charge = bytes + sizeof(struct point) + strlen(path);
	struct point *p;

	if (client_charge(c, charge))
		return -E2BIG;
	*w = kmalloc(bytes);
	p = *w ? point_get(path) : NULL;
	if (!p) {
		kfree(*w);
		client_uncharge(c, charge);
		return -ENOMEM;
	}
	memcpy((*w)->token, token, strlen(token));
	(*w)->charged = charge;
	(*w)->client = c;
	put_in_point(p, *w);
	list_insert_before(&c->watches, &(*w)->in_client);
	c->nr_watches++;
	return 0;
}

int watch_add(struct client *c, const char *sent, const char *token, u32 depth)
{
	static path_t path;
	struct watch *w;
	u32 skip;
	int err = path_resolve(sent, c->domid, path, &skip);

	/* An event is the path and the token in one payload. */
	if (err || strlen(token) > XENSTORE_PAYLOAD_MAX - XENSTORE_ABS_PATH_MAX - 2)
		return -EINVAL;
	if (watch_find(c, path, token))
		return -EEXIST;
	if (client_limited(c) && c->nr_watches >= QUOTA_WATCHES)
		return -E2BIG;
	err = watch_new(c, path, token, &w);
	if (err)
		return err;
	w->skip = skip;
	w->depth = depth;
	queue(w, path);
	return 0;
}

int watch_remove(struct client *c, const char *sent, const char *token)
{
	static path_t path;
	struct watch *w;
	u32 skip;

	if (path_resolve(sent, c->domid, path, &skip))
		return -ENOENT;
	w = watch_find(c, path, token);
	if (!w)
		return -ENOENT;
	watch_drop(w);
	return 0;
}

void watch_drop_all(struct client *c)
{
	while (!list_empty(&c->watches))
		watch_drop(list_entry(c->watches.next, struct watch, in_client));
}

/* --- firing ----------------------------------------------------------------------------------- */

/* Who can read a node, could before, or can read its parent, may know that it changed. */
static bool permitted(const struct client *c, const struct node *n, const struct xs_perms *before)
{
	return perms_access(&n->perms, c) & ACCESS_READ || (before && perms_access(before, c) & ACCESS_READ) ||
	       (n->parent && perms_access(&n->parent->perms, c) & ACCESS_READ);
}

static void fire_point(struct point *p, const char *path, u32 below, const struct node *n, const struct xs_perms *before)
{
	const struct client *last = NULL;
	bool allowed = false;

	list_for_each(at, &p->watches) {
		struct watch *w = list_entry(at, struct watch, in_point);

		if (w->client != last) {
			last = w->client;
			allowed = permitted(last, n, before);
		}
		if (allowed && below <= w->depth)
			queue(w, path);
	}
}

static void fire_prefix(const char *path, u32 length, u32 hash, const struct node *n, const struct xs_perms *before)
{
	struct point *p = point_find(path, length, hash);
	u32 below = 0;

	if (!p)
		return;
	if (length == 1 && path[0] == '/')
		below = path[1] != 0;
	for (const char *s = path + length; *s; s++)
		below += *s == '/';
	fire_point(p, path, below, n, before);
}

void watch_fire(const char *path, const struct node *n, const struct xs_perms *before)
{
	u32 h = 2166136261u, i = 0;

	do {
		h = hash_byte(h, path[i++]);
		if (i == 1 ? path[0] == '/' : path[i] == '/' || !path[i])
			fire_prefix(path, i, h, n, before);
	} while (path[i]);
}

void watch_fire_removal(struct node *top)
{
	static path_t path;
	u32 length = node_path(top, path);

	watch_fire(path, top, NULL);
	for (struct node *n = node_next(top, top); n; n = node_next(top, n)) {
		struct point *p;

		length = node_path(n, path);
		p = point_find(path, length, hash_path(path, length));
		if (p)
			fire_point(p, path, 0, n, NULL);
	}
}

/* To who watches the name itself, or the name and this domain; with depth 1 the domain is in the event. */
void watch_fire_special(const char *name, u16 domid)
{
	char with_domid[32];
	struct node *n = node_root(name);
	u32 length = strlen(name), whole = snprintf(with_domid, sizeof(with_domid), "%s/%u", name, domid);
	struct point *p = point_find(name, length, hash_path(name, length));

	if (p) {
		list_for_each(at, &p->watches) {
			struct watch *w = list_entry(at, struct watch, in_point);

			if (permitted(w->client, n, NULL))
				queue(w, w->depth == 1 ? with_domid : name);
		}
	}
	p = point_find(with_domid, whole, hash_path(with_domid, whole));
	if (p)
		fire_point(p, with_domid, 0, n, NULL);
}
