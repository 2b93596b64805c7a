/* SPDX-License-Identifier: MIT */
/* Whether a port may send what it sends. */
#ifndef CONTROL_FILTER_H
#define CONTROL_FILTER_H

#include "switch.h"

/* The Ethernet header is in the first piece. */
bool filter_passes(struct packet *p, const struct port_config *c, const u8 mac[6]);
bool filter_passes_ip6(struct packet *p, const struct port_config *c, const u8 mac[6]);	/* of a port with a list */
bool filter_may_route(const struct packet *p);		/* of IPv6: it may make its sender a router of who gets it */
/* Fills ips and ip6s from "10.0.0.5 fd00::5". False: no address, a word that is none, or more of a kind than there is room for. */
bool filter_parse_ips(const char *text, struct port_config *c);
bool filter_parse_ip6(const char *text, u8 ip[16]);

#endif
