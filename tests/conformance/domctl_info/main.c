/* SPDX-License-Identifier: MIT */
/* getdomaininfo and getdomaininfolist, setdomainhandle, pause and unpause as they are told there. */
#include "domain.h"

#define STATE (XEN_DOMINF_dying | XEN_DOMINF_shutdown | XEN_DOMINF_paused)

static struct xen_domctl_getdomaininfo list[8];

static int64_t info_of(uint16_t id, struct xen_domctl *op)
{
	memset(op, 0xee, sizeof(*op));
	return domctl(XEN_DOMCTL_getdomaininfo, id, op);
}

static void own(void)
{
	struct xen_domctl op;
	struct xen_domctl_getdomaininfo *i = &op.u.getdomaininfo;
	int64_t r = info_of(0, &op);
	uint64_t before;

	check("DOMCTL-INFO-1", r == 0 && i->domain == 0 && op.domain == 0, "domain 0 is told about");
	check_eq("DOMCTL-INFO-2", i->flags & (STATE | XEN_DOMINF_running | XEN_DOMINF_blocked),
		 XEN_DOMINF_running, "the calling domain is running, not blocked, not paused");
	check_eq("DOMCTL-INFO-3", i->shared_info_frame, start_info->shared_info >> PAGE_SHIFT,
		 "shared_info_frame is the frame that start_info names");
	check("DOMCTL-INFO-4", i->nr_online_vcpus == 1 && i->max_vcpu_id == 0,
	      "with one vCPU nr_online_vcpus is 1 and max_vcpu_id is 0");
	check("DOMCTL-INFO-5", i->tot_pages >= start_info->nr_pages && i->tot_pages <= i->max_pages,
	      "tot_pages is at least start_info's nr_pages and at most max_pages");
	check_eq("DOMCTL-INFO-6", i->cpupool, 0, "cpupool is 0");
	check("DOMCTL-INFO-7", i->outstanding_pages == 0 && i->shr_pages == 0 && i->paged_pages == 0,
	      "outstanding_pages, shr_pages and paged_pages are 0");
	before = i->cpu_time;
	for (uint64_t end = system_time() + 1000000; system_time() < end;)
		continue;
	info_of(0, &op);
	check("DOMCTL-INFO-8", i->cpu_time >= before + 900000,
	      "cpu_time grows by the time that the domain runs");
	sleep_for(20000000);
	before = i->cpu_time;
	info_of(0, &op);
	check("DOMCTL-INFO-9", i->cpu_time - before < 15000000,
	      "cpu_time does not grow while the domain sleeps");
}

static void fresh(void)
{
	struct xen_domctl op;
	struct xen_domctl_getdomaininfo *i = &op.u.getdomaininfo;
	int64_t id = create_empty(2), r = info_of((uint16_t)id, &op);

	check("DOMCTL-INFO-10", r == 0 && i->domain == id, "a domain just made is told about");
	check_eq("DOMCTL-INFO-11", i->flags & STATE, XEN_DOMINF_paused,
		 "it is paused, not shut down, not dying");
	check_eq("DOMCTL-INFO-12",
		 i->flags &
			 (XEN_DOMINF_hvm_guest | XEN_DOMINF_hap | XEN_DOMINF_debugged | XEN_DOMINF_xs_domain),
		 0, "none of the flags hvm_guest, hap, debugged, xs_domain is set");
	check("DOMCTL-INFO-13", i->tot_pages == 0, "tot_pages is 0");
	check("DOMCTL-INFO-14", i->max_pages == 0, "max_pages is 0");
	check("DOMCTL-INFO-15", i->nr_online_vcpus == 0 && i->max_vcpu_id == XEN_INVALID_MAX_VCPU_ID,
	      "before max_vcpus nr_online_vcpus is 0 and max_vcpu_id is XEN_INVALID_MAX_VCPU_ID");
	check_eq("DOMCTL-INFO-16", i->cpu_time, 0, "cpu_time is 0");
	check("DOMCTL-INFO-17",
	      i->handle[0] == 0xc0 && i->handle[1] == 0x4f && i->handle[2] == 0 && i->handle[15] == 0,
	      "handle is createdomain's");
	check("DOMCTL-INFO-18",
	      i->shared_info_frame && i->shared_info_frame != start_info->shared_info >> PAGE_SHIFT,
	      "shared_info_frame is a frame of its own");
	check_eq("DOMCTL-INFO-19", i->arch_config.emulation_flags, 0, "arch_config.emulation_flags is 0");
	check("DOMCTL-INFO-20", (i->flags & (XEN_DOMINF_blocked | XEN_DOMINF_running)) == 0,
	      "a domain without vCPUs that are online is neither blocked nor running");
	domain_max_vcpus((uint16_t)id, 2);
	info_of((uint16_t)id, &op);
	check("DOMCTL-INFO-21", i->nr_online_vcpus == 0 && i->max_vcpu_id == 1,
	      "after max_vcpus 2 max_vcpu_id is 1 and none is online");
	domctl_with(XEN_DOMCTL_setdomainhandle, (uint16_t)id,
		    .u.setdomainhandle.handle = {[0] = 1, [15] = 0xff});
	info_of((uint16_t)id, &op);
	check("DOMCTL-HANDLE-1", i->handle[0] == 1 && i->handle[1] == 0 && i->handle[15] == 0xff,
	      "setdomainhandle returns 0, and getdomaininfo tells the new handle");
	domain_destroy((uint16_t)id);
}

static void xenstore_domain(void)
{
	struct xen_domctl op = {.u.createdomain = createdomain_arguments()};
	uint16_t id;

	op.u.createdomain.flags = XEN_DOMCTL_CDF_xs_domain;
	domctl(XEN_DOMCTL_createdomain, 0, &op);
	id = op.domain;
	check("DOMCTL-INFO-22", domain_info(id).flags & XEN_DOMINF_xs_domain,
	      "a domain made with xs_domain has that flag");
	domain_destroy(id);
}

static void absent(void)
{
	struct xen_domctl op;
	int64_t a = create_empty(1), b = create_empty(1);

	domain_destroy((uint16_t)a);
	check("DOMCTL-INFO-23",
	      info_of((uint16_t)a, &op) == 0 && op.domain == b && op.u.getdomaininfo.domain == b,
	      "an id that does not exist tells about the next higher one, and domain becomes that id");
	check_eq("DOMCTL-INFO-24", info_of((uint16_t)(b + 1), &op), -ESRCH,
		 "above the last domain it is -ESRCH");
	check_eq("DOMCTL-INFO-25", info_of(DOMID_FIRST_RESERVED - 1, &op), -ESRCH,
		 "the highest ordinary id, which nobody has, is -ESRCH");
	check_eq("DOMCTL-INFO-26", info_of(DOMID_SELF, &op), -EINVAL,
		 "an id from DOMID_FIRST_RESERVED up is -EINVAL");
	domain_destroy((uint16_t)b);
}

static bool paused(uint16_t id)
{
	return domain_info(id).flags & XEN_DOMINF_paused;
}

static void pausing(void)
{
	int64_t id = create_empty(1), r = 0;
	unsigned int i;

	check("DOMCTL-PAUSE-1",
	      domctl_simple(XEN_DOMCTL_unpausedomain, (uint16_t)id) == 0 && !paused((uint16_t)id),
	      "the pause that a domain is made with ends by one unpausedomain");
	check_eq("DOMCTL-PAUSE-2", domctl_simple(XEN_DOMCTL_unpausedomain, (uint16_t)id), -EINVAL,
		 "unpausing once more fails with -EINVAL");
	domctl_simple(XEN_DOMCTL_pausedomain, (uint16_t)id);
	r = domctl_simple(XEN_DOMCTL_pausedomain, (uint16_t)id);
	domctl_simple(XEN_DOMCTL_unpausedomain, (uint16_t)id);
	check("DOMCTL-PAUSE-3", r == 0 && paused((uint16_t)id),
	      "pauses count: after two pauses one unpause leaves it paused");
	domctl_simple(XEN_DOMCTL_unpausedomain, (uint16_t)id);
	check("DOMCTL-PAUSE-4", !paused((uint16_t)id), "after as many unpauses as pauses it is not paused");
	for (i = 0, r = 0; i < 1000 && !r; i++)
		r = domctl_simple(XEN_DOMCTL_pausedomain, (uint16_t)id);
	check("DOMCTL-PAUSE-5", i == 256 && r == -EOVERFLOW,
	      "255 pauses are possible, the next fails with -EOVERFLOW");
	note("the pause %u: %ld", i, r);
	domain_destroy((uint16_t)id);
}

static int64_t list_from(uint16_t first, uint32_t max, void *buffer, uint32_t *count)
{
	struct xen_sysctl op = {.u.getdomaininfolist = {.first_domain = first,
							.max_domains = max,
							.buffer = (uint64_t)buffer,
							.num_domains = 99}};
	int64_t r = sysctl(XEN_SYSCTL_getdomaininfolist, &op);

	*count = op.u.getdomaininfolist.num_domains;
	return r;
}

static void lists(void)
{
	int64_t a = create_empty(1), b = create_empty(1);
	struct xen_domctl_createdomain arguments = createdomain_arguments();
	struct xen_domctl op = {.u.createdomain = arguments};
	struct xen_domctl_getdomaininfo one;
	uint32_t n;
	int64_t r;

	domctl(XEN_DOMCTL_createdomain, 2000, &op);
	r = list_from(0, 8, list, &n);
	check("SYSCTL-DOMAINS-1",
	      r == 0 && n == 4 && list[0].domain == 0 && list[1].domain == a && list[2].domain == b &&
		      list[3].domain == 2000,
	      "the list has every domain, by ascending id");
	one = domain_info((uint16_t)b);
	check("SYSCTL-DOMAINS-2", memcmp(&one, &list[2], sizeof(one)) == 0,
	      "an element is what getdomaininfo tells");
	r = list_from((uint16_t)(a + 1), 8, list, &n);
	check("SYSCTL-DOMAINS-3", r == 0 && n == 2 && list[0].domain == b,
	      "it begins with first_domain or the next higher one");
	list[1].domain = 0xbeef;
	r = list_from(0, 1, list, &n);
	check("SYSCTL-DOMAINS-4", r == 0 && n == 1 && list[0].domain == 0 && list[1].domain == 0xbeef,
	      "no more than max_domains are told");
	r = list_from(2001, 8, list, &n);
	check("SYSCTL-DOMAINS-5", r == 0 && n == 0, "above the last domain the list is empty");
	r = list_from(0, 0, list, &n);
	check("SYSCTL-DOMAINS-6", r == 0 && n == 0, "max_domains 0 gives an empty list");
	check_eq("SYSCTL-DOMAINS-7", list_from(0, 8, (void *)UNMAPPED, &n), -EFAULT,
		 "a buffer that cannot be written fails with -EFAULT");
	domain_destroy((uint16_t)a);
	domain_destroy((uint16_t)b);
	domain_destroy(2000);
}

void test_main(void)
{
	own();
	fresh();
	xenstore_domain();
	absent();
	pausing();
	lists();
}
