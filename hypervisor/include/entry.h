/* SPDX-License-Identifier: MIT */
/* What entry.S and the C of entering and leaving a guest are to each other. */
#ifndef PARAVANE_ENTRY_H
#define PARAVANE_ENTRY_H

#include <cpu.h>
#include <vcpu.h>

enum {	/* exceptions */
	VECTOR_DB = 1, VECTOR_NMI = 2, VECTOR_UD = 6, VECTOR_NM = 7, VECTOR_GP = 13, VECTOR_PF = 14, VECTOR_INT80 = 0x80,
};
enum { PF_PRESENT = 1, PF_WRITE = 2, PF_USER = 4, PF_FETCH = 16 };	/* a page fault's error code */

/* --- cpu/entry.S ------------------------------------------------------------------------------ */
extern const u64 entry_points[256], traced_entry_points[256];
extern const char iret_partial[], iret_full[], vcpu_first_run[];
void entry_hypercall(void);
void entry_hypercall_traced(void);
extern void (*hypercall_entry)(void);	/* one of these two */
void entry_user_syscall(void);
void entry_syscall32(void);
void entry_user_sysenter(void);
void hypercall_iret(void);
void switch_stacks(u64 *save_rsp_here, u64 new_rsp);
void run_on_stack(u64 rsp, void (*fn)(void)) __attribute__((noreturn));

/* --- cpu/traps.c: called by entry.S -------------------------------------------------------------- */
void trap_plain(struct vcpu *v, int vector);
void trap_plain_error(struct vcpu *v, int vector);
void trap_debug(struct vcpu *v);
void trap_device_not_available(struct vcpu *v);
void trap_general_protection(struct vcpu *v);
/* True: the second is to be called, with the full frame. */
bool trap_invalid_opcode(struct vcpu *v);
void emulate_invalid_opcode(struct vcpu *v);
bool trap_page_fault(struct vcpu *v);
void emulate_page_fault(struct vcpu *v);
void trap_int80(struct vcpu *v);
void trap_nmi(struct cpu_user_regs *regs);
void trap_double_fault(struct cpu_user_regs *regs);
void trap_machine_check(struct cpu_user_regs *regs);
struct cpu_user_regs *trap_in_hypervisor(struct cpu_user_regs *regs, int vector);
void interrupt_from_guest(struct vcpu *v, int vector);
void interrupt_in_hypervisor(int vector);
void exit_work(struct vcpu *v);

/* --- cpu/bounce.c --------------------------------------------------------------------------------- */
void bounce_plain(struct vcpu *v, unsigned vector);	/* bounce_exception() without and with an error code */
void bounce_error(struct vcpu *v, unsigned vector, u64 error_code);
void bounce_syscall(struct vcpu *v);
void bounce_syscall32(struct vcpu *v);
void bounce_sysenter(struct vcpu *v);
void bounce_upcall(struct vcpu *v);
void bounce_nmi(struct vcpu *v);
void bounce_failsafe(struct vcpu *v);
void guest_iret(struct vcpu *v);

/* --- domain/sched.c ---------------------------------------------------------------------------------- */
void vcpu_started(struct vcpu *v);
struct vcpu *idle_vcpu_create(struct cpu *c);
void idle_loop(void) __attribute__((noreturn));
/* Goes on in fn on the idle vCPU's stack; from here `current` may be used. */
void start_on_idle(struct vcpu *idle, void (*fn)(void)) __attribute__((noreturn));

/* --- cpu/descriptors.c --------------------------------------------------------------------------------- */
struct cpu *cpu_create(int id, u32 apic_id);	/* NULL: no memory */
void cpu_load_tables(struct cpu *c);		/* on that CPU: GDT, IDT, TSS, SYSCALL's registers */
extern u64 hv_gdt[512];

/* Where SYSCALL leads. */
static inline void cpu_enter_mode(struct cpu *c, bool kernel_mode)
{
	c->entry_target = (u64)(kernel_mode ? hypercall_entry : entry_user_syscall);
}

#endif
