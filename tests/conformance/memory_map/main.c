/* SPDX-License-Identifier: MIT */
/* memory_op: maps of memory, the machine's and the tables'. */
#include "guest.h"
#include <abi/memory.h>

static uint8_t buffer[4000];

static struct xen_memory_map_entry entry(unsigned int i)
{
	struct xen_memory_map_entry e = { 0 };

	memcpy(&e, buffer + i * XEN_MEMORY_MAP_ENTRY_SIZE, XEN_MEMORY_MAP_ENTRY_SIZE);
	return e;
}

static bool ascending(unsigned int n)
{
	for (unsigned int i = 1; i < n; i++)
		if (entry(i).addr < entry(i - 1).addr + entry(i - 1).size)
			return false;
	return true;
}

static bool some_ram(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (entry(i).type == XEN_E820_RAM && entry(i).size)
			return true;
	return false;
}

static void machine(void)
{
	struct xen_memory_map map = { .nr_entries = 200, .buffer = (uint64_t)buffer };
	bool kept = true;
	int64_t r = hypercall(memory_op, XENMEM_machine_memory_map, &map);

	check("MEM-26", r == 0 && map.nr_entries && some_ram(map.nr_entries),
	      "the machine's map has RAM in it (%u entries)", map.nr_entries);
	check("MEM-27", ascending(map.nr_entries), "its entries ascend and do not overlap");
	memset(buffer, 0xee, sizeof(buffer));
	map.nr_entries = 1;
	r = hypercall(memory_op, XENMEM_machine_memory_map, &map);
	for (unsigned int i = 0; i < sizeof(buffer); i++)
		kept = kept && buffer[i] == 0xee;
	check("MEM-28", r == -EINVAL && kept,
	      "room for one entry is not enough, and nothing is written");
	map = (struct xen_memory_map){ .nr_entries = 200, .buffer = UNMAPPED };
	check_eq("MEM-29", hypercall(memory_op, XENMEM_machine_memory_map, &map), -EFAULT,
		 "a buffer that cannot be written");
	check_eq("MEM-25", hypercall(memory_op, XENMEM_memory_map, &map), -ENOSYS,
		 "domain 0 has no map of its own");
}

static void tables(void)
{
	struct xen_machphys_mapping mapping = { 0 };
	struct xen_machphys_mfn_list list = { .max_extents = 4, .extent_start = (uint64_t)buffer };
	uint64_t highest = 0;
	int64_t r = hypercall(memory_op, XENMEM_machphys_mapping, &mapping);

	for (uint64_t pfn = 0; pfn < start_info->nr_pages; pfn++)
		if (p2m()[pfn] > highest)
			highest = p2m()[pfn];
	check("MEM-22", r == 0 && mapping.v_start == MACH2PHYS_VIRT_START,
	      "machphys_mapping: where the table begins");
	check("MEM-23", mapping.v_end > mapping.v_start && mapping.max_mfn >= highest,
	      "and that it covers all frames");
	r = hypercall(memory_op, XENMEM_machphys_mfn_list, &list);
	check("MEM-24", r == 0 && list.nr_extents <= 4,
	      "machphys_mfn_list: no more frames than there is room for");
}

void test_main(void)
{
	struct xen_add_to_physmap add = { .domid = DOMID_SELF,
					  .space = XENMAPSPACE_shared_info,
					  .gpfn = 1 };
	struct xen_remove_from_physmap remove = { .domid = DOMID_SELF, .gpfn = 1 };

	machine();
	tables();
	check("MEM-33",
	      hypercall(memory_op, XENMEM_add_to_physmap, &add) == -EACCES &&
		      hypercall(memory_op, XENMEM_remove_from_physmap, &remove) == -EACCES,
	      "the map of a PV domain is its own business");
}
