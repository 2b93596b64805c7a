/* SPDX-License-Identifier: MIT */
/* A domain's configuration file, in xl.cfg's syntax. */
#ifndef CTL_CONFIG_H
#define CTL_CONFIG_H

#include "../include/types.h"
#include "config_devices.h"

enum action { ACTION_DESTROY, ACTION_RESTART, ACTION_PRESERVE, ACTION_RENAME_RESTART };

#define CONFIG_NAME_MAX 64
#define CONFIG_DEVICES 8
#define CONFIG_VCPUS 32			/* what shared_info has room for */

struct domain_config {
	char name[CONFIG_NAME_MAX];
	char kernel[128], ramdisk[128];	/* paths in domain 0's ramdisk; "": none */
	char extra[1024];		/* the command line: cmdline, or extra with root= in front, if given */
	u64 memory, maxmem;		/* KiB; at least memory */
	u64 memory_min;			/* KiB, at most memory: the policy leaves it so much */
	u32 vcpus, maxvcpus;
	u64 cpus[CONFIG_VCPUS];		/* for each vCPU, bit n: may run on CPU n; ~0: all */
	u32 cpu_weight, cap;		/* weight 0: the scheduler's own */
	enum action on_poweroff, on_reboot, on_crash, on_watchdog;
	bool has_uuid;
	u8 uuid[16];
	struct disk_config disk[CONFIG_DEVICES];	/* their numbers are different */
	struct vif_config vif[CONFIG_DEVICES];		/* and so are these */
	u32 disks, vifs;
};

/*
 * False: *message is one line that names file, line and what was expected. True: it is empty, or a line for each key that
 * nobody here knows. Nothing else of the text is kept. The configuration is filled from its defaults on.
 */
bool config_parse(const char *file, const char *text, size_t length, struct domain_config *config, char *message, size_t size);

/* What a domain may be called. */
bool config_is_name(const char *name);

/* "all", "0-3,^1": the bits of the CPUs, or false. 64 CPUs at most. */
bool config_cpu_list(const char *text, u64 *cpus);

/* Another device, or what was expected. A vif without a devid gets the lowest that is free. The lists stay within CONFIG_DEVICES. */
const char *config_add_disk(struct domain_config *c, const struct disk_config *d);
const char *config_add_vif(struct domain_config *c, const struct vif_config *v);

const char *action_name(enum action action);

#endif
