/* SPDX-License-Identifier: MIT */
/*
 * What a domain finds in xenstore, as every toolstack of this ABI writes it (D its domid; the owner is domain 0 and D may
 * read, unless D owns it):
 *
 *	/vm/UUID				name, uuid
 *	/local/domain/D				vm, name, domid
 *	  cpu/N/availability			online, offline
 *	  memory/				static-max, target (KiB), videoram
 *	  store/, console/			port, ring-ref, and the console's backend
 *	  control/				shutdown, sysrq, feature-*: D's; platform-feature-*
 *	  data drivers feature attr error device/suspend/event-channel	D's
 *	/local/domain/0/backend/console/D/0	the console's other half
 *	  device/vbd/N, device/vif/N, and their other halves	devices_tree.c
 */
#include <abi/errno.h>

#include "../include/lib.h"
#include "../include/xenstore.h"
#include "devices.h"
#include "domains.h"

#define PATH_MAX 160

struct writer {
	const struct managed *d;
	u32 tx;
	int err;			/* the first; after it nothing is written */
};

static void path_of(const struct managed *d, char path[PATH_MAX], const char *below)
{
	snprintf(path, PATH_MAX, "/local/domain/%u%s%s", d->domid, *below ? "/" : "", below);
}

static void backend_path(const struct managed *d, char path[PATH_MAX], const char *below)
{
	snprintf(path, PATH_MAX, "/local/domain/0/backend/console/%u%s", d->domid, below);
}

static void vm_path(const u8 u[16], char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "/vm/%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0], u[1], u[2], u[3],
		 u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
}

/* "n0 rD" or "nD": lists of words, each with its NUL. */
static void give(struct writer *w, const char *path, bool owns)
{
	char perms[16];
	int n = owns ? 0 : snprintf(perms, sizeof(perms), "n0") + 1;

	n += snprintf(perms + n, sizeof(perms) - n, "%c%u", owns ? 'n' : 'r', w->d->domid) + 1;
	if (!w->err)
		w->err = xs_set_perms(w->tx, path, perms, n);
}

static void put_at(struct writer *w, const char *path, const char *value)
{
	if (!w->err)
		w->err = xs_write(w->tx, path, value);
}

static void put(struct writer *w, const char *below, const char *value)
{
	char path[PATH_MAX];

	path_of(w->d, path, below);
	put_at(w, path, value);
}

static void put_number(struct writer *w, const char *below, u64 value)
{
	char text[24];

	snprintf(text, sizeof(text), "%lu", value);
	put(w, below, text);
}

/* A node that the domain may write. */
static void put_own(struct writer *w, const char *below)
{
	char path[PATH_MAX];

	path_of(w->d, path, below);
	put_at(w, path, "");
	give(w, path, true);
}

static void put_vm(struct writer *w)
{
	char path[PATH_MAX], child[PATH_MAX + 8];

	vm_path(w->d->uuid, path);
	put_at(w, path, "");
	give(w, path, false);
	snprintf(child, sizeof(child), "%s/uuid", path);
	put_at(w, child, path + 4);
	snprintf(child, sizeof(child), "%s/name", path);
	put_at(w, child, w->d->config.name);
	put(w, "vm", path);
}

static void put_machine(struct writer *w)
{
	const struct domain_config *c = &w->d->config;
	char below[40];

	put_number(w, "domid", w->d->domid);
	put(w, "name", c->name);
	put_vm(w);
	put_number(w, "memory/static-max", c->maxmem);
	put_number(w, "memory/target", c->memory);
	put(w, "memory/videoram", "0");
	for (u32 i = 0; i < c->maxvcpus; i++) {
		snprintf(below, sizeof(below), "cpu/%u/availability", i);
		put(w, below, i < c->vcpus ? "online" : "offline");
	}
}

static void put_console(struct writer *w, u64 mfn)
{
	char path[PATH_MAX], child[PATH_MAX + 16], front[PATH_MAX];

	backend_path(w->d, path, "/0");
	path_of(w->d, front, "console");
	put(w, "console/backend", path);
	put(w, "console/backend-id", "0");
	put(w, "console/limit", "1048576");
	put(w, "console/type", "xenconsoled");
	put(w, "console/output", "pty");
	put(w, "console/tty", "");
	put_number(w, "console/port", w->d->remote_console_port);
	put_number(w, "console/ring-ref", mfn);
	put_at(w, path, "");
	give(w, path, false);
	snprintf(child, sizeof(child), "%s/frontend", path);
	put_at(w, child, front);
	snprintf(child, sizeof(child), "%s/frontend-id", path);
	snprintf(front, sizeof(front), "%u", w->d->domid);
	put_at(w, child, front);
	snprintf(child, sizeof(child), "%s/online", path);
	put_at(w, child, "1");
	snprintf(child, sizeof(child), "%s/state", path);
	put_at(w, child, "1");
}

static void put_all(struct writer *w, u64 store_mfn, u64 console_mfn)
{
	static const char *const own[] = {
		"control/shutdown", "control/feature-poweroff", "control/feature-reboot", "control/feature-suspend",
		"control/sysrq", "data", "drivers", "feature", "attr", "error", "device/suspend/event-channel",
	};
	char path[PATH_MAX];

	path_of(w->d, path, "");
	put_at(w, path, "");
	give(w, path, false);
	put_machine(w);
	put_number(w, "store/port", w->d->remote_store_port);
	put_number(w, "store/ring-ref", store_mfn);
	put_console(w, console_mfn);
	put(w, "device", "");
	put(w, "control", "");
	put(w, "control/platform-feature-multiprocessor-suspend", "1");
	put(w, "control/platform-feature-xs_reset_watches", "1");
	for (unsigned int i = 0; i < ARRAY_SIZE(own); i++)
		put_own(w, own[i]);
	if (!w->err)
		w->err = devices_write_all(w->tx, w->d->domid, &w->d->config);
}

/* Ends the transaction; -EAGAIN when it has to be done once more. */
static int end(struct writer *w)
{
	int err;

	if (!w->err)
		return xs_transaction_end(w->tx, true);
	err = w->err;
	xs_transaction_end(w->tx, false);
	return err;
}

int tree_write(const struct managed *d, u64 store_mfn, u64 console_mfn)
{
	int err;

	do {
		struct writer w = { .d = d };

		err = xs_transaction_start(&w.tx);
		if (err)
			return err;
		put_all(&w, store_mfn, console_mfn);
		err = end(&w);
	} while (err == -EAGAIN);
	return err;
}

void tree_remove(const struct managed *d)
{
	char path[PATH_MAX];

	backend_path(d, path, "");
	xs_rm(XS_NO_TX, path);
	for (int kind = 0; kind < DEVICE_KINDS; kind++) {
		snprintf(path, sizeof(path), "/local/domain/0/backend/%s/%u", device_kind_name(kind), d->domid);
		xs_rm(XS_NO_TX, path);
	}
	path_of(d, path, "");
	xs_rm(XS_NO_TX, path);
	vm_path(d->uuid, path);
	xs_rm(XS_NO_TX, path);
}

int tree_rename(const struct managed *d, const u8 old_uuid[16])
{
	char path[PATH_MAX];
	int err;

	do {
		struct writer w = { .d = d };

		err = xs_transaction_start(&w.tx);
		if (err)
			return err;
		if (memcmp(old_uuid, d->uuid, sizeof(d->uuid))) {
			vm_path(old_uuid, path);
			w.err = xs_rm(w.tx, path);
		}
		put(&w, "name", d->config.name);
		put_vm(&w);
		err = end(&w);
	} while (err == -EAGAIN);
	return err;
}
