/* SPDX-License-Identifier: MIT */
/* Is a disk or vif specification well formed? */
#ifndef CTL_CONFIG_DEVICES_H
#define CTL_CONFIG_DEVICES_H

/* NULL: yes. Otherwise what was expected. */
const char *config_disk_expected(const char *text);
const char *config_vif_expected(const char *text);

#endif
