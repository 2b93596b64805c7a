/* SPDX-License-Identifier: MIT */
/*
 * Domain 0 and the machine's devices: configuration space, registers, interrupts by a line, by MSI and by MSI-X. Two devices signal when
 * they are told to (file `options`): QEMU's edu, which has a line and MSI, and its e1000e, which has MSI-X.
 */
#include "pci.h"

#define EDU (5 << 3)
#define E1000E (6 << 3)
#define NOBODY (29 << 3)
#define MSI_BY_TYPE(type, devfn, entry, bar) map_pirq(MAP_PIRQ_TYPE_##type, -1, -1, devfn, entry, bar)

enum { PCI_COMMAND = 4, PCI_INTERRUPT_LINE = 0x3c };
enum { COMMAND_MEMORY = 2, COMMAND_MASTER = 4 };
enum { CAPABILITY_MSI = 5, CAPABILITY_MSIX = 0x11, CAPABILITY_CONTROL = 2 };
enum { MSI_ENABLE = 1, MSIX_ENABLE = 1 << 15, MSIX_MASK_ALL = 1 << 14 };
enum { EDU_ID = 0x10000ed, EDU_RAISE = 0x60 / 4, EDU_ACKNOWLEDGE = 0x64 / 4 };
enum { E1000E_CAUSES = 0xc0 / 4, E1000E_RAISE = 0xc8 / 4, E1000E_ENABLE = 0xd0 / 4, E1000E_VECTORS = 0xe4 / 4 };

static volatile uint32_t *edu, *e1000e;

static void edu_raise(void) { edu[EDU_RAISE] = 1; }
static void edu_acknowledge(void) { edu[EDU_ACKNOWLEDGE] = 1; }

/* Cause 24, "other", signals by the MSI-X entry that bits 18:16 of the vector register name, with bit 19. */
static void e1000e_raise(void)
{
	enum { OTHER = 1 << 24, LINK = 1 << 2 };

	e1000e[E1000E_VECTORS] = 8 << 16;
	e1000e[E1000E_CAUSES] = ~0U;
	e1000e[E1000E_ENABLE] = OTHER | LINK;
	e1000e[E1000E_RAISE] = OTHER | LINK;
}

/* Events on the port since the last call, after some time in which one may come: less than the 1 ms after which Xen does eoi itself. */
static unsigned int events(int64_t port)
{
	uint64_t until = system_time() + 200000;
	unsigned int n;

	mask_upcalls(false);
	while (system_time() < until)
		hypercall(sched_op, SCHEDOP_yield, 0);
	mask_upcalls(true);
	n = event_count[port & 4095];
	event_count[port & 4095] = 0;
	return n;
}

static struct evtchn_status status_of(uint32_t port)
{
	struct evtchn_status op = { .dom = DOMID_SELF, .port = port };

	hypercall(event_channel_op, EVTCHNOP_status, &op);
	return op;
}

static int64_t pci_op(uint32_t op, uint8_t devfn)
{
	struct { struct physdev_pci_device device; uint32_t zero[2]; } argument = { .device = { .devfn = devfn } };

	return hypercall(physdev_op, op, &argument);
}

/* --- configuration space and registers ---------------------------------------------------------------------------- */

static void configuration(void)
{
	uint32_t address;
	uint16_t word;
	uint8_t byte;

	check("PCI-1", pci_read(EDU, 0) == 0x11e81234 && pci_read(NOBODY, 0) == 0xffffffff, "a device and nobody");
	__asm__ volatile("inl %w1, %0" : "=a"(address) : "d"(0xcf8));
	check_eq("PCI-2", address, 1U << 31 | NOBODY << 8, "the address that was written");
	pci_read(EDU, 0);
	__asm__ volatile("inw %w1, %0" : "=a"(word) : "d"(0xcfe));
	__asm__ volatile("inb %w1, %0" : "=a"(byte) : "d"(0xcfd));
	check("PCI-3", word == 0x11e8 && byte == 0x12, "a part of a word");
}

static volatile uint32_t *registers(uint8_t devfn)
{
	void *page = page_alloc();

	pci_write(devfn, PCI_COMMAND, pci_read(devfn, PCI_COMMAND) | COMMAND_MEMORY | COMMAND_MASTER);
	if (map_device_page(page, pci_bar(devfn, 0)))
		bail("no registers of device %u", devfn >> 3);
	return page;
}

static void device_memory(void)
{
	uint64_t pte = pci_bar(EDU, 0) | PTE_DATA | PTE_PCD | PTE_PWT;
	volatile uint32_t *page = page_alloc();
	struct mmu_update update = { entry_maddr((void *)page, 1), pte };
	uint32_t done;

	check("MMIO-1", map_page((void *)page, pte) == 0 && *page == EDU_ID, "update_va_mapping");
	page = page_alloc();
	check("MMIO-2", hypercall(update_va_mapping_otherdomain, page, pte, UVMF_INVLPG, DOMID_IO) == 0 && *page == EDU_ID,
	      "update_va_mapping_otherdomain with DOMID_IO");
	page = page_alloc();
	update.ptr = entry_maddr((void *)page, 1);
	check("MMIO-3", hypercall(mmu_update, &update, 1, &done, DOMID_IO) == 0 && (mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0), *page == EDU_ID),
	      "mmu_update with DOMID_IO");
	check_eq("MMIO-4", map_device_page(page_alloc(), 0xfee00000), -EPERM, "the local APIC");
	page = page_alloc();
	check("MMIO-5", map_device_page((void *)page, 0xfec00000) < 0 || !(*entry_of((void *)page, 1) & PTE_RW),
	      "the I/O APIC is not to be written");
}

/* --- a line -------------------------------------------------------------------------------------------------------- */

static int64_t setup_gsi(int gsi)
{
	struct physdev_setup_gsi op = { .gsi = gsi, .triggering = 1, .polarity = 0 };

	return hypercall(physdev_op, PHYSDEVOP_setup_gsi, &op);
}

static void map_line(int gsi)
{
	struct physdev_map_pirq elsewhere = { .domid = 77, .type = MAP_PIRQ_TYPE_GSI, .index = gsi, .pirq = gsi };

	check("PIRQ-MAP-1", bind_pirq(gsi) == -EPERM && eoi_pirq(gsi) == -EINVAL && unmap_pirq(gsi) == -EINVAL, "a pirq that is not mapped");
	check("PIRQ-LINE-1", map_pirq(MAP_PIRQ_TYPE_GSI, gsi, gsi, 0, 0, 0) == gsi && map_pirq(MAP_PIRQ_TYPE_GSI, gsi, -1, 0, 0, 0) == gsi,
	      "a line is mapped, and is so");
	check_eq("PIRQ-LINE-2", map_pirq(MAP_PIRQ_TYPE_GSI, gsi, 20, 0, 0, 0), -EEXIST, "as another pirq");
	check("PIRQ-LINE-3",
	      map_pirq(MAP_PIRQ_TYPE_GSI, 200, -1, 0, 0, 0) == -EINVAL && map_pirq(MAP_PIRQ_TYPE_GSI, -3, -1, 0, 0, 0) == -EINVAL,
	      "lines that are not there");
	check_eq("PIRQ-MAP-2", map_pirq(MAP_PIRQ_TYPE_UNKNOWN, gsi, -1, 0, 0, 0), -EINVAL, "no type");
	check_eq("PIRQ-MAP-3", hypercall(physdev_op, PHYSDEVOP_map_pirq, &elsewhere), -ESRCH, "for no domain");
}

static void line(void)
{
	int gsi = pci_read(EDU, PCI_INTERRUPT_LINE) & 0xff;
	volatile uint64_t *page = page_alloc();
	struct physdev_pirq_eoi_gmfn gmfn = { .gmfn = mfn_of((void *)page) };
	unsigned int first, more, after, quiet;
	bool before;
	struct evtchn_status status;
	int64_t port;

	hypercall(physdev_op, PHYSDEVOP_pirq_eoi_gmfn_v2, &gmfn);
	map_line(gsi);
	before = page[0] >> gsi & 1;
	port = bind_pirq(gsi);
	status = status_of(port);
	check("EVTCHN-PIRQ-3", port > 0 && status.status == EVTCHNSTAT_pirq && status.u.pirq == (uint32_t)gsi, "a port of the pirq's");
	check_eq("EVTCHN-PIRQ-4", bind_pirq(gsi), -EEXIST, "bound again");
	check("PIRQ-EOI-1", !before && (page[0] >> gsi & 1), "the page says that a level-triggered line needs eoi");
	check("PIRQ-LINE-4", setup_gsi(gsi) == -EEXIST && setup_gsi(400) == -EINVAL, "setup_gsi of a line in use, and of none");
	check("PIRQ-LINE-5", setup_gsi(22) == 0 && setup_gsi(22) == -EEXIST, "setup_gsi, but once");

	edu_raise();
	first = events(port);
	more = events(port);
	eoi_pirq(gsi);
	after = events(port);
	edu_acknowledge();
	eoi_pirq(gsi);
	quiet = events(port);
	check_eq("PIRQ-LINE-6", first, 1, "an interrupt is an event");
	check_eq("PIRQ-LINE-7", more, 0, "no other before eoi");
	check_eq("PIRQ-LINE-8", after, 1, "one more after eoi of a line that is still raised");
	check_eq("PIRQ-LINE-9", quiet, 0, "none after the device is content");

	check_eq("EVTCHN-PIRQ-5", evtchn_close(port), 0, "the port closes");
	edu_raise();
	check_eq("PIRQ-LINE-10", events(port), 0, "no event without a port");
	edu_acknowledge();
	port = bind_pirq(gsi);
	edu_raise();
	check_eq("EVTCHN-PIRQ-6", events(port), 1, "bound anew");
	edu_acknowledge();
	eoi_pirq(gsi);
	check("PIRQ-MAP-4", unmap_pirq(gsi) == 0 && status_of(port).status == EVTCHNSTAT_pirq, "unmapped while bound: the port stays");
	edu_raise();
	check_eq("PIRQ-MAP-5", events(port), 0, "and gets no event");
	edu_acknowledge();
	check("PIRQ-MAP-6", evtchn_close(port) == 0 && unmap_pirq(gsi) == -EINVAL, "then it closes, and nothing is mapped");
}

/* --- MSI ----------------------------------------------------------------------------------------------------------- */

static void msi(void)
{
	uint8_t at = pci_find_capability(EDU, CAPABILITY_MSI);
	unsigned int first, second;
	int64_t pirq, port;

	check_eq("PIRQ-MSI-1", MSI_BY_TYPE(MSI, EDU, 0, 0), -ENODEV, "a device that nobody told of");
	check_eq("PIRQ-PCI-1", pci_op(PHYSDEVOP_pci_device_add, EDU), 0, "pci_device_add");
	check_eq("PIRQ-MSI-2", MSI_BY_TYPE(MSI, EDU, 0, pci_bar(EDU, 0)), -ENODEV, "MSI-X of a device without");
	check_eq("PIRQ-MSI-3", MSI_BY_TYPE(MULTI_MSI, EDU, 2, 0), -EOPNOTSUPP, "two messages");
	pirq = MSI_BY_TYPE(MSI, EDU, 0, 0);
	port = bind_pirq(pirq);
	check("PIRQ-MSI-4", pirq > 0 && port > 0, "mapped and bound: pirq %ld, port %ld", pirq, port);
	pci_write16(EDU, at + CAPABILITY_CONTROL, MSI_ENABLE);
	edu_raise();
	first = events(port);
	edu_acknowledge();
	eoi_pirq(pirq);
	edu_raise();
	second = events(port);
	edu_acknowledge();
	eoi_pirq(pirq);
	check("PIRQ-MSI-5", first == 1 && second == 1, "an event for each interrupt, with eoi between: %u, %u", first, second);
	check_eq("PIRQ-MSI-6", unmap_pirq(pirq), 0, "unmapped");
	check_eq("PIRQ-MSI-7", pci_read(EDU, at) >> 16 & MSI_ENABLE, 0, "and the device signals so no more");
	evtchn_close(port);
	check("PIRQ-PCI-2", pci_op(PHYSDEVOP_pci_device_remove, EDU) == 0 && pci_op(PHYSDEVOP_pci_device_remove, EDU) == -ENODEV &&
	      MSI_BY_TYPE(MSI, EDU, 0, 0) == -ENODEV, "pci_device_remove");
}

/* --- MSI-X --------------------------------------------------------------------------------------------------------- */

/* Is a page of device memory writable if it is mapped now? */
static bool maps_writable(uint64_t address)
{
	void *page = page_alloc();
	bool writable = map_device_page(page, address) == 0 && (*entry_of(page, 1) & PTE_RW);

	map_back(page);
	page_free(page);
	return writable;
}

static void prepared(uint64_t bar)
{
	bool before = maps_writable(bar), while_prepared, after;

	check("PIRQ-PCI-3", pci_op(PHYSDEVOP_prepare_msix, E1000E) == 0 && pci_op(PHYSDEVOP_prepare_msix, E1000E) == -EBUSY, "prepare_msix, but once");
	while_prepared = maps_writable(bar);
	check("PIRQ-PCI-4", pci_op(PHYSDEVOP_release_msix, E1000E) == 0 && pci_op(PHYSDEVOP_release_msix, E1000E) == -EBUSY, "release_msix, but once");
	after = maps_writable(bar);
	check("PIRQ-PCI-5", before && !while_prepared && after, "the table's page is read-only as long");
	check_eq("PIRQ-PCI-6", pci_op(PHYSDEVOP_prepare_msix, NOBODY), -ENODEV, "prepare_msix of nobody");
}

/* A function that is removed while it is prepared is not when it comes again. */
static void removed(uint64_t bar)
{
	int64_t again;

	pci_op(PHYSDEVOP_prepare_msix, E1000E);
	pci_op(PHYSDEVOP_pci_device_remove, E1000E);
	pci_op(PHYSDEVOP_pci_device_add, E1000E);
	again = pci_op(PHYSDEVOP_prepare_msix, E1000E);
	check("PIRQ-PCI-7", again == 0 && pci_op(PHYSDEVOP_release_msix, E1000E) == 0 && maps_writable(bar), "prepared, removed, added, prepared: %ld", again);
}

static void msix(void)
{
	uint8_t at = pci_find_capability(E1000E, CAPABILITY_MSIX);
	uint32_t where = pci_read(E1000E, at + 4);
	uint64_t bar = pci_bar(E1000E, where & 7), page_at = bar + (where & ~7U);
	volatile uint32_t *entry = page_alloc();
	uint16_t control = pci_read(E1000E, at) >> 16;
	unsigned int first, second, closed, later;
	bool masked, unmasked;
	int64_t pirq, port;

	check_eq("PIRQ-PCI-1", pci_op(PHYSDEVOP_pci_device_add, E1000E), 0, "pci_device_add");
	prepared(page_at);
	map_device_page((void *)entry, page_at);
	check_eq("PIRQ-MSIX-1", MSI_BY_TYPE(MSI, E1000E, 7, bar), -EINVAL, "an entry that the table does not have");
	pirq = MSI_BY_TYPE(MSI_SEG, E1000E, 0, bar);
	check("PIRQ-MSIX-2", !maps_writable(page_at), "the table's page is read-only while an entry is mapped");
	check_eq("PIRQ-MSIX-3", pci_op(PHYSDEVOP_prepare_msix, E1000E), -EBUSY, "prepare_msix meanwhile");
	masked = entry[3] & 1;
	port = bind_pirq(pirq);
	unmasked = !(entry[3] & 1);
	check("PIRQ-MSIX-4", pirq > 0 && port > 0 && masked && unmasked, "mapped and bound: pirq %ld, port %ld; masked before", pirq, port);
	pci_write16(E1000E, at + CAPABILITY_CONTROL, (control & ~MSIX_MASK_ALL) | MSIX_ENABLE);
	e1000e_raise();
	first = events(port);
	e1000e_raise();
	second = events(port);
	check("PIRQ-MSIX-5", first == 1 && second == 1, "an event for each interrupt, without eoi: %u, %u", first, second);
	evtchn_close(port);
	masked = entry[3] & 1;
	e1000e_raise();
	closed = events(port);
	port = bind_pirq(pirq);
	later = events(port);
	check("PIRQ-MSIX-6", masked && closed == 0, "masked without a port");
	check_eq("PIRQ-MSIX-7", later, 1, "what came meanwhile is told when it is bound anew");
	check("PIRQ-MSIX-8", unmap_pirq(pirq) == 0 && (entry[3] & 1) && maps_writable(page_at), "unmapped: masked, and its page is free");
	evtchn_close(port);
	removed(page_at);
}

/* --- numbers -------------------------------------------------------------------------------------------------------- */

static void numbers(void)
{
	struct physdev_get_free_pirq line = { .type = MAP_PIRQ_TYPE_GSI }, message = { .type = MAP_PIRQ_TYPE_MSI };
	struct physdev_apic version = { .apic_physbase = 0xfec00000, .reg = 1 }, nobody = { .reg = 1 };
	struct physdev_irq irq = { .irq = 9 };

	check("PIRQ-MAP-7", hypercall(physdev_op, PHYSDEVOP_get_free_pirq, &line) == 0 && line.pirq >= 16 && line.pirq < 24, "get_free_pirq for a line");
	check("PIRQ-MAP-8", hypercall(physdev_op, PHYSDEVOP_get_free_pirq, &message) == 0 && message.pirq >= 24, "get_free_pirq for a message");
	check("PIRQ-APIC-1", hypercall(physdev_op, PHYSDEVOP_apic_read, &version) == 0 && (version.value & 0xff00ff) == 0x170020, "an I/O APIC's version");
	check_eq("PIRQ-APIC-2", hypercall(physdev_op, PHYSDEVOP_apic_read, &nobody), -EINVAL, "no I/O APIC");
	check("PIRQ-APIC-3", hypercall(physdev_op, PHYSDEVOP_alloc_irq_vector, &irq) == 0 && irq.vector == 9, "alloc_irq_vector");
}

void test_main(void)
{
	struct physdev_set_iopl iopl = { .iopl = 1 };

	hypercall(physdev_op, PHYSDEVOP_set_iopl, &iopl);
	configuration();
	edu = registers(EDU);
	e1000e = registers(E1000E);
	device_memory();
	line();
	msi();
	msix();
	numbers();
}
