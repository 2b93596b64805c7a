/* SPDX-License-Identifier: MIT */
/* callback_op: where the hypervisor enters the guest kernel. See callback.md. */
#ifndef ABI_CALLBACK_H
#define ABI_CALLBACK_H

#define CALLBACKOP_register 0
#define CALLBACKOP_unregister 1

#define CALLBACKTYPE_event 0
#define CALLBACKTYPE_failsafe 1
#define CALLBACKTYPE_syscall 2
#define CALLBACKTYPE_sysenter_deprecated 3
#define CALLBACKTYPE_nmi 4
#define CALLBACKTYPE_sysenter 5
#define CALLBACKTYPE_syscall32 7

#define CALLBACKF_mask_events 1

#ifndef __ASSEMBLY__
#include <stdint.h>

/* 16 bytes. */
struct callback_register {
	uint16_t type;		/* 0x00 IN: CALLBACKTYPE_* */
	uint16_t flags;		/* 0x02 IN: CALLBACKF_mask_events */
	uint64_t address;	/* 0x08 IN: linear address */
};

/* 4 bytes. */
struct callback_unregister {
	uint16_t type;		/* 0x00 IN: CALLBACKTYPE_* */
	uint16_t _unused;	/* 0x02 */
};
#endif

#endif
