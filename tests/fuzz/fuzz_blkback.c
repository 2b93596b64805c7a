/* SPDX-License-Identifier: MIT */
/*
 * A hostile frontend against blkback. The input is a list of its acts: requests of any bytes, or nearly good ones; any word into the
 * ring's header; any bytes into the pages that it grants; events; and of the disk, which finishes one or fails. What must hold: the disk
 * gets nothing that it has to doubt (blkback_host.h asserts that), each request that was taken is answered once, and when the
 * device is stopped nothing is left in flight and nothing allocated.
 */
#include "../unit/blkback_host.h"
#include "input.h"

#define QUEUES 2

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static u32 word(struct input *in)
{
	u32 w = 0;

	for (u32 i = 0; i < 4; i++)
		w = w << 8 | byte(in);
	return w;
}

static void any_bytes(struct input *in, void *to, u32 size)
{
	for (u32 i = 0; i < size; i++)
		((u8 *)to)[i] = byte(in);
}

static void put(struct ring_front *f, const union blkback_ring_request *q)
{
	memcpy(ring_slot(f->shared, f->shared->req_prod, f->entries, f->slot), q, sizeof(*q));
	f->shared->req_prod++;
}

/* Good but for what its bytes say. */
static void nearly_good(struct input *in, struct ring_front *f)
{
	union blkback_ring_request q = { .rw = {
		.operation = byte(in) % 8, .nr_segments = byte(in), .handle = (u16)DEVID, .sector_number = byte(in) * 16u, .id = byte(in),
	} };

	if (q.rw.operation == BLKIF_OP_INDIRECT) {
		q.indirect = (struct blkif_request_indirect){
			.operation = BLKIF_OP_INDIRECT, .indirect_op = byte(in) % 3, .nr_segments = byte(in) * 2, .handle = (u16)DEVID,
			.sector_number = byte(in) * 16u, .indirect_grefs = { byte(in) },
		};
	} else if (q.rw.operation == BLKIF_OP_DISCARD) {
		q.discard.nr_sectors = byte(in) * 32u;
	} else {
		q.rw.nr_segments %= 13;
		for (u32 i = 0; i < 11; i++)
			q.rw.seg[i] = (struct blkif_request_segment){ .gref = byte(in), .first_sect = byte(in) % 9, .last_sect = byte(in) % 9 };
	}
	put(f, &q);
}

static void act(struct input *in)
{
	u8 what = byte(in);
	struct ring_front *f = &front[what / 16 % QUEUES];
	union blkback_ring_request q;

	switch (what % 8) {
	case 0:
		any_bytes(in, &q, sizeof(q));
		put(f, &q);
		break;
	case 1: case 2:
		nearly_good(in, f);
		break;
	case 3:
		((u32 *)f->shared)[byte(in) % 4] = word(in);
		break;
	case 4:
		any_bytes(in, guest_pages[byte(in)], 64);
		break;
	case 5:
		blkback_event(&vbd.queues[what / 16 % QUEUES]);
		blkback_round(&vbd);
		break;
	case 6:
		disk.fail = byte(in) % 4 ? 0 : -EIO;
		disk_finish();
		blkback_round(&vbd);
		break;
	case 7:
		disk.slow = byte(in) & 1;
		host_run();
		break;
	}
}

static void check_answered(void)
{
	for (u32 i = 0; i < QUEUES; i++) {
		const struct ring_back *r = &vbd.queues[i].ring;

		CHECK(r->req_cons - r->rsp_prod <= BLKBACK_SLOTS);
		CHECK(vbd.in_flight || r->rsp_prod == r->req_cons);
	}
	CHECK(vbd.in_flight <= BLKBACK_SLOTS && vbd.bytes_in_flight < WINDOW + BLKBACK_SEGMENTS * PAGE_SIZE);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = { data, size };

	host_begin(QUEUES);
	while (in.left) {
		act(&in);
		check_answered();
	}
	host_end();
	check_answered();
	return 0;
}
