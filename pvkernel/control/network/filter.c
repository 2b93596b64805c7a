/* SPDX-License-Identifier: MIT */
/*
 * Forged sources. A locked port sends from its own Ethernet address, also within ARP; a port with a list of addresses only from those, in ARP and
 * in IPv4 (and from 0.0.0.0, which asks for one), and in IPv6 as filter_ip6.c has it. ARP from 0.0.0.0 asks whether an address is taken, and who
 * is about to take it then gives it up (RFC 5227, 2.1.1): so it may ask for those of the list alone.
 */
#include "../../include/lib.h"
#include "filter.h"
#include "mac_table.h"

#define ARP_LENGTH 28
#define ARP_SENDER_MAC 8
#define ARP_SENDER_IP 14
#define ARP_TARGET_IP 24
#define IPV4_SOURCE 12

static bool has_list(const struct port_config *c)
{
	return c->nr_ips || c->nr_ip6s;
}

static bool is_none(const u8 *ip)
{
	return !(ip[0] | ip[1] | ip[2] | ip[3]);
}

static bool is_listed(const struct port_config *c, const u8 *ip)
{
	for (u32 i = 0; i < c->nr_ips; i++) {
		if (!memcmp(ip, c->ips[i], 4))
			return true;
	}
	return false;
}

static bool arp_passes(struct packet *p, const struct port_config *c, const u8 *mac)
{
	static const u8 of_ipv4_over_ethernet[6] = { 0, 1, 8, 0, 6, 4 };
	u8 arp[ARP_LENGTH];

	if (p->length < ETH_HEADER + ARP_LENGTH)
		return false;
	packet_read(p, ETH_HEADER, arp, ARP_LENGTH);
	if (memcmp(arp, of_ipv4_over_ethernet, 6) || (c->locked && memcmp(arp + ARP_SENDER_MAC, mac, 6)))
		return false;
	return !has_list(c) || is_listed(c, arp + (is_none(arp + ARP_SENDER_IP) ? ARP_TARGET_IP : ARP_SENDER_IP));
}

static bool ipv4_passes(struct packet *p, const struct port_config *c)
{
	u8 source[4];

	if (p->length < ETH_HEADER + IPV4_SOURCE + 4)
		return false;
	packet_read(p, ETH_HEADER + IPV4_SOURCE, source, 4);
	return is_none(source) || is_listed(c, source);
}

bool filter_passes(struct packet *p, const struct port_config *c, const u8 mac[6])
{
	const u8 *frame = p->pieces[0].data;

	if (c->locked && mac_key(0, frame + 6) != mac_key(0, mac))
		return false;
	switch (packet_ethertype(p)) {
	case ETHERTYPE_ARP:
		return (!c->locked && !has_list(c)) || arp_passes(p, c, mac);
	case ETHERTYPE_IPV4:
		return !has_list(c) || ipv4_passes(p, c);
	case ETHERTYPE_IPV6:
		return !has_list(c) || filter_passes_ip6(p, c, mac);
	default:
		return true;
	}
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

static bool parse_word(const char *word, struct port_config *c)
{
	if (c->nr_ips < PORT_IPS && parse_ip(word, c->ips[c->nr_ips]))
		c->nr_ips++;
	else if (c->nr_ip6s < PORT_IPS && filter_parse_ip6(word, c->ip6s[c->nr_ip6s]))
		c->nr_ip6s++;
	else
		return false;
	return true;
}

bool filter_parse_ips(const char *text, struct port_config *c)
{
	char word[64];

	c->nr_ips = c->nr_ip6s = 0;
	while (*text) {
		u32 n = 0;

		for (; *text && *text != ' '; text++) {
			if (n < sizeof(word) - 1)
				word[n++] = *text;
		}
		word[n] = '\0';
		if (n && !parse_word(word, c))
			return false;
		text += *text == ' ';
	}
	return has_list(c);
}
