/* SPDX-License-Identifier: MIT */
/* What people see and set of the switch. */
#include "../../include/lib.h"
#include "../../include/ops.h"
#include "../../include/shell.h"
#include "../../include/time.h"
#include "ports.h"

static void print_mac(const u8 *mac)
{
	printf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

static const char *kind(const struct port *port)
{
	if (port->own)
		return "own";
	if (port->config.trunk)
		return "trunk";
	if (port->config.isolated)
		return "isolated";
	return port->config.locked ? "guest" : "open";
}

/* Received and sent as the switch sees it: what domain 0's stack sends, the switch receives. */
static int list_ports(void)
{
	bool irq = irq_save();

	printf("%-12s %-12s %4s %-8s %-17s %10s %12s %10s %12s %7s %7s %7s\n", "port", "bridge", "vlan", "kind", "address",
	       "received", "bytes", "sent", "bytes", "dropped", "forged", "refused");
	list_for_each(node, &switch_ports) {
		struct port *port = list_entry(node, struct port, node);
		struct net_device *d = port->device;

		printf("%-12s %-12s %4u %-8s ", d->name, port->config.bridge, port->config.vlan, kind(port));
		print_mac(d->mac);
		printf(" %10lu %12lu %10lu %12lu %7lu %7lu %7lu\n", port->own ? d->tx_packets : d->rx_packets,
		       port->own ? d->tx_bytes : d->rx_bytes, port->own ? d->rx_packets : d->tx_packets, port->own ? d->rx_bytes : d->tx_bytes,
		       d->rx_dropped + d->tx_dropped + port->unsent, port->forged, port->refused);
	}
	irq_restore(irq);
	return 0;
}

static struct port *find(const char *name)
{
	list_for_each(node, &switch_ports) {
		struct port *port = list_entry(node, struct port, node);

		if (!strcmp(port->device->name, name))
			return port;
	}
	return NULL;
}

static bool set(struct port *port, const char *what, const char *value)
{
	bool on = !strcmp(value, "on");
	u64 vlan;

	if (!strcmp(what, "vlan")) {
		if (!parse_u64(value, &vlan) || vlan > VLAN_MAX)
			return false;
		port_set_vlan(port, vlan);
		return true;
	}
	if (!on && strcmp(value, "off"))
		return false;
	if (!strcmp(what, "trunk") && !port->config.locked && !port->own)
		port->config.trunk = on;
	else if (!strcmp(what, "isolated"))
		port->config.isolated = on;
	else
		return false;
	return true;
}

static int cmd_switch(int argc, char **argv)
{
	bool irq, done = false;
	struct port *port;

	if (argc == 1)
		return list_ports();
	irq = irq_save();
	port = argc == 4 ? find(argv[1]) : NULL;
	if (port)
		done = set(port, argv[2], argv[3]);
	irq_restore(irq);
	if (argc == 4 && !port)
		printf("switch: no port %s\n", argv[1]);
	else if (!done)
		printf("usage: switch | switch PORT vlan 0..4094 | switch PORT isolated on|off | switch CARD trunk on|off\n");
	return !done;
}
COMMAND(switch, cmd_switch, "the switch's ports and counters; PORT vlan N, PORT isolated on|off, CARD trunk on|off change one");

static int cmd_switch_macs(int argc, char **argv)
{
	u64 t = now();
	bool irq = irq_save();

	printf("%-17s %4s %-12s %s\n", "address", "vlan", "port", "age/s");
	for (u32 i = 0; i < MAC_ENTRIES; i++) {
		const struct mac_entry *e = &switch_table.entry[i];
		u8 mac[6];

		if (!e->owner)
			continue;
		for (u32 j = 0; j < 6; j++)
			mac[j] = e->key >> (40 - 8 * j);
		print_mac(mac);
		printf(" %4lu %-12s ", e->key >> 48 & 0xfff, CONTAINER_OF(e->owner, struct port, addresses)->device->name);
		if (e->fixed)
			printf("fixed\n");
		else
			printf("%lu\n", (t - e->seen) / NSEC_PER_SEC);
	}
	irq_restore(irq);
	return 0;
}
COMMAND_AS(switch_macs, "switch-macs", cmd_switch_macs, "the addresses that the switch knows, and at which port");
