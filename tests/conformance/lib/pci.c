/* SPDX-License-Identifier: MIT */
/* PCI by ports 0xcf8 and 0xcfc, and the calls for physical interrupts. */
#include "pci.h"

static void select(uint8_t devfn, uint8_t at)
{
	__asm__ volatile("outl %0, %w1" : : "a"(1U << 31 | devfn << 8 | (at & ~3U)), "d"(0xcf8));
}

uint32_t pci_read(uint8_t devfn, uint8_t at)
{
	uint32_t x;

	select(devfn, at);
	__asm__ volatile("inl %w1, %0" : "=a"(x) : "d"(0xcfc));
	return x;
}

void pci_write(uint8_t devfn, uint8_t at, uint32_t x)
{
	select(devfn, at);
	__asm__ volatile("outl %0, %w1" : : "a"(x), "d"(0xcfc));
}

void pci_write16(uint8_t devfn, uint8_t at, uint16_t x)
{
	select(devfn, at);
	__asm__ volatile("outw %0, %w1" : : "a"(x), "d"(0xcfc + (at & 3)));
}

uint8_t pci_find_capability(uint8_t devfn, uint8_t id)
{
	uint8_t at = pci_read(devfn, 0x34);

	for (int n = 0; at && n < 48; n++) {
		uint32_t word = pci_read(devfn, at);

		if ((uint8_t)word == id)
			return at;
		at = word >> 8;
	}
	return 0;
}

uint64_t pci_bar(uint8_t devfn, unsigned int n)
{
	uint32_t low = pci_read(devfn, 0x10 + 4 * n);
	uint64_t high = (low & 6) == 4 ? pci_read(devfn, 0x14 + 4 * n) : 0;

	return high << 32 | (low & ~15U);
}

int64_t map_device_page(void *at, uint64_t address)
{
	return map_page(at, (address & ~0xfffUL) | PTE_DATA | PTE_PCD | PTE_PWT);
}

int64_t map_pirq(int type, int index, int pirq, uint8_t devfn, int entry, uint64_t table)
{
	struct physdev_map_pirq op = {
		.domid = DOMID_SELF, .type = type, .index = index, .pirq = pirq, .devfn = devfn, .entry_nr = entry, .table_base = table,
	};
	int64_t error = hypercall(physdev_op, PHYSDEVOP_map_pirq, &op);

	return error ? error : op.pirq;
}

int64_t unmap_pirq(int pirq)
{
	struct physdev_unmap_pirq op = { .domid = DOMID_SELF, .pirq = pirq };

	return hypercall(physdev_op, PHYSDEVOP_unmap_pirq, &op);
}

int64_t eoi_pirq(uint32_t pirq)
{
	struct physdev_eoi op = { .irq = pirq };

	return hypercall(physdev_op, PHYSDEVOP_eoi, &op);
}

int64_t bind_pirq(uint32_t pirq)
{
	struct evtchn_bind_pirq op = { .pirq = pirq };
	int64_t error = hypercall(event_channel_op, EVTCHNOP_bind_pirq, &op);

	return error ? error : op.port;
}
