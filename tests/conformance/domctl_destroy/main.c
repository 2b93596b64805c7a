/* SPDX-License-Identifier: MIT */
/* The end of a domain, triggers, and who hears that a domain has stopped. */
#include "domain.h"

static uint64_t frames[16];

static bool exists(uint16_t id)
{
	struct xen_domctl op = {0};

	return domctl(XEN_DOMCTL_getdomaininfo, id, &op) == 0 && op.domain == id;
}

static void empty(void)
{
	uint64_t before = free_pages();
	uint16_t id = (uint16_t)create_empty(1);
	int64_t r;

	check("DOMCTL-DESTROY-1", free_pages() < before, "an empty domain costs memory");
	r = domctl_simple(XEN_DOMCTL_destroydomain, id);
	sleep_for(20000000);
	check("DOMCTL-DESTROY-2", r == 0 && !exists(id),
	      "destroydomain returns 0, and the id exists no more");
	check_eq("DOMCTL-DESTROY-3", free_pages(), before, "all that it cost is free again");
	check_eq("DOMCTL-DESTROY-4", domctl_simple(XEN_DOMCTL_destroydomain, id), -ESRCH,
		 "destroying it again fails with -ESRCH");
}

static void held(void)
{
	uint64_t before = free_pages(), after;
	uint16_t id = (uint16_t)create_empty(1);
	uint64_t *page;

	domain_max_vcpus(id, 1);
	domain_max_mem(id, 64);
	domain_populate(id, frames, 16);
	page = view_of(frames[3], id);
	page[5] = 0x1234;
	check_eq("DOMCTL-DESTROY-5", domctl_simple(XEN_DOMCTL_destroydomain, id), 0,
		 "a domain can be destroyed while domain 0 has a page of it mapped");
	sleep_for(20000000);
	check_eq("DOMCTL-DESTROY-6", page[5], 0x1234, "the mapped page stays as it is");
	check("DOMCTL-DESTROY-7", exists(id) && domain_info(id).flags & XEN_DOMINF_dying,
	      "until it is unmapped the domain is told as dying");
	check_eq("DOMCTL-DESTROY-8", domain_info(id).tot_pages, 1, "with the one page that is left");
	check_eq("DOMCTL-DESTROY-9", domctl_simple(XEN_DOMCTL_destroydomain, id), 0,
		 "destroying a dying domain returns 0");
	check("DOMCTL-DESTROY-10", domain_populate(id, frames, 1) == 0, "a dying domain gets no memory");
	check("DOMCTL-DESTROY-11",
	      map_other(page_alloc(), domain_info(id).shared_info_frame, PTE_DATA, id) != 0,
	      "nor can more of it be mapped");
	unmap_other(page);
	sleep_for(20000000);
	after = free_pages();
	check("DOMCTL-DESTROY-12", !exists(id), "after the unmapping it is gone");
	check_eq("DOMCTL-DESTROY-13", after, before, "and all its memory is free");
}

static int64_t trigger(uint16_t id, uint32_t which, uint32_t vcpu)
{
	return domctl_with(XEN_DOMCTL_sendtrigger, id, .u.sendtrigger = {.trigger = which, .vcpu = vcpu});
}

static int64_t handler(uint16_t id, uint32_t virq)
{
	return domctl_with(XEN_DOMCTL_set_virq_handler, id, .u.set_virq_handler.virq = virq);
}

static void triggers(void)
{
	uint16_t id = (uint16_t)create_empty(1);

	domain_max_vcpus(id, 1);
	check_eq("DOMCTL-TRIGGER-1", trigger(id, XEN_DOMCTL_SENDTRIGGER_NMI, 0), 0,
		 "an NMI can be sent to a vCPU that does not run yet");
	check_eq("DOMCTL-TRIGGER-2", trigger(id, XEN_DOMCTL_SENDTRIGGER_NMI, 1), -ESRCH,
		 "a vCPU that does not exist fails with -ESRCH");
	check_eq("DOMCTL-TRIGGER-3", trigger(id, 99, 0), -ENOSYS, "an unknown trigger fails with -ENOSYS");
	check_eq("DOMCTL-VIRQ-1", handler(id, NR_VIRQS), -EINVAL,
		 "a VIRQ that does not exist fails with -EINVAL");
	check_eq("DOMCTL-VIRQ-2", handler(id, VIRQ_TIMER), -EINVAL, "a VIRQ of each vCPU fails with -EINVAL");
	check_eq("DOMCTL-VIRQ-3", handler(0, VIRQ_DOM_EXC), 0, "a global VIRQ can be given to domain 0");
	check_eq("DOMCTL-VIRQ-4", handler(id, VIRQ_DOM_EXC), 0, "or to another domain");
	domain_destroy(id);
}

static void nothing(uint64_t argument)
{
	(void)argument;
}

/* VIRQ_DOM_EXC goes to domain 0 again when its handler is gone. */
static void exceptions(void)
{
	int64_t port = evtchn_bind_virq(VIRQ_DOM_EXC, 0);
	struct domain *d;

	port_clear((uint32_t)port);
	d = make_domain(1);
	check("DOMCTL-VIRQ-5", port > 0 && !port_pending((uint32_t)port),
	      "making a domain raises no VIRQ_DOM_EXC");
	run_code(d, nothing, 0);
	check("DOMCTL-VIRQ-6", port_pending((uint32_t)port), "VIRQ_DOM_EXC comes when a domain shuts down");
	check_eq("DOMCTL-INFO-27",
		 domain_info(d->id).flags & (XEN_DOMINF_shutdown | XEN_DOMINF_paused | XEN_DOMINF_dying),
		 XEN_DOMINF_shutdown, "a domain that has shut down is not paused and not dying");
	port_clear((uint32_t)port);
	destroy_domain(d);
	check("DOMCTL-VIRQ-7", port_pending((uint32_t)port), "VIRQ_DOM_EXC comes when a domain is gone");
}

static volatile uint32_t times, suspended;

static void suspends(uint64_t argument)
{
	struct sched_shutdown op = {.reason = SHUTDOWN_suspend};

	(void)argument;
	times++;
	hypercall(sched_op, SCHEDOP_shutdown, &op);
	times++;
}

static void resuming(void)
{
	struct domain *d = make_domain(1);
	int reason = run_code(d, suspends, 0);
	int64_t r = domctl_simple(XEN_DOMCTL_resumedomain, d->id);

	check("DOMCTL-RESUME-1", reason == SHUTDOWN_suspend && r == 0, "a suspended domain can be resumed");
	check("DOMCTL-RESUME-2", wait_shutdown(d) == SHUTDOWN_poweroff && *in_guest(d, &times) == 2,
	      "it goes on behind its SCHEDOP_shutdown");
	destroy_domain(d);
	d = make_domain(1);
	check_eq("DOMCTL-RESUME-3", domctl_simple(XEN_DOMCTL_resumedomain, d->id), 0,
		 "resuming a domain that is not shut down returns 0");
	check("DOMCTL-RESUME-4", domain_info(d->id).flags & XEN_DOMINF_paused, "and leaves it paused");
	destroy_domain(d);
}

void test_main(void)
{
	empty();
	held();
	triggers();
	exceptions();
	resuming();
}
