/* SPDX-License-Identifier: MIT */
/*
 * Where the other CPUs start: real mode, at a page below 1 MiB that smp_boot() copies this to
 * (TRAMPOLINE, smp.c has the same number). They go to long mode on the first page tables, which map
 * low memory one to one, then into the image and onto the idle vCPU's stack.
 */
#define TRAMPOLINE 0x8000
#define AT(label) (label - trampoline_start + TRAMPOLINE)

	.section .rodata
	.global trampoline_start, trampoline_end
	.code16
trampoline_start:
	cli
	cld
	mov	%cs, %ax
	mov	%ax, %ds
	lgdtl	trampoline_gdt_pointer - trampoline_start
	mov	%cr0, %eax
	or	$1, %al
	mov	%eax, %cr0
	ljmpl	$24, $AT(in_protected_mode)

	.code32
in_protected_mode:
	mov	$16, %eax
	mov	%eax, %ds
	mov	%eax, %ss
	mov	%cr4, %eax
	or	$0x20, %eax			/* PAE */
	mov	%eax, %cr4
	mov	$boot_tables_phys, %eax
	mov	%eax, %cr3
	mov	$0xc0000080, %ecx
	rdmsr
	or	$0x100, %eax			/* EFER.LME */
	wrmsr
	mov	$0x80010011, %eax		/* PG, WP, ET, PE: caches on */
	mov	%eax, %cr0
	ljmpl	$8, $AT(in_trampoline_long_mode)

	.code64
in_trampoline_long_mode:
	movabs	$ap_in_image, %rax
	jmp	*%rax

	.balign 8
trampoline_gdt:
	.quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cf9b000000ffff
trampoline_gdt_pointer:
	.word . - trampoline_gdt - 1
	.long AT(trampoline_gdt)
trampoline_end:

	.section .text
	.code64
ap_in_image:
	xor	%eax, %eax
	mov	%eax, %ss
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %fs
	mov	%eax, %gs
	lea	ap_boot_stack_top(%rip), %rsp
	xor	%ebp, %ebp
	call	ap_start
	ud2

/* One CPU at a time uses it, for a few calls: until it runs on its idle vCPU's stack. */
	.section .bss.boot, "aw", @nobits
	.balign 4096
	.skip 4096
ap_boot_stack_top:
