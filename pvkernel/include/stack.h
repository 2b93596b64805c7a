/* SPDX-License-Identifier: MIT */
/*
 * The network stack, lwIP. Programs use its netconn or socket functions (<lwip/api.h>, <lwip/sockets.h>), which any thread may
 * call; lwIP's raw functions only between stack_lock() and stack_unlock().
 */
#ifndef PVK_STACK_H
#define PVK_STACK_H

#include "net.h"

/*
 * The stack is the user of devices from now on and runs when the first is there: of a guest's all, in domain 0 of the switch's port "dom0". The option ip= says
 * what the first is to be called, as interface_configure() has it; without it a guest asks by DHCP.
 */
void stack_init(void);

void stack_start(void);		/* begins to run, if no device was there so far; for who listens before one comes */
bool stack_has_address(bool ipv6);	/* the first interface has one of this version that can be used */

/* Who has the lock runs the stack. Unlocking also pushes out what was sent meanwhile. Not for interrupt handlers. */
void stack_lock(void);
void stack_unlock(void);

#endif
