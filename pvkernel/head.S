/* SPDX-License-Identifier: MIT */
/*
 * The two ways in. A PV hypervisor enters at pv_entry in long mode with the initial address space
 * that the ABI promises and start_info in rsi. A multiboot loader enters at native_entry in 32-bit
 * protected mode without paging; native_entry builds the same layout (physical 0 at VIRT_BASE) and
 * goes on in long mode, ring 0. Both continue in C on boot_stack.
 */

#define XEN_ELFNOTE_ENTRY		1
#define XEN_ELFNOTE_HYPERCALL_PAGE	2
#define XEN_ELFNOTE_VIRT_BASE		3
#define XEN_ELFNOTE_PADDR_OFFSET	4
#define XEN_ELFNOTE_XEN_VERSION		5
#define XEN_ELFNOTE_GUEST_OS		6
#define XEN_ELFNOTE_GUEST_VERSION	7
#define XEN_ELFNOTE_LOADER		8
#define XEN_ELFNOTE_FEATURES		10

#define VIRT_BASE		0xffffffff80000000	/* as in pvkernel.lds */
#define BOOT_STACK_SIZE			16384

.macro NOTE type, directive, value:vararg
	.balign 4
	.long 4, 2f - 1f, \type
	.asciz "Xen"
1:	\directive \value
2:	.balign 4
.endm

	.section .note.Xen, "a", @note
	NOTE XEN_ELFNOTE_GUEST_OS, .asciz, "pvkernel"
	NOTE XEN_ELFNOTE_GUEST_VERSION, .asciz, "1"
	NOTE XEN_ELFNOTE_XEN_VERSION, .asciz, "xen-3.0"
	NOTE XEN_ELFNOTE_LOADER, .asciz, "generic"
	NOTE XEN_ELFNOTE_FEATURES, .asciz, "!writable_page_tables|pae_pgdir_above_4gb"
	NOTE XEN_ELFNOTE_VIRT_BASE, .quad, VIRT_BASE
	NOTE XEN_ELFNOTE_PADDR_OFFSET, .quad, 0
	NOTE XEN_ELFNOTE_ENTRY, .quad, pv_entry
	NOTE XEN_ELFNOTE_HYPERCALL_PAGE, .quad, hypercall_page

#define MULTIBOOT_MAGIC		0x1badb002
#define MULTIBOOT_FLAGS		0x00010003	/* page-aligned modules, memory map, addresses below */
#define PHYS(sym)		((sym) - VIRT_BASE)

	.section .head, "ax", @progbits
	.globl pv_entry
multiboot_header:
	.long MULTIBOOT_MAGIC
	.long MULTIBOOT_FLAGS
	.long -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)
	.long PHYS(multiboot_header)
	.long PHYS(image_start)
	.long PHYS(image_load_end)
	.long PHYS(image_end)
	.long PHYS(native_entry)

	.code64
pv_entry:
	cld
	mov %rsi, %rdi
	mov %rsp, %rsi			/* the loader's stack ends what it has put into memory */
	lea boot_stack + BOOT_STACK_SIZE, %rsp
	xor %ebp, %ebp
	call pv_start
	ud2

	.code32
native_entry:				/* eax = loader's magic, ebx = multiboot information */
	cld
	cli
	lea PHYS(boot_stack + BOOT_STACK_SIZE), %esp
	mov %eax, %esi
	mov $PHYS(native_l2), %edi	/* the first GiB in 2 MiB pages */
	mov $0x83, %eax
	mov $512, %ecx
1:	mov %eax, (%edi)
	add $0x200000, %eax
	add $8, %edi
	loop 1b
	movl $PHYS(native_l2) + 3, PHYS(native_l3_low)
	movl $PHYS(native_l2) + 3, PHYS(native_l3_high + 510 * 8)
	movl $PHYS(native_l3_low) + 3, PHYS(native_l4)
	movl $PHYS(native_l3_high) + 3, PHYS(native_l4 + 511 * 8)

	mov %cr4, %eax
	or $0x20, %eax			/* PAE */
	mov %eax, %cr4
	mov $PHYS(native_l4), %eax
	mov %eax, %cr3
	mov %ebx, %ebp
	mov $0x80000001, %eax
	cpuid
	mov %ebp, %ebx
	shr $20 - 11, %edx
	and $0x800, %edx
	mov %edx, %ebp			/* EFER.NXE if there is NX */
	mov $0xc0000080, %ecx		/* EFER: long mode, SYSCALL */
	rdmsr
	or $0x101, %eax
	or %ebp, %eax
	wrmsr
	mov %cr0, %eax
	or $0x80010001, %eax		/* paging, write protection also in ring 0 */
	and $0xfffffff3, %eax		/* the FPU is there: no emulation, no TS */
	mov %eax, %cr0
	lgdt PHYS(native_gdt_ptr_low)
	ljmp $8, $PHYS(1f)

	.code64
1:	mov $0x10, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	xor %eax, %eax
	mov %eax, %fs
	mov %eax, %gs
	mov $2f, %rax
	jmp *%rax
2:	lea boot_stack + BOOT_STACK_SIZE, %rsp
	xor %ebp, %ebp
	mov %esi, %edi
	mov %ebx, %esi
	call native_start
	ud2

	.balign 4096
	.globl hypercall_page
hypercall_page:				/* filled by the hypervisor: 128 stubs of 32 bytes */
	.fill 4096, 1, 0xcc

	.section .data
	.balign 16
	.globl native_gdt, native_gdt_ptr
native_gdt:
	.quad 0
	.quad 0x00af9b000000ffff	/* 0x08: 64-bit code, ring 0 */
	.quad 0x00cf93000000ffff	/* 0x10: data, ring 0 */
	.quad 0x00cffb000000ffff	/* 0x18: 32-bit code, ring 3 */
	.quad 0x00cff3000000ffff	/* 0x20: data, ring 3 */
	.quad 0x00affb000000ffff	/* 0x28: 64-bit code, ring 3 */
	.quad 0, 0			/* 0x30: TSS, filled in by native.c */
native_gdt_end:
	.word 0, 0, 0
native_gdt_ptr:
	.word native_gdt_end - native_gdt - 1
	.quad native_gdt
native_gdt_ptr_low:
	.word native_gdt_end - native_gdt - 1
	.long PHYS(native_gdt)

	.section .bss
	.balign 4096
	.globl native_l2, native_l4
native_l4:
	.skip 4096
native_l3_low:
	.skip 4096
native_l3_high:
	.skip 4096
native_l2:
	.skip 4096
	.globl native_l1		/* for the first 2 MiB, when the image is protected */
native_l1:
	.skip 4096
boot_stack:
	.skip BOOT_STACK_SIZE
	.globl boot_stack_end
boot_stack_end:
	.section .note.GNU-stack, "", @progbits
