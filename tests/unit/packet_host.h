/* SPDX-License-Identifier: MIT */
/* pvkernel/net on the host, for tests and fuzzers: pages counted, packets made, and judged by code that shares nothing with it. */
#ifndef PACKET_HOST_H
#define PACKET_HOST_H

#define PVK_OPS_H
#define PVK_SCHED_H
#define PVK_MM_H
#define PVK_LIB_H
#define PVK_MUTEX_H
#include <stdlib.h>
#include <string.h>

#include "../../pvkernel/include/list.h"
#include "../../pvkernel/include/types.h"

#define PAGE_SIZE 4096ul
#define PAGE_MASK (~(PAGE_SIZE - 1))
#define NO_PAGE 0ul
#define MUTEX_INIT(m) { 0 }
#define CHECK(c) do { if (!(c)) __builtin_trap(); } while (0)
#define ASSERT(c) CHECK(c)

struct mutex { bool locked; };

static void mutex_lock(struct mutex *m)
{
	CHECK(!m->locked);
	m->locked = true;
}

static void mutex_unlock(struct mutex *m)
{
	m->locked = false;
}

static long pages_out, pages_left = 1000000;

static bool irq_save(void)
{
	return true;
}

static void irq_restore(bool was)
{
}

static u64 page_alloc(void)
{
	if (!pages_left)
		return NO_PAGE;
	pages_left--;
	pages_out++;
	return (u64)aligned_alloc(PAGE_SIZE, PAGE_SIZE) / PAGE_SIZE;
}

static void *pfn_to_virt(u64 pfn)
{
	return (void *)(pfn * PAGE_SIZE);
}

static u64 virt_to_pfn(const void *va)
{
	return (u64)va / PAGE_SIZE;
}

static void page_free(u64 pfn)
{
	pages_out--;
	pages_left++;
	free(pfn_to_virt(pfn));
}

#include "../../pvkernel/net/packet.c"
#include "../../pvkernel/net/checksum.c"
#include "../../pvkernel/net/headers.c"
#include "../../pvkernel/net/segment.c"
#include "../../pvkernel/net/device.c"

/* No pool, so that the sanitizer sees each page's end. */
__attribute__((constructor)) static void no_pool(void)
{
	pool_max = 0;
}

/* --- making and judging packets ----------------------------------------------------------- */

/* TCP and UDP have `options` bytes of IPv4 options in front, a multiple of 4; the checksum is left out. In pieces of any length. */
static __attribute__((unused)) struct packet *make_packet(bool ipv6, u8 protocol, u32 payload, u32 options)
{
	u32 transport = ETH_HEADER + (ipv6 ? 40 : 20 + options), header = protocol == IPPROTO_TCP ? 20 : 8;
	u32 length = transport + header + payload, first = 1 + rand() % 200, n = 1;
	u8 *frame = calloc(1, length);
	struct packet *p;
	u16 lengths[18];

	for (u32 i = 0; i < length; i++)
		frame[i] = rand();
	put16(frame + 12, ipv6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4);
	if (ipv6) {
		frame[14] = 0x60;
		put16(frame + 18, header + payload);
		frame[20] = protocol;
	} else {
		frame[14] = 0x40 | (transport - ETH_HEADER) / 4;
		put16(frame + 16, length - ETH_HEADER);
		put16(frame + 20, 0x4000);
		frame[23] = protocol;
	}
	if (protocol == IPPROTO_TCP)
		frame[transport + 12] = 0x50;
	if (protocol == IPPROTO_UDP)
		put16(frame + transport + 4, 8 + payload);
	lengths[0] = MIN(length, first);
	for (u32 at = lengths[0]; at < length; at += lengths[n++])
		lengths[n] = MIN(length - at, 4096);
	p = packet_alloc_pieces(lengths, n);
	CHECK(p);
	packet_write(p, 0, frame, length);
	free(frame);
	return p;
}

static u32 sum_words(const u8 *p, u32 length, u32 sum)
{
	for (u32 i = 0; i < length; i++)
		sum += i & 1 ? p[i] : p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Its lengths and its checksums are right; it is a TCP or UDP packet without extension headers. */
static __attribute__((unused)) void check_packet(struct packet *p)
{
	u8 *f = malloc(p->length);
	u32 transport, end, sum;

	packet_read(p, 0, f, p->length);
	if (f[12] == 0x86) {
		transport = 54;
		end = transport + (f[18] << 8 | f[19]);
		sum = sum_words(f + 22, 32, f[20] + end - transport);
	} else {
		transport = ETH_HEADER + (f[14] & 15) * 4;
		end = ETH_HEADER + (f[16] << 8 | f[17]);
		sum = sum_words(f + 26, 8, f[23] + end - transport);
	}
	CHECK(end == p->length);
	CHECK(sum_words(f + transport, end - transport, sum) == 0xffff);
	free(f);
}

struct whole {
	u8 *frame;
	u32 length, transport, payload, at, index;
	u16 gso_size;
};

/* Headers as the whole's but for what must differ, and the next bytes of its payload. */
static void check_segment(void *arg, struct packet *s)
{
	struct whole *w = arg;
	u32 n = s->length - w->payload;
	bool last = w->at + n == w->length - w->payload;
	u8 *f = malloc(s->length), *original = w->frame;
	u32 tcp = w->transport, seq;

	CHECK(s->csum_blank && s->references == 1 && !s->gso_type);
	CHECK(n <= w->gso_size && (last || n == w->gso_size));
	packet_complete_checksum(s);
	packet_read(s, 0, f, s->length);
	CHECK(!memcmp(f + w->payload, original + w->payload + w->at, n));
	CHECK(!memcmp(f, original, 16));
	seq = ((u32)original[tcp + 4] << 24 | original[tcp + 5] << 16 | original[tcp + 6] << 8 | original[tcp + 7]) + w->at;
	if (f[12] == 8 || f[20] == IPPROTO_TCP)
		check_packet(s);
	CHECK(seq == ((u32)f[tcp + 4] << 24 | f[tcp + 5] << 16 | f[tcp + 6] << 8 | f[tcp + 7]));
	CHECK(!((f[tcp + 13] ^ original[tcp + 13]) & ~0x89));
	CHECK((f[tcp + 13] & 9) == (last ? original[tcp + 13] & 9 : 0));
	CHECK((f[tcp + 13] & 0x80) == (w->at ? 0 : original[tcp + 13] & 0x80));
	if (f[12] == 8) {
		CHECK(sum_words(f + 14, (f[14] & 15) * 4, 0) == 0xffff);
		CHECK((u16)(f[18] << 8 | f[19]) == (u16)((original[18] << 8 | original[19]) + w->index));
	}
	w->at += n;
	w->index++;
	free(f);
	packet_put(s);
}

/* p has a gso_type and passes packet_check_offload(), or nothing is asked of it. */
static __attribute__((unused)) void check_segments(struct packet *p)
{
	struct packet_headers h;
	struct whole w = { .gso_size = p->gso_size };

	if (!packet_check_offload(p))
		return;
	CHECK(packet_headers(p, &h));
	w.frame = malloc(p->length);
	w.length = p->length;
	w.transport = h.transport;
	w.payload = h.payload;
	packet_read(p, 0, w.frame, p->length);
	CHECK(packet_segment(p, check_segment, &w));
	CHECK(w.at == w.length - w.payload && w.index);
	free(w.frame);
}

#endif
