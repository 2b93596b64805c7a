/* SPDX-License-Identifier: MIT */
/* What the specification of a disk or of a network interface says. Pure functions. */
#ifndef CTL_CONFIG_DEVICES_H
#define CTL_CONFIG_DEVICES_H

#include "../include/types.h"

#define DISK_TARGET_MAX 128
#define VDEV_MAX 16
#define VIF_WORD_MAX 48
#define VIF_MTU_MIN 68
#define VIF_MTU_MAX 65521		/* with the Ethernet header what a packet of the protocol holds */
#define VLAN_MAX 4094

struct disk_config {
	char target[DISK_TARGET_MAX];	/* what the backend opens, without a prefix that only names the kind of file */
	char vdev[VDEV_MAX];		/* as it was written: xvda */
	u32 number;			/* and the virtual-device that it stands for */
	bool file;			/* "file:" was in front: a file of domain 0's ramdisk, not a device */
	bool readonly, cdrom, no_discard, direct_io_safe, untrusted;
	u64 rate, iops;			/* bytes and requests a second; 0: no limit */
};

struct vif_config {
	u32 devid;			/* VIF_DEVID_ANY until it is known */
	bool has_mac;
	u8 mac[6];
	char bridge[VIF_WORD_MAX];	/* the switch */
	char ip[VIF_WORD_MAX];		/* addresses that it may use; "": any */
	char vifname[VIF_WORD_MAX];	/* "": the backend's own name for it */
	u32 mtu;
	u32 vlan;			/* 0: none */
	bool isolated, untrusted;	/* isolated: from other isolated ones, not from the uplink */
	bool unlocked;			/* it may send from any address, and gets what is for those that it has sent from */
	u64 rate;			/* bytes in each interval of rate_us microseconds; 0: no limit */
	u32 rate_us;
};

#define VIF_DEVID_ANY (~0u)

/* NULL: *d or *v is what the text says. Otherwise what was expected, and they are undefined. */
const char *config_disk(const char *text, struct disk_config *d);
const char *config_vif(const char *text, struct vif_config *v);

/* xvda, xvdb1, hda, sdc2, d0p1, or the number itself; false: none of them. */
bool config_vdev(const char *text, u32 *number);
bool config_mac(const char *text, u8 mac[6]);

/* An address of the ecosystem's prefix, the same for the same domain and device. */
void config_generate_mac(const u8 uuid[16], u32 devid, u8 mac[6]);

#endif
