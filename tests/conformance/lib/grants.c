/* SPDX-License-Identifier: MIT */
/* See grants.h. */
#include "grants.h"

int64_t grant_op(unsigned int cmd, void *op)
{
	return hypercall(grant_table_op, cmd, op, 1);
}

struct grant_entry_v1 *grant_table_map(void)
{
	uint64_t frame = 0;
	struct gnttab_setup_table setup = { .dom = DOMID_SELF,
					    .nr_frames = 1,
					    .frame_list = (uint64_t)&frame };
	void *page = page_alloc();

	if (grant_op(GNTTABOP_setup_table, &setup) || setup.status || map_frame(page, frame, PTE_DATA))
		bail("no grant table (status %d)", setup.status);
	return page;
}

void grant_page(struct grant_entry_v1 *table, uint32_t ref, uint16_t dom, const void *page,
		uint16_t flags)
{
	table[ref].domid = dom;
	table[ref].frame = (uint32_t)mfn_of(page);
	barrier();
	*(volatile uint16_t *)&table[ref].flags = flags;
}

int grant_map(uint64_t host_addr, uint32_t flags, uint32_t ref, uint16_t dom, uint32_t *handle)
{
	struct gnttab_map_grant_ref op = {
		.host_addr = host_addr, .flags = flags, .ref = ref, .dom = dom, .status = 99
	};

	if (grant_op(GNTTABOP_map_grant_ref, &op))
		return 98;
	if (handle)
		*handle = op.handle;
	return op.status;
}

int grant_unmap(uint64_t host_addr, uint32_t handle)
{
	struct gnttab_unmap_grant_ref op = { .host_addr = host_addr, .handle = handle, .status = 99 };

	return grant_op(GNTTABOP_unmap_grant_ref, &op) ? 98 : op.status;
}

int grant_copy(void *to, uint16_t length, uint32_t ref, uint16_t dom)
{
	struct gnttab_copy op = {
		.source = { .u.ref = ref, .domid = dom },
		.dest = { .u.gmfn = mfn_of(to), .domid = DOMID_SELF },
		.len = length,
		.flags = GNTCOPY_source_gref,
		.status = 99,
	};

	return grant_op(GNTTABOP_copy, &op) ? 98 : op.status;
}
