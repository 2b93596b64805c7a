/* SPDX-License-Identifier: MIT */
/*
 * Accounts of all domain ids there can be, in pages that come with the first use and stay, so that a domain whose account
 * has been asked for once has one for ever.
 */
#include "store.h"

#define PER_PAGE 512u

static struct account *pages[(DOMIDS + PER_PAGE - 1) / PER_PAGE];

struct account *account_of(u16 domid)
{
	struct account **page = &pages[domid / PER_PAGE];

	if (!*page)
		*page = kmalloc(PER_PAGE * sizeof(struct account));
	return *page ? *page + domid % PER_PAGE : NULL;
}

int client_charge(struct client *c, u32 bytes)
{
	struct account *a = account_of(c->domid);

	if (client_limited(c) && a->bytes + bytes > QUOTA_BYTES)
		return -ENOSPC;
	a->bytes += bytes;
	return 0;
}

void client_uncharge(struct client *c, u32 bytes)
{
	account_of(c->domid)->bytes -= bytes;
}
