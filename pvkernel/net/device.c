/* SPDX-License-Identifier: MIT */
/*
 * Devices and their users: whichever comes first waits for the other. A device has one owner or none; both lists are guarded by a
 * lock that is held while attach() and detach() run, so these follow each other.
 */
#include <abi/errno.h>

#include "lib.h"
#include "mutex.h"
#include "net.h"

static struct mutex lock = MUTEX_INIT(lock);
static struct list devices = LIST_INIT(devices), users = LIST_INIT(users);

static void offer(struct net_device *d, struct net_user *u)
{
	if (!d->owner && u->attach(d))
		d->owner = u;
}

void net_device_register(struct net_device *d)
{
	mutex_lock(&lock);
	d->owner = NULL;
	list_insert_before(&devices, &d->node);
	list_for_each(node, &users)
		offer(d, list_entry(node, struct net_user, node));
	mutex_unlock(&lock);
}

void net_device_unregister(struct net_device *d)
{
	mutex_lock(&lock);
	list_remove(&d->node);
	if (d->owner)
		d->owner->detach(d);
	d->owner = NULL;
	mutex_unlock(&lock);
}

void net_user_register(struct net_user *u)
{
	mutex_lock(&lock);
	list_insert_before(&users, &u->node);
	list_for_each(node, &devices)
		offer(list_entry(node, struct net_device, node), u);
	mutex_unlock(&lock);
}

struct net_device *net_device_find(const char *name)
{
	struct net_device *found = NULL;

	mutex_lock(&lock);
	list_for_each(node, &devices) {
		struct net_device *d = list_entry(node, struct net_device, node);

		if (!strcmp(d->name, name))
			found = d;
	}
	mutex_unlock(&lock);
	return found;
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

bool net_parse_mac(const char *text, u8 mac[6])
{
	for (u32 i = 0; i < 6; i++, text += 3) {
		int high = digit(text[0]), low = high < 0 ? -1 : digit(text[1]);

		if (low < 0 || text[2] != (i < 5 ? ':' : '\0'))
			return false;
		mac[i] = high << 4 | low;
	}
	return !(mac[0] & 1);
}

/* --- sending in the form that a device takes --- */

static void send_whole(struct net_device *d, struct packet *p)
{
	if (!p->gso_type && p->length > (u32)d->mtu + ETH_HEADER + ETH_VLAN) {
		d->tx_dropped++;
		packet_put(p);
		return;
	}
	d->send(d, p);
}

static bool takes_blank(const struct net_device *d, const struct packet *p)
{
	return packet_ethertype(p) == ETHERTYPE_IPV6 ? d->can_csum6 : d->can_csum;
}

/* What others hold is read-only: then the checksum goes into a copy. */
static void send_complete(void *arg, struct packet *p)
{
	struct net_device *d = arg;

	if (p->csum_blank && !takes_blank(d, p)) {
		if (p->references > 1) {
			struct packet *copy = packet_copy(p);

			packet_put(p);
			if (!copy) {
				d->tx_dropped++;
				return;
			}
			p = copy;
		}
		packet_complete_checksum(p);
	}
	send_whole(d, p);
}

/* Whether what is cut, by whomever, goes over d. */
static bool too_long(const struct net_device *d, const struct packet *p)
{
	return p->gso_size + (p->gso_type == XEN_NETIF_GSO_TYPE_TCPV6 ? 60u : 40u) > d->mtu;
}

void net_send(struct net_device *d, struct packet *p)
{
	bool whole = !p->gso_type;

	if (!whole && !too_long(d, p))
		whole = p->gso_type == XEN_NETIF_GSO_TYPE_TCPV6 ? d->can_gso6 && d->can_csum6 : d->can_gso4 && d->can_csum;
	if (whole) {
		send_complete(d, p);
		return;
	}
	if (too_long(d, p) || !packet_segment(p, send_complete, d))
		d->tx_dropped++;
	packet_put(p);
}

void net_flush(struct net_device *d)
{
	if (d->flush)
		d->flush(d);
}
