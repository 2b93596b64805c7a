/* SPDX-License-Identifier: MIT */
/* The switch's ports, for its commands. */
#ifndef CONTROL_PORTS_H
#define CONTROL_PORTS_H

#include "switch.h"

extern struct list switch_ports;	/* guarded by disabled interrupts */
extern struct mac_table switch_table;
void port_set_vlan(struct port *port, u16 vlan);	/* left as it is if its address is another's there */

#endif
