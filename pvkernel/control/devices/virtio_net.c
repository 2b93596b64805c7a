/* SPDX-License-Identifier: MIT */
#include "virtio.h"
void virtio_net_probe(struct pci_device *pci)
{
}
