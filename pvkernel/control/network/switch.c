/* SPDX-License-Identifier: MIT */
/*
 * The switch. A packet from a port is filtered (filter.c), its VLAN found out (tag.c), its source learned, and it goes to the one
 * port that is known for its destination, or to all that may have it.
 *
 *	ports		all, in the order in which they came
 *	table		address -> port; a locked port's is fixed, so nobody else gets what is for it
 *	references	of a port: threads that are sending to it without the guard. It is unlinked and its owner goes on
 *			when it is removed and nobody is
 *
 * Guarded by disabled interrupts: the lists, the table, reference counts. Nothing is sent under the guard, for a device may take its time,
 * and domain 0's stack may answer at once from within.
 */
#include <abi/errno.h>

#include "../../include/lib.h"
#include "../../include/mm.h"
#include "../../include/ops.h"
#include "../../include/random.h"
#include "../../include/sched.h"
#include "../../include/time.h"
#include "capture.h"
#include "filter.h"
#include "ports.h"
#include "switch.h"
#include "tag.h"

#define GUEST_ADDRESSES 16		/* that a port which is not locked may be learned at */
#define CARD_ADDRESSES 1024

struct list switch_ports = LIST_INIT(switch_ports);
struct mac_table switch_table;
static struct wait_queue port_unused = WAIT_QUEUE_INIT(port_unused);

/* --- who may have what --- */

static u16 segment(const struct port *port, u16 vlan)
{
	return port->bridge << 12 | vlan;
}

static bool may_have(const struct port *from, const struct port *to, u16 vlan)
{
	return to != from && !to->removed && to->bridge == from->bridge && (to->config.trunk || to->config.vlan == vlan) &&
	       !(from->config.isolated && to->config.isolated);
}

/* Is it for many, a port wants it; else only one that may have stations behind it. */
static bool in_flood(const struct port *from, const struct port *to, u16 vlan, bool many)
{
	return may_have(from, to, vlan) && (many || (!to->config.locked && !to->own));
}

/* --- sending --- */

static void put_port(struct port *port)
{
	bool irq = irq_save();

	if (!--port->references && port->removed)
		wake_up(&port_unused);
	irq_restore(irq);
}

static void flush_port(struct port *port)
{
	if (!port->own)
		net_flush(port->device);
	put_port(port);
}

void port_flush(struct port *port)
{
	while (port->nr_touched)
		flush_port(port->touched[--port->nr_touched]);
}

/* Takes a reference to `to`, which is kept until the flush. */
static void touch(struct port *from, struct port *to)
{
	for (u32 i = 0; i < from->nr_touched; i++) {
		if (from->touched[i] == to) {
			put_port(to);
			return;
		}
	}
	if (from->nr_touched == PORT_TOUCHED)
		flush_port(from->touched[--from->nr_touched]);
	from->touched[from->nr_touched++] = to;
}

/* A guest may be the router of those that it shares a network with, never of domain 0. */
static bool is_false_router(const struct port *from, const struct port *to, const struct packet *p)
{
	return to->own && !from->card && packet_ethertype(p) == ETHERTYPE_IPV6 && filter_may_route(p);
}

static void hand_over(struct port *from, struct port *to, struct packet *p)
{
	struct net_device *d = to->device;

	if (is_false_router(from, to, p)) {
		from->forged++;
		packet_put(p);
		return;
	}
	if (to->capture)
		capture_packet(p);
	if (!to->own) {
		if (p->vlan && to->config.trunk)
			tag_send(d, p);
		else
			net_send(d, p);
		return;
	}
	d->rx_packets++;
	d->rx_bytes += p->length;
	if (d->receive)
		d->receive(d, p);
	else
		packet_put(p);
}

/* Takes a reference to each. */
static void send_to(struct port *from, struct port *to, struct packet *p)
{
	hand_over(from, to, p);
	touch(from, to);
}

static struct port *hold_next(struct port *from, struct list *at, u16 vlan, bool many)
{
	bool irq = irq_save();
	struct port *found = NULL;

	for (struct list *node = at->next; !found && node != &switch_ports; node = node->next) {
		struct port *to = list_entry(node, struct port, node);

		if (in_flood(from, to, vlan, many)) {
			found = to;
			to->references++;
		}
	}
	irq_restore(irq);
	return found;
}

/* A port stays in the list while it is referenced, so the next one can be found from it. */
static void flood(struct port *from, struct packet *p, bool many)
{
	struct port *to = hold_next(from, &switch_ports, p->vlan, many), *next;
	u16 vlan = p->vlan;

	if (!to)
		from->unsent++;
	for (; to; to = next) {
		next = hold_next(from, &to->node, vlan, many);
		packet_hold(p);
		send_to(from, to, p);
	}
	packet_put(p);
}

/* --- receiving --- */

/* Learns the source; the port of the destination, with a reference. NULL and *known: it may not be sent there. */
static struct port *find_port(struct port *from, const u8 *frame, u16 vlan, bool *known)
{
	bool irq = irq_save();
	struct mac_entry *e;
	struct port *to = NULL;

	if (!from->config.locked && !from->own && !(frame[6] & 1))
		mac_learn(&switch_table, &from->addresses, mac_key(segment(from, vlan), frame + 6), now());
	e = mac_find(&switch_table, mac_key(segment(from, vlan), frame));
	*known = e && (e->fixed || !mac_expired(e, now()));
	if (*known)
		to = CONTAINER_OF(e->owner, struct port, addresses);
	if (to && may_have(from, to, vlan))
		to->references++;
	else
		to = NULL;
	irq_restore(irq);
	return to;
}

/*
 * A bridge keeps to itself what is for bridges (IEEE 802.1D, 7.12.6), else a guest could be one to those of the machine's network. TCP has
 * no groups: a large packet to one would be cut into thousands for each port.
 */
static bool may_pass(const struct packet *p)
{
	static const u8 bridges[5] = { 0x01, 0x80, 0xc2, 0x00, 0x00 };
	const u8 *to = p->pieces[0].data;

	return !(to[0] & 1) || (!p->gso_type && (memcmp(to, bridges, 5) || to[5] > 0x0f));
}

static bool accept(struct port *port, struct packet *p)
{
	if (p->length < ETH_HEADER || !packet_pull_up(p, ETH_HEADER) || !tag_take(p, &port->config) || !may_pass(p)) {
		port->refused++;
		return false;
	}
	if (!filter_passes(p, &port->config, port->device->mac)) {
		port->forged++;
		return false;
	}
	return true;
}

void port_input(struct port *port, struct packet *p)
{
	struct port *to;
	const u8 *frame;
	bool known;

	if (port->capture)
		capture_packet(p);
	if (!accept(port, p)) {
		packet_put(p);
		return;
	}
	frame = p->pieces[0].data;
	to = find_port(port, frame, p->vlan, &known);
	if (to) {
		send_to(port, to, p);
	} else if (known) {
		port->unsent++;
		packet_put(p);
	} else {
		flood(port, p, frame[0] & 1);
	}
}

/* --- ports come and go --- */

/* That of the ports that are on it already, or one that no port has. */
static int bridge_number(const char *name)
{
	u32 used = 0;

	list_for_each(node, &switch_ports) {
		const struct port *port = list_entry(node, struct port, node);

		if (!strcmp(port->config.bridge, name))
			return port->bridge;
		used |= 1u << port->bridge;
	}
	return used == (1u << BRIDGES_MAX) - 1 ? -ENOSPC : __builtin_ctz(~used);
}

/* By interrupts disabled. */
static int link_port(struct port *port)
{
	int bridge = bridge_number(port->config.bridge);

	if (bridge < 0)
		return bridge;
	port->bridge = bridge;
	if ((port->config.locked || port->own) &&
	    !mac_fix(&switch_table, &port->addresses, mac_key(segment(port, port->config.vlan), port->device->mac)))
		return -EEXIST;
	list_insert_before(&switch_ports, &port->node);
	return 0;
}

static int add(struct port **out, struct net_device *d, const struct port_config *c, bool own, u32 addresses)
{
	struct port *port = kmalloc(sizeof(*port));
	bool irq;
	int err;

	if (!port)
		return -ENOMEM;
	*port = (struct port){ .device = d, .config = *c, .own = own, .addresses.max = addresses, .capture = capture_all };
	list_init(&port->node);
	*out = port;
	irq = irq_save();
	err = link_port(port);
	irq_restore(irq);
	if (err) {
		*out = NULL;
		kfree(port);
	}
	return err;
}

int port_add(struct port **out, struct net_device *d, const struct port_config *c)
{
	return add(out, d, c, false, GUEST_ADDRESSES);
}

/* Its own last flush may still hold references to others. */
void port_remove(struct port *port)
{
	bool irq;

	port_flush(port);
	irq = irq_save();
	port->removed = true;
	mac_forget(&switch_table, &port->addresses);
	while (port->references)
		wait_on(&port_unused);
	list_remove(&port->node);
	irq_restore(irq);
	kfree(port);
}

void port_set_vlan(struct port *port, u16 vlan)
{
	bool irq = irq_save();
	u16 old = port->config.vlan;

	mac_forget(&switch_table, &port->addresses);
	port->config.vlan = vlan;
	if ((port->config.locked || port->own) &&
	    !mac_fix(&switch_table, &port->addresses, mac_key(segment(port, vlan), port->device->mac))) {
		port->config.vlan = old;
		mac_fix(&switch_table, &port->addresses, mac_key(segment(port, old), port->device->mac));
	}
	irq_restore(irq);
}

/* --- network cards, and domain 0's own port --- */

static void card_receive(struct net_device *d, struct packet *p)
{
	port_input(d->user, p);
	if (!d->batches)
		port_flush(d->user);
}

static void card_received(struct net_device *d)
{
	port_flush(d->user);
}

static bool card_attach(struct net_device *d)
{
	struct port_config c = { .bridge = DEFAULT_BRIDGE };
	struct port *port;

	if (strncmp(d->name, "eth", 3) || add(&port, d, &c, false, CARD_ADDRESSES))
		return false;
	port->card = true;
	d->user = port;
	d->received = card_received;
	d->receive = card_receive;
	return true;
}

static void card_detach(struct net_device *d)
{
	d->receive = NULL;
	port_remove(d->user);
}

static void own_send(struct net_device *d, struct packet *p)
{
	d->tx_packets++;
	d->tx_bytes += p->length;
	port_input(d->data, p);
}

static void own_flush(struct net_device *d)
{
	port_flush(d->data);
}

static struct net_user cards = { .attach = card_attach, .detach = card_detach };
static struct net_device own = {
	.name = "dom0", .mtu = ETH_MTU, .can_csum = true, .can_csum6 = true, .can_gso4 = true, .can_gso6 = true,
	.send = own_send, .flush = own_flush,
};

/* Not one of a card's makers: locally administered. */
static void make_address(u8 mac[6])
{
	u64 number = random_number();

	memcpy(mac, "\x02\x16\x3e", 3);
	memcpy(mac + 3, &number, 3);
}

void switch_init(void)
{
	struct port_config c = { .bridge = DEFAULT_BRIDGE };
	struct port *port;

	mac_init(&switch_table, random_number());
	make_address(own.mac);
	if (add(&port, &own, &c, true, 1)) {
		printf("switch: no memory for domain 0's port\n");
		return;
	}
	own.data = port;
	net_device_register(&own);
	net_user_register(&cards);
}
