/* SPDX-License-Identifier: MIT */
/* VCPUOP_register_vcpu_info: the vCPU's shared structure moves into a page of the guest's own. */
#include "guest.h"

static int64_t register_info(uint64_t mfn, uint32_t offset)
{
	struct vcpu_register_vcpu_info op = { .mfn = mfn, .offset = offset };

	return hypercall(vcpu_op, VCPUOP_register_vcpu_info, 0, &op);
}

static void refused(uint64_t mfn)
{
	check_eq("VCPU-INFO-1", register_info(mfn, PAGE_SIZE - 32), -ENXIO,
		 "across the end of the page");
	check_eq("VCPU-INFO-2", register_info(mfn, 0x41), -ENXIO, "not aligned to 8");
	check("VCPU-INFO-3",
	      register_info(start_info->shared_info >> PAGE_SHIFT ^ 1, 0) < 0 &&
		      register_info(~0UL, 0) == -EINVAL,
	      "a frame that is not the caller's");
	check_eq("VCPU-INFO-4", register_info(boot_l4_mfn(), 0), -EINVAL, "a page table");
}

static void moved(struct vcpu_info *old, struct vcpu_info *new, uint32_t port)
{
	uint32_t version = old->time.version;
	unsigned int before = upcalls;

	vcpu_info = new;
	new->evtchn_upcall_pending = 0;
	new->evtchn_pending_sel = 0;
	old->evtchn_upcall_pending = 0;
	old->evtchn_pending_sel = 0;
	old->arch.cr2 = 0x7777;
	mask_upcalls(true);
	evtchn_send(port);
	attempt_read((void *)UNMAPPED);
	hypercall(sched_op, SCHEDOP_yield, 0);
	check("VCPU-INFO-8",
	      new->evtchn_upcall_pending &&new->evtchn_pending_sel &&new->arch.cr2 == UNMAPPED &&
		      !old->evtchn_upcall_pending && !old->evtchn_pending_sel &&
		      old->arch.cr2 == 0x7777 && old->time.version == version,
	      "events and cr2 appear in the new place only");
	old->evtchn_upcall_mask = 0;
	hypercall(xen_version, 0);
	check_eq("VCPU-INFO-9", upcalls, before, "the old mask byte does not matter");
	old->evtchn_upcall_mask = 1;
	deliver_events();
	check_eq("VCPU-INFO-9", upcalls, before + 1, "the new one does");
	mask_upcalls(true);
}

void test_main(void)
{
	uint8_t *page = page_alloc();
	struct vcpu_info *old = vcpu_info, *new = (struct vcpu_info *)(page + 0x140);
	uint32_t port = (uint32_t)evtchn_bind_ipi(0);
	int64_t r;

	refused(mfn_of(page));
	r = register_info(mfn_of(page), 0x140);
	check("VCPU-INFO-5",
	      r == 0 && new->evtchn_upcall_mask == 1 &&
		      new->time.tsc_to_system_mul == old->time.tsc_to_system_mul &&new->time.tsc_shift ==
			      old->time.tsc_shift,
	      "mask and time are those of before");
	check("VCPU-INFO-6", new->evtchn_upcall_pending == 1 && new->evtchn_pending_sel == ~0UL,
	      "every port is to be looked at");
	check_eq("VCPU-INFO-7", register_info(mfn_of(page), 0x200), -EINVAL, "a second registration");
	moved(old, new, port);
}
