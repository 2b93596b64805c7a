/* SPDX-License-Identifier: MIT */
#include "../../drivers/frontend/xenbus_front.h"
#include "../../drivers/frontend/balloon.h"
#include "../include/boot.h"
#include "../include/lib.h"
#include "../include/shell.h"
#include "../include/xenstore.h"
#include "services.h"

void services_init(void)
{
	if (boot.native || boot.initial_domain)
		return;
	xs_init();
	frontends_init();
	shutdown_init();
	balloon_init();
}

/* For who asks many guests whether they live. */
static int cmd_ping(int argc, char **argv)
{
	char name[64];

	if (boot.native || xs_read(XS_NO_TX, "name", name, sizeof(name)) < 0)
		snprintf(name, sizeof(name), "nobody");
	printf("pong %s\n", name);
	return 0;
}
COMMAND(ping, cmd_ping, "answers pong and this domain's name");
