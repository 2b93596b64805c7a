/* SPDX-License-Identifier: MIT */
/*
 * A virtio device's registers: vendor capabilities name a range of a BAR for each kind. Everything the device says of itself (ranges,
 * queue sizes, offsets) is checked before use; its configuration is read twice around a change of its generation.
 *
 * Each queue has an MSI-X entry of its own, n + 1 for queue n (0 is for changes of the configuration, which nobody asks for). A device
 * or a hypervisor that has none gives the line, and the interrupt status register tells whether it was this device.
 */
#include "../../include/cmdline.h"
#include "../../include/lib.h"
#include "../../include/mm.h"
#include "../../include/shell.h"
#include "../../include/time.h"
#include "virtio.h"

enum { CFG_COMMON = 1, CFG_NOTIFY, CFG_ISR, CFG_DEVICE };
enum { STATUS_ACKNOWLEDGE = 1, STATUS_DRIVER = 2, STATUS_DRIVER_OK = 4, STATUS_FEATURES_OK = 8, STATUS_FAILED = 0x80 };

#define NO_VECTOR 0xffff
#define RESET_PATIENCE (NSEC_PER_SEC)

struct virtio_common {
	u32 device_feature_select, device_feature;
	u32 driver_feature_select, driver_feature;
	u16 config_vector, num_queues;
	u8 status, config_generation;
	u16 queue_select, queue_size, queue_vector, queue_enable, queue_notify_off;
	u32 queue_desc[2], queue_driver[2], queue_device[2];
};

_Static_assert(sizeof(struct virtio_common) == 56, "virtio 1.1, 4.1.4.3");

static struct virtio_device *working;

static bool fail(const struct virtio_device *v, const char *why)
{
	printf("virtio %02x:%02x.%u: %s\n", v->pci->bus, v->pci->devfn >> 3, v->pci->devfn & 7, why);
	return false;
}

u64 dma_address(const void *va)
{
	u64 a = (u64)va;
	u64 *pte;

	if (a >= VIRT_BASE || (a >= DIRECT_BASE && a < DIRECT_END))
		return pfn_to_mfn(virt_to_pfn(va)) << PAGE_SHIFT | (a & (PAGE_SIZE - 1));
	pte = pt_lookup(a);
	if (!pte || !(*pte & PTE_PRESENT))
		panic("%p is not memory that a device can be given", va);
	return (*pte & PTE_ADDR_MASK) | (a & (PAGE_SIZE - 1));
}

/* The registers of a kind: at least `least` bytes of them; *length gets how many. */
static volatile void *map_registers(const struct pci_device *pci, u8 kind, u32 least, u32 *length, u8 *capability)
{
	for (u8 cap = pci_capability(pci, PCI_CAP_VENDOR, 0); cap; cap = pci_capability(pci, PCI_CAP_VENDOR, cap)) {
		if (pci_read(pci, cap + 3, 1) != kind)
			continue;
		*length = MIN(pci_read(pci, cap + 12, 4), 16384u);
		*capability = cap;
		return *length < least ? NULL : pci_map(pci, pci_read(pci, cap + 4, 1), pci_read(pci, cap + 8, 4), *length);
	}
	return NULL;
}

static bool reset(struct virtio_device *v)
{
	u64 end = now() + RESET_PATIENCE;

	v->common->status = 0;
	while (v->common->status) {
		if (now() > end)
			return fail(v, "does not reset");
	}
	v->common->status = STATUS_ACKNOWLEDGE;
	v->common->status = STATUS_ACKNOWLEDGE | STATUS_DRIVER;
	return true;
}

bool virtio_open(struct virtio_device *v, struct pci_device *pci)
{
	u32 length;
	u8 cap = 0;

	v->pci = pci;
	pci_command(pci, 0, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	v->common = map_registers(pci, CFG_COMMON, sizeof(*v->common), &length, &cap);
	v->isr = map_registers(pci, CFG_ISR, 1, &length, &cap);
	v->config = map_registers(pci, CFG_DEVICE, 1, &v->config_length, &cap);
	v->doorbells = map_registers(pci, CFG_NOTIFY, 2, &v->doorbells_length, &cap);
	if (!v->common || !v->isr || !v->config || !v->doorbells)
		return fail(v, "expected registers of version 1 within its memory");
	v->doorbell_step = pci_read(pci, cap + 16, 4);
	return reset(v);
}

u64 virtio_offered(const struct virtio_device *v)
{
	u64 offered;

	v->common->device_feature_select = 0;
	offered = v->common->device_feature;
	v->common->device_feature_select = 1;
	return offered | (u64)v->common->device_feature << 32;
}

bool virtio_agree(struct virtio_device *v, u64 wanted)
{
	u64 offered = virtio_offered(v);

	if (!(offered & VIRTIO_F(VIRTIO_F_VERSION_1)))
		return fail(v, "is not of version 1");
	wanted |= VIRTIO_F(VIRTIO_F_VERSION_1) | VIRTIO_F(VIRTIO_F_RING_INDIRECT_DESC) | VIRTIO_F(VIRTIO_F_RING_EVENT_IDX);
	v->features = offered & wanted;
	v->common->driver_feature_select = 0;
	v->common->driver_feature = v->features;
	v->common->driver_feature_select = 1;
	v->common->driver_feature = v->features >> 32;
	v->common->status |= STATUS_FEATURES_OK;
	return v->common->status & STATUS_FEATURES_OK || fail(v, "does not agree to its own features");
}

/* --- queues --- */

static void *zeroed_page(void)
{
	u64 pfn = page_alloc();

	return pfn == NO_PAGE ? NULL : memset(pfn_to_virt(pfn), 0, PAGE_SIZE);
}

static void set_address(volatile u32 *reg, const void *va)
{
	u64 maddr = dma_address(va);

	reg[0] = maddr;
	reg[1] = maddr >> 32;
}

static bool start_queue(struct virtio_device *v, struct virtio_queue *q, u16 index)
{
	volatile struct virtio_common *c = v->common;
	void *desc = zeroed_page(), *avail = zeroed_page(), *used = zeroed_page();
	u64 doorbell;

	if (!desc || !avail || !used)
		return fail(v, "no memory for a queue");
	c->queue_select = index;
	doorbell = (u64)c->queue_notify_off * v->doorbell_step;
	if (!c->queue_size || doorbell + 2 > v->doorbells_length)
		return fail(v, "a queue that it has to have is not there");
	vq_init(&q->ring, c->queue_size, desc, avail, used, v->features & VIRTIO_F(VIRTIO_F_RING_INDIRECT_DESC),
		v->features & VIRTIO_F(VIRTIO_F_RING_EVENT_IDX));
	q->index = index;
	q->device = v;
	q->doorbell = (volatile u16 *)(v->doorbells + doorbell);
	c->queue_size = q->ring.size;
	set_address(c->queue_desc, desc);
	set_address(c->queue_driver, avail);
	set_address(c->queue_device, used);
	return true;
}

static void message_came(void *arg)
{
	struct virtio_queue *q = arg;

	q->device->interrupts++;
	q->came(q->arg);
}

/* Reading the status register takes the line back. */
static void line_came(void *arg)
{
	struct virtio_device *v = arg;

	if (!(*v->isr & 1))
		return;
	v->interrupts++;
	for (u32 i = 0; i < v->nr_queues; i++)
		v->queues[i].came(v->queues[i].arg);
}

static bool bind_messages(struct virtio_device *v)
{
	char word[16];

	if (pci_msix_entries(v->pci) < v->nr_queues + 1 ||
	    (cmdline_get(boot.cmdline, "interrupts", word, sizeof(word)) && !strcmp(word, "intx")))
		return false;
	for (u32 i = 0; i < v->nr_queues; i++) {
		int err = pci_msix_bind(v->pci, i + 1, message_came, &v->queues[i]);

		if (err) {
			printf("virtio %02x:%02x.%u: no MSI-X: error %d\n", v->pci->bus, v->pci->devfn >> 3, v->pci->devfn & 7, err);
			return false;
		}
	}
	return true;
}

static bool set_vectors(struct virtio_device *v)
{
	v->common->config_vector = NO_VECTOR;
	for (u32 i = 0; i < v->nr_queues; i++) {
		v->common->queue_select = i;
		v->common->queue_vector = i + 1;
		if (v->common->queue_vector != i + 1)
			return false;
	}
	return true;
}

static bool start_interrupts(struct virtio_device *v)
{
	int err;

	if (bind_messages(v)) {
		pci_msix_enable(v->pci);
		if (set_vectors(v))
			return true;
	}
	pci_msix_undo(v->pci);
	err = pci_line_bind(v->pci, line_came, v);
	if (err)
		printf("virtio %02x:%02x.%u: no interrupt: error %d\n", v->pci->bus, v->pci->devfn >> 3, v->pci->devfn & 7, err);
	return !err;
}

bool virtio_start_queues(struct virtio_device *v, struct virtio_queue *queues, u32 nr)
{
	v->queues = queues;
	for (u32 i = 0; i < nr; i++) {
		if (!start_queue(v, &queues[i], i))
			return false;
	}
	v->nr_queues = nr;
	if (!start_interrupts(v))
		return false;
	for (u32 i = 0; i < nr; i++) {
		v->common->queue_select = i;
		v->common->queue_enable = 1;
	}
	return true;
}

void virtio_ready(struct virtio_device *v)
{
	v->common->status |= STATUS_DRIVER_OK;
	v->next = working;
	working = v;
}

void virtio_fail(struct virtio_device *v)
{
	if (v->common)
		v->common->status |= STATUS_FAILED;
	pci_command(v->pci, PCI_COMMAND_MASTER, 0);
}

void virtio_kick(struct virtio_queue *q)
{
	if (!vq_publish(&q->ring))
		return;
	q->device->kicks++;
	*q->doorbell = q->index;
}

/* --- configuration --- */

static u32 config_once(const struct virtio_device *v, u32 offset, u32 bytes)
{
	const volatile u8 *at = v->config + offset;

	if (offset + bytes > v->config_length)
		return 0;
	return bytes == 4 ? *(const volatile u32 *)at : bytes == 2 ? *(const volatile u16 *)at : *at;
}

u32 virtio_config(const struct virtio_device *v, u32 offset, u32 bytes)
{
	return config_once(v, offset, bytes);
}

u64 virtio_config64(const struct virtio_device *v, u32 offset)
{
	u64 value;
	u8 generation;

	do {
		generation = v->common->config_generation;
		value = config_once(v, offset, 4) | (u64)config_once(v, offset + 4, 4) << 32;
	} while (generation != v->common->config_generation);
	return value;
}

static int cmd_virtio(int argc, char **argv)
{
	printf("%-8s %-11s %16s %10s %10s %10s %10s\n", "PCI", "driver", "features", "interrupts", "kicks", "mapped", "bounced");
	for (const struct virtio_device *v = working; v; v = v->next) {
		const struct pci_device *d = v->pci;

		printf("%02x:%02x.%u  %-11s %16lx %10lu %10lu %10lu %10lu%s\n", d->bus, d->devfn >> 3, d->devfn & 7, d->driver,
		       v->features, v->interrupts, v->kicks, v->mapped, v->bounced, v->queues[0].ring.broken ? " broken" : "");
	}
	return 0;
}
COMMAND(virtio, cmd_virtio, "virtio devices: features agreed on, interrupts, notifications, guests' pieces mapped or copied");
