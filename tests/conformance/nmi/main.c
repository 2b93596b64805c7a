/* SPDX-License-Identifier: MIT */
/* NMIs: a vCPU sends one to itself. The event mask does not hold them off, being in one does. */
#include "guest.h"
#include <abi/nmi.h>

static unsigned int nmis, depth, deepest;
static uint8_t mask_inside, mask_in_frame;
static bool send_another;

static int64_t register_callback(uint64_t address)
{
	struct xennmi_callback op = { .handler_address = address };

	return hypercall(nmi_op, XENNMI_register_callback, &op);
}

static int64_t send(void)
{
	return hypercall(vcpu_op, VCPUOP_send_nmi, 0, 0);
}

static bool on_nmi(struct regs *regs)
{
	if (regs->vector != TRAP_NMI)
		return false;
	nmis++;
	if (++depth > deepest)
		deepest = depth;
	mask_inside = vcpu_info->evtchn_upcall_mask;
	mask_in_frame = regs->saved_mask;
	if (send_another) {
		send_another = false;
		send();
		hypercall(xen_version, 0);
	}
	depth--;
	return true;
}

void test_main(void)
{
	check_eq("NMI-2", hypercall(nmi_op, XENNMI_register_callback, UNMAPPED), -EFAULT,
		 "an unmapped structure");
	check_eq("NMI-3", register_callback(NON_CANONICAL), -EINVAL, "a non-canonical address");
	check_eq("NMI-4", hypercall(nmi_op, 5, 0), -ENOSYS, "an unknown sub-operation");
	check_eq("NMI-1", register_callback((uint64_t)callback_nmi), 0, "a handler is registered");
	trap_hook = on_nmi;
	mask_upcalls(false);
	send();
	check("NMI-6", nmis == 1 && mask_inside == 1, "send_nmi enters it, upcalls masked");
	check("NMI-8", mask_in_frame == 0 && vcpu_info->evtchn_upcall_mask == 0,
	      "the frame has the mask of before");
	mask_upcalls(true);
	send();
	check("NMI-7", nmis == 2 && mask_in_frame == 1, "it comes while upcalls are masked");
	send_another = true;
	send();
	check("NMI-9", nmis == 4 && deepest == 1,
	      "one that is sent in the handler comes after its iret");
	trap_hook = NULL;
	check_eq("NMI-5", hypercall(nmi_op, XENNMI_unregister_callback, 0), 0,
		 "the handler is taken away");
	send();
	hypercall(xen_version, 0);
	check("NMI-10", nmis == 4, "an NMI that nobody handles is lost");
}
