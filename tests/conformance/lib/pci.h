/* SPDX-License-Identifier: MIT */
/* Devices as domain 0 sees them: configuration space, their memory, their interrupts (pci.c). */
#ifndef CONFORMANCE_PCI_H
#define CONFORMANCE_PCI_H

#include "guest.h"
#include <abi/physdev.h>

/* A function of bus 0, by device << 3 | function. The kernel needs IOPL 1. */
uint32_t pci_read(uint8_t devfn, uint8_t at);
void pci_write(uint8_t devfn, uint8_t at, uint32_t x);
void pci_write16(uint8_t devfn, uint8_t at, uint16_t x);
uint8_t pci_find_capability(uint8_t devfn, uint8_t id);	/* 0: none */
uint64_t pci_bar(uint8_t devfn, unsigned int n);		/* address of a memory window */

/* A page of a device at a page of the image's, uncached; the errno, or 0. */
int64_t map_device_page(void *at, uint64_t address);

int64_t map_pirq(int type, int index, int pirq, uint8_t devfn, int entry, uint64_t table);	/* the pirq, or an errno */
int64_t unmap_pirq(int pirq);
int64_t eoi_pirq(uint32_t pirq);
int64_t bind_pirq(uint32_t pirq);	/* the port, or an errno */

#endif
