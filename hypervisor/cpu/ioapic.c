/* SPDX-License-Identifier: MIT */
/* The I/O APICs: which device interrupt goes to which vector of which CPU. All start masked; the old 8259s stay so. */
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

static struct {
	volatile u32 *registers;
	u32 gsi_base, lines;
} ioapics[MAX_IOAPICS];

static void write_register(volatile u32 *registers, u32 n, u32 x)
{
	registers[IOREGSEL] = n;
	registers[IOWIN] = x;
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

		r[IOREGSEL] = IOAPIC_VERSION;
		ioapics[i].registers = r;
		ioapics[i].gsi_base = acpi.ioapic[i].gsi_base;
		ioapics[i].lines = (r[IOWIN] >> 16 & 0xff) + 1;
		for (u32 line = 0; line < ioapics[i].lines; line++)
			write_register(r, IOAPIC_REDIRECTION + 2 * line, ENTRY_MASKED);
	}
}

/* An ISA interrupt is edge-triggered and active high unless firmware says otherwise. */
static u32 isa_trigger(int irq)
{
	u32 polarity = acpi.isa_irq[irq].flags & 3, trigger = acpi.isa_irq[irq].flags >> 2 & 3;

	return (polarity == 3 ? ENTRY_ACTIVE_LOW : 0) | (trigger == 3 ? ENTRY_LEVEL : 0);
}

void ioapic_route_isa(int irq, int vector, u32 id)
{
	u32 gsi = acpi.isa_irq[irq].gsi;

	for (int i = 0; i < acpi.ioapic_count; i++) {
		u32 line = gsi - ioapics[i].gsi_base;

		if (line >= ioapics[i].lines)
			continue;
		write_register(ioapics[i].registers, IOAPIC_REDIRECTION + 2 * line + 1, id << 24);
		write_register(ioapics[i].registers, IOAPIC_REDIRECTION + 2 * line, vector | isa_trigger(irq));
		return;
	}
	log_warning("no I/O APIC takes interrupt %d", irq);
}
