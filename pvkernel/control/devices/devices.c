/* SPDX-License-Identifier: MIT */
/* Which driver a PCI function gets, by its ids. */
#include "devices.h"
#include "virtio.h"

static const struct {
	u16 vendor, device;
	void (*probe)(struct pci_device *pci);
} drivers[] = {
	{ VIRTIO_VENDOR, VIRTIO_MODERN + VIRTIO_TYPE_BLOCK, virtio_blk_probe },
	{ VIRTIO_VENDOR, 0x1001, virtio_blk_probe },	/* transitional: version 0.9 and 1 in one */
	{ VIRTIO_VENDOR, VIRTIO_MODERN + VIRTIO_TYPE_NET, virtio_net_probe },
	{ VIRTIO_VENDOR, 0x1000, virtio_net_probe },
};

static void probe(struct pci_device *d)
{
	for (u32 i = 0; i < ARRAY_SIZE(drivers); i++) {
		if (drivers[i].vendor == d->vendor && drivers[i].device == d->device)
			drivers[i].probe(d);
	}
}

void devices_init(void)
{
	pci_scan();
	for (struct pci_device *d = pci_next(NULL); d; d = pci_next(d))
		probe(d);
}
