/* SPDX-License-Identifier: MIT */
/* memory_op: how much memory a domain has, where it is, and how to give and take it. See memory.md. */
#ifndef ABI_MEMORY_H
#define ABI_MEMORY_H

#define XENMEM_increase_reservation 0
#define XENMEM_decrease_reservation 1
#define XENMEM_maximum_ram_page 2
#define XENMEM_current_reservation 3
#define XENMEM_maximum_reservation 4
#define XENMEM_machphys_mfn_list 5
#define XENMEM_populate_physmap 6
#define XENMEM_add_to_physmap 7
#define XENMEM_memory_map 9
#define XENMEM_machine_memory_map 10
#define XENMEM_exchange 11
#define XENMEM_machphys_mapping 12
#define XENMEM_set_memory_map 13
#define XENMEM_maximum_gpfn 14
#define XENMEM_remove_from_physmap 15
#define XENMEM_set_pod_target 16
#define XENMEM_get_pod_target 17
#define XENMEM_add_to_physmap_batch 23
#define XENMEM_machphys_compat_mfn_list 25
#define XENMEM_get_vnumainfo 26
#define XENMEM_acquire_resource 28

/* xen_memory_reservation.mem_flags: bits 7:0 limit the address width, 0 means any. */
#define XENMEMF_populate_on_demand 0x10000
#define XENMEMF_exact_node_request 0x20000
#define XENMEMF_vnode 0x40000

/* xen_add_to_physmap.space */
#define XENMAPSPACE_shared_info 0
#define XENMAPSPACE_grant_table 1
#define XENMAPSPACE_gmfn 2
#define XENMAPSPACE_gmfn_range 3
#define XENMAPSPACE_gmfn_foreign 4
#define XENMAPSPACE_dev_mmio 5

/* xen_memory_map_entry.type */
#define XEN_E820_RAM 1
#define XEN_E820_RESERVED 2
#define XEN_E820_ACPI 3
#define XEN_E820_NVS 4
#define XEN_E820_UNUSABLE 5

/* Bytes of one entry of a memory map. The next follows without padding. */
#define XEN_MEMORY_MAP_ENTRY_SIZE 20

#ifndef __ASSEMBLY__
#include <stdint.h>

/* A list of extents, each of 2^extent_order pages. 32 bytes. */
struct xen_memory_reservation {
	uint64_t extent_start;	/* 0x00 IN: points to an array of frame numbers */
	uint64_t nr_extents;	/* 0x08 IN */
	uint32_t extent_order;	/* 0x10 IN */
	uint32_t mem_flags;	/* 0x14 IN: XENMEMF_* */
	uint16_t domid;		/* 0x18 IN */
};

/* 72 bytes. */
struct xen_memory_exchange {
	struct xen_memory_reservation in;	/* 0x00 IN: frames given up */
	struct xen_memory_reservation out;	/* 0x20 IN: pfns in, mfns out */
	uint64_t nr_exchanged;			/* 0x40 IN: 0; OUT: input extents done */
};

/* 2 bytes. */
struct xen_memory_domain {
	uint16_t domid;		/* 0x00 IN */
};

/* 24 bytes. */
struct xen_machphys_mfn_list {
	uint32_t max_extents;	/* 0x00 IN: room in the array */
	uint64_t extent_start;	/* 0x08 IN: points to an array of frame numbers */
	uint32_t nr_extents;	/* 0x10 OUT: filled */
};

/* 24 bytes. */
struct xen_machphys_mapping {
	uint64_t v_start;	/* 0x00 OUT: linear address of m2p[0] */
	uint64_t v_end;		/* 0x08 OUT */
	uint64_t max_mfn;	/* 0x10 OUT: highest frame that may have an entry */
};

/* 24 bytes. */
struct xen_add_to_physmap {
	uint16_t domid;		/* 0x00 IN */
	uint16_t size;		/* 0x02 IN: pages, for gmfn_range */
	uint32_t space;		/* 0x04 IN: XENMAPSPACE_* */
	uint64_t idx;		/* 0x08 IN */
	uint64_t gpfn;		/* 0x10 IN */
};

/* 16 bytes. */
struct xen_remove_from_physmap {
	uint16_t domid;		/* 0x00 IN */
	uint64_t gpfn;		/* 0x08 IN */
};

/* 16 bytes. */
struct xen_memory_map {
	uint32_t nr_entries;	/* 0x00 IN: room; OUT: entries written */
	uint64_t buffer;	/* 0x08 IN: points to packed entries */
};

/* 24 bytes. */
struct xen_foreign_memory_map {
	uint16_t domid;			/* 0x00 IN */
	struct xen_memory_map map;	/* 0x08 IN */
};

/*
 * One entry of a memory map, as three words of XEN_MEMORY_MAP_ENTRY_SIZE bytes in all; the size
 * of this structure is larger than the distance between entries, so copy, never index.
 */
struct xen_memory_map_entry {
	uint64_t addr;		/* 0x00 OUT: first byte */
	uint64_t size;		/* 0x08 OUT: bytes */
	uint32_t type;		/* 0x10 OUT: XEN_E820_* */
};
#endif

#endif
