/* SPDX-License-Identifier: MIT */
/* A guest without frontends: its devices are for the attacks to take. */
#include "../../../pvkernel/guest/services.h"
#include "../../../pvkernel/include/boot.h"
#include "../../../pvkernel/include/shell.h"
#include "../../../pvkernel/include/xenstore.h"

void services_init(void)
{
	if (boot.native || boot.initial_domain)
		return;
	xs_init();
	shutdown_init();
}
