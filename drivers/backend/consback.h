/* SPDX-License-Identifier: MIT */
/* Domain 0's end of guests' consoles: each has a ring, a scrollback that outlives the guest, and perhaps a person. */
#ifndef BACKEND_CONSBACK_H
#define BACKEND_CONSBACK_H

#include "../../pvkernel/include/types.h"

/* A guest's console ring page (mapped by the caller until stop) and our end of its channel. 0, -ENOMEM. */
int consback_start(u16 domid, const char *name, void *ring_page, u32 port);
void consback_stop(u16 domid);		/* the scrollback stays readable under the name, for the latest consoles */
void consback_rename(u16 domid, const char *name);

/* The scrollback's newest bytes, at most size; how many. For a name that never was: -ENOENT. */
int consback_read(const char *name, char *buf, size_t size);
/* Our console is the guest's until Ctrl-]; returns then, or when the guest ends. 0, -ENOENT. */
int consback_attach(const char *name);

#endif
