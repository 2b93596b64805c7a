/* SPDX-License-Identifier: MIT */
/*
 * Enumeration: from bus 0 through bridges, whose buses the firmware has numbered upwards; a bridge that does not is not followed, so that
 * the walk ends. The hypervisor is told of each function, as it gives interrupts only to those it knows.
 *
 * A BAR's size is what its writable bits leave when all are set; decoding is off meanwhile, so that nothing answers at a wrong address.
 */
#include <abi/errno.h>
#include <abi/physdev.h>
#include <abi/xen.h>

#include "../../include/hypercall.h"
#include "../../include/lib.h"
#include "../../include/mm.h"
#include "../../include/shell.h"
#include "pci.h"

#define MAX_CAPABILITIES 48u	/* as many as fit behind the header */
#define HEADER_BRIDGE 1
#define HEADER_TYPE 0x7f
#define MULTIFUNCTION 0x80
#define BAR_IO 1u
#define BAR_64 4u

static struct list devices = LIST_INIT(devices);

struct pci_device *pci_next(struct pci_device *d)
{
	struct list *next = d ? d->node.next : devices.next;

	return next == &devices ? NULL : list_entry(next, struct pci_device, node);
}

u32 pci_read(const struct pci_device *d, u8 reg, u32 bytes)
{
	return pci_config_read(d->bus, d->devfn, reg, bytes);
}

void pci_write(const struct pci_device *d, u8 reg, u32 bytes, u32 value)
{
	pci_config_write(d->bus, d->devfn, reg, bytes, value);
}

u8 pci_capability(const struct pci_device *d, u8 id, u8 after)
{
	u8 at;

	if (!(pci_read(d, PCI_STATUS, 2) & PCI_STATUS_CAPABILITIES))
		return 0;
	at = pci_read(d, after ? after + 1 : PCI_CAPABILITIES, 1) & ~3;
	for (u32 n = 0; at >= 0x40 && n < MAX_CAPABILITIES; n++) {
		if (pci_read(d, at, 1) == id)
			return at;
		at = pci_read(d, at + 1, 1) & ~3;
	}
	return 0;
}

void pci_command(const struct pci_device *d, u16 clear, u16 set)
{
	pci_write(d, PCI_COMMAND, 2, (pci_read(d, PCI_COMMAND, 2) & ~clear) | set);
}

/* What a register reads after all of it was set; it gets back what it was. */
static u32 all_ones_read(const struct pci_device *d, u8 reg, u32 was)
{
	u32 bits;

	pci_write(d, reg, 4, ~0u);
	bits = pci_read(d, reg, 4);
	pci_write(d, reg, 4, was);
	return bits;
}

/* The registers that it takes. */
static u32 read_bar(struct pci_device *d, u32 n)
{
	u8 reg = PCI_BAR0 + 4 * n;
	u32 low = pci_read(d, reg, 4), bits = all_ones_read(d, reg, low);
	struct pci_bar *bar = &d->bars[n];
	u64 size;

	bar->io = low & BAR_IO;
	if (bar->io) {
		bar->base = low & ~3u;
		bar->size = bits ? (u32)-((bits & ~3u) | 0xffff0000u) : 0;
		return 1;
	}
	bar->base = low & ~15u;
	size = bits & ~15u;
	if ((low & 6) == BAR_64 && n + 1 < PCI_BARS) {
		u32 high = pci_read(d, reg + 4, 4);

		bar->base |= (u64)high << 32;
		size |= (u64)all_ones_read(d, reg + 4, high) << 32;
		bar->size = size ? -size : 0;
		return 2;
	}
	bar->size = size ? (u32)-size : 0;
	return 1;
}

static void read_bars(struct pci_device *d)
{
	u16 command = pci_read(d, PCI_COMMAND, 2);

	pci_write(d, PCI_COMMAND, 2, command & ~(PCI_COMMAND_IO | PCI_COMMAND_MEMORY));
	for (u32 n = 0; n < PCI_BARS;)
		n += read_bar(d, n);
	pci_write(d, PCI_COMMAND, 2, command);
}

static void read_header(struct pci_device *d)
{
	d->device = pci_read(d, PCI_DEVICE, 2);
	d->revision = pci_read(d, PCI_REVISION, 1);
	d->prog_if = pci_read(d, PCI_PROG_IF, 1);
	d->class = pci_read(d, PCI_SUBCLASS, 2);
	d->bridge = (pci_read(d, PCI_HEADER, 1) & HEADER_TYPE) == HEADER_BRIDGE;
	d->interrupt_line = pci_read(d, PCI_INTERRUPT_LINE, 1);
	d->interrupt_pin = pci_read(d, PCI_INTERRUPT_PIN, 1);
	if (d->bridge)
		return;
	d->subsystem_vendor = pci_read(d, PCI_SUBSYSTEM_VENDOR, 2);
	d->subsystem = pci_read(d, PCI_SUBSYSTEM, 2);
	read_bars(d);
}

/* Refusal matters only to a device that wants an interrupt, and is told then. */
static void tell_hypervisor(const struct pci_device *d)
{
	struct physdev_pci_device_add add = { .bus = d->bus, .devfn = d->devfn };
	long err = HYPERVISOR_physdev_op(PHYSDEVOP_pci_device_add, &add);

	if (err && err != -ENOSYS)
		printf("pci %02x:%02x.%u: the hypervisor does not take it: %ld\n", d->bus, d->devfn >> 3, d->devfn & 7, err);
}

static void scan_bus(u8 bus);

static void scan_function(u8 bus, u8 devfn, u16 vendor)
{
	struct pci_device *d = kmalloc(sizeof(*d));
	u8 behind;

	if (!d) {
		printf("pci %02x:%02x.%u: no memory\n", bus, devfn >> 3, devfn & 7);
		return;
	}
	d->bus = bus;
	d->devfn = devfn;
	d->vendor = vendor;
	read_header(d);
	list_insert_before(&devices, &d->node);
	tell_hypervisor(d);
	behind = d->bridge ? pci_read(d, PCI_SECONDARY_BUS, 1) : 0;
	if (behind > bus)
		scan_bus(behind);
}

static void scan_bus(u8 bus)
{
	for (u32 slot = 0; slot < 32; slot++) {
		u32 functions = pci_config_read(bus, slot << 3, PCI_HEADER, 1) & MULTIFUNCTION ? 8 : 1;

		for (u32 f = 0; f < functions; f++) {
			u16 vendor = pci_config_read(bus, slot << 3 | f, PCI_VENDOR, 2);

			if (vendor != 0xffff)
				scan_function(bus, slot << 3 | f, vendor);
			else if (!f)
				break;
		}
	}
}

void pci_scan(void)
{
	scan_bus(0);
}

void *pci_map(const struct pci_device *d, u32 bar, u64 offset, u64 length)
{
	const struct pci_bar *b = bar < PCI_BARS ? &d->bars[bar] : NULL;
	u64 mfns[16], first, count;
	char *va;

	if (!b || b->io || !b->base || !length || length > b->size || offset > b->size - length)
		return NULL;
	first = (b->base + offset) >> PAGE_SHIFT;
	count = ((b->base + offset + length - 1) >> PAGE_SHIFT) - first + 1;
	if (count > ARRAY_SIZE(mfns))
		return NULL;
	for (u64 i = 0; i < count; i++)
		mfns[i] = first + i;
	va = vmap_foreign(DOMID_IO, mfns, count, PROT_DEVICE);
	return va ? va + ((b->base + offset) & (PAGE_SIZE - 1)) : NULL;
}

static void print_bars(const struct pci_device *d)
{
	for (u32 n = 0; n < PCI_BARS; n++) {
		const struct pci_bar *b = &d->bars[n];

		if (b->size)
			printf("        BAR %u: %s 0x%lx, %lu bytes\n", n, b->io ? "ports" : "memory", b->base, b->size);
	}
}

static int cmd_lspci(int argc, char **argv)
{
	for (struct pci_device *d = pci_next(NULL); d; d = pci_next(d)) {
		printf("%02x:%02x.%u %04x: %04x:%04x (rev %02x)", d->bus, d->devfn >> 3, d->devfn & 7, d->class, d->vendor, d->device,
		       d->revision);
		if (d->driver)
			printf(" %s, %s", d->driver, d->interrupts ? d->interrupts : "no interrupt");
		else if (d->bridge)
			printf(" bridge to bus %02x", pci_read(d, PCI_SECONDARY_BUS, 1));
		printf("\n");
		if (argc > 1)
			print_bars(d);
	}
	return 0;
}
COMMAND(lspci, cmd_lspci, "[-v]: PCI functions, their classes, ids, drivers, interrupts; -v: their BARs");
