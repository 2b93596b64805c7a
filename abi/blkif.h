/* SPDX-License-Identifier: MIT */
/* What the halves of a block device ("vbd") say to each other. See blkif.md. */
#ifndef ABI_BLKIF_H
#define ABI_BLKIF_H

/* blkif_request.operation */
#define BLKIF_OP_READ 0
#define BLKIF_OP_WRITE 1
#define BLKIF_OP_WRITE_BARRIER 2
#define BLKIF_OP_FLUSH_DISKCACHE 3
#define BLKIF_OP_DISCARD 5
#define BLKIF_OP_INDIRECT 6

/* blkif_response.status */
#define BLKIF_RSP_OKAY 0
#define BLKIF_RSP_ERROR -1
#define BLKIF_RSP_EOPNOTSUPP -2

#define BLKIF_MAX_SEGMENTS_PER_REQUEST 11
#define BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST 8
#define BLKIF_DISCARD_SECURE 1		/* blkif_request_discard.flag */

/* Node `info` of the backend, bits. */
#define VDISK_CDROM 1
#define VDISK_REMOVABLE 2
#define VDISK_READONLY 4

/* Sectors of the ring are 512 bytes, whatever the node sector-size says. */
#define BLKIF_SECTOR_SIZE 512
#define BLKIF_SEGMENTS_PER_PAGE 512	/* of an indirect page */

#ifndef __ASSEMBLY__
#include <stdint.h>

/* Part of a granted page: sectors first_sect to last_sect of its 8, both included. 8 bytes. */
struct blkif_request_segment {
	uint32_t gref;			/* 0x0 */
	uint8_t first_sect;		/* 0x4 */
	uint8_t last_sect;		/* 0x5 */
};

/* Read, write, barrier, flush. 112 bytes. */
struct blkif_request {
	uint8_t operation;		/* 0x00 BLKIF_OP_ */
	uint8_t nr_segments;		/* 0x01 */
	uint16_t handle;		/* 0x02 the low half of virtual-device */
	uint64_t id;			/* 0x08 the frontend's, echoed */
	uint64_t sector_number;		/* 0x10 */
	struct blkif_request_segment seg[11];	/* 0x18 */
};

/* In place of blkif_request. 32 bytes. */
struct blkif_request_discard {
	uint8_t operation;		/* 0x00 BLKIF_OP_DISCARD */
	uint8_t flag;			/* 0x01 */
	uint16_t handle;		/* 0x02 */
	uint64_t id;			/* 0x08 */
	uint64_t sector_number;		/* 0x10 */
	uint64_t nr_sectors;		/* 0x18 */
};

/* In place of blkif_request: segments are in other granted pages, 512 in each. 64 bytes. */
struct blkif_request_indirect {
	uint8_t operation;		/* 0x00 BLKIF_OP_INDIRECT */
	uint8_t indirect_op;		/* 0x01 BLKIF_OP_READ or BLKIF_OP_WRITE */
	uint16_t nr_segments;		/* 0x02 */
	uint64_t id;			/* 0x08 */
	uint64_t sector_number;		/* 0x10 */
	uint16_t handle;		/* 0x18 */
	uint32_t indirect_grefs[8];	/* 0x1c */
};

/* 16 bytes. */
struct blkif_response {
	uint64_t id;			/* 0x0 of the request */
	uint8_t operation;		/* 0x8 of the request */
	int16_t status;			/* 0xa BLKIF_RSP_ */
};
#endif

#endif
