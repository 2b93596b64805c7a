/* SPDX-License-Identifier: MIT */
/*
 * The server's thread, and domain 0 as a client of it.
 *
 *	ready	connections that have to be looked at, by turns: an event from the domain or for it puts one at
 *		the end, and so does the server when it stops after TURNS messages with more to do
 *	event	masks the port until the domain has been looked at: one that floods us with them gets one through
 *
 * The store has one lock. Domain 0's requests take it, by turns with the server's thread however busy guests keep that, and are
 * answered in the caller's own thread; the events of its watches are handed on by the server's. The list `ready` is touched by
 * interrupts, so with interrupts disabled.
 */
#include <abi/sched.h>

#include "../../include/evtchn.h"
#include "../../include/insn.h"
#include "../../include/mutex.h"
#include "../../include/ops.h"
#include "../../include/sched.h"
#include "../../include/xenstore.h"
#include "../xenstored.h"
#include "connection.h"

#define TURNS 8

struct domain {
	struct connection connection;
	struct list all_node, ready_node;
	u32 port;
	bool died;			/* @releaseDomain has told so */
};

static struct list domains = LIST_INIT(domains), ready = LIST_INIT(ready);
static struct wait_queue work = WAIT_QUEUE_INIT(work);
static struct mutex store = MUTEX_INIT(store);
static struct client local;
static bool local_events, running;

/* --- who has to be looked at ------------------------------------------------------------------ */

static void make_ready(struct domain *d)
{
	bool irq = irq_save();

	if (list_empty(&d->ready_node))
		list_insert_before(&ready, &d->ready_node);
	wake_up(&work);
	irq_restore(irq);
}

static void event_from(void *arg)
{
	struct domain *d = arg;

	evtchn_mask(d->port);
	make_ready(d);
}

static void event_for(struct client *c)
{
	make_ready(CONTAINER_OF(c, struct domain, connection.client));
}

static void event_for_local(struct client *c)
{
	bool irq = irq_save();

	local_events = true;
	wake_up(&work);
	irq_restore(irq);
}

static struct domain *find(u16 domid)
{
	list_for_each(at, &domains) {
		struct domain *d = list_entry(at, struct domain, all_node);

		if (d->connection.client.domid == domid)
			return d;
	}
	return NULL;
}

static struct domain *next_ready(void)
{
	bool irq = irq_save();
	struct domain *d = list_empty(&ready) ? NULL : list_entry(ready.next, struct domain, ready_node);

	if (d)
		list_remove(&d->ready_node);
	irq_restore(irq);
	return d;
}

/* --- what requests may ask of the server; the lock is held ------------------------------------- */

static void disconnect(struct domain *d)
{
	bool irq = irq_save();

	evtchn_set_handler(d->port, NULL, NULL);
	list_remove(&d->ready_node);
	list_remove(&d->all_node);
	irq_restore(irq);
	connection_fini(&d->connection);
	kfree(d);
}

static void forget_target(u16 domid)
{
	list_for_each(at, &domains) {
		struct client *c = &list_entry(at, struct domain, all_node)->connection.client;

		if (c->target == domid)
			c->target = -1;
	}
}

static int do_release(u16 domid)
{
	struct domain *d = find(domid);

	if (d)
		disconnect(d);
	forget_target(domid);
	store_forget_domain(domid);
	watch_fire_special(SPECIAL_RELEASE, domid);
	return d ? 0 : -ENOENT;
}

static int do_resume(u16 domid)
{
	struct domain *d = find(domid);

	if (!d)
		return -ENOENT;
	d->died = false;
	return 0;
}

static int do_set_target(u16 domid, u16 target)
{
	struct domain *d = find(domid);

	if (!d || !find(target))
		return -ENOENT;
	d->connection.client.target = target;
	return 0;
}

static bool introduced(u16 domid)
{
	return !domid || find(domid);
}

/* Page and channel of a domain are the toolstack's to map; it is in this kernel and calls xenstored_introduce(). */
static int no_introduce(u16 domid, u64 gfn, u32 port)
{
	return find(domid) ? 0 : -ENOSYS;
}

static const struct request_ops ops = {
	.introduce = no_introduce,
	.release = do_release,
	.resume = do_resume,
	.set_target = do_set_target,
	.introduced = introduced,
};

/* --- the thread ------------------------------------------------------------------------------- */

static void serve(struct domain *d)
{
	bool notify = false, more = connection_serve(&d->connection, &ops, TURNS, &notify);

	if (notify && evtchn_send(d->port)) {
		connection_fail(&d->connection, XENSTORE_ERROR_COMM);
		more = false;
	}
	if (more)
		make_ready(d);
	else
		evtchn_unmask(d->port);
}

/* The callbacks may take the lock again, so it is held only to take an event out. */
static void hand_on_local_events(void)
{
	static char payload[XENSTORE_PAYLOAD_MAX + 1];
	u32 length;

	for (;;) {
		mutex_lock(&store);
		local_events = false;
		length = watch_take_event(&local, payload);
		mutex_unlock(&store);
		if (!length)
			return;
		xs_watch_event(payload, payload + strlen(payload) + 1);
	}
}

static void server(void *unused)
{
	for (;;) {
		struct domain *d;
		bool irq = irq_save();

		while (list_empty(&ready) && !local_events)
			wait_on(&work);
		irq_restore(irq);
		mutex_lock(&store);
		d = next_ready();
		if (d)
			serve(d);
		mutex_unlock(&store);
		if (local_events)
			hand_on_local_events();
	}
}

/* --- the toolstack's side ---------------------------------------------------------------------- */

int xenstored_introduce(u16 domid, void *ring_page, u32 port)
{
	struct domain *d = kmalloc(sizeof(*d));
	int err = !running ? -ENOTCONN : d && account_of(domid) ? 0 : -ENOMEM;

	if (err) {
		kfree(d);
		return err;
	}
	mutex_lock(&store);
	if (find(domid)) {
		mutex_unlock(&store);
		kfree(d);
		return -EEXIST;
	}
	connection_init(&d->connection, domid, ring_page, event_for);
	d->port = port;
	list_init(&d->ready_node);
	list_insert_before(&domains, &d->all_node);
	evtchn_set_handler(port, event_from, d);
	watch_fire_special(SPECIAL_INTRODUCE, domid);
	make_ready(d);
	mutex_unlock(&store);
	return 0;
}

void xenstored_release(u16 domid)
{
	if (!running)
		return;
	mutex_lock(&store);
	do_release(domid);
	mutex_unlock(&store);
}

void xenstored_domain_died(u16 domid)
{
	struct domain *d;

	if (!running)
		return;
	mutex_lock(&store);
	d = find(domid);
	if (!d || !d->died)
		watch_fire_special(SPECIAL_RELEASE, domid);
	if (d)
		d->died = true;
	mutex_unlock(&store);
}

static void first_nodes(void)
{
	xs_mkdir(XS_NO_TX, "/tool/xenstored");
	xs_mkdir(XS_NO_TX, "/vm");
	xs_write(XS_NO_TX, "/local/domain/0/domid", "0");
	xs_write(XS_NO_TX, "/local/domain/0/name", "Domain-0");
}

void xenstored_init(void)
{
	if (running)
		return;
	client_init(&local, 0, event_for_local);
	if (store_init(rdtsc()) || !thread_create("xenstored", server, NULL))
		panic("no memory for xenstore");
	running = true;
	first_nodes();
}

/* --- domain 0 as a client ----------------------------------------------------------------------- */

void xs_init(void)
{
	xenstored_init();
}

static int result_of(const char *answer, u32 length, char *reply)
{
	struct xsd_sockmsg head;

	memcpy(&head, answer, sizeof(head));
	if (head.type == XS_ERROR)
		return -xs_errno(answer + sizeof(head));
	memcpy(reply, answer + sizeof(head), head.len);
	reply[head.len] = 0;
	return head.len;
}

int xs_exchange(u32 type, u32 tx, const void *payload, u32 length, char *reply)
{
	static char in[XENSTORE_PAYLOAD_MAX + 1], out[MESSAGE_MAX + 1];
	struct xsd_sockmsg head = { .type = type, .tx_id = tx, .len = length };
	int result;

	if (!running)
		return -ENOTCONN;
	if (length > XENSTORE_PAYLOAD_MAX)
		return -E2BIG;
	mutex_lock(&store);
	memcpy(in, payload, length);
	result = result_of(out, request_handle(&local, &ops, &head, in, out), reply);
	mutex_unlock(&store);
	return result;
}
