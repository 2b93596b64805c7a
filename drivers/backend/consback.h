/* SPDX-License-Identifier: MIT */
/* Domain 0's end of guests' consoles: each has a ring, a scrollback that outlives the guest, and perhaps a person. */
#ifndef BACKEND_CONSBACK_H
#define BACKEND_CONSBACK_H

#include "../../pvkernel/include/types.h"

#define CONSBACK_NAME_MAX 64

/*
 * A guest's console ring page and our end of its channel, whose handler we become. Both stay the caller's, who
 * unmaps the one and closes the other after consback_stop(). 0, -ENOMEM.
 */
int consback_start(u16 domid, const char *name, void *ring_page, u32 port);
void consback_stop(u16 domid);		/* what is in the ring is taken; the scrollback of the latest ones stays under the name */
void consback_rename(u16 domid, const char *name);

/* For a name that never was, or that many others have died since: -ENOENT. The living come before the dead. */

/* The scrollback's newest bytes, at most size; how many. */
int consback_read(const char *name, char *buf, size_t size);
/* Our console is the guest's until Ctrl-]; returns then, or when the guest ends. 0, -ENOENT, -EBUSY: somebody else's. */
int consback_attach(const char *name);
/* As if typed; how many bytes went, less than length when the guest does not read. */
int consback_send(const char *name, const char *text, size_t length);
/*
 * Types a line and waits until `answer` is in what the guest puts out after that; after the line's echo, if the line itself
 * holds the answer. 0, -ENOENT, -ETIMEDOUT.
 */
int consback_ask(const char *name, const char *line, const char *answer, u64 timeout_ns);
/* Of `length` bytes lines of text, nothing that moves a terminal's cursor; `to` may be `text`. How many. */
size_t consback_text(char *to, const char *text, size_t length);
/* Whole lines of all guests go to our console too, with the guest's name in front. */
void consback_log(bool on);

#endif
