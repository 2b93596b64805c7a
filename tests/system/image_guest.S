/* SPDX-License-Identifier: MIT */
/*
 * The smallest guest: position-independent, one flat piece, entered at its first byte. Says what it found in
 * start_info, by the hypercall instruction itself or through the page that the builder filled, and resets. As a guest it
 * says so in its console ring, which lies two pages behind start_info; it says less than fits.
 *
 *	+0 code and data	+0x1000 room for the hypercall page
 */
	.code64
start:
	mov %rsi, %rbx
	mov 0x68(%rbx), %rax		/* mfn_list: its first and last words can be read */
	mov (%rax), %rcx
	mov 0x20(%rbx), %rdx
	mov -8(%rax,%rdx,8), %rcx
	push %rcx			/* the stack can be written */
	lea alive(%rip), %rdx
	mov $alive_end - alive, %esi
	call print
	testl $8, 0x30(%rbx)		/* SIF_MOD_START_PFN */
	jz 1f
	lea by_pfn(%rip), %rdx
	mov $by_pfn_end - by_pfn, %esi
	call print
1:	cmpq $0, 0x78(%rbx)
	je 2f
	testl $8, 0x30(%rbx)
	jnz 2f
	mov 0x70(%rbx), %rdx		/* a ramdisk that is mapped is text to print */
	mov 0x78(%rbx), %esi
	call print
2:	cmpb $0x51, 0x1000 + start(%rip)	/* filled: its stubs begin with push rcx */
	jne 3f
	lea by_page(%rip), %rdx
	mov $by_page_end - by_page, %esi
	testl $2, 0x30(%rbx)		/* only domain 0 may print by it: a guest just calls it */
	mov $0, %edi
	jnz 5f
	call start + 0x1000 + 18 * 32
	call print
	jmp 3f
5:	call start + 0x1000 + 18 * 32
3:	lea reason(%rip), %rsi
	mov $2, %edi
	mov $29, %eax
	syscall
	ud2

print:
	testl $2, 0x30(%rbx)		/* SIF_INITDOMAIN */
	jz 4f
	mov $0, %edi
	mov $18, %eax
	syscall
	ret
4:	mov 0x2000 + 3084(%rbx), %edi	/* out_prod */
	add %esi, 0x2000 + 3084(%rbx)
	mov %esi, %ecx
	mov %rdx, %rsi
	lea 0x2000 + 1024(%rbx,%rdi), %rdi
	rep movsb
	ret

alive:	.ascii "guest: alive\n"
alive_end:
by_pfn:	.ascii "guest: ramdisk by pfn\n"
by_pfn_end:
by_page: .ascii "guest: hypercall page works\n"
by_page_end:
	.balign 4
reason:	.long 1
	.org 0x2000
	.section .note.GNU-stack, "", @progbits
