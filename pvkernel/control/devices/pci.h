/* SPDX-License-Identifier: MIT */
/* PCI functions: found once, in the order of the buses, kept for ever; those that drive them; their interrupts. */
#ifndef CTL_PCI_H
#define CTL_PCI_H

#include "../../include/evtchn.h"
#include "../../include/list.h"
#include "../../include/types.h"

/* Registers of configuration space (PCI specification 3.0, chapter 6). */
#define PCI_VENDOR 0x00
#define PCI_DEVICE 0x02
#define PCI_COMMAND 0x04
#define PCI_STATUS 0x06
#define PCI_REVISION 0x08
#define PCI_PROG_IF 0x09
#define PCI_SUBCLASS 0x0a
#define PCI_HEADER 0x0e
#define PCI_BAR0 0x10
#define PCI_SECONDARY_BUS 0x19
#define PCI_SUBSYSTEM_VENDOR 0x2c
#define PCI_SUBSYSTEM 0x2e
#define PCI_CAPABILITIES 0x34
#define PCI_INTERRUPT_LINE 0x3c
#define PCI_INTERRUPT_PIN 0x3d

#define PCI_COMMAND_IO 1
#define PCI_COMMAND_MEMORY 2
#define PCI_COMMAND_MASTER 4
#define PCI_COMMAND_NO_INTX 0x400
#define PCI_STATUS_CAPABILITIES 0x10

#define PCI_CAP_MSI 5
#define PCI_CAP_VENDOR 9
#define PCI_CAP_MSIX 0x11

#define PCI_MSIX_CONTROL 2	/* offset in the capability; bits 0 to 10: entries - 1 */
#define PCI_MSIX_TABLE 4	/* bits 0 to 2: BAR */
#define PCI_MSIX_ENABLE 0x8000
#define PCI_MSIX_MASK_ALL 0x4000

#define PCI_BARS 6

struct pci_bar {
	u64 base, size;		/* size 0: none */
	bool io;
};

struct pci_device {
	struct list node;
	u8 bus, devfn;
	u16 vendor, device, subsystem_vendor, subsystem;
	u16 class;		/* base class << 8 | subclass */
	u8 revision, prog_if;
	bool bridge;
	u8 interrupt_pin, interrupt_line;	/* pin 0: none */
	struct pci_bar bars[PCI_BARS];
	const char *driver;	/* whose it is; NULL: nobody's */
	const char *interrupts;	/* how it interrupts, for people */
};

/* --- pci_config.c: registers; bytes is 1, 2 or 4, reg a multiple of it --- */

u32 pci_config_read(u8 bus, u8 devfn, u8 reg, u32 bytes);
void pci_config_write(u8 bus, u8 devfn, u8 reg, u32 bytes, u32 value);

/* --- pci.c --- */

void pci_scan(void);
struct pci_device *pci_next(struct pci_device *d);	/* NULL: the first */
u32 pci_read(const struct pci_device *d, u8 reg, u32 bytes);
void pci_write(const struct pci_device *d, u8 reg, u32 bytes, u32 value);
/* The capability `id` behind that at `after` (0: the first); 0: none. A list that is damaged ends. */
u8 pci_capability(const struct pci_device *d, u8 id, u8 after);
void pci_command(const struct pci_device *d, u16 clear, u16 set);
void *pci_map(const struct pci_device *d, u32 bar, u64 offset, u64 length);	/* uncached; NULL: not within a memory BAR, or refused */

/* --- pci_irq.c --- */

/*
 * The message of entry n of the MSI-X table, as an event. 0, or an errno: no such capability or entry, or the hypervisor's. Masked
 * as a whole until pci_msix_enable(), which comes behind the last of them.
 */
int pci_msix_bind(struct pci_device *d, u32 entry, evtchn_handler_t fn, void *arg);
void pci_msix_enable(struct pci_device *d);
void pci_msix_undo(struct pci_device *d);	/* unbinds what was bound */
u32 pci_msix_entries(const struct pci_device *d);	/* 0: no such capability */

/* The line. fn is called for events of others on the same line, too; when all have been, the line is allowed to come again. */
int pci_line_bind(struct pci_device *d, evtchn_handler_t fn, void *arg);

#endif
