/* SPDX-License-Identifier: MIT */
/*
 * The first instructions of a conformance image, and the notes that say how to load it.
 * Every register of the start-of-day state is put aside before anything changes it, because
 * that state is itself promised (tests/conformance/entry).
 */

#define NOTE_STRING(type, text)			\
	.balign 4;				\
	.long 4, 2f - 1f, type;			\
	.asciz "Xen";				\
1:	.asciz text;				\
2:	.balign 4

#define NOTE_QUAD(type, value)			\
	.balign 4;				\
	.long 4, 8, type;			\
	.asciz "Xen";				\
	.quad value

	.section .note.Xen, "a", @note
	NOTE_QUAD(1, _start)			/* ENTRY */
	NOTE_QUAD(2, hypercall_page)		/* HYPERCALL_PAGE */
	NOTE_QUAD(3, VIRT_BASE)			/* VIRT_BASE */
	NOTE_QUAD(4, 0)				/* PADDR_OFFSET */
	NOTE_STRING(5, "xen-3.0")		/* XEN_VERSION */
	NOTE_STRING(6, "conformance")		/* GUEST_OS */
	NOTE_STRING(7, "1")			/* GUEST_VERSION */
	NOTE_STRING(8, "generic")		/* LOADER */

	.section .text.head, "ax"
	.code64
	.globl _start
_start:
	mov	%rax, entry_state+0x00(%rip)
	mov	%rbx, entry_state+0x08(%rip)
	mov	%rcx, entry_state+0x10(%rip)
	mov	%rdx, entry_state+0x18(%rip)
	mov	%rsi, entry_state+0x20(%rip)
	mov	%rdi, entry_state+0x28(%rip)
	mov	%rbp, entry_state+0x30(%rip)
	mov	%rsp, entry_state+0x38(%rip)
	mov	%r8, entry_state+0x40(%rip)
	mov	%r9, entry_state+0x48(%rip)
	mov	%r10, entry_state+0x50(%rip)
	mov	%r11, entry_state+0x58(%rip)
	mov	%r12, entry_state+0x60(%rip)
	mov	%r13, entry_state+0x68(%rip)
	mov	%r14, entry_state+0x70(%rip)
	mov	%r15, entry_state+0x78(%rip)
	pushfq
	popq	entry_state+0x80(%rip)
	mov	%cs, entry_state+0x88(%rip)
	mov	%ss, entry_state+0x8a(%rip)
	mov	%ds, entry_state+0x8c(%rip)
	mov	%es, entry_state+0x8e(%rip)
	mov	%fs, entry_state+0x90(%rip)
	mov	%gs, entry_state+0x92(%rip)
	stmxcsr	entry_state+0x94(%rip)
	fnstcw	entry_state+0x98(%rip)
	lea	boot_stack_top(%rip), %rsp
	cld
	xor	%ebp, %ebp
	mov	%rsi, %rdi
	call	guest_start
1:	ud2
	jmp	1b

	.balign 4096
	.globl hypercall_page
hypercall_page:
	.skip	4096

	.section .bss
	.balign 4096
	.skip	65536
	.globl boot_stack_top
boot_stack_top:
	/* Stack for entries from user mode; apart from the boot stack, whose frames it must not touch. */
	.skip	32768
	.globl trap_stack_top
trap_stack_top:
	.section .note.GNU-stack, "", @progbits
