/* SPDX-License-Identifier: MIT */
/* What is common to all operations of domctl: the structure, its version, the domain that it names. */
#include "domain.h"

#define NOBODY 77

static int64_t raw(uint32_t cmd, uint32_t version, uint16_t id)
{
	struct xen_domctl op = {.cmd = cmd, .interface_version = version, .domain = id};

	return hypercall(domctl, &op);
}

static void version(void)
{
	check_eq("DOMCTL-1", raw(XEN_DOMCTL_getdomaininfo, XEN_DOMCTL_INTERFACE_VERSION - 1, 0), -EACCES,
		 "an older interface version fails with -EACCES");
	check_eq("DOMCTL-2", raw(XEN_DOMCTL_getdomaininfo, XEN_DOMCTL_INTERFACE_VERSION + 1, 0), -EACCES,
		 "a newer interface version fails with -EACCES");
	check_eq("DOMCTL-3", raw(9999, 0, NOBODY), -EACCES,
		 "a wrong version is found before an unknown cmd and an unknown domain");
}

static void unknown(void)
{
	check_eq("DOMCTL-4", raw(9999, XEN_DOMCTL_INTERFACE_VERSION, 0), -ENOSYS,
		 "an unknown cmd fails with -ENOSYS");
	check_eq("DOMCTL-5", raw(0, XEN_DOMCTL_INTERFACE_VERSION, 0), -ENOSYS, "cmd 0 fails with -ENOSYS");
	check_eq("DOMCTL-6", raw(9999, XEN_DOMCTL_INTERFACE_VERSION, NOBODY), -ESRCH,
		 "a domain that does not exist is found before an unknown cmd: -ESRCH");
	check_eq("DOMCTL-7", raw(XEN_DOMCTL_pausedomain, XEN_DOMCTL_INTERFACE_VERSION, DOMID_SELF), -ESRCH,
		 "DOMID_SELF names no domain here: -ESRCH");
	check("DOMCTL-8",
	      raw(XEN_DOMCTL_pausedomain, XEN_DOMCTL_INTERFACE_VERSION, DOMID_XEN) == -ESRCH &&
		      raw(XEN_DOMCTL_pausedomain, XEN_DOMCTL_INTERFACE_VERSION, DOMID_IO) == -ESRCH &&
		      raw(XEN_DOMCTL_pausedomain, XEN_DOMCTL_INTERFACE_VERSION, DOMID_IDLE) == -ESRCH,
	      "the reserved ids DOMID_XEN, DOMID_IO and DOMID_IDLE fail with -ESRCH");
}

/* Every operation that is about an existing domain. */
static const uint32_t about_a_domain[] = {
	XEN_DOMCTL_destroydomain,   XEN_DOMCTL_pausedomain,	  XEN_DOMCTL_unpausedomain,
	XEN_DOMCTL_setvcpuaffinity, XEN_DOMCTL_max_mem,		  XEN_DOMCTL_setvcpucontext,
	XEN_DOMCTL_getvcpucontext,  XEN_DOMCTL_getvcpuinfo,	  XEN_DOMCTL_max_vcpus,
	XEN_DOMCTL_scheduler_op,    XEN_DOMCTL_setdomainhandle,	  XEN_DOMCTL_hypercall_init,
	XEN_DOMCTL_settimeoffset,   XEN_DOMCTL_getvcpuaffinity,	  XEN_DOMCTL_resumedomain,
	XEN_DOMCTL_sendtrigger,	    XEN_DOMCTL_getpageframeinfo3, XEN_DOMCTL_set_virq_handler,
};

static void nobody(void)
{
	unsigned int other = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(about_a_domain); i++)
		other += raw(about_a_domain[i], XEN_DOMCTL_INTERFACE_VERSION, NOBODY) != -ESRCH;
	check_eq(
		"DOMCTL-9", other, 0,
		"every operation but createdomain and getdomaininfo fails with -ESRCH for a domain that does not exist");
}

static void pointers(void)
{
	struct xen_domctl *readonly = page_alloc();
	uint8_t *end = (uint8_t *)page_before_hole() + PAGE_SIZE;

	check_eq("DOMCTL-10", hypercall(domctl, UNMAPPED), -EFAULT,
		 "an unmapped structure fails with -EFAULT");
	check_eq("DOMCTL-11", hypercall(domctl, HYPERVISOR_VIRT_START), -EFAULT,
		 "a structure in the hypervisor's range fails with -EFAULT");
	check_eq("DOMCTL-12", hypercall(domctl, end - sizeof(struct xen_domctl) + 8), -EFAULT,
		 "a structure whose last bytes are unmapped fails with -EFAULT");
	readonly->cmd = XEN_DOMCTL_getdomaininfo;
	readonly->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
	make_readonly(readonly);
	check_eq("DOMCTL-13", hypercall(domctl, readonly), -EFAULT,
		 "an operation that tells something fails with -EFAULT if the structure cannot be written");
	map_back(readonly);
	readonly->cmd = XEN_DOMCTL_setdomainhandle;
	make_readonly(readonly);
	check_eq("DOMCTL-14", hypercall(domctl, readonly), 0,
		 "an operation that tells nothing does not write the structure");
	map_back(readonly);
}

static void self(void)
{
	check_eq("DOMCTL-15", domctl_simple(XEN_DOMCTL_pausedomain, 0), -EINVAL,
		 "the caller cannot pause itself: -EINVAL");
	check_eq("DOMCTL-16", domctl_simple(XEN_DOMCTL_destroydomain, 0), -EINVAL,
		 "the caller cannot destroy itself: -EINVAL");
	check_eq("DOMCTL-17", domctl_simple(XEN_DOMCTL_resumedomain, 0), -EINVAL,
		 "the caller cannot resume itself: -EINVAL");
	check_eq("DOMCTL-18", domain_max_vcpus(0, 1), -EINVAL,
		 "the caller cannot set its own max_vcpus: -EINVAL");
	check_eq("DOMCTL-19", domctl_simple(XEN_DOMCTL_setvcpucontext, 0), -EINVAL,
		 "the caller cannot set a context of its own: -EINVAL");
	check_eq("DOMCTL-20", domctl_simple(XEN_DOMCTL_getvcpucontext, 0), -EINVAL,
		 "the calling vCPU cannot get its own context: -EINVAL");
	check_eq("DOMCTL-21", domctl_simple(XEN_DOMCTL_unpausedomain, 0), -EINVAL,
		 "unpausing a domain that is not paused fails with -EINVAL");
}

void test_main(void)
{
	version();
	unknown();
	nobody();
	pointers();
	self();
}
