/* SPDX-License-Identifier: MIT */
/*
 * A client of xenstore: one function for each request. In a guest the messages go through the shared
 * ring (pvkernel/guest/xenbus.c), in domain 0 straight to the server beside it; both provide
 * xs_exchange() and call xs_watch_event(). Everything here may wait, so it is for threads.
 *
 * `tx` is a transaction or XS_NO_TX. Paths are absolute, or relative to this domain's home. Errors are negative errnos:
 * -ENOENT no such node, -EACCES not allowed, -EAGAIN the transaction conflicted, -E2BIG too long, -ENOSPC over quota,
 * -ENOTCONN no xenstore here.
 */
#ifndef PVK_XENSTORE_H
#define PVK_XENSTORE_H

#include <abi/xs_wire.h>

#include "types.h"

#define XS_NO_TX 0

int xs_read(u32 tx, const char *path, char *buf, size_t size);	/* the value, NUL-terminated; its length */
int xs_write(u32 tx, const char *path, const char *value);
int xs_write_bytes(u32 tx, const char *path, const void *value, size_t length);
int xs_read_u64(u32 tx, const char *path, u64 *value);	/* -EINVAL: no number */
int xs_mkdir(u32 tx, const char *path);
int xs_rm(u32 tx, const char *path);
int xs_directory(u32 tx, const char *path, char *buf, size_t size);	/* names, each with its NUL; bytes used; may exceed a payload */
int xs_get_perms(u32 tx, const char *path, char *buf, size_t size);	/* entries such as n5 or r0, each with its NUL; bytes used */
int xs_set_perms(u32 tx, const char *path, const char *perms, size_t length);	/* the same form */
int xs_transaction_start(u32 *tx);
int xs_transaction_end(u32 tx, bool commit);

/*
 * fn is called by a thread of its own, once at once and then for each change at or below path: with the path that changed, or
 * with the watch's own when too much changed to tell. It may do requests and unwatch itself.
 */
struct xs_watch {
	void (*fn)(void *arg, const char *path);
	void *arg;
};
int xs_watch(const char *path, const struct xs_watch *w);	/* w lives until xs_unwatch; -EEXIST: it is in use */
int xs_unwatch(const char *path, const struct xs_watch *w);	/* afterwards fn does not run, unless it is the caller */

/* --- what a transport provides and calls ------------------------------------------------------ */

/*
 * One request with its payload, and the reply's payload in `reply` (XENSTORE_PAYLOAD_MAX bytes, and a NUL after it). Its
 * length, or the errno of an XS_ERROR reply. Requests of several threads queue up.
 */
int xs_exchange(u32 type, u32 tx, const void *payload, u32 length, char *reply);
void xs_watch_event(const char *path, const char *token);	/* an XS_WATCH_EVENT came */
int xs_errno(const char *name);		/* of an XS_ERROR's payload: ENOENT for "ENOENT", EIO for what has no name here */
void xs_init(void);	/* the transport starts; false answers come until then */

#endif
