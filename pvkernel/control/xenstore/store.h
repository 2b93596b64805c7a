/* SPDX-License-Identifier: MIT */
/*
 * Xenstore's data: the tree, transactions over it, watches on it, and what each domain uses of it. No
 * transport: requests come in by request_handle(), events wait in their client. One lock, the server's, is held
 * around all of it, so scratch buffers may be static.
 *
 *	client ---- transactions ---- shadows ... of nodes
 *	   |  \---- watches --------- points  ... paths that are watched
 *	   \------- events		      ... what its watches have seen, until it is told
 */
#ifndef XENSTORE_STORE_H
#define XENSTORE_STORE_H

#include <abi/errno.h>
#include <abi/xs_wire.h>

#include "lib.h"
#include "list.h"
#include "mm.h"
#include "types.h"

/* What one domain may have; domain 0 is not limited, except by PERMS_MAX and memory. */
#define QUOTA_NODES 1000		/* nodes it owns */
#define QUOTA_NODE_BYTES 2048		/* a node's value, permissions (8 each) and header (24) stay below */
#define QUOTA_WATCHES 128
#define QUOTA_TRANSACTIONS 10		/* open at a time */
#define QUOTA_ACCESSED 1024		/* nodes looked at or changed in one transaction */
#define QUOTA_PERMS 5			/* permissions of one node */
#define QUOTA_BYTES (1u << 20)		/* all of the above in our memory */

#define PERMS_MAX 8
#define EVENTS_MAX 256			/* waiting for one client; then each watch keeps one in reserve */

#define DOMIDS 0x7ff0u			/* ids that a domain can have are below */

typedef char path_t[XENSTORE_ABS_PATH_MAX + 1];

/* --- path.c --- */

#define SPECIAL_INTRODUCE "@introduceDomain"
#define SPECIAL_RELEASE "@releaseDomain"

/* The absolute form of what a client sent: 0, or -EINVAL. *skip: length of the prefix that was put in front. */
int path_resolve(const char *sent, u16 domid, path_t path, u32 *skip);

/* The next name of a path: *rest moves past it. NULL at the end. "/" has none, "@x" one. */
const char *path_name(const char **rest, u32 *length);

/* Where the path of its parent ends: 1 for children of the root. */
u32 path_parent(const char *path);

bool parse_decimal(const char *s, u64 max, u64 *val);	/* digits only, to the end */

/* --- account.c: what each domain uses --- */

struct account {
	u32 nodes, bytes;	/* owned */
	u32 named;		/* entries of permissions, as owner or not */
};

struct account *account_of(u16 domid);	/* NULL: no memory, and never used before */

/* --- perms.c --- */

#define ACCESS_READ 1
#define ACCESS_WRITE 2
#define ACCESS_OWNER 4			/* may change permissions */

struct xs_perm {
	u16 domid;
	u8 access;
};

/* The first one: owner, and everybody's access who has no entry. Invariant: count is 1 to PERMS_MAX. */
struct xs_perms {
	u32 count;
	struct xs_perm entry[PERMS_MAX];
};

struct client;
u32 perms_access(const struct xs_perms *p, const struct client *c);
int perms_parse(struct xs_perms *p, const char *text, u32 length);	/* r5\0n0\0: 0, -EINVAL, -ENOSPC */
u32 perms_print(const struct xs_perms *p, char *text);			/* the same form; its length */
void perms_forget(struct xs_perms *p, u16 domid);			/* as if it had never been named, but as owner */
#define PERMS_TEXT_MAX (PERMS_MAX * 8)

/* --- tree.c --- */

struct node {
	struct node *parent;		/* NULL: a root, or not in the tree */
	struct node *chain;		/* of the hash table of all nodes by parent and name */
	struct list siblings;		/* in parent's children, oldest first */
	struct list children;
	u64 generation;			/* of value and permissions; unique, never 0 */
	u64 children_generation;	/* of the set of children's names */
	struct xs_perms perms;
	char *value;
	u32 length;			/* of value, which may hold any bytes */
	bool marked;			/* scratch of whoever walks over siblings; false otherwise */
	u32 name_hash;
	u32 name_length;
	char name[];
};

int node_init(u64 seed);		/* 0 or -ENOMEM */
u64 node_generation(void);		/* a new one */
struct node *node_root(const char *path);	/* where a walk along path starts; NULL: no such special node */
struct node *node_child(const struct node *parent, const char *name, u32 length);
struct node *node_find(const char *path);
struct node *node_next(const struct node *top, struct node *n);	/* below top, parents first; NULL: that was the last */
struct node *node_skip(const struct node *top, struct node *n);	/* the same, but not below n itself */
u32 node_path(const struct node *n, path_t path);	/* its length */

struct node *node_new(const char *name, u32 length);	/* outside the tree; NULL: no memory */
bool node_set_value(struct node *n, const void *value, u32 length);
void node_free(struct node *n);
u32 node_bytes(const struct node *n);

/* In the tree a node is charged to its owner. */
void node_link(struct node *parent, struct node *n);
void node_replace(struct node *n, struct node *by);	/* takes by's value and permissions, gives its own */
void node_remove(struct node *n);		/* and all below; tells nobody */
void node_set_perms(struct node *n, const struct xs_perms *perms);
u32 node_owned(const struct node *top, u16 domid);	/* top and below */
bool nodes_consistent(void);			/* counts everything again */

/* --- clients --- */

struct client {
	u16 domid;
	int target;			/* a domain whose permissions it has as well, or -1 */
	struct list transactions, watches, events;
	u32 nr_transactions, nr_watches, nr_events;
	u32 next_transaction;
	void (*wake)(struct client *c);	/* an event has come */
};

void client_init(struct client *c, u16 domid, void (*wake)(struct client *c));
void client_reset(struct client *c);	/* its watches and transactions go */

static inline bool client_limited(const struct client *c)
{
	return c->domid != 0;
}

/* 0, or -ENOSPC: so much more is over quota. */
int client_charge(struct client *c, u32 bytes);
void client_uncharge(struct client *c, u32 bytes);

/* --- transaction.c --- */

struct transaction;

int tx_start(struct client *c, struct transaction **tx);	/* 0, -ENOSPC, -ENOMEM */
struct transaction *tx_find(struct client *c, u32 id);
u32 tx_id(const struct transaction *tx);
void tx_abort(struct transaction *tx);
void tx_abort_all(struct client *c);
int tx_commit(struct transaction *tx);	/* -EAGAIN, -ENOSPC: nothing was done. It is gone in any case. */

/* The same through tx, or tx NULL: reads of the tree itself, changes that are committed at once. */
struct view {
	struct client *client;
	struct transaction *tx;
};

/*
 * The node if the client has all of that access to it, else -EACCES. If there is none, -ENOENT for who has some of that access to
 * the nearest one above, else -EACCES, too. -ENOSPC, -ENOMEM: the transaction cannot remember more.
 */
int view_get(struct view *v, const char *path, u32 access, const struct node **n);
int view_write(struct view *v, const char *path, const void *value, u32 length);
int view_mkdir(struct view *v, const char *path);
int view_rm(struct view *v, const char *path);
int view_set_perms(struct view *v, const char *path, const struct xs_perms *perms);
int special_set_perms(struct client *c, const char *path, const struct xs_perms *perms);	/* of an @ path */

/* Names with their NULs from byte `offset` of the whole list on, whole names up to size; bytes, *more: that was not all. */
int view_directory(struct view *v, const char *path, u32 offset, char *names, u32 size, bool *more, u64 *generation);

/* --- watch.c --- */

#define ANY_DEPTH (~0u)

int watch_add(struct client *c, const char *sent, const char *token, u32 depth);
int watch_remove(struct client *c, const char *sent, const char *token);
void watch_drop_all(struct client *c);

/* Something about n, which is at path: before is what its permissions were, if they changed. */
void watch_fire(const char *path, const struct node *n, const struct xs_perms *before);
void watch_fire_removal(struct node *top);	/* top's path, and for each node below those that watch just it */
void watch_fire_special(const char *name, u16 domid);

/* The oldest event as an XS_WATCH_EVENT's payload, taken out. 0: there is none. */
u32 watch_take_event(struct client *c, char *payload);
bool watch_events_pending(const struct client *c);

/* --- domains.c: what happens to the data when a domain goes --- */

void store_forget_domain(u16 domid);
int store_init(u64 seed);

/* --- request.c --- */

/* What only the server can do; each 0 or a negative errno. */
struct request_ops {
	int (*introduce)(u16 domid, u64 gfn, u32 port);
	int (*release)(u16 domid);
	int (*resume)(u16 domid);
	int (*set_target)(u16 domid, u16 target);
	bool (*introduced)(u16 domid);
};

/*
 * One message in, its reply out: header and payload, XENSTORE_PAYLOAD_MAX + 16 bytes at most; its length. The
 * payload has room for a NUL behind it.
 */
u32 request_handle(struct client *c, const struct request_ops *ops, const struct xsd_sockmsg *head, char *payload, char *reply);

#endif
