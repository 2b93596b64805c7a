/* SPDX-License-Identifier: MIT */
/* platform_op: what domain 0 may ask of the machine. See platform.md. */
#ifndef ABI_PLATFORM_H
#define ABI_PLATFORM_H

/* xen_platform_op.interface_version */
#define XENPF_INTERFACE_VERSION 0x03000001

#define XENPF_settime32 17
#define XENPF_get_cpuinfo 55
#define XENPF_settime64 62

/* xenpf_pcpuinfo.flags */
#define XEN_PCPU_FLAGS_ONLINE 1
#define XEN_PCPU_FLAGS_INVALID 2

#ifndef __ASSEMBLY__
#include <stdint.h>

/* The wall clock at a system time. 16 bytes. */
struct xenpf_settime32 {
	uint32_t secs;		/* 0x00 IN: since 1970 */
	uint32_t nsecs;		/* 0x04 IN */
	uint64_t system_time;	/* 0x08 IN: ns since boot */
};

/* 24 bytes. */
struct xenpf_settime64 {
	uint64_t secs;		/* 0x00 IN: since 1970 */
	uint32_t nsecs;		/* 0x08 IN */
	uint32_t mbz;		/* 0x0c IN: 0 */
	uint64_t system_time;	/* 0x10 IN: ns since boot */
};

/* 20 bytes. */
struct xenpf_pcpuinfo {
	uint32_t xen_cpuid;	/* 0x00 IN: processor */
	uint32_t max_present;	/* 0x04 OUT: highest processor that may be asked for */
	uint32_t flags;		/* 0x08 OUT: XEN_PCPU_FLAGS_* */
	uint32_t apic_id;	/* 0x0c OUT */
	uint32_t acpi_id;	/* 0x10 OUT */
};

/* 136 bytes. */
struct xen_platform_op {
	uint32_t cmd;			/* 0x00 IN: XENPF_* */
	uint32_t interface_version;	/* 0x04 IN: XENPF_INTERFACE_VERSION */
	union {
		struct xenpf_settime32 settime32;	/* 0x08 */
		struct xenpf_settime64 settime64;	/* 0x08 */
		struct xenpf_pcpuinfo pcpu_info;	/* 0x08 */
		uint8_t pad[128];			/* 0x08 */
	} u;				/* 0x08 */
};
#endif

#endif
