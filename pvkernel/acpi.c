/* SPDX-License-Identifier: MIT */
/*
 * As much ACPI as it takes to switch the power off: RSDP -> RSDT -> FADT -> DSDT, and in the DSDT the
 * package named _S5_, whose first element goes into the PM1 control register. Tables are mapped one
 * after the other; each is believed only if its checksum is right.
 */
#include "insn.h"
#include "lib.h"
#include "mm.h"
#include "native.h"

struct sdt {
	char signature[4];
	u32 length;
	u8 revision, checksum;
	char oem[6], oem_table[8];
	u32 oem_revision, creator, creator_revision;
};

#define FADT_DSDT 40
#define FADT_SMI_CMD 48
#define FADT_ACPI_ENABLE 52
#define FADT_PM1A_CNT 64
#define FADT_PM1B_CNT 68
#define SLP_EN 0x2000
#define SCI_EN 1

static bool checksum_good(const void *p, size_t len)
{
	u8 sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += ((const u8 *)p)[i];
	return !sum;
}

static const struct sdt *map_table(u64 maddr)
{
	const struct sdt *t = vmap_maddr(maddr, sizeof(*t), PROT_READ);
	u32 length;

	if (!t)
		return NULL;
	length = t->length;
	vunmap((void *)t);
	if (length < sizeof(*t) || length > 1 << 20)
		return NULL;
	t = vmap_maddr(maddr, length, PROT_READ);
	return t && checksum_good(t, length) ? t : NULL;
}

static u32 read32(const struct sdt *t, u32 offset)
{
	u32 v = 0;

	if (offset + 4 <= t->length)
		memcpy(&v, (const char *)t + offset, 4);
	return v;
}

/* The root pointer is on a 16-byte boundary of the BIOS area. */
static u64 find_rsdt(void)
{
	const char *bios = vmap_maddr(0xe0000, 0x20000, PROT_READ);
	u32 rsdt = 0;

	for (u32 at = 0; bios && !rsdt && at < 0x20000; at += 16) {
		if (!memcmp(bios + at, "RSD PTR ", 8) && checksum_good(bios + at, 20))
			memcpy(&rsdt, bios + at + 16, 4);
	}
	return rsdt;
}

static const struct sdt *find_fadt(void)
{
	u64 maddr = find_rsdt();
	const struct sdt *rsdt = maddr ? map_table(maddr) : NULL;

	for (u32 at = sizeof(*rsdt); rsdt && at + 4 <= rsdt->length; at += 4) {
		const struct sdt *t = map_table(read32(rsdt, at));

		if (t && !memcmp(t->signature, "FACP", 4))
			return t;
	}
	return NULL;
}

/* NameOp "_S5_" PackageOp length count value: the value is an integer constant of AML. */
static bool find_s5(const struct sdt *dsdt, u16 *type)
{
	const u8 *aml = (const u8 *)dsdt;

	for (u32 i = sizeof(*dsdt); i + 9 < dsdt->length; i++) {
		const u8 *p = aml + i + 4;

		if (memcmp(aml + i, "_S5_", 4) || *p++ != 0x12)
			continue;
		p += (*p >> 6) + 2;		/* package length, element count */
		if (p + 1 >= aml + dsdt->length)
			return false;
		*type = *p == 0x0a ? p[1] : *p;	/* BytePrefix, or ZeroOp and OneOp for themselves */
		return true;
	}
	return false;
}

static void enable_acpi(const struct sdt *fadt, u16 control)
{
	u16 smi = read32(fadt, FADT_SMI_CMD);
	u16 v;

	if (!smi)
		return;
	outb(smi, read32(fadt, FADT_ACPI_ENABLE));
	for (int i = 0; i < 100000; i++) {
		__asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(control));
		if (v & SCI_EN)
			return;
	}
}

void acpi_power_off(void)
{
	const struct sdt *fadt = find_fadt(), *dsdt;
	u16 type, a, b;

	if (!fadt)
		return;
	dsdt = map_table(read32(fadt, FADT_DSDT));
	a = read32(fadt, FADT_PM1A_CNT);
	b = read32(fadt, FADT_PM1B_CNT);
	if (!dsdt || !a || !find_s5(dsdt, &type))
		return;
	enable_acpi(fadt, a);
	outw(a, (type & 7) << 10 | SLP_EN);
	if (b)
		outw(b, (type & 7) << 10 | SLP_EN);
	for (int i = 0; i < 100000; i++)
		inb(0x80);
}
