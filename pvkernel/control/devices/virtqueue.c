/* SPDX-License-Identifier: MIT */
/*
 * A split virtqueue. The driver owns `desc` and `avail`, the device `used`. What is needed to find a request again is in `slots`, which
 * the device cannot reach: it may return an id that names nothing, a length that its buffers do not have or an index that
 * jumps, and is believed none of it.
 *
 *	slots[id]	a free descriptor: next is the following free one
 *			the head of a request: token, room, count; next leads through its descriptors
 *
 * x86 keeps stores in order and loads in order, so entries before indexes need the compiler only; between "index written" and
 * "does the other want to know?" a store goes before a load, which needs a fence.
 */
#include "../../include/lib.h"
#include "virtqueue.h"

static void full_fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void vq_init(struct virtqueue *q, u16 size, void *desc, void *avail, void *used, bool indirect, bool event_index)
{
	u16 power = 1;

	while (power * 2u <= MIN(size, VQ_MAX_SIZE))
		power *= 2;
	*q = (struct virtqueue){ .desc = desc, .avail = avail, .used = used, .size = power, .indirect = indirect,
				 .event_index = event_index, .nr_free = power };
	for (u16 i = 0; i < power; i++)
		q->slots[i].next = i + 1;
}

/* An indirect table of one would only cost a look more. */
static u32 descriptors_for(const struct virtqueue *q, u32 count)
{
	return q->indirect ? 1 : count;
}

u32 vq_room(const struct virtqueue *q, u32 count)
{
	return q->broken ? 0 : q->nr_free / descriptors_for(q, count);
}

u32 vq_in_flight(const struct virtqueue *q)
{
	return q->size - q->nr_free;
}

/* Takes a free descriptor for d's content. */
static u16 put_desc(struct virtqueue *q, const struct vring_desc *d)
{
	u16 id = q->free;

	q->free = q->slots[id].next;
	q->nr_free--;
	q->desc[id] = *d;
	return id;
}

static u16 put_indirect(struct virtqueue *q, struct vring_desc *list, u64 maddr, u32 count)
{
	struct vring_desc table = { .addr = maddr, .len = count * sizeof(*list), .flags = VRING_DESC_INDIRECT };

	for (u32 i = 0; i < count; i++) {
		list[i].flags = (list[i].flags & VRING_DESC_WRITE) | (i + 1 < count ? VRING_DESC_NEXT : 0);
		list[i].next = i + 1;
	}
	return put_desc(q, &table);
}

/* The free list already links them in the order in which they are taken. */
static u16 put_chain(struct virtqueue *q, const struct vring_desc *list, u32 count)
{
	u16 head = q->free;

	for (u32 i = 0; i < count; i++) {
		u16 id = put_desc(q, &list[i]);

		q->desc[id].flags = (list[i].flags & VRING_DESC_WRITE) | (i + 1 < count ? VRING_DESC_NEXT : 0);
		q->desc[id].next = q->free;
	}
	return head;
}

bool vq_add(struct virtqueue *q, struct vring_desc *list, u64 list_maddr, u32 count, void *token)
{
	bool indirect = q->indirect && count > 1;
	u32 room = 0;
	u16 head;

	if (!vq_room(q, count))
		return false;
	for (u32 i = 0; i < count; i++)
		room += list[i].flags & VRING_DESC_WRITE ? list[i].len : 0;
	head = indirect ? put_indirect(q, list, list_maddr, count) : put_chain(q, list, count);
	q->slots[head].token = token;
	q->slots[head].room = room;
	q->slots[head].count = indirect ? 1 : count;
	WRITE_ONCE(q->avail->ring[q->added++ & (q->size - 1)], head);
	return true;
}

static u16 *used_event(struct virtqueue *q)
{
	return &q->avail->ring[q->size];
}

static u16 avail_event(struct virtqueue *q)
{
	return READ_ONCE(*(u16 *)&q->used->ring[q->size]);
}

bool vq_publish(struct virtqueue *q)
{
	u16 was = q->told;

	if (q->added == was || q->broken)
		return false;
	barrier();
	WRITE_ONCE(q->avail->index, q->added);
	q->told = q->added;
	full_fence();
	if (!q->event_index)
		return !(READ_ONCE(q->used->flags) & VRING_USED_NO_NOTIFY);
	return (u16)(q->added - avail_event(q) - 1) < (u16)(q->added - was);
}

static void *broken(struct virtqueue *q, const char *why, u32 value)
{
	q->broken = true;
	printf("virtqueue: the device's %s %u cannot be; it is not used any more\n", why, value);
	return NULL;
}

static void free_chain(struct virtqueue *q, u16 head)
{
	u16 count = q->slots[head].count, last = head;

	for (u16 i = 1; i < count; i++)
		last = q->slots[last].next;
	q->slots[last].next = q->free;
	q->slots[head].token = NULL;
	q->free = head;
	q->nr_free += count;
}

void *vq_get(struct virtqueue *q, u32 *written)
{
	u16 index = READ_ONCE(q->used->index);
	u32 id, len;
	void *token;

	if (q->broken || index == q->seen)
		return NULL;
	if ((u16)(index - q->seen) > q->size)
		return broken(q, "used index", index);
	barrier();
	id = READ_ONCE(q->used->ring[q->seen & (q->size - 1)].id);
	len = READ_ONCE(q->used->ring[q->seen & (q->size - 1)].len);
	if (id >= q->size || !q->slots[id].token)
		return broken(q, "used id", id);
	q->seen++;
	token = q->slots[id].token;
	*written = MIN(len, q->slots[id].room);
	free_chain(q, id);
	return token;
}

bool vq_enable_interrupt(struct virtqueue *q, u16 more)
{
	if (q->event_index)
		WRITE_ONCE(*used_event(q), q->seen + more - 1);
	else
		WRITE_ONCE(q->avail->flags, 0);
	full_fence();
	return q->broken || (u16)(READ_ONCE(q->used->index) - q->seen) < more;
}

/* With event indexes: one that is as far away as can be. */
void vq_disable_interrupt(struct virtqueue *q)
{
	if (q->event_index)
		WRITE_ONCE(*used_event(q), q->seen - 1);
	else
		WRITE_ONCE(q->avail->flags, VRING_AVAIL_NO_INTERRUPT);
}
