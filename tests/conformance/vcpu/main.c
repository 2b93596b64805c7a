/* SPDX-License-Identifier: MIT */
/* vcpu_op: which vCPUs there are, and the small questions about them. */
#include "guest.h"

static int64_t op(unsigned int cmd, uint64_t vcpu, const void *arg)
{
	return hypercall(vcpu_op, cmd, vcpu, arg);
}

static void every_operation(void)
{
	static const unsigned int with_structure[] = {
		VCPUOP_get_runstate_info,  VCPUOP_register_runstate_memory_area,
		VCPUOP_set_periodic_timer, VCPUOP_set_singleshot_timer,
		VCPUOP_register_vcpu_info, VCPUOP_register_vcpu_time_memory_area,
	};
	bool all = true;

	for (unsigned int cmd = 0; cmd <= 14; cmd++)
		all = all && op(cmd, 1000, 0) == -ENOENT;
	check("VCPU-OP-1", all && op(99, 1000, 0) == -ENOENT,
	      "a vCPU that does not exist is -ENOENT for each");
	check_eq("VCPU-OP-2", op(99, 0, 0), -ENOSYS, "an unknown sub-operation");
	all = true;
	for (size_t i = 0; i < ARRAY_SIZE(with_structure); i++)
		all = all && op(with_structure[i], 0, (void *)UNMAPPED) == -EFAULT;
	check("VCPU-OP-3", all, "an unmapped structure is -EFAULT for each");
}

static void up_and_down(void)
{
	bool none = true;

	check_eq("VCPU-UP-1", op(VCPUOP_is_up, 0, 0), 1, "the calling vCPU is up");
	check_eq("VCPU-UP-2", op(VCPUOP_up, 0, 0), 0, "up of one that is up");
	for (uint64_t vcpu = 1; vcpu < 8192; vcpu++)
		none = none && op(VCPUOP_is_up, vcpu, 0) == -ENOENT;
	check("VCPU-UP-3", none, "no other of 8192 vCPUs exists");
}

static void initialise(void)
{
	static struct vcpu_guest_context context;

	context.user_regs.rip = UNMAPPED;
	context.flags = VGCF_in_kernel;
	context.ctrlreg[3] = boot_l4_mfn() << PAGE_SHIFT;
	check_eq("VCPU-INIT-1", op(VCPUOP_initialise, 0, &context), -EEXIST,
		 "a vCPU that runs has a state already");
	check_eq("VCPU-INIT-2", op(VCPUOP_initialise, 0, (void *)UNMAPPED), -EFAULT,
		 "an unmapped context");
}

static void time_area(void)
{
	static struct vcpu_time_info area __attribute__((aligned(64)));
	struct vcpu_register_time_memory_area op_area = { .addr.v = (uint64_t)&area };

	check("VCPU-TIMEAREA-1",
	      op(VCPUOP_register_vcpu_time_memory_area, 0, &op_area) == 0 && !(area.version & 1) &&
		      area.tsc_to_system_mul == vcpu_info->time.tsc_to_system_mul &&
		      area.tsc_shift == vcpu_info->time.tsc_shift,
	      "a second copy of the clock's parameters");
	op_area.addr.v = MACH2PHYS_VIRT_START;
	check_eq("VCPU-TIMEAREA-3", op(VCPUOP_register_vcpu_time_memory_area, 0, &op_area), -EFAULT,
		 "not in the hypervisor's range");
	op_area.addr.v = 0;
	check_eq("VCPU-TIMEAREA-2", op(VCPUOP_register_vcpu_time_memory_area, 0, &op_area), 0,
		 "address 0 ends it");
}

void test_main(void)
{
	struct vcpu_get_physid physid;
	int64_t r;

	every_operation();
	up_and_down();
	initialise();
	time_area();
	check_eq("VCPU-NMI-1", op(VCPUOP_send_nmi, 0, (void *)1), -EINVAL,
		 "send_nmi takes no structure");
	physid.phys_id = ~0UL;
	r = op(VCPUOP_get_physid, 0, &physid);
	check("VCPU-PHYSID-1", r == -EINVAL || (r == 0 && physid.phys_id != ~0UL),
	      "the ids of its only processor, or -EINVAL");
}
