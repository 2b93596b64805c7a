/* SPDX-License-Identifier: MIT */
/*
 * Every way in from the hypervisor, and the ways back.
 *
 * What the hypervisor has pushed, low address first:
 *	rcx, r11, [error code], rip, cs | saved mask << 32, rflags, rsp, ss
 * (the failsafe callback has ds, es, fs, gs after r11). A stub takes rcx and r11 back into
 * their registers, puts 0 where an error code is missing, and pushes its number; trap_common
 * pushes the rest of struct regs. The way back is the iret hypercall, whose frame is
 *	rax, r11, rcx, flags, rip, cs, rflags, rsp, ss
 * so the slots of the number and the error code become those of rcx and flags.
 */
	.text

	.balign 16
	.globl trap_stubs
trap_stubs:
	vector = 0
	.rept 256
	.balign 16
	pop	%rcx
	pop	%r11
	.if (vector != 8) && (vector < 10 || vector > 14) && (vector != 17) && (vector != 21)
	push	$0
	.endif
	push	$vector
	jmp	trap_common
	vector = vector + 1
	.endr

	.macro callback name number
	.globl \name
\name:	pop	%rcx
	pop	%r11
	push	$0
	push	$\number
	jmp	trap_common
	.endm

	callback callback_syscall 0x100
	callback callback_sysenter 0x101
	callback callback_syscall32 0x102
	callback callback_event 0x103

	.globl callback_failsafe
callback_failsafe:
	pop	%rcx
	pop	%r11
	popq	failsafe_selectors+0(%rip)
	popq	failsafe_selectors+8(%rip)
	popq	failsafe_selectors+16(%rip)
	popq	failsafe_selectors+24(%rip)
	push	$0
	push	$0x104
	jmp	trap_common

	callback callback_nmi 0x105

trap_common:
	push	%rdi
	push	%rsi
	push	%rdx
	push	%rcx
	push	%rax
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, %rdi
	mov	%rsp, %rbx
	and	$-16, %rsp
	cld
	call	trap_entry
	mov	%rbx, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rax
	pop	%rcx
	pop	%rdx
	pop	%rsi
	pop	%rdi
	mov	%rcx, (%rsp)
	push	%r11
	push	%rax
	mov	$23, %eax
	syscall
	ud2

/*
 * uint64_t attempt_call(uint64_t (*function)(uint64_t), uint64_t argument)
 * Calls function; a trap that nobody handles continues at attempt_recover instead, on the
 * stack remembered in recovery_rsp.
 */
	.globl attempt_call
attempt_call:
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	recovery_rsp(%rip)
	mov	%rsp, recovery_rsp(%rip)
	mov	%rdi, %rax
	mov	%rsi, %rdi
	sub	$8, %rsp
	and	$-16, %rsp
	call	*%rax
	mov	recovery_rsp(%rip), %rsp
	.globl attempt_recover
attempt_recover:
	pop	recovery_rsp(%rip)
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	ret

/*
 * uint64_t enter_user(const struct user_frame *frame, uint64_t argument)
 * Loads the frame by the iret hypercall. Comes back by a trap, through attempt_recover.
 */
	.globl enter_user
enter_user:
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	recovery_rsp(%rip)
	mov	%rsp, recovery_rsp(%rip)
	push	0x40(%rdi)
	push	0x38(%rdi)
	push	0x30(%rdi)
	push	0x28(%rdi)
	push	0x20(%rdi)
	push	0x18(%rdi)
	push	0x10(%rdi)
	push	0x08(%rdi)
	push	0x00(%rdi)
	mov	%rsi, %rdi
	mov	$23, %eax
	syscall
	ud2

/* Where a user function returns to: its result stays in rax, and int 0x80 brings it home. */
	.globl user_exit
user_exit:
	int	$0x80
	ud2

	.bss
	.balign 8
	.globl recovery_rsp
recovery_rsp:
	.quad	0
	.globl failsafe_selectors
failsafe_selectors:
	.skip	32
	.section .note.GNU-stack, "", @progbits
