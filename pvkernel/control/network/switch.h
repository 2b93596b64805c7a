/* SPDX-License-Identifier: MIT */
/*
 * Domain 0's Ethernet switch: guests' interfaces, the machine's network card and domain 0's own network stack are its ports. A port is a
 * net_device; what comes from it goes in by port_input(), what goes to it by net_send(), in the form that the device takes.
 *
 * Bridges are told apart by name: nothing goes from one to another. Within one, each VLAN is a network of its own. Network cards (devices
 * called eth*, which are taken as they are registered) and domain 0's stack (the device "dom0") are on DEFAULT_BRIDGE in VLAN 0, whose
 * frames have no 802.1Q tag on a wire; those of others only go there by a trunk, with their tag.
 */
#ifndef CONTROL_SWITCH_H
#define CONTROL_SWITCH_H

#include "../../include/list.h"
#include "../../include/net.h"
#include "mac_table.h"

#define DEFAULT_BRIDGE "xenbr0"
#define BRIDGE_NAME 48
#define BRIDGES_MAX 16
#define PORT_IPS 4
#define VLAN_MAX 4094

struct port_config {
	char bridge[BRIDGE_NAME];
	u16 vlan;
	bool trunk;			/* frames of all VLANs, tagged but those of VLAN 0 */
	bool isolated;			/* exchanges nothing with other isolated ports */
	bool locked;			/* sends only from its device's address, and gets only what is for that or for many */
	u32 nr_ips, nr_ip6s;		/* if there are any: the only addresses that it sends from */
	u8 ips[PORT_IPS][4], ip6s[PORT_IPS][16];
};

#define PORT_TOUCHED 8

struct port {
	struct list node;
	struct net_device *device;
	struct port_config config;
	u8 bridge;			/* number of its name */
	bool own;			/* domain 0's stack: what goes to it is received by the device's user */
	bool card;			/* a network card: behind it alone are routers that domain 0 listens to */
	bool removed, capture;
	u32 references;			/* by who is sending to it */
	struct mac_owner addresses;
	struct port *touched[PORT_TOUCHED];	/* by this port's packets, since the last port_flush(); referenced */
	u32 nr_touched;
	u64 forged, refused, unsent;	/* dropped: wrong source, or no router; tagged, too short, no switch's to pass; nowhere to go */
};

void switch_init(void);
/* 0; -EEXIST: a device of that address is on that network already; -ENOMEM; -ENOSPC: ports on 16 other bridges. */
int port_add(struct port **out, struct net_device *d, const struct port_config *c);
void port_remove(struct port *port);	/* afterwards nobody sends to the device */
/* From the device; takes the reference. By one thread at a time for each port, and what was sent on is seen after port_flush(). */
void port_input(struct port *port, struct packet *p);
void port_flush(struct port *port);

#endif
