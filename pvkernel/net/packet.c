/* SPDX-License-Identifier: MIT */
/*
 * The memory of packets. One page holds the packet itself and its first piece, with room in front for what is put before a
 * frame later; each further piece has a page of its own. Pages come from a pool, since the allocator proper
 * costs more than all else that a small packet needs:
 *
 *	pool	freed pages, at most pool_max, linked through their first word; guarded by disabled interrupts
 */
#include "lib.h"
#include "mm.h"
#include "net.h"
#include "ops.h"

#define FIRST_ROOM 402u			/* a multiple of 16, and 2, so that what follows an Ethernet header is aligned */
#define FIRST_MAX (PAGE_SIZE - FIRST_ROOM)
#define POOL_MAX 1024u
#define POOL_SHARE 64			/* of memory at most so small a part */

_Static_assert(sizeof(struct packet) + 16 <= FIRST_ROOM, "no room in front of a packet's first byte");

static void *pool;
static u32 pooled, pool_max = POOL_MAX;

static void *get_page(void)
{
	bool irq = irq_save();
	void *page = pool;
	u64 pfn;

	if (page) {
		pool = *(void **)page;
		pooled--;
	}
	irq_restore(irq);
	if (page)
		return page;
	pfn = page_alloc();
	return pfn == NO_PAGE ? NULL : pfn_to_virt(pfn);
}

static void put_page(void *page)
{
	bool irq = irq_save();
	bool keep = pooled < pool_max;

	if (keep) {
		*(void **)page = pool;
		pool = page;
		pooled++;
	}
	irq_restore(irq);
	if (!keep)
		page_free(virt_to_pfn(page));
}

u32 packet_pool_pages(void)
{
	return pooled;
}

static void release_pages(struct packet *p)
{
	for (u32 i = 1; i < p->nr_pieces; i++)
		put_page((void *)((u64)p->pieces[i].data & PAGE_MASK));
	put_page(p);
}

static struct packet *new_packet(u32 first)
{
	struct packet *p = get_page();

	if (!p)
		return NULL;
	packet_init(p, release_pages);
	p->pieces[0] = (struct packet_piece){ (u8 *)p + FIRST_ROOM, first };
	p->nr_pieces = 1;
	p->length = first;
	return p;
}

static bool add_piece(struct packet *p, u32 length)
{
	u8 *page = p->nr_pieces < PACKET_PIECES ? get_page() : NULL;

	if (!page)
		return false;
	p->pieces[p->nr_pieces++] = (struct packet_piece){ page, length };
	p->length += length;
	return true;
}

struct packet *packet_alloc(u32 length)
{
	u32 first = MIN(length, FIRST_MAX);
	struct packet *p = length <= PACKET_MAX ? new_packet(first) : NULL;

	for (u32 left = length - first, n; p && left; left -= n) {
		n = MIN(left, PAGE_SIZE);
		if (!add_piece(p, n)) {
			packet_put(p);
			p = NULL;
		}
	}
	return p;
}

struct packet *packet_alloc_pieces(const u16 *lengths, u32 count)
{
	u32 first = MIN(lengths[0], FIRST_MAX), rest = lengths[0] - first;
	struct packet *p = new_packet(first);
	bool ok = p && (!rest || add_piece(p, rest));

	for (u32 i = 1; ok && i < count; i++)
		ok = add_piece(p, lengths[i]);
	if (p && !ok)
		packet_put(p);
	return ok ? p : NULL;
}

struct packet *packet_copy(const struct packet *p)
{
	struct packet *copy = packet_alloc(p->length);
	u32 at = 0;

	if (!copy)
		return NULL;
	for (u32 i = 0; i < p->nr_pieces; at += p->pieces[i++].length)
		packet_write(copy, at, p->pieces[i].data, p->pieces[i].length);
	copy->csum_blank = p->csum_blank;
	copy->csum_valid = p->csum_valid;
	copy->gso_type = p->gso_type;
	copy->gso_size = p->gso_size;
	copy->vlan = p->vlan;
	return copy;
}

void packet_hold(struct packet *p)
{
	__atomic_fetch_add(&p->references, 1, __ATOMIC_RELAXED);
}

void packet_put(struct packet *p)
{
	if (__atomic_fetch_sub(&p->references, 1, __ATOMIC_ACQ_REL) == 1)
		p->release(p);
}

void packet_read(const struct packet *p, u32 offset, void *to, u32 length)
{
	u8 *out = to;

	ASSERT(length <= p->length && offset <= p->length - length);
	for (const struct packet_piece *piece = p->pieces; length; piece++) {
		u32 n = offset < piece->length ? MIN(length, piece->length - offset) : 0;

		memcpy(out, piece->data + offset, n);
		offset -= MIN(offset, piece->length);
		out += n;
		length -= n;
	}
}

void packet_write(struct packet *p, u32 offset, const void *from, u32 length)
{
	const u8 *in = from;

	ASSERT(length <= p->length && offset <= p->length - length);
	for (struct packet_piece *piece = p->pieces; length; piece++) {
		u32 n = offset < piece->length ? MIN(length, piece->length - offset) : 0;

		memcpy(piece->data + offset, in, n);
		offset -= MIN(offset, piece->length);
		in += n;
		length -= n;
	}
}

/* Pages of pieces that are not needed any more stay until the packet's end, as empty pieces. */
void packet_trim(struct packet *p, u32 length)
{
	u32 left = MIN(length, p->length);

	p->length = left;
	for (u32 i = 0; i < p->nr_pieces; i++) {
		p->pieces[i].length = MIN(p->pieces[i].length, left);
		left -= p->pieces[i].length;
	}
}

/* From the front of the pieces that follow. */
bool packet_pull_up(struct packet *p, u32 length)
{
	struct packet_piece *first = &p->pieces[0];

	if (first->length >= length)
		return true;
	if (length > p->length || length > 256 || p->release != release_pages || first->data + length > (u8 *)p + PAGE_SIZE)
		return false;
	for (u32 i = 1; first->length < length; i++) {
		struct packet_piece *piece = &p->pieces[i];
		u32 n = MIN(piece->length, length - first->length);

		memcpy(first->data + first->length, piece->data, n);
		first->length += n;
		piece->length -= n;
		if (piece->length)
			piece->data += n;
	}
	return true;
}

/* The page of q's piece is q's own, which the end of p frees as it does any other piece's. */
bool packet_join(struct packet *p, struct packet *q)
{
	if (p->nr_pieces == PACKET_PIECES)
		return false;
	ASSERT(q->nr_pieces == 1 && q->references == 1 && q->release == release_pages && p->release == release_pages);
	p->pieces[p->nr_pieces++] = q->pieces[0];
	p->length += q->length;
	return true;
}

void packet_pool_limit(u64 pages)
{
	pool_max = MIN(POOL_MAX, pages / POOL_SHARE);
}

u8 *packet_push(struct packet *p, u32 length)
{
	if (p->release != release_pages || p->pieces[0].data - length < (u8 *)(p + 1))
		return NULL;
	p->pieces[0].data -= length;
	p->pieces[0].length += length;
	p->length += length;
	return p->pieces[0].data;
}
