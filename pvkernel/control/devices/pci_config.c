/* SPDX-License-Identifier: MIT */
/*
 * Configuration space by mechanism 1: port 0xcf8 names bus, function and register, 0xcfc to 0xcff are its bytes. Nobody of ours comes
 * between the two while interrupts are disabled; the hypervisor keeps 0xcf8 for each domain. Ports need I/O privilege, which
 * benchmarks give away, so it is asked for each time.
 */
#include <abi/physdev.h>

#include "../../include/hypercall.h"
#include "../../include/insn.h"
#include "../../include/ops.h"
#include "pci.h"

#define ADDRESS 0xcf8
#define DATA 0xcfc

static void select_register(u8 bus, u8 devfn, u8 reg)
{
	struct physdev_set_iopl iopl = { 1 };

	HYPERVISOR_physdev_op(PHYSDEVOP_set_iopl, &iopl);
	outl(ADDRESS, 1u << 31 | bus << 16 | devfn << 8 | (reg & ~3));
}

u32 pci_config_read(u8 bus, u8 devfn, u8 reg, u32 bytes)
{
	bool irq = irq_save();
	u16 port = DATA + (reg & 3);
	u32 value;

	select_register(bus, devfn, reg);
	value = bytes == 4 ? inl(port) : bytes == 2 ? inw(port) : inb(port);
	irq_restore(irq);
	return value;
}

void pci_config_write(u8 bus, u8 devfn, u8 reg, u32 bytes, u32 value)
{
	bool irq = irq_save();
	u16 port = DATA + (reg & 3);

	select_register(bus, devfn, reg);
	if (bytes == 4)
		outl(port, value);
	else if (bytes == 2)
		outw(port, value);
	else
		outb(port, value);
	irq_restore(irq);
}
