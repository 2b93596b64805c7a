/* SPDX-License-Identifier: MIT */
/* Any bytes as a domain's configuration: a message, or a configuration that holds what config.h promises. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PVK_LIB_H			/* the host has these functions already */
#include "../../pvkernel/include/types.h"

static bool parse_u64(const char *s, u64 *val)
{
	char *end;

	*val = strtoull(s, &end, 0);
	return *s && !*end;
}

#include "../../pvkernel/control/config_devices.c"
#include "../../pvkernel/control/config.c"

#define CHECK(c) do { if (!(c)) __builtin_trap(); } while (0)

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static void check_devices(const struct domain_config *c)
{
	CHECK(c->disks <= CONFIG_DEVICES && c->vifs <= CONFIG_DEVICES);
	for (u32 i = 0; i < c->disks; i++) {
		CHECK(memchr(c->disk[i].target, 0, DISK_TARGET_MAX) && *c->disk[i].target && memchr(c->disk[i].vdev, 0, VDEV_MAX));
		for (u32 j = 0; j < i; j++)
			CHECK(c->disk[i].number != c->disk[j].number);
	}
	for (u32 i = 0; i < c->vifs; i++) {
		CHECK(memchr(c->vif[i].bridge, 0, VIF_WORD_MAX) && memchr(c->vif[i].ip, 0, VIF_WORD_MAX));
		CHECK(c->vif[i].mtu >= VIF_MTU_MIN && c->vif[i].mtu <= VIF_MTU_MAX && c->vif[i].vlan <= VLAN_MAX);
		for (u32 j = 0; j < i; j++)
			CHECK(c->vif[i].devid != c->vif[j].devid);
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct domain_config c;
	char message_text[200];

	if (!config_parse("f", (const char *)data, size, &c, message_text, sizeof(message_text))) {
		CHECK(strstr(message_text, "expected"));
		return 0;
	}
	CHECK(strlen(message_text) < sizeof(message_text));
	CHECK(*c.name && memchr(c.name, 0, sizeof(c.name)) && !strchr(c.name, '/'));
	CHECK(*c.kernel && memchr(c.kernel, 0, sizeof(c.kernel)) && memchr(c.ramdisk, 0, sizeof(c.ramdisk)));
	CHECK(memchr(c.extra, 0, sizeof(c.extra)));
	CHECK(c.memory && c.memory <= c.maxmem && c.vcpus && c.vcpus <= c.maxvcpus && c.maxvcpus <= CONFIG_VCPUS);
	check_devices(&c);
	for (int i = 0; i < CONFIG_VCPUS; i++)
		CHECK(c.cpus[i]);
	return 0;
}
