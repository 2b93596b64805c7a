/* SPDX-License-Identifier: MIT */
/*
 * The upcall itself: its frame, what it does to the mask byte, and that it does not nest.
 */
#include "guest.h"
#include <abi/callback.h>

static uint32_t port;
static unsigned int depth, deepest;
static uint8_t mask_inside;

/* In the handler: send another event and make a hypercall, during which nothing may come. */
static void send_again(struct regs *regs, unsigned int p)
{
	depth++;
	if (depth > deepest)
		deepest = depth;
	mask_inside = vcpu_info->evtchn_upcall_mask;
	if (event_count[p] == 1)
		evtchn_send(port);
	hypercall(xen_version, 0);
	depth--;
}

static void register_event(uint16_t flags, void (*entry)(void))
{
	struct callback_register op = { .type = CALLBACKTYPE_event,
					.flags = flags,
					.address = (uint64_t)entry };

	hypercall(callback_op, CALLBACKOP_register, &op);
}

static void masks(void)
{
	unsigned int before = upcalls;

	register_event(0, callback_event);
	event_count[port] = 0;
	event_hook = send_again;
	evtchn_send(port);
	deliver_events();
	event_hook = NULL;
	check_eq("CALLBACK-21", mask_inside, 1,
		 "the handler starts with upcalls masked, whatever the flags say");
	check_eq("CALLBACK-24", deepest, 1, "a further event does not enter it again");
	check("CALLBACK-25", event_count[port] == 2 && upcalls == before + 2,
	      "but is delivered by the iret that unmasks");
	mask_upcalls(true);
}

/* The event comes behind a known SYSCALL with known registers. */
extern char delivery_point[];
struct {
	uint64_t rbx, r12, rsp;
} kept;

static void frame(void)
{
	evtchn_send(port);
	mask_upcalls(false);
	__asm__ volatile("mov $0x5151, %%ebx; mov $0x5252, %%r12d; mov %%rsp, kept+16\n"
			 "mov $17, %%eax; xor %%edi, %%edi; xor %%esi, %%esi; syscall; delivery_point:\n"
			 "mov %%rbx, kept; mov %%r12, kept+8"
			 :
			 :
			 : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12",
			   "memory");
	mask_upcalls(true);
	check("CALLBACK-22",
	      upcall_regs.rip == (uint64_t)delivery_point && upcall_regs.saved_mask == 0 &&
		      upcall_regs.rsp == kept.rsp && upcall_regs.cs == KERNEL_CS,
	      "its frame has the interrupted rip and rsp, and mask 0");
	check("CALLBACK-23",
	      upcall_regs.rbx == 0x5151 && upcall_regs.r12 == 0x5252 &&
		      upcall_regs.rcx == (uint64_t)delivery_point && kept.rbx == 0x5151 &&
		      kept.r12 == 0x5252,
	      "registers are as they were, in the handler and after it");
}

static bool other_entry;

static bool see_other_entry(struct regs *regs)
{
	other_entry = regs->vector == TRAP_SYSENTER;
	vcpu_info->evtchn_upcall_pending = 0;
	return true;
}

void test_main(void)
{
	port = (uint32_t)evtchn_bind_ipi(0);
	masks();
	frame();
	register_event(0, callback_sysenter);
	evtchn_send(port);
	trap_hook = see_other_entry;
	deliver_events();
	check("CALLBACK-26", other_entry, "registering another address replaces the first");
	mask_upcalls(true);
}
