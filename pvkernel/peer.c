/* SPDX-License-Identifier: MIT */
/* A domain's home is /local/domain/ID; its name is there, and data/ is its own to write. */
#include <abi/errno.h>
#include <abi/xen.h>

#include "lib.h"
#include "peer.h"
#include "xenstore.h"

#define PATH 64

/* Does domain `id`, as its directory is called, have the name? */
static bool is_named(const char *id, const char *name)
{
	char path[PATH], value[PATH];

	snprintf(path, sizeof(path), "/local/domain/%s/name", id);
	return xs_read(XS_NO_TX, path, value, sizeof(value)) >= 0 && !strcmp(value, name);
}

int peer_find(const char *name)
{
	static char ids[XENSTORE_PAYLOAD_MAX];
	u64 domid;
	int n;

	if (parse_u64(name, &domid) && domid < DOMID_FIRST_RESERVED)
		return domid;
	n = xs_directory(XS_NO_TX, "/local/domain", ids, sizeof(ids));
	for (int at = 0; at < n; at += strlen(ids + at) + 1) {
		if (is_named(ids + at, name) && parse_u64(ids + at, &domid))
			return domid;
	}
	return n < 0 ? n : -ENOENT;
}

/* The node's owner stays what it is: the first permission. */
static int allow(const char *path, u16 reader)
{
	char perms[32];
	int n = xs_get_perms(XS_NO_TX, path, perms, sizeof(perms) - 8);

	if (n < 0)
		return n;
	n = strlen(perms) + 1;
	n += snprintf(perms + n, sizeof(perms) - n, "r%u", reader) + 1;
	return xs_set_perms(XS_NO_TX, path, perms, n);
}

int peer_publish(u16 reader, const char *key, const char *text)
{
	char path[PATH];
	int err;

	snprintf(path, sizeof(path), "data/%s", key);
	err = xs_write(XS_NO_TX, path, text);
	return err || !reader ? err : allow(path, reader);
}

int peer_read(u16 domid, const char *key, char *buf, size_t size)
{
	char path[PATH];

	snprintf(path, sizeof(path), "/local/domain/%u/data/%s", domid, key);
	return xs_read(XS_NO_TX, path, buf, size);
}
