/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a packet, in any pieces: headers lie within it, segments together are the packet and have right checksums.
 * Input: gso_type, gso_size (2), length of the first piece, how often the rest repeats its bytes (2), then the frame.
 */
#include "../unit/packet_host.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static struct packet *packet_of(const u8 *data, u32 size, u32 first, u32 length)
{
	u16 lengths[18] = { MIN(length, first) };
	u32 n = 1;
	struct packet *p;

	for (u32 at = lengths[0]; at < length; at += lengths[n++])
		lengths[n] = MIN(length - at, 4096u);
	p = packet_alloc_pieces(lengths, n);
	CHECK(p);
	for (u32 at = 0; at < length; at += size)
		packet_write(p, at, data, MIN(size, length - at));
	return p;
}

static void check_headers(struct packet *p)
{
	struct packet_headers h;

	if (!packet_headers(p, &h))
		return;
	CHECK(h.network <= h.transport && h.transport <= h.payload && h.payload <= h.end && h.end <= p->length);
	CHECK(h.payload <= p->pieces[0].length);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	u32 repeat, length;
	struct packet *p;

	if (size < 7)
		return 0;
	repeat = data[4] << 8 | data[5];
	length = MIN((size - 6) + repeat, 65535u);
	p = packet_of(data + 6, size - 6, 1 + data[3], length);
	check_headers(p);
	p->csum_blank = true;
	p->gso_type = data[0] % 3;
	p->gso_size = data[1] << 8 | data[2];
	if (p->gso_type) {
		check_segments(p);
	} else if (packet_check_offload(p)) {
		packet_complete_checksum(p);
		CHECK(packet_checksum_right(p));
	}
	packet_put(p);
	CHECK(!pages_out);
	return 0;
}
