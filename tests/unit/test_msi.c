/* SPDX-License-Identifier: MIT */
/*
 * Message interrupts on the host: one PCI function whose configuration space is an array, and memory of which some is a device's. What the
 * hypervisor writes must lie in memory of a device, whatever the function says of itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <layout.h>
#include <string.h>
#include <types.h>

/* --- in place of headers ------------------------------------------------------------------------------------------ */

#define PARAVANE_SPINLOCK_H
struct spinlock {
	bool held;
};
static inline void spin_lock(struct spinlock *l) { assert_false(l->held); l->held = true; }
static inline void spin_unlock(struct spinlock *l) { l->held = false; }

/* Frames below this are memory, the next ones a device's, up to what the machine can address; one is an interrupt controller's. */
#define PARAVANE_FRAMES_H
#define PARAVANE_PTE_H
enum { RAM_END = 0x40000, CONTROLLER = 0xfee00, MACHINE_END = 1 << 28 };
static bool is_device(mfn_t mfn) { return mfn >= RAM_END; }
static bool device_refused(mfn_t mfn) { return mfn >= MACHINE_END || mfn == CONTROLLER; }

#include "../../hypervisor/cpu/msi.c"

#define FUNCTION 0x28
#define CAPABILITY 0x60

struct spinlock pirq_lock;
static u8 config[256];
static u32 device[2][PAGE_SIZE / 4];	/* what was written to the device's frames, by the frame's lowest bit */
static u32 shown[PAGE_SIZE / 4];
static mfn_t showing = INVALID_MFN;
static u64 words_written;

u32 pci_read32(u16 function, u8 at) { return *(u32 *)&config[at & ~3]; }
u16 pci_read16(u16 function, u8 at) { return *(u16 *)&config[at & ~1]; }
void pci_write32(u16 function, u8 at, u32 x) { *(u32 *)&config[at & ~3] = x; }
void pci_write16(u16 function, u8 at, u16 x) { *(u16 *)&config[at & ~1] = x; }
bool pci_exists(u16 function) { return function == FUNCTION; }
u8 pci_capability(u16 function, u8 id) { return config[CAPABILITY] == id ? CAPABILITY : 0; }

/* The one page through which device memory is seen; what was shown before goes back to its frame. */
static void show(maddr_t m)
{
	assert_true(is_device(m >> PAGE_SHIFT) && !device_refused(m >> PAGE_SHIFT));
	if (showing != INVALID_MFN)
		memcpy(device[showing & 1], shown, PAGE_SIZE);
	showing = m >> PAGE_SHIFT;
	memcpy(shown, device[showing & 1], PAGE_SIZE);
	words_written++;
}

void *map_device(maddr_t m, size_t bytes) { return shown; }

int map_hv_page(u64 va, maddr_t m, u64 flags)
{
	assert_ptr_equal((void *)va, shown);
	show(m);
	return 0;
}

static u32 device_at(maddr_t m)
{
	show(m);
	return shown[m % PAGE_SIZE / 4];
}

/* --- the function --------------------------------------------------------------------------------------------------------- */

static void put16(u8 at, u16 x) { *(u16 *)&config[at] = x; }
static void put32(u8 at, u32 x) { *(u32 *)&config[at] = x; }

static void be_msix(u32 entries, u64 bar, u32 table, u32 pending)
{
	memset(config, 0, sizeof(config));
	put16(PCI_COMMAND, PCI_COMMAND_MEMORY);
	put32(PCI_BARS + 8, (u32)bar | 4);
	put32(PCI_BARS + 12, bar >> 32);
	config[CAPABILITY] = CAPABILITY_MSIX;
	put16(CAPABILITY + MSIX_CONTROL, entries - 1);
	put32(CAPABILITY + MSIX_TABLE, table | 2);
	put32(CAPABILITY + MSIX_PENDING, pending | 2);
}

static void an_entry(void **state)
{
	const maddr_t bar = 0xfeb00000, entry = bar + 0xff0 + 2 * 16;
	struct message m, other;

	be_msix(4, bar, 0xff0, 0x2000);	/* the table lies in two pages */
	assert_int_equal(msi_claim(&m, FUNCTION, true, 2), 0);
	msi_program(&m, 0x55, 3);
	assert_int_equal(device_at(entry), 0xfee03000);
	assert_int_equal(device_at(entry + 4), 0);
	assert_int_equal(device_at(entry + 8), 0x55);
	assert_int_equal(device_at(entry + 12), 1);
	msi_mask(&m, false);
	assert_int_equal(device_at(entry + 12), 0);
	assert_true(msix_page(0xfeb00) && msix_page(0xfeb01) && msix_page(0xfeb02) && !msix_page(0xfeb03));
	assert_int_equal(msi_claim(&other, FUNCTION, true, 4), -EINVAL);
	assert_int_equal(msi_claim(&other, FUNCTION, true, 0), 0);
	assert_int_equal(msix_prepare(FUNCTION), -EBUSY);
	msi_release(&other);
	assert_true(msix_page(0xfeb00));
	msi_release(&m);
	assert_int_equal(device_at(entry + 12), 1);
	assert_false(msix_page(0xfeb00) || msix_page(0xfeb01) || msix_page(0xfeb02));
}

static void prepared(void **state)
{
	be_msix(4, 0xfeb00000, 0, 0x800);
	assert_int_equal(msix_unprepare(FUNCTION), -EBUSY);
	assert_int_equal(msix_prepare(FUNCTION), 0);
	assert_int_equal(msix_prepare(FUNCTION), -EBUSY);
	assert_true(msix_page(0xfeb00));
	assert_int_equal(msix_unprepare(FUNCTION), 0);
	assert_false(msix_page(0xfeb00));
	assert_int_equal(msix_prepare(FUNCTION + 1), -ENODEV);
}

/* A function that went takes its preparation along; where its successor's table is, is looked up anew. */
static void forgotten(void **state)
{
	struct message m;

	be_msix(4, 0xfeb00000, 0, 0x800);
	assert_int_equal(msix_prepare(FUNCTION), 0);
	msix_forget(FUNCTION);
	msix_forget(FUNCTION);
	assert_false(msix_page(0xfeb00));
	be_msix(4, 0xfeb10000, 0, 0x800);
	assert_int_equal(msix_prepare(FUNCTION), 0);
	assert_true(msix_page(0xfeb10) && !msix_page(0xfeb00));
	msix_forget(FUNCTION);
	assert_int_equal(msi_claim(&m, FUNCTION, true, 0), 0);
	msix_forget(FUNCTION);
	assert_true(msix_page(0xfeb10));
	msi_release(&m);
	assert_false(msix_page(0xfeb10));
}

/* A table in memory, at an interrupt controller, where no address reaches, around the end of all addresses, in ports, in no window. */
static void nonsense(void **state)
{
	static const struct { u64 bar; u32 table, pending; } wrong[] = {
		{ 0x1000000, 0, 0x1000 }, { 0x3ffff000, 0xff0, 0x2000 }, { 0xfee00000, 0, 0x1000 }, { 0xfedff000, 0xff0, 0 },
		{ 0xfeb00000, 0, 0x300000 }, { 0x10000000000, 0, 0x1000 }, { 0xfffffffffffff000, 0xff8, 0 }, { 0, 0, 0 },
		{ 0xfffffffffffffff0, 0x8, 0xfffffff8 },
	};
	struct message m;

	words_written = 0;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		be_msix(4, wrong[i].bar, wrong[i].table, wrong[i].pending);
		assert_int_equal(msi_claim(&m, FUNCTION, true, 1), -ENXIO);
		assert_int_equal(msix_prepare(FUNCTION), -ENXIO);
	}
	be_msix(4, 0xfeb00000, 0, 0x1000);
	put16(PCI_COMMAND, 0);
	assert_int_equal(msi_claim(&m, FUNCTION, true, 1), -ENXIO);
	put16(PCI_COMMAND, PCI_COMMAND_MEMORY);
	put32(PCI_BARS + 8, 0xc001);
	assert_int_equal(msi_claim(&m, FUNCTION, true, 1), -ENXIO);
	for (u32 bar = 0; bar < 8; bar++) {
		be_msix(4, 0, bar, bar);
		put32(CAPABILITY + MSIX_TABLE, bar);
		assert_int_equal(msi_claim(&m, FUNCTION, true, 1), -ENXIO);
	}
	assert_int_equal(words_written, 0);
	for (int i = 0; i < MAX_TABLES; i++)
		assert_int_equal(tables[i].users, 0);
}

static void by_capability(void **state)
{
	struct message m;

	memset(config, 0, sizeof(config));
	assert_int_equal(msi_claim(&m, FUNCTION, false, 0), -ENODEV);
	config[CAPABILITY] = CAPABILITY_MSI;
	put16(CAPABILITY + MSI_CONTROL, MSI_64 | MSI_MASKABLE | 3 << 4 | MSI_ENABLE);
	assert_int_equal(msi_claim(&m, FUNCTION, false, 0), 0);
	msi_mask(&m, true);
	msi_program(&m, 0x42, 1);
	assert_int_equal(pci_read32(FUNCTION, CAPABILITY + 4), 0xfee01000);
	assert_int_equal(pci_read32(FUNCTION, CAPABILITY + 8), 0);
	assert_int_equal(pci_read16(FUNCTION, CAPABILITY + 12), 0x42);
	assert_int_equal(pci_read32(FUNCTION, CAPABILITY + 16), 1);
	assert_int_equal(pci_read16(FUNCTION, CAPABILITY + 2), MSI_64 | MSI_MASKABLE | MSI_ENABLE);
	msi_mask(&m, false);
	assert_int_equal(pci_read32(FUNCTION, CAPABILITY + 16), 0);
	msi_release(&m);
	assert_int_equal(pci_read16(FUNCTION, CAPABILITY + 2), MSI_64 | MSI_MASKABLE);
	put16(CAPABILITY + MSI_CONTROL, 0);
	assert_int_equal(msi_claim(&m, FUNCTION, false, 0), 0);
	put32(CAPABILITY + 12, 0);
	msi_program(&m, 0x43, 2);
	assert_int_equal(pci_read16(FUNCTION, CAPABILITY + 8), 0x43);
	msi_mask(&m, true);
	assert_int_equal(pci_read32(FUNCTION, CAPABILITY + 12), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_entry),
		cmocka_unit_test(prepared), cmocka_unit_test(forgotten),
		cmocka_unit_test(nonsense),
		cmocka_unit_test(by_capability),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
