/* SPDX-License-Identifier: MIT */
/*
 * Ports. Domain 0 drives the machine's devices, so its accesses are made for real, but for the ports of
 * those that the hypervisor keeps for itself. Other domains have none. What is not there reads as ones;
 * writes to it are lost. An access that touches a kept port is taken apart into bytes, as a bus would.
 * PCI's ports are shared with the hypervisor (cpu/pci.c).
 */
#include <asm.h>
#include <cpu.h>
#include <domain.h>
#include <emulate.h>
#include <pci.h>
#include <uaccess.h>

/* Two bytes of the guest's bitmap hold the bits of any access. The bitmap lies in the kernel's address space. */
bool ioport_bitmap_allows(struct vcpu *v, u16 port, unsigned bytes)
{
	maddr_t root = v->cpu->cr3;
	u16 bits = 0xffff;

	if ((u32)port + bytes > v->io_bitmap_ports)
		return false;
	if (root != v->kernel_cr3)
		write_cr3(v->kernel_cr3);
	if (copy_from_guest(&bits, v->io_bitmap + port / 8, 1))
		bits = 0xffff;
	else if (port % 8 + bytes > 8 && copy_from_guest((u8 *)&bits + 1, v->io_bitmap + port / 8 + 1, 1))
		bits = 0xffff;
	if (root != v->kernel_cr3)
		write_cr3(root);
	return !(bits >> port % 8 & ((1 << bytes) - 1));
}

/* The interrupt controllers (20, 21, a0, a1) and the console (3f8 to 3ff). */
static inline bool kept(u32 port)
{
	return (port & ~0x81u) == 0x20 || (port & ~7u) == 0x3f8;
}

static inline bool is_pci(u16 port, unsigned bytes)
{
	return port >= PCI_ADDRESS_PORT && port + bytes <= PCI_DATA_PORT + 4;
}

static inline bool all_real(const struct domain *d, u16 port, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		if (kept(port + i))
			return false;
	return d->privileged;
}

u32 ioport_read(struct vcpu *v, u16 port, unsigned bytes)
{
	u32 value = 0;

	if (is_pci(port, bytes) && v->domain->privileged)
		return pci_port_read(port, bytes);
	if (likely(all_real(v->domain, port, bytes)))
		return bytes == 1 ? inb(port) : bytes == 2 ? inw(port) : inl(port);
	for (unsigned i = 0; i < bytes; i++)
		value |= (all_real(v->domain, port + i, 1) ? inb(port + i) : 0xffu) << 8 * i;
	return value;
}

void ioport_write(struct vcpu *v, u16 port, unsigned bytes, u32 value)
{
	if (is_pci(port, bytes) && v->domain->privileged) {
		pci_port_write(port, bytes, value);
	} else if (unlikely(!all_real(v->domain, port, bytes))) {
		for (unsigned i = 0; i < bytes; i++)
			if (all_real(v->domain, port + i, 1))
				outb(port + i, value >> 8 * i);
	} else if (bytes == 1) {
		outb(port, value);
	} else if (bytes == 2) {
		outw(port, value);
	} else {
		outl(port, value);
	}
}
