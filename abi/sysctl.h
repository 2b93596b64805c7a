/* SPDX-License-Identifier: MIT */
/* sysctl: the machine as a whole. For domain 0 only. See sysctl.md. */
#ifndef ABI_SYSCTL_H
#define ABI_SYSCTL_H

#define XEN_SYSCTL_INTERFACE_VERSION 0x15

#define XEN_SYSCTL_readconsole 1
#define XEN_SYSCTL_tbuf_op 2
#define XEN_SYSCTL_physinfo 3
#define XEN_SYSCTL_sched_id 4
#define XEN_SYSCTL_getdomaininfolist 6
#define XEN_SYSCTL_debug_keys 7
#define XEN_SYSCTL_getcpuinfo 8
#define XEN_SYSCTL_availheap 9
#define XEN_SYSCTL_cputopoinfo 16

/* xen_sysctl_tbuf_op.cmd */
#define XEN_SYSCTL_TBUFOP_get_info 0
#define XEN_SYSCTL_TBUFOP_set_cpu_mask 1
#define XEN_SYSCTL_TBUFOP_set_evt_mask 2
#define XEN_SYSCTL_TBUFOP_set_size 3
#define XEN_SYSCTL_TBUFOP_enable 4
#define XEN_SYSCTL_TBUFOP_disable 5

/* xen_sysctl_physinfo.capabilities */
#define XEN_SYSCTL_PHYSCAP_hvm (1u << 0)
#define XEN_SYSCTL_PHYSCAP_pv (1u << 1)
#define XEN_SYSCTL_PHYSCAP_directio (1u << 2)
#define XEN_SYSCTL_PHYSCAP_hap (1u << 3)
#define XEN_SYSCTL_PHYSCAP_shadow (1u << 4)
#define XEN_SYSCTL_PHYSCAP_gnttab_v1 (1u << 8)
#define XEN_SYSCTL_PHYSCAP_gnttab_v2 (1u << 9)

#ifndef __ASSEMBLY__
#include <stdint.h>

/* 24 bytes. */
struct xen_sysctl_readconsole {
	uint8_t clear;		/* 0x00 IN: forget what is there */
	uint8_t incremental;	/* 0x01 IN: start at index */
	uint8_t pad0;		/* 0x02 */
	uint8_t pad1;		/* 0x03 */
	uint32_t index;		/* 0x04 IN/OUT: of the next byte, counted from boot */
	uint64_t buffer;	/* 0x08 IN */
	uint32_t count;		/* 0x10 IN/OUT: bytes of room, bytes copied */
};

/* 48 bytes. */
struct xen_sysctl_tbuf_op {
	uint32_t cmd;		/* 0x00 IN: XEN_SYSCTL_TBUFOP_* */
	struct {
		uint64_t bitmap;	/* 0x08 IN: points to a set of CPUs, as struct xenctl_bitmap */
		uint32_t nr_bits;	/* 0x10 IN */
	} cpu_mask;		/* 0x08 IN */
	uint32_t evt_mask;	/* 0x18 IN/OUT */
	uint64_t buffer_mfn;	/* 0x20 OUT: the first page of struct t_info */
	uint32_t size;		/* 0x28 IN/OUT: pages of each CPU's buffer; get_info: bytes of t_info */
};

/* 112 bytes. */
struct xen_sysctl_physinfo {
	uint32_t threads_per_core;	/* 0x00 OUT */
	uint32_t cores_per_socket;	/* 0x04 OUT */
	uint32_t nr_cpus;	/* 0x08 OUT: online */
	uint32_t max_cpu_id;	/* 0x0c OUT */
	uint32_t nr_nodes;	/* 0x10 OUT */
	uint32_t max_node_id;	/* 0x14 OUT */
	uint32_t cpu_khz;	/* 0x18 OUT: the TSC's frequency */
	uint32_t capabilities;	/* 0x1c OUT: XEN_SYSCTL_PHYSCAP_* */
	uint32_t arch_capabilities;	/* 0x20 OUT */
	uint32_t pad;		/* 0x24 */
	uint64_t total_pages;	/* 0x28 OUT: RAM */
	uint64_t free_pages;	/* 0x30 OUT */
	uint64_t scrub_pages;	/* 0x38 OUT: free, and not yet scrubbed */
	uint64_t outstanding_pages;	/* 0x40 OUT */
	uint64_t max_mfn;	/* 0x48 OUT: highest that may be RAM */
	uint32_t hw_cap[8];	/* 0x50 OUT: CPUID words of features */
};

/* 4 bytes. */
struct xen_sysctl_sched_id {
	uint32_t sched_id;	/* 0x00 OUT: XEN_SCHEDULER_* */
};

/* 24 bytes. */
struct xen_sysctl_getdomaininfolist {
	uint16_t first_domain;	/* 0x00 IN: those with this id or a higher one */
	uint32_t max_domains;	/* 0x04 IN */
	uint64_t buffer;	/* 0x08 IN: points to max_domains struct xen_domctl_getdomaininfo */
	uint32_t num_domains;	/* 0x10 OUT: filled */
};

/* 16 bytes. */
struct xen_sysctl_debug_keys {
	uint64_t keys;		/* 0x00 IN: points to nr_keys characters */
	uint32_t nr_keys;	/* 0x08 IN */
};

/* 8 bytes. */
struct xen_sysctl_cpuinfo {
	uint64_t idletime;	/* 0x00 OUT: ns without a guest */
};

/* 24 bytes. */
struct xen_sysctl_getcpuinfo {
	uint32_t max_cpus;	/* 0x00 IN */
	uint64_t info;		/* 0x08 IN: points to max_cpus struct xen_sysctl_cpuinfo */
	uint32_t nr_cpus;	/* 0x10 OUT */
};

/* 24 bytes. */
struct xen_sysctl_availheap {
	uint32_t min_bitwidth;	/* 0x00 IN: addresses of at least so many bits; 0: any */
	uint32_t max_bitwidth;	/* 0x04 IN: of at most so many; 0: any */
	int32_t node;		/* 0x08 IN: -1: all */
	uint64_t avail_bytes;	/* 0x10 OUT */
};

/* 12 bytes. */
struct xen_sysctl_cputopo {
	uint32_t core;		/* 0x00 OUT */
	uint32_t socket;	/* 0x04 OUT */
	uint32_t node;		/* 0x08 OUT */
};

/* 16 bytes. */
struct xen_sysctl_cputopoinfo {
	uint32_t num_cpus;	/* 0x00 IN/OUT: room, number that exist */
	uint64_t cputopo;	/* 0x08 IN: points to num_cpus struct xen_sysctl_cputopo; 0: only count */
};

/* 136 bytes. */
struct xen_sysctl {
	uint32_t cmd;		/* 0x00 IN: XEN_SYSCTL_* */
	uint32_t interface_version;	/* 0x04 IN: XEN_SYSCTL_INTERFACE_VERSION */
	union {			/* 0x08 */
		struct xen_sysctl_readconsole readconsole;	/* 0x08 */
		struct xen_sysctl_tbuf_op tbuf_op;	/* 0x08 */
		struct xen_sysctl_physinfo physinfo;	/* 0x08 */
		struct xen_sysctl_sched_id sched_id;	/* 0x08 */
		struct xen_sysctl_getdomaininfolist getdomaininfolist;	/* 0x08 */
		struct xen_sysctl_debug_keys debug_keys;	/* 0x08 */
		struct xen_sysctl_getcpuinfo getcpuinfo;	/* 0x08 */
		struct xen_sysctl_availheap availheap;	/* 0x08 */
		struct xen_sysctl_cputopoinfo cputopoinfo;	/* 0x08 */
		uint8_t pad[128];	/* 0x08 */
	} u;			/* 0x08 */
};
#endif

#endif
