/* SPDX-License-Identifier: MIT */
/*
 * A large TCP packet as those that go over a wire: each has the headers of the whole, with its own lengths, its own sequence number
 * (the first's and what lies between), IPv4's identification counted up, FIN and PSH in the last alone and CWR in the first alone.
 */
#include "lib.h"
#include "net.h"

enum { TCP_FIN = 0x01, TCP_PSH = 0x08, TCP_CWR = 0x80 };

static void put16(u8 *p, u16 v)
{
	p[0] = v >> 8;
	p[1] = v;
}

static void set_lengths(struct packet *s, const struct packet_headers *h, u32 index)
{
	u8 *ip = s->pieces[0].data + h->network;
	u16 checksum;

	if (h->ipv6) {
		put16(ip + 4, s->length - h->network - 40);
		return;
	}
	put16(ip + 2, s->length - h->network);
	put16(ip + 4, (ip[4] << 8 | ip[5]) + index);
	put16(ip + 10, 0);
	checksum = ~checksum_of(ip, h->transport - h->network);
	__builtin_memcpy(ip + 10, &checksum, 2);
}

static void set_tcp(struct packet *s, const struct packet_headers *h, u32 offset, bool last)
{
	u8 *tcp = s->pieces[0].data + h->transport;
	u32 seq = ((u32)tcp[4] << 24 | tcp[5] << 16 | tcp[6] << 8 | tcp[7]) + offset;

	put16(tcp + 4, seq >> 16);
	put16(tcp + 6, seq);
	if (!last)
		tcp[13] &= ~(TCP_FIN | TCP_PSH);
	if (offset)
		tcp[13] &= ~TCP_CWR;
}

/* Where reading the payload goes on, so that a long packet is walked through once. */
struct reader {
	const struct packet_piece *piece;
	u32 offset;
};

static void read_on(struct reader *r, u8 *to, u32 length)
{
	while (length) {
		u32 n = MIN(length, r->piece->length - r->offset);

		memcpy(to, r->piece->data + r->offset, n);
		to += n;
		length -= n;
		r->offset += n;
		if (r->offset == r->piece->length) {
			r->piece++;
			r->offset = 0;
		}
	}
}

static void fill(struct packet *s, struct reader *r, u32 headers)
{
	for (u32 i = 0; i < s->nr_pieces; i++) {
		u32 from = i ? 0 : headers;

		read_on(r, s->pieces[i].data + from, s->pieces[i].length - from);
	}
}

bool packet_segment(struct packet *p, void (*fn)(void *arg, struct packet *segment), void *arg)
{
	struct reader r = { .piece = p->pieces, .offset = 0 };
	struct packet_headers h;
	u32 total, index = 0, at = 0, n;

	if (!packet_headers(p, &h))
		return false;
	total = h.end - h.payload;
	r.offset = h.payload;
	do {
		struct packet *s;

		n = MIN(total - at, p->gso_size);
		s = packet_alloc(h.payload + n);
		if (!s)
			return false;
		s->vlan = p->vlan;
		s->csum_blank = true;
		memcpy(s->pieces[0].data, p->pieces[0].data, h.payload);
		fill(s, &r, h.payload);
		set_lengths(s, &h, index++);
		set_tcp(s, &h, at, at + n == total);
		at += n;
		if (packet_check_offload(s))
			fn(arg, s);
		else
			packet_put(s);
	} while (at < total);
	return true;
}
