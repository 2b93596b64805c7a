/* SPDX-License-Identifier: MIT */
/* An interface of the stack: lwIP's netif on a device. Used with the stack's lock held. */
#ifndef PVK_NET_INTERFACE_H
#define PVK_NET_INTERFACE_H

#include "net.h"
#include "stack.h"

#include <lwip/netif.h>

struct interface {
	struct list node;
	struct netif netif;
	struct net_device *device;
	bool unflushed;		/* something was sent since the last flush */
};

extern struct list interfaces;

struct interface *interface_find(const char *name);	/* by its device's name; NULL: none */

/*
 * What is said with commas or blanks between: "dhcp", "none" (no more IPv4), ADDRESS/PREFIX of either version, gw=ADDRESS, dns=ADDRESS.
 * -EINVAL: a word that is none of these; those before it count.
 */
int interface_configure(struct interface *i, char *words);

/* --- for segments.c --- */

bool interface_is_device(const struct netif *netif);
void net_random_init(void);

#endif
