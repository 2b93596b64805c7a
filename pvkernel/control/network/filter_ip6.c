/* SPDX-License-Identifier: MIT */
/*
 * IPv6 of a port that has a list of addresses. It sends from those, from the link-local one that its Ethernet address makes, and ICMP from ::, which
 * asks whether one of them is taken: who is about to take an address that another asks for so gives it up. Of neighbour discovery it answers for
 * these addresses alone, and it is no router: it advertises and redirects nothing. What cannot be judged does not pass: headers that are not
 * followed here, or that a fragment has behind it. Padding behind a datagram is not of it: nobody who gets it sees that.
 */
#include "../../include/lib.h"
#include "filter.h"

#define IP6_SOURCE 8
#define ND_TARGET 8
#define IP6_HEADER 40
#define IP6_LENGTH 4
#define IP6_NEXT_HEADER 6
#define FRAGMENT_HEADER 8
#define EXTENSIONS 4
#define NO_GAP 9

enum { ND_ROUTER_ADVERTISEMENT = 134, ND_SOLICITATION = 135, ND_ADVERTISEMENT = 136, ND_REDIRECT = 137 };
enum { IP6_HOP_BY_HOP = 0, IP6_ROUTING = 43, IP6_FRAGMENT = 44, IP6_AUTHENTICATION = 51, IP6_DESTINATION = 60 };

struct datagram {
	const struct packet *packet;
	u32 end;
	bool anonymous;			/* from :: */
	const struct port_config *config;
	const u8 *mac;
};

static void link_local(const u8 mac[6], u8 ip[16])
{
	memset(ip, 0, 16);
	ip[0] = 0xfe;
	ip[1] = 0x80;
	memcpy(ip + 8, mac, 3);
	ip[8] ^= 2;
	ip[11] = 0xff;
	ip[12] = 0xfe;
	memcpy(ip + 13, mac + 3, 3);
}

static bool is_own(const struct port_config *c, const u8 *mac, const u8 *ip)
{
	u8 local[16];

	link_local(mac, local);
	if (!memcmp(ip, local, 16))
		return true;
	for (u32 i = 0; i < c->nr_ip6s; i++) {
		if (!memcmp(ip, c->ip6s[i], 16))
			return true;
	}
	return false;
}

static bool read_at(const struct datagram *d, u32 offset, void *to, u32 length)
{
	if (offset + length > d->end)
		return false;
	packet_read(d->packet, offset, to, length);
	return true;
}

static bool routes(u8 type)
{
	return type == ND_ROUTER_ADVERTISEMENT || type == ND_REDIRECT;
}

/* The message begins at `at`. */
static bool icmp6_passes(const struct datagram *d, u32 at)
{
	u8 type, target[16];

	if (!read_at(d, at, &type, 1) || routes(type))
		return false;
	if (type != ND_ADVERTISEMENT && (type != ND_SOLICITATION || !d->anonymous))
		return true;
	return read_at(d, at + ND_TARGET, target, 16) && is_own(d->config, d->mac, target);
}

/* Where only an upper protocol may stand. */
static bool upper_passes(const struct datagram *d, u8 protocol, u32 at)
{
	switch (protocol) {
	case IP6_HOP_BY_HOP: case IP6_ROUTING: case IP6_FRAGMENT: case IP6_AUTHENTICATION: case IP6_DESTINATION:
		return false;
	case IPPROTO_ICMP6:
		return icmp6_passes(d, at);
	default:
		return !d->anonymous;
	}
}

/* Fragments but the first say nothing without that. */
static bool is_later_fragment(const u8 header[FRAGMENT_HEADER])
{
	return header[2] || header[3] & ~7;
}

static bool fragment_passes(const struct datagram *d, u32 at)
{
	u8 header[FRAGMENT_HEADER];

	if (d->anonymous || !read_at(d, at, header, sizeof(header)))
		return false;
	return is_later_fragment(header) || upper_passes(d, header[0], at + FRAGMENT_HEADER);
}

bool filter_passes_ip6(struct packet *p, const struct port_config *c, const u8 mac[6])
{
	static const u8 unspecified[16];
	struct packet_headers h;
	struct datagram d;
	u8 source[16];

	if (!packet_headers(p, &h))
		return false;
	packet_read(p, h.network + IP6_SOURCE, source, 16);
	d = (struct datagram){ p, h.end, !memcmp(source, unspecified, 16), c, mac };
	if (!d.anonymous && !is_own(c, mac, source))
		return false;
	return h.fragment ? fragment_passes(&d, h.transport) : upper_passes(&d, h.protocol, h.transport);
}

static bool is_extension(u8 header)
{
	return header == IP6_HOP_BY_HOP || header == IP6_DESTINATION || header == IP6_ROUTING || header == IP6_FRAGMENT;
}

/*
 * Reads alone, since others may hold the packet. A chain of more headers than are followed may end in anything, and so may one that goes on
 * beyond the datagram, for that may be the first of fragments. The others are nothing without it.
 */
bool filter_may_route(const struct packet *p)
{
	u32 at = ETH_HEADER + IP6_HEADER, end;
	u8 fixed[IP6_HEADER], header[FRAGMENT_HEADER], next, type;

	if (at > p->length)
		return false;
	packet_read(p, ETH_HEADER, fixed, sizeof(fixed));
	end = MIN(p->length, at + (fixed[IP6_LENGTH] << 8 | fixed[IP6_LENGTH + 1]));
	next = fixed[IP6_NEXT_HEADER];
	for (u32 passed = 0; is_extension(next); passed++) {
		if (passed == EXTENSIONS || at + sizeof(header) > end)
			return true;
		packet_read(p, at, header, sizeof(header));
		if (next == IP6_FRAGMENT && is_later_fragment(header))
			return false;
		at += next == IP6_FRAGMENT ? FRAGMENT_HEADER : 8 + header[1] * 8;
		next = header[0];
	}
	if (next != IPPROTO_ICMP6)
		return false;
	if (at >= end)
		return true;
	packet_read(p, at, &type, 1);
	return routes(type);
}

/* --- text --- */

static bool parse_group(const char **text, u16 *group)
{
	u32 value = 0, digits = 0;

	for (; digits < 5; digits++, (*text)++) {
		char ch = **text | 0x20;

		if (ch >= '0' && ch <= '9' && **text == ch)
			value = value << 4 | (ch - '0');
		else if (ch >= 'a' && ch <= 'f')
			value = value << 4 | (ch - 'a' + 10);
		else
			break;
	}
	*group = value;
	return digits >= 1 && digits <= 4;
}

/* Eight groups of hexadecimal digits, once "::" for as many zeros as are missing. */
bool filter_parse_ip6(const char *text, u8 ip[16])
{
	u16 groups[8] = { 0 };
	u32 n = 0, gap = NO_GAP;

	if (text[0] == ':' && text[1] != ':')
		return false;
	while (*text) {
		if (text[0] == ':' && text[1] == ':') {
			if (gap != NO_GAP)
				return false;
			gap = n;
			text += 2;
			continue;
		}
		text += n && gap != n && *text == ':';
		if (n == 8 || !parse_group(&text, &groups[n++]) || (*text && *text != ':'))
			return false;
	}
	if ((n == 8) != (gap == NO_GAP))
		return false;
	memset(ip, 0, 16);
	for (u32 i = 0; i < n; i++) {
		u32 at = i < gap ? i : i + 8 - n;

		ip[2 * at] = groups[i] >> 8;
		ip[2 * at + 1] = groups[i];
	}
	return true;
}
