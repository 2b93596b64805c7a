/* SPDX-License-Identifier: MIT */
/*
 * What the headers of a packet say, read by byte from a packet that may come from anybody. Nothing that a header says is used
 * before it has been held against what is there:
 *
 *	network <= transport <= payload <= end <= length, and [0, payload) is in the first piece
 *
 * Of IPv6's extension headers hop-by-hop and destination options are passed over, at most EXTENSIONS. A routing header is a protocol of its
 * own: with it the checksum is of another address than the header's.
 */
#include "lib.h"
#include "net.h"

#define EXTENSIONS 4
#define HEADERS_MAX 256u		/* of Ethernet to TCP, looked at in one piece */
#define IPV4_MIN 20
#define IPV6_HEADER 40
#define TCP_MIN 20
#define UDP_HEADER 8
#define TCP_CHECKSUM 16			/* offsets of the fields */
#define UDP_CHECKSUM 6

enum { HOP_BY_HOP = 0, FRAGMENT = 44, DESTINATION = 60 };

static u16 be16(const u8 *p)
{
	return p[0] << 8 | p[1];
}

static u16 swap16(u16 v)
{
	return v << 8 | v >> 8;
}

/* NULL: [0, end) is not there, or not to be had in one piece. */
static const u8 *first_bytes(struct packet *p, u32 end)
{
	return end <= p->length && end <= HEADERS_MAX && packet_pull_up(p, end) ? p->pieces[0].data : NULL;
}

static bool ipv4_headers(struct packet *p, struct packet_headers *h)
{
	const u8 *ip = first_bytes(p, h->network + IPV4_MIN);
	u32 header, total;

	if (!ip)
		return false;
	ip += h->network;
	header = (ip[0] & 15) * 4;
	total = be16(ip + 2);
	if (ip[0] >> 4 != 4 || header < IPV4_MIN || total < header || total > p->length - h->network)
		return false;
	h->transport = h->network + header;
	h->end = h->network + total;
	h->fragment = be16(ip + 6) & 0x3fff;	/* more to come, or an offset */
	h->protocol = h->fragment ? 0 : ip[9];
	return first_bytes(p, h->transport);
}

static bool ipv6_headers(struct packet *p, struct packet_headers *h)
{
	const u8 *data = first_bytes(p, h->network + IPV6_HEADER);
	u32 at = h->network + IPV6_HEADER, next;

	if (!data || data[h->network] >> 4 != 6)
		return false;
	h->end = at + be16(data + h->network + 4);
	if (h->end > p->length)
		return false;
	next = data[h->network + 6];
	for (u32 i = 0; i < EXTENSIONS && (next == HOP_BY_HOP || next == DESTINATION); i++) {
		data = first_bytes(p, at + 8);
		if (!data)
			return false;
		next = data[at];
		at += 8 + data[at + 1] * 8;
		if (at > h->end || !first_bytes(p, at))
			return false;
	}
	h->transport = at;
	h->fragment = next == FRAGMENT;
	h->protocol = next == HOP_BY_HOP || next == DESTINATION || next == FRAGMENT ? 0 : next;
	return true;
}

static bool transport_headers(struct packet *p, struct packet_headers *h)
{
	u32 least = h->protocol == IPPROTO_TCP ? TCP_MIN : UDP_HEADER, length = least;
	const u8 *data = first_bytes(p, h->transport + least);

	if (!data)
		return false;
	if (h->protocol == IPPROTO_TCP)
		length = (data[h->transport + 12] >> 4) * 4;
	h->payload = h->transport + length;
	return length >= least && h->payload <= h->end && first_bytes(p, h->payload);
}

bool packet_headers(struct packet *p, struct packet_headers *h)
{
	u16 type = p->length >= ETH_HEADER ? packet_ethertype(p) : 0;

	*h = (struct packet_headers){ .ipv6 = type == ETHERTYPE_IPV6, .network = ETH_HEADER };
	if (type != ETHERTYPE_IPV4 && type != ETHERTYPE_IPV6)
		return false;
	if (!(h->ipv6 ? ipv6_headers(p, h) : ipv4_headers(p, h)))
		return false;
	h->payload = h->transport;
	return (h->protocol != IPPROTO_TCP && h->protocol != IPPROTO_UDP) || transport_headers(p, h);
}

/* --- the transport's checksum --- */

/* Folded, so that it can be added to another sum. */
static u16 pseudo_header(const struct packet *p, const struct packet_headers *h)
{
	const u8 *ip = p->pieces[0].data + h->network;
	u64 sum = swap16(h->end - h->transport) + swap16(h->protocol);

	return checksum_fold(h->ipv6 ? checksum_add(sum, ip + 8, 32) : checksum_add(sum, ip + 12, 8));
}

static u8 *checksum_field(struct packet *p, const struct packet_headers *h)
{
	return p->pieces[0].data + h->transport + (h->protocol == IPPROTO_TCP ? TCP_CHECKSUM : UDP_CHECKSUM);
}

static void set_checksum(struct packet *p, const struct packet_headers *h, u16 value)
{
	__builtin_memcpy(checksum_field(p, h), &value, sizeof(value));
}

static bool has_checksum(const struct packet_headers *h)
{
	return h->protocol == IPPROTO_TCP || h->protocol == IPPROTO_UDP;
}

static bool gso_fits(const struct packet *p, const struct packet_headers *h)
{
	return h->protocol == IPPROTO_TCP && p->gso_size >= PACKET_GSO_MIN &&
	       p->gso_type == (h->ipv6 ? XEN_NETIF_GSO_TYPE_TCPV6 : XEN_NETIF_GSO_TYPE_TCPV4) && h->end == p->length;
}

bool packet_check_blank(struct packet *p)
{
	struct packet_headers h;

	if (!packet_headers(p, &h) || !has_checksum(&h) || (p->gso_type && !gso_fits(p, &h)))
		return false;
	set_checksum(p, &h, pseudo_header(p, &h));
	return true;
}

static u16 sum_with_pseudo_header(const struct packet *p, const struct packet_headers *h)
{
	return checksum_fold((u64)checksum_fold(packet_sum(p, h->transport, h->end - h->transport)) + pseudo_header(p, h));
}

/* In UDP a sum of zero is sent as its other form, for zero says that there is none. */
void packet_complete_checksum(struct packet *p)
{
	struct packet_headers h;
	u16 sum;

	if (p->csum_blank && packet_headers(p, &h) && has_checksum(&h)) {
		set_checksum(p, &h, 0);
		sum = ~sum_with_pseudo_header(p, &h);
		set_checksum(p, &h, sum || h.protocol == IPPROTO_TCP ? sum : 0xffff);
	}
	p->csum_blank = false;
}

bool packet_checksum_right(struct packet *p)
{
	struct packet_headers h;

	if (p->csum_valid || p->csum_blank)
		return true;
	if (!packet_headers(p, &h) || !has_checksum(&h))
		return false;
	return sum_with_pseudo_header(p, &h) == 0xffff;
}
