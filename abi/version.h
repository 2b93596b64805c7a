/* SPDX-License-Identifier: MIT */
/* xen_version: which hypervisor this is and what it offers. See version.md. */
#ifndef ABI_VERSION_H
#define ABI_VERSION_H

#define XENVER_version 0
#define XENVER_extraversion 1
#define XENVER_compile_info 2
#define XENVER_capabilities 3
#define XENVER_changeset 4
#define XENVER_platform_parameters 5
#define XENVER_get_features 6
#define XENVER_pagesize 7
#define XENVER_guest_handle 8
#define XENVER_commandline 9
#define XENVER_build_id 10

/* Sizes of the replies that are bare arrays of char. */
#define XEN_EXTRAVERSION_LEN 16
#define XEN_CAPABILITIES_INFO_LEN 1024
#define XEN_CHANGESET_INFO_LEN 64
#define XEN_COMMANDLINE_LEN 1024
#define XEN_DOMAIN_HANDLE_LEN 16

#ifndef __ASSEMBLY__
#include <stdint.h>

/* 144 bytes. */
struct xen_compile_info {
	char compiler[64];		/* 0x00 OUT */
	char compile_by[16];		/* 0x40 OUT */
	char compile_domain[32];	/* 0x50 OUT */
	char compile_date[32];		/* 0x70 OUT */
};

/* 8 bytes. */
struct xen_platform_parameters {
	uint64_t virt_start;	/* 0x00 OUT: first address that is not the guest's */
};

/* 8 bytes. */
struct xen_feature_info {
	uint32_t submap_idx;	/* 0x00 IN: which 32 features */
	uint32_t submap;	/* 0x04 OUT: bit per XENFEAT_* */
};
#endif

#endif
