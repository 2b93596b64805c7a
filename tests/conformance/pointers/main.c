/* SPDX-License-Identifier: MIT */
/*
 * Pointers into guest memory: whatever is wrong with one is -EFAULT, never more; and what is only
 * unusual, an odd address or an argument across two pages, is accepted.
 */
#include "guest.h"

static uint64_t hypervisor_range(void)
{
	return MACH2PHYS_VIRT_START + 0x30000000000;
}

/* One call with an IN structure, one with an OUT buffer. */
static int64_t call_in(uint64_t pointer)
{
	return hypercall(event_channel_op, EVTCHNOP_close, pointer);
}

static int64_t call_out(uint64_t pointer)
{
	return hypercall(xen_version, XENVER_extraversion, pointer);
}

/* A trap table of two entries that registers nothing new. */
static int64_t call_list(void *where)
{
	struct trap_info list[2] = { { VECTOR_UD, 3, USER_CS, trap_stub(VECTOR_UD) } };

	memcpy(where, list, sizeof(list));
	return hypercall(set_trap_table, where);
}

void test_main(void)
{
	char *page = page_before_hole(), *two = NULL, *other = page_alloc();
	bool kept = true;

	check("HCALL-16", call_in(UNMAPPED) == -EFAULT && call_out(UNMAPPED) == -EFAULT,
	      "an unmapped page");
	check("HCALL-17",
	      call_in(hypervisor_range()) == -EFAULT && call_out(hypervisor_range()) == -EFAULT &&
		      call_out(MACH2PHYS_VIRT_START) == -EFAULT,
	      "the hypervisor's range");
	check("HCALL-18", call_in(NON_CANONICAL) == -EFAULT && call_out(NON_CANONICAL) == -EFAULT,
	      "a non-canonical address");
	memset(other, 0x5a, PAGE_SIZE);
	make_readonly(other);
	check_eq("HCALL-19", call_out((uint64_t)other), -EFAULT, "an OUT argument in a read-only page");
	for (int i = 0; i < 16; i++)
		kept = kept && other[i] == 0x5a;
	check("HCALL-19", kept, "and nothing is written to it");
	map_back(other);
	/* The last spare page and its neighbour, both mapped. */
	two = page_alloc();
	check_eq("HCALL-20", call_list(two + PAGE_SIZE - 8), 0, "an argument across two pages");
	check_eq("HCALL-21", call_out((uint64_t)page + PAGE_SIZE - 8), -EFAULT,
		 "an argument whose second page is not mapped");
	check_eq("HCALL-22", call_list(other + 1), 0, "an argument at an odd address");
}
