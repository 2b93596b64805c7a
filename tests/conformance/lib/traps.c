/* SPDX-License-Identifier: MIT */
/*
 * What happens on an entry: the event upcall is handled; the test's hook is asked; else the
 * attempt under way ends and carries the frame away; else the run ends, for nobody expected it.
 */
#include "guest.h"

bool (*trap_hook)(struct regs *regs);
uint64_t iret_flags;

extern uint64_t recovery_rsp;
extern char attempt_recover[];
uint64_t attempt_call(uint64_t (*function)(uint64_t), uint64_t argument);
void trap_entry(struct regs *regs);
void event_upcall(struct regs *regs);

static struct attempt outcome;

static void unexpected(struct regs *regs)
{
	note("unexpected trap %lx error %lx rip %lx cs %x rflags %lx rsp %lx cr2 %lx", regs->vector,
	     regs->error_code, regs->rip, regs->cs, regs->rflags, regs->rsp, vcpu_info->arch.cr2);
	note("rax %lx rbx %lx rcx %lx rdx %lx rsi %lx rdi %lx rbp %lx r8 %lx", regs->rax, regs->rbx,
	     regs->rcx, regs->rdx, regs->rsi, regs->rdi, regs->rbp, regs->r8);
	bail("unexpected trap %lx at %lx", regs->vector, regs->rip);
}

static void record(struct regs *regs)
{
	outcome.vector = (int)regs->vector;
	outcome.value = regs->rax;
	outcome.cr2 = vcpu_info->arch.cr2;
	outcome.mask_in_handler = vcpu_info->evtchn_upcall_mask;
	__asm__ volatile("pushfq; popq %0" : "=r"(outcome.handler_rflags));
	__asm__ volatile("mov %%cs, %0" : "=r"(outcome.handler_cs));
	__asm__ volatile("mov %%ss, %0" : "=r"(outcome.handler_ss));
	outcome.regs = *regs;
}

/* Continue where the attempt began, in kernel mode, with the mask byte of before the trap. */
static void recover(struct regs *regs)
{
	regs->rip = (uint64_t)attempt_recover;
	regs->rsp = recovery_rsp;
	regs->cs = KERNEL_CS;
	regs->ss = USER_SS;
	regs->rflags = 0x2 | (regs->saved_mask ? 0 : 0x200);
}

void trap_entry(struct regs *regs)
{
	if (regs->vector == TRAP_EVENT) {
		event_upcall(regs);
	} else if (!trap_hook || !trap_hook(regs)) {
		if (!recovery_rsp)
			unexpected(regs);
		record(regs);
		recover(regs);
	}
	regs->error_code = iret_flags;
}

struct attempt attempt(uint64_t (*function)(uint64_t), uint64_t argument)
{
	uint64_t value;

	outcome.vector = NO_TRAP;
	value = attempt_call(function, argument);
	if (outcome.vector == NO_TRAP)
		outcome.value = value;
	return outcome;
}

static uint64_t read_word(uint64_t address)
{
	return *(volatile uint64_t *)address;
}

struct attempt attempt_read(const void *address)
{
	return attempt(read_word, (uint64_t)address);
}

static uint64_t value_to_write;

static uint64_t write_word(uint64_t address)
{
	*(volatile uint64_t *)address = value_to_write;
	return 0;
}

struct attempt attempt_write(void *address, uint64_t value)
{
	value_to_write = value;
	return attempt(write_word, (uint64_t)address);
}

/* --- user mode ------------------------------------------------------------- */

extern char user_exit[];
uint64_t enter_user(const struct user_frame *frame, uint64_t argument);

static uint64_t user_stack[1024] __attribute__((aligned(4096)));

struct user_frame user_frame_for(uint64_t (*function)(uint64_t))
{
	uint64_t *top = &user_stack[ARRAY_SIZE(user_stack) - 1];

	*top = (uint64_t)user_exit;
	return (struct user_frame){
		.rip = (uint64_t)function,
		.cs = USER_CS,
		.ss = USER_SS,
		.rsp = (uint64_t)top,
		.rflags = 0x2 | (vcpu_info->evtchn_upcall_mask ? 0 : 0x200),
	};
}

struct attempt run_user_frame(const struct user_frame *frame, uint64_t argument)
{
	outcome.vector = NO_TRAP;
	enter_user(frame, argument);
	return outcome;
}

struct attempt run_user(uint64_t (*function)(uint64_t), uint64_t argument)
{
	struct user_frame frame = user_frame_for(function);

	return run_user_frame(&frame, argument);
}
