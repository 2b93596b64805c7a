/* SPDX-License-Identifier: MIT */
/* What a guest starts before its prompt. */
#ifndef PVK_GUEST_SERVICES_H
#define PVK_GUEST_SERVICES_H

void shutdown_init(void);	/* obeys the toolstack from now on, if there is a xenstore */

#endif
