/* SPDX-License-Identifier: MIT */
/*
 * Grant tables, exactly. No operation holds a claim at a preemption point, so claims are mappings and nothing else:
 *
 *   a table's claims = those of its entries, and its domain's own        those of its entries = mappings by others that name it
 */
#include <console.h>
#include <domain.h>
#include "../ipc/grant_table.h"
#include "check.h"

/* Of entries: so many times A_READ and A_WRITE, as in struct active. */
static u64 claims_of(struct grant_table *t)
{
	u64 readers = 0, writers = 0;

	for (u32 i = 0; i < t->frames * V1_PER_FRAME; i++) {
		readers += active_of(t, i)->claims % A_WRITE;
		writers += active_of(t, i)->claims / A_WRITE;
	}
	return writers << 32 | readers;
}

/* By all domains' mappings of what id grants. */
static u64 mappings_of(domid_t id)
{
	u64 readers = 0, writers = 0;

	for_each_domain(d) {
		for (u32 i = 0; i < d->grants->mappings; i++) {
			const struct mapping *m = mapping_of(d->grants, i);

			if (!m->flags || m->domid != id)
				continue;
			readers += !!(m->flags & MAP_READONLY);
			writers += !(m->flags & MAP_READONLY);
		}
	}
	return writers << 32 | readers;
}

void check_grants(void)
{
	for_each_domain(d) {
		u64 claims = claims_of(d->grants), mappings = mappings_of(d->id);

		if (claims != mappings || d->grants->claims != (u32)claims + (claims >> 32) + !d->grants->ended)
			panic("check: domain %d has %lx claims on its grants, %lx mappings of them, %u counted", d->id, claims, mappings,
			      d->grants->claims);
	}
}
