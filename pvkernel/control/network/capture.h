/* SPDX-License-Identifier: MIT */
/* What goes over chosen ports of the switch, kept in memory in pcap's form. */
#ifndef CONTROL_CAPTURE_H
#define CONTROL_CAPTURE_H

#include "../../include/net.h"

extern bool capture_all;		/* ports that are made get captured, too */
void capture_packet(const struct packet *p);

#endif
