/* SPDX-License-Identifier: MIT */
/* domctl: making, changing and ending other domains. For domain 0 only. See domctl.md. */
#ifndef ABI_DOMCTL_H
#define ABI_DOMCTL_H

#define XEN_DOMCTL_INTERFACE_VERSION 0x15

#define XEN_DOMCTL_createdomain 1
#define XEN_DOMCTL_destroydomain 2
#define XEN_DOMCTL_pausedomain 3
#define XEN_DOMCTL_unpausedomain 4
#define XEN_DOMCTL_getdomaininfo 5
#define XEN_DOMCTL_setvcpuaffinity 9
#define XEN_DOMCTL_max_mem 11
#define XEN_DOMCTL_setvcpucontext 12
#define XEN_DOMCTL_getvcpucontext 13
#define XEN_DOMCTL_getvcpuinfo 14
#define XEN_DOMCTL_max_vcpus 15
#define XEN_DOMCTL_scheduler_op 16
#define XEN_DOMCTL_setdomainhandle 17
#define XEN_DOMCTL_hypercall_init 22
#define XEN_DOMCTL_settimeoffset 24
#define XEN_DOMCTL_getvcpuaffinity 25
#define XEN_DOMCTL_resumedomain 27
#define XEN_DOMCTL_sendtrigger 28
#define XEN_DOMCTL_getpageframeinfo3 61
#define XEN_DOMCTL_set_virq_handler 66

/* xen_domctl_createdomain.flags, for guests that are not paravirtual */
#define XEN_DOMCTL_CDF_hvm (1u << 0)
#define XEN_DOMCTL_CDF_hap (1u << 1)
#define XEN_DOMCTL_CDF_s3_integrity (1u << 2)
#define XEN_DOMCTL_CDF_oos_off (1u << 3)
#define XEN_DOMCTL_CDF_xs_domain (1u << 4)
#define XEN_DOMCTL_CDF_iommu (1u << 5)
#define XEN_DOMCTL_CDF_nested_virt (1u << 6)
#define XEN_DOMCTL_CDF_vpmu (1u << 7)

#define XEN_DOMCTL_GRANT_version_mask 0xf	/* of grant_opts */

/* xen_domctl_getdomaininfo.flags */
#define XEN_DOMINF_dying (1u << 0)
#define XEN_DOMINF_hvm_guest (1u << 1)
#define XEN_DOMINF_shutdown (1u << 2)
#define XEN_DOMINF_paused (1u << 3)
#define XEN_DOMINF_blocked (1u << 4)
#define XEN_DOMINF_running (1u << 5)
#define XEN_DOMINF_debugged (1u << 6)
#define XEN_DOMINF_xs_domain (1u << 7)
#define XEN_DOMINF_hap (1u << 8)
#define XEN_DOMINF_shutdownmask 255
#define XEN_DOMINF_shutdownshift 16

#define XEN_INVALID_MAX_VCPU_ID (~0u)

/* xen_domctl_vcpuaffinity.flags */
#define XEN_VCPUAFFINITY_HARD (1u << 0)
#define XEN_VCPUAFFINITY_SOFT (1u << 1)
#define XEN_VCPUAFFINITY_FORCE (1u << 2)

/* schedulers */
#define XEN_SCHEDULER_CREDIT 5
#define XEN_SCHEDULER_CREDIT2 6
#define XEN_DOMCTL_SCHEDOP_putinfo 0
#define XEN_DOMCTL_SCHEDOP_getinfo 1

/* xen_domctl_sendtrigger.trigger */
#define XEN_DOMCTL_SENDTRIGGER_NMI 0

/* getpageframeinfo3: the upper four bits of a 32-bit type */
#define XEN_DOMCTL_PFINFO_LTAB_SHIFT 28
#define XEN_DOMCTL_PFINFO_NOTAB (0u << 28)
#define XEN_DOMCTL_PFINFO_L1TAB (1u << 28)
#define XEN_DOMCTL_PFINFO_L2TAB (2u << 28)
#define XEN_DOMCTL_PFINFO_L3TAB (3u << 28)
#define XEN_DOMCTL_PFINFO_L4TAB (4u << 28)
#define XEN_DOMCTL_PFINFO_LPINTAB (1u << 31)
#define XEN_DOMCTL_PFINFO_XTAB (0xfu << 28)

#ifndef __ASSEMBLY__
#include <stdint.h>

/* A set of numbers in the caller's memory, bit n mod 8 of byte n / 8. 16 bytes. */
struct xenctl_bitmap {
	uint64_t bitmap;	/* 0x00 points to (nr_bits + 7) / 8 bytes */
	uint32_t nr_bits;	/* 0x08 */
};

/* 8 bytes. */
struct xen_arch_domainconfig {
	uint32_t emulation_flags;	/* 0x00 devices that are emulated: 0 for a paravirtual guest */
	uint32_t misc_flags;	/* 0x04 */
};

/* 64 bytes. */
struct xen_domctl_createdomain {
	uint32_t ssidref;	/* 0x00 IN: security label, ignored */
	uint8_t handle[16];	/* 0x04 IN: the toolstack's name for it, any 16 bytes */
	uint32_t flags;		/* 0x14 IN: XEN_DOMCTL_CDF_* */
	uint32_t iommu_opts;	/* 0x18 IN */
	uint32_t max_vcpus;	/* 0x1c IN: ids below */
	uint32_t max_evtchn_port;	/* 0x20 IN: highest port that it may have */
	int32_t max_grant_frames;	/* 0x24 IN: -1: the default */
	int32_t max_maptrack_frames;	/* 0x28 IN: -1: the default */
	uint32_t grant_opts;	/* 0x2c IN: highest grant table version */
	uint32_t vmtrace_size;	/* 0x30 IN: 0 */
	uint32_t cpupool_id;	/* 0x34 IN: 0 */
	struct xen_arch_domainconfig arch;	/* 0x38 IN */
};

/* 112 bytes. */
struct xen_domctl_getdomaininfo {
	uint16_t domain;	/* 0x00 OUT */
	uint16_t pad1;		/* 0x02 */
	uint32_t flags;		/* 0x04 OUT: XEN_DOMINF_*, shutdown reason from bit 16 on */
	uint64_t tot_pages;	/* 0x08 OUT: pages owned */
	uint64_t max_pages;	/* 0x10 OUT: pages allowed */
	uint64_t outstanding_pages;	/* 0x18 OUT: claimed and not yet there: 0 */
	uint64_t shr_pages;	/* 0x20 OUT: 0 */
	uint64_t paged_pages;	/* 0x28 OUT: 0 */
	uint64_t shared_info_frame;	/* 0x30 OUT: machine frame of shared_info */
	uint64_t cpu_time;	/* 0x38 OUT: ns run, all vCPUs together */
	uint32_t nr_online_vcpus;	/* 0x40 OUT */
	uint32_t max_vcpu_id;	/* 0x44 OUT: highest that exists, or XEN_INVALID_MAX_VCPU_ID */
	uint32_t ssidref;	/* 0x48 OUT */
	uint8_t handle[16];	/* 0x4c OUT */
	uint32_t cpupool;	/* 0x5c OUT */
	uint8_t gpaddr_bits;	/* 0x60 OUT */
	uint8_t pad2[7];	/* 0x61 */
	struct xen_arch_domainconfig arch_config;	/* 0x68 OUT */
};

/* 16 bytes. */
struct xen_domctl_getpageframeinfo3 {
	uint64_t num;		/* 0x00 IN: at most 1024 */
	uint64_t array;		/* 0x08 IN/OUT: points to num 64-bit frames, replaced by their types */
};

/* 40 bytes. */
struct xen_domctl_vcpuaffinity {
	uint32_t vcpu;		/* 0x00 IN */
	uint32_t flags;		/* 0x04 IN: XEN_VCPUAFFINITY_* */
	struct xenctl_bitmap cpumap_hard;	/* 0x08 IN/OUT */
	struct xenctl_bitmap cpumap_soft;	/* 0x18 IN/OUT */
};

/* 8 bytes. */
struct xen_domctl_max_mem {
	uint64_t max_memkb;	/* 0x00 IN */
};

/* 16 bytes. */
struct xen_domctl_vcpucontext {
	uint32_t vcpu;		/* 0x00 IN */
	uint64_t ctxt;		/* 0x08 IN: points to a struct vcpu_guest_context; 0: set none, take the vCPU down */
};

/* 24 bytes. */
struct xen_domctl_getvcpuinfo {
	uint32_t vcpu;		/* 0x00 IN */
	uint8_t online;		/* 0x04 OUT: up */
	uint8_t blocked;	/* 0x05 OUT: waits for an event */
	uint8_t running;	/* 0x06 OUT */
	uint64_t cpu_time;	/* 0x08 OUT: ns run */
	uint32_t cpu;		/* 0x10 OUT: where it runs or last ran */
};

/* 4 bytes. */
struct xen_domctl_max_vcpus {
	uint32_t max;		/* 0x00 IN */
};

/* 4 bytes. */
struct xen_domctl_sched_credit {
	uint16_t weight;	/* 0x00 IN/OUT: 1 to 65535, 256 for an ordinary domain; 0 on input: as it is */
	uint16_t cap;		/* 0x02 IN/OUT: percent of one CPU; 0: none; 0xffff on input: as it is */
};

/* 4 bytes. */
struct xen_domctl_sched_credit2 {
	uint16_t weight;	/* 0x00 as above */
	uint16_t cap;		/* 0x02 */
};

/* 24 bytes. */
struct xen_domctl_scheduler_op {
	uint32_t sched_id;	/* 0x00 IN: XEN_SCHEDULER_* as sysctl sched_id told */
	uint32_t cmd;		/* 0x04 IN: XEN_DOMCTL_SCHEDOP_* */
	union {			/* 0x08 IN/OUT */
		struct xen_domctl_sched_credit credit;		/* 0x08 */
		struct xen_domctl_sched_credit2 credit2;	/* 0x08 */
		struct {
			uint64_t vcpus;		/* 0x08 for schedulers with parameters of a vCPU: not here */
			uint32_t nr_vcpus;	/* 0x10 */
			uint32_t padding;	/* 0x14 */
		} v;			/* 0x08 */
	} u;			/* 0x08 */
};

/* 16 bytes. */
struct xen_domctl_setdomainhandle {
	uint8_t handle[16];	/* 0x00 IN */
};

/* 8 bytes. */
struct xen_domctl_hypercall_init {
	uint64_t gmfn;		/* 0x00 IN: the domain's frame to be filled with hypercall stubs */
};

/* 8 bytes. */
struct xen_domctl_settimeoffset {
	int64_t time_offset_seconds;	/* 0x00 IN: added to the domain's wall clock */
};

/* 8 bytes. */
struct xen_domctl_sendtrigger {
	uint32_t trigger;	/* 0x00 IN: XEN_DOMCTL_SENDTRIGGER_* */
	uint32_t vcpu;		/* 0x04 IN */
};

/* 4 bytes. */
struct xen_domctl_set_virq_handler {
	uint32_t virq;		/* 0x00 IN: a global VIRQ, for this domain from now on */
};

/* 144 bytes. */
struct xen_domctl {
	uint32_t cmd;		/* 0x00 IN: XEN_DOMCTL_* */
	uint32_t interface_version;	/* 0x04 IN: XEN_DOMCTL_INTERFACE_VERSION */
	uint16_t domain;	/* 0x08 IN; createdomain: IN/OUT */
	uint16_t _pad[3];	/* 0x0a */
	union {			/* 0x10 */
		struct xen_domctl_createdomain createdomain;	/* 0x10 */
		struct xen_domctl_getdomaininfo getdomaininfo;	/* 0x10 */
		struct xen_domctl_getpageframeinfo3 getpageframeinfo3;	/* 0x10 */
		struct xen_domctl_vcpuaffinity vcpuaffinity;	/* 0x10 */
		struct xen_domctl_max_mem max_mem;	/* 0x10 */
		struct xen_domctl_vcpucontext vcpucontext;	/* 0x10 */
		struct xen_domctl_getvcpuinfo getvcpuinfo;	/* 0x10 */
		struct xen_domctl_max_vcpus max_vcpus;	/* 0x10 */
		struct xen_domctl_scheduler_op scheduler_op;	/* 0x10 */
		struct xen_domctl_setdomainhandle setdomainhandle;	/* 0x10 */
		struct xen_domctl_hypercall_init hypercall_init;	/* 0x10 */
		struct xen_domctl_settimeoffset settimeoffset;	/* 0x10 */
		struct xen_domctl_sendtrigger sendtrigger;	/* 0x10 */
		struct xen_domctl_set_virq_handler set_virq_handler;	/* 0x10 */
		uint8_t pad[128];	/* 0x10 */
	} u;			/* 0x10 */
};
#endif

#endif
