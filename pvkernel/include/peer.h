/* SPDX-License-Identifier: MIT */
/* Finding another domain, for commands that work in pairs. They meet in xenstore below the server's data/. */
#ifndef PVK_PEER_H
#define PVK_PEER_H

#include "types.h"

/* A domain's number, or its name where this domain may read names. -ENOENT: none; others: xenstore's. */
int peer_find(const char *name);

/* Publishes text as data/KEY for one other domain to read. 0, or xenstore's errno. */
int peer_publish(u16 reader, const char *key, const char *text);

/* What the domain published; its length. */
int peer_read(u16 domid, const char *key, char *buf, size_t size);

#endif
