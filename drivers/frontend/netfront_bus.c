/* SPDX-License-Identifier: MIT */
/*
 * The frontend of network devices: connecting and disconnecting. Keys and features are those that Linux's frontend writes. The
 * device is made at the first connection and stays until the node is gone: while the backend is away it drops what it is to send, and
 * its user keeps addresses and connections.
 */
#include <abi/errno.h>

#include "../../pvkernel/include/boot.h"
#include "../../pvkernel/include/cmdline.h"
#include "../../pvkernel/include/evtchn.h"
#include "../../pvkernel/include/lib.h"
#include "../../pvkernel/include/mm.h"
#include "../../pvkernel/include/ops.h"
#include "../../pvkernel/include/rings.h"
#include "netfront.h"

#define QUEUES_MAX 4
#define MTU_MIN 68
#define MTU_MAX (PACKET_MAX - ETH_HEADER)

static struct list all = LIST_INIT(all);

static bool queue_ports(struct netfront *nf, struct netfront_queue *q, bool split)
{
	int port = evtchn_alloc_unbound(nf->front->backend_id, netfront_event, nf);

	if (port < 0)
		return false;
	q->port_rx = q->port_tx = port;
	if (!split)
		return true;
	port = evtchn_alloc_unbound(nf->front->backend_id, netfront_event, nf);
	if (port < 0)
		return false;
	q->port_tx = port;
	return true;
}

static u32 nr_rx_buffers(void)
{
	return boot.nr_pages >= 32 << 8 ? NETFRONT_ENTRIES : boot.nr_pages >= 12 << 8 ? 96 : 32;
}

static bool queue_buffers(struct netfront_queue *q)
{
	u32 count = nr_rx_buffers();

	for (u32 i = 0; i < NETFRONT_ENTRIES; i++)
		q->tx_free[i] = NETFRONT_ENTRIES - 1 - i;
	q->nr_tx_free = NETFRONT_ENTRIES;
	while (q->nr_rx_spare < count && netfront_buffer_make(&q->rx_buffer[q->nr_rx_spare], q->owner->front->backend_id, false)) {
		q->rx_spare[q->nr_rx_spare] = q->nr_rx_spare;
		q->nr_rx_spare++;
	}
	return q->nr_rx_spare > NETFRONT_SLOTS;
}

static bool queue_open(struct netfront *nf, struct netfront_queue *q, bool split)
{
	void *tx = front_ring_create(nf->front, 0, &q->tx_ref), *rx = front_ring_create(nf->front, 0, &q->rx_ref);

	q->owner = nf;
	if (tx)
		ring_front_init(&q->tx, tx, PAGE_SIZE, sizeof(struct netif_tx_request));
	if (rx)
		ring_front_init(&q->rx, rx, PAGE_SIZE, sizeof(struct netif_rx_request));
	return tx && rx && queue_ports(nf, q, split) && queue_buffers(q);
}

static void queue_close(struct netfront_queue *q)
{
	if (q->port_tx != q->port_rx)
		evtchn_close(q->port_tx);
	if (q->port_rx)
		evtchn_close(q->port_rx);
	if (q->tx.shared)
		front_ring_destroy(q->tx.shared, 0, &q->tx_ref);
	if (q->rx.shared)
		front_ring_destroy(q->rx.shared, 0, &q->rx_ref);
	netfront_buffers_free(q->tx_buffer, NETFRONT_ENTRIES);
	netfront_buffers_free(q->rx_buffer, NETFRONT_ENTRIES);
}

static void close_queues(struct netfront *nf)
{
	struct netfront_queue *queues = nf->queues;

	mutex_lock(&nf->rx_lock);
	mutex_lock(&nf->tx_lock);
	nf->connected = false;
	for (u32 i = 0; i < nf->nr_queues; i++)
		queue_close(&nf->queues[i]);
	nf->nr_queues = 0;
	nf->queues = NULL;
	if (queues)
		vfree(queues);
	mutex_unlock(&nf->tx_lock);
	mutex_unlock(&nf->rx_lock);
}

static bool open_queues(struct netfront *nf, u32 count)
{
	bool split = front_read_u64(nf->front, "feature-split-event-channels", 0), ok = true;

	nf->queues = vmalloc(count * sizeof(struct netfront_queue));
	if (!nf->queues)
		return false;
	memset(nf->queues, 0, count * sizeof(struct netfront_queue));
	for (nf->nr_queues = 0; ok && nf->nr_queues < count; nf->nr_queues++)
		ok = queue_open(nf, &nf->queues[nf->nr_queues], split);
	if (!ok)
		close_queues(nf);
	return ok;
}

static int write_queue(struct netfront *nf, u32 tx, const char *prefix, const struct netfront_queue *q)
{
	struct frontend *f = nf->front;
	char key[40];
	int err;

#define WRITE(name, value) \
	(snprintf(key, sizeof(key), "%s%s", prefix, name), front_write(f, tx, key, "%u", value))
	err = WRITE("tx-ring-ref", q->tx_ref);
	if (!err)
		err = WRITE("rx-ring-ref", q->rx_ref);
	if (q->port_tx == q->port_rx)
		return err ? err : WRITE("event-channel", q->port_rx);
	if (!err)
		err = WRITE("event-channel-tx", q->port_tx);
	return err ? err : WRITE("event-channel-rx", q->port_rx);
#undef WRITE
}

static int write_queues(struct netfront *nf, u32 tx)
{
	char prefix[20];
	int err = 0;

	if (nf->nr_queues == 1)
		return write_queue(nf, tx, "", &nf->queues[0]);
	for (u32 i = 0; !err && i < nf->nr_queues; i++) {
		snprintf(prefix, sizeof(prefix), "queue-%u/", i);
		err = write_queue(nf, tx, prefix, &nf->queues[i]);
	}
	return err;
}

static int write_features(struct netfront *nf, u32 tx, bool many)
{
	static const char *const keys[] = {
		"request-rx-copy", "feature-rx-notify", "feature-sg", "feature-gso-tcpv4", "feature-gso-tcpv6", "feature-ipv6-csum-offload",
	};
	int err = many ? front_write(nf->front, tx, "multi-queue-num-queues", "%u", nf->nr_queues) : 0;

	for (u32 i = 0; !err && i < ARRAY_SIZE(keys); i++)
		err = front_write(nf->front, tx, keys[i], "1");
	return err;
}

static bool read_mac(struct netfront *nf)
{
	char text[24];

	return front_read_own(nf->front, "mac", text, sizeof(text)) > 0 && net_parse_mac(text, nf->device.mac);
}

static void read_mtu(struct netfront *nf)
{
	char text[8];
	u64 mtu;

	if (front_read_own(nf->front, "mtu", text, sizeof(text)) > 0 && parse_u64(text, &mtu) && mtu >= MTU_MIN && mtu <= MTU_MAX)
		nf->device.mtu = mtu;
}

static u32 option_queues(void)
{
	char text[8];
	u64 n;

	return cmdline_get(boot.cmdline, "net_queues", text, sizeof(text)) && parse_u64(text, &n) ? MAX(1, MIN(n, QUEUES_MAX)) : 1;
}

/* --- for people --- */

static void view(struct ring_view *v, const struct netfront *nf, const char *what, u32 queue, const struct ring_front *r)
{
	*v = (struct ring_view){ .entries = r->entries, .requests = r->req_prod, .responses = r->rsp_cons, .held_off = nf->held_off };
	snprintf(v->name, sizeof(v->name), "%s %s %u", nf->device.name, what, queue);
}

static u32 view_all(struct ring_view *views, u32 max)
{
	u32 n = 0;

	list_for_each(node, &all) {
		const struct netfront *nf = list_entry(node, struct netfront, node);

		for (u32 i = 0; i < nf->nr_queues && n + 2 <= max; i++) {
			view(&views[n++], nf, "tx", i, &nf->queues[i].tx);
			view(&views[n++], nf, "rx", i, &nf->queues[i].rx);
		}
	}
	return n;
}

static struct ring_source rings = { .read = view_all };

static void enlist(struct netfront *nf, bool on)
{
	bool irq = irq_save();

	if (on)
		list_insert_before(&all, &nf->node);
	else
		list_remove(&nf->node);
	irq_restore(irq);
	rings_add(&rings);
}

/* --- the device --- */

static struct netfront *make(struct frontend *f)
{
	struct netfront *nf = kmalloc(sizeof(*nf));

	if (!nf)
		return NULL;
	*nf = (struct netfront){
		.front = f, .rx_lock = MUTEX_INIT(nf->rx_lock), .tx_lock = MUTEX_INIT(nf->tx_lock),
		.work = WAIT_QUEUE_INIT(nf->work), .room = WAIT_QUEUE_INIT(nf->room),
		.device = { .send = netfront_send, .flush = netfront_flush, .data = nf, .mtu = ETH_MTU, .batches = true },
	};
	snprintf(nf->device.name, sizeof(nf->device.name), "eth%s", f->path + sizeof("device/vif/") - 1);
	nf->thread = thread_create(nf->device.name, netfront_thread, nf);
	if (!nf->thread) {
		kfree(nf);
		return NULL;
	}
	f->data = nf;
	enlist(nf, true);
	return nf;
}

static int netfront_publish(struct frontend *f, u32 tx)
{
	struct netfront *nf = f->data ? f->data : make(f);
	u64 offered = front_read_u64(f, "multi-queue-max-queues", 0);
	int err;

	if (!nf)
		return -ENOMEM;
	if (!front_read_u64(f, "feature-rx-copy", 0))
		return -EOPNOTSUPP;
	if (!read_mac(nf))
		return -EINVAL;
	read_mtu(nf);
	if (!open_queues(nf, MIN(option_queues(), MAX(offered, 1))))
		return -ENOMEM;
	nf->failed = nf->stalled = false;
	err = write_queues(nf, tx);
	if (!err)
		err = write_features(nf, tx, offered);
	if (err)
		close_queues(nf);
	return err;
}

static void read_features(struct netfront *nf)
{
	struct net_device *d = &nf->device;
	struct frontend *f = nf->front;

	nf->can_sg = front_read_u64(f, "feature-sg", 0);
	d->can_csum = !front_read_u64(f, "feature-no-csum-offload", 0);
	d->can_csum6 = front_read_u64(f, "feature-ipv6-csum-offload", 0);
	d->can_gso4 = nf->can_sg && front_read_u64(f, "feature-gso-tcpv4", 0);
	d->can_gso6 = nf->can_sg && front_read_u64(f, "feature-gso-tcpv6", 0);
}

static int netfront_connected(struct frontend *f)
{
	struct netfront *nf = f->data;

	if (!nf || !nf->queues)
		return -EINVAL;
	mutex_lock(&nf->rx_lock);
	mutex_lock(&nf->tx_lock);
	read_features(nf);
	for (u32 i = 0; i < nf->nr_queues; i++)
		netfront_post(&nf->queues[i]);
	nf->connected = true;
	mutex_unlock(&nf->tx_lock);
	mutex_unlock(&nf->rx_lock);
	netfront_event(nf);
	if (!nf->registered)
		net_device_register(&nf->device);
	nf->registered = true;
	return 0;
}

/* The device stays, without a wire: who uses it finds its connections again when the backend is back. */
static void netfront_disconnected(struct frontend *f)
{
	struct netfront *nf = f->data;

	if (nf)
		close_queues(nf);
}

static void netfront_removed(struct frontend *f)
{
	struct netfront *nf = f->data;

	if (!nf)
		return;
	if (nf->registered)
		net_device_unregister(&nf->device);
	close_queues(nf);
	enlist(nf, false);
	nf->ending = true;
	wake_up(&nf->work);
	thread_join(nf->thread);
	f->data = NULL;
	kfree(nf);
}

const struct frontend_driver netfront_driver = {
	.type = "vif",
	.publish = netfront_publish,
	.published_state = XenbusStateConnected,
	.connected = netfront_connected,
	.disconnected = netfront_disconnected,
	.removed = netfront_removed,
};
