/* SPDX-License-Identifier: MIT */
/*
 * Pointers into guest memory: whatever is wrong with one is -EFAULT, never more; and what is only
 * unusual, an odd address or an argument across two pages, is accepted.
 */
#include "guest.h"
#include <abi/callback.h>
#include <abi/grant_table.h>
#include <abi/memory.h>
#include <abi/nmi.h>
#include <abi/physdev.h>

/* Every call that takes a pointer; POINTER stands where it goes. */
#define POINTER 0x5001e7e8UL

static const struct call {
	uint64_t nr, args[4];
} calls[] = {
	{ __HYPERVISOR_set_trap_table, { POINTER } },
	{ __HYPERVISOR_mmu_update, { POINTER, 1, 0, DOMID_SELF } },
	{ __HYPERVISOR_set_gdt, { POINTER, 1 } },
	{ __HYPERVISOR_platform_op, { POINTER } },
	{ __HYPERVISOR_memory_op, { XENMEM_current_reservation, POINTER } },
	{ __HYPERVISOR_memory_op, { XENMEM_maximum_reservation, POINTER } },
	{ __HYPERVISOR_memory_op, { XENMEM_machphys_mfn_list, POINTER } },
	{ __HYPERVISOR_memory_op, { XENMEM_add_to_physmap, POINTER } },
	{ __HYPERVISOR_memory_op, { XENMEM_machine_memory_map, POINTER } },
	{ __HYPERVISOR_memory_op, { XENMEM_exchange, POINTER } },
	{ __HYPERVISOR_memory_op, { XENMEM_machphys_mapping, POINTER } },
	{ __HYPERVISOR_memory_op, { XENMEM_maximum_gpfn, POINTER } },
	{ __HYPERVISOR_memory_op, { XENMEM_remove_from_physmap, POINTER } },
	{ __HYPERVISOR_multicall, { POINTER, 1 } },
	{ __HYPERVISOR_xen_version, { XENVER_extraversion, POINTER } },
	{ __HYPERVISOR_xen_version, { XENVER_get_features, POINTER } },
	{ __HYPERVISOR_console_io, { CONSOLEIO_write, 8, POINTER } },
	{ __HYPERVISOR_grant_table_op, { GNTTABOP_map_grant_ref, POINTER, 1 } },
	{ __HYPERVISOR_grant_table_op, { GNTTABOP_unmap_grant_ref, POINTER, 1 } },
	{ __HYPERVISOR_grant_table_op, { GNTTABOP_setup_table, POINTER, 1 } },
	{ __HYPERVISOR_grant_table_op, { GNTTABOP_copy, POINTER, 1 } },
	{ __HYPERVISOR_grant_table_op, { GNTTABOP_query_size, POINTER, 1 } },
	{ __HYPERVISOR_grant_table_op, { GNTTABOP_unmap_and_replace, POINTER, 1 } },
	{ __HYPERVISOR_grant_table_op, { GNTTABOP_set_version, POINTER, 1 } },
	{ __HYPERVISOR_grant_table_op, { GNTTABOP_get_status_frames, POINTER, 1 } },
	{ __HYPERVISOR_grant_table_op, { GNTTABOP_get_version, POINTER, 1 } },
	{ __HYPERVISOR_grant_table_op, { GNTTABOP_swap_grant_ref, POINTER, 1 } },
	{ __HYPERVISOR_vcpu_op, { VCPUOP_get_runstate_info, 0, POINTER } },
	{ __HYPERVISOR_vcpu_op, { VCPUOP_register_runstate_memory_area, 0, POINTER } },
	{ __HYPERVISOR_vcpu_op, { VCPUOP_set_periodic_timer, 0, POINTER } },
	{ __HYPERVISOR_vcpu_op, { VCPUOP_set_singleshot_timer, 0, POINTER } },
	{ __HYPERVISOR_vcpu_op, { VCPUOP_register_vcpu_info, 0, POINTER } },
	{ __HYPERVISOR_vcpu_op, { VCPUOP_register_vcpu_time_memory_area, 0, POINTER } },
	{ __HYPERVISOR_vcpu_op, { VCPUOP_initialise, 0, POINTER } },
	{ __HYPERVISOR_mmuext_op, { POINTER, 1, 0, DOMID_SELF } },
	{ __HYPERVISOR_nmi_op, { XENNMI_register_callback, POINTER } },
	{ __HYPERVISOR_sched_op, { SCHEDOP_shutdown, POINTER } },
	{ __HYPERVISOR_sched_op, { SCHEDOP_poll, POINTER } },
	{ __HYPERVISOR_sched_op, { SCHEDOP_remote_shutdown, POINTER } },
	{ __HYPERVISOR_sched_op, { SCHEDOP_shutdown_code, POINTER } },
	{ __HYPERVISOR_sched_op, { SCHEDOP_watchdog, POINTER } },
	{ __HYPERVISOR_sched_op, { SCHEDOP_pin_override, POINTER } },
	{ __HYPERVISOR_callback_op, { CALLBACKOP_register, POINTER } },
	{ __HYPERVISOR_callback_op, { CALLBACKOP_unregister, POINTER } },
	{ __HYPERVISOR_event_channel_op, { EVTCHNOP_bind_interdomain, POINTER } },
	{ __HYPERVISOR_event_channel_op, { EVTCHNOP_bind_virq, POINTER } },
	{ __HYPERVISOR_event_channel_op, { EVTCHNOP_bind_pirq, POINTER } },
	{ __HYPERVISOR_event_channel_op, { EVTCHNOP_close, POINTER } },
	{ __HYPERVISOR_event_channel_op, { EVTCHNOP_send, POINTER } },
	{ __HYPERVISOR_event_channel_op, { EVTCHNOP_status, POINTER } },
	{ __HYPERVISOR_event_channel_op, { EVTCHNOP_alloc_unbound, POINTER } },
	{ __HYPERVISOR_event_channel_op, { EVTCHNOP_bind_ipi, POINTER } },
	{ __HYPERVISOR_event_channel_op, { EVTCHNOP_bind_vcpu, POINTER } },
	{ __HYPERVISOR_event_channel_op, { EVTCHNOP_unmask, POINTER } },
	{ __HYPERVISOR_event_channel_op, { EVTCHNOP_reset, POINTER } },
	{ __HYPERVISOR_event_channel_op, { EVTCHNOP_init_control, POINTER } },
	{ __HYPERVISOR_event_channel_op, { EVTCHNOP_expand_array, POINTER } },
	{ __HYPERVISOR_event_channel_op, { EVTCHNOP_set_priority, POINTER } },
	{ __HYPERVISOR_physdev_op, { PHYSDEVOP_irq_status_query, POINTER } },
	{ __HYPERVISOR_physdev_op, { PHYSDEVOP_set_iopl, POINTER } },
	{ __HYPERVISOR_physdev_op, { PHYSDEVOP_set_iobitmap, POINTER } },
	{ __HYPERVISOR_physdev_op, { PHYSDEVOP_eoi, POINTER } },
	{ __HYPERVISOR_physdev_op, { PHYSDEVOP_pirq_eoi_gmfn_v2, POINTER } },
};

static int64_t call_with(const struct call *call, uint64_t pointer)
{
	uint64_t a[4];

	for (int i = 0; i < 4; i++)
		a[i] = call->args[i] == POINTER ? pointer : call->args[i];
	return hypercall_raw(call->nr, a[0], a[1], a[2], a[3], 0);
}

/* Whether all calls refuse the pointer; those that do not are named. */
static bool all_fault(uint64_t pointer)
{
	bool all = true;

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		int64_t r = call_with(&calls[i], pointer);

		if (r == -EFAULT)
			continue;
		note("hypercall %lu(0x%lx) at %lx gives %ld", calls[i].nr, calls[i].args[0], pointer, r);
		all = false;
	}
	return all;
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
	bool kept = true, all = true;

	check("HCALL-16", all_fault(UNMAPPED), "an unmapped page");
	for (uint64_t at = HYPERVISOR_VIRT_START; at < HYPERVISOR_VIRT_END; at += 1UL << 39)
		all = all_fault(at) && all;
	check("HCALL-17", all, "the hypervisor's range, whatever is mapped there");
	check("HCALL-18", all_fault(NON_CANONICAL), "a non-canonical address");
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
