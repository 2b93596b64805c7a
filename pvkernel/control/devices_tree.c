/* SPDX-License-Identifier: MIT */
/*
 * A device in xenstore, as every toolstack of this ABI writes it (D the domid, N the devid):
 *
 *	/local/domain/D/device/TYPE/N			the guest's (nD, r0): backend, backend-id, state, ...
 *	/local/domain/0/backend/TYPE/D/N		ours, D may read: frontend, frontend-id, online, state, ...
 *
 * and what is TYPE's own. Backends find new ones by a watch, frontends by theirs; both begin in state 1. The backend's keys rate
 * and iops of a disk, vlan, isolated and unlocked of a vif are ours: there is no other toolstack's word for them.
 */
#include <abi/xenbus.h>

#include "../include/lib.h"
#include "../include/xenstore.h"
#include "devices.h"

/* The first error; after it nothing is written. */
struct writer {
	u32 tx;
	int err;
	u16 domid;
	char front[DEVICE_PATH_MAX], back[DEVICE_PATH_MAX];
};

const char *device_kind_name(enum device_kind kind)
{
	static const char *const names[] = { [DEVICE_VBD] = "vbd", [DEVICE_VIF] = "vif" };

	return names[kind];
}

void device_front_path(char path[DEVICE_PATH_MAX], u16 domid, enum device_kind kind, u32 devid)
{
	snprintf(path, DEVICE_PATH_MAX, "/local/domain/%u/device/%s/%u", domid, device_kind_name(kind), devid);
}

void device_back_path(char path[DEVICE_PATH_MAX], u16 domid, enum device_kind kind, u32 devid)
{
	snprintf(path, DEVICE_PATH_MAX, "/local/domain/0/backend/%s/%u/%u", device_kind_name(kind), domid, devid);
}

static void put(struct writer *w, const char *dir, const char *key, const char *value)
{
	char path[DEVICE_PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/%s", dir, key);
	if (!w->err)
		w->err = xs_write(w->tx, path, value);
}

static void put_number(struct writer *w, const char *dir, const char *key, u64 value)
{
	char text[24];

	snprintf(text, sizeof(text), "%lu", value);
	put(w, dir, key, text);
}

static void put_flag(struct writer *w, const char *dir, const char *key, bool value)
{
	put(w, dir, key, value ? "1" : "0");
}

/* The owner and who may read, as two words that each end in NUL. */
static void give(struct writer *w, const char *path, u16 owner, u16 reader)
{
	char perms[16];
	int n = snprintf(perms, sizeof(perms), "n%u", owner) + 1;

	n += snprintf(perms + n, sizeof(perms) - n, "r%u", reader) + 1;
	if (!w->err)
		w->err = xs_set_perms(w->tx, path, perms, n);
}

static void put_dir(struct writer *w, const char *path, u16 owner, u16 reader)
{
	if (!w->err)
		w->err = xs_write(w->tx, path, "");
	give(w, path, owner, reader);
}

/* What devices of all types have. Children inherit their directory's permissions. */
static void put_both(struct writer *w, u32 tx, u16 domid, enum device_kind kind, u32 devid)
{
	*w = (struct writer){ .tx = tx, .domid = domid };
	device_front_path(w->front, domid, kind, devid);
	device_back_path(w->back, domid, kind, devid);
	put_dir(w, w->front, domid, 0);
	put(w, w->front, "backend", w->back);
	put(w, w->front, "backend-id", "0");
	put_number(w, w->front, "state", XenbusStateInitialising);
	put_dir(w, w->back, 0, domid);
	put(w, w->back, "frontend", w->front);
	put_number(w, w->back, "frontend-id", domid);
	put_flag(w, w->back, "online", true);
	put_number(w, w->back, "state", XenbusStateInitialising);
}

int devices_write_disk(u32 tx, u16 domid, const struct disk_config *d)
{
	const char *type = d->cdrom ? "cdrom" : "disk";
	struct writer w;

	put_both(&w, tx, domid, DEVICE_VBD, d->number);
	put_number(&w, w.front, "virtual-device", d->number);
	put(&w, w.front, "device-type", type);
	put_flag(&w, w.front, "trusted", !d->untrusted);
	put(&w, w.back, "params", d->target);
	put_flag(&w, w.back, "removable", d->cdrom);
	put_flag(&w, w.back, "bootable", true);
	put(&w, w.back, "dev", d->vdev);
	put(&w, w.back, "type", d->file ? "file" : "phy");
	put(&w, w.back, "mode", d->readonly ? "r" : "w");
	put(&w, w.back, "device-type", type);
	put_flag(&w, w.back, "discard-enable", !d->readonly && !d->no_discard);
	put(&w, w.back, "specification", "xen");
	if (d->direct_io_safe)
		put_flag(&w, w.back, "direct-io-safe", true);
	if (d->rate)
		put_number(&w, w.back, "rate", d->rate);
	if (d->iops)
		put_number(&w, w.back, "iops", d->iops);
	return w.err;
}

/* The guest cannot write this node of its own directory. */
static void put_mtu(struct writer *w, u32 mtu)
{
	char path[DEVICE_PATH_MAX + 8];

	put_number(w, w->front, "mtu", mtu);
	snprintf(path, sizeof(path), "%s/mtu", w->front);
	give(w, path, 0, w->domid);
}

int devices_write_vif(u32 tx, u16 domid, const struct vif_config *v)
{
	struct writer w;
	char text[40];

	put_both(&w, tx, domid, DEVICE_VIF, v->devid);
	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", v->mac[0], v->mac[1], v->mac[2], v->mac[3], v->mac[4], v->mac[5]);
	put_number(&w, w.front, "handle", v->devid);
	put(&w, w.front, "mac", text);
	put_flag(&w, w.front, "trusted", !v->untrusted);
	put_mtu(&w, v->mtu);
	put_number(&w, w.back, "handle", v->devid);
	put(&w, w.back, "mac", text);
	put(&w, w.back, "bridge", v->bridge);
	put(&w, w.back, "type", "vif");
	put_number(&w, w.back, "mtu", v->mtu);
	if (*v->ip)
		put(&w, w.back, "ip", v->ip);
	if (*v->vifname)
		put(&w, w.back, "vifname", v->vifname);
	if (v->vlan)
		put_number(&w, w.back, "vlan", v->vlan);
	if (v->isolated)
		put_flag(&w, w.back, "isolated", true);
	if (v->unlocked)
		put_flag(&w, w.back, "unlocked", true);
	if (v->rate) {
		snprintf(text, sizeof(text), "%lu,%u", v->rate, v->rate_us);
		put(&w, w.back, "rate", text);
	}
	return w.err;
}

int devices_write_all(u32 tx, u16 domid, const struct domain_config *c)
{
	int err = 0;

	for (u32 i = 0; i < c->disks && !err; i++)
		err = devices_write_disk(tx, domid, &c->disk[i]);
	for (u32 i = 0; i < c->vifs && !err; i++)
		err = devices_write_vif(tx, domid, &c->vif[i]);
	return err;
}
