/* SPDX-License-Identifier: MIT */
/*
 * What ACPI says of the machine: processors and I/O APICs (MADT), power registers and the PM
 * timer (FADT), the sleep type of power-off (\_S5 in the DSDT, found by its name, not by running AML).
 * Layouts: ACPI Specification 6.4, chapter 5.2. Tables above 4 GiB are not looked at.
 */
#include <asm.h>
#include <boot.h>
#include <console.h>
#include <frames.h>
#include <irq.h>
#include <string.h>

#define REACH (4ul << 30)

struct rsdp {
	char signature[8];
	u8 checksum;
	char oem[6];
	u8 revision;
	u32 rsdt, length;
	u64 xsdt;
} __attribute__((packed));

struct table {
	char signature[4];
	u32 length;
	u8 revision, checksum;
	char oem[6], oem_table[8];
	u32 oem_revision, creator, creator_revision;
} __attribute__((packed));

enum {	/* FADT */
	FADT_DSDT = 40, FADT_PM1A_CONTROL = 64, FADT_PM1B_CONTROL = 68, FADT_PM_TIMER = 76, FADT_FLAGS = 112,
};
enum { FLAG_TIMER_32BIT = 1 << 8 };
enum { MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_OVERRIDE = 2, MADT_X2APIC = 9 };

struct acpi_info acpi = { .lapic = 0xfee00000 };

static u32 field32(const void *table, int offset) { return *(const u32 *)((const char *)table + offset); }
static u64 field64(const void *table, int offset) { return *(const u64 *)((const char *)table + offset); }
static u16 field16(const void *table, int offset) { return *(const u16 *)((const char *)table + offset); }

static bool sums_to_zero(const void *p, size_t n)
{
	u8 sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += ((const u8 *)p)[i];
	return !sum;
}

/* --- MADT -------------------------------------------------------------------------------------------------------- */

static void add_cpu(u32 id, u32 flags)
{
	if (flags & 1 && acpi.cpu_count < (int)ARRAY_SIZE(acpi.cpu_apic_id))
		acpi.cpu_apic_id[acpi.cpu_count++] = id;
}

static void parse_madt_entry(const u8 *e)
{
	if (e[0] == MADT_LAPIC && e[1] >= 8) {
		add_cpu(e[3], field32(e, 4));
	} else if (e[0] == MADT_X2APIC && e[1] >= 16) {
		add_cpu(field32(e, 4), field32(e, 8));
	} else if (e[0] == MADT_IOAPIC && e[1] >= 12 && acpi.ioapic_count < MAX_IOAPICS) {
		acpi.ioapic[acpi.ioapic_count].address = field32(e, 4);
		acpi.ioapic[acpi.ioapic_count++].gsi_base = field32(e, 8);
	} else if (e[0] == MADT_OVERRIDE && e[1] >= 10 && e[3] < ARRAY_SIZE(acpi.isa_irq)) {
		acpi.isa_irq[e[3]].gsi = field32(e, 4);
		acpi.isa_irq[e[3]].flags = field16(e, 8);
	}
}

static void parse_madt(const struct table *t)
{
	acpi.lapic = field32(t, 36);
	for (u32 at = 44; at + 2 <= t->length;) {
		const u8 *e = (const u8 *)t + at;

		if (e[1] < 2 || at + e[1] > t->length)
			break;
		parse_madt_entry(e);
		at += e[1];
	}
}

/* --- FADT, DSDT ---------------------------------------------------------------------------------------------------- */

/* An AML integer at p: its value; *p moves behind it. */
static u8 aml_byte(const u8 **p)
{
	enum { BYTE_PREFIX = 0x0a };

	if (**p == BYTE_PREFIX)
		++*p;
	return *(*p)++;
}

/* Name (_S5, Package () { SLP_TYPa, SLP_TYPb, ... }): 08 [5c] "_S5_" 12 length count a b */
static void find_s5(const struct table *dsdt)
{
	enum { PACKAGE = 0x12, SHORTEST = 10 };
	const u8 *p = (const u8 *)dsdt + sizeof(*dsdt), *end = (const u8 *)dsdt + dsdt->length - SHORTEST;

	for (; p < end; p++) {
		if (memcmp(p, "_S5_", 4) || p[4] != PACKAGE)
			continue;
		p += 5;
		p += (*p >> 6) + 2;	/* the length's own bytes, the count */
		acpi.s5_type_a = aml_byte(&p) & 7;
		acpi.s5_type_b = aml_byte(&p) & 7;
		acpi.can_power_off = acpi.pm1a_control;
		return;
	}
}

static void parse_fadt(const struct table *t)
{
	const struct table *dsdt = maddr_to_virt(field32(t, FADT_DSDT));

	acpi.pm1a_control = field32(t, FADT_PM1A_CONTROL);
	acpi.pm1b_control = field32(t, FADT_PM1B_CONTROL);
	acpi.pm_timer_port = field32(t, FADT_PM_TIMER);
	acpi.pm_timer_32bit = field32(t, FADT_FLAGS) & FLAG_TIMER_32BIT;
	if (field32(t, FADT_DSDT))
		find_s5(dsdt);
}

/* --- finding tables -------------------------------------------------------------------------------------------------- */

static const struct rsdp *scan_for_rsdp(maddr_t start, maddr_t end)
{
	for (maddr_t m = start; m < end; m += 16) {
		const struct rsdp *r = maddr_to_virt(m);

		if (*(const u64 *)r == *(const u64 *)"RSD PTR " && sums_to_zero(r, 20))
			return r;
	}
	return NULL;
}

static const struct rsdp *find_rsdp(void)
{
	maddr_t ebda = *(volatile u16 *)maddr_to_virt(0x40e) << 4;
	const struct rsdp *r = NULL;

	if (ebda >= 0x80000 && ebda < 0xa0000)
		r = scan_for_rsdp(ebda, ebda + 1024);
	return r ? r : scan_for_rsdp(0xe0000, 0x100000);
}

static void parse_table(maddr_t m)
{
	const struct table *t = maddr_to_virt(m);

	if (!m || m >= REACH - sizeof(*t) || m + t->length > REACH)
		return;
	if (!memcmp(t->signature, "APIC", 4))
		parse_madt(t);
	else if (!memcmp(t->signature, "FACP", 4))
		parse_fadt(t);
}

void acpi_parse(void)
{
	const struct rsdp *r = find_rsdp();
	bool wide = r && r->revision >= 2 && r->xsdt && r->xsdt < REACH;
	const struct table *root;

	for (int i = 0; i < (int)ARRAY_SIZE(acpi.isa_irq); i++)
		acpi.isa_irq[i].gsi = i;
	if (!r) {
		log_warning("no ACPI: one CPU, no power-off");
		return;
	}
	root = maddr_to_virt(wide ? r->xsdt : r->rsdt);
	for (u32 at = sizeof(*root); at < root->length; at += wide ? 8 : 4)
		parse_table(wide ? field64(root, at) : field32(root, at));
}

/* --- the machine's end --------------------------------------------------------------------------------------------- */

static void __attribute__((noreturn)) halt(void)
{
	for (;;)
		asm volatile("cli; hlt");
}

void machine_power_off(void)
{
	enum { SLEEP_ENABLE = 1 << 13, SLEEP_TYPE_SHIFT = 10 };

	apic_stop_others();
	if (acpi.can_power_off) {
		if (acpi.pm1b_control)
			outw(acpi.pm1b_control, acpi.s5_type_b << SLEEP_TYPE_SHIFT | SLEEP_ENABLE);
		outw(acpi.pm1a_control, acpi.s5_type_a << SLEEP_TYPE_SHIFT | SLEEP_ENABLE);
		wait_us(1000000);	/* it takes effect when it likes */
	}
	log_error("this machine cannot be switched off by software");
	halt();
}

/* By the keyboard controller; where there is none, by a fault that nobody handles. */
void machine_restart(void)
{
	static const struct { u16 limit; u64 base; } __attribute__((packed)) no_idt;

	apic_stop_others();
	for (int i = 0; i < 10000 && inb(0x64) & 2; i++)
		pause();
	outb(0x64, 0xfe);
	for (int i = 0; i < 10000; i++)
		inb(0x80);
	asm volatile("lidt %0; int3" :: "m"(no_idt));
	halt();
}
