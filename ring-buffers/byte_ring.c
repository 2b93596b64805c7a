/* SPDX-License-Identifier: MIT */
/*
 * A ring of bytes between two ends that do not trust each other:
 *
 *	data[size]	byte number n of the stream is at n & (size - 1)
 *	prod		bytes written so far, modulo 2^32; only the producer stores it
 *	cons		bytes read so far; only the consumer stores it
 *
 * Invariant, for ends that keep to it: cons <= prod <= cons + size in the order of the stream; the consumer owns
 * bytes [cons, prod), the producer the rest.
 *
 * Both words are in shared memory, where a hostile other end can store anything, into our word as well. So our
 * index is private and only published there, and each call reads the other's word once for the amount it then
 * uses. An amount beyond size is nonsense; the ring is broken from then on. A lie within size harms only the
 * stream, which is the liar's own.
 *
 * Barriers. The accesses to the two words are atomic and sequentially consistent; on x86 that makes the store
 * an XCHG and the load a MOV. Five orders are needed:
 *
 *	1. write: the bytes before prod.	The consumer must not see prod and then old bytes.
 *	2. read: prod before the bytes.		The same, from its side.
 *	3. read: the bytes before cons.		The producer must not reuse them while they are read.
 *	4. write: cons before the bytes.	The same, from its side.
 *	5. both: our index before we look at the other's once more.
 *
 * x86 keeps 1 to 4 by itself, so there they only bind the compiler; 5 is a store before a load, which x86 does
 * reorder, and is why the store is an XCHG. It decides who must send an event. An end sleeps when it has
 * published its index, looked, and found the ring empty (the consumer) or full (the producer). Of two ends that
 * each store and then look, at least one sees the other's store:
 *
 *	consumer	cons = 7;  sees prod == 7: sleeps
 *	producer	prod = 9;  sees cons == 7, all that was there before: sends an event
 *
 * Either the consumer sees 9 and stays awake, or the producer sees 7. Had it seen less than 7, the consumer
 * still had bytes to read and will look again after them, thus see 9. So an event is needed only when the other's
 * index is the one at which it would have slept before this call. tests/models/byte_ring.pml checks this.
 */
#include "../abi/errno.h"
#include "byte_ring.h"
#include "lib.h"

static void init(struct byte_ring *r, char *data, u32 size, u32 *ours, u32 *peer)
{
	*r = (struct byte_ring){ .data = data, .size = size, .published = ours, .peer = peer };
	r->index = __atomic_load_n(ours, __ATOMIC_SEQ_CST);
}

void byte_ring_producer(struct byte_ring *r, char *data, u32 size, u32 *prod, u32 *cons)
{
	init(r, data, size, prod, cons);
}

void byte_ring_consumer(struct byte_ring *r, char *data, u32 size, u32 *prod, u32 *cons)
{
	init(r, data, size, cons, prod);
}

static u32 peer_index(const struct byte_ring *r)
{
	return __atomic_load_n(r->peer, __ATOMIC_SEQ_CST);
}

static int judge(struct byte_ring *r, u32 amount)
{
	if (amount > r->size)
		r->broken = true;
	return r->broken ? -EIO : (int)amount;
}

int byte_ring_bytes(struct byte_ring *r)
{
	return judge(r, peer_index(r) - r->index);
}

int byte_ring_room(struct byte_ring *r)
{
	int used = judge(r, r->index - peer_index(r));

	return used < 0 ? used : (int)r->size - used;
}

/* Publishes that n bytes went; slept_at is the other's index if it sleeps for what we did. */
static void advance(struct byte_ring *r, u32 n, u32 slept_at, bool *notify)
{
	r->index += n;
	__atomic_store_n(r->published, r->index, __ATOMIC_SEQ_CST);
	if (peer_index(r) == slept_at)
		*notify = true;
}

int byte_ring_write(struct byte_ring *r, const void *bytes, u32 length, bool *notify)
{
	int room = byte_ring_room(r);
	u32 at = r->index & (r->size - 1), n, first;

	if (room <= 0 || !length)
		return MIN(room, 0);
	n = MIN(length, (u32)room);
	first = MIN(n, r->size - at);
	memcpy(r->data + at, bytes, first);
	memcpy(r->data, (const char *)bytes + first, n - first);
	advance(r, n, r->index, notify);
	return n;
}

int byte_ring_read(struct byte_ring *r, void *bytes, u32 length, bool *notify)
{
	int there = byte_ring_bytes(r);
	u32 at = r->index & (r->size - 1), n, first;

	if (there <= 0 || !length)
		return MIN(there, 0);
	n = MIN(length, (u32)there);
	first = MIN(n, r->size - at);
	memcpy(bytes, r->data + at, first);
	memcpy((char *)bytes + first, r->data, n - first);
	advance(r, n, r->index + r->size, notify);
	return n;
}
