/* SPDX-License-Identifier: MIT */
/* Which port an Ethernet address was last seen at. */
#ifndef CONTROL_MAC_TABLE_H
#define CONTROL_MAC_TABLE_H

#include "../../include/types.h"

#define MAC_ENTRIES 2048
#define MAC_BUCKETS 512
#define MAC_AGE (300ul * 1000000000ul)	/* ns after which a learned address is forgotten */
#define MAC_LOOK 1000000000ul		/* ns at least between two looks for such */

/* Embedded in who owns addresses. */
struct mac_owner {
	u32 entries, max;		/* how many are its now, how many it may have learned */
};

struct mac_entry {
	u64 key;			/* the address, and the segment in the upper 16 bits */
	struct mac_owner *owner;	/* NULL: free */
	u64 seen;
	bool fixed;
	u16 next;
};

struct mac_table {
	u64 seed;			/* odd */
	u64 looked_through;
	u16 first_free;
	u16 bucket[MAC_BUCKETS];	/* index + 1 of the first entry */
	struct mac_entry entry[MAC_ENTRIES];
};

static inline u64 mac_key(u16 segment, const u8 mac[6])
{
	u32 high;
	u16 low;

	__builtin_memcpy(&high, mac, 4);
	__builtin_memcpy(&low, mac + 4, 2);
	return (u64)segment << 48 | (u64)__builtin_bswap32(high) << 16 | __builtin_bswap16(low);
}

void mac_init(struct mac_table *t, u64 random);
struct mac_entry *mac_find(struct mac_table *t, u64 key);	/* NULL: not known; may have expired */
bool mac_expired(const struct mac_entry *e, u64 now);
/* False: its owner has it for good, o has as many as it may, or the table is full. */
bool mac_learn(struct mac_table *t, struct mac_owner *o, u64 key, u64 now);
bool mac_fix(struct mac_table *t, struct mac_owner *o, u64 key);	/* o's for good; false: another's for good, or no room */
void mac_forget(struct mac_table *t, struct mac_owner *o);

#endif
