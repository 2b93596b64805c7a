/* SPDX-License-Identifier: MIT */
/*
 * A domain that domain 0 has named may manage others, as domain 0 may, but neither domain 0 nor its own kind. Another
 * hypervisor does not know how to name one: there all of it is -EPERM.
 */
#include "domain.h"
#include <abi/paravane.h>

static struct {
	uint16_t self, other, peer;
	uint64_t frame;		/* of the other domain */
	int64_t allowed;	/* what a call that is allowed gives */
} facts;

static int64_t set_control(uint16_t id, uint64_t on)
{
	return hypercall_nr(__HYPERVISOR_paravane_op, PARAVANE_set_control, id, on);
}

static int64_t info_of(uint16_t id)
{
	return domctl_simple(XEN_DOMCTL_getvcpuaffinity, id);
}

static int64_t physinfo(void)
{
	struct xen_sysctl op = {0};

	return sysctl(XEN_SYSCTL_physinfo, &op);
}

static int64_t look_into(uint16_t id)
{
	void *page = page_alloc();

	return map_other(page, facts.frame, PTE_PRESENT, id);
}

static void manager(uint64_t unused)
{
	check_eq("PARAVANE-5", domctl_simple(XEN_DOMCTL_pausedomain, facts.other), facts.allowed, "it pauses another domain");
	check_eq("PARAVANE-6", domctl_with(XEN_DOMCTL_max_mem, facts.other, .u.max_mem.max_memkb = 4096), facts.allowed,
		 "it changes what another may have");
	check_eq("PARAVANE-7", physinfo(), facts.allowed, "it asks about the machine");
	check_eq("PARAVANE-8", look_into(facts.other), facts.allowed, "it maps a frame of another domain");
	check_eq("PARAVANE-9", domctl_simple(XEN_DOMCTL_pausedomain, 0), -EPERM, "domain 0 is not its to pause");
	check_eq("PARAVANE-10", look_into(0), -EPERM, "nor to look into");
	check_eq("PARAVANE-11", domctl_simple(XEN_DOMCTL_pausedomain, facts.peer), -EPERM, "nor is another that may manage");
	check_eq("PARAVANE-12", info_of(facts.self), -EPERM, "nor itself");
	check_eq("PARAVANE-13", set_control(facts.other, 1), facts.allowed ? -ENOSYS : -EPERM, "nor may it name others");
}

static void former(uint64_t unused)
{
	check_eq("PARAVANE-14", domctl_simple(XEN_DOMCTL_unpausedomain, facts.other), -EPERM,
		 "after domain 0 has taken it back it pauses nobody");
}

void test_main(void)
{
	bool here = set_control(DOMID_SELF, 1) != -ENOSYS;
	struct domain *one, *two;

	check_eq("PARAVANE-15", set_control(0, 1), here ? -EINVAL : -ENOSYS, "domain 0 needs no naming");
	check_eq("PARAVANE-16", set_control(DOMID_IO, 1), here ? -ESRCH : -ENOSYS, "no such domain can be named");
	facts.other = create_empty(1);
	facts.peer = create_empty(1);
	domain_max_mem(facts.other, 4096);
	domain_populate(facts.other, &facts.frame, 1);
	facts.allowed = here ? 0 : -EPERM;
	one = make_domain(1);
	facts.self = one->id;
	*(typeof(facts) *)in_guest(one, &facts) = facts;
	set_control(facts.peer, 1);
	set_control(one->id, 1);
	check_eq("PARAVANE-17", run_code(one, manager, 0), SHUTDOWN_poweroff, "it runs to its end");
	destroy_domain(one);
	two = make_domain(1);
	*(typeof(facts) *)in_guest(two, &facts) = facts;
	set_control(two->id, 1);
	set_control(two->id, 0);
	run_code(two, former, 0);
	destroy_domain(two);
	domain_destroy(facts.peer);
	domain_destroy(facts.other);
}
