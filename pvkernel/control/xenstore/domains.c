/* SPDX-License-Identifier: MIT */
/* Clients as the store sees them, and what is left of one when its domain goes: nothing. */
#include "store.h"

void client_init(struct client *c, u16 domid, void (*wake)(struct client *c))
{
	*c = (struct client){ .domid = domid, .target = -1, .wake = wake, .next_transaction = 1 };
	list_init(&c->transactions);
	list_init(&c->watches);
	list_init(&c->events);
}

void client_reset(struct client *c)
{
	tx_abort_all(c);
	watch_drop_all(c);
}

static void forget_permissions(struct node *n, u16 domid)
{
	struct xs_perms perms = n->perms;

	perms_forget(&perms, domid);
	if (perms.count != n->perms.count)
		node_set_perms(n, &perms);
}

/*
 * Nodes of the domain go with all below them, and no permission names it any more: a domain that gets the same
 * id later finds nothing. A root cannot go; it becomes domain 0's. One that nothing names any more needs no look at all nodes.
 */
static void forget_in(struct node *top, u16 domid)
{
	static const struct xs_perms nobodys = { .count = 1 };

	for (struct node *n = top, *next; n; n = next) {
		bool owned = n->perms.entry[0].domid == domid;

		next = owned && n != top ? node_skip(top, n) : node_next(top, n);
		if (owned && n != top) {
			watch_fire_removal(n);
			node_remove(n);
			continue;
		}
		if (owned)
			node_set_perms(n, &nobodys);
		forget_permissions(n, domid);
	}
}

void store_forget_domain(u16 domid)
{
	const struct account *a = account_of(domid);

	if (!domid || !a || !a->named)
		return;
	forget_in(node_root("/"), domid);
	forget_in(node_root(SPECIAL_INTRODUCE), domid);
	forget_in(node_root(SPECIAL_RELEASE), domid);
}

int store_init(u64 seed)
{
	return node_init(seed);
}
