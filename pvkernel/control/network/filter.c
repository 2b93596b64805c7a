/* SPDX-License-Identifier: MIT */
/*
 * Forged sources. A locked port sends from its own Ethernet address, also within ARP; with a list of IPv4 addresses, only from those,
 * in ARP and in IP (and from 0.0.0.0, which asks for one). IPv6 addresses are not looked at.
 */
#include "../../include/lib.h"
#include "filter.h"

#define ARP_LENGTH 28
#define ARP_SENDER_MAC 8
#define ARP_SENDER_IP 14
#define IPV4_SOURCE 12

static bool allowed_ip(const struct port_config *c, const u8 *ip)
{
	static const u8 none[4];

	if (!c->nr_ips || !memcmp(ip, none, 4))
		return true;
	for (u32 i = 0; i < c->nr_ips; i++) {
		if (!memcmp(ip, c->ips[i], 4))
			return true;
	}
	return false;
}

static bool arp_passes(struct packet *p, const struct port_config *c, const u8 *mac)
{
	u8 arp[ARP_LENGTH];

	if (p->length < ETH_HEADER + ARP_LENGTH)
		return false;
	packet_read(p, ETH_HEADER, arp, ARP_LENGTH);
	return !memcmp(arp + ARP_SENDER_MAC, mac, 6) && allowed_ip(c, arp + ARP_SENDER_IP);
}

static bool ipv4_passes(struct packet *p, const struct port_config *c)
{
	u8 source[4];

	if (p->length < ETH_HEADER + IPV4_SOURCE + 4)
		return false;
	packet_read(p, ETH_HEADER + IPV4_SOURCE, source, 4);
	return allowed_ip(c, source);
}

bool filter_passes(struct packet *p, const struct port_config *c, const u8 mac[6])
{
	const u8 *frame = p->pieces[0].data;

	if (c->locked && memcmp(frame + 6, mac, 6))
		return false;
	if (c->locked && packet_ethertype(p) == ETHERTYPE_ARP)
		return arp_passes(p, c, mac);
	return !c->nr_ips || packet_ethertype(p) != ETHERTYPE_IPV4 || ipv4_passes(p, c);
}

static bool parse_ip(const char *word, u8 ip[4])
{
	for (u32 i = 0; i < 4; i++) {
		u32 n = 0, digits = 0;

		for (; *word >= '0' && *word <= '9' && digits < 4; word++, digits++)
			n = n * 10 + *word - '0';
		if (!digits || n > 255 || *word != (i < 3 ? '.' : '\0'))
			return false;
		ip[i] = n;
		word++;
	}
	return true;
}

bool filter_parse_ips(const char *text, struct port_config *c)
{
	char word[64];

	c->nr_ips = 0;
	while (*text) {
		u32 n = 0;

		for (; *text && *text != ' '; text++) {
			if (n < sizeof(word) - 1)
				word[n++] = *text;
		}
		word[n] = '\0';
		if (n && c->nr_ips < PORT_IPS && parse_ip(word, c->ips[c->nr_ips]))
			c->nr_ips++;
		else if (n && c->nr_ips == PORT_IPS)
			return false;
		text += *text == ' ';
	}
	return c->nr_ips;
}
