/* SPDX-License-Identifier: MIT */
/*
 * vm_assist turns an assist on or off. What assists do is judged where it matters: ptwr/ for
 * writable page tables, iopl/ for the architectural I/O privilege.
 */
#include "guest.h"

static int64_t enable(uint64_t type)
{
	return hypercall(vm_assist, VMASST_CMD_enable, type);
}

static int64_t disable(uint64_t type)
{
	return hypercall(vm_assist, VMASST_CMD_disable, type);
}

static bool extended_cr3_feature(void)
{
	struct xen_feature_info info = { .submap_idx = 0 };

	hypercall(xen_version, XENVER_get_features, &info);
	return info.submap >> 4 & 1;
}

void test_main(void)
{
	static const uint64_t bad[] = { 6, 31, 33, 50, 64, 0x80000000 };
	bool all = true;

	for (uint64_t type = 0; type <= VMASST_TYPE_runstate_update_flag; type++)
		all = all && enable(type) == 0 && disable(type) == 0;
	check("ASSIST-1", all, "types 0 to 5 can be enabled and disabled");
	check_eq("ASSIST-2", enable(VMASST_TYPE_m2p_strict), 0, "type 32 can be enabled");
	disable(VMASST_TYPE_m2p_strict);
	all = true;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		all = all && enable(bad[i]) == -EINVAL;
	check("ASSIST-3", all, "other types are -EINVAL");
	check_eq("ASSIST-4", hypercall(vm_assist, 2, VMASST_TYPE_writable_pagetables), -ENOSYS,
		 "a third command");
	enable(VMASST_TYPE_pae_extended_cr3);
	enable(VMASST_TYPE_pae_extended_cr3);
	disable(VMASST_TYPE_pae_extended_cr3);
	check("ASSIST-5", !extended_cr3_feature(), "enabled twice, disabled once: off");
	check_eq("ASSIST-6", disable(VMASST_TYPE_pae_extended_cr3), 0, "disabling what is off");
}
