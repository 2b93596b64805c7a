/* SPDX-License-Identifier: MIT */
/*
 * Attaching and detaching. A backend answers by its `state` or, when it cannot serve the device, by its node `error`; it is
 * looked at every few milliseconds, for DEVICE_TIMEOUT at most. To let go it is told online = 0 and state = Closing, and
 * has when its state is Closed or its directory is gone. It closes when its frontend has, or has no directory any more.
 *
 * A guest may take its time for its half of a detach, so the lifecycle lock is not held then; what is found behind the
 * wait is looked for anew.
 */
#include <abi/errno.h>
#include <abi/xenbus.h>

#include "../include/lib.h"
#include "../include/sched.h"
#include "../include/time.h"
#include "../include/xenstore.h"
#include "control.h"
#include "devices.h"
#include "domains.h"
#include "wait.h"

#define LOOK_INTERVAL (2 * NSEC_PER_MSEC)
#define CAUSE_MAX 160

struct device {
	u16 domid;
	enum device_kind kind;
	u32 devid;
	const char *name;		/* for a person: xvda; NULL: its number */
};

/* --- nodes --- */

static void node_path(const struct device *dev, const char *key, char path[DEVICE_PATH_MAX + 16])
{
	char back[DEVICE_PATH_MAX];

	device_back_path(back, dev->domid, dev->kind, dev->devid);
	snprintf(path, DEVICE_PATH_MAX + 16, "%s/%s", back, key);
}

/* Unknown when there is no backend's directory. */
static u64 back_state(const struct device *dev)
{
	char path[DEVICE_PATH_MAX + 16];
	u64 state;

	node_path(dev, "state", path);
	return xs_read_u64(XS_NO_TX, path, &state) ? XenbusStateUnknown : state;
}

static bool back_error(const struct device *dev, char cause[CAUSE_MAX])
{
	char path[DEVICE_PATH_MAX + 16];

	node_path(dev, "error", path);
	return xs_read(XS_NO_TX, path, cause, CAUSE_MAX) > 0;
}

static void remove_front(const struct device *dev)
{
	char path[DEVICE_PATH_MAX];

	device_front_path(path, dev->domid, dev->kind, dev->devid);
	xs_rm(XS_NO_TX, path);
}

static void remove_back(const struct device *dev)
{
	char path[DEVICE_PATH_MAX];

	device_back_path(path, dev->domid, dev->kind, dev->devid);
	xs_rm(XS_NO_TX, path);
}

static int write_back(u32 tx, const struct device *dev, const char *key, const char *value)
{
	char path[DEVICE_PATH_MAX + 16];

	node_path(dev, key, path);
	return xs_write(tx, path, value);
}

/* In the transaction: a backend that closes by itself just now has not closed before it was asked. */
static int write_closing(u32 tx, const struct device *dev)
{
	char path[DEVICE_PATH_MAX + 16];
	u64 state;
	int err;

	node_path(dev, "state", path);
	err = xs_read_u64(tx, path, &state);
	if (!err)
		err = write_back(tx, dev, "online", "0");
	return err || state == XenbusStateClosed ? err : write_back(tx, dev, "state", "5");
}

static int end_transaction(u32 tx, int err)
{
	if (!err)
		return xs_transaction_end(tx, true);
	xs_transaction_end(tx, false);
	return err;
}

/* Both at once: a backend that sees Closing has to see that it is for good. One that is not there is let be. */
static int ask_to_close(const struct device *dev)
{
	int err;
	u32 tx;

	do {
		err = xs_transaction_start(&tx);
		if (!err)
			err = end_transaction(tx, write_closing(tx, dev));
	} while (err == -EAGAIN);
	return err == -ENOENT ? 0 : err;
}

static bool is_closed(const struct device *dev)
{
	u64 state = back_state(dev);

	return state == XenbusStateUnknown || state == XenbusStateClosed;
}

/* --- waiting --- */

/* A backend's error begins with its number, which the words behind it make superfluous. */
static int refused(const struct device *dev, const char *cause, char *error, size_t size)
{
	while (*cause >= '0' && *cause <= '9')
		cause++;
	cause += *cause == ' ';
	if (dev->name)
		snprintf(error, size, "%s: %s", dev->name, cause);
	else
		snprintf(error, size, "%s %u: %s", device_kind_name(dev->kind), dev->devid, cause);
	return -ENXIO;
}

static int wait_ready(const struct device *dev, u64 end, char *error, size_t size)
{
	char cause[CAUSE_MAX];

	for (;;) {
		u64 state = back_state(dev);

		if (back_error(dev, cause))
			return refused(dev, cause, error, size);
		if (state >= XenbusStateInitWait && state <= XenbusStateConnected)
			return 0;
		if (state != XenbusStateInitialising)
			return refused(dev, "its backend has closed it", error, size);
		if (now() >= end)
			return refused(dev, "no backend has answered for it", error, size);
		thread_sleep(LOOK_INTERVAL);
	}
}

static struct device disk_device(u16 domid, const struct disk_config *d)
{
	return (struct device){ domid, DEVICE_VBD, d->number, d->vdev };
}

static struct device vif_device(u16 domid, const struct vif_config *v)
{
	return (struct device){ domid, DEVICE_VIF, v->devid, NULL };
}

/* The n-th of all; false: there are fewer. */
static bool nth_device(u16 domid, const struct domain_config *c, u32 n, struct device *dev)
{
	if (n < c->disks)
		*dev = disk_device(domid, &c->disk[n]);
	else if (n - c->disks < c->vifs)
		*dev = vif_device(domid, &c->vif[n - c->disks]);
	else
		return false;
	return true;
}

int devices_wait_ready(u16 domid, const struct domain_config *c, char *error, size_t size)
{
	u64 end = now() + DEVICE_TIMEOUT;
	struct device dev;
	int err = 0;

	for (u32 i = 0; !err && nth_device(domid, c, i, &dev); i++)
		err = wait_ready(&dev, end, error, size);
	return err;
}

/* A backend that has never answered has nothing to let go. */
static void wait_closed(const struct device *dev, u64 end)
{
	while (!is_closed(dev) && now() < end)
		thread_sleep(LOOK_INTERVAL);
}

void devices_remove_all(u16 domid, const struct domain_config *c)
{
	u64 end = now() + DEVICE_TIMEOUT;
	bool answered[2 * CONFIG_DEVICES];
	struct device dev;

	for (u32 i = 0; nth_device(domid, c, i, &dev); i++) {
		answered[i] = back_state(&dev) > XenbusStateInitialising;
		remove_front(&dev);
		if (answered[i])
			ask_to_close(&dev);
	}
	for (u32 i = 0; nth_device(domid, c, i, &dev); i++) {
		if (answered[i])
			wait_closed(&dev, end);
		remove_back(&dev);
	}
}

/* --- at run time --- */

static struct managed *find(u16 domid, char *error, size_t size)
{
	struct managed *d = managed_by_id(domid);

	if (d && d->in_tree)
		return d;
	snprintf(error, size, "no domain that was created here");
	return NULL;
}

static void take_away(const struct device *dev)
{
	u64 end = now() + DEVICE_TIMEOUT;
	bool answered = back_state(dev) > XenbusStateInitialising;

	remove_front(dev);
	if (answered) {
		ask_to_close(dev);
		wait_closed(dev, end);
	}
	remove_back(dev);
}

static int attach(const struct device *dev, int (*write)(u32 tx, u16 domid, const void *config), const void *config, char *error,
		  size_t size)
{
	int err;
	u32 tx;

	do {
		err = xs_transaction_start(&tx);
		if (!err)
			err = end_transaction(tx, write(tx, dev->domid, config));
	} while (err == -EAGAIN);
	if (err) {
		snprintf(error, size, "xenstore: %s", errno_name(err));
		return err;
	}
	err = wait_ready(dev, now() + DEVICE_TIMEOUT, error, size);
	if (err)
		take_away(dev);
	return err;
}

static int write_disk(u32 tx, u16 domid, const void *config)
{
	return devices_write_disk(tx, domid, config);
}

static int write_vif(u32 tx, u16 domid, const void *config)
{
	return devices_write_vif(tx, domid, config);
}

static int no_room(const char *expected, char *error, size_t size)
{
	snprintf(error, size, "expected %s", expected);
	return -EEXIST;
}

int devices_attach_disk(u16 domid, const struct disk_config *disk, char *error, size_t size)
{
	struct device dev = disk_device(domid, disk);
	const char *expected;
	struct managed *d;
	int err = -ESRCH;

	domains_lock();
	d = find(domid, error, size);
	if (d) {
		expected = config_add_disk(&d->config, disk);
		err = expected ? no_room(expected, error, size) : attach(&dev, write_disk, disk, error, size);
		if (err && !expected)
			d->config.disks--;
	}
	domains_unlock();
	return err;
}

int devices_attach_vif(u16 domid, const struct vif_config *vif, char *error, size_t size)
{
	const char *expected;
	struct managed *d;
	struct vif_config *v;
	struct device dev;
	int err = -ESRCH;

	domains_lock();
	d = find(domid, error, size);
	if (d) {
		v = &d->config.vif[d->config.vifs];
		expected = config_add_vif(&d->config, vif);
		if (expected) {
			err = no_room(expected, error, size);
		} else {
			if (!v->has_mac)
				config_generate_mac(d->uuid, v->devid, v->mac);
			v->has_mac = true;
			dev = vif_device(domid, v);
			err = attach(&dev, write_vif, v, error, size);
			if (err)
				d->config.vifs--;
		}
	}
	domains_unlock();
	return err;
}

/* Its place in the configuration, or NULL. */
static void *in_config(struct domain_config *c, const struct device *dev)
{
	for (u32 i = 0; dev->kind == DEVICE_VBD && i < c->disks; i++) {
		if (c->disk[i].number == dev->devid)
			return &c->disk[i];
	}
	for (u32 i = 0; dev->kind == DEVICE_VIF && i < c->vifs; i++) {
		if (c->vif[i].devid == dev->devid)
			return &c->vif[i];
	}
	return NULL;
}

static void forget(struct domain_config *c, const struct device *dev)
{
	if (dev->kind == DEVICE_VBD) {
		struct disk_config *disk = in_config(c, dev);

		memmove(disk, disk + 1, (u8 *)&c->disk[c->disks--] - (u8 *)(disk + 1));
	} else {
		struct vif_config *vif = in_config(c, dev);

		memmove(vif, vif + 1, (u8 *)&c->vif[c->vifs--] - (u8 *)(vif + 1));
	}
}

static int begin_detach(const struct device *dev, bool force, char *error, size_t size)
{
	struct managed *d;
	int err = -ESRCH;

	domains_lock();
	d = find(dev->domid, error, size);
	if (d && !in_config(&d->config, dev)) {
		snprintf(error, size, "no such device");
		err = -ENOENT;
	} else if (d) {
		if (force)
			remove_front(dev);
		err = ask_to_close(dev);
		if (err)
			snprintf(error, size, "xenstore: %s", errno_name(err));
	}
	domains_unlock();
	return err;
}

/* The domain may have ended meanwhile and taken the device with it. */
static int end_detach(const struct device *dev, bool force, char *error, size_t size)
{
	struct managed *d;
	int err = 0;

	domains_lock();
	d = managed_by_id(dev->domid);
	if (d && in_config(&d->config, dev)) {
		if (is_closed(dev) || force) {
			remove_front(dev);
			remove_back(dev);
			forget(&d->config, dev);
		} else {
			snprintf(error, size, "the guest has not let go of it; --force takes it away");
			err = -EBUSY;
		}
	}
	domains_unlock();
	return err;
}

int devices_detach(u16 domid, enum device_kind kind, u32 devid, bool force, char *error, size_t size)
{
	struct device dev = { domid, kind, devid, NULL };
	u64 end = now() + DEVICE_TIMEOUT;
	int err = begin_detach(&dev, force, error, size);

	if (err)
		return err;
	while (!is_closed(&dev) && wait_more(end))
		;
	return end_detach(&dev, force, error, size);
}

bool devices_config(u16 domid, struct domain_config *config)
{
	struct managed *d;

	domains_lock();
	d = managed_by_id(domid);
	if (d)
		*config = d->config;
	domains_unlock();
	return d;
}
