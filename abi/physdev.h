/* SPDX-License-Identifier: MIT */
/* physdev_op: I/O privilege, port permissions and physical interrupts. See physdev.md. */
#ifndef ABI_PHYSDEV_H
#define ABI_PHYSDEV_H

#define PHYSDEVOP_irq_status_query 5
#define PHYSDEVOP_set_iopl 6
#define PHYSDEVOP_set_iobitmap 7
#define PHYSDEVOP_apic_read 8
#define PHYSDEVOP_apic_write 9
#define PHYSDEVOP_alloc_irq_vector 10
#define PHYSDEVOP_free_irq_vector 11
#define PHYSDEVOP_eoi 12
#define PHYSDEVOP_map_pirq 13
#define PHYSDEVOP_unmap_pirq 14
#define PHYSDEVOP_manage_pci_add 15
#define PHYSDEVOP_manage_pci_remove 16
#define PHYSDEVOP_pirq_eoi_gmfn_v1 17
#define PHYSDEVOP_restore_msi 19
#define PHYSDEVOP_manage_pci_add_ext 20
#define PHYSDEVOP_setup_gsi 21
#define PHYSDEVOP_get_free_pirq 23
#define PHYSDEVOP_pci_mmcfg_reserved 24
#define PHYSDEVOP_pci_device_add 25
#define PHYSDEVOP_pci_device_remove 26
#define PHYSDEVOP_restore_msi_ext 27
#define PHYSDEVOP_pirq_eoi_gmfn_v2 28
#define PHYSDEVOP_prepare_msix 30
#define PHYSDEVOP_release_msix 31

/* physdev_irq_status_query.flags */
#define XENIRQSTAT_needs_eoi 1
#define XENIRQSTAT_shared 2

/* physdev_map_pirq.type, physdev_get_free_pirq.type */
#define MAP_PIRQ_TYPE_MSI 0
#define MAP_PIRQ_TYPE_GSI 1
#define MAP_PIRQ_TYPE_UNKNOWN 2
#define MAP_PIRQ_TYPE_MSI_SEG 3
#define MAP_PIRQ_TYPE_MULTI_MSI 4

/* physdev_pci_device_add.flags */
#define XEN_PCI_DEV_EXTFN 1
#define XEN_PCI_DEV_VIRTFN 2
#define XEN_PCI_DEV_PXM 4

/* physdev_pci_mmcfg_reserved.flags */
#define XEN_PCI_MMCFG_RESERVED 1

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

/* 8 bytes. */
struct physdev_irq {
	uint32_t irq;		/* 0x00 IN */
	uint32_t vector;	/* 0x04 OUT */
};

/* 40 bytes. */
struct physdev_map_pirq {
	uint16_t domid;		/* 0x00 IN: whose pirq */
	int32_t type;		/* 0x04 IN: MAP_PIRQ_TYPE_* */
	int32_t index;		/* 0x08 IN: the GSI, for MAP_PIRQ_TYPE_GSI; else -1 */
	int32_t pirq;		/* 0x0c IN: negative lets the hypervisor choose; OUT */
	int32_t bus;		/* 0x10 IN: bits 7..0; bits 31..16 the segment for _MSI_SEG and _MULTI_MSI */
	int32_t devfn;		/* 0x14 IN: device << 3 | function */
	int32_t entry_nr;	/* 0x18 IN: MSI-X: which entry of the table */
	uint64_t table_base;	/* 0x20 IN: MSI-X: address of the BAR in which the table is; 0: plain MSI */
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

/* 2 bytes. */
struct physdev_manage_pci {
	uint8_t bus;		/* 0x00 IN */
	uint8_t devfn;		/* 0x01 IN */
};

/* 16 bytes. */
struct physdev_manage_pci_ext {
	uint8_t bus;		/* 0x00 IN */
	uint8_t devfn;		/* 0x01 IN */
	uint32_t is_extfn;	/* 0x04 IN */
	uint32_t is_virtfn;	/* 0x08 IN */
	struct {
		uint8_t bus;	/* 0x0c IN */
		uint8_t devfn;	/* 0x0d IN */
	} physfn;		/* 0x0c */
};

/* 2 bytes. */
struct physdev_restore_msi {
	uint8_t bus;		/* 0x00 IN */
	uint8_t devfn;		/* 0x01 IN */
};

/* 12 bytes. With XEN_PCI_DEV_PXM a 32-bit word follows: its proximity domain. */
struct physdev_pci_device_add {
	uint16_t seg;		/* 0x00 IN */
	uint8_t bus;		/* 0x02 IN */
	uint8_t devfn;		/* 0x03 IN */
	uint32_t flags;		/* 0x04 IN: XEN_PCI_DEV_* */
	struct {
		uint8_t bus;	/* 0x08 IN */
		uint8_t devfn;	/* 0x09 IN */
	} physfn;		/* 0x08: of a virtual function */
};

/* 4 bytes. */
struct physdev_pci_device {
	uint16_t seg;		/* 0x00 IN */
	uint8_t bus;		/* 0x02 IN */
	uint8_t devfn;		/* 0x03 IN */
};

/* 16 bytes. */
struct physdev_pci_mmcfg_reserved {
	uint64_t address;	/* 0x00 IN */
	uint16_t segment;	/* 0x08 IN */
	uint8_t start_bus;	/* 0x0a IN */
	uint8_t end_bus;	/* 0x0b IN */
	uint32_t flags;		/* 0x0c IN: XEN_PCI_MMCFG_* */
};
#endif

#endif
