/* SPDX-License-Identifier: MIT */
/* What domain 0 starts before its prompt, each after what it uses. */
#include "../../drivers/backend/blkback.h"
#include "../../drivers/backend/netback.h"
#include "../include/boot.h"
#include "../include/shell.h"
#include "../include/stack.h"
#include "autostart.h"
#include "devices/devices.h"
#include "domains.h"
#include "network/switch.h"
#include "ramdisk.h"
#include "xenstored.h"

void services_init(void)
{
	if (boot.native)
		return;
	shell_prompt = "pvcontrol> ";
	ramdisk_init();
	devices_init();
	xenstored_init();
	switch_init();
	domains_init();
	blkback_init();
	netback_init();
	stack_init();
	autostart_run();
}
