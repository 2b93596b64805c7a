/* SPDX-License-Identifier: MIT */
/* Grants inside the hypervisor (ipc/grant.c). */
#ifndef PARAVANE_GRANT_H
#define PARAVANE_GRANT_H

#include <abi/grant_table.h>
#include <domain.h>
#include <types.h>
#include <vcpu.h>

int grant_init(struct domain *d);	/* 0 or -ENOMEM */
/*
 * Before it has grants: the most frames of its table and of its mappings (-1: the default), and the highest version. More than what is
 * possible is taken for that. -EINVAL: no such version.
 */
int grant_set_limits(struct domain *d, s32 frames, s32 mapping_frames, u32 version);

/*
 * A domain's end, in three steps.
 *   grant_destroy(): its vCPUs do not run any more and its page tables are gone. Its mappings of others' grants end; its own entries
 *	cannot be claimed any more, but what others have claimed stays theirs, with the references that they hold on its frames.
 *	Preemptible.
 *   grant_is_claimed(): others still have claims. As long as this is so (or a frame is referred to) domain_find() must find it and its
 *	id must not be used again: whoever ends a claim finds the granter by its id.
 *   grant_free(): the table goes.
 */
void grant_destroy(struct domain *d);
bool grant_is_claimed(struct domain *d);
void grant_free(struct domain *d);

#endif
