/* SPDX-License-Identifier: MIT */
/* nmi_op: a handler for non-maskable interrupts. See nmi.md. */
#ifndef ABI_NMI_H
#define ABI_NMI_H

#define XENNMI_register_callback 0
#define XENNMI_unregister_callback 1

/* arch_shared_info.nmi_reason */
#define XEN_NMIREASON_io_error 1
#define XEN_NMIREASON_pci_serr 2
#define XEN_NMIREASON_unknown 4

#ifndef __ASSEMBLY__
#include <stdint.h>

/* 16 bytes. */
struct xennmi_callback {
	uint64_t handler_address;	/* 0x00 IN: linear address */
	uint64_t pad;			/* 0x08 */
};
#endif

#endif
