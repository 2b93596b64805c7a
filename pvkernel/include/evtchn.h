/* SPDX-License-Identifier: MIT */
/* Event channels, the two-level ABI. Handlers run with upcalls masked. */
#ifndef PVK_EVTCHN_H
#define PVK_EVTCHN_H

#include "types.h"

typedef void (*evtchn_handler_t)(void *arg);

void evtchn_init(void);
void evtchn_upcall(void);

/* Each returns the new port, or a negative errno of the hypercall. */
int evtchn_bind_virq(u32 virq, evtchn_handler_t fn, void *arg);
int evtchn_bind_ipi(evtchn_handler_t fn, void *arg);
int evtchn_bind_pirq(u32 pirq, bool share, evtchn_handler_t fn, void *arg);	/* share: a line that other domains may use, too */
int evtchn_alloc_unbound(u16 remote, evtchn_handler_t fn, void *arg);
int evtchn_bind_interdomain(u16 remote, u32 remote_port, evtchn_handler_t fn, void *arg);

/* A port that somebody else has made, such as the console's. */
void evtchn_set_handler(u32 port, evtchn_handler_t fn, void *arg);
void evtchn_mask(u32 port);
void evtchn_unmask(u32 port);
int evtchn_send(u32 port);
void evtchn_close(u32 port);
bool evtchn_connected(u32 port);	/* to another domain's port */

#endif
