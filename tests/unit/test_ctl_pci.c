/* SPDX-License-Identifier: MIT */
/*
 * pvkernel/control/devices/pci.c against configuration space that is an array: a bus with a bridge, BARs of each kind, lists of
 * capabilities, those that never end among them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* In place of the kernel's headers. */
#define PVK_LIB_H
#define PVK_HYPERCALL_H
#define PVK_MM_H
#define PVK_SHELL_H
#define COMMAND(cmd, function, text) static __attribute__((used)) int (*const keep_##cmd)(int, char **) = function
#include "../../pvkernel/include/types.h"

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096ul
#define PROT_DEVICE 0

/* Devices are for ever: of a test, until the next begins. */
static char memory[16384] __attribute__((aligned(16)));
static size_t allocated;

static void *kmalloc(size_t size)
{
	void *p = memory + allocated;

	allocated += (size + 15) & ~15ul;
	assert_true(allocated <= sizeof(memory));
	return memset(p, 0, size);
}

static u32 told;	/* functions that the hypervisor knows */

static long HYPERVISOR_physdev_op(u64 command, void *arg)
{
	assert_int_equal(command, 25);
	told++;
	return 0;
}

static u64 mapped_first, mapped_count;

static void *vmap_foreign(u16 owner, const u64 *mfns, u64 count, u64 prot)
{
	mapped_first = mfns[0];
	mapped_count = count;
	return (void *)0x1000;
}

#include "../../pvkernel/control/devices/pci.c"

/* Registers, and which of their bits can be set; functions that are not there read as ones. */
static struct function {
	u8 bus, devfn, reg[256], writable[256];
	bool decoding_at_sizing;
} functions[8];
static u32 nr_functions;

static struct function *find(u8 bus, u8 devfn)
{
	for (u32 i = 0; i < nr_functions; i++) {
		if (functions[i].bus == bus && functions[i].devfn == devfn)
			return &functions[i];
	}
	return NULL;
}

u32 pci_config_read(u8 bus, u8 devfn, u8 reg, u32 bytes)
{
	struct function *f = find(bus, devfn);
	u32 value = 0;

	assert_int_equal(reg % bytes, 0);
	if (!f)
		return ~0u >> (32 - 8 * bytes);
	memcpy(&value, f->reg + reg, bytes);
	return value;
}

void pci_config_write(u8 bus, u8 devfn, u8 reg, u32 bytes, u32 value)
{
	struct function *f = find(bus, devfn);

	if (reg >= PCI_BAR0 && value == ~0u && f->reg[PCI_COMMAND] & 3)
		f->decoding_at_sizing = true;
	for (u32 i = 0; i < bytes; i++)
		f->reg[reg + i] = (f->reg[reg + i] & ~f->writable[reg + i]) | (value >> 8 * i & f->writable[reg + i]);
}

static struct function *add_function(u8 bus, u8 slot, u8 fn, u16 vendor, u16 device)
{
	struct function *f = &functions[nr_functions++];

	memset(f, 0, sizeof(*f));
	f->bus = bus;
	f->devfn = slot << 3 | fn;
	memcpy(f->reg, &vendor, 2);
	memcpy(f->reg + PCI_DEVICE, &device, 2);
	f->reg[PCI_COMMAND] = 7;
	f->writable[PCI_COMMAND] = 7;
	return f;
}

static void set_bar(struct function *f, u32 n, u32 value, u32 writable)
{
	memcpy(f->reg + PCI_BAR0 + 4 * n, &value, 4);
	memcpy(f->writable + PCI_BAR0 + 4 * n, &writable, 4);
}

static int start(void **state)
{
	list_init(&devices);
	nr_functions = told = 0;
	allocated = 0;
	return 0;
}

static u32 count(void)
{
	u32 n = 0;

	for (struct pci_device *d = pci_next(NULL); d; d = pci_next(d))
		n++;
	return n;
}

static void test_nothing(void **state)
{
	pci_scan();
	assert_int_equal(count(), 0);
}

/* Function 1 counts only where function 0 says so. */
static void test_functions(void **state)
{
	add_function(0, 1, 0, 0x8086, 1)->reg[PCI_HEADER] = 0x80;
	add_function(0, 1, 3, 0x8086, 2);
	add_function(0, 2, 0, 0x8086, 3);
	add_function(0, 2, 1, 0x8086, 4);
	pci_scan();
	assert_int_equal(count(), 3);
	assert_int_equal(told, 3);
}

static struct function *add_bridge(u8 bus, u8 slot, u8 secondary)
{
	struct function *f = add_function(bus, slot, 0, 0x1b36, 0xc);

	f->reg[PCI_HEADER] = 1;
	f->reg[PCI_SECONDARY_BUS] = secondary;
	return f;
}

static void test_bridges(void **state)
{
	add_bridge(0, 1, 1);
	add_bridge(1, 0, 5);
	add_function(5, 31, 0, 0x1af4, 0x1042);
	add_bridge(5, 0, 0);		/* back to the first bus: not followed */
	add_bridge(5, 1, 5);		/* to itself */
	pci_scan();
	assert_int_equal(count(), 5);
}

static void test_bars(void **state)
{
	struct function *f = add_function(0, 3, 0, 0x1af4, 0x1042);
	struct pci_device *d;

	set_bar(f, 0, 0xc001, 0xffe0);			/* ports, 32 */
	set_bar(f, 1, 0xfebf1000, 0xfffff000);		/* memory, a page */
	set_bar(f, 3, 0x8000000c, 0xffffc000);		/* 64 bits, above 4 GiB */
	set_bar(f, 4, 0x3f, 0xffffffff);
	pci_scan();
	d = pci_next(NULL);
	assert_true(d->bars[0].io && d->bars[0].base == 0xc000 && d->bars[0].size == 32);
	assert_true(!d->bars[1].io && d->bars[1].base == 0xfebf1000 && d->bars[1].size == 4096);
	assert_int_equal(d->bars[2].size, 0);
	assert_true(d->bars[3].base == 0x3f80000000 && d->bars[3].size == 0x4000);
	assert_int_equal(d->bars[4].size, 0);		/* the upper half of 3 */
	assert_false(f->decoding_at_sizing);
	assert_int_equal(f->reg[PCI_COMMAND], 7);
	assert_int_equal(pci_config_read(0, f->devfn, PCI_BAR0 + 4, 4), 0xfebf1000);
}

static void test_map(void **state)
{
	struct function *f = add_function(0, 3, 0, 0x1af4, 0x1042);
	struct pci_device *d;

	set_bar(f, 0, 0xc001, 0xffe0);
	set_bar(f, 1, 0xfebf0000, 0xffffc000);
	pci_scan();
	d = pci_next(NULL);
	assert_ptr_equal(pci_map(d, 1, 0x1ff8, 0x10), (void *)0x1ff8);
	assert_true(mapped_first == 0xfebf1 && mapped_count == 2);
	assert_null(pci_map(d, 1, 0x3fff, 2));
	assert_null(pci_map(d, 1, ~0ul, 2));
	assert_null(pci_map(d, 1, 0, 0x4001));
	assert_null(pci_map(d, 1, 0, 0));
	assert_null(pci_map(d, 0, 0, 4));
	assert_null(pci_map(d, 2, 0, 4));
	assert_null(pci_map(d, PCI_BARS, 0, 4));
}

static void capability(struct function *f, u8 at, u8 id, u8 next)
{
	f->reg[at] = id;
	f->reg[at + 1] = next;
}

static void test_capabilities(void **state)
{
	struct function *f = add_function(0, 3, 0, 0x1af4, 0x1042);
	struct pci_device *d;

	capability(f, 0x40, PCI_CAP_VENDOR, 0x50);
	capability(f, 0x50, PCI_CAP_MSIX, 0x60);
	capability(f, 0x60, PCI_CAP_VENDOR, 0);
	f->reg[PCI_CAPABILITIES] = 0x40;
	pci_scan();
	d = pci_next(NULL);
	assert_int_equal(pci_capability(d, PCI_CAP_MSIX, 0), 0);	/* status says there is no list */
	f->reg[PCI_STATUS] = PCI_STATUS_CAPABILITIES;
	assert_int_equal(pci_capability(d, PCI_CAP_MSIX, 0), 0x50);
	assert_int_equal(pci_capability(d, PCI_CAP_VENDOR, 0), 0x40);
	assert_int_equal(pci_capability(d, PCI_CAP_VENDOR, 0x40), 0x60);
	assert_int_equal(pci_capability(d, PCI_CAP_VENDOR, 0x60), 0);
	capability(f, 0x60, PCI_CAP_VENDOR, 0x40);			/* a circle */
	assert_int_equal(pci_capability(d, PCI_CAP_MSI, 0), 0);
	capability(f, 0x60, PCI_CAP_VENDOR, 0x10);			/* into the header */
	assert_int_equal(pci_capability(d, PCI_CAP_MSI, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_nothing, start), cmocka_unit_test_setup(test_functions, start),
		cmocka_unit_test_setup(test_bridges, start), cmocka_unit_test_setup(test_bars, start),
		cmocka_unit_test_setup(test_map, start), cmocka_unit_test_setup(test_capabilities, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
