/* SPDX-License-Identifier: MIT */
/* From an image, a ramdisk and a command line to a domain that is ready to run, paused. */
#ifndef CTL_BUILDER_H
#define CTL_BUILDER_H

#include "../include/types.h"

struct build_request {
	const void *kernel, *ramdisk;	/* files as they are, in place for ever; no ramdisk: NULL */
	u64 kernel_size, ramdisk_size;
	const char *cmdline;
	u64 pages, max_pages;		/* memory now, and ever */
	u32 store_port, console_port;	/* the domain's ends, unbound, for domain 0 */
};

struct build_result {
	u64 store_mfn, console_mfn;	/* its ring pages */
};

/*
 * The domain has vCPUs and a memory limit, no memory. One build at a time: the caller holds domains_lock(). 0, or a
 * negative errno and a line that says why: -EINVAL the image is not one that can start, -E2BIG the command line is too
 * long, -ENOMEM the domain's, the machine's or domain 0's memory is short, others as the hypervisor gave them. After an
 * error the domain is to be destroyed.
 */
int build_domain(u16 domid, const struct build_request *request, struct build_result *result, char *error, size_t size);

#endif
