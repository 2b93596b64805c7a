/* SPDX-License-Identifier: MIT */
/* A domain's connection: its ring page, a message coming in, a message going out. */
#ifndef XENSTORE_CONNECTION_H
#define XENSTORE_CONNECTION_H

#include <ring-buffers/byte_ring.h>

#include "store.h"

#define MESSAGE_MAX (sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX)

struct connection {
	struct client client;
	struct xenstore_domain_interface *page;	/* shared */
	struct byte_ring requests, replies;
	u32 error;			/* XENSTORE_ERROR_: nothing is served while it is not NONE */
	u32 received;			/* bytes in `in` */
	u32 sending, sent;		/* bytes in `out`, and how many of them are in the ring */
	char in[MESSAGE_MAX + 1], out[MESSAGE_MAX + 1];
};

void connection_init(struct connection *c, u16 domid, void *page, void (*wake)(struct client *c));
void connection_fini(struct connection *c);

/*
 * Serves up to `turns` messages; true if it stopped for that, false if the domain has to move first. *notify becomes
 * true if the domain is to be sent an event.
 */
bool connection_serve(struct connection *c, const struct request_ops *ops, u32 turns, bool *notify);
void connection_fail(struct connection *c, u32 error);	/* XENSTORE_ERROR_ */

#endif
