/* SPDX-License-Identifier: MIT */
/*
 * The backend's half of connecting and disconnecting, written once. A driver registers its type; for each node
 * backend/TYPE/DOMID/N that the toolstack writes a struct backend is made and its state machine run (xenbus_back.c), by a thread of
 * its own for each type, so that no guest holds up another's kind of device for longer than its own work takes. That thread makes
 * all calls of a driver; they may wait.
 */
#ifndef XENBUS_BACK_H
#define XENBUS_BACK_H

#include <abi/xenbus.h>

#include "../../pvkernel/include/gnttab.h"
#include "../../pvkernel/include/list.h"
#include "../../pvkernel/include/time.h"
#include "../../pvkernel/include/types.h"
#include "../../pvkernel/include/xenstore.h"

struct backend;

struct backend_driver {
	const char *type;	/* "vbd" */
	/* A new node: look at its keys, publish features. 0, or a negative errno and back_error() has said why; nothing is left made. */
	int (*probe)(struct backend *b);
	/* The frontend has published (Initialised or Connected): map, bind, publish properties; then we are Connected. 0, or as probe(). */
	int (*connect)(struct backend *b);
	/* The frontend is Closed, died or started anew: stop, unmap, unbind. connect() may come again. Follows each connect() that succeeded. */
	void (*disconnect)(struct backend *b);
	void (*remove)(struct backend *b);	/* after disconnect(): what probe() made. Follows each probe() that succeeded */
};

#define BACK_TOLD_MAX 8

struct backend {
	struct list node;
	const struct backend_driver *driver;
	u16 domid;		/* the frontend's domain */
	u32 devid;
	char path[96];		/* backend/vbd/5/51712, relative to our home */
	char frontend[128];	/* absolute; below the frontend's home, checked */
	u32 state, frontend_state;
	bool connected;		/* connect() succeeded, disconnect() has not been called since */
	void *data;

	/* The machine's own. */
	struct xs_watch watch;	/* of the frontend's state */
	bool watched, probed;
	bool dirty;		/* to be looked at */
	bool want_close;
	int close_err;
	u64 tokens_from;	/* attempts to connect, one a second: this long ago there were none */
	struct timer retry;
	const char *told[BACK_TOLD_MAX];	/* formats of lines that a person has had */
	u32 nr_told;
};

void backend_register(const struct backend_driver *driver);	/* when xenstore is there; its thread starts */
void backend_close(struct backend *b, int err);	/* our side gives up, from any thread: disconnect() follows by the type's thread */
bool backend_restart(const char *type);		/* as if the driver had died and come again; false: no such type */
/* By the type's thread, for each backend there is: what a person wants to see, say. */
void backend_for_each(const char *type, void (*fn)(struct backend *b, void *arg), void *arg);

int back_write(struct backend *b, u32 tx, const char *key, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
int back_read(struct backend *b, const char *key, char *buf, size_t size);	/* of our directory */
u64 back_read_u64(struct backend *b, const char *key, u64 otherwise);
/* Of the frontend's directory, which is a hostile guest's: errors as xs_*; numbers above max are -ERANGE. */
int back_read_front(struct backend *b, const char *key, char *buf, size_t size);
int back_read_front_u64(struct backend *b, const char *key, u64 max, u64 *value);
/* A line for a person, once an attachment for each cause (which is the format), and the node `error` of ours. */
void back_error(struct backend *b, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The frontend's ring, in consecutive addresses. */
#define BACK_RING_PAGES 16

struct ring_mapping {
	void *pages;		/* NULL: not mapped */
	u32 count;
	u32 handles[BACK_RING_PAGES];
};
int back_ring_map(struct backend *b, const u32 *refs, u32 count, struct ring_mapping *m);	/* -EINVAL: not as many; -EFAULT: refused, or no memory */
void back_ring_unmap(struct ring_mapping *m);	/* nothing to do for one that is not mapped */

#endif
