/* SPDX-License-Identifier: MIT */
/*
 * The I/O APICs: which line goes to which vector of which CPU. All start masked; the old 8259s stay so. A line's number in the machine is its
 * GSI. A register is reached in two steps, so from the first guest on all is under pirq_lock (ipc/pirq.c).
 */
#include <asm.h>
#include <boot.h>
#include <console.h>
#include <irq.h>
#include <pagetable.h>

enum { IOREGSEL = 0, IOWIN = 4 };	/* in words */
enum { IOAPIC_VERSION = 1, IOAPIC_REDIRECTION = 0x10 };
#define ENTRY_MASKED (1u << 16)
#define ENTRY_LEVEL (1u << 15)
#define ENTRY_ACTIVE_LOW (1u << 13)
#define ENTRY_VECTOR 0xffu

static struct {
	volatile u32 *registers;
	u32 gsi_base, lines;
} ioapics[MAX_IOAPICS];

static void write_register(volatile u32 *registers, u32 n, u32 x)
{
	registers[IOREGSEL] = n;
	registers[IOWIN] = x;
}

static u32 read_register(volatile u32 *registers, u32 n)
{
	registers[IOREGSEL] = n;
	return registers[IOWIN];
}

/*
 * Before the local APIC's LINT0 is masked: a request that is still raised then would stay with the CPU, and QEMU
 * takes it for vector -1.
 */
void mask_8259s(void)
{
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
}

void ioapic_init(void)
{
	for (int i = 0; i < acpi.ioapic_count; i++) {
		volatile u32 *r = map_device(acpi.ioapic[i].address, PAGE_SIZE);

		ioapics[i].registers = r;
		ioapics[i].gsi_base = acpi.ioapic[i].gsi_base;
		ioapics[i].lines = (read_register(r, IOAPIC_VERSION) >> 16 & 0xff) + 1;
		for (u32 line = 0; line < ioapics[i].lines; line++)
			write_register(r, IOAPIC_REDIRECTION + 2 * line, ENTRY_MASKED);
	}
}

/* --- lines ---------------------------------------------------------------------------------------------------------- */

/* The I/O APIC that takes a GSI, and the number of its entry's low half. NULL: none. */
static volatile u32 *find_line(u32 gsi, u32 *entry)
{
	for (int i = 0; i < acpi.ioapic_count; i++) {
		u32 line = gsi - ioapics[i].gsi_base;

		if (line < ioapics[i].lines) {
			*entry = IOAPIC_REDIRECTION + 2 * line;
			return ioapics[i].registers;
		}
	}
	return NULL;
}

bool ioapic_has(u32 gsi)
{
	u32 entry;

	return find_line(gsi, &entry);
}

u32 ioapic_gsis(void)
{
	u32 end = 0;

	for (int i = 0; i < acpi.ioapic_count; i++)
		end = max(end, ioapics[i].gsi_base + ioapics[i].lines);
	return end;
}

/* An ISA interrupt is edge-triggered and active high unless firmware says otherwise, the others are as PCI's. */
void ioapic_default_trigger(u32 gsi, bool *level, bool *low)
{
	*level = *low = gsi >= ARRAY_SIZE(acpi.isa_irq);
	for (size_t irq = 0; irq < ARRAY_SIZE(acpi.isa_irq); irq++) {
		if (acpi.isa_irq[irq].gsi == gsi) {
			*low = (acpi.isa_irq[irq].flags & 3) == 3;
			*level = (acpi.isa_irq[irq].flags >> 2 & 3) == 3;
		}
	}
}

bool ioapic_in_use(u32 gsi)
{
	u32 entry;
	volatile u32 *r = find_line(gsi, &entry);

	return r && read_register(r, entry) & ENTRY_VECTOR;
}

void ioapic_route(u32 gsi, int vector, u32 apic_id, bool level, bool low)
{
	u32 entry;
	volatile u32 *r = find_line(gsi, &entry);

	write_register(r, entry, ENTRY_MASKED);
	write_register(r, entry + 1, apic_id << 24);
	write_register(r, entry, ENTRY_MASKED | vector | (level ? ENTRY_LEVEL : 0) | (low ? ENTRY_ACTIVE_LOW : 0));
}

void ioapic_mask(u32 gsi, bool masked)
{
	u32 entry;
	volatile u32 *r = find_line(gsi, &entry);
	u32 x = read_register(r, entry);

	write_register(r, entry, masked ? x | ENTRY_MASKED : x & ~ENTRY_MASKED);
}

void ioapic_retarget(u32 gsi, u32 apic_id)
{
	u32 entry;
	volatile u32 *r = find_line(gsi, &entry);

	write_register(r, entry + 1, apic_id << 24);
}

void ioapic_free(u32 gsi)
{
	u32 entry;
	volatile u32 *r = find_line(gsi, &entry);

	write_register(r, entry, ENTRY_MASKED);
}

void ioapic_route_isa(int irq, int vector, u32 id)
{
	u32 gsi = acpi.isa_irq[irq].gsi;
	bool level, low;

	if (!ioapic_has(gsi)) {
		log_warning("no I/O APIC takes interrupt %d", irq);
		return;
	}
	ioapic_default_trigger(gsi, &level, &low);
	ioapic_route(gsi, vector, id, level, low);
	ioapic_mask(gsi, false);
}

/* --- for domain 0 ----------------------------------------------------------------------------------------------------- */

bool ioapic_read(maddr_t base, u32 reg, u32 *value)
{
	for (int i = 0; i < acpi.ioapic_count; i++) {
		if (acpi.ioapic[i].address == base) {
			*value = read_register(ioapics[i].registers, (u8)reg);
			return true;
		}
	}
	return false;
}
