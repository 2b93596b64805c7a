/* SPDX-License-Identifier: MIT */
/*
 * Addresses in a hash table of a fixed size. An entry is in the list of its key's bucket, or in the list of free ones; index 0
 * ends lists, so entry n is called n + 1. The bucket depends on a random multiplier, so nobody knows which addresses share
 * one; and nobody has more than mac_owner.max of them, so nobody can fill the table or make a list long. For old ones all are looked
 * through, so that is done once a while, however many addresses somebody sends from.
 *
 * An address that was fixed stays its owner's until mac_forget(). A learned one moves to whoever sends from it next.
 */
#include "../../include/lib.h"
#include "mac_table.h"

static struct mac_entry *entry_at(struct mac_table *t, u16 index)
{
	return &t->entry[index - 1];
}

static u16 *bucket_of(struct mac_table *t, u64 key)
{
	return &t->bucket[(key ^ t->seed >> 7) * t->seed >> 55];
}

_Static_assert(MAC_BUCKETS == 1 << (64 - 55), "bucket_of() takes so many bits");

void mac_init(struct mac_table *t, u64 random)
{
	memset(t, 0, sizeof(*t));
	t->seed = random | 1;
	for (u32 i = MAC_ENTRIES; i; i--) {
		entry_at(t, i)->next = t->first_free;
		t->first_free = i;
	}
}

struct mac_entry *mac_find(struct mac_table *t, u64 key)
{
	for (u16 i = *bucket_of(t, key); i; i = entry_at(t, i)->next) {
		if (entry_at(t, i)->key == key)
			return entry_at(t, i);
	}
	return NULL;
}

bool mac_expired(const struct mac_entry *e, u64 now)
{
	return !e->fixed && now - e->seen > MAC_AGE;
}

static void remove_entry(struct mac_table *t, struct mac_entry *e)
{
	u16 index = e - t->entry + 1, *link = bucket_of(t, e->key);

	while (*link != index)
		link = &entry_at(t, *link)->next;
	*link = e->next;
	e->owner->entries--;
	*e = (struct mac_entry){ .next = t->first_free };
	t->first_free = index;
}

static void remove_expired(struct mac_table *t, u64 now)
{
	for (u32 i = 0; i < MAC_ENTRIES; i++) {
		if (t->entry[i].owner && mac_expired(&t->entry[i], now))
			remove_entry(t, &t->entry[i]);
	}
}

static bool add_entry(struct mac_table *t, struct mac_owner *o, u64 key, u64 now, bool fixed)
{
	u16 index = t->first_free, *bucket = bucket_of(t, key);

	if (!index)
		return false;
	t->first_free = entry_at(t, index)->next;
	*entry_at(t, index) = (struct mac_entry){ .key = key, .owner = o, .seen = now, .fixed = fixed, .next = *bucket };
	*bucket = index;
	o->entries++;
	return true;
}

bool mac_learn(struct mac_table *t, struct mac_owner *o, u64 key, u64 now)
{
	struct mac_entry *e = mac_find(t, key);

	if (e && e->owner == o) {
		e->seen = now;
		return true;
	}
	if (e && e->fixed)
		return false;
	if ((o->entries >= o->max || !t->first_free) && now - t->looked_through > MAC_LOOK) {
		t->looked_through = now;
		remove_expired(t, now);
	}
	if (o->entries >= o->max)
		return false;
	e = mac_find(t, key);
	if (e)
		remove_entry(t, e);
	return add_entry(t, o, key, now, false);
}

bool mac_fix(struct mac_table *t, struct mac_owner *o, u64 key)
{
	struct mac_entry *e = mac_find(t, key);

	if (e && e->fixed)
		return e->owner == o;
	if (e)
		remove_entry(t, e);
	return add_entry(t, o, key, 0, true);
}

void mac_forget(struct mac_table *t, struct mac_owner *o)
{
	for (u32 i = 0; o->entries && i < MAC_ENTRIES; i++) {
		if (t->entry[i].owner == o)
			remove_entry(t, &t->entry[i]);
	}
}
