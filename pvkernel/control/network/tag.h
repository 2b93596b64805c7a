/* SPDX-License-Identifier: MIT */
/* 802.1Q tags: within the switch the VLAN is packet.vlan, and no frame has one. */
#ifndef CONTROL_TAG_H
#define CONTROL_TAG_H

#include "switch.h"

bool tag_take(struct packet *p, const struct port_config *c);	/* false: a frame that this port may not send */
void tag_send(struct net_device *d, struct packet *p);	/* as net_send(), with the packet's tag */

#endif
