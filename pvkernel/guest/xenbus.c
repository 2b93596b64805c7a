/* SPDX-License-Identifier: MIT */
/*
 * A guest's way to xenstore: two rings of bytes in the page that start_info names, and one event channel.
 *
 *	thread	 lock, write header and payload, wait for reply, unlock	one request is on its way at a time
 *	reader	 header and payload; an event of a watch goes to the client, a reply to the thread that waits
 *
 * A server that breaks the protocol (indexes beyond the ring, a payload that is too long, a reply that nobody
 * asked for) has no connection with us any more: every request from then on is -ENOTCONN. The same becomes of
 * one who waits while the server's end of the channel is closed.
 */
#include <abi/errno.h>
#include <abi/xs_wire.h>

#include "../../ring-buffers/byte_ring.h"
#include "../include/boot.h"
#include "../include/evtchn.h"
#include "../include/lib.h"
#include "../include/mm.h"
#include "../include/mutex.h"
#include "../include/ops.h"
#include "../include/sched.h"
#include "../include/time.h"
#include "../include/xenstore.h"

#define LOOK_AGAIN NSEC_PER_SEC

static struct byte_ring requests, replies;
static bool usable;
static struct wait_queue changed = WAIT_QUEUE_INIT(changed);	/* anything below, or the rings */

/* The request on its way, if any. */
static struct mutex one_request = MUTEX_INIT(one_request);
static u32 last_id;
static char *reply_to;			/* NULL: no reply is expected */
static u32 reply_type;			/* what it must have, or XS_ERROR */
static int reply_result;

static u32 port(void)
{
	return boot.start_info->store_evtchn;
}

static void wake(void *unused)
{
	wake_up(&changed);
}

/* A server that goes away sends no event. Interrupts are disabled. */
static void wait_for_server(void)
{
	static struct timer recheck = { .fn = wake };

	timer_add(&recheck, now() + LOOK_AGAIN);
	wait_on(&changed);
	timer_cancel(&recheck);
	if (!evtchn_connected(port()))
		usable = false;
}

static void give_up(const char *why)
{
	printf("xenstore: %s; the connection is given up\n", why);
	usable = false;
	wake_up(&changed);
}

/* --- requests --- */

static bool send(const void *bytes, u32 length)
{
	const char *at = bytes;

	while (length && usable) {
		bool notify = false;
		int n = byte_ring_write(&requests, at, length, &notify);

		if (notify)
			evtchn_send(port());
		if (n > 0) {
			at += n;
			length -= n;
		} else if (n < 0) {
			give_up("its indexes are beyond the ring");
		} else {
			wait_for_server();
		}
	}
	return usable;
}

static int exchange(u32 type, u32 tx, const void *payload, u32 length, char *reply)
{
	struct xsd_sockmsg header = { .type = type, .req_id = ++last_id, .tx_id = tx, .len = length };

	reply_to = reply;
	reply_type = type;
	reply_result = -ENOTCONN;
	if (send(&header, sizeof(header)) && send(payload, length)) {
		while (reply_to && usable)
			wait_for_server();
	}
	reply_to = NULL;
	return reply_result;
}

int xs_exchange(u32 type, u32 tx, const void *payload, u32 length, char *reply)
{
	bool irq;
	int result;

	if (length > XENSTORE_PAYLOAD_MAX)
		return -E2BIG;
	mutex_lock(&one_request);
	irq = irq_save();
	result = usable ? exchange(type, tx, payload, length, reply) : -ENOTCONN;
	irq_restore(irq);
	mutex_unlock(&one_request);
	return result;
}

/* --- replies and events --- */

/* The reader is the only one here, so only the wait needs interrupts disabled. */
static bool receive(void *bytes, u32 length)
{
	char *at = bytes;
	bool irq = irq_save();

	while (length && usable) {
		bool notify = false;
		int n = byte_ring_read(&replies, at, length, &notify);

		if (notify)
			evtchn_send(port());
		if (n > 0) {
			at += n;
			length -= n;
		} else if (n < 0) {
			give_up("its indexes are beyond the ring");
		} else {
			wait_on(&changed);
		}
	}
	irq_restore(irq);
	return usable;
}

/* path NUL token NUL */
static void take_event(const char *payload, u32 length)
{
	u32 path = strlen(payload) + 1;

	if (path < length)
		xs_watch_event(payload, payload + path);
}

static void take_reply(const struct xsd_sockmsg *header, const char *payload)
{
	bool irq = irq_save();

	if (!reply_to || header->req_id != last_id || (header->type != reply_type && header->type != XS_ERROR)) {
		give_up("a reply that nobody asked for");
	} else if (header->type == XS_ERROR) {
		reply_result = -xs_errno(payload);
	} else {
		memcpy(reply_to, payload, header->len + 1);
		reply_result = header->len;
	}
	reply_to = NULL;
	wake_up(&changed);
	irq_restore(irq);
}

static void reader(void *unused)
{
	static char payload[XENSTORE_PAYLOAD_MAX + 1];
	struct xsd_sockmsg header;

	while (receive(&header, sizeof(header))) {
		if (header.len > XENSTORE_PAYLOAD_MAX) {
			give_up("a payload longer than there may be");
			break;
		}
		if (!receive(payload, header.len))
			break;
		payload[header.len] = 0;
		if (header.type == XS_WATCH_EVENT)
			take_event(payload, header.len);
		else
			take_reply(&header, payload);
	}
}

void xs_init(void)
{
	u64 pfn = boot.native || boot.initial_domain ? NO_PAGE : mfn_to_pfn(boot.start_info->store_mfn);
	struct xenstore_domain_interface *page = pfn_to_virt(pfn);

	if (pfn == NO_PAGE || !evtchn_connected(port()))
		return;
	byte_ring_producer(&requests, page->req, sizeof(page->req), &page->req_prod, &page->req_cons);
	byte_ring_consumer(&replies, page->rsp, sizeof(page->rsp), &page->rsp_prod, &page->rsp_cons);
	evtchn_set_handler(port(), wake, NULL);
	usable = true;			/* before the reader looks */
	if (!thread_create("xenbus", reader, NULL))
		usable = false;
}
