/* SPDX-License-Identifier: MIT */
/* Event channels of another domain: what domain 0 may do for it, what it may not itself, its limit, and its end. */
#include "domain.h"

#define NO_DOMAIN 9999
#define LIMIT 20

static volatile int64_t answer[8];

static struct evtchn_status status_of(uint16_t dom, uint32_t port, int64_t *result)
{
	struct evtchn_status op = { .dom = dom, .port = port, .status = 99 };

	*result = hypercall(event_channel_op, EVTCHNOP_status, &op);
	return op;
}

static int64_t reset(uint16_t dom)
{
	struct evtchn_reset op = { .dom = dom };

	return hypercall(event_channel_op, EVTCHNOP_reset, &op);
}

static int64_t bind(uint16_t dom, uint32_t port, uint32_t *local)
{
	struct evtchn_bind_interdomain op = { .remote_dom = dom, .remote_port = port };
	int64_t r = hypercall(event_channel_op, EVTCHNOP_bind_interdomain, &op);

	*local = op.local_port;
	return r;
}

static bool is_unbound(uint16_t dom, uint32_t port, uint16_t waits_for)
{
	int64_t r;
	struct evtchn_status s = status_of(dom, port, &r);

	return r == 0 && s.status == EVTCHNSTAT_unbound && s.u.unbound.dom == waits_for;
}

static void opening(uint16_t id)
{
	int64_t first = evtchn_alloc_unbound(id, 0), second = evtchn_alloc_unbound(id, DOMID_SELF), own = evtchn_alloc_unbound(DOMID_SELF, id), r;
	struct evtchn_status s;

	check_eq("EVTCHN-DOM-1", first, 1, "domain 0 opens the first port of a new domain");
	check("EVTCHN-DOM-2", is_unbound(id, 1, 0), "status of it says whom it waits for");
	check("EVTCHN-DOM-3", second == 2 && is_unbound(id, 2, 0), "DOMID_SELF as remote_dom is the caller, not the port's domain");
	check("EVTCHN-DOM-4", own > 0 && is_unbound(DOMID_SELF, (uint32_t)own, id), "ports of the caller's own are not touched");
	s = status_of(id, 3, &r);
	check("EVTCHN-DOM-5", r == 0 && s.status == EVTCHNSTAT_closed, "a port that was not opened is closed");
	status_of(id, 0x7fffffff, &r);
	check_eq("EVTCHN-DOM-6", r, -EINVAL, "a port of its out of range");
	check_eq("EVTCHN-DOM-7", evtchn_alloc_unbound(NO_DOMAIN, 0), -ESRCH, "a domain that does not exist");
	evtchn_close((uint32_t)own);
}

static void binding(uint16_t id)
{
	struct xen_domctl_getdomaininfo info = domain_info(id);
	volatile struct shared_info *shared = view_of(info.shared_info_frame, id);
	struct evtchn_status here, there;
	uint32_t local, other;
	int64_t r, q;

	evtchn_alloc_unbound(id, 77);
	check_eq("EVTCHN-DOM-8", bind(id, 3, &other), -EINVAL, "a port of its that waits for another");
	check_eq("EVTCHN-DOM-9", bind(id, 4, &other), -EINVAL, "a closed port of its");
	r = bind(id, 1, &local);
	here = status_of(DOMID_SELF, local, &q);
	there = status_of(id, 1, &q);
	check("EVTCHN-DOM-10", r == 0 && here.status == EVTCHNSTAT_interdomain && here.u.interdomain.dom == id && here.u.interdomain.port == 1,
	      "a channel to the other domain");
	check("EVTCHN-DOM-11", there.status == EVTCHNSTAT_interdomain && there.u.interdomain.dom == 0 && there.u.interdomain.port == local,
	      "whose end there names this one");
	check("EVTCHN-DOM-12", !(shared->evtchn_pending[0] & 2), "the other end is not pending by the binding");
	r = evtchn_send(local);
	check("EVTCHN-DOM-13", r == 0 && shared->evtchn_pending[0] & 2, "an event is pending in the other domain, though it does not run");
	check("EVTCHN-DOM-14", shared->vcpu_info[0].evtchn_pending_sel & 1 && shared->vcpu_info[0].evtchn_upcall_pending, "and its vCPU 0 is told");
	check_eq("EVTCHN-DOM-15", bind(id, 1, &other), -EINVAL, "a port that is bound already");
	r = evtchn_close(local);
	check("EVTCHN-DOM-16", r == 0 && is_unbound(id, 1, 0), "when this end is closed the other waits for this domain again");
	unmap_other((void *)shared);
}

static void resetting(uint16_t id)
{
	uint32_t local;
	int64_t r;

	bind(id, 1, &local);
	r = reset(id);
	check("EVTCHN-DOM-17", r == 0 && status_of(id, 2, &r).status == EVTCHNSTAT_closed && evtchn_alloc_unbound(id, 0) == 1,
	      "reset of a paused domain closes its ports");
	check("EVTCHN-DOM-18", is_unbound(DOMID_SELF, local, id), "and this end of the channel waits for it");
	check_eq("EVTCHN-DOM-19", evtchn_send(local), 0, "an event on it goes nowhere, without error");
	evtchn_close(local);
	domctl_simple(XEN_DOMCTL_unpausedomain, id);
	check_eq("EVTCHN-DOM-20", reset(id), -EINVAL, "reset of a domain that is not paused");
	domctl_simple(XEN_DOMCTL_pausedomain, id);
}

static void limited(void)
{
	struct xen_domctl op = { .u.createdomain = createdomain_arguments() };
	int64_t port = 0, n = 0;

	op.u.createdomain.max_evtchn_port = LIMIT;
	if (domctl(XEN_DOMCTL_createdomain, 0, &op))
		bail("no domain");
	while (n < 1000 && (port = evtchn_alloc_unbound(op.domain, 0)) > 0)
		n = port;
	check("EVTCHN-LIMIT-1", n == LIMIT && port == -ENOSPC, "max_evtchn_port is the last that there is (%ld, %ld)", n, port);
	domain_destroy(op.domain);
}

static void dying(uint16_t id)
{
	uint32_t local = 0;
	int64_t r;

	r = bind(id, 1, &local);
	domain_destroy(id);
	check("EVTCHN-END-1", r == 0 && is_unbound(DOMID_SELF, local, id), "when the other domain is destroyed, this end waits for it");
	check_eq("EVTCHN-END-2", evtchn_send(local), 0, "an event on it goes nowhere");
	status_of(id, 1, &r);
	check_eq("EVTCHN-END-3", r, -ESRCH, "its own ports are not known any more");
	check_eq("EVTCHN-END-4", evtchn_close(local), 0, "this end can be closed");
}

/* In a domain that is not privileged. */
static void others(uint64_t port)
{
	uint32_t local;
	int64_t r;

	answer[0] = evtchn_alloc_unbound(0, 0);
	status_of(0, 1, &r);
	answer[1] = r;
	answer[2] = reset(0);
	answer[3] = evtchn_alloc_unbound(NO_DOMAIN, 0);
	answer[4] = bind(0, (uint32_t)port, &local);
	answer[5] = reset(NO_DOMAIN);
	status_of(NO_DOMAIN, 1, &r);
	answer[6] = r;
	answer[7] = evtchn_alloc_unbound(DOMID_SELF, NO_DOMAIN);
}

static void unprivileged(void)
{
	struct domain *d = make_domain(1);
	int64_t port = evtchn_alloc_unbound(DOMID_SELF, NO_DOMAIN);
	volatile int64_t *a;

	run_code(d, others, (uint64_t)port);
	a = (volatile int64_t *)in_guest(d, &answer[0]);
	check_eq("EVTCHN-UNPRIV-1", a[0], -EPERM, "opening a port of another domain");
	check_eq("EVTCHN-UNPRIV-2", a[1], -EPERM, "status of another domain's port");
	check_eq("EVTCHN-UNPRIV-3", a[2], -EPERM, "reset of another domain");
	check("EVTCHN-UNPRIV-4", a[3] == -ESRCH && a[5] == -ESRCH && a[6] == -ESRCH, "a domain that does not exist, for each of them");
	check_eq("EVTCHN-UNPRIV-5", a[4], -EINVAL, "binding to a port of domain 0 that waits for another");
	check("EVTCHN-UNPRIV-6", a[7] > 0, "a port of its own, for whomever");
	destroy_domain(d);
	evtchn_close((uint32_t)port);
}

void test_main(void)
{
	uint16_t id = (uint16_t)create_empty(1);

	domain_max_vcpus(id, 1);
	opening(id);
	binding(id);
	resetting(id);
	limited();
	dying(id);
	unprivileged();
}
