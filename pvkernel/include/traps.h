/* SPDX-License-Identifier: MIT */
/* Exceptions: the frame, who handles what, and instructions that are allowed to fault. */
#ifndef PVK_TRAPS_H
#define PVK_TRAPS_H

#include "types.h"

#define X86_TRAP_DE 0
#define X86_TRAP_DB 1
#define X86_TRAP_NMI 2
#define X86_TRAP_BP 3
#define X86_TRAP_OF 4
#define X86_TRAP_UD 6
#define X86_TRAP_NM 7
#define X86_TRAP_DF 8
#define X86_TRAP_GP 13
#define X86_TRAP_PF 14
#define NR_EXCEPTIONS 32
#define VECTOR_IRQ0 32			/* native: the interrupt controllers' first */
#define NR_IRQS 16
#define VECTOR_UPCALL 256
#define VECTOR_FAILSAFE 257
#define VECTOR_SYSCALL 258

#define X86_EFLAGS_TF 0x100ul
#define X86_EFLAGS_IF 0x200ul

/* What entry.S leaves on the stack; see the drawing there. */
struct regs {
	u64 r15, r14, r13, r12, r11, r10, r9, r8;
	u64 rbp, rdi, rsi, rdx, rcx, rbx, rax;
	u64 vector, error;
	u64 rip, cs, rflags, rsp, ss;
};

/*
 * An instruction at INSN that may fault: execution goes on at FIXUP and last_fault says what
 * happened. Used inside asm: FIXUP(1b, 2b).
 */
#define FIXUP(insn, target) \
	".pushsection .fixup_table, \"a\"\n\t.quad " #insn ", " #target "\n\t.popsection\n\t"

struct fault {
	u64 vector, error, address;	/* address: CR2 after a page fault */
};

/* Of the last fault that a fixup took. A reader disables interrupts around instruction and look. */
extern struct fault last_fault;

void traps_init(void);
int trap_entry(struct regs *regs);
void dump_regs(const struct regs *regs);
void backtrace(u64 rbp);

#endif
