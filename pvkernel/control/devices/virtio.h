/* SPDX-License-Identifier: MIT */
/* virtio devices on PCI, as version 1 of the specification has them (section 4.1). */
#ifndef CTL_VIRTIO_H
#define CTL_VIRTIO_H

#include "pci.h"
#include "virtqueue.h"

#define VIRTIO_VENDOR 0x1af4
#define VIRTIO_MODERN 0x1040	/* + type: the PCI device's id */
#define VIRTIO_TYPE_NET 1
#define VIRTIO_TYPE_BLOCK 2

#define VIRTIO_F_RING_INDIRECT_DESC 28
#define VIRTIO_F_RING_EVENT_IDX 29
#define VIRTIO_F_VERSION_1 32
#define VIRTIO_F(bit) (1ul << (bit))

struct virtio_common;

struct virtio_queue {
	struct virtqueue ring;
	volatile u16 *doorbell;
	u16 index;
	struct virtio_device *device;
	void (*came)(void *arg);	/* called with interrupts disabled */
	void *arg;
};

struct virtio_device {
	struct pci_device *pci;
	volatile struct virtio_common *common;
	volatile u8 *config;	/* the type's own registers */
	u32 config_length;
	volatile u8 *isr;
	volatile u8 *doorbells;
	u32 doorbells_length, doorbell_step;
	u64 features;		/* agreed on */
	struct virtio_queue *queues;
	u32 nr_queues;
	struct virtio_device *next;	/* of all that work */
	u64 interrupts, kicks;
	u64 mapped, bounced;	/* a disk's: pieces granted by guests, reached by the device or through pages of ours */
};

/* Finds the registers and resets. False: not such a device; it has said why. */
bool virtio_open(struct virtio_device *v, struct pci_device *pci);
u64 virtio_offered(const struct virtio_device *v);	/* features */
/* wanted: features that the driver can use. False: the device does not agree. */
bool virtio_agree(struct virtio_device *v, u64 wanted);
/* Rings for `nr` queues, and their interrupts; queues[n].came and .arg are set. False: it has said why. */
bool virtio_start_queues(struct virtio_device *v, struct virtio_queue *queues, u32 nr);
void virtio_ready(struct virtio_device *v);
void virtio_fail(struct virtio_device *v);	/* the device is given up */
void virtio_kick(struct virtio_queue *q);	/* publishes, and notifies if need be */

u32 virtio_config(const struct virtio_device *v, u32 offset, u32 bytes);	/* 0 beyond its end */
u64 virtio_config64(const struct virtio_device *v, u32 offset);

u64 dma_address(const void *va);	/* of any memory of ours, to the end of its page */

void virtio_blk_probe(struct pci_device *pci);
void virtio_net_probe(struct pci_device *pci);

#endif
