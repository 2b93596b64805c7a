/* SPDX-License-Identifier: MIT */
/* Where a vCPU's time went: asked for, and in an area that the hypervisor keeps up to date. */
#include "guest.h"

#define MS 1000000UL

static struct vcpu_runstate_info get(void)
{
	struct vcpu_runstate_info info = { .state = 99 };

	hypercall(vcpu_op, VCPUOP_get_runstate_info, 0, &info);
	return info;
}

static void sleep(uint64_t ns)
{
	struct sched_poll op = { .timeout = system_time() + ns };

	hypercall(sched_op, SCHEDOP_poll, &op);
}

static void work(uint64_t ns)
{
	uint64_t end = system_time() + ns;

	while (system_time() < end)
		barrier();
}

static bool blocked_grows(void)
{
	struct vcpu_runstate_info before = get();

	sleep(5 * MS);
	return get().time[RUNSTATE_blocked] >= before.time[RUNSTATE_blocked] + 2 * MS;
}

static void asking(void)
{
	static uint8_t buffer[64] __attribute__((aligned(8)));
	struct vcpu_runstate_info before, after;
	bool exact = true;

	before = get();
	work(2 * MS);
	after = get();
	check_eq("VCPU-RUNSTATE-1", before.state, RUNSTATE_running, "the calling vCPU is running");
	check("VCPU-RUNSTATE-2", after.time[RUNSTATE_running] >= before.time[RUNSTATE_running] + 2 * MS,
	      "time[running] grows with work");
	check("VCPU-RUNSTATE-3", in_some_try(blocked_grows), "time[blocked] grows with sleep");
	check("VCPU-RUNSTATE-4", after.state_entry_time <= system_time(), "the state began in the past");
	memset(buffer, 0xee, sizeof(buffer));
	hypercall(vcpu_op, VCPUOP_get_runstate_info, 0, buffer);
	for (int i = 48; i < 64; i++)
		exact = exact && buffer[i] == 0xee;
	check("VCPU-RUNSTATE-5", exact, "48 bytes are written");
}

static struct vcpu_runstate_info shared;

static bool area_follows(void)
{
	uint64_t before = shared.time[RUNSTATE_blocked];

	sleep(5 * MS);
	return shared.time[RUNSTATE_blocked] >= before + 2 * MS && shared.state == RUNSTATE_running;
}

static void area(void)
{
	struct vcpu_register_runstate_memory_area op = { .addr.v = (uint64_t)&shared };
	int64_t r;

	hypercall(vm_assist, VMASST_CMD_enable, VMASST_TYPE_runstate_update_flag);
	shared.state = 99;
	r = hypercall(vcpu_op, VCPUOP_register_runstate_memory_area, 0, &op);
	check("VCPU-RSAREA-1", r == 0 && shared.state == RUNSTATE_running, "the area is filled at once");
	check("VCPU-RSAREA-2", in_some_try(area_follows), "it follows");
	check("VCPU-RSAREA-5", !(shared.state_entry_time & XEN_RUNSTATE_UPDATE),
	      "the update mark is off when the guest looks");
	op.addr.v = MACH2PHYS_VIRT_START;
	check_eq("VCPU-RSAREA-3", hypercall(vcpu_op, VCPUOP_register_runstate_memory_area, 0, &op),
		 -EFAULT, "not in the hypervisor's range");
	op.addr.v = UNMAPPED;
	check_eq("VCPU-RSAREA-4", hypercall(vcpu_op, VCPUOP_register_runstate_memory_area, 0, &op), 0,
		 "an unmapped address is passed over");
	sleep(MS);
}

void test_main(void)
{
	asking();
	area();
}
