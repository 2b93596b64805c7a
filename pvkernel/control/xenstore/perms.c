/* SPDX-License-Identifier: MIT */
/* Permissions of a node: a list of domains, the first of which owns it and whose letter is for all who are not named. */
#include "store.h"

#define LETTERS "nrwb"			/* in the order of ACCESS_READ and ACCESS_WRITE as bits */

static bool is_domain(const struct client *c, u16 domid)
{
	return c->domid == domid || c->target == domid;
}

u32 perms_access(const struct xs_perms *p, const struct client *c)
{
	if (!c->domid || is_domain(c, p->entry[0].domid))
		return ACCESS_READ | ACCESS_WRITE | ACCESS_OWNER;
	for (u32 i = 1; i < p->count; i++) {
		if (is_domain(c, p->entry[i].domid))
			return p->entry[i].access;
	}
	return p->entry[0].access;
}

static int parse_one(struct xs_perm *e, const char *text)
{
	const char *letter = *text ? strchr(LETTERS, *text) : NULL;
	u64 domid;

	if (!letter || !parse_decimal(text + 1, DOMIDS - 1, &domid))
		return -EINVAL;
	*e = (struct xs_perm){ .domid = domid, .access = letter - LETTERS };
	return account_of(domid) ? 0 : -ENOMEM;
}

int perms_parse(struct xs_perms *p, const char *text, u32 length)
{
	memset(p, 0, sizeof(*p));
	for (u32 at = 0; at < length; at += strlen(text + at) + 1) {
		int err = p->count < PERMS_MAX ? parse_one(&p->entry[p->count++], text + at) : -ENOSPC;

		if (err)
			return err;
	}
	return p->count ? 0 : -EINVAL;
}

u32 perms_print(const struct xs_perms *p, char *text)
{
	u32 n = 0;

	for (u32 i = 0; i < p->count; i++)
		n += snprintf(text + n, PERMS_TEXT_MAX - n, "%c%u", LETTERS[p->entry[i].access], p->entry[i].domid) + 1;
	return n;
}

void perms_forget(struct xs_perms *p, u16 domid)
{
	u32 kept = 1;

	for (u32 i = 1; i < p->count; i++) {
		if (p->entry[i].domid != domid)
			p->entry[kept++] = p->entry[i];
	}
	p->count = kept;
}
