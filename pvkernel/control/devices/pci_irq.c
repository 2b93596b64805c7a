/* SPDX-License-Identifier: MIT */
/*
 * Interrupts of PCI functions: the hypervisor maps a message or a line to a pirq of ours, and a pirq binds to an event channel.
 *
 *	lines	one for each GSI in use, with who shares it; a level-triggered line comes again only when it was acknowledged
 *	eoi_map	bit n: pirq n needs PHYSDEVOP_eoi after each event; a hypervisor without it gets one always
 */
#include <abi/errno.h>
#include <abi/physdev.h>
#include <abi/xen.h>

#include "../../include/hypercall.h"
#include "../../include/lib.h"
#include "../../include/mm.h"
#include "pci.h"

#define MAX_MESSAGES 64u

struct message {
	struct pci_device *d;
	evtchn_handler_t fn;
	void *arg;
	int pirq, port;
};

struct sharer {
	struct sharer *next;
	evtchn_handler_t fn;
	void *arg;
};

struct line {
	struct line *next;
	struct sharer *sharers;
	int gsi, pirq;
};

static struct message messages[MAX_MESSAGES];
static struct line *lines;
static const u64 *eoi_map;
static bool eoi_map_tried;

static void get_eoi_map(void)
{
	struct physdev_pirq_eoi_gmfn arg;
	u64 pfn;

	if (eoi_map_tried)
		return;
	eoi_map_tried = true;
	pfn = page_alloc();
	if (pfn == NO_PAGE)
		return;
	memset(pfn_to_virt(pfn), 0, PAGE_SIZE);
	arg.gmfn = pfn_to_mfn(pfn);
	if (HYPERVISOR_physdev_op(PHYSDEVOP_pirq_eoi_gmfn_v2, &arg))
		page_free(pfn);
	else
		eoi_map = pfn_to_virt(pfn);
}

static void acknowledge(int pirq)
{
	struct physdev_eoi eoi = { pirq };

	if (!eoi_map || READ_ONCE(eoi_map[pirq / 64]) >> pirq % 64 & 1)
		HYPERVISOR_physdev_op(PHYSDEVOP_eoi, &eoi);
}

static void unmap_pirq(int pirq)
{
	struct physdev_unmap_pirq unmap = { .domid = DOMID_SELF, .pirq = pirq };

	HYPERVISOR_physdev_op(PHYSDEVOP_unmap_pirq, &unmap);
}

/* --- messages --- */

static void message_came(void *arg)
{
	struct message *m = arg;

	m->fn(m->arg);
	acknowledge(m->pirq);
}

u32 pci_msix_entries(const struct pci_device *d)
{
	u8 cap = pci_capability(d, PCI_CAP_MSIX, 0);

	return cap ? (pci_read(d, cap + PCI_MSIX_CONTROL, 2) & 0x7ff) + 1 : 0;
}

static void msix_control(const struct pci_device *d, u16 clear, u16 set)
{
	u8 reg = pci_capability(d, PCI_CAP_MSIX, 0) + PCI_MSIX_CONTROL;

	pci_write(d, reg, 2, (pci_read(d, reg, 2) & ~clear) | set);
}

/* table_base is the start of the BAR that holds the table, not of the table. */
static int map_message(const struct pci_device *d, u32 entry)
{
	u8 cap = pci_capability(d, PCI_CAP_MSIX, 0);
	u32 bar = pci_read(d, cap + PCI_MSIX_TABLE, 4) & 7;
	struct physdev_map_pirq map = {
		.domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_MSI_SEG, .index = -1, .pirq = -1, .bus = d->bus, .devfn = d->devfn,
		.entry_nr = entry, .table_base = bar < PCI_BARS ? d->bars[bar].base : 0,
	};
	long err = HYPERVISOR_physdev_op(PHYSDEVOP_map_pirq, &map);

	return err ? err : map.pirq;
}

static struct message *free_message(void)
{
	for (u32 i = 0; i < MAX_MESSAGES; i++) {
		if (!messages[i].d)
			return &messages[i];
	}
	return NULL;
}

int pci_msix_bind(struct pci_device *d, u32 entry, evtchn_handler_t fn, void *arg)
{
	struct message *m = free_message();
	int pirq, port;

	if (!m)
		return -ENOSPC;
	if (entry >= pci_msix_entries(d))
		return -ENODEV;
	get_eoi_map();
	msix_control(d, 0, PCI_MSIX_ENABLE | PCI_MSIX_MASK_ALL);
	pirq = map_message(d, entry);
	if (pirq < 0)
		return pirq;
	*m = (struct message){ .d = d, .fn = fn, .arg = arg, .pirq = pirq };
	port = evtchn_bind_pirq(pirq, false, message_came, m);
	if (port < 0) {
		m->d = NULL;
		unmap_pirq(pirq);
		return port;
	}
	m->port = port;
	return 0;
}

void pci_msix_enable(struct pci_device *d)
{
	pci_command(d, 0, PCI_COMMAND_NO_INTX);
	msix_control(d, PCI_MSIX_MASK_ALL, PCI_MSIX_ENABLE);
	d->interrupts = "MSI-X";
}

void pci_msix_undo(struct pci_device *d)
{
	for (u32 i = 0; i < MAX_MESSAGES; i++) {
		struct message *m = &messages[i];

		if (m->d != d)
			continue;
		evtchn_close(m->port);
		unmap_pirq(m->pirq);
		m->d = NULL;
	}
	if (pci_msix_entries(d))
		msix_control(d, PCI_MSIX_ENABLE | PCI_MSIX_MASK_ALL, 0);
}

/* --- lines --- */

static void line_came(void *arg)
{
	struct line *l = arg;

	for (struct sharer *s = l->sharers; s; s = s->next)
		s->fn(s->arg);
	acknowledge(l->pirq);
}

/* QEMU's machines bring these lines to the I/O APIC high when asserted; the firmware's tables, which win, say the same. */
static int map_line(int gsi)
{
	struct physdev_setup_gsi setup = { .gsi = gsi, .triggering = 1, .polarity = 0 };
	struct physdev_map_pirq map = { .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_GSI, .index = gsi, .pirq = gsi };
	long err;

	HYPERVISOR_physdev_op(PHYSDEVOP_setup_gsi, &setup);
	err = HYPERVISOR_physdev_op(PHYSDEVOP_map_pirq, &map);
	return err ? err : map.pirq;
}

static int new_line(int gsi, struct sharer *first)
{
	struct line *l = kmalloc(sizeof(*l));
	int port;

	if (!l)
		return -ENOMEM;
	*l = (struct line){ .next = lines, .sharers = first, .gsi = gsi, .pirq = map_line(gsi) };
	port = l->pirq < 0 ? l->pirq : evtchn_bind_pirq(l->pirq, true, line_came, l);
	if (port < 0) {
		if (l->pirq >= 0)
			unmap_pirq(l->pirq);
		kfree(l);
		return port;
	}
	lines = l;
	return 0;
}

int pci_line_bind(struct pci_device *d, evtchn_handler_t fn, void *arg)
{
	struct sharer *s = kmalloc(sizeof(*s));
	struct line *l = lines;
	int err = 0;

	if (!s)
		return -ENOMEM;
	*s = (struct sharer){ .fn = fn, .arg = arg };
	get_eoi_map();
	while (l && l->gsi != d->interrupt_line)
		l = l->next;
	if (l) {
		s->next = l->sharers;
		WRITE_ONCE(l->sharers, s);
	} else {
		err = d->interrupt_pin && d->interrupt_line < 255 ? new_line(d->interrupt_line, s) : -ENODEV;
	}
	if (err) {
		kfree(s);
		return err;
	}
	pci_command(d, PCI_COMMAND_NO_INTX, 0);
	d->interrupts = "INTx";
	return 0;
}
