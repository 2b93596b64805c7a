/* SPDX-License-Identifier: MIT */
/*
 * Tags are put and taken at trunks alone. A tagged frame from any other port is refused, else a guest could write the tag of a VLAN that
 * is not its own, and have it believed behind the trunk; so is one with a second tag behind the first.
 */
#include "../../include/lib.h"
#include "tag.h"

#define ETHERTYPE_QINQ 0x88a8
#define ETHERTYPE_QINQ_OLD 0x9100

static bool is_tag(u16 type)
{
	return type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ || type == ETHERTYPE_QINQ_OLD;
}

bool tag_take(struct packet *p, const struct port_config *c)
{
	u8 *frame = p->pieces[0].data;

	p->vlan = c->trunk ? 0 : c->vlan;
	if (!is_tag(packet_ethertype(p)))
		return true;
	if (!c->trunk || packet_ethertype(p) != ETHERTYPE_VLAN || p->length < ETH_HEADER + ETH_VLAN || p->references > 1 ||
	    !packet_pull_up(p, ETH_HEADER + ETH_VLAN))
		return false;
	p->vlan = (frame[14] << 8 | frame[15]) & 0xfff;
	if (p->vlan > VLAN_MAX)
		return false;
	memmove(frame + ETH_VLAN, frame, 12);
	p->pieces[0].data += ETH_VLAN;
	p->pieces[0].length -= ETH_VLAN;
	p->length -= ETH_VLAN;
	return !is_tag(packet_ethertype(p));
}

/* Takes the reference. A packet that has no room in front, or that others hold, is copied. NULL: no memory. */
static struct packet *tag_put(struct packet *p)
{
	u8 *frame = p->references == 1 ? packet_push(p, ETH_VLAN) : NULL;

	if (!frame) {
		struct packet *copy = packet_copy(p);

		packet_put(p);
		frame = copy ? packet_push(copy, ETH_VLAN) : NULL;
		p = copy;
	}
	if (!frame)
		return NULL;
	memmove(frame, frame + ETH_VLAN, 12);
	frame[12] = ETHERTYPE_VLAN >> 8;
	frame[13] = ETHERTYPE_VLAN & 0xff;
	frame[14] = p->vlan >> 8;
	frame[15] = p->vlan;
	return p;
}

static void send_tagged(struct net_device *tagger, struct packet *p)
{
	struct net_device *d = tagger->data;

	p = tag_put(p);
	if (p)
		d->send(d, p);
	else
		d->tx_dropped++;
}

/* What is behind a tag a card does not cut or sum for us, so that comes first. */
void tag_send(struct net_device *d, struct packet *p)
{
	struct net_device tagger = { .mtu = d->mtu, .send = send_tagged, .data = d };

	net_send(&tagger, p);
	d->tx_dropped += tagger.tx_dropped;
}
