/* SPDX-License-Identifier: MIT */
/* Grants: pages that one domain lets another map or copy, named by an index. See grant_table.md. */
#ifndef ABI_GRANT_TABLE_H
#define ABI_GRANT_TABLE_H

#define GNTTABOP_map_grant_ref 0
#define GNTTABOP_unmap_grant_ref 1
#define GNTTABOP_setup_table 2
#define GNTTABOP_dump_table 3
#define GNTTABOP_transfer 4
#define GNTTABOP_copy 5
#define GNTTABOP_query_size 6
#define GNTTABOP_unmap_and_replace 7
#define GNTTABOP_set_version 8
#define GNTTABOP_get_status_frames 9
#define GNTTABOP_get_version 10
#define GNTTABOP_swap_grant_ref 11
#define GNTTABOP_cache_flush 12

/* Entries that the builder of a domain uses. */
#define GNTTAB_NR_RESERVED_ENTRIES 8
#define GNTTAB_RESERVED_CONSOLE 0
#define GNTTAB_RESERVED_XENSTORE 1

/* An entry's flags: bits 1:0 are its type, bits 3 and 4 are the hypervisor's. */
#define GTF_invalid 0x000
#define GTF_permit_access 0x001
#define GTF_accept_transfer 0x002
#define GTF_transitive 0x003
#define GTF_type_mask 0x003
#define GTF_readonly 0x004
#define GTF_reading 0x008
#define GTF_writing 0x010
#define GTF_PWT 0x020
#define GTF_PCD 0x040
#define GTF_PAT 0x080
#define GTF_sub_page 0x100
#define GTF_transfer_committed 0x004
#define GTF_transfer_completed 0x008

/* gnttab_map_grant_ref.flags */
#define GNTMAP_device_map 0x01
#define GNTMAP_host_map 0x02
#define GNTMAP_readonly 0x04
#define GNTMAP_application_map 0x08
#define GNTMAP_contains_pte 0x10
#define GNTMAP_guest_avail_mask 0xffff0000

/* gnttab_copy.flags */
#define GNTCOPY_source_gref 1
#define GNTCOPY_dest_gref 2

/* gnttab_cache_flush.op */
#define GNTTAB_CACHE_CLEAN 1
#define GNTTAB_CACHE_INVAL 2
#define GNTTAB_CACHE_SOURCE_GREF 0x80000000

/* An operation's status, one for each element of the list. */
#define GNTST_okay 0
#define GNTST_general_error (-1)
#define GNTST_bad_domain (-2)
#define GNTST_bad_gntref (-3)
#define GNTST_bad_handle (-4)
#define GNTST_bad_virt_addr (-5)
#define GNTST_bad_dev_addr (-6)
#define GNTST_no_device_space (-7)
#define GNTST_permission_denied (-8)
#define GNTST_bad_page (-9)
#define GNTST_bad_copy_arg (-10)
#define GNTST_address_too_big (-11)
#define GNTST_eagain (-12)
#define GNTST_no_space (-13)

#ifndef __ASSEMBLY__
#include <stdint.h>

/* An entry of version 1. 8 bytes. */
struct grant_entry_v1 {
	uint16_t flags;		/* 0x00 SHARED: GTF_* */
	uint16_t domid;		/* 0x02 SHARED: to whom */
	uint32_t frame;		/* 0x04 SHARED: what, a machine frame */
};

/* The part that both forms of version 2 begin with. 4 bytes. */
struct grant_entry_header {
	uint16_t flags;		/* 0x00 SHARED: GTF_* without reading and writing */
	uint16_t domid;		/* 0x02 SHARED */
};

/* An entry of version 2. 16 bytes. */
union grant_entry_v2 {
	struct grant_entry_header hdr;		/* 0x00 */
	struct {
		struct grant_entry_header hdr;	/* 0x00 */
		uint32_t pad0;			/* 0x04 */
		uint64_t frame;			/* 0x08 SHARED */
	} full_page;				/* 0x00 */
	struct {
		struct grant_entry_header hdr;	/* 0x00 */
		uint16_t page_off;		/* 0x04 SHARED: first byte */
		uint16_t length;		/* 0x06 SHARED: bytes */
		uint64_t frame;			/* 0x08 SHARED */
	} sub_page;				/* 0x00 */
	struct {
		struct grant_entry_header hdr;	/* 0x00 */
		uint16_t trans_domid;		/* 0x04 SHARED: whose grant is passed on */
		uint16_t pad0;			/* 0x06 */
		uint32_t gref;			/* 0x08 SHARED: which */
	} transitive;				/* 0x00 */
	uint32_t __spacer[4];			/* 0x00 */
};

/* 32 bytes. */
struct gnttab_map_grant_ref {
	uint64_t host_addr;	/* 0x00 IN: linear address, or machine address of an entry */
	uint32_t flags;		/* 0x08 IN: GNTMAP_* */
	uint32_t ref;		/* 0x0c IN */
	uint16_t dom;		/* 0x10 IN: who granted */
	int16_t status;		/* 0x12 OUT: GNTST_* */
	uint32_t handle;	/* 0x14 OUT: names the mapping until it is unmapped */
	uint64_t dev_bus_addr;	/* 0x18 OUT: machine address */
};

/* 24 bytes. */
struct gnttab_unmap_grant_ref {
	uint64_t host_addr;	/* 0x00 IN: as mapped, or 0 to leave it */
	uint64_t dev_bus_addr;	/* 0x08 IN: as mapped, or 0 */
	uint32_t handle;	/* 0x10 IN */
	int16_t status;		/* 0x14 OUT */
};

/* 24 bytes. */
struct gnttab_setup_table {
	uint16_t dom;		/* 0x00 IN */
	uint32_t nr_frames;	/* 0x04 IN: how large the table must be */
	int16_t status;		/* 0x08 OUT */
	uint64_t frame_list;	/* 0x10 IN: points to nr_frames words for its frames */
};

/* 4 bytes. */
struct gnttab_dump_table {
	uint16_t dom;		/* 0x00 IN */
	int16_t status;		/* 0x02 OUT */
};

/* 24 bytes. */
struct gnttab_transfer {
	uint64_t mfn;		/* 0x00 IN */
	uint16_t domid;		/* 0x08 IN */
	uint32_t ref;		/* 0x0c IN */
	int16_t status;		/* 0x10 OUT */
};

/* One end of a copy. 16 bytes. */
struct gnttab_copy_ptr {
	union {
		uint32_t ref;	/* 0x00 IN: with GNTCOPY_*_gref */
		uint64_t gmfn;	/* 0x00 IN: else a frame of domid's own */
	} u;			/* 0x00 */
	uint16_t domid;		/* 0x08 IN */
	uint16_t offset;	/* 0x0a IN: bytes into the page */
};

/* 40 bytes. */
struct gnttab_copy {
	struct gnttab_copy_ptr source;	/* 0x00 IN */
	struct gnttab_copy_ptr dest;	/* 0x10 IN */
	uint16_t len;			/* 0x20 IN: bytes */
	uint16_t flags;			/* 0x22 IN: GNTCOPY_* */
	int16_t status;			/* 0x24 OUT */
};

/* 16 bytes. */
struct gnttab_query_size {
	uint16_t dom;		/* 0x00 IN */
	uint32_t nr_frames;	/* 0x04 OUT: frames now */
	uint32_t max_nr_frames;	/* 0x08 OUT: and at most */
	int16_t status;		/* 0x0c OUT */
};

/* 24 bytes. */
struct gnttab_unmap_and_replace {
	uint64_t host_addr;	/* 0x00 IN: as mapped */
	uint64_t new_addr;	/* 0x08 IN: its entry moves to host_addr and is cleared */
	uint32_t handle;	/* 0x10 IN */
	int16_t status;		/* 0x14 OUT */
};

/* 4 bytes. */
struct gnttab_set_version {
	uint32_t version;	/* 0x00 IN: 1 or 2; OUT: the version in force */
};

/* 16 bytes. */
struct gnttab_get_status_frames {
	uint32_t nr_frames;	/* 0x00 IN */
	uint16_t dom;		/* 0x04 IN */
	int16_t status;		/* 0x06 OUT */
	uint64_t frame_list;	/* 0x08 IN: points to nr_frames words */
};

/* 8 bytes. */
struct gnttab_get_version {
	uint16_t dom;		/* 0x00 IN */
	uint16_t pad;		/* 0x02 */
	uint32_t version;	/* 0x04 OUT */
};

/* 12 bytes. */
struct gnttab_swap_grant_ref {
	uint32_t ref_a;		/* 0x00 IN */
	uint32_t ref_b;		/* 0x04 IN */
	int16_t status;		/* 0x08 OUT */
};

/* 16 bytes. */
struct gnttab_cache_flush {
	union {
		uint64_t dev_bus_addr;	/* 0x00 IN */
		uint32_t ref;		/* 0x00 IN: with GNTTAB_CACHE_SOURCE_GREF */
	} a;			/* 0x00 */
	uint16_t offset;	/* 0x08 IN: bytes into the page */
	uint16_t length;	/* 0x0a IN: bytes */
	uint32_t op;		/* 0x0c IN: GNTTAB_CACHE_* */
};
#endif

#endif
