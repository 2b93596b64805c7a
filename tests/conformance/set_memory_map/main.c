/* SPDX-License-Identifier: MIT */
/* The memory map that a domain is given by its builder, and reads. */
#include "domain.h"
#include <abi/memory.h>

struct entry {
	uint64_t addr, size;
	uint32_t type;
} __attribute__((packed));

static volatile int64_t result, set_result;
static volatile uint32_t count;
static struct entry entries[4];

static int64_t set_map(uint16_t id, const struct entry *list, uint32_t n)
{
	struct xen_foreign_memory_map op = { .domid = id, .map = { .nr_entries = n, .buffer = (uint64_t)list } };

	return hypercall(memory_op, XENMEM_set_memory_map, &op);
}

static void read_map(uint64_t room)
{
	struct xen_memory_map map = { .nr_entries = (uint32_t)room, .buffer = (uint64_t)entries };

	result = hypercall(memory_op, XENMEM_memory_map, &map);
	count = map.nr_entries;
}

static void set_own(uint64_t argument)
{
	static const struct entry one = { 0, 0x5000000, XEN_E820_RAM };

	(void)argument;
	set_result = set_map(DOMID_SELF, &one, 1);
	read_map(4);
}

static void set_of_others(uint64_t argument)
{
	(void)argument;
	set_result = set_map(0, entries, 1);
}

static void in_domain(struct domain *d, void (*function)(uint64_t), uint64_t argument)
{
	if (run_code(d, function, argument) != SHUTDOWN_poweroff)
		bail("the domain does not end");
}

static void read_by_domain(void)
{
	static const struct entry list[] = {
		{ 0, 0x9f000, XEN_E820_RAM }, { 0xf0000, 0x10000, XEN_E820_RESERVED }, { 0x100000, 0x1000000, XEN_E820_RAM },
	};
	struct domain *d = make_domain(1);

	check_eq("SETMAP-1", set_map(d->id, list, 2), 0, "set_memory_map for another domain returns 0");
	check_eq("SETMAP-2", set_map(d->id, list, 3), 0, "setting it once more returns 0");
	in_domain(d, read_map, 4);
	check("SETMAP-3", *in_guest(d, &result) == 0 && *in_guest(d, &count) == 3, "the domain's memory_map tells as many entries as were set last");
	check("SETMAP-4", !memcmp(in_guest(d, &entries[0]), list, sizeof(list)), "and their contents");
	destroy_domain(d);
	d = make_domain(1);
	set_map(d->id, list, 3);
	in_domain(d, read_map, 2);
	check("SETMAP-5", *in_guest(d, &result) == 0 && *in_guest(d, &count) == 2, "with room for fewer it tells so many");
	destroy_domain(d);
}

static void refusals(void)
{
	uint16_t id = (uint16_t)create_empty(1);

	check_eq("SETMAP-6", set_map(id, entries, 1025), -EINVAL, "more than 1024 entries fail with -EINVAL");
	check_eq("SETMAP-7", set_map(0x7fe0, entries, 1), -ESRCH, "a domain that does not exist fails with -ESRCH");
	check_eq("SETMAP-8", set_map(id, (const struct entry *)NON_CANONICAL, 1), -EFAULT, "a list that cannot be read fails with -EFAULT");
	domain_destroy(id);
}

static void by_domain(void)
{
	struct domain *d = make_domain(1);

	in_domain(d, read_map, 4);
	check_eq("SETMAP-9", *in_guest(d, &result), -ENOSYS, "memory_map fails with -ENOSYS where none was set");
	destroy_domain(d);
	d = make_domain(1);
	in_domain(d, set_own, 0);
	check("SETMAP-10", *in_guest(d, &set_result) == 0 && *in_guest(d, &count) == 1, "a domain can set its own");
	destroy_domain(d);
	d = make_domain(1);
	in_domain(d, set_of_others, 0);
	check_eq("SETMAP-11", *in_guest(d, &set_result), -EPERM, "but an unprivileged one not another's: -EPERM");
	destroy_domain(d);
}

void test_main(void)
{
	read_by_domain();
	refusals();
	by_domain();
}
