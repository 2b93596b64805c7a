/* SPDX-License-Identifier: MIT */
/*
 * Every way into the hypervisor and back to a guest, and nothing else.
 *
 * A vCPU's stack begins under its registers (vcpu.h), so pushing them is saving them. From a
 * guest, rsp comes to stand at &regs.ss + 8 by the TSS or by the SYSCALL entry code of the CPU:
 *
 *      r15 ... rdi  |  error_code  rip  cs  rflags  rsp  ss
 *      ^ pushed here; then rsp == &v->regs          ^ pushed by the CPU or its entry code
 *
 * Two shapes of frame. Full: all registers, for whoever may look at or change any of them. Partial:
 * without rbx, rbp, r12 to r15, which C keeps. Everything enters with a partial one but for #GP, which is for the
 * interpreter. A handler that finds it needs the other registers says so; then the frame is completed and a
 * second handler called. Whoever leaves by the slow way completes it too.
 */
#include "offsets.h"

#define FLAT_KERNEL_CS 0xe033
#define FLAT_KERNEL_SS 0xe02b
#define CLAC \
	662: clac; \
	.pushsection .smap_sites, "a"; \
	.long 662b - .; \
	.popsection

	.text

/* --- registers -------------------------------------------------------------------------------- */

	.macro PUSH_EACH registers:vararg
	.irp	r, \registers
	push	%\r
	.endr
	.endm

	.macro POP_EACH registers:vararg
	.irp	r, \registers
	pop	%\r
	.endr
	.endm

	/* rsp at regs: into the frame and out of it */
	.macro SAVE registers:vararg
	.irp	r, \registers
	mov	%\r, R_\r(%rsp)
	.endr
	.endm

	.macro RESTORE registers:vararg
	.irp	r, \registers
	mov	R_\r(%rsp), %\r
	.endr
	.endm

	/* rsp at error_code -> rsp at r15 */
	.macro PUSH_ALL
	PUSH_EACH	rdi, rsi, rdx, rcx, rax, r8, r9, r10, r11, rbx, rbp, r12, r13, r14, r15
	.endm

	/* and back, over the error code, to where it was interrupted */
	.macro POP_ALL
	POP_EACH	r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi
	add	$8, %rsp
	.endm

/* Of arguments, which a hypercall gives back unchanged; the rest of a partial frame; C's, which make it a full one. */
#define ARGUMENTS rdi, rsi, rdx, r10, r8, r9
#define SCRATCH rax, rcx, r11
#define PRESERVED rbx, rbp, r12, r13, r14, r15

	/*
	 * Goes to \slow when something has to be done before the guest may run, to \upcall when that is no more than to enter its
	 * event callback; clobbers %rdx.
	 */
	.macro CHECK_WORK slow, upcall
	cmpl	$0, V_work(%rsp)
	jne	\slow
	mov	V_info(%rsp), %rdx
	cmpb	$0, INFO_PENDING(%rdx)
	jne	771f
770:
	.subsection 1
771:	cmpb	$0, INFO_MASK(%rdx)
	jne	770b
	jmp	\upcall
	.previous
	.endm

	/* What a hypercall left out of the frame, since SYSRET implies it: rax in place, the rest constant or saved. */
	.macro COMPLETE_HYPERCALL_FRAME
	mov	%rax, R_rax(%rsp)
	mov	R_rip(%rsp), %rcx
	mov	%rcx, R_rcx(%rsp)
	mov	R_rflags(%rsp), %r11
	mov	%r11, R_r11(%rsp)
	movq	$FLAT_KERNEL_CS, R_cs(%rsp)
	movq	$FLAT_KERNEL_SS, R_ss(%rsp)
	.endm

/* --- SYSCALL ----------------------------------------------------------------------------------- */

/*
 * Guest kernel mode. The CPU's entry code (descriptors.c) has pushed rsp; rcx holds the return
 * address, r11 the flags, rax the number. A handler gets the vCPU as its sixth argument.
 */
	.globl	entry_hypercall
	.balign	16
entry_hypercall:
	push	%r11
	sub	$R_rflags, %rsp
	mov	%rcx, R_rip(%rsp)
	SAVE	ARGUMENTS
hypercall_saved:
	mov	%r10, %rcx
	lea	-VCPU_REGS(%rsp), %r9
	incq	V_hypercalls(%rsp)
	cmp	$64, %rax
	jae	1f
	lea	hypercall_table(%rip), %r11
	call	*(%r11, %rax, 8)
2:	CHECK_WORK hypercall_slow_exit, hypercall_upcall
	/*
	 * SYSRET faults in ring 0 on a non-canonical rip. A SYSCALL in the last bytes of the lower half makes the only one there is;
	 * IRET makes a fault of the guest's of it.
	 */
	mov	R_rip(%rsp), %rcx
	cmp	end_of_lower_half(%rip), %rcx
	je	hypercall_slow_exit
	RESTORE	ARGUMENTS
	mov	R_rflags(%rsp), %r11
	mov	R_rsp(%rsp), %rsp
	sysretq
1:	mov	$-38, %rax
	jmp	2b

/* The same, with a record of it first. */
	.globl	entry_hypercall_traced
	.balign	16
entry_hypercall_traced:
	push	%r11
	sub	$R_rflags, %rsp
	mov	%rcx, R_rip(%rsp)
	mov	%rax, R_rax(%rsp)
	SAVE	ARGUMENTS
	lea	-VCPU_REGS(%rsp), %rdi
	call	trace_hypercall
	mov	R_rax(%rsp), %rax
	RESTORE	ARGUMENTS
	jmp	hypercall_saved

hypercall_upcall:
	COMPLETE_HYPERCALL_FRAME
partial_upcall:
	lea	-VCPU_REGS(%rsp), %rdi
	call	bounce_upcall	/* masks further ones */
	cmpl	$0, V_work(%rsp)
	jne	partial_slow_exit
	jmp	restore_partial

hypercall_slow_exit:
	COMPLETE_HYPERCALL_FRAME
partial_slow_exit:
	SAVE	PRESERVED
full_slow_exit:
	lea	-VCPU_REGS(%rsp), %rdi
	call	exit_work
	jmp	restore_all

/* The iret hypercall, reached through the table: the guest's frame replaces what the entry saved. */
	.globl	hypercall_iret
hypercall_iret:
	add	$8, %rsp
	mov	%r9, %rdi
	call	guest_iret
return_partial:
	CHECK_WORK partial_slow_exit, partial_upcall
restore_partial:
	RESTORE	ARGUMENTS, SCRATCH
	add	$R_rip, %rsp
/* A frame that IRET refuses faults at one of these two; trap_in_hypervisor() makes it the guest's own fault. */
	.globl	iret_partial
iret_partial:
	iretq

/* Guest user mode: bounced to a callback. Compatibility mode has an entry of its own; a kernel's is a hypercall there too. */
	.macro USER_SYSCALL bounce, cs
	push	%r11
	sub	$R_rflags, %rsp
	movq	$FLAT_KERNEL_SS, R_ss(%rsp)
	movq	$\cs, R_cs(%rsp)
	mov	%rcx, R_rip(%rsp)
	SAVE	ARGUMENTS, SCRATCH
	lea	-VCPU_REGS(%rsp), %rdi
	call	\bounce
	jmp	return_partial
	.endm

	.globl	entry_user_syscall
	.balign	16
entry_user_syscall:
	USER_SYSCALL bounce_syscall, 0xe033

	.globl	entry_syscall32
	.balign	16
entry_syscall32:
	cmpb	$0, V_kernel_mode - R_rsp(%rsp)
	jne	entry_hypercall
	USER_SYSCALL bounce_syscall32, 0xe023

/* SYSENTER saves nothing: the flags are those found here, and NT goes, or the next IRET would fault. */
	.globl	entry_user_sysenter
	.balign	16
entry_user_sysenter:
	pushfq
	andq	$~0x4100, (%rsp)
	popfq
	pushfq
	orq	$0x200, (%rsp)
	sub	$R_rflags, %rsp
	movq	$FLAT_KERNEL_SS, R_ss(%rsp)
	movq	$0xe023, R_cs(%rsp)
	movq	$0, R_rip(%rsp)
	SAVE	ARGUMENTS, SCRATCH
	cld
	CLAC
	lea	-VCPU_REGS(%rsp), %rdi
	call	bounce_sysenter
	jmp	return_partial

/* --- exceptions -------------------------------------------------------------------------------------- */

	/* rsp at error_code, or at rip where there is none -> rsp at regs, partial frame, rdi the vCPU */
	.macro ENTER_PARTIAL from=R_error_code
	sub	$\from, %rsp
	SAVE	ARGUMENTS, SCRATCH
	cld
	CLAC
	lea	-VCPU_REGS(%rsp), %rdi
	.endm

	/* handler(v, vector); with `second`, it answers whether second(v) has to see the full frame. */
	.macro EXCEPTION vector, handler, has_error=0, second
	.balign	16
entry_vector_\vector:
	.if !\has_error
	push	$0
	.endif
	testb	$3, 16(%rsp)
	jz	1f
	ENTER_PARTIAL
	mov	$\vector, %esi
	call	\handler
	.ifnb \second
	test	%al, %al
	jz	return_partial
	SAVE	PRESERVED
	lea	-VCPU_REGS(%rsp), %rdi
	call	\second
	jmp	return_full
	.else
	jmp	return_partial
	.endif
1:	PUSH_ALL
	mov	$\vector, %esi
	jmp	in_hypervisor
	.endm

	.irp	n, 0,3,4,5,9,15,16,19,20,22,23,24,25,26,27,28,29,30,31
	EXCEPTION \n, trap_plain
	.endr
	.irp	n, 10,11,12,17,21
	EXCEPTION \n, trap_plain_error, 1
	.endr
	EXCEPTION 6, trap_invalid_opcode, 0, emulate_invalid_opcode
	EXCEPTION 7, trap_device_not_available
	EXCEPTION 14, trap_page_fault, 1, emulate_page_fault

	.balign	16
entry_vector_13:
	testb	$3, 16(%rsp)
	jz	1f
	PUSH_ALL
	cld
	CLAC
	lea	-VCPU_REGS(%rsp), %rdi
	call	trap_general_protection
return_full:
	CHECK_WORK full_slow_exit, full_slow_exit
restore_all:
	POP_ALL
	.globl	iret_full
iret_full:
	iretq
1:	PUSH_ALL
	mov	$13, %esi
	jmp	in_hypervisor

/* The one software interrupt with a gate of its own. The hypervisor does not use it. */
	.balign	16
entry_int80:
	ENTER_PARTIAL R_rip
	call	trap_int80
	jmp	return_partial

/* The first run of a vCPU: switch_stacks() returns to here. */
	.globl	vcpu_first_run
vcpu_first_run:
	lea	-VCPU_REGS(%rsp), %rdi
	call	vcpu_started
	jmp	full_slow_exit

/*
 * A fault of the hypervisor's own; rsp at the registers, the vector in esi. C answers NULL, or where the
 * registers are of a vCPU that is to run instead.
 */
in_hypervisor:
	cld
	CLAC
	mov	%rsp, %rdi
	call	trap_in_hypervisor
	test	%rax, %rax
	jz	return_to_hypervisor
	mov	%rax, %rsp
	jmp	full_slow_exit

/*
 * #DB has a stack of its own: one that a MOV to SS holds back until after a SYSCALL comes at the first instruction of the
 * entry, where rsp is still the guest's. From a guest, the frame moves to where other exceptions have theirs.
 */
	.balign	16
entry_vector_1:
	push	$0
	testb	$3, 16(%rsp)
	jz	1f
	push	%rax
	mov	%rsp, %rax
	and	$-WINDOW_SIZE, %rax
	mov	WINDOW_ENTRY_FRAME(%rax), %rax
	.irp	n, 0,1,2,3,4	/* ss, rsp, rflags, cs, rip */
	pushq	48 - 8 * \n(%rsp)
	popq	-8 * \n(%rax)
	.endr
	sub	$40, %rax
	xchg	%rax, (%rsp)	/* the guest's rax; the stack to go on with */
	pop	%rsp
	PUSH_ALL
	cld
	CLAC
	lea	-VCPU_REGS(%rsp), %rdi
	call	trap_debug
	jmp	return_full
1:	PUSH_ALL
	mov	$1, %esi
	jmp	in_hypervisor

/* --- vectors with a stack of their own: NMI, double fault, machine check ------------------------------- */

	.macro IST_EXCEPTION vector, handler, has_error=0
	.balign	16
entry_vector_\vector:
	.if !\has_error
	push	$0
	.endif
	PUSH_ALL
	cld
	CLAC
	mov	%rsp, %rdi
	call	\handler
	jmp	return_to_hypervisor
	.endm

	IST_EXCEPTION 2, trap_nmi
	IST_EXCEPTION 8, trap_double_fault, 1
	IST_EXCEPTION 18, trap_machine_check

/* --- interrupts ------------------------------------------------------------------------------------------ */

	.balign	16
interrupt_stubs:
	vector = 32
	.rept	224
	.balign	16
	push	$vector
	jmp	interrupt
	vector = vector + 1
	.endr

interrupt:
	testb	$3, 16(%rsp)
	jz	1f
	ENTER_PARTIAL
	mov	R_error_code(%rsp), %esi
	call	interrupt_from_guest
	jmp	return_partial
1:	PUSH_ALL
	cld
	mov	R_error_code(%rsp), %edi
	call	interrupt_in_hypervisor
return_to_hypervisor:	/* or wherever an NMI came from */
	POP_ALL
	iretq

/*
 * The same vectors, recorded first: the number is pushed on what the CPU has pushed, and then becomes the address of the
 * usual entry. Those with a stack of their own are not recorded.
 */
	.balign	16
traced_stubs:
	vector = 0
	.rept	256
	.balign	16
	push	$vector
	jmp	traced
	vector = vector + 1
	.endr

#define CALLER_SAVED rdi, rsi, rdx, rcx, rax, r8, r9, r10, r11

traced:
	PUSH_EACH	CALLER_SAVED
	cld
	mov	72(%rsp), %edi
	lea	80(%rsp), %rsi
	call	trace_vector
	lea	entry_points(%rip), %rax
	mov	72(%rsp), %ecx
	mov	(%rax, %rcx, 8), %rax
	mov	%rax, 72(%rsp)
	POP_EACH	r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi
	ret

/* Where each vector enters; descriptors.c makes the IDT of it. */
	.section .rodata
	.balign	8
end_of_lower_half:
	.quad	0x800000000000
	.globl	entry_points
entry_points:
	.irp	n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	.quad	entry_vector_\n
	.endr
	vector = 32
	.rept	224
	.if vector == 0x80
	.quad	entry_int80
	.else
	.quad	interrupt_stubs + 16 * (vector - 32)
	.endif
	vector = vector + 1
	.endr
	.globl	traced_entry_points
traced_entry_points:
	vector = 0
	.rept	256
	.if vector == 1
	.quad	entry_vector_1
	.elseif vector == 2
	.quad	entry_vector_2
	.elseif vector == 8
	.quad	entry_vector_8
	.elseif vector == 18
	.quad	entry_vector_18
	.else
	.quad	traced_stubs + 16 * vector
	.endif
	vector = vector + 1
	.endr

/* --- switching stacks ------------------------------------------------------------------------------------- */

	.text
/* void switch_stacks(u64 *save_rsp_here, u64 new_rsp): goes on where the other stack left off. */
	.globl	switch_stacks
switch_stacks:
	PUSH_EACH	PRESERVED
	mov	%rsp, (%rdi)
	mov	%rsi, %rsp
	POP_EACH	r15, r14, r13, r12, rbp, rbx
	ret

/* void run_on_stack(u64 rsp, void (*fn)(void)): leaves the boot stack for good. */
	.globl	run_on_stack
run_on_stack:
	mov	%rdi, %rsp
	xor	%ebp, %ebp
	call	*%rsi
	ud2
