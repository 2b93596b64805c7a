/* SPDX-License-Identifier: MIT */
/*
 * The network backend: features are published, a frontend's rings and channels connected, and each vif has a thread. The thread takes what
 * the guest sends in batches and yields after each, so a guest that sends without end shares domain 0 with all others; what the guest
 * gets is handed over by whoever sends it, and by the thread when the guest has posted buffers.
 *
 *	event	masks its port: the guest gets one through until the thread has looked. The thread is due
 *	idle	nothing to take: the rings are asked for events, ports unmasked, and the thread sleeps. After IDLE_EVENTS
 *		events that brought nothing it sleeps PAUSE first: a guest that only makes events costs little
 *
 * Offered: copied receiving, scatter-gather, checksum and segmentation offload for IPv4 and IPv6, two channels a queue, several queues,
 * multicast control. Not offered: page flipping, the control ring (a guest's own hashes), room in front for XDP.
 */
#include <abi/errno.h>

#include "../../pvkernel/control/network/filter.h"
#include "../../pvkernel/include/boot.h"
#include "../../pvkernel/include/evtchn.h"
#include "../../pvkernel/include/lib.h"
#include "../../pvkernel/include/mm.h"
#include "../../pvkernel/include/ops.h"
#include "../../pvkernel/include/rings.h"
#include "netback.h"

#define IDLE_EVENTS 16
#define PAUSE NSEC_PER_MSEC
#define STARVED_POLL (10 * NSEC_PER_MSEC)	/* for a guest that makes no event when it posts buffers */
#define WATCH_TICK NSEC_PER_SEC
#define PORT_MAX 0x1ffffu
#define PAGES_SHARE 16			/* of domain 0's memory at most so small a part waits for guests */

static struct list all = LIST_INIT(all);

/* --- the thread --- */

void netback_wake(struct vif *vif)
{
	bool irq = irq_save();

	vif->due = true;
	wake_up(&vif->wake);
	irq_restore(irq);
}

static void timeout(void *arg)
{
	netback_wake(arg);
}

void netback_broken(struct vif *vif, int err)
{
	vif->broken = err;
	netback_wake(vif);
}

static void tx_event(void *arg)
{
	struct vif_queue *q = arg;

	evtchn_mask(q->tx_port);
	q->vif->events++;
	netback_wake(q->vif);
}

static void rx_event(void *arg)
{
	struct vif_queue *q = arg;

	evtchn_mask(q->rx_port);
	q->vif->events++;
	netback_wake(q->vif);
}

/* One turn of all queues: how much was done, and whether there may be more. */
static u32 work(struct vif *vif, bool *more)
{
	u32 done = 0;

	*more = false;
	for (u32 i = 0; i < vif->nr_queues && !vif->broken; i++) {
		struct vif_queue *q = &vif->queue[i];

		u32 batches = q->rx_batches;

		*more |= netback_tx(q);
		netback_rx(q);
		done += q->nr_tx_packets + (q->rx_batches - batches);
	}
	return done;
}

static bool out_of_credit(const struct vif *vif)
{
	return vif->rate.bytes && vif->rate.credit <= 0;
}

/* True: something came while we looked. */
static bool await_requests(struct vif *vif)
{
	bool some = false;

	for (u32 i = 0; i < vif->nr_queues; i++)
		some |= ring_await_requests(&vif->queue[i].tx, 1) && !vif->queue[i].tx.broken;
	return some;
}

static bool starved(const struct vif *vif)
{
	for (u32 i = 0; i < vif->nr_queues; i++) {
		if (netback_rx_starved(&vif->queue[i]))
			return true;
	}
	return false;
}

static void unmask(struct vif *vif)
{
	for (u32 i = 0; i < vif->nr_queues; i++) {
		evtchn_unmask(vif->queue[i].tx_port);
		if (vif->queue[i].rx_port != vif->queue[i].tx_port)
			evtchn_unmask(vif->queue[i].rx_port);
	}
}

static void watch(struct vif *vif)
{
	bool waits = false;

	if (now() < vif->watch_at)
		return;
	for (u32 i = 0; i < vif->nr_queues; i++)
		waits |= netback_rx_watch(&vif->queue[i]);
	vif->watched = waits;
	vif->watch_at = now() + WATCH_TICK;
}

/* When there is something to do though no event comes; ~0: never. */
static u64 alarm(const struct vif *vif)
{
	u64 when = vif->watched ? vif->watch_at : ~0ul;

	if (out_of_credit(vif))
		return MIN(when, vif->rate.filled_at + vif->rate.interval);
	return !vif->rx_notify && starved(vif) ? MIN(when, now() + STARVED_POLL) : when;
}

static void sleep(struct vif *vif)
{
	u64 when;
	bool irq;

	if (vif->idle_events > IDLE_EVENTS) {
		vif->held_off++;
		thread_sleep(PAUSE);
	}
	if (vif->watched)
		watch(vif);
	when = alarm(vif);
	if (when != ~0ul)
		timer_add(&vif->timer, when);
	irq = irq_save();
	if (!vif->due)
		unmask(vif);
	while (!vif->due && !vif->stop)
		wait_on(&vif->wake);
	irq_restore(irq);
	timer_cancel(&vif->timer);
}

static void vif_thread(void *arg)
{
	struct vif *vif = arg;
	bool more;

	while (!vif->stop && !vif->broken) {
		vif->due = false;
		vif->idle_events = work(vif, &more) ? 0 : vif->idle_events + 1;
		if (more || vif->broken)
			thread_yield();
		else if (out_of_credit(vif) || !await_requests(vif))
			sleep(vif);
	}
	if (!vif->broken)
		return;
	back_error(vif->backend, vif->broken, "the guest breaks the protocol of its ring");
	backend_close(vif->backend, 0);
}

/* --- connecting --- */

static bool front_flag(struct backend *b, const char *key)
{
	u64 value;

	return !back_read_front_u64(b, key, 1, &value) && value;
}

static int number(struct backend *b, const char *prefix, const char *name, u64 max, u64 *value)
{
	char key[48];

	snprintf(key, sizeof(key), "%s%s", prefix, name);
	return back_read_front_u64(b, key, max, value);
}

static int bind(struct vif_queue *q, u64 port, evtchn_handler_t fn, u32 *own)
{
	int n = evtchn_bind_interdomain(q->vif->backend->domid, port, fn, q);

	if (n < 0)
		return n;
	*own = n;
	return 0;
}

static int bind_ports(struct vif_queue *q, const char *prefix)
{
	struct backend *b = q->vif->backend;
	u64 tx, rx;
	int err;

	if (!number(b, prefix, "event-channel-tx", PORT_MAX, &tx) && !number(b, prefix, "event-channel-rx", PORT_MAX, &rx)) {
		err = bind(q, tx, tx_event, &q->tx_port);
		return err ? err : bind(q, rx, rx_event, &q->rx_port);
	}
	err = number(b, prefix, "event-channel", PORT_MAX, &tx);
	if (!err)
		err = bind(q, tx, tx_event, &q->tx_port);
	q->rx_port = q->tx_port;
	return err;
}

static int map_ring(struct vif_queue *q, const char *prefix, const char *name, struct ring_mapping *m)
{
	u64 value;
	u32 ref;
	int err = number(q->vif->backend, prefix, name, ~0u, &value);

	if (err)
		return err;
	ref = value;
	return back_ring_map(q->vif->backend, &ref, 1, m);
}

static int connect_queue(struct vif_queue *q, const char *prefix)
{
	int err = map_ring(q, prefix, "tx-ring-ref", &q->tx_pages);

	if (!err)
		err = map_ring(q, prefix, "rx-ring-ref", &q->rx_pages);
	if (!err)
		err = ring_back_init(&q->tx, q->tx_pages.pages, PAGE_SIZE, sizeof(struct netif_tx_request));
	if (!err)
		err = ring_back_init(&q->rx, q->rx_pages.pages, PAGE_SIZE, sizeof(struct netif_rx_request));
	return err ? err : bind_ports(q, prefix);
}

static void disconnect_queue(struct vif_queue *q)
{
	if (q->tx_port)
		evtchn_close(q->tx_port);
	if (q->rx_port && q->rx_port != q->tx_port)
		evtchn_close(q->rx_port);
	netback_rx_drop(q);
	back_ring_unmap(&q->tx_pages);
	back_ring_unmap(&q->rx_pages);
}

static int connect_queues(struct vif *vif)
{
	char prefix[16] = "";

	for (u32 i = 0; i < vif->nr_queues; i++) {
		int err;

		if (vif->nr_queues > 1)
			snprintf(prefix, sizeof(prefix), "queue-%u/", i);
		vif->queue[i].vif = vif;
		err = connect_queue(&vif->queue[i], prefix);
		if (err) {
			back_error(vif->backend, err, "its rings or channels cannot be connected");
			return err;
		}
	}
	return 0;
}

/* What both ends can. */
static int negotiate(struct vif *vif)
{
	struct backend *b = vif->backend;
	struct net_device *d = &vif->device;
	u64 queues = 1;
	int err = back_read_front_u64(b, "multi-queue-num-queues", NETBACK_QUEUES, &queues);

	if (err == -ERANGE || !queues) {
		back_error(b, -EINVAL, "1 to %u queues are possible", NETBACK_QUEUES);
		return -EINVAL;
	}
	if (!front_flag(b, "request-rx-copy")) {
		back_error(b, -EOPNOTSUPP, "a frontend that does not ask for copied receiving (request-rx-copy) is not served");
		return -EOPNOTSUPP;
	}
	vif->nr_queues = err ? 1 : queues;
	vif->sg = front_flag(b, "feature-sg");
	vif->rx_notify = front_flag(b, "feature-rx-notify");
	vif->multicast_control = front_flag(b, "request-multicast-control");
	vif->nr_multicast = 0;
	d->can_csum = !front_flag(b, "feature-no-csum-offload");
	d->can_csum6 = front_flag(b, "feature-ipv6-csum-offload");
	d->can_gso4 = vif->sg && d->can_csum && front_flag(b, "feature-gso-tcpv4");
	d->can_gso6 = vif->sg && d->can_csum6 && front_flag(b, "feature-gso-tcpv6");
	return 0;
}

static void free_queues(struct vif *vif)
{
	struct vif_queue *queues = vif->queue;

	for (u32 i = 0; i < vif->nr_queues; i++)
		disconnect_queue(&queues[i]);
	vif->nr_queues = 0;
	vif->queue = NULL;
	kfree(queues);
}

static int start(struct vif *vif)
{
	int err = port_add(&vif->port, &vif->device, &vif->config);

	if (err) {
		back_error(vif->backend, err, err == -EEXIST ? "its address is another interface's" : "the switch has no port for it");
		return err;
	}
	vif->due = true;
	vif->stop = false;
	vif->broken = 0;
	vif->idle_events = 0;
	vif->thread = thread_create("netback", vif_thread, vif);
	if (vif->thread)
		return 0;
	port_remove(vif->port);
	return -ENOMEM;
}

static int connect(struct backend *b)
{
	struct vif *vif = b->data;
	int err = negotiate(vif);

	if (err)
		return err;
	vif->queue = kmalloc(vif->nr_queues * sizeof(*vif->queue));
	if (!vif->queue) {
		vif->nr_queues = 0;
		return -ENOMEM;
	}
	err = connect_queues(vif);
	if (!err)
		err = start(vif);
	if (err)
		free_queues(vif);
	return err;
}

/* First nobody sends for the guest, then nobody to it. */
static void disconnect(struct backend *b)
{
	struct vif *vif = b->data;
	bool irq = irq_save();

	vif->stop = true;
	wake_up(&vif->wake);
	irq_restore(irq);
	thread_join(vif->thread);
	port_remove(vif->port);
	free_queues(vif);
}

/* --- what the toolstack says --- */

/* "bytes,microseconds". */
static bool parse_rate(char *text, struct vif_rate *rate)
{
	char *comma = strchr(text, ',');
	u64 us;

	if (!comma)
		return false;
	*comma = '\0';
	if (!parse_u64(text, &rate->bytes) || !parse_u64(comma + 1, &us) || !us || us > 10000000 || rate->bytes > 1ul << 40)
		return false;
	rate->interval = us * 1000;
	rate->credit = rate->bytes;
	rate->filled_at = now();
	return true;
}

static int read_config(struct vif *vif)
{
	struct backend *b = vif->backend;
	struct port_config *c = &vif->config;
	char text[64];

	if (back_read(b, "mac", text, sizeof(text)) < 0 || !net_parse_mac(text, vif->device.mac)) {
		back_error(b, -EINVAL, "no mac that an interface can have");
		return -EINVAL;
	}
	if (back_read(b, "bridge", c->bridge, sizeof(c->bridge)) <= 0)
		snprintf(c->bridge, sizeof(c->bridge), DEFAULT_BRIDGE);
	c->vlan = back_read_u64(b, "vlan", 0);
	c->isolated = back_read_u64(b, "isolated", 0);
	c->locked = !back_read_u64(b, "unlocked", 0);
	vif->device.mtu = back_read_u64(b, "mtu", ETH_MTU);
	if (c->vlan > VLAN_MAX || vif->device.mtu < 68) {
		back_error(b, -EINVAL, "vlan or mtu is out of range");
		return -EINVAL;
	}
	if (back_read(b, "ip", text, sizeof(text)) > 0 && !filter_parse_ips(text, c)) {
		back_error(b, -EINVAL, "ip is not a list of addresses, at most %u of each version", PORT_IPS);
		return -EINVAL;
	}
	if (back_read(b, "rate", text, sizeof(text)) > 0 && !parse_rate(text, &vif->rate)) {
		back_error(b, -EINVAL, "rate is not bytes,microseconds");
		return -EINVAL;
	}
	return 0;
}

static int publish(struct backend *b)
{
	static const char *const offered[] = {
		"feature-sg", "feature-gso-tcpv4", "feature-gso-tcpv6", "feature-ipv6-csum-offload", "feature-rx-copy",
		"feature-multicast-control", "feature-split-event-channels",
	};
	int err = back_write(b, XS_NO_TX, "feature-rx-flip", "0");

	for (u32 i = 0; !err && i < ARRAY_SIZE(offered); i++)
		err = back_write(b, XS_NO_TX, offered[i], "1");
	return err ? err : back_write(b, XS_NO_TX, "multi-queue-max-queues", "%u", NETBACK_QUEUES);
}

static void enlist(struct vif *vif, bool on)
{
	bool irq = irq_save();

	if (on)
		list_insert_before(&all, &vif->node);
	else
		list_remove(&vif->node);
	irq_restore(irq);
}

static int probe(struct backend *b)
{
	struct vif *vif = kmalloc(sizeof(*vif));
	int err;

	if (!vif)
		return -ENOMEM;
	*vif = (struct vif){ .backend = b, .wake = WAIT_QUEUE_INIT(vif->wake), .timer = { .fn = timeout, .arg = vif } };
	vif->device.send = netback_send;
	vif->device.flush = netback_flush;
	vif->device.data = vif;
	snprintf(vif->device.name, sizeof(vif->device.name), "vif%u.%u", b->domid, b->devid);
	b->data = vif;
	err = read_config(vif);
	if (!err)
		err = publish(b);
	if (err)
		kfree(vif);
	else
		enlist(vif, true);
	return err;
}

static void remove(struct backend *b)
{
	enlist(b->data, false);
	kfree(b->data);
}

static const struct backend_driver driver = {
	.type = "vif", .probe = probe, .connect = connect, .disconnect = disconnect, .remove = remove,
};

/* --- for people --- */

static void view(struct ring_view *v, const struct vif *vif, const char *what, u32 queue, const struct ring_back *r)
{
	*v = (struct ring_view){ .entries = r->entries, .requests = r->req_cons, .responses = r->rsp_prod, .held_off = vif->held_off };
	snprintf(v->name, sizeof(v->name), "%s %s %u", vif->device.name, what, queue);
}

static u32 view_all(struct ring_view *views, u32 max)
{
	u32 n = 0;

	list_for_each(node, &all) {
		const struct vif *vif = list_entry(node, struct vif, node);

		for (u32 i = 0; vif->queue && i < vif->nr_queues && n + 2 <= max; i++) {
			view(&views[n++], vif, "tx", i, &vif->queue[i].tx);
			view(&views[n++], vif, "rx", i, &vif->queue[i].rx);
		}
	}
	return n;
}

static struct ring_source rings = { .read = view_all };

void netback_init(void)
{
	rings_add(&rings);
	netback_pages_max = MIN(boot.nr_pages / PAGES_SHARE, 65536);
	backend_register(&driver);
}
