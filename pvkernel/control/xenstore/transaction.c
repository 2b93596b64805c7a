/* SPDX-License-Identifier: MIT */
/*
 * Transactions. Each has a second, sparse tree over the real one: a shadow for every path that it has looked at or
 * changed, and for their parents.
 *
 *	THROUGH		the node below is what the transaction sees
 *	OWN		`own` is what it sees: written or created here
 *	GONE		it sees nothing: removed here
 *
 * detached: at some time this path was removed here, so real nodes below it are not seen either. seen: what has
 * been looked at, with the generations there were (0: no node). A transaction may commit if all of these still hold;
 * then its changes are as if it had happened at this moment. Until then it may see a mixture of times, and fail.
 *
 * A change outside transactions is one that starts, changes and commits at once. So quotas, accounts and events
 * are the business of commit alone: it checks everything, then acts, and nothing in the second half can fail.
 */
#include "store.h"

enum shadow_state { THROUGH, OWN, GONE };

#define SEEN_SELF 1
#define SEEN_CHILDREN 2

struct shadow {
	struct shadow *parent;
	struct list siblings, children;
	enum shadow_state state;
	bool detached;
	bool named;			/* a request changed this very path, so its watchers are told; not a parent made on the way */
	bool hidden;			/* scratch of commit: a parent is detached */
	u8 seen;
	u64 seen_self, seen_children;
	struct node *own;		/* OWN */
	struct node *base;		/* scratch of commit: the real node of this path */
	u32 name_length;
	char name[];
};

struct transaction {
	struct list node;		/* in the client's */
	struct client *client;
	u32 id;				/* 0: one that commits at once and so need not remember what it saw */
	u32 accessed;
	u32 charged;			/* bytes, to the client */
	bool failed;			/* a change here was left half done for want of memory or quota */
	bool stale;			/* it has seen two states of one place */
	u64 changes;			/* generation of the last one here */
	struct shadow *root;		/* of "/"; the special paths are no part of transactions */
};

/* Where a path leads in a view. hidden: a parent is detached, so base is NULL whatever the tree has there. */
struct place {
	struct node *base;
	struct shadow *shadow;
	bool hidden;
};

static const struct node *visible(const struct place *p)
{
	return p->shadow && p->shadow->state != THROUGH ? p->shadow->own : p->base;
}

/* --- shadows ---------------------------------------------------------------------------------- */

static struct shadow *shadow_child(struct shadow *s, const char *name, u32 length)
{
	if (!s)
		return NULL;
	list_for_each(at, &s->children) {
		struct shadow *c = list_entry(at, struct shadow, siblings);

		if (c->name_length == length && !memcmp(c->name, name, length))
			return c;
	}
	return NULL;
}

static int shadow_new(struct transaction *tx, struct shadow *parent, const char *name, u32 length, struct shadow **s)
{
	u32 bytes = sizeof(**s) + length;
	int err = client_charge(tx->client, bytes);

	if (err)
		return err;
	*s = kmalloc(bytes);
	if (!*s) {
		client_uncharge(tx->client, bytes);
		return -ENOMEM;
	}
	tx->charged += bytes;
	list_init(&(*s)->siblings);
	list_init(&(*s)->children);
	(*s)->parent = parent;
	(*s)->name_length = length;
	memcpy((*s)->name, name, length);
	if (parent)
		list_insert_before(&parent->children, &(*s)->siblings);
	return 0;
}

static struct shadow *shadow_next(const struct shadow *top, struct shadow *s, bool below)
{
	if (below && !list_empty(&s->children))
		return list_entry(s->children.next, struct shadow, siblings);
	for (; s != top; s = s->parent) {
		if (s->siblings.next != &s->parent->children)
			return list_entry(s->siblings.next, struct shadow, siblings);
	}
	return NULL;
}

static void free_shadows(struct transaction *tx)
{
	struct shadow *s = tx->root, *up;

	for (; s; s = up) {
		while (!list_empty(&s->children))
			s = list_entry(s->children.next, struct shadow, siblings);
		up = s->parent;
		list_remove(&s->siblings);
		node_free(s->own);
		kfree(s);
	}
	client_uncharge(tx->client, tx->charged);
}

/* --- walking ---------------------------------------------------------------------------------- */

static struct place place_of_root(const char *path, struct transaction *tx)
{
	return (struct place){ .base = node_root(path), .shadow = tx && path[0] == '/' ? tx->root : NULL };
}

static void step(struct place *p, const char *name, u32 length)
{
	p->hidden |= p->shadow && p->shadow->detached;
	p->base = p->base && !p->hidden ? node_child(p->base, name, length) : NULL;
	p->shadow = shadow_child(p->shadow, name, length);
}

/* The same, and there is a shadow afterwards. */
static int step_with_shadow(struct transaction *tx, struct place *p, const char *name, u32 length)
{
	struct shadow *parent = p->shadow;

	step(p, name, length);
	return p->shadow ? 0 : shadow_new(tx, parent, name, length, &p->shadow);
}

/* path, and in *above the last place before it that can be seen, whose path is the first *length bytes. */
static struct place place_find(const struct view *v, const char *path, struct place *above, u32 *length)
{
	struct place p = place_of_root(path, v->tx);
	const char *name, *rest = path;
	u32 n;

	*above = p;
	*length = 1;
	while (*path == '/' && (name = path_name(&rest, &n))) {
		step(&p, name, n);
		if (!*rest || !visible(&p))
			continue;
		*above = p;
		*length = rest - path;
	}
	return p;
}

static int find_with_shadow(struct transaction *tx, const char *path, struct place *p)
{
	const char *name;
	u32 length;
	int err = 0;

	*p = place_of_root(path, tx);
	while (!err && (name = path_name(&path, &length)))
		err = step_with_shadow(tx, p, name, length);
	return err;
}

/*
 * The transaction depends on what is at this place now, unless that is its own work. A place that is not what it was
 * at the first look has changed for good, even if it changes back: absence has no generation.
 */
static int see(struct transaction *tx, struct place *p, u8 what)
{
	u64 self = p->base ? p->base->generation : 0, children = p->base ? p->base->children_generation : 0;
	struct shadow *s = p->shadow;

	if (p->hidden || s->detached)
		return 0;
	if (s->state != THROUGH)
		what &= ~SEEN_SELF;
	if ((what & s->seen & SEEN_SELF && s->seen_self != self) || (what & s->seen & SEEN_CHILDREN && s->seen_children != children))
		tx->stale = true;
	what &= ~s->seen;
	if (what && !s->seen && client_limited(tx->client) && tx->accessed++ >= QUOTA_ACCESSED)
		return -ENOSPC;
	if (what & SEEN_SELF)
		s->seen_self = self;
	if (what & SEEN_CHILDREN)
		s->seen_children = children;
	s->seen |= what;
	return 0;
}

static int look(struct transaction *tx, const char *path, u8 what)
{
	struct place p;
	int err;

	if (!tx || !tx->id || path[0] != '/')
		return 0;
	err = find_with_shadow(tx, path, &p);
	return err ? err : see(tx, &p, what);
}

static int look_at_start(struct view *v, const char *path, u32 length)
{
	static path_t start;

	memcpy(start, path, length);
	start[length] = 0;
	return look(v->tx, start, SEEN_SELF);
}

/*
 * What an answer about path depends on. If nothing is there: on the nearest place above that is, which is asked instead,
 * and on the absence of the first name behind it.
 */
static int look_at_all(struct view *v, const char *path, bool there, u32 above_length)
{
	const char *rest = path + (above_length > 1 ? above_length : 0);
	u32 length;
	int err;

	if (there || !v->tx || !v->tx->id || path[0] != '/')
		return look(v->tx, path, SEEN_SELF);
	path_name(&rest, &length);
	err = look_at_start(v, path, above_length);
	return err ? err : look_at_start(v, path, rest - path);
}

int view_get(struct view *v, const char *path, u32 access, const struct node **n)
{
	u32 above_length;
	struct place above, p = place_find(v, path, &above, &above_length);
	const struct node *judge = visible(&p) ? visible(&p) : visible(&above);
	u32 has;
	int err;

	*n = visible(&p);
	if (!judge)
		return -ENOENT;
	err = look_at_all(v, path, *n, above_length);
	if (err)
		return err;
	has = perms_access(&judge->perms, v->client) & access;
	if (!*n)
		return has || !access ? -ENOENT : -EACCES;
	return has == access ? 0 : -EACCES;
}

/* --- names of children ------------------------------------------------------------------------ */

/* The part of a list of names that is wanted: whole names from byte skip of the list on, as many as have room. */
struct listing {
	char *out;
	u32 size, used, skip;
	bool more;
};

static void list_name(struct listing *l, const char *name, u32 length)
{
	u32 from = MIN(l->skip, length + 1), bytes = length + 1 - from;

	l->skip -= from;
	if (!bytes || l->more)
		return;
	l->more = bytes > l->size - l->used;
	if (l->more)
		return;
	memcpy(l->out + l->used, name + from, bytes - 1);
	l->out[l->used + bytes - 1] = 0;
	l->used += bytes;
}

static void mark_gone(const struct place *p, bool mark)
{
	if (!p->shadow || !p->base)
		return;
	list_for_each(at, &p->shadow->children) {
		struct shadow *s = list_entry(at, struct shadow, siblings);
		struct node *base = s->state == GONE ? node_child(p->base, s->name, s->name_length) : NULL;

		if (base)
			base->marked = mark;
	}
}

static void list_children(const struct place *p, struct listing *l)
{
	struct node *base = p->shadow && p->shadow->detached ? NULL : p->base;

	mark_gone(p, true);
	if (base) {
		list_for_each(at, &base->children) {
			struct node *n = list_entry(at, struct node, siblings);

			if (!n->marked)
				list_name(l, n->name, n->name_length);
		}
	}
	mark_gone(p, false);
	if (!p->shadow)
		return;
	list_for_each(at, &p->shadow->children) {
		struct shadow *s = list_entry(at, struct shadow, siblings);

		if (s->state == OWN && !(base && node_child(base, s->name, s->name_length)))
			list_name(l, s->name, s->name_length);
	}
}

int view_directory(struct view *v, const char *path, u32 offset, char *names, u32 size, bool *more, u64 *generation)
{
	struct listing l = { .out = names, .size = size, .skip = offset };
	const struct node *n;
	struct place p, above;
	u32 above_length;
	int err = view_get(v, path, ACCESS_READ, &n);

	if (!err)
		err = look(v->tx, path, SEEN_CHILDREN);
	if (err)
		return err;
	p = place_find(v, path, &above, &above_length);
	list_children(&p, &l);
	*more = l.more;
	*generation = MAX(p.base ? p.base->children_generation : 0, v->tx ? v->tx->changes : 0);
	return l.used;
}

/* --- starting and ending ---------------------------------------------------------------------- */

static int tx_open(struct client *c, struct transaction **tx)
{
	int err;

	*tx = kmalloc(sizeof(**tx));
	if (!*tx)
		return -ENOMEM;
	list_init(&(*tx)->node);
	(*tx)->client = c;
	err = shadow_new(*tx, NULL, "", 0, &(*tx)->root);
	if (err)
		kfree(*tx);
	return err;
}

static void tx_close(struct transaction *tx)
{
	free_shadows(tx);
	list_remove(&tx->node);
	kfree(tx);
}

struct transaction *tx_find(struct client *c, u32 id)
{
	list_for_each(at, &c->transactions) {
		struct transaction *tx = list_entry(at, struct transaction, node);

		if (tx->id == id)
			return tx;
	}
	return NULL;
}

u32 tx_id(const struct transaction *tx)
{
	return tx->id;
}

int tx_start(struct client *c, struct transaction **tx)
{
	int err;

	if (client_limited(c) && c->nr_transactions >= QUOTA_TRANSACTIONS)
		return -ENOSPC;
	err = tx_open(c, tx);
	if (err)
		return err;
	while (!c->next_transaction || tx_find(c, c->next_transaction))
		c->next_transaction++;
	(*tx)->id = c->next_transaction++;
	list_insert_before(&c->transactions, &(*tx)->node);
	c->nr_transactions++;
	return 0;
}

void tx_abort(struct transaction *tx)
{
	if (tx->id)
		tx->client->nr_transactions--;
	tx_close(tx);
}

void tx_abort_all(struct client *c)
{
	while (!list_empty(&c->transactions))
		tx_abort(list_entry(c->transactions.next, struct transaction, node));
}

/* --- commit ----------------------------------------------------------------------------------- */

static struct node *base_of(const struct shadow *s)
{
	if (!s->parent)
		return node_root("/");
	return s->parent->base ? node_child(s->parent->base, s->name, s->name_length) : NULL;
}

static bool still_true(const struct shadow *s)
{
	if (s->seen & SEEN_SELF && s->seen_self != (s->base ? s->base->generation : 0))
		return false;
	return !(s->seen & SEEN_CHILDREN) || s->seen_children == (s->base ? s->base->children_generation : 0);
}

/* How many more nodes the domain will own by this shadow alone. */
static int nodes_added(const struct shadow *s, u16 domid)
{
	int n = s->state == OWN && s->own->perms.entry[0].domid == domid;

	if (!s->base || s->hidden)
		return n;
	if (s->detached)
		return n - (int)node_owned(s->base, domid);
	return s->state == OWN ? n - (s->base->perms.entry[0].domid == domid) : n;
}

static int check(struct transaction *tx)
{
	u16 domid = tx->client->domid;
	int added = 0;

	if (tx->failed || tx->stale)
		return tx->failed ? -ENOSPC : -EAGAIN;
	for (struct shadow *s = tx->root; s; s = shadow_next(tx->root, s, true)) {
		s->base = base_of(s);
		s->hidden = s->parent && (s->parent->hidden || s->parent->detached);
		if (!still_true(s))
			return -EAGAIN;
		if (client_limited(tx->client))
			added += nodes_added(s, domid);
	}
	return added > 0 && account_of(domid)->nodes + added > QUOTA_NODES ? -ENOSPC : 0;
}

/* Makes the tree show what the shadow does; true if the shadows below matter. */
static bool apply(struct shadow *s)
{
	static path_t path;
	struct node *base = base_of(s);

	if (base && s->detached) {
		watch_fire_removal(base);
		node_remove(base);
		base = NULL;
	}
	s->base = base;
	if (s->state == OWN) {
		struct xs_perms before = base ? base->perms : s->own->perms;

		if (base)
			node_replace(base, s->own);
		else
			node_link(s->parent->base, s->own);
		if (!base) {
			s->base = s->own;
			s->own = NULL;
		}
		node_path(s->base, path);
		if (s->named)
			watch_fire(path, s->base, &before);
	}
	return s->base != NULL;
}

int tx_commit(struct transaction *tx)
{
	int err = check(tx);

	for (struct shadow *s = tx->root; s && !err; )
		s = shadow_next(tx->root, s, apply(s));
	tx_abort(tx);
	return err;
}

/* --- changes ---------------------------------------------------------------------------------- */

static int tx_charge(struct transaction *tx, int bytes)
{
	int err = bytes > 0 ? client_charge(tx->client, bytes) : 0;

	if (bytes < 0)
		client_uncharge(tx->client, -bytes);
	if (!err)
		tx->charged += bytes;
	return err;
}

static void drop_own(struct transaction *tx, struct shadow *s)
{
	if (!s->own)
		return;
	tx_charge(tx, -(int)node_bytes(s->own));
	node_free(s->own);
	s->own = NULL;
}

static int set_value(struct transaction *tx, struct node *own, const void *value, u32 length)
{
	int more = (int)length - (int)own->length;
	int err = more > 0 ? tx_charge(tx, more) : 0;

	if (err)
		return err;
	if (!node_set_value(own, value, length)) {
		if (more > 0)
			tx_charge(tx, -more);
		return -ENOMEM;
	}
	return more < 0 ? tx_charge(tx, more) : 0;
}

/* From here on the shadow is OWN, with an empty value. */
static int give_own(struct transaction *tx, struct shadow *s, const struct xs_perms *perms)
{
	struct node *n = node_new(s->name, s->name_length);
	int err = n ? tx_charge(tx, node_bytes(n)) : -ENOMEM;

	if (err) {
		node_free(n);
		return err;
	}
	n->perms = *perms;
	s->own = n;
	s->state = OWN;
	return 0;
}

/* An existing node that is to be changed. */
static int make_own(struct transaction *tx, const char *path, bool with_value, struct node **own)
{
	struct place p;
	int err = find_with_shadow(tx, path, &p);

	if (!err && p.shadow->state != OWN) {
		err = give_own(tx, p.shadow, &p.base->perms);
		if (!err && with_value)
			err = set_value(tx, p.shadow->own, p.base->value, p.base->length);
		if (err) {
			drop_own(tx, p.shadow);
			p.shadow->state = THROUGH;
		}
	}
	*own = err ? NULL : p.shadow->own;
	if (!err)
		p.shadow->named = true;
	return err;
}

/* One that is missing, below a place that can be seen: its parent's permissions, the creator's if that is limited. */
static int create_one(struct transaction *tx, struct place *parent, struct place *p)
{
	struct xs_perms perms = visible(parent)->perms;
	int err = see(tx, parent, SEEN_SELF);

	if (!err)
		err = see(tx, p, SEEN_SELF);
	if (err)
		return err;
	if (client_limited(tx->client))
		perms.entry[0].domid = tx->client->domid;
	return give_own(tx, p->shadow, &perms);
}

static int create(struct transaction *tx, const char *path, struct node **own)
{
	struct place p = place_of_root(path, tx);
	const char *name;
	u32 length;
	int err = 0;

	while (!err && (name = path_name(&path, &length))) {
		struct place parent = p;

		err = step_with_shadow(tx, &p, name, length);
		if (!err && !visible(&p))
			err = create_one(tx, &parent, &p);
	}
	tx->failed |= err != 0;
	*own = err ? NULL : p.shadow->own;
	if (!err)
		p.shadow->named = true;
	return err;
}

static bool too_big(const struct client *c, u32 nr_perms, u32 length)
{
	return client_limited(c) && 24 + 8 * nr_perms + length >= QUOTA_NODE_BYTES;
}

static int change_write(struct view *v, const char *path, const void *value, u32 length)
{
	const struct node *n;
	struct node *own = NULL;
	int err = view_get(v, path, ACCESS_WRITE, &n);

	if (err && err != -ENOENT)
		return err;
	if (too_big(v->client, n ? n->perms.count : 1, length))
		return -ENOSPC;
	err = n ? make_own(v->tx, path, false, &own) : create(v->tx, path, &own);
	if (err)
		return err;
	err = set_value(v->tx, own, value, length);
	v->tx->failed |= err != 0;
	return err;
}

static int change_mkdir(struct view *v, const char *path)
{
	const struct node *n;
	struct node *own;
	int err = view_get(v, path, ACCESS_WRITE, &n);

	return err == -ENOENT ? create(v->tx, path, &own) : err;
}

static int rm_missing(struct view *v, const char *path)
{
	static path_t parent;
	const struct node *n;
	u32 length = path_parent(path);

	memcpy(parent, path, length);
	parent[length] = 0;
	return view_get(v, parent, 0, &n);
}

static int change_rm(struct view *v, const char *path)
{
	const struct node *n;
	struct place p;
	int err = view_get(v, path, ACCESS_WRITE, &n);

	if (err)
		return err == -ENOENT ? rm_missing(v, path) : err;
	err = find_with_shadow(v->tx, path, &p);
	for (struct shadow *s = p.shadow; s && !err; s = shadow_next(p.shadow, s, true)) {
		drop_own(v->tx, s);
		s->state = GONE;
		s->detached = true;
	}
	return err;
}

static int change_set_perms(struct view *v, const char *path, const struct xs_perms *perms)
{
	const struct node *n;
	struct node *own;
	int err = view_get(v, path, ACCESS_WRITE | ACCESS_OWNER, &n);

	if (err)
		return err;
	if (client_limited(v->client) && n->perms.entry[0].domid != perms->entry[0].domid)
		return -EPERM;
	if (client_limited(v->client) && (perms->count > QUOTA_PERMS || too_big(v->client, perms->count, n->length)))
		return -ENOSPC;
	err = make_own(v->tx, path, true, &own);
	if (!err)
		own->perms = *perms;
	return err;
}

/* --- changes with or without a transaction ----------------------------------------------------- */

/* Outside a transaction the view gets one for this change. */
static int begin(struct view *v, struct view *inner)
{
	*inner = *v;
	return v->tx ? 0 : tx_open(v->client, &inner->tx);
}

static int finish(struct view *v, struct view *inner, int err)
{
	inner->tx->changes = node_generation();
	if (v->tx)
		return err;
	if (!err)
		return tx_commit(inner->tx);
	tx_abort(inner->tx);
	return err;
}

int view_write(struct view *v, const char *path, const void *value, u32 length)
{
	struct view inner;
	int err = begin(v, &inner);

	return err ? err : finish(v, &inner, change_write(&inner, path, value, length));
}

int view_mkdir(struct view *v, const char *path)
{
	struct view inner;
	int err = begin(v, &inner);

	return err ? err : finish(v, &inner, change_mkdir(&inner, path));
}

int view_rm(struct view *v, const char *path)
{
	struct view inner;
	int err = begin(v, &inner);

	return err ? err : finish(v, &inner, change_rm(&inner, path));
}

int view_set_perms(struct view *v, const char *path, const struct xs_perms *perms)
{
	struct view inner;
	int err = begin(v, &inner);

	return err ? err : finish(v, &inner, change_set_perms(&inner, path, perms));
}

int special_set_perms(struct client *c, const char *path, const struct xs_perms *perms)
{
	struct node *n = node_root(path);

	if (!n)
		return -ENOENT;
	if (!(perms_access(&n->perms, c) & ACCESS_OWNER))
		return -EACCES;
	if (client_limited(c) && n->perms.entry[0].domid != perms->entry[0].domid)
		return -EPERM;
	node_set_perms(n, perms);
	return 0;
}
