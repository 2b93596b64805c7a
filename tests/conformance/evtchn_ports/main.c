/* SPDX-License-Identifier: MIT */
/*
 * The life of an event channel's port: closed, unbound, bound to another port or to a vCPU,
 * closed again; and what each operation answers to a port in the wrong state.
 */
#include "guest.h"

#define NOWHERE 0x7fffffff
#define NO_DOMAIN 99

static struct evtchn_status status(uint32_t port)
{
	struct evtchn_status op = { .dom = DOMID_SELF, .port = port, .status = 0x55 };

	if (hypercall(event_channel_op, EVTCHNOP_status, &op))
		op.status = 0x99;
	return op;
}

static int64_t bind_interdomain(uint16_t dom, uint32_t remote)
{
	struct evtchn_bind_interdomain op = { .remote_dom = dom, .remote_port = remote };
	int64_t r = hypercall(event_channel_op, EVTCHNOP_bind_interdomain, &op);

	return r ? r : op.local_port;
}

static int64_t bind_vcpu(uint32_t port, uint32_t vcpu)
{
	struct evtchn_bind_vcpu op = { .port = port, .vcpu = vcpu };

	return hypercall(event_channel_op, EVTCHNOP_bind_vcpu, &op);
}

static uint32_t lowest_closed(void)
{
	uint32_t port = 1;

	while (status(port).status != EVTCHNSTAT_closed)
		port++;
	return port;
}

static void all_operations(void)
{
	static const int known[] = { 0, 1, 3, 4, 5, 6, 7, 8, 9, 10 };
	struct evtchn_alloc_unbound *op = page_alloc();
	bool all = true;

	check_eq("EVTCHN-OP-1", hypercall(event_channel_op, 99, 0), -ENOSYS, "an unknown sub-operation");
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		all = all && hypercall(event_channel_op, known[i], UNMAPPED) == -EFAULT;
	check("EVTCHN-OP-2", all, "an unmapped structure is -EFAULT for each");
	op->dom = op->remote_dom = DOMID_SELF;
	make_readonly(op);
	check_eq("EVTCHN-OP-3", hypercall(event_channel_op, EVTCHNOP_alloc_unbound, op), -EFAULT,
		 "a result that cannot be written");
	map_back(op);
}

static void alloc(void)
{
	uint32_t expected = lowest_closed();
	int64_t first = evtchn_alloc_unbound(DOMID_SELF, DOMID_SELF), second;
	struct evtchn_status s = status((uint32_t)first);

	check("EVTCHN-ALLOC-1",
	      first == expected && first >= 1 && s.status == EVTCHNSTAT_unbound && s.u.unbound.dom == 0,
	      "an unbound port that waits for the caller");
	check_eq("EVTCHN-ALLOC-7", s.vcpu, 0, "a new port notifies vCPU 0");
	check("EVTCHN-ALLOC-8",
	      !port_pending((uint32_t)first) && !(shared_info->evtchn_mask[0] >> first & 1),
	      "a new port is not pending, its mask bit unchanged");
	second = evtchn_alloc_unbound(DOMID_SELF, DOMID_SELF);
	check("EVTCHN-ALLOC-2", second > first, "the next port is the next closed one");
	evtchn_close((uint32_t)first);
	check_eq("EVTCHN-ALLOC-3", evtchn_alloc_unbound(DOMID_SELF, DOMID_SELF), first,
		 "a closed port is given again");
	evtchn_close((uint32_t)first);
	check_eq("EVTCHN-ALLOC-4", evtchn_alloc_unbound(0, DOMID_SELF), first,
		 "the own domain by its number");
	check_eq("EVTCHN-ALLOC-5", evtchn_alloc_unbound(NO_DOMAIN, DOMID_SELF), -ESRCH,
		 "a domain that does not exist");
	evtchn_close((uint32_t)first);
	first = evtchn_alloc_unbound(DOMID_SELF, NO_DOMAIN);
	check("EVTCHN-ALLOC-6", first > 0 && status((uint32_t)first).u.unbound.dom == NO_DOMAIN,
	      "whether the remote exists is not checked");
	evtchn_close((uint32_t)first);
	evtchn_close((uint32_t)second);
}

static void interdomain(void)
{
	int64_t remote = evtchn_alloc_unbound(DOMID_SELF, DOMID_SELF),
		local = bind_interdomain(DOMID_SELF, (uint32_t)remote), other;
	struct evtchn_status a = status((uint32_t)remote), b = status((uint32_t)local);
	uint32_t closed;

	check("EVTCHN-INTER-1",
	      a.status == EVTCHNSTAT_interdomain && b.status == EVTCHNSTAT_interdomain &&
		      a.u.interdomain.port == local && b.u.interdomain.port == remote,
	      "two ports of one domain are the ends of a channel");
	check("EVTCHN-INTER-2", port_pending((uint32_t)local), "the new end is pending");
	check("EVTCHN-INTER-8", !port_pending((uint32_t)remote), "the other is not");
	closed = lowest_closed();
	check_eq("EVTCHN-INTER-3", bind_interdomain(DOMID_SELF, (uint32_t)remote), -EINVAL,
		 "a port that is bound");
	other = evtchn_alloc_unbound(DOMID_SELF, NO_DOMAIN);
	check_eq("EVTCHN-INTER-4", bind_interdomain(DOMID_SELF, (uint32_t)other), -EINVAL,
		 "a port that waits for another domain");
	evtchn_close((uint32_t)other);
	check("EVTCHN-INTER-5",
	      bind_interdomain(DOMID_SELF, closed) == -EINVAL &&
		      bind_interdomain(DOMID_SELF, 0) == -EINVAL &&
		      bind_interdomain(DOMID_SELF, NOWHERE) == -EINVAL,
	      "a closed port, port 0, a port out of range");
	check_eq("EVTCHN-INTER-6", bind_interdomain(NO_DOMAIN, 1), -ESRCH,
		 "a domain that does not exist");
	check_eq("EVTCHN-INTER-7", lowest_closed(), closed, "refused calls use up no port");
	evtchn_close((uint32_t)remote);
	evtchn_close((uint32_t)local);
}

static void ipi(void)
{
	int64_t port = evtchn_bind_ipi(0), second = evtchn_bind_ipi(0);
	struct evtchn_status s = status((uint32_t)port);

	check("EVTCHN-IPI-1", port > 0 && s.status == EVTCHNSTAT_ipi && s.vcpu == 0,
	      "a port to notify vCPU 0");
	check_eq("EVTCHN-IPI-2", evtchn_bind_ipi(1000), -ENOENT, "a vCPU that does not exist");
	check("EVTCHN-IPI-3", evtchn_send((uint32_t)port) == 0 && port_pending((uint32_t)port),
	      "sending makes the port itself pending");
	check("EVTCHN-IPI-4", second > 0 && second != port, "several for one vCPU");
	check_eq("EVTCHN-VCPU-2", bind_vcpu((uint32_t)port, 0), -EINVAL, "it cannot be moved to a vCPU");
	check_eq("EVTCHN-STATUS-5", s.vcpu, 0, "its status says which vCPU");
	evtchn_close((uint32_t)port);
	evtchn_close((uint32_t)second);
}

static void send(void)
{
	uint32_t peer, unbound = (uint32_t)evtchn_alloc_unbound(DOMID_SELF, DOMID_SELF);
	uint32_t port = (uint32_t)evtchn_loop(&peer), virq = (uint32_t)evtchn_bind_virq(VIRQ_DEBUG, 0);

	port_clear(peer);
	check("EVTCHN-SEND-1", evtchn_send(port) == 0 && port_pending(peer) && !port_pending(port),
	      "the other end becomes pending");
	check("EVTCHN-SEND-2", evtchn_send(unbound) == 0 && !port_pending(unbound),
	      "nothing happens on an unbound port");
	check_eq("EVTCHN-SEND-3", evtchn_send(virq), -EINVAL, "a port bound to a virtual interrupt");
	check_eq("EVTCHN-SEND-5", evtchn_send(0), -EINVAL, "port 0");
	check("EVTCHN-SEND-6",
	      evtchn_send(4096) == -EINVAL && evtchn_send(NOWHERE) == -EINVAL &&
		      evtchn_send(~0U) == -EINVAL,
	      "ports out of range");
	check("EVTCHN-SEND-8", evtchn_send(peer) == 0 && port_pending(port),
	      "each end notifies the other");
	evtchn_close(unbound);
	check_eq("EVTCHN-SEND-4", evtchn_send(unbound), -EINVAL, "a closed port");
	evtchn_close(virq);
	evtchn_close(port);
	evtchn_close(peer);
}

static void bind_to_vcpu(void)
{
	uint32_t peer, port = (uint32_t)evtchn_loop(&peer),
		       unbound = (uint32_t)evtchn_alloc_unbound(DOMID_SELF, DOMID_SELF);
	uint32_t virq = (uint32_t)evtchn_bind_virq(VIRQ_DOM_EXC, 0),
		 debug = (uint32_t)evtchn_bind_virq(VIRQ_DEBUG, 0);

	check("EVTCHN-VCPU-1",
	      bind_vcpu(unbound, 0) == 0 && bind_vcpu(port, 0) == 0 && bind_vcpu(virq, 0) == 0,
	      "unbound, interdomain and per-domain virq ports");
	check_eq("EVTCHN-VCPU-3", bind_vcpu(debug, 0), -EINVAL, "not a per-vCPU virq port");
	check("EVTCHN-VCPU-6",
	      bind_vcpu(unbound, 1000) == -ENOENT && bind_vcpu(NOWHERE, 1000) == -ENOENT,
	      "a vCPU that does not exist");
	evtchn_close(unbound);
	check_eq("EVTCHN-VCPU-4", bind_vcpu(unbound, 0), -EINVAL, "a closed port");
	check_eq("EVTCHN-VCPU-5", bind_vcpu(NOWHERE, 0), -EINVAL, "a port out of range");
	evtchn_close(virq);
	evtchn_close(debug);
	evtchn_close(port);
	evtchn_close(peer);
}

static void close(void)
{
	uint32_t peer, port = (uint32_t)evtchn_loop(&peer), ipi_port = (uint32_t)evtchn_bind_ipi(0);
	struct evtchn_status s;
	bool kinds;
	int64_t again;

	port_mask(port, true);
	evtchn_send(peer);
	kinds = evtchn_close(ipi_port) == 0 && status(ipi_port).status == EVTCHNSTAT_closed &&
		evtchn_close(port) == 0 && status(port).status == EVTCHNSTAT_closed;
	s = status(peer);
	check("EVTCHN-CLOSE-7", !port_pending(port), "a closed port is not pending");
	check("EVTCHN-CLOSE-8", shared_info->evtchn_mask[0] >> port & 1, "its mask bit stays");
	port_mask(port, false);
	check("EVTCHN-CLOSE-5", s.status == EVTCHNSTAT_unbound && s.u.unbound.dom == 0,
	      "the other end is unbound again");
	again = bind_interdomain(DOMID_SELF, peer);
	check("EVTCHN-CLOSE-6", again > 0, "and can be bound to again");
	evtchn_close((uint32_t)again);
	kinds = kinds && evtchn_close(peer) == 0;
	port = (uint32_t)evtchn_bind_virq(VIRQ_DEBUG, 0);
	check("EVTCHN-CLOSE-1", kinds && evtchn_close(port) == 0,
	      "unbound, interdomain, virq and ipi ports can be closed");
	check_eq("EVTCHN-CLOSE-2", evtchn_close(port), -EINVAL, "but once");
	check_eq("EVTCHN-CLOSE-3", evtchn_close(0), -EINVAL, "port 0");
	check("EVTCHN-CLOSE-4", evtchn_close(4096) == -EINVAL && evtchn_close(~0U) == -EINVAL,
	      "ports out of range");
	port = (uint32_t)evtchn_alloc_unbound(DOMID_SELF, DOMID_SELF);
	bind_vcpu(port, 0);
	evtchn_close(port);
	port = (uint32_t)evtchn_alloc_unbound(DOMID_SELF, DOMID_SELF);
	check_eq("EVTCHN-CLOSE-9", status(port).vcpu, 0, "a port that is used anew notifies vCPU 0");
	evtchn_close(port);
}

static void statuses(void)
{
	uint32_t peer, unbound = (uint32_t)evtchn_alloc_unbound(DOMID_SELF, 7),
		       port = (uint32_t)evtchn_loop(&peer);
	uint32_t virq = (uint32_t)evtchn_bind_virq(VIRQ_DEBUG, 0);
	struct evtchn_status s = { .dom = NO_DOMAIN, .port = 1 };

	check("EVTCHN-STATUS-1",
	      status(0).status == EVTCHNSTAT_closed &&
		      status(lowest_closed()).status == EVTCHNSTAT_closed,
	      "port 0 and closed ports");
	check_eq("EVTCHN-STATUS-2", status(unbound).u.unbound.dom, 7, "unbound: the domain waited for");
	check("EVTCHN-STATUS-3",
	      status(port).u.interdomain.dom == 0 && status(port).u.interdomain.port == peer,
	      "interdomain: the other end");
	check("EVTCHN-STATUS-4",
	      status(virq).status == EVTCHNSTAT_virq && status(virq).u.virq == VIRQ_DEBUG,
	      "virq: its number");
	check_eq("EVTCHN-STATUS-7", hypercall(event_channel_op, EVTCHNOP_status, &s), -ESRCH,
		 "a domain that does not exist");
	s = (struct evtchn_status){ .dom = DOMID_SELF, .port = NOWHERE };
	check_eq("EVTCHN-STATUS-6", hypercall(event_channel_op, EVTCHNOP_status, &s), -EINVAL,
		 "a port out of range");
	s = (struct evtchn_status){ .dom = 0, .port = port };
	check("EVTCHN-STATUS-8",
	      hypercall(event_channel_op, EVTCHNOP_status, &s) == 0 &&
		      s.status == EVTCHNSTAT_interdomain,
	      "the own domain by its number");
	check("EVTCHN-STATUS-9", s.dom == 0 && s.port == port, "dom and port are as they were");
	evtchn_close(unbound);
	evtchn_close(port);
	evtchn_close(peer);
	evtchn_close(virq);
}

void test_main(void)
{
	all_operations();
	alloc();
	interdomain();
	ipi();
	send();
	bind_to_vcpu();
	close();
	statuses();
}
