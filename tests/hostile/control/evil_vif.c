/* SPDX-License-Identifier: MIT */
/*
 * A network interface's backend that lies. Modes:
 *
 *	tx-silent tx-jump tx-unknown tx-twice tx-null	what is sent: never answered, or as nothing that was sent
 *	rx-offset rx-long rx-more rx-extra rx-order rx-jump	parts that are not in their page, packets without an end, ...
 *	rx-headers		whatever headers, offload and sizes
 *	storm flap		events, states
 *	keep			pages to receive into stay mapped
 */
#include <abi/errno.h>
#include <abi/netif.h>

#include "../../../pvkernel/include/evtchn.h"
#include "../../../pvkernel/include/lib.h"
#include "../../../pvkernel/include/mm.h"
#include "../../../pvkernel/include/time.h"
#include "evil.h"

#define TX 0
#define RX 1
#define STORM 20000
#define AT_ONCE 40

static int probe(struct backend *b)
{
	if (!evil_probe(b))
		return -ENOMEM;
	back_write(b, XS_NO_TX, "feature-rx-copy", "1");
	back_write(b, XS_NO_TX, "feature-sg", "1");
	back_write(b, XS_NO_TX, "feature-gso-tcpv4", "1");
	back_write(b, XS_NO_TX, "multi-queue-max-queues", "4294967295");
	return 0;
}

static void answer_tx(struct evil *e, const struct netif_tx_request *q)
{
	struct netif_tx_response r = { .id = q->id };

	if (evil_is(e, "tx-silent"))
		return;
	if (evil_is(e, "tx-jump")) {
		e->ring[TX].shared->rsp_prod += 1000;
		return;
	}
	if (evil_is(e, "tx-unknown"))
		r.id = q->id ^ 0x8001;
	if (evil_is(e, "tx-null"))
		r.status = NETIF_RSP_NULL;
	ring_put_response(&e->ring[TX], &r, sizeof(r));
	if (evil_is(e, "tx-twice"))
		ring_put_response(&e->ring[TX], &r, sizeof(r));
}

/* Something like a packet in the guest's page. */
static u32 write_packet(struct evil *e, u32 ref)
{
	struct grant_mapping m;
	u32 length = 14 + evil_random() % 400;
	u8 *p;

	if (!gnttab_map(e->back->domid, ref, false, &m))
		return length;
	p = m.va;
	for (u32 i = 0; i < length; i++)
		p[i] = evil_random();
	memset(p, 0xff, 6);
	p[12] = evil_random() % 3 ? 8 : 0x86;
	p[13] = p[12] == 8 ? (evil_random() % 8 ? 0 : 6) : 0xdd;
	p[14] = evil_random() % 5 ? 0x45 : evil_random();
	p[23] = evil_random() & 1 ? 6 : 17;
	gnttab_unmap(&m);
	return length;
}

static void put_rx(struct evil *e, u16 id, u16 offset, u16 flags, int16_t status)
{
	struct netif_rx_response r __attribute__((aligned(8))) = { .id = id, .offset = offset, .flags = flags, .status = status };

	ring_put_response(&e->ring[RX], &r, sizeof(r));
}

static void put_extra(struct evil *e, u8 flags, u8 type)
{
	struct netif_extra_info x __attribute__((aligned(8))) = { .type = type, .flags = flags };

	x.u.gso.size = evil_random() % 3 ? evil_random() : 0;
	x.u.gso.type = evil_random() % 4;
	ring_put_response(&e->ring[RX], &x, sizeof(x));
}

static void answer_rx(struct evil *e, const struct netif_rx_request *q)
{
	static bool extra;

	if (evil_is(e, "rx-jump"))
		e->ring[RX].shared->rsp_prod += 1000;
	else if (evil_is(e, "rx-offset"))
		put_rx(e, q->id, 4095, 0, 100);
	else if (evil_is(e, "rx-long"))
		put_rx(e, q->id, 0, 0, 32767);
	else if (evil_is(e, "rx-more"))
		put_rx(e, q->id, 0, NETRXF_more_data, 1000);
	else if (evil_is(e, "rx-extra") && !extra) {
		extra = true;
		put_rx(e, q->id, 0, NETRXF_extra_info, 1000);
	} else if (evil_is(e, "rx-extra"))
		put_extra(e, XEN_NETIF_EXTRA_FLAG_MORE, evil_random());
	else if (evil_is(e, "rx-order"))
		put_rx(e, q->id + 1, 0, 0, 100);
	else if (evil_is(e, "keep")) {
		write_packet(e, q->gref);
		evil_keep(e, q->gref);
		put_rx(e, q->id, 0, 0, 60);
	} else
		put_rx(e, q->id, evil_random() % 32, evil_random() & (NETRXF_csum_blank | NETRXF_data_validated), write_packet(e, q->gref));
}

/* What it keeps it does not write to again. */
static bool wants_rx(struct evil *e)
{
	return !strncmp(e->mode, "rx-", 3) || (evil_is(e, "keep") && evil_keeps_more());
}

static void serve(void *arg)
{
	struct evil *e = arg;
	struct netif_tx_request t;
	struct netif_rx_request r;

	if (evil_is(e, "flap"))
		evil_flap(e);
	while (!e->stop) {
		while (ring_get_request(&e->ring[TX], &t, sizeof(t)) > 0)
			answer_tx(e, &t);
		for (u32 i = 0; i < AT_ONCE && wants_rx(e) && ring_get_request(&e->ring[RX], &r, sizeof(r)) > 0; i++)
			answer_rx(e, &r);
		ring_push_responses(&e->ring[TX]);
		ring_push_responses(&e->ring[RX]);
		evil_send(e, evil_is(e, "storm") ? STORM : 1);
		thread_sleep(NSEC_PER_MSEC);
	}
	evil_judge_kept(e);
}

static int connect(struct backend *b)
{
	struct evil *e = b->data;
	int err = evil_connect(e, TX, "tx-ring-ref", 1, sizeof(struct netif_tx_request));

	if (!err)
		err = evil_connect(e, RX, "rx-ring-ref", 1, sizeof(struct netif_rx_request));
	return evil_start(e, err, serve);
}

const struct backend_driver evil_vif = {
	.type = "evil-vif", .probe = probe, .connect = connect, .disconnect = evil_disconnect, .remove = evil_remove,
};
