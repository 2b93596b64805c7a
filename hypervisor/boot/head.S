/* SPDX-License-Identifier: MIT */
/*
 * From the multiboot loader (32-bit, no paging) to C at the image's link address.
 *
 * The first page tables map, writable and executable, the first 4 GiB three times: one to one,
 * at DIRECTMAP_START, and the first GiB at IMAGE_START. boot_tables, in pages:
 *     0 L4    1 L3 for slots 0 and 262    2 L3 for the image    3 to 6 L2s, 2 MiB pages
 * Other CPUs come in from the trampoline in protected mode and share the way from there, one after another: tables,
 * stack, and boot_target, which smp_boot() has set for them.
 */
#define HEADER_MAGIC 0x1badb002
#define HEADER_FLAGS 0x00010003	/* modules page aligned, memory map, addresses below */

	.section .multiboot, "a"
	.balign 4
header:
	.long HEADER_MAGIC, HEADER_FLAGS, -(HEADER_MAGIC + HEADER_FLAGS)
	.long header, load_phys, load_end_phys, end_phys, boot_entry

	.section .boot, "ax"
	.code32
	.global boot_entry
/* eax: the loader's magic, ebx: its information. */
boot_entry:
	cli
	cld
	mov	%eax, %ebp
	mov	$no_long_mode, %esi
	mov	$0x80000000, %eax
	mov	%ebx, %edi
	cpuid
	cmp	$0x80000001, %eax
	jb	refuse
	mov	$0x80000001, %eax
	cpuid
	bt	$29, %edx
	jnc	refuse
	mov	%edi, %ebx

	/* ebx and ebp keep the loader's words. */
	mov	$boot_tables_phys, %edi
	lea	0x1003(%edi), %eax
	mov	%eax, (%edi)			/* L4[0] */
	mov	%eax, 262 * 8(%edi)		/* L4[262]: the direct map */
	lea	0x2003(%edi), %eax
	mov	%eax, 261 * 8(%edi)		/* L4[261]: the image */
	lea	0x3003(%edi), %eax
	mov	%eax, 0x2000 + 256 * 8(%edi)	/* L3[256] of slot 261 is IMAGE_START */
	xor	%ecx, %ecx
1:	mov	%eax, 0x1000(%edi, %ecx, 8)	/* four L2s side by side */
	add	$0x1000, %eax
	inc	%ecx
	cmp	$4, %ecx
	jb	1b
	add	$0x3000, %edi
	mov	$0x83, %eax			/* present, writable, 2 MiB */
	xor	%ecx, %ecx
2:	mov	%eax, (%edi, %ecx, 8)
	add	$0x200000, %eax
	inc	%ecx
	cmp	$2048, %ecx
	jb	2b

/* ebx and ebp: what boot_target gets as its arguments. Of the segments, only cs is known to be flat. */
enter_long_mode:
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
	lgdt	%cs:boot_gdt_pointer
	ljmp	$8, $in_long_mode

/* esi: a message for COM1 as the firmware left it; then nothing more. */
refuse:
	mov	$0x3f8, %edx
3:	lodsb
	test	%al, %al
	jz	4f
	out	%al, (%dx)
	jmp	3b
4:	hlt
	jmp	4b
no_long_mode:
	.asciz "Paravane: this CPU has no 64-bit mode\r\n"

	.code64
in_long_mode:
	movabs	$in_image, %rax
	jmp	*%rax

	.balign 8
boot_gdt:
	.quad 0
	.quad 0x00af9b000000ffff		/* 8: 64-bit code */
	.quad 0x00cf93000000ffff		/* 16: data */
	.quad 0x00cf9b000000ffff		/* 24: 32-bit code */
boot_gdt_pointer:
	.word . - boot_gdt - 1
	.quad boot_gdt

	.section .text.entry, "ax"
in_image:
	mov	$16, %eax
	mov	%eax, %ss
	xor	%eax, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %fs
	mov	%eax, %gs
	lea	boot_stack_top(%rip), %rsp
	mov	%ebp, %edi
	mov	%ebx, %esi
	xor	%ebp, %ebp
	call	*boot_target(%rip)
	ud2

	.data
	.global boot_target
boot_target:
	.quad paravane_main

/* Where the other CPUs start: real mode, at a page below 1 MiB that smp_boot() copies this to. */

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
	ljmpl	$24, $enter_long_mode
trampoline_gdt_pointer:
	.word 31
	.long boot_gdt
trampoline_end:

	.section .bss.boot, "aw", @nobits
	.balign 4096
	.global boot_tables, boot_guard
boot_tables:
	.skip 7 * 4096
boot_guard:
	.skip 4096
	.skip 2 * 4096
boot_stack_top:
