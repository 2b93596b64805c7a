/* SPDX-License-Identifier: MIT */
/* grant_table_op: the table itself, its size and its version. */
#include "grants.h"

static int setup(uint16_t dom, uint32_t frames, uint64_t *list)
{
	struct gnttab_setup_table op = {
		.dom = dom, .nr_frames = frames, .status = 99, .frame_list = (uint64_t)list
	};

	return grant_op(GNTTABOP_setup_table, &op) ? 98 : op.status;
}

static struct gnttab_query_size query(uint16_t dom)
{
	struct gnttab_query_size op = { .dom = dom, .status = 99 };

	grant_op(GNTTABOP_query_size, &op);
	return op;
}

static void calls(void)
{
	static const unsigned int cmds[] = {
		GNTTABOP_map_grant_ref, GNTTABOP_unmap_grant_ref, GNTTABOP_copy,
		GNTTABOP_setup_table,	GNTTABOP_query_size,
	};
	struct gnttab_query_size size[2] = { { .dom = DOMID_SELF }, { .dom = DOMID_SELF } };
	struct gnttab_map_grant_ref maps[2] = { { .dom = NO_DOMAIN, .status = 99 },
						{ .dom = NO_DOMAIN, .status = 99 } };
	bool fault = true, huge = true;

	check_eq("GNT-OP-1", hypercall(grant_table_op, 99, size, 1), -ENOSYS,
		 "an unknown sub-operation");
	for (size_t i = 0; i < ARRAY_SIZE(cmds); i++) {
		fault = fault && hypercall(grant_table_op, cmds[i], UNMAPPED, 1) == -EFAULT;
		huge = huge && hypercall(grant_table_op, cmds[i], size, 0x80000000) == -EINVAL;
	}
	check("GNT-OP-2", fault, "an unmapped element is -EFAULT");
	check("GNT-OP-3", huge, "2^31 elements are too many");
	check("GNT-OP-4",
	      hypercall(grant_table_op, GNTTABOP_map_grant_ref, UNMAPPED, 0) == 0 &&
		      hypercall(grant_table_op, GNTTABOP_unmap_grant_ref, UNMAPPED, 0) == 0 &&
		      hypercall(grant_table_op, GNTTABOP_copy, UNMAPPED, 0) == 0,
	      "no elements are no error");
	check("GNT-OP-5",
	      hypercall(grant_table_op, GNTTABOP_query_size, size, 2) == -EINVAL &&
		      hypercall(grant_table_op, GNTTABOP_setup_table, size, 0) == -EINVAL,
	      "setup_table and query_size take one element");
	check("GNT-OP-6",
	      hypercall(grant_table_op, GNTTABOP_map_grant_ref, maps, 2) == 0 && maps[0].status < 0 &&
		      maps[1].status < 0,
	      "an element that fails does not stop the next");
	check_eq("GNT-OTHER-1", hypercall(grant_table_op, GNTTABOP_dump_table, size, 1), -ENOSYS,
		 "dump_table is not there");
}

static void size(void)
{
	static uint64_t first[1], more[3];
	struct gnttab_query_size q;
	uint64_t *page = page_alloc();
	bool zero = true;
	int status;

	status = setup(DOMID_SELF, 1, first);
	check("GNT-SETUP-1", status == GNTST_okay && first[0], "a table of one page");
	status = (int)map_frame(page, first[0], PTE_DATA);
	for (int i = GNTTAB_NR_RESERVED_ENTRIES; i < 512; i++)
		zero = zero && page[i] == 0;
	check("GNT-SETUP-2", status == 0 && zero && attempt_write(page + 511, 0).vector == NO_TRAP,
	      "it can be mapped, and is zero");
	q = query(DOMID_SELF);
	check("GNT-QUERY-1",
	      q.status == GNTST_okay && q.nr_frames >= 1 && q.nr_frames <= q.max_nr_frames,
	      "query_size: %u of %u frames", q.nr_frames, q.max_nr_frames);
	check("GNT-SETUP-3",
	      setup(DOMID_SELF, 3, more) == GNTST_okay && more[0] == first[0] && more[1] && more[2],
	      "it grows");
	check("GNT-QUERY-2", query(DOMID_SELF).nr_frames >= 3, "query_size tells");
	check_eq("GNT-SETUP-4", setup(DOMID_SELF, q.max_nr_frames + 1, more), GNTST_general_error,
		 "but not beyond the most");
	check_eq("GNT-SETUP-6", setup(DOMID_SELF, 1, (uint64_t *)UNMAPPED), GNTST_bad_virt_addr,
		 "a list that cannot be written");
	check_eq("GNT-SETUP-5", setup(NO_DOMAIN, 1, more), GNTST_bad_domain,
		 "the table of a domain that does not exist");
	check_eq("GNT-QUERY-3", query(NO_DOMAIN).status, GNTST_bad_domain, "the size of that");
}

static int64_t version(uint16_t dom, uint32_t *out)
{
	struct gnttab_get_version op = { .dom = dom };
	int64_t r = grant_op(GNTTABOP_get_version, &op);

	*out = op.version;
	return r;
}

static void versions(void)
{
	struct gnttab_set_version set = { .version = 1 };
	uint32_t v;
	int64_t r = version(DOMID_SELF, &v);

	check("GNT-VERSION-1", r == 0 && v == 1, "a table is of version 1 at the start");
	check_eq("GNT-VERSION-2", grant_op(GNTTABOP_set_version, &set), 0, "version 1 can be set");
	set.version = 3;
	r = grant_op(GNTTABOP_set_version, &set);
	version(DOMID_SELF, &v);
	check("GNT-VERSION-3", r == -EINVAL && v == 1, "version 3 cannot");
	check_eq("GNT-VERSION-4", version(NO_DOMAIN, &v), -ESRCH,
		 "the version of a domain that does not exist");
}

void test_main(void)
{
	versions();
	calls();
	size();
}
