/* SPDX-License-Identifier: MIT */
/*
 * Every way into the kernel but the first, and every way back.
 *
 *	what a PV hypervisor pushes	what the CPU pushes (cpu=native)	struct regs adds below
 *	  ss				  ss
 *	  rsp				  rsp
 *	  rflags (IF = !mask)		  rflags
 *	  cs | mask << 32		  cs
 *	  rip				  rip
 *	 [error code]			 [error code]				0 where there is none
 *	  r11									vector
 *	  rcx				<- rsp					rax rbx ... r15
 *	<- rsp
 *
 * The PV entries take rcx and r11 off and are then at the native ones. trap_entry() gets the frame
 * as struct regs and says how to leave: 0 by the iret hypercall, 1 by iretq.
 */

	.text

trap_common:
	push %rax
	push %rbx
	push %rcx
	push %rdx
	push %rsi
	push %rdi
	push %rbp
	push %r8
	push %r9
	push %r10
	push %r11
	push %r12
	push %r13
	push %r14
	push %r15
	cld
	mov %rsp, %rdi
	call trap_entry
	test %eax, %eax
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rbp
	pop %rdi
	pop %rsi
	pop %rdx
	pop %rcx
	pop %rbx
	pop %rax
	lea 16(%rsp), %rsp		/* vector and error code; lea keeps the flags of the test */
	jnz 1f
	push $0				/* no VGCF flag: rcx and r11 are restored */
	jmp hypercall_page + 23 * 32
1:	iretq

.macro VECTOR nr, error=0
	.balign 16
trap_pv_\nr:
	pop %rcx
	pop %r11
trap_native_\nr:
.if \error == 0
	push $0
.endif
	push $\nr
	jmp trap_common
.endm

	.irp nr, 0, 1, 2, 3, 4, 5, 6, 7, 9, 15, 16, 18, 19, 20, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	VECTOR \nr
	.endr
	.irp nr, 8, 10, 11, 12, 13, 14, 17, 21
	VECTOR \nr, 1
	.endr
	.irp nr, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47
	VECTOR \nr
	.endr

/* The event upcall is vector 256 to C: no exception, no interrupt of the machine. */
	.balign 16
	.globl upcall_entry
upcall_entry:
	pop %rcx
	pop %r11
	push $0
	push $256
	jmp trap_common

/* A segment selector or the frame of an iret was refused: rcx r11 ds es fs gs, then the frame. */
	.balign 16
	.globl failsafe_entry
failsafe_entry:
	pop %rcx
	pop %r11
	add $32, %rsp
	push $0
	push $257
	jmp trap_common

/* SYSCALL of user mode, which this kernel does not run: refused by trap_entry. */
	.balign 16
	.globl syscall_entry
syscall_entry:
	pop %rcx
	pop %r11
	push $0
	push $258
	jmp trap_common

/* switch_stack(u64 *save_sp in rdi, u64 load_sp in rsi): what C expects kept goes over the stack. */
	.balign 16
	.globl switch_stack, thread_start
switch_stack:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, (%rdi)
	mov %rsi, %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret

/* First return of a new thread; thread_create() put its function in rbx and the argument in r12. */
thread_start:
	xor %ebp, %ebp
	mov %rbx, %rdi
	mov %r12, %rsi
	call thread_main
	ud2

/* Addresses by vector, PV entry and native entry; 0 where nothing is registered. */
	.section .rodata
	.balign 8
	.globl trap_entries
trap_entries:
	.set vec, 0
	.irp nr, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23
	.quad trap_pv_\nr, trap_native_\nr
	.endr
	.irp nr, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47
	.quad trap_pv_\nr, trap_native_\nr
	.endr
	.section .note.GNU-stack, "", @progbits
