/* SPDX-License-Identifier: MIT */
/*
 * What a request of a frontend asks for. The frontend is hostile: everything here works on our copy and decides by that copy alone.
 *
 * A job that passes has 1 to BLKBACK_SEGMENTS segments or none where none is allowed, each within one page, and sectors
 * that the device has; so nothing behind this file meets a number that it has to doubt.
 */
#include "blkback.h"

static int refuse_unless(bool good)
{
	return good ? BLKIF_RSP_OKAY : BLKIF_RSP_ERROR;
}

static bool in_range(u64 sector, u64 sectors, const struct blkback_rules *rules)
{
	return sector <= rules->sectors && sectors <= rules->sectors - sector;
}

static int check_transfer(struct blkback_job *job, u32 max, u16 handle, const struct blkback_rules *rules)
{
	job->steps = STEP_TRANSFER;
	return refuse_unless(job->nr_segments && job->nr_segments <= max && handle == rules->handle &&
			     !(job->op == BLOCK_WRITE && rules->readonly));
}

/* A flush, with data or without; a barrier keeps others away besides, and its data are durable when it is answered. */
static int check_flush(struct blkback_job *job, u16 handle, const struct blkback_rules *rules)
{
	int status = BLKIF_RSP_OKAY;

	if (!rules->can_flush)
		return BLKIF_RSP_EOPNOTSUPP;
	job->op = BLOCK_WRITE;
	if (job->nr_segments)
		status = check_transfer(job, BLKIF_MAX_SEGMENTS_PER_REQUEST, handle, rules);
	job->steps |= STEP_FLUSH_BEFORE;
	job->alone = job->operation == BLKIF_OP_WRITE_BARRIER;
	if (job->alone && job->nr_segments)
		job->steps |= STEP_FLUSH_AFTER;
	return status;
}

static int check_discard(const struct blkif_request_discard *d, const struct blkback_rules *rules, struct blkback_job *job)
{
	if (!rules->can_discard || (d->flag & BLKIF_DISCARD_SECURE))
		return BLKIF_RSP_EOPNOTSUPP;
	job->op = BLOCK_DISCARD;
	job->steps = STEP_TRANSFER;
	job->nr_segments = 0;
	job->sector = d->sector_number;
	job->sectors = d->nr_sectors;
	return refuse_unless(!rules->readonly && job->sectors && in_range(job->sector, job->sectors, rules));
}

/* The response is to what the segments are for. */
static int check_indirect(const struct blkif_request_indirect *i, const struct blkback_rules *rules, struct blkback_job *job)
{
	job->operation = i->indirect_op;
	if (i->indirect_op != BLKIF_OP_READ && i->indirect_op != BLKIF_OP_WRITE)
		return BLKIF_RSP_EOPNOTSUPP;
	job->op = i->indirect_op == BLKIF_OP_READ ? BLOCK_READ : BLOCK_WRITE;
	job->indirect = true;
	job->indirect_ref = i->indirect_grefs[0];
	job->nr_segments = i->nr_segments;
	job->sector = i->sector_number;
	return check_transfer(job, BLKBACK_SEGMENTS, i->handle, rules);
}

int blkback_check(const union blkback_ring_request *q, const struct blkback_rules *rules, struct blkback_job *job)
{
	*job = (struct blkback_job){
		.id = q->rw.id, .operation = q->rw.operation, .nr_segments = q->rw.nr_segments, .sector = q->rw.sector_number,
	};
	switch (q->rw.operation) {
	case BLKIF_OP_READ:
		job->op = BLOCK_READ;
		return check_transfer(job, BLKIF_MAX_SEGMENTS_PER_REQUEST, q->rw.handle, rules);
	case BLKIF_OP_WRITE:
		job->op = BLOCK_WRITE;
		return check_transfer(job, BLKIF_MAX_SEGMENTS_PER_REQUEST, q->rw.handle, rules);
	case BLKIF_OP_WRITE_BARRIER:
	case BLKIF_OP_FLUSH_DISKCACHE:
		return check_flush(job, q->rw.handle, rules);
	case BLKIF_OP_DISCARD:
		return check_discard(&q->discard, rules, job);
	case BLKIF_OP_INDIRECT:
		return check_indirect(&q->indirect, rules, job);
	}
	return BLKIF_RSP_EOPNOTSUPP;
}

int blkback_pieces(const struct blkif_request_segment *segments, const struct blkback_rules *rules, struct blkback_job *job,
		   struct block_piece *pieces)
{
	u32 total = 0;

	for (u32 i = 0; i < job->nr_segments; i++) {
		u8 first = segments[i].first_sect, last = segments[i].last_sect;
		u32 sectors = last - first + 1;

		if (last >= 4096 / BLKIF_SECTOR_SIZE || first > last)
			return BLKIF_RSP_ERROR;
		pieces[i] = (struct block_piece){
			.ref = segments[i].gref, .granter = rules->domid,
			.offset = first * BLKIF_SECTOR_SIZE, .length = sectors * BLKIF_SECTOR_SIZE,
		};
		total += sectors;
	}
	job->sectors = total;
	return refuse_unless(in_range(job->sector, total, rules));
}
