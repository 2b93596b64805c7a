/* SPDX-License-Identifier: MIT */
/*
 * The tree of nodes. Each knows its parent and its children in the order of their creation; all are in one hash
 * table by (parent, name), so a step of a walk costs the same in a directory of one as of thousands. The hash is
 * seeded: a domain cannot choose names that fall together. Nothing recurses; a walk uses the parents' links.
 *
 * Invariant: a node in the tree is charged to the account of perms.entry[0].domid, one outside to nobody.
 */
#include "store.h"

#define FIRST_BUCKETS 1024u

static struct node **buckets;
static u32 nr_buckets, nr_nodes;
static u64 hash_seed, last_generation;
static struct node *root, *specials[2];

u64 node_generation(void)
{
	return ++last_generation;
}

static u32 hash_name(const char *name, u32 length)
{
	u64 h = hash_seed;

	for (u32 i = 0; i < length; i++)
		h = (h ^ (u8)name[i]) * 0x100000001b3ul;
	return h ^ h >> 32;
}

static struct node **bucket(const struct node *parent, u32 name_hash)
{
	u64 h = ((u64)parent >> 4 ^ hash_seed ^ name_hash) * 0x9e3779b97f4a7c15ul;

	return &buckets[h >> 32 & (nr_buckets - 1)];
}

static void chain(struct node *n)
{
	struct node **at = bucket(n->parent, n->name_hash);

	n->chain = *at;
	*at = n;
}

static void unchain(struct node *n)
{
	struct node **at = bucket(n->parent, n->name_hash);

	while (*at != n)
		at = &(*at)->chain;
	*at = n->chain;
}

/* A power of two. Without memory the chains just become longer, or the table stays large. */
static void resize(u32 size)
{
	struct node **old = buckets, **new = kmalloc(size * sizeof(*new));
	u32 count = nr_buckets;

	if (!new)
		return;
	buckets = new;
	nr_buckets = size;
	for (u32 i = 0; i < count; i++) {
		for (struct node *n = old[i], *next; n; n = next) {
			next = n->chain;
			chain(n);
		}
	}
	kfree(old);
}

/* --- nodes ------------------------------------------------------------------------------------ */

struct node *node_new(const char *name, u32 length)
{
	struct node *n = kmalloc(sizeof(*n) + length + 1);

	if (!n)
		return NULL;
	list_init(&n->siblings);
	list_init(&n->children);
	n->generation = n->children_generation = node_generation();
	n->perms.count = 1;
	memcpy(n->name, name, length);
	n->name_length = length;
	n->name_hash = hash_name(name, length);
	return n;
}

bool node_set_value(struct node *n, const void *value, u32 length)
{
	char *copy = length ? kmalloc(length) : NULL;

	if (length && !copy)
		return false;
	if (length)
		memcpy(copy, value, length);
	kfree(n->value);
	n->value = copy;
	n->length = length;
	return true;
}

void node_free(struct node *n)
{
	if (n)
		kfree(n->value);
	kfree(n);
}

u32 node_bytes(const struct node *n)
{
	return sizeof(*n) + n->name_length + 1 + n->length;
}

static void charge(const struct node *n, int sign)
{
	struct account *a = account_of(n->perms.entry[0].domid);

	a->nodes += sign;
	a->bytes += sign * (int)node_bytes(n);
	for (u32 i = 0; i < n->perms.count; i++)
		account_of(n->perms.entry[i].domid)->named += sign;
}

/* --- finding ---------------------------------------------------------------------------------- */

struct node *node_root(const char *path)
{
	if (path[0] == '/')
		return root;
	for (u32 i = 0; i < ARRAY_SIZE(specials); i++) {
		if (!strcmp(path, specials[i]->name))
			return specials[i];
	}
	return NULL;
}

struct node *node_child(const struct node *parent, const char *name, u32 length)
{
	u32 hash = hash_name(name, length);

	for (struct node *n = *bucket(parent, hash); n; n = n->chain) {
		if (n->parent == parent && n->name_hash == hash && n->name_length == length && !memcmp(n->name, name, length))
			return n;
	}
	return NULL;
}

struct node *node_find(const char *path)
{
	struct node *n = node_root(path);
	const char *name;
	u32 length;

	while (n && *path == '/' && (name = path_name(&path, &length)))
		n = node_child(n, name, length);
	return n;
}

struct node *node_skip(const struct node *top, struct node *n)
{
	for (; n != top; n = n->parent) {
		if (n->siblings.next != &n->parent->children)
			return list_entry(n->siblings.next, struct node, siblings);
	}
	return NULL;
}

struct node *node_next(const struct node *top, struct node *n)
{
	if (!list_empty(&n->children))
		return list_entry(n->children.next, struct node, siblings);
	return node_skip(top, n);
}

u32 node_path(const struct node *n, path_t path)
{
	u32 length = 0, at;

	if (!n->parent) {
		memcpy(path, n->name_length ? n->name : "/", MAX(n->name_length, 1u) + 1);
		return MAX(n->name_length, 1u);
	}
	for (const struct node *p = n; p->parent; p = p->parent)
		length += p->name_length + 1;
	path[at = length] = 0;
	for (; n->parent; n = n->parent) {
		at -= n->name_length;
		memcpy(path + at, n->name, n->name_length);
		path[--at] = '/';
	}
	return length;
}

/* --- changing --------------------------------------------------------------------------------- */

void node_link(struct node *parent, struct node *n)
{
	if (nr_nodes++ >= nr_buckets)
		resize(2 * nr_buckets);
	n->parent = parent;
	n->generation = n->children_generation = node_generation();
	parent->children_generation = node_generation();
	list_insert_before(&parent->children, &n->siblings);
	chain(n);
	charge(n, 1);
}

void node_replace(struct node *n, struct node *by)
{
	struct xs_perms perms = n->perms;
	char *value = n->value;
	u32 length = n->length;

	charge(n, -1);
	n->perms = by->perms;
	n->value = by->value;
	n->length = by->length;
	n->generation = node_generation();
	charge(n, 1);
	by->perms = perms;
	by->value = value;
	by->length = length;
}

static void remove_leaf(struct node *n)
{
	charge(n, -1);
	unchain(n);
	list_remove(&n->siblings);
	n->parent->children_generation = node_generation();
	nr_nodes--;
	node_free(n);
}

void node_remove(struct node *top)
{
	struct node *n = top, *up = NULL;
	u32 size = nr_buckets;

	for (bool done = false; !done; n = up) {
		while (!list_empty(&n->children))
			n = list_entry(n->children.next, struct node, siblings);
		up = n->parent;
		done = n == top;
		remove_leaf(n);
	}
	while (nr_nodes < size / 4 && size > FIRST_BUCKETS)
		size /= 2;
	if (size != nr_buckets)
		resize(size);
}

void node_set_perms(struct node *n, const struct xs_perms *perms)
{
	charge(n, -1);
	n->perms = *perms;
	n->generation = node_generation();
	charge(n, 1);
}

u32 node_owned(const struct node *top, u16 domid)
{
	u32 count = 0;

	for (struct node *n = (struct node *)top; n; n = node_next(top, n))
		count += n->perms.entry[0].domid == domid;
	return count;
}

bool nodes_consistent(void)
{
	u32 count = 0;

	for (struct node *n = root; n; n = node_next(root, n)) {
		if (n != root && (node_child(n->parent, n->name, n->name_length) != n || !n->perms.count))
			return false;
		count++;
	}
	return count == nr_nodes + 1;
}

static struct node *new_root(const char *name)
{
	struct node *n = node_new(name, strlen(name));

	if (n)
		charge(n, 1);
	return n;
}

int node_init(u64 seed)
{
	hash_seed = seed ^ 0xcbf29ce484222325ul;
	nr_buckets = FIRST_BUCKETS;
	buckets = kmalloc(nr_buckets * sizeof(*buckets));
	if (!buckets || !account_of(0))
		return -ENOMEM;
	root = new_root("");
	specials[0] = new_root(SPECIAL_INTRODUCE);
	specials[1] = new_root(SPECIAL_RELEASE);
	return root && specials[0] && specials[1] ? 0 : -ENOMEM;
}
