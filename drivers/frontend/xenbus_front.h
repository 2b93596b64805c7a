/* SPDX-License-Identifier: MIT */
/*
 * The frontend's half of connecting and disconnecting, written once. A driver registers its type; for each node
 * device/TYPE/N that appears a struct frontend is made and its state machine run (xenbus_front.c), by one thread for all devices.
 * That thread makes all calls of a driver; they may wait.
 */
#ifndef XENBUS_FRONT_H
#define XENBUS_FRONT_H

#include <abi/xenbus.h>

#include "../../pvkernel/include/list.h"
#include "../../pvkernel/include/time.h"
#include "../../pvkernel/include/types.h"
#include "../../pvkernel/include/xenstore.h"

struct frontend;

struct frontend_driver {
	const char *type;	/* "vbd" */
	/*
	 * The backend has published what it can: rings and channels are made, and their keys given by front_write() with tx. The keys
	 * are collected and written in one transaction together with the state. A negative errno: no device; nothing is left made.
	 */
	int (*publish)(struct frontend *f, u32 tx);
	u32 published_state;	/* XenbusStateInitialised, or Connected where the protocol has it so */
	/*
	 * The backend is Connected, and our state says so, too: its properties can be read, work may begin. A negative errno: disconnected() follows, and the
	 * device stays closed. Called again when the backend has been restarted and publish() has come again.
	 */
	int (*connected)(struct frontend *f);
	void (*changed)(struct frontend *f);	/* Connected was written once more: sizes may have changed; may be NULL */
	/* The backend is Closing, gone or started anew: stop, and take back rings and grants. publish() may come again. Follows each publish(). */
	void (*disconnected)(struct frontend *f);
	void (*removed)(struct frontend *f);	/* the node is gone for good; what publish() left in data goes. Perhaps publish() never came */
};

struct frontend {
	struct list node;
	const struct frontend_driver *driver;
	char path[64];		/* device/vbd/51712, relative to our home */
	char backend[128];	/* absolute */
	u16 backend_id;
	u32 state, backend_state;	/* as last written, as last seen */
	void *data;		/* the driver's */

	/* The machine's own. */
	struct xs_watch watch;	/* of the backend's state */
	bool published, connected;
	bool dirty;		/* to be looked at */
	bool told;		/* the backend's state was written, perhaps as it was */
	bool closed;		/* by our side: stays so */
	u64 paid_until;		/* each connection costs a second; BURST of them can be owed */
	struct timer retry;
	int close_err;		/* why frontend_close() wants it */
	bool want_close;
	char *keys;		/* while publish() runs */
	u32 keys_used;
};

void frontend_register(const struct frontend_driver *driver);	/* before or after devices are there */
void frontend_close(struct frontend *f, int err);	/* our side gives up, from any thread: Closing, with an error node if err */
void frontends_init(void);	/* after xs_init(): the thread starts */

/* Keys of our directory and of the backend's. Errors as xs_*; front_read_u64: the default when the key is absent or no number. */
int front_write(struct frontend *f, u32 tx, const char *key, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
u64 front_read_u64(struct frontend *f, const char *key, u64 otherwise);
int front_read(struct frontend *f, const char *key, char *buf, size_t size);
int front_read_own(struct frontend *f, const char *key, char *buf, size_t size);	/* of our own directory, such as a mac */

/* A ring for the backend: zeroed pages, each granted writable; refs[] of 1 << order. NULL: no memory. */
void *front_ring_create(struct frontend *f, u32 order, u32 *refs);
void front_ring_destroy(void *pages, u32 order, const u32 *refs);	/* pages that the backend does not let go are kept aside */

#endif
