/* SPDX-License-Identifier: MIT */
/* The commands about the machine itself. */
#include "../include/lib.h"
#include "../include/ops.h"
#include "../include/shell.h"

static int cmd_shutdown(int argc, char **argv)
{
	cpu->stop(STOP_POWEROFF);
	return 1;
}
COMMAND(shutdown, cmd_shutdown, "powers off");

static int cmd_reboot(int argc, char **argv)
{
	cpu->stop(STOP_REBOOT);
	return 1;
}
COMMAND(reboot, cmd_reboot, "resets the machine");
