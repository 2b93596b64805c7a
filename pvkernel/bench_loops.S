/* SPDX-License-Identifier: MIT */
/*
 * The loops that are measured, one operation each:
 *
 *	u64 loop_NAME(u64 rounds in rdi, const u64 arg[4] in rsi)
 *
 *	rbp		rounds left
 *	r12 to r15	arg[0] to arg[3]
 *	rcx, rax, rdx	arg[0] to arg[2] before the first round, for instructions that name them
 *	rbx		free
 *
 * Three instructions a round are the loop's own. ONLY loops take the time of a part of each round and
 * return the sum. USER loops run in user mode and come back by int3.
 */

#define DOMID_SELF 0x7ff0
#define VGCF_in_syscall 0x100
#define USER_CS 0xe033
#define USER_SS 0xe02b

	.text

.macro PROLOGUE name
	.balign 16
	.globl loop_\name
loop_\name:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rdi, %rbp
	mov (%rsi), %r12
	mov 8(%rsi), %r13
	mov 16(%rsi), %r14
	mov 24(%rsi), %r15
	mov %r12, %rcx
	mov %r13, %rax
	mov %r14, %rdx
.endm

.macro EPILOGUE
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret
.endm

.macro BENCH name
	PROLOGUE \name
	.balign 16
9:
.endm

.macro END_BENCH
	sub $1, %rbp
	test %rbp, %rbp
	jne 9b
	xor %eax, %eax
	EPILOGUE
.endm

.macro ONLY name
	PROLOGUE \name
	movq $0, ticks(%rip)
9:
.endm

.macro TICK
	rdtsc
	shl $32, %rdx
	or %rdx, %rax
	mov %rax, %rbx
.endm

.macro TOCK
	rdtsc
	shl $32, %rdx
	or %rdx, %rax
	sub %rbx, %rax
	add %rax, ticks(%rip)
.endm

.macro END_ONLY
	sub $1, %rbp
	test %rbp, %rbp
	jne 9b
	mov ticks(%rip), %rax
	EPILOGUE
.endm

/* The iret hypercall's frame: flags, rip, cs, rflags, rsp, ss; the stub adds rcx, r11 and rax. */
.macro USER name
	PROLOGUE \name
	mov %rsp, kernel_rsp(%rip)
	push $USER_SS
	push $user_stack_end
	push $0x200
	push $USER_CS
	lea 9f(%rip), %rbx
	push %rbx
	push $0
	jmp hypercall_page + 23 * 32
	.balign 16
9:
.endm

.macro END_USER
	sub $1, %rbp
	test %rbp, %rbp
	jne 9b
	int3
.endm

.macro HYPERCALL nr
	call hypercall_page + \nr * 32
.endm

BENCH empty
END_BENCH

ONLY only_empty
	TICK
	TOCK
END_ONLY

USER user_empty
END_USER

/* --- hypercalls --- */

BENCH call17_0_0
	mov $0, %edi
	mov $0, %esi
	HYPERCALL 17
END_BENCH

BENCH call63
	HYPERCALL 63
END_BENCH

BENCH call29_0_0
	mov $0, %edi
	mov $0, %esi
	HYPERCALL 29
END_BENCH

BENCH call32_status
	mov $5, %edi
	mov %r12, %rsi
	HYPERCALL 32
END_BENCH

BENCH call25_fs
	mov $0, %edi
	mov $0, %esi
	HYPERCALL 25
END_BENCH

BENCH call25_gs
	mov $2, %edi
	mov $0, %esi
	HYPERCALL 25
END_BENCH

BENCH call9
	mov $7, %edi
	HYPERCALL 9
END_BENCH

BENCH call8
	mov $0, %edi
	mov $0, %esi
	HYPERCALL 8
END_BENCH

BENCH call21
	mov $0, %edi
	mov $2, %esi
	HYPERCALL 21
END_BENCH

BENCH call24_up
	mov $3, %edi
	mov $0, %esi
	mov $0, %edx
	HYPERCALL 24
END_BENCH

BENCH call30
	mov $0, %edi
	mov %r12, %rsi
	HYPERCALL 30
END_BENCH

.macro MULTICALL count
BENCH multicall_\count
	mov %r12, %rdi
	mov $\count, %esi
	HYPERCALL 13
END_BENCH
.endm
MULTICALL 1
MULTICALL 8
MULTICALL 64

/* --- instructions --- */

BENCH cpuid_fep
	mov %r13d, %eax
	ud2
	.ascii "xen"
	cpuid
END_BENCH

BENCH cpuid
	mov %r13d, %eax
	cpuid
END_BENCH

.macro SIMPLE name, insn:vararg
BENCH \name
	\insn
END_BENCH
.endm
SIMPLE rdmsr, rdmsr
SIMPLE read_cr0, mov %cr0, %rax
SIMPLE read_cr2, mov %cr2, %rax
SIMPLE read_cr3, mov %cr3, %rax
SIMPLE read_cr4, mov %cr4, %rax
SIMPLE write_cr3, mov %rax, %cr3
SIMPLE write_cr4, mov %rax, %cr4
SIMPLE clts, clts
SIMPLE in_dx, in %dx, %al
SIMPLE in_61, inb $0x61, %al
SIMPLE in_80, inb $0x80, %al
SIMPLE out_80, outb %al, $0x80
SIMPLE wbinvd, wbinvd
SIMPLE read_dr7, mov %db7, %rax
SIMPLE write_dr0, mov %rax, %db0
SIMPLE xsetbv, xsetbv
SIMPLE invlpg, invlpg (%r12)
SIMPLE store_one, mov %r13, (%r12)

BENCH wrmsr
	xor %eax, %eax
	wrmsr
END_BENCH

BENCH write_cr0_two
	mov %rcx, %cr0
	mov %rax, %cr0
END_BENCH

BENCH cli_sti
	cli
	sti
END_BENCH

/* --- page tables --- */

.macro MMU_UPDATE req, count
	mov \req, %rdi
	mov $\count, %esi
	mov $0, %edx
	mov $DOMID_SELF, %r10d
	HYPERCALL 1
.endm

BENCH mmu_update_0
	MMU_UPDATE %r12, 0
END_BENCH

BENCH mmu_update_1
	MMU_UPDATE %r12, 1
	MMU_UPDATE %r13, 1
END_BENCH

BENCH mmu_update_64
	MMU_UPDATE %r12, 64
	MMU_UPDATE %r13, 64
END_BENCH

/* r12 the address, r13 and r14 the entries in turn, r15 the flush flags */
BENCH uvm
	mov %r12, %rdi
	mov %r13, %rsi
	mov %r15d, %edx
	HYPERCALL 14
	mov %r12, %rdi
	mov %r14, %rsi
	mov %r15d, %edx
	HYPERCALL 14
END_BENCH

BENCH store_two
	mov %rax, (%rcx)
	mov %rdx, (%rcx)
END_BENCH

BENCH store_zero_one
	movq $0, (%rcx)
	mov %rdx, (%rcx)
END_BENCH

BENCH store_two_invlpg
	mov %r13, (%r12)
	invlpg (%r15)
	mov %r14, (%r12)
	invlpg (%r15)
END_BENCH

BENCH store_two_flush
	mov %r13, (%r12)
	mov %cr3, %rax
	mov %rax, %cr3
	mov %r14, (%r12)
	mov %cr3, %rax
	mov %rax, %cr3
END_BENCH

.macro MMUEXT op, count
	mov \op, %rdi
	mov $\count, %esi
	mov $0, %edx
	mov $DOMID_SELF, %r10d
	HYPERCALL 26
.endm

ONLY only_mmuext
	TICK
	MMUEXT %r12, 1
	TOCK
	MMUEXT %r13, 1
END_ONLY

/* r12 an address that is not mapped, r13 the entry that demand_map gives it */
ONLY only_demand
	TICK
	mov (%r12), %rax
	TOCK
	mov %r12, %rdi
	mov $0, %esi
	mov $2, %edx
	HYPERCALL 14
END_ONLY

/* --- exceptions --- */

SIMPLE ud2, ud2
SIMPLE read_r12, mov (%r12), %rax
SIMPLE write_r12, mov %rax, (%r12)
SIMPLE hlt, hlt
SIMPLE int3, int3
SIMPLE int80, int $0x80
SIMPLE int21, int $0x21

.macro USER_SIMPLE name, insn:vararg
USER \name
	\insn
END_USER
.endm
USER_SIMPLE user_syscall, syscall
USER_SIMPLE user_int80, int $0x80
USER_SIMPLE user_ud2, ud2
USER_SIMPLE user_read, mov (%r12), %rax

.macro HANDLER name
	.balign 16
	.globl handle_\name
handle_\name:
.endm

.macro IRET_CALL flags=0
	push $\flags
	jmp hypercall_page + 23 * 32
.endm

.macro STEP_HIRET bytes
HANDLER step\bytes
	pop %rcx
	pop %r11
	addq $\bytes, (%rsp)
	IRET_CALL
.endm

.macro ERROR_STEP_HIRET bytes
HANDLER error_step\bytes
	pop %rcx
	pop %r11
	add $8, %rsp
	addq $\bytes, (%rsp)
	IRET_CALL
HANDLER native_error_step\bytes
	add $8, %rsp
	addq $\bytes, (%rsp)
	iretq
.endm

STEP_HIRET 2
ERROR_STEP_HIRET 4
ERROR_STEP_HIRET 1

HANDLER return
	pop %rcx
	pop %r11
	IRET_CALL

HANDLER native_return
	iretq

HANDLER native_step2
	addq $2, (%rsp)
	iretq

/* iretq in ring 3 wants the selectors with the privilege that the frame hides. */
HANDLER return_iretq
	pop %rcx
	pop %r11
	orb $3, 8(%rsp)
	orb $3, 32(%rsp)
	iretq

HANDLER step2_iretq
	pop %rcx
	pop %r11
	addq $2, (%rsp)
	orb $3, 8(%rsp)
	orb $3, 32(%rsp)
	iretq

HANDLER syscall
	pop %rcx
	pop %r11
	IRET_CALL VGCF_in_syscall

/* int3 of a user loop: back to who called it, on the kernel stack of then. */
HANDLER user_exit
	mov kernel_rsp(%rip), %rsp
	xor %eax, %eax
	EPILOGUE

HANDLER demand_map
	pop %rcx
	pop %r11
	add $8, %rsp
	mov vcpu_info(%rip), %rax
	mov 0x10(%rax), %rdi
	and $~0xfff, %rdi
	mov %r13, %rsi
	mov $0, %edx
	HYPERCALL 14
	IRET_CALL

/* --- events --- */

BENCH send
	mov $4, %edi
	mov %r12, %rsi
	HYPERCALL 32
END_BENCH

/* r13 the port's word of pending bits, r14 the selector, r15 the upcall byte */
BENCH send_fresh
	movq $0, (%r13)
	movq $0, (%r14)
	movb $0, (%r15)
	mov $4, %edi
	mov %r12, %rsi
	HYPERCALL 32
END_BENCH

HANDLER upcall
	pop %rcx
	pop %r11
	movq $0, (%r13)
	movq $0, (%r14)
	movb $0, (%r15)
	IRET_CALL

BENCH forced_callback
	movb $1, (%r15)
	mov $0, %edi
	mov $0, %esi
	HYPERCALL 17
END_BENCH

BENCH send_block
	movb $1, 1(%r15)
	mov $4, %edi
	mov %r12, %rsi
	HYPERCALL 32
	mov $1, %edi
	mov $0, %esi
	HYPERCALL 29
END_BENCH

BENCH unmask
	mov $9, %edi
	mov %r12, %rsi
	HYPERCALL 32
END_BENCH

/* r12 alloc_unbound, r13 bind_interdomain, r14 close */
BENCH alloc_bind_close
	mov $6, %edi
	mov %r12, %rsi
	HYPERCALL 32
	mov 4(%r12), %eax
	mov %eax, 4(%r13)
	mov $0, %edi
	mov %r13, %rsi
	HYPERCALL 32
	mov 8(%r13), %eax
	mov %eax, (%r14)
	mov $3, %edi
	mov %r14, %rsi
	HYPERCALL 32
	mov 4(%r12), %eax
	mov %eax, (%r14)
	mov $3, %edi
	mov %r14, %rsi
	HYPERCALL 32
END_BENCH

/* --- grants --- */

.macro GRANT cmd, req, count=1
	mov $\cmd, %edi
	mov \req, %rsi
	mov $\count, %edx
	HYPERCALL 20
.endm

.macro HANDLE_FROM_MAP
	mov 20(%r12), %eax
	mov %eax, 16(%r13)
.endm

BENCH grant_pair
	GRANT 0, %r12
	HANDLE_FROM_MAP
	GRANT 1, %r13
END_BENCH

ONLY only_grant_map
	TICK
	GRANT 0, %r12
	TOCK
	HANDLE_FROM_MAP
	GRANT 1, %r13
END_ONLY

ONLY only_grant_unmap
	GRANT 0, %r12
	HANDLE_FROM_MAP
	TICK
	GRANT 1, %r13
	TOCK
END_ONLY

BENCH grant_copy_1
	GRANT 5, %r12
END_BENCH

BENCH grant_copy_16
	GRANT 5, %r12, 16
END_BENCH

/* --- context switch --- */

BENCH stack_switch
	mov %r12d, %edi
	mov %r13, %rsi
	HYPERCALL 3
END_BENCH

BENCH fpu_two
	mov $1, %edi
	HYPERCALL 5
	mov $0, %edi
	HYPERCALL 5
END_BENCH

BENCH fpu_0
	mov $0, %edi
	HYPERCALL 5
END_BENCH

BENCH mmuext_0
	MMUEXT %r12, 0
END_BENCH

BENCH mmuext_1
	MMUEXT %r12, 1
END_BENCH

BENCH mmuext_two
	MMUEXT %r12, 1
	MMUEXT %r13, 1
END_BENCH

/* r12, r13 two lists of four calls; the one of mmuext_op, the third, may have been written back into its list: r14, r15 its requests */
.macro SWITCH list, ops
	movq $26, 128(\list)
	mov \ops, 144(\list)
	movq $2, 152(\list)
	movq $0, 160(\list)
	movq $DOMID_SELF, 168(\list)
	mov \list, %rdi
	mov $4, %esi
	HYPERCALL 13
.endm

BENCH multicall_switch
	SWITCH %r12, %r14
	SWITCH %r13, %r15
END_BENCH

BENCH update_descriptor
	mov %r12, %rdi
	mov %r13, %rsi
	HYPERCALL 10
END_BENCH

BENCH set_gdt
	mov %r12, %rdi
	mov $15, %esi
	HYPERCALL 2
END_BENCH

/* --- timers --- */

BENCH set_timer_two
	mov %r12, %rdi
	HYPERCALL 15
	mov %r13, %rdi
	HYPERCALL 15
END_BENCH

BENCH set_timer_0
	mov $0, %edi
	HYPERCALL 15
END_BENCH

BENCH singleshot_two
	mov $8, %edi
	mov $0, %esi
	mov %r12, %rdx
	HYPERCALL 24
	mov $8, %edi
	mov $0, %esi
	mov %r13, %rdx
	HYPERCALL 24
END_BENCH

BENCH singleshot_stop
	mov $9, %edi
	mov $0, %esi
	mov $0, %edx
	HYPERCALL 24
END_BENCH

/*
 * How late an upcall is: its handler's first instruction reads the TSC. u64 wait_busy(void) spins until it has
 * run, wait_blocked() is in SCHEDOP_block; both return that TSC.
 */
HANDLER timer_upcall
	rdtsc
	shl $32, %rdx
	or %rdx, %rax
	mov %rax, ticks(%rip)
	pop %rcx
	pop %r11
	mov vcpu_info(%rip), %rax
	movb $0, (%rax)
	movq $0, 8(%rax)
	IRET_CALL

	.globl wait_busy, wait_blocked
wait_busy:
	movq $0, ticks(%rip)
	mov vcpu_info(%rip), %rax
	movb $0, 1(%rax)
1:	cmpq $0, ticks(%rip)
	je 1b
	mov ticks(%rip), %rax
	ret

wait_blocked:
	movq $0, ticks(%rip)
	mov $1, %edi
	mov $0, %esi
	HYPERCALL 29
	mov ticks(%rip), %rax
	ret

	.bss
	.balign 8
ticks:
	.quad 0
kernel_rsp:
	.quad 0
	.balign 4096
user_stack:
	.skip 4096
user_stack_end:
	.globl bench_kernel_stack_end
	.skip 4096
bench_kernel_stack_end:
	.section .note.GNU-stack, "", @progbits
