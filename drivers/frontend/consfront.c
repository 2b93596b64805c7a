/* SPDX-License-Identifier: MIT */
/*
 * A guest's console: two rings of bytes in a page that start_info names, and one event channel for both
 * directions. The other end is a terminal, so a line ends with CR LF.
 *
 * Output may come before events and threads work, and from interrupt level, as a panic does. Who prints with
 * interrupts enabled sleeps while the ring is full, as long as it takes, and others go on; who prints with them
 * disabled cannot, and looks again every millisecond, but only for a second altogether until the ring has been
 * half empty: a panic must end the domain even if the backend never reads, or a byte at a time. Without a backend
 * (the port is not connected) nobody waits. Bytes that are given up are lost.
 *
 * An event follows every piece of output and input taken, also where the ring's own rule would save it: backends
 * of other toolstacks look at the ring once for each event.
 */
#include <abi/console.h>
#include <abi/sched.h>

#include "../../pvkernel/include/boot.h"
#include "../../pvkernel/include/console.h"
#include "../../pvkernel/include/evtchn.h"
#include "../../pvkernel/include/hypercall.h"
#include "../../pvkernel/include/lib.h"
#include "../../pvkernel/include/mm.h"
#include "../../pvkernel/include/ops.h"
#include "../../pvkernel/include/sched.h"
#include "../../pvkernel/include/time.h"
#include "../../ring-buffers/byte_ring.h"

#define PATIENCE NSEC_PER_SEC

static struct byte_ring in, out;
static bool started;
static struct wait_queue writers = WAIT_QUEUE_INIT(writers);
static u64 patience = PATIENCE;	/* ns left to wait for who cannot sleep */
static bool writing;		/* a thread is, and may sleep: others wait, so that lines stay whole */

/* A backend that goes away sends no event, so those who wait for it look at times. */
static void look_again(void *unused)
{
	wake_up(&writers);
}

static struct timer recheck = { .fn = look_again };

static u32 port(void)
{
	return boot.start_info->console.domU.evtchn;
}

/* The first caller finds the rings; no other page of ours is ever the ring, so 0 means that there is none. */
static bool start(void)
{
	u64 pfn = started ? NO_PAGE : mfn_to_pfn(boot.start_info->console.domU.mfn);
	struct xencons_interface *page = (struct xencons_interface *)(VIRT_BASE + (pfn << PAGE_SHIFT));

	if (pfn != NO_PAGE) {
		byte_ring_producer(&out, page->out, sizeof(page->out), &page->out_prod, &page->out_cons);
		byte_ring_consumer(&in, page->in, sizeof(page->in), &page->in_prod, &page->in_cons);
		started = true;
	}
	return started;
}

static void pause_a_millisecond(void)
{
	u64 from = now();
	struct sched_poll poll = { .timeout = from + NSEC_PER_MSEC };

	HYPERVISOR_sched_op(SCHEDOP_poll, &poll);
	patience -= MIN(patience, now() - from);
}

/* The ring is full. False: there will be no room. Interrupts are disabled here; may_sleep: for us alone. */
static bool wait_for_room(bool may_sleep)
{
	while (byte_ring_room(&out) == 0) {
		if (!evtchn_connected(port()) || (!may_sleep && !patience))
			return false;
		if (may_sleep) {
			timer_add(&recheck, now() + PATIENCE);
			wait_on(&writers);
		} else {
			pause_a_millisecond();
		}
	}
	return byte_ring_room(&out) > 0;
}

static bool put(const char *text, size_t len, bool may_sleep)
{
	while (len) {
		bool notify = false;
		int n = byte_ring_write(&out, text, len, &notify);

		if (n < 0)
			return false;
		if (byte_ring_room(&out) >= (int)out.size / 2)
			patience = PATIENCE;
		text += n;
		len -= n;
		if (!len)
			break;
		evtchn_send(port());
		if (!wait_for_room(may_sleep))
			return false;
	}
	return true;
}

static size_t up_to_newline(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && text[n] != '\n')
		n++;
	return n;
}

static void consfront_write(const char *text, size_t len)
{
	bool irq = irq_save();
	bool go_on = start();

	while (irq && writing)
		wait_on(&writers);
	writing |= irq;
	while (len && go_on) {
		size_t n = up_to_newline(text, len);
		bool newline = n < len;

		go_on = put(text, n, irq) && (!newline || put("\r\n", 2, irq));
		text += n + newline;
		len -= n + newline;
	}
	if (started)
		evtchn_send(port());
	if (irq) {
		writing = false;
		wake_up(&writers);
	}
	irq_restore(irq);
}

static size_t consfront_read(char *buf, size_t size)
{
	bool notify = false;
	int n = start() ? byte_ring_read(&in, buf, size, &notify) : 0;

	if (n <= 0)
		return 0;
	evtchn_send(port());
	return n;
}

static void event(void *unused)
{
	wake_up(&writers);
	console_poll_input(NULL);
}

static void consfront_listen(void)
{
	if (start())
		evtchn_set_handler(port(), event, NULL);
}

const struct console_driver consfront = { consfront_write, consfront_read, consfront_listen };
