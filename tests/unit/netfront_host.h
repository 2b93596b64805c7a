/* SPDX-License-Identifier: MIT */
/*
 * netfront on the host, for its test and its fuzzer: a grant table that knows which pages are granted and how, so whatever the backend
 * gets at is what netfront meant it to; a xenstore of what is offered and written; the backend's ends of the rings.
 */
#ifndef NETFRONT_HOST_H
#define NETFRONT_HOST_H

#include <assert.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#define PVK_TIME_H
#define PVK_BOOT_H
#include "packet_host.h"

#define PAGE_SHIFT 12
#define NSEC_PER_MSEC 1000000ul
#define WAIT_QUEUE_INIT(q) { LIST_INIT((q).waiters) }

struct thread { int unused; };
struct wait_queue { struct list waiters; };
struct timer { struct list node; u64 when; void (*fn)(void *arg); void *arg; bool armed; };
static struct { u64 nr_pages; char cmdline[64]; } boot = { 64 << 8, "" };

/* Who waits gets one round of `meanwhile`; then the time is over. */
static void (*meanwhile)(void);
static struct timer *armed;
static struct thread the_thread;

static u64 now(void) { return 1; }
static void wake_up(struct wait_queue *q) { }
static void wait_on(struct wait_queue *q)
{
	if (meanwhile)
		meanwhile();
	else if (armed)
		armed->armed = false;
}
static void timer_add(struct timer *t, u64 when) { t->armed = true; armed = t; }
static void timer_cancel(struct timer *t) { t->armed = false; armed = NULL; }
static void thread_sleep(u64 ns) { }
static struct thread *thread_create(const char *name, void (*fn)(void *), void *arg) { return &the_thread; }
static void thread_join(struct thread *t) { }
static void *kmalloc(size_t n) { return calloc(1, n); }
static void kfree(void *p) { free(p); }
static void *vmalloc(u64 n) { return malloc(n); }
static void vfree(void *p) { free(p); }
static bool parse_u64(const char *s, u64 *v)
{
	char *end;

	*v = strtoul(s, &end, 0);
	return *s && !*end;
}
bool cmdline_get(const char *line, const char *key, char *buf, size_t size)
{
	return sscanf(line, "net_queues=%7s", buf) == 1;
}

#include "../../ring-buffers/ring.c"
#include "../../drivers/frontend/netfront.c"
#include "../../drivers/frontend/netfront_bus.c"

/* --- grants and events --- */

#define REFS 2048

static struct { u64 pfn; bool used, readonly; } grants[REFS];
static u32 sent_events, masked, closed;

u32 gnttab_grant(u16 domid, u64 pfn, bool readonly)
{
	for (u32 ref = 8; ref < REFS; ref++) {
		if (grants[ref].used)
			continue;
		grants[ref].used = true;
		grants[ref].pfn = pfn;
		grants[ref].readonly = readonly;
		return ref;
	}
	return GRANT_NONE;
}

void gnttab_end_page(u32 ref, u64 pfn)
{
	assert(grants[ref].used && grants[ref].pfn == pfn);
	grants[ref].used = false;
	page_free(pfn);
}

static u8 *granted(u32 ref, bool write)
{
	assert(ref < REFS && grants[ref].used && !(write && grants[ref].readonly));
	return pfn_to_virt(grants[ref].pfn);
}

static u32 next_port = 1;

int evtchn_alloc_unbound(u16 remote, evtchn_handler_t fn, void *arg) { return next_port++; }
int evtchn_send(u32 port) { sent_events++; return 0; }
void evtchn_close(u32 port) { }
void evtchn_mask(u32 port) { masked++; }
void evtchn_unmask(u32 port) { }

/* --- the bus: what the backend offers, what netfront writes --- */

static struct frontend front;
static char offers[256], written[2048];

static u64 offered(const char *key, u64 otherwise)
{
	char *at = strstr(offers, key);

	return at && at[strlen(key)] == '=' ? strtoul(at + strlen(key) + 1, NULL, 10) : otherwise;
}

u64 front_read_u64(struct frontend *f, const char *key, u64 otherwise) { return offered(key, otherwise); }

void rings_add(struct ring_source *s)
{
}

int front_read_own(struct frontend *f, const char *key, char *buf, size_t size)
{
	return strcmp(key, "mac") ? snprintf(buf, size, "%u", ETH_MTU) : snprintf(buf, size, "%.*s", 17, "00:16:3e:01:02:03");
}

int front_write(struct frontend *f, u32 tx, const char *key, const char *fmt, ...)
{
	size_t n = strlen(written);
	va_list ap;

	n += snprintf(written + n, sizeof(written) - n, "%s=", key);
	va_start(ap, fmt);
	n += vsnprintf(written + n, sizeof(written) - n, fmt, ap);
	va_end(ap);
	snprintf(written + n, sizeof(written) - n, ";");
	return 0;
}

void frontend_close(struct frontend *f, int err) { closed++; }

void *front_ring_create(struct frontend *f, u32 order, u32 *refs)
{
	u64 pfn = page_alloc();

	memset(pfn_to_virt(pfn), 0, PAGE_SIZE);
	*refs = gnttab_grant(0, pfn, false);
	return pfn_to_virt(pfn);
}

void front_ring_destroy(void *pages, u32 order, const u32 *refs)
{
	gnttab_end_page(*refs, virt_to_pfn(pages));
}

/* --- the backend, and the device's user --- */

static struct netfront *nf;
static struct ring_back tx, rx;
static struct packet *got[64];
static u32 nr_got;

static void receive(struct net_device *d, struct packet *p)
{
	assert(nr_got < 64);
	got[nr_got++] = p;
}

static struct net_user user;
static bool attach(struct net_device *d)
{
	d->receive = receive;
	return true;
}
static void detach(struct net_device *d) { d->receive = NULL; }

static void map_rings(u32 queue)
{
	assert(!ring_back_init(&tx, nf->queues[queue].tx.shared, PAGE_SIZE, sizeof(struct netif_tx_request)));
	assert(!ring_back_init(&rx, nf->queues[queue].rx.shared, PAGE_SIZE, sizeof(struct netif_rx_request)));
}

static int start(const char *features)
{
	int err;

	snprintf(offers, sizeof(offers), "feature-rx-copy=1 %s", features);
	written[0] = 0;
	masked = closed = nr_got = 0;
	meanwhile = NULL;
	front = (struct frontend){ .path = "device/vif/0", .driver = &netfront_driver };
	err = netfront_driver.publish(&front, 1);
	if (err)
		return err;
	nf = front.data;
	assert(!netfront_driver.connected(&front));
	assert(!strcmp(nf->device.name, "eth0"));
	map_rings(0);
	return 0;
}

static void drop_got(void)
{
	while (nr_got)
		packet_put(got[--nr_got]);
}

static void stop(void)
{
	drop_got();
	netfront_driver.disconnected(&front);
	netfront_driver.removed(&front);
	for (u32 i = 0; i < REFS; i++)
		assert(!grants[i].used);
	assert(!pages_out);
}

#define ALL "feature-sg=1 feature-gso-tcpv4=1 feature-gso-tcpv6=1 feature-ipv6-csum-offload=1"

__attribute__((constructor)) static void use_device(void)
{
	user = (struct net_user){ .attach = attach, .detach = detach };
	net_user_register(&user);
}

#endif
