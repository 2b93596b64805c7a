/* SPDX-License-Identifier: MIT */
/*
 * The receiving side of 2-level events. An upcall clears upcall_pending, takes the selector
 * word, then every pending port of each selected word that is not masked: cleared, counted,
 * told to the test's hook.
 */
#include "guest.h"
#include <abi/event_channel.h>

unsigned int upcalls;
struct regs upcall_regs;
unsigned int event_count[4096];
void (*event_hook)(struct regs *regs, unsigned int port);
void event_upcall(struct regs *regs);

static void one_port(struct regs *regs, unsigned int port)
{
	port_clear(port);
	event_count[port]++;
	if (event_hook)
		event_hook(regs, port);
}

void event_upcall(struct regs *regs)
{
	uint64_t selected, bits;

	upcalls++;
	upcall_regs = *regs;
	vcpu_info->evtchn_upcall_pending = 0;
	selected = __atomic_exchange_n(&vcpu_info->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
	while (selected) {
		unsigned int word = (unsigned int)__builtin_ctzll(selected);

		selected &= selected - 1;
		bits = shared_info->evtchn_pending[word] & ~shared_info->evtchn_mask[word];
		for (; bits; bits &= bits - 1)
			one_port(regs, word * 64 + (unsigned int)__builtin_ctzll(bits));
	}
}

void deliver_events(void)
{
	mask_upcalls(false);
	hypercall(xen_version, 0, 0);
}

bool port_pending(unsigned int port)
{
	return __atomic_load_n(&shared_info->evtchn_pending[port / 64], __ATOMIC_SEQ_CST) >>
		       (port % 64) &
	       1;
}

void port_clear(unsigned int port)
{
	__atomic_and_fetch(&shared_info->evtchn_pending[port / 64], ~(1UL << (port % 64)),
			   __ATOMIC_SEQ_CST);
}

void port_mask(unsigned int port, bool mask)
{
	uint64_t bit = 1UL << (port % 64);

	if (mask)
		__atomic_or_fetch(&shared_info->evtchn_mask[port / 64], bit, __ATOMIC_SEQ_CST);
	else
		__atomic_and_fetch(&shared_info->evtchn_mask[port / 64], ~bit, __ATOMIC_SEQ_CST);
}

int64_t evtchn_alloc_unbound(uint16_t dom, uint16_t remote)
{
	struct evtchn_alloc_unbound op = { .dom = dom, .remote_dom = remote };
	int64_t r = hypercall(event_channel_op, EVTCHNOP_alloc_unbound, &op);

	return r ? r : op.port;
}

int64_t evtchn_send(uint32_t port)
{
	struct evtchn_send op = { .port = port };

	return hypercall(event_channel_op, EVTCHNOP_send, &op);
}

int64_t evtchn_close(uint32_t port)
{
	struct evtchn_close op = { .port = port };

	return hypercall(event_channel_op, EVTCHNOP_close, &op);
}

int64_t evtchn_bind_ipi(uint32_t vcpu)
{
	struct evtchn_bind_ipi op = { .vcpu = vcpu };
	int64_t r = hypercall(event_channel_op, EVTCHNOP_bind_ipi, &op);

	return r ? r : op.port;
}

int64_t evtchn_bind_virq(uint32_t virq, uint32_t vcpu)
{
	struct evtchn_bind_virq op = { .virq = virq, .vcpu = vcpu };
	int64_t r = hypercall(event_channel_op, EVTCHNOP_bind_virq, &op);

	return r ? r : op.port;
}

int64_t evtchn_loop(uint32_t *peer)
{
	struct evtchn_bind_interdomain bind = { .remote_dom = DOMID_SELF };
	int64_t first = evtchn_alloc_unbound(DOMID_SELF, DOMID_SELF), r;

	if (first < 0)
		return first;
	bind.remote_port = (uint32_t)first;
	r = hypercall(event_channel_op, EVTCHNOP_bind_interdomain, &bind);
	*peer = bind.local_port;
	return r ? r : first;
}
