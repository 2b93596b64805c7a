/* SPDX-License-Identifier: MIT */
/* Offsets and sizes for assembly. Compiled to assembly only; the Makefile turns each marker into a .set. */
#include <cpu.h>
#include <vcpu.h>

#define DEFINE(name, value) asm volatile("\n.ascii \"->" #name " %0\"" :: "i"((long)(value)))
/* In assembly rsp points at regs, so a vCPU's fields are named relative to that. */
#define V(field) DEFINE(V_##field, (long)offsetof(struct vcpu, field) - (long)offsetof(struct vcpu, regs))
#define REG(field) DEFINE(R_##field, offsetof(struct cpu_user_regs, field))

void offsets(void);
void offsets(void)
{
	V(work);
	V(info);
	V(kernel_mode);
	DEFINE(V_hypercalls, (long)offsetof(struct vcpu, counters[EXIT_HYPERCALL]) - (long)offsetof(struct vcpu, regs));
	DEFINE(VCPU_REGS, offsetof(struct vcpu, regs));
	REG(r15); REG(r14); REG(r13); REG(r12); REG(rbp); REG(rbx); REG(r11); REG(r10); REG(r9); REG(r8);
	REG(rax); REG(rcx); REG(rdx); REG(rsi); REG(rdi); REG(error_code); REG(rip); REG(cs); REG(rflags); REG(rsp); REG(ss);
	DEFINE(WINDOW_ENTRY_FRAME, CPU_WINDOW_STRUCT * PAGE_SIZE + offsetof(struct cpu, entry_frame));
	DEFINE(WINDOW_SIZE, CPU_WINDOW_SIZE);
	DEFINE(INFO_PENDING, offsetof(struct vcpu_info, evtchn_upcall_pending));
	DEFINE(INFO_MASK, offsetof(struct vcpu_info, evtchn_upcall_mask));
}
