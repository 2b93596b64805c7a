/* SPDX-License-Identifier: MIT */
/*
 * Ports. Domain 0 drives the machine's devices, so its accesses are made for real, but for the ports
 * that the hypervisor keeps for itself and those that every domain has of its own: the timer's channel
 * 2, the clock chip's index, the address of PCI configuration. Other domains have only these.
 * What is not there reads as ones; writes to it are lost.
 *
 * An access that touches a kept port is taken apart into bytes, as a bus would.
 */
#include <asm.h>
#include <boot.h>
#include <cpu.h>
#include <domain.h>
#include <emulate.h>
#include <spinlock.h>
#include <uaccess.h>

#define PORT_CMOS_INDEX 0x70
#define PORT_CMOS_DATA 0x71
#define PORT_PCI_ADDRESS 0xcf8
#define PORT_PCI_DATA 0xcfc
#define PCI_ENABLED (1u << 31)

/* Index, then data: nobody comes between. */
static struct spinlock pci_lock, cmos_lock;

/* --- permission --------------------------------------------------------------------------------------- */

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

/* --- which ports are real -------------------------------------------------------------------------------- */

static inline bool touches(u32 port, unsigned bytes, u32 first, u32 last)
{
	return port <= last && port + bytes > first;
}

static __attribute__((noinline)) bool kept_exactly(u32 port, unsigned bytes)
{
	return touches(port, bytes, 0x20, 0x21) || touches(port, bytes, 0xa0, 0xa1) ||
	       touches(port, bytes, 0x40, 0x43) || touches(port, bytes, 0x61, 0x61) ||
	       touches(port, bytes, PORT_CMOS_INDEX, PORT_CMOS_DATA) || touches(port, bytes, 0x3f8, 0x3ff) ||
	       touches(port, bytes, PORT_PCI_DATA, PORT_PCI_DATA + 3) ||
	       (port == PORT_PCI_ADDRESS && bytes == 4) ||
	       (acpi.pm_timer_port && touches(port, bytes, acpi.pm_timer_port, acpi.pm_timer_port + 3));
}

/* Bit n: among ports 16 * n to 16 * n + 15 are some of those above; they end with 0x3ff but for PCI's. */
#define KEPT_BLOCKS (1ull << 0x2 | 1ull << 0x4 | 1ull << 0x6 | 1ull << 0x7 | 1ull << 0xa | 1ull << 0x3f)
#define PCI_BLOCK 0xcf

/* Interrupt controllers, timers, console, and what is virtual: not the domain's to touch. */
static inline bool kept(u32 port, unsigned bytes)
{
	u32 block = port >> 4;

	if (likely((port & 15) + bytes <= 16 && port + bytes - 1 - acpi.pm_timer_port >= bytes + 3 &&
		   (block < 64 ? !(KEPT_BLOCKS >> block & 1) : block != PCI_BLOCK)))
		return false;
	return kept_exactly(port, bytes);
}

static u32 real_read(u16 port, unsigned bytes)
{
	return bytes == 1 ? inb(port) : bytes == 2 ? inw(port) : inl(port);
}

static void real_write(u16 port, unsigned bytes, u32 value)
{
	if (bytes == 1)
		outb(port, value);
	else if (bytes == 2)
		outw(port, value);
	else
		outl(port, value);
}

/* How many of the bytes from `port` on one configuration access covers: 1, 2 or 4, aligned within the four. */
static unsigned pci_chunk(u16 port, unsigned bytes)
{
	unsigned n = min(bytes, 4 - (port & 3u));

	return n == 3 ? 2 : n;
}

static u32 pci_read(struct domain *d, u16 port, unsigned bytes)
{
	u32 value;

	if (!d->privileged || !(d->pci_address & PCI_ENABLED))
		return ~0u;
	spin_lock(&pci_lock);
	outl(PORT_PCI_ADDRESS, d->pci_address);
	value = real_read(port, bytes);
	spin_unlock(&pci_lock);
	return value;
}

static void pci_write(struct domain *d, u16 port, unsigned bytes, u32 value)
{
	if (!d->privileged || !(d->pci_address & PCI_ENABLED))
		return;
	spin_lock(&pci_lock);
	outl(PORT_PCI_ADDRESS, d->pci_address);
	real_write(port, bytes, value);
	spin_unlock(&pci_lock);
}

static u8 cmos_read(struct domain *d)
{
	u8 value;

	if (!d->privileged)
		return 0xff;
	spin_lock(&cmos_lock);
	outb(PORT_CMOS_INDEX, d->cmos_index & 0x7f);
	value = inb(PORT_CMOS_DATA);
	spin_unlock(&cmos_lock);
	return value;
}

static void cmos_write(struct domain *d, u8 value)
{
	if (!d->privileged)
		return;
	spin_lock(&cmos_lock);
	outb(PORT_CMOS_INDEX, d->cmos_index & 0x7f);
	outb(PORT_CMOS_DATA, value);
	spin_unlock(&cmos_lock);
}

/* --- accesses ------------------------------------------------------------------------------------------------ */

static u8 virtual_read(struct domain *d, u16 port)
{
	switch (port) {
	case 0x42: case 0x43: case 0x61:
		return pit_read(d, port);
	case PORT_CMOS_INDEX:
		return d->cmos_index;
	case PORT_CMOS_DATA:
		return cmos_read(d);
	default:
		return 0xff;
	}
}

static u8 byte_read(struct domain *d, u16 port)
{
	if (kept(port, 1))
		return virtual_read(d, port);
	return d->privileged ? inb(port) : 0xff;
}

static void byte_write(struct domain *d, u16 port, u8 value)
{
	switch (port) {
	case 0x42: case 0x43: case 0x61:
		pit_write(d, port, value);
		break;
	case PORT_CMOS_INDEX:
		d->cmos_index = value & 0x7f;
		break;
	case PORT_CMOS_DATA:
		cmos_write(d, value);
		break;
	default:
		if (d->privileged && !kept(port, 1))
			outb(port, value);
	}
}

u32 ioport_read(struct vcpu *v, u16 port, unsigned bytes)
{
	struct domain *d = v->domain;
	u32 value = 0, part;

	if (!kept(port, bytes))
		return d->privileged ? real_read(port, bytes) : ~0u >> (32 - 8 * bytes);
	if (bytes == 1 && (port & ~3u) != PORT_PCI_DATA)
		return virtual_read(d, port);
	if (port == PORT_PCI_ADDRESS && bytes == 4)
		return d->pci_address;
	for (unsigned done = 0, n; done < bytes; done += n) {
		if (((port + done) & ~3u) == PORT_PCI_DATA) {
			n = pci_chunk(port + done, bytes - done);
			part = pci_read(d, port + done, n) & (~0u >> (32 - 8 * n));
		} else {
			n = 1;
			part = byte_read(d, port + done);
		}
		value |= part << 8 * done;
	}
	return value;
}

void ioport_write(struct vcpu *v, u16 port, unsigned bytes, u32 value)
{
	struct domain *d = v->domain;

	if (!kept(port, bytes)) {
		if (d->privileged)
			real_write(port, bytes, value);
		return;
	}
	if (port == PORT_PCI_ADDRESS && bytes == 4) {
		d->pci_address = value;
		return;
	}
	for (unsigned done = 0, n; done < bytes; done += n) {
		n = 1;
		if (((port + done) & ~3u) == PORT_PCI_DATA) {
			n = pci_chunk(port + done, bytes - done);
			pci_write(d, port + done, n, value >> 8 * done);
		} else {
			byte_write(d, port + done, value >> 8 * done);
		}
	}
}
