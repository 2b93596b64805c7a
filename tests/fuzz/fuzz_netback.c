/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as what a frontend does: it stores into its rings wherever it likes, gives grants and takes them back, while packets come for it.
 * The backend copies only by grants and within pages, passes on whole packets alone, answers no more than it was asked, and keeps
 * nothing. Input: a byte for what to do, and what that needs.
 */
#include "../unit/netback_host.h"
#include "input.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static void sent(struct packet *p)
{
	struct packet_headers h;
	u8 last;

	packet_read(p, p->length - 1, &last, 1);
	if (p->csum_blank)
		CHECK(packet_headers(p, &h) && (h.protocol == IPPROTO_TCP || h.protocol == IPPROTO_UDP));
	packet_put(p);
}

static u32 take(struct input *in, u32 bytes)
{
	u32 value = 0;

	for (; bytes && in->left; bytes--)
		value = value << 8 | byte(in);
	return value;
}

static void store(struct input *in, u8 *page)
{
	u32 offset = take(in, 2) % (PAGE_SIZE - 16), n = take(in, 1) % 17;

	for (; n; n--)
		page[offset++] = take(in, 1);
}

/* A request that is mostly right, where the next one belongs. */
static void request(struct input *in)
{
	struct netif_tx_request r = { take(in, 1) * 3, take(in, 2) % 4500, take(in, 1), take(in, 1), take(in, 2) };
	u8 *slot = ring_slot(tx_front.shared, tx_front.req_prod++, tx_front.entries, tx_front.slot);

	memcpy(slot, &r, sizeof(r));
}

static void packet_for_guest(struct input *in)
{
	struct packet *p = packet_alloc(ETH_HEADER + take(in, 2) % (PACKET_MAX - ETH_HEADER));
	u32 kind = take(in, 1);

	memset(p->pieces[0].data, 0, ETH_HEADER);
	p->csum_blank = kind & 1;
	p->gso_type = kind >> 1 & 1;
	netback_send(&vif.device, p);
	if (kind & 4)
		netback_flush(&vif.device);
}

static void step(struct input *in)
{
	u32 what = take(in, 1), gref;

	switch (what % 9) {
	case 0: store(in, tx_page); break;
	case 1: store(in, rx_page); break;
	case 2: request(in); break;
	case 3: WRITE_ONCE(tx_front.shared->req_prod, tx_front.req_prod); break;
	case 4: netback_tx(queue); break;
	case 5: netback_rx(queue); break;
	case 6: packet_for_guest(in); break;
	case 8: netback_rx_watch(queue); break;
	case 7:
		gref = take(in, 1);
		for (u32 i = 0; i < take(in, 1) % 32u; i++) {
			struct netif_rx_request r = { i, 0, gref + i };

			memcpy(ring_slot(rx_front.shared, rx_front.req_prod++, rx_front.entries, rx_front.slot), &r, sizeof(r));
		}
		WRITE_ONCE(rx_front.shared->req_prod, rx_front.req_prod);
		break;
	}
	CHECK(queue->tx.req_cons - queue->tx.rsp_prod <= queue->tx.entries || vif.broken);
	CHECK(queue->rx.req_cons - queue->rx.rsp_prod <= queue->rx.entries);
	CHECK(vif.pending_pages <= RX_PENDING_PAGES && vif.pending_pages == pages_waiting);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = { data, size };

	guest_begins();
	free(guest_page[300]);
	guest_page[300] = NULL;
	vif.multicast_control = true;
	while (in.left && !vif.broken)
		step(&in);
	guest_ends();
	return 0;
}
