/* SPDX-License-Identifier: MIT */
/* pvkernel/control/devices_tree.c: the nodes that xl 4.17 wrote for a disk and a vif of domain 3, with their owners and readers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PVK_LIB_H			/* the host has these functions already */
#include "types.h"

static char store[8192];		/* what was written, a node a line; a directory's permissions behind it */
static int fail_at, calls;

int xs_write(u32 tx, const char *path, const char *value);
int xs_set_perms(u32 tx, const char *path, const char *perms, size_t length);

int xs_write(u32 tx, const char *path, const char *value)
{
	size_t n = strlen(store);

	if (++calls == fail_at)
		return -28;
	snprintf(store + n, sizeof(store) - n, "%s = \"%s\"\n", path, value);
	return 0;
}

int xs_set_perms(u32 tx, const char *path, const char *perms, size_t length)
{
	size_t n = strlen(store);

	if (++calls == fail_at)
		return -28;
	assert_int_equal(length, strlen(perms) + 1 + strlen(perms + strlen(perms) + 1) + 1);
	snprintf(store + n, sizeof(store) - n, "%s (%s,%s)\n", path, perms, perms + strlen(perms) + 1);
	return 0;
}

#include "../../pvkernel/control/config_devices.c"
#include "../../pvkernel/control/devices_tree.c"

static void has(const char *line)
{
	char whole[200];

	snprintf(whole, sizeof(whole), "%s\n", line);
	if (!strstr(store, whole))
		fail_msg("%s is not in\n%s", line, store);
}

static void begin(void)
{
	*store = 0;
	calls = fail_at = 0;
}

static const char *const disk_nodes[] = {
	"/local/domain/0/backend/vbd/3/51712 (n0,r3)",
	"/local/domain/0/backend/vbd/3/51712/frontend = \"/local/domain/3/device/vbd/51712\"",
	"/local/domain/0/backend/vbd/3/51712/params = \"/dev/ram0\"",
	"/local/domain/0/backend/vbd/3/51712/frontend-id = \"3\"",
	"/local/domain/0/backend/vbd/3/51712/online = \"1\"",
	"/local/domain/0/backend/vbd/3/51712/removable = \"0\"",
	"/local/domain/0/backend/vbd/3/51712/bootable = \"1\"",
	"/local/domain/0/backend/vbd/3/51712/state = \"1\"",
	"/local/domain/0/backend/vbd/3/51712/dev = \"xvda\"",
	"/local/domain/0/backend/vbd/3/51712/type = \"phy\"",
	"/local/domain/0/backend/vbd/3/51712/mode = \"w\"",
	"/local/domain/0/backend/vbd/3/51712/device-type = \"disk\"",
	"/local/domain/0/backend/vbd/3/51712/discard-enable = \"1\"",
	"/local/domain/0/backend/vbd/3/51712/specification = \"xen\"",
	"/local/domain/3/device/vbd/51712 (n3,r0)",
	"/local/domain/3/device/vbd/51712/backend = \"/local/domain/0/backend/vbd/3/51712\"",
	"/local/domain/3/device/vbd/51712/backend-id = \"0\"",
	"/local/domain/3/device/vbd/51712/state = \"1\"",
	"/local/domain/3/device/vbd/51712/virtual-device = \"51712\"",
	"/local/domain/3/device/vbd/51712/device-type = \"disk\"",
	"/local/domain/3/device/vbd/51712/trusted = \"1\"",
};

static void test_disk(void **state)
{
	struct disk_config d;

	begin();
	assert_null(config_disk("phy:/dev/ram0,xvda,w", &d));
	assert_int_equal(devices_write_disk(1, 3, &d), 0);
	for (size_t i = 0; i < ARRAY_SIZE(disk_nodes); i++)
		has(disk_nodes[i]);
	assert_null(strstr(store, "/rate"));
	begin();
	assert_null(config_disk("/img,,hdc,cdrom,rate=1MB/s,iops=3,untrusted", &d));
	assert_int_equal(devices_write_disk(1, 3, &d), 0);
	has("/local/domain/0/backend/vbd/3/5632/mode = \"r\"");
	has("/local/domain/0/backend/vbd/3/5632/discard-enable = \"0\"");
	has("/local/domain/0/backend/vbd/3/5632/removable = \"1\"");
	has("/local/domain/0/backend/vbd/3/5632/device-type = \"cdrom\"");
	has("/local/domain/0/backend/vbd/3/5632/rate = \"1000000\"");
	has("/local/domain/0/backend/vbd/3/5632/iops = \"3\"");
	has("/local/domain/3/device/vbd/5632/trusted = \"0\"");
}

static const char *const vif_nodes[] = {
	"/local/domain/0/backend/vif/3/0 (n0,r3)",
	"/local/domain/0/backend/vif/3/0/frontend = \"/local/domain/3/device/vif/0\"",
	"/local/domain/0/backend/vif/3/0/frontend-id = \"3\"",
	"/local/domain/0/backend/vif/3/0/online = \"1\"",
	"/local/domain/0/backend/vif/3/0/state = \"1\"",
	"/local/domain/0/backend/vif/3/0/mac = \"00:16:3e:00:00:01\"",
	"/local/domain/0/backend/vif/3/0/bridge = \"xenbr0\"",
	"/local/domain/0/backend/vif/3/0/handle = \"0\"",
	"/local/domain/0/backend/vif/3/0/type = \"vif\"",
	"/local/domain/3/device/vif/0 (n3,r0)",
	"/local/domain/3/device/vif/0/backend = \"/local/domain/0/backend/vif/3/0\"",
	"/local/domain/3/device/vif/0/backend-id = \"0\"",
	"/local/domain/3/device/vif/0/state = \"1\"",
	"/local/domain/3/device/vif/0/handle = \"0\"",
	"/local/domain/3/device/vif/0/mac = \"00:16:3e:00:00:01\"",
	"/local/domain/3/device/vif/0/trusted = \"1\"",
	"/local/domain/3/device/vif/0/mtu = \"1500\"",
	"/local/domain/3/device/vif/0/mtu (n0,r3)",
};

static void test_vif(void **state)
{
	struct vif_config v;

	begin();
	assert_null(config_vif("mac=00:16:3e:00:00:01,bridge=xenbr0,devid=0", &v));
	assert_int_equal(devices_write_vif(1, 3, &v), 0);
	for (size_t i = 0; i < ARRAY_SIZE(vif_nodes); i++)
		has(vif_nodes[i]);
	assert_null(strstr(store, "/vlan"));
	begin();
	assert_null(config_vif("mac=00:16:3e:00:00:01,devid=2,vlan=7,isolated=1,unlocked=1,rate=1MB/s@20ms,ip=10.0.0.2,mtu=9000,vifname=v", &v));
	assert_int_equal(devices_write_vif(1, 3, &v), 0);
	has("/local/domain/0/backend/vif/3/2/vlan = \"7\"");
	has("/local/domain/0/backend/vif/3/2/isolated = \"1\"");
	has("/local/domain/0/backend/vif/3/2/unlocked = \"1\"");
	has("/local/domain/0/backend/vif/3/2/rate = \"20000,20000\"");
	has("/local/domain/0/backend/vif/3/2/ip = \"10.0.0.2\"");
	has("/local/domain/0/backend/vif/3/2/vifname = \"v\"");
	has("/local/domain/3/device/vif/2/mtu = \"9000\"");
}

/* Whichever node cannot be written, its error is the result, and nothing is written behind it. */
static void test_errors(void **state)
{
	static struct domain_config c = { .disks = 1, .vifs = 1 };
	int all;

	assert_null(config_disk("a,,xvda", &c.disk[0]));
	assert_null(config_vif("devid=0", &c.vif[0]));
	begin();
	assert_int_equal(devices_write_all(1, 3, &c), 0);
	all = calls;
	assert_true(all > 30);
	for (int at = 1; at <= all; at++) {
		begin();
		fail_at = at;
		assert_int_equal(devices_write_all(1, 3, &c), -28);
		assert_int_equal(calls, at);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_disk), cmocka_unit_test(test_vif), cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
