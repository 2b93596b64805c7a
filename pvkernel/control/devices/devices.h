/* SPDX-License-Identifier: MIT */
/* QEMU's devices, which domain 0 drives. */
#ifndef CTL_DEVICES_H
#define CTL_DEVICES_H

void devices_init(void);	/* finds and starts them; by a thread */

#endif
