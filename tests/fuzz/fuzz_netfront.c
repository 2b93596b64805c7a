/* SPDX-License-Identifier: MIT */
/*
 * A hostile backend: any responses in both rings, any content in the pages, any indices. What comes out of netfront lies in memory that
 * is its own, and in the end nothing is granted and no page is missing.
 * Input: for each step a byte that says what is done, and what it needs.
 */
#include "../unit/netfront_host.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static const u8 *at, *end;

static void take(void *to, size_t n)
{
	size_t there = MIN(n, (size_t)(end - at));

	memset(to, 0, n);
	memcpy(to, at, there);
	at += there;
}

static u8 take_byte(void)
{
	u8 b;

	take(&b, 1);
	return b;
}

/* The id is right more often than not, or nothing would come of it. */
static void answer_rx(u8 how)
{
	struct netif_rx_request r;
	struct netif_rx_response a;
	u8 *page;

	if (ring_get_request(&rx, &r, sizeof(r)) <= 0)
		return;
	take(&a, sizeof(a));
	if (how & 0x40)
		a.id = r.id;
	if (how & 0x20)
		a.offset &= 0xff;
	if (how & 0x10)
		a.status &= 0xfff;
	page = granted(r.gref, true);
	if (a.offset < PAGE_SIZE - 64)
		take(page + a.offset, how & 0x80 ? 64 : 14);
	ring_put_response(&rx, &a, sizeof(a));
}

static void answer_tx(u8 how)
{
	struct netif_tx_request r;
	struct netif_tx_response a;

	if (ring_get_request(&tx, &r, sizeof(r)) <= 0)
		return;
	granted(r.gref, false);
	take(&a, sizeof(a));
	if (how & 0x40)
		a.id = r.id;
	ring_put_response(&tx, &a, sizeof(a));
}

/* Every byte of what was received can be read, and its headers are within it. */
static void look_at_packets(void)
{
	static u8 copy[PACKET_MAX];

	for (u32 i = 0; i < nr_got; i++) {
		struct packet_headers h;

		packet_read(got[i], 0, copy, got[i]->length);
		if (got[i]->csum_blank)
			CHECK(packet_headers(got[i], &h));
		CHECK(!got[i]->gso_type || got[i]->csum_blank);
	}
	drop_got();
}

static void step(u8 how)
{
	switch (how & 7) {
	case 0:
	case 1:
	case 2:
		answer_rx(how);
		break;
	case 3:
		ring_push_responses(&rx);
		ring_push_responses(&tx);
		look(nf);
		look_at_packets();
		break;
	case 4:
		answer_tx(how);
		break;
	case 5:
		nf->device.send(&nf->device, make_packet(how & 8, IPPROTO_UDP, how * 20, 0));
		nf->device.flush(&nf->device);
		break;
	case 6:
		take(how & 8 ? &rx.shared->rsp_prod : &tx.shared->rsp_prod, 4);
		look(nf);
		break;
	case 7:
		hold_off(nf, look(nf));
		break;
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	at = data;
	end = data + size;
	srand(1);
	CHECK(!start(ALL));
	while (at < end)
		step(take_byte());
	look(nf);
	look_at_packets();
	stop();
	return 0;
}
