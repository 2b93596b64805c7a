/* SPDX-License-Identifier: MIT */
#include "../../drivers/frontend/balloon.h"
#include "../../drivers/frontend/blkfront.h"
#include "../../drivers/frontend/netfront.h"
#include "../include/boot.h"
#include "../include/shell.h"
#include "../include/stack.h"
#include "../include/xenstore.h"
#include "services.h"

void services_init(void)
{
	if (boot.native || boot.initial_domain)
		return;
	xs_init();
	blkfront_init();
	frontend_register(&netfront_driver);
	frontends_init();
	stack_init();
	shutdown_init();
	balloon_init();
}
