/* SPDX-License-Identifier: MIT */
/*
 * Event channels, two levels:
 *
 *	vcpu_info->evtchn_upcall_pending		look at all
 *	vcpu_info->evtchn_pending_sel	bit i		look at word i
 *	shared_info->evtchn_pending[i]	bit j		port 64 i + j has an event
 *	shared_info->evtchn_mask[i]	bit j		and does not tell
 *
 * The hypervisor sets from the bottom up and we clear from the top down, so an event that comes while
 * we look is either seen by this scan or makes the flag above it again.
 */
#include <abi/event_channel.h>
#include <abi/callback.h>

#include "boot.h"
#include "evtchn.h"
#include "hypercall.h"
#include "lib.h"
#include "ops.h"

#define MAX_PORTS EVTCHN_2L_NR_CHANNELS

static struct channel {
	evtchn_handler_t fn;
	void *arg;
} channels[MAX_PORTS];

static u64 take_all(u64 *word)
{
	return __atomic_exchange_n(word, 0, __ATOMIC_ACQ_REL);
}

static void set_bit(u64 *words, u32 bit)
{
	__atomic_or_fetch(&words[bit / 64], 1ul << bit % 64, __ATOMIC_ACQ_REL);
}

static void clear_bit(u64 *words, u32 bit)
{
	__atomic_and_fetch(&words[bit / 64], ~(1ul << bit % 64), __ATOMIC_ACQ_REL);
}

static void deliver(u32 port)
{
	struct channel *c = port < MAX_PORTS ? &channels[port] : NULL;

	clear_bit(shared_info->evtchn_pending, port);
	if (!c || !c->fn) {
		set_bit(shared_info->evtchn_mask, port);
		return;
	}
	c->fn(c->arg);
}

void evtchn_upcall(void)
{
	while (__atomic_exchange_n(&vcpu_info->evtchn_upcall_pending, 0, __ATOMIC_ACQ_REL)) {
		u64 words = take_all(&vcpu_info->evtchn_pending_sel);

		for (; words; words &= words - 1) {
			u32 i = __builtin_ctzll(words);
			u64 bits = READ_ONCE(shared_info->evtchn_pending[i]) &
				   ~READ_ONCE(shared_info->evtchn_mask[i]);

			for (; bits; bits &= bits - 1)
				deliver(i * 64 + __builtin_ctzll(bits));
		}
	}
}

void evtchn_mask(u32 port)
{
	set_bit(shared_info->evtchn_mask, port);
}

void evtchn_unmask(u32 port)
{
	struct evtchn_unmask arg = { port };

	HYPERVISOR_event_channel_op(EVTCHNOP_unmask, &arg);
}

void evtchn_set_handler(u32 port, evtchn_handler_t fn, void *arg)
{
	if (port >= MAX_PORTS)
		panic("event port %u is beyond this kernel's %u", port, MAX_PORTS);
	channels[port] = (struct channel){ fn, arg };
	evtchn_unmask(port);
}

int evtchn_bind_virq(u32 virq, evtchn_handler_t fn, void *arg)
{
	struct evtchn_bind_virq op = { .virq = virq };
	int err = HYPERVISOR_event_channel_op(EVTCHNOP_bind_virq, &op);

	if (err)
		return err;
	evtchn_set_handler(op.port, fn, arg);
	return op.port;
}

int evtchn_bind_ipi(evtchn_handler_t fn, void *arg)
{
	struct evtchn_bind_ipi op = { 0 };
	int err = HYPERVISOR_event_channel_op(EVTCHNOP_bind_ipi, &op);

	if (err)
		return err;
	evtchn_set_handler(op.port, fn, arg);
	return op.port;
}

int evtchn_bind_pirq(u32 pirq, bool share, evtchn_handler_t fn, void *arg)
{
	struct evtchn_bind_pirq op = { .pirq = pirq, .flags = share ? BIND_PIRQ__WILL_SHARE : 0 };
	int err = HYPERVISOR_event_channel_op(EVTCHNOP_bind_pirq, &op);

	if (err)
		return err;
	evtchn_set_handler(op.port, fn, arg);
	return op.port;
}

int evtchn_alloc_unbound(u16 remote, evtchn_handler_t fn, void *arg)
{
	struct evtchn_alloc_unbound op = { .dom = DOMID_SELF, .remote_dom = remote };
	int err = HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &op);

	if (err)
		return err;
	evtchn_set_handler(op.port, fn, arg);
	return op.port;
}

int evtchn_bind_interdomain(u16 remote, u32 remote_port, evtchn_handler_t fn, void *arg)
{
	struct evtchn_bind_interdomain op = { .remote_dom = remote, .remote_port = remote_port };
	int err = HYPERVISOR_event_channel_op(EVTCHNOP_bind_interdomain, &op);

	if (err)
		return err;
	evtchn_set_handler(op.local_port, fn, arg);
	return op.local_port;
}

int evtchn_send(u32 port)
{
	struct evtchn_send op = { port };

	return HYPERVISOR_event_channel_op(EVTCHNOP_send, &op);
}

bool evtchn_connected(u32 port)
{
	struct evtchn_status status = { .dom = DOMID_SELF, .port = port };

	return !HYPERVISOR_event_channel_op(EVTCHNOP_status, &status) && status.status == EVTCHNSTAT_interdomain;
}

void evtchn_close(u32 port)
{
	struct evtchn_close op = { port };

	/* Before it is free for another thread. */
	evtchn_mask(port);
	channels[port] = (struct channel){ 0 };
	HYPERVISOR_event_channel_op(EVTCHNOP_close, &op);
}

static void register_callback(u16 type, u16 flags, const char *entry)
{
	struct callback_register cb = { .type = type, .flags = flags, .address = (u64)entry };
	long err = HYPERVISOR_callback_op(CALLBACKOP_register, &cb);

	if (err)
		panic("callback type %u refused: %ld", type, err);
}

/* Nothing tells until it has a handler. */
void evtchn_init(void)
{
	extern char upcall_entry[], failsafe_entry[], syscall_entry[];

	for (unsigned int i = 0; i < ARRAY_SIZE(shared_info->evtchn_mask); i++)
		WRITE_ONCE(shared_info->evtchn_mask[i], ~0ul);
	register_callback(CALLBACKTYPE_event, CALLBACKF_mask_events, upcall_entry);
	register_callback(CALLBACKTYPE_failsafe, CALLBACKF_mask_events, failsafe_entry);
	register_callback(CALLBACKTYPE_syscall, CALLBACKF_mask_events, syscall_entry);
}
