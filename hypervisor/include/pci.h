/* SPDX-License-Identifier: MIT */
/* PCI configuration space by ports 0xcf8 and 0xcfc, for the hypervisor and for domain 0 (cpu/pci.c). */
#ifndef PARAVANE_PCI_H
#define PARAVANE_PCI_H

#include <types.h>

#define PCI_ADDRESS_PORT 0xcf8
#define PCI_DATA_PORT 0xcfc

enum {	/* places in a function's configuration space */
	PCI_VENDOR = 0x00, PCI_COMMAND = 0x04, PCI_STATUS = 0x06, PCI_HEADER_TYPE = 0x0e, PCI_BARS = 0x10, PCI_CAPABILITIES = 0x34,
};
#define PCI_COMMAND_MEMORY 2
#define PCI_STATUS_CAPABILITIES 0x10

/* `function` is bus << 8 | device << 3 | function, in segment 0. What is not there reads as ones. */
u32 pci_read32(u16 function, u8 at);
u16 pci_read16(u16 function, u8 at);
void pci_write32(u16 function, u8 at, u32 x);
void pci_write16(u16 function, u8 at, u16 x);
bool pci_exists(u16 function);
u8 pci_capability(u16 function, u8 id);	/* where it is; 0: there is none */

/* An access of domain 0's to ports 0xcf8 to 0xcff. */
u32 pci_port_read(u16 port, unsigned bytes);
void pci_port_write(u16 port, unsigned bytes, u32 x);

#endif
