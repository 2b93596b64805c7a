/* SPDX-License-Identifier: MIT */
/* Whether a port may send what it sends. */
#ifndef CONTROL_FILTER_H
#define CONTROL_FILTER_H

#include "switch.h"

/* The Ethernet header is in the first piece. */
bool filter_passes(struct packet *p, const struct port_config *c, const u8 mac[6]);
/* Fills ips from "10.0.0.5 10.0.0.6"; other words (IPv6, masks) are passed over. False: nothing but those, or more than there is room for. */
bool filter_parse_ips(const char *text, struct port_config *c);

#endif
