/* SPDX-License-Identifier: MIT */
/*
 * PCI configuration space. An access is two steps: the address to one port, the data through another. Domain 0 takes them one at a
 * time, and the hypervisor may come between. So an address of domain 0's is only kept, and is given to the machine again with each of its
 * accesses to the data; `pci_lock` makes the two steps one.
 */
#include <asm.h>
#include <pci.h>
#include <spinlock.h>

#define ADDRESS_ENABLE (1u << 31)

static struct spinlock pci_lock;
static u32 kept_address;	/* domain 0's */

static u32 data_read(u32 address, u16 port, unsigned bytes)
{
	u32 x;

	spin_lock(&pci_lock);
	outl(PCI_ADDRESS_PORT, address);
	x = bytes == 1 ? inb(port) : bytes == 2 ? inw(port) : inl(port);
	spin_unlock(&pci_lock);
	return x;
}

static void data_write(u32 address, u16 port, unsigned bytes, u32 x)
{
	spin_lock(&pci_lock);
	outl(PCI_ADDRESS_PORT, address);
	if (bytes == 1)
		outb(port, x);
	else if (bytes == 2)
		outw(port, x);
	else
		outl(port, x);
	spin_unlock(&pci_lock);
}

static u32 address_of(u16 function, u8 at)
{
	return ADDRESS_ENABLE | (u32)function << 8 | (at & ~3u);
}

u32 pci_read32(u16 function, u8 at) { return data_read(address_of(function, at), PCI_DATA_PORT, 4); }
u16 pci_read16(u16 function, u8 at) { return data_read(address_of(function, at), PCI_DATA_PORT + at % 4, 2); }
void pci_write32(u16 function, u8 at, u32 x) { data_write(address_of(function, at), PCI_DATA_PORT, 4, x); }
void pci_write16(u16 function, u8 at, u16 x) { data_write(address_of(function, at), PCI_DATA_PORT + at % 4, 2, x); }

bool pci_exists(u16 function)
{
	return pci_read16(function, PCI_VENDOR) != 0xffff;
}

/* The list may be a ring in a broken device: it has no more members than the space has room for. */
u8 pci_capability(u16 function, u8 id)
{
	u8 at;

	if (!(pci_read16(function, PCI_STATUS) & PCI_STATUS_CAPABILITIES))
		return 0;
	at = pci_read16(function, PCI_CAPABILITIES) & ~3;
	for (int n = 0; n < 48 && at >= 0x40; n++) {
		u16 header = pci_read16(function, at);

		if ((u8)header == id)
			return at;
		at = header >> 8 & ~3;
	}
	return 0;
}

/* --- domain 0's accesses ------------------------------------------------------------------------------------------- */

u32 pci_port_read(u16 port, unsigned bytes)
{
	if (port == PCI_ADDRESS_PORT && bytes == 4)
		return READ_ONCE(kept_address);
	if (port >= PCI_DATA_PORT)
		return data_read(READ_ONCE(kept_address), port, bytes);
	return bytes == 1 ? inb(port) : bytes == 2 ? inw(port) : inl(port);	/* other registers, by narrow accesses */
}

void pci_port_write(u16 port, unsigned bytes, u32 x)
{
	if (port == PCI_ADDRESS_PORT && bytes == 4)
		WRITE_ONCE(kept_address, x);
	else if (port >= PCI_DATA_PORT)
		data_write(READ_ONCE(kept_address), port, bytes, x);
	else if (bytes == 1)
		outb(port, x);
	else if (bytes == 2)
		outw(port, x);
	else
		outl(port, x);
}
