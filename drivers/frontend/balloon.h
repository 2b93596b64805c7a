/* SPDX-License-Identifier: MIT */
#ifndef BALLOON_H
#define BALLOON_H

void balloon_init(void);	/* follows memory/target from now on, if there is a xenstore */

#endif
