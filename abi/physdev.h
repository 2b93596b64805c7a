/* SPDX-License-Identifier: MIT */
/* physdev_op: I/O privilege, port permissions and physical interrupts. See physdev.md. */
#ifndef ABI_PHYSDEV_H
#define ABI_PHYSDEV_H

#define PHYSDEVOP_irq_status_query 5
#define PHYSDEVOP_set_iopl 6
#define PHYSDEVOP_set_iobitmap 7
#define PHYSDEVOP_apic_read 8
#define PHYSDEVOP_apic_write 9
#define PHYSDEVOP_eoi 12
#define PHYSDEVOP_map_pirq 13
#define PHYSDEVOP_unmap_pirq 14
#define PHYSDEVOP_pirq_eoi_gmfn_v1 17
#define PHYSDEVOP_setup_gsi 21
#define PHYSDEVOP_get_free_pirq 23
#define PHYSDEVOP_pci_mmcfg_reserved 24
#define PHYSDEVOP_pci_device_add 25
#define PHYSDEVOP_pci_device_remove 26
#define PHYSDEVOP_pirq_eoi_gmfn_v2 28

/* physdev_irq_status_query.flags */
#define XENIRQSTAT_needs_eoi 1
#define XENIRQSTAT_shared 2

/* physdev_map_pirq.type, physdev_get_free_pirq.type */
#define MAP_PIRQ_TYPE_MSI 0
#define MAP_PIRQ_TYPE_GSI 1
#define MAP_PIRQ_TYPE_UNKNOWN 2
#define MAP_PIRQ_TYPE_MSI_SEG 3
#define MAP_PIRQ_TYPE_MULTI_MSI 4

#ifndef __ASSEMBLY__
#include <stdint.h>

/* 4 bytes. */
struct physdev_eoi {
	uint32_t irq;		/* 0x00 IN */
};

/* 8 bytes. */
struct physdev_pirq_eoi_gmfn {
	uint64_t gmfn;		/* 0x00 IN: page of a bitmap, one bit per pirq */
};

/* 8 bytes. */
struct physdev_irq_status_query {
	uint32_t irq;		/* 0x00 IN */
	uint32_t flags;		/* 0x04 OUT: XENIRQSTAT_* */
};

/* 4 bytes. */
struct physdev_set_iopl {
	uint32_t iopl;		/* 0x00 IN: 0 to 3 */
};

/* 16 bytes. */
struct physdev_set_iobitmap {
	uint64_t bitmap;	/* 0x00 IN: points to a bit per port; set means refused */
	uint32_t nr_ports;	/* 0x08 IN: at most 65536 */
};

/* 16 bytes. */
struct physdev_apic {
	uint64_t apic_physbase;	/* 0x00 IN */
	uint32_t reg;		/* 0x08 IN */
	uint32_t value;		/* 0x0c IN or OUT */
};

/* 40 bytes. */
struct physdev_map_pirq {
	uint16_t domid;		/* 0x00 IN */
	int32_t type;		/* 0x04 IN: MAP_PIRQ_TYPE_* */
	int32_t index;		/* 0x08 IN */
	int32_t pirq;		/* 0x0c IN: negative lets the hypervisor choose; OUT */
	int32_t bus;		/* 0x10 IN */
	int32_t devfn;		/* 0x14 IN */
	int32_t entry_nr;	/* 0x18 IN, OUT */
	uint64_t table_base;	/* 0x20 IN */
};

/* 8 bytes. */
struct physdev_unmap_pirq {
	uint16_t domid;		/* 0x00 IN */
	int32_t pirq;		/* 0x04 IN */
};

/* 8 bytes. */
struct physdev_setup_gsi {
	int32_t gsi;		/* 0x00 IN */
	uint8_t triggering;	/* 0x04 IN: 0 edge, 1 level */
	uint8_t polarity;	/* 0x05 IN: 0 high, 1 low */
};

/* 8 bytes. */
struct physdev_get_free_pirq {
	int32_t type;		/* 0x00 IN: MAP_PIRQ_TYPE_* */
	uint32_t pirq;		/* 0x04 OUT */
};
#endif

#endif
