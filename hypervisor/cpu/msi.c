/* SPDX-License-Identifier: MIT */
/*
 * Message interrupts: a PCI function writes a word to an address, which the local APICs take for an interrupt. Address and data stand in the
 * function's MSI capability, or in entries of a table in its memory (MSI-X). Layouts: PCI Local Bus Specification 3.0, 6.8; the
 * message's: Intel's SDM, volume 3, 11.11.
 *
 * Invariants
 *   1. A table is in `tables` from the first claim of one of its entries to the last release. As long as it is there, domain 0 gets no new
 *      writable mapping of its pages (mm/frames.c), so what a function signals is what the hypervisor wrote.
 *   2. Where a function says its table is, is believed only if that is no memory and no interrupt controller; and only once, at the claim.
 *      Domain 0 may move the function's memory later, and then does harm to its own devices only.
 *   3. Whether a function signals by messages at all is domain 0's to say, in the capability's enable bit.
 */
#include <asm.h>
#include <frames.h>
#include <msi.h>
#include <pagetable.h>
#include <pci.h>
#include <pirq.h>
#include <pte.h>

enum { CAPABILITY_MSI = 0x05, CAPABILITY_MSIX = 0x11 };

enum { MSI_CONTROL = 2, MSI_ADDRESS = 4, MSI_ADDRESS_HIGH = 8, MSI_DATA_32 = 8, MSI_DATA_64 = 12, MSI_MASK_32 = 12, MSI_MASK_64 = 16 };
enum { MSI_ENABLE = 1, MSI_SEVERAL = 7 << 4, MSI_64 = 1 << 7, MSI_MASKABLE = 1 << 8 };

enum { MSIX_CONTROL = 2, MSIX_TABLE = 4, MSIX_PENDING = 8, MSIX_LAST_ENTRY = 0x7ff, MSIX_BAR = 7 };
enum { ENTRY_ADDRESS = 0, ENTRY_ADDRESS_HIGH = 4, ENTRY_DATA = 8, ENTRY_CONTROL = 12, ENTRY_SIZE = 16 };
#define ENTRY_MASKED 1

#define MESSAGE_ADDRESS 0xfee00000
#define MESSAGE_CPU_SHIFT 12

#define MAX_TABLES 64

static struct table {
	u16 function;
	bool prepared;		/* by msix_prepare(), which counts as a user */
	u32 users;		/* 0: not in use */
	u32 entries;
	maddr_t at;
	mfn_t first, last;	/* pages of the table, */
	mfn_t pending_first, pending_last;	/* and of the pending bits */
} tables[MAX_TABLES];

/* --- memory of devices ---------------------------------------------------------------------------------------------- */

/* One word, through a page that shows another frame each time. NULL: no memory for the page's tables, which can only be at first. */
static volatile u32 *device_word(maddr_t at)
{
	static char *page;

	if (!page)
		page = map_device(at & PAGE_MASK, PAGE_SIZE);
	if (!page || map_hv_page((u64)page, at & PAGE_MASK, HV_RW | HV_UNCACHED))
		return NULL;
	return (volatile u32 *)(page + at % PAGE_SIZE);
}

static void write_word(maddr_t at, u32 x)
{
	volatile u32 *word = device_word(at);

	if (word) {
		*word = x;
		(void)*word;	/* it has arrived when it can be read */
	}
}

static bool is_device_range(maddr_t from, u64 bytes)
{
	maddr_t last = from + bytes - 1;

	for (mfn_t mfn = from >> PAGE_SHIFT; mfn <= last >> PAGE_SHIFT; mfn++)
		if (!is_device(mfn) || device_refused(mfn))
			return false;
	return last >= from;
}

/* Address of a function's memory window; 0: it has none, or it is not set. */
static maddr_t bar_address(u16 function, unsigned n)
{
	enum { BAR_PORTS = 1, BAR_TYPE = 6, BAR_64 = 4, BAR_FLAGS = 15 };
	unsigned count = pci_read16(function, PCI_HEADER_TYPE) & 0x7f ? 2 : 6;
	u32 low;
	u64 high = 0;

	if (n >= count)
		return 0;
	low = pci_read32(function, PCI_BARS + 4 * n);
	if (low & BAR_PORTS)
		return 0;
	if ((low & BAR_TYPE) == BAR_64) {
		if (n + 1 >= count)
			return 0;
		high = pci_read32(function, PCI_BARS + 4 * (n + 1));
	}
	return high << 32 | (low & ~(u32)BAR_FLAGS);
}

/* --- MSI-X tables ---------------------------------------------------------------------------------------------------- */

bool msix_page(mfn_t mfn)
{
	bool found = false;

	spin_lock(&pirq_lock);
	for (int i = 0; i < MAX_TABLES && !found; i++)
		found = tables[i].users && ((mfn >= tables[i].first && mfn <= tables[i].last) ||
					    (mfn >= tables[i].pending_first && mfn <= tables[i].pending_last));
	spin_unlock(&pirq_lock);
	return found;
}

static struct table *find_table(u16 function)
{
	for (int i = 0; i < MAX_TABLES; i++)
		if (tables[i].users && tables[i].function == function)
			return &tables[i];
	return NULL;
}

/* The range that a word of the capability names: 0 or -ENXIO. */
static int locate(u16 function, u8 word_at, u64 bytes, maddr_t *at)
{
	u32 word = pci_read32(function, word_at);
	maddr_t bar = bar_address(function, word & MSIX_BAR);

	*at = bar + (word & ~(u32)MSIX_BAR);
	return bar && is_device_range(*at, bytes) ? 0 : -ENXIO;
}

static int table_init(struct table *t, u16 function, u8 capability)
{
	u64 bytes, pending_bytes;
	maddr_t pending;

	t->entries = (pci_read16(function, capability + MSIX_CONTROL) & MSIX_LAST_ENTRY) + 1;
	bytes = t->entries * ENTRY_SIZE;
	pending_bytes = ROUND_UP(t->entries, 64u) / 8;
	if (!(pci_read16(function, PCI_COMMAND) & PCI_COMMAND_MEMORY) ||
	    locate(function, capability + MSIX_TABLE, bytes, &t->at) ||
	    locate(function, capability + MSIX_PENDING, pending_bytes, &pending))
		return -ENXIO;
	if (!device_word(t->at))
		return -ENOMEM;
	t->function = function;
	t->prepared = false;
	t->first = t->at >> PAGE_SHIFT;
	t->last = (t->at + bytes - 1) >> PAGE_SHIFT;
	t->pending_first = pending >> PAGE_SHIFT;
	t->pending_last = (pending + pending_bytes - 1) >> PAGE_SHIFT;
	return 0;
}

/* The function's table, with one more user. */
static int table_get(u16 function, u8 capability, struct table **found)
{
	struct table *t = find_table(function);
	int error = 0;

	if (!t) {
		for (t = tables; t < tables + MAX_TABLES && t->users; t++)
			;
		if (t == tables + MAX_TABLES)
			return -ENOSPC;
		error = table_init(t, function, capability);
	}
	if (!error) {
		t->users++;
		*found = t;
	}
	return error;
}

int msix_prepare(u16 function)
{
	u8 capability = pci_exists(function) ? pci_capability(function, CAPABILITY_MSIX) : 0;
	struct table *t;
	int error;

	if (!capability)
		return -ENODEV;
	if (find_table(function))
		return -EBUSY;
	error = table_get(function, capability, &t);
	if (!error)
		t->prepared = true;
	return error;
}

int msix_unprepare(u16 function)
{
	struct table *t = find_table(function);

	if (!pci_exists(function) || !pci_capability(function, CAPABILITY_MSIX))
		return -ENODEV;
	if (!t || !t->prepared || t->users > 1)
		return -EBUSY;
	t->prepared = false;
	t->users--;
	return 0;
}

void msix_forget(u16 function)
{
	struct table *t = find_table(function);

	if (t && t->prepared) {
		t->prepared = false;
		t->users--;
	}
}

/* --- messages --------------------------------------------------------------------------------------------------------- */

static int claim_msix(struct message *m, u32 entry)
{
	struct table *t;
	int error;

	error = table_get(m->function, m->capability, &t);
	if (error)
		return error;
	if (entry >= t->entries) {
		t->users--;
		return -EINVAL;
	}
	m->entry = entry;
	m->at = t->at + entry * ENTRY_SIZE;
	return 0;
}

int msi_claim(struct message *m, u16 function, bool msix, u32 entry)
{
	u16 control;

	*m = (struct message){ .function = function, .msix = msix };
	if (pci_exists(function))
		m->capability = pci_capability(function, msix ? CAPABILITY_MSIX : CAPABILITY_MSI);
	if (!m->capability)
		return -ENODEV;
	if (msix)
		return claim_msix(m, entry);
	control = pci_read16(function, m->capability + MSI_CONTROL);
	if (control & MSI_MASKABLE)
		m->mask_at = m->capability + (control & MSI_64 ? MSI_MASK_64 : MSI_MASK_32);
	return 0;
}

void msi_release(const struct message *m)
{
	u8 at = m->capability + MSI_CONTROL;

	if (m->msix) {
		msi_mask(m, true);
		find_table(m->function)->users--;
	} else {
		pci_write16(m->function, at, pci_read16(m->function, at) & ~MSI_ENABLE);
	}
}

static void program_msi(const struct message *m, u32 address, u32 data)
{
	u8 c = m->capability;
	u16 control = pci_read16(m->function, c + MSI_CONTROL);

	pci_write16(m->function, c + MSI_CONTROL, control & ~MSI_SEVERAL);
	pci_write32(m->function, c + MSI_ADDRESS, address);
	if (control & MSI_64)
		pci_write32(m->function, c + MSI_ADDRESS_HIGH, 0);
	pci_write16(m->function, c + (control & MSI_64 ? MSI_DATA_64 : MSI_DATA_32), data);
}

/* A table's entry must not change while it is not masked. Fixed delivery to one CPU, edge-triggered. */
void msi_program(const struct message *m, int vector, u32 apic_id)
{
	u32 address = MESSAGE_ADDRESS | apic_id << MESSAGE_CPU_SHIFT;

	if (!m->msix) {
		program_msi(m, address, vector);
		return;
	}
	write_word(m->at + ENTRY_CONTROL, ENTRY_MASKED);
	write_word(m->at + ENTRY_ADDRESS, address);
	write_word(m->at + ENTRY_ADDRESS_HIGH, 0);
	write_word(m->at + ENTRY_DATA, vector);
}

void msi_mask(const struct message *m, bool masked)
{
	u32 word;

	if (m->msix) {
		write_word(m->at + ENTRY_CONTROL, masked ? ENTRY_MASKED : 0);
	} else if (m->mask_at) {
		word = pci_read32(m->function, m->mask_at);
		pci_write32(m->function, m->mask_at, masked ? word | 1 : word & ~1u);
	}
}
