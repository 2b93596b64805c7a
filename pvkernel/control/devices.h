/* SPDX-License-Identifier: MIT */
/*
 * The toolstack's side of split devices: their directories in xenstore, and waiting for the backends that watch them. A device
 * is in its domain's configuration exactly as long as its directories are there, but while it is being attached or detached.
 */
#ifndef CTL_DEVICES_H
#define CTL_DEVICES_H

#include "config.h"

enum device_kind { DEVICE_VBD, DEVICE_VIF, DEVICE_KINDS };

#define DEVICE_PATH_MAX 80
#define DEVICE_TIMEOUT (10 * 1000000000ul)	/* ns that a backend, or with it a guest, has for an answer: xl's */

void device_front_path(char path[DEVICE_PATH_MAX], u16 domid, enum device_kind kind, u32 devid);
void device_back_path(char path[DEVICE_PATH_MAX], u16 domid, enum device_kind kind, u32 devid);
const char *device_kind_name(enum device_kind kind);	/* vbd, vif */

/* --- devices_tree.c: in a transaction; errors as xs_* --- */

int devices_write_disk(u32 tx, u16 domid, const struct disk_config *d);
int devices_write_vif(u32 tx, u16 domid, const struct vif_config *v);
int devices_write_all(u32 tx, u16 domid, const struct domain_config *c);

/* --- devices.c --- */

/* Until the backend of each has accepted it. On failure *error is a line that names the device and the cause. */
int devices_wait_ready(u16 domid, const struct domain_config *c, char *error, size_t size);

/* For a domain that runs no more: its frontends vanish, the backends let go, or have had the time to, and vanish too. */
void devices_remove_all(u16 domid, const struct domain_config *c);

/*
 * At run time. They take the lifecycle lock, so they may wait. Failure leaves things as they were and *error says why, except
 * that a detach that the guest has not answered stays asked for; `force` takes the device away from it all the same.
 */
int devices_attach_disk(u16 domid, const struct disk_config *d, char *error, size_t size);
int devices_attach_vif(u16 domid, const struct vif_config *v, char *error, size_t size);
int devices_detach(u16 domid, enum device_kind kind, u32 devid, bool force, char *error, size_t size);

/* The domain's configuration as it is now; false: not created here. */
bool devices_config(u16 domid, struct domain_config *config);

#endif
