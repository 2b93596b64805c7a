/* SPDX-License-Identifier: MIT */
/* A domain's configuration file, in xl.cfg's syntax. */
#ifndef CTL_CONFIG_H
#define CTL_CONFIG_H

#include "../include/types.h"

enum action { ACTION_DESTROY, ACTION_RESTART, ACTION_PRESERVE, ACTION_RENAME_RESTART };

#define CONFIG_NAME_MAX 64
#define CONFIG_DEVICES 8

struct domain_config {
	char name[CONFIG_NAME_MAX];
	char kernel[128], ramdisk[128];	/* paths in domain 0's ramdisk; "": none */
	char extra[1024];		/* with root= in front, if given */
	u64 memory, maxmem;		/* KiB; maxmem 0: memory */
	u32 vcpus, maxvcpus;
	u64 cpus;			/* bit n: may run on CPU n; ~0: all */
	u16 cpu_weight, cap;
	enum action on_poweroff, on_reboot, on_crash;
	char disk[CONFIG_DEVICES][128], vif[CONFIG_DEVICES][128];	/* specifications, checked for form */
	u32 disks, vifs;
};

/* False: *error is one line that names file, line and what was expected. Nothing else of the text is kept. */
bool config_parse(const char *file, const char *text, size_t length, struct domain_config *config, char *error, size_t size);

#endif
