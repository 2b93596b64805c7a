/* SPDX-License-Identifier: MIT */
/*
 * How a hypercall is made: SYSCALL from guest kernel mode, number in rax, arguments in rdi, rsi,
 * rdx, r10, r8, r9, result in rax. Nothing else of the caller changes but rcx and r11.
 */
#include "guest.h"
#include <abi/callback.h>

/* Registers right after a call whose every register had been set to something (see below). */
struct {
	uint64_t rbx, rdx, rsi, rdi, rbp, r8, r9, r10, r12, r13, r14, r15;
	uint64_t rax, rcx, r11, rsp_moved, rflags;
} seen;
extern char behind_the_call[];

/*
 * xen_version(0) with 0x1NN in register NN, CF and DF set. rsp must be where it was, so its
 * difference is noted.
 */
static void call_with_all_registers(void)
{
	__asm__ volatile(
		"push %%rbp; push %%rbx; push %%r12; push %%r13; push %%r14; push %%r15\n"
		"mov $0x101, %%ebx; mov $0x102, %%edx; mov $0, %%esi; mov $0, %%edi; mov $0x105, %%ebp\n"
		"mov $0x108, %%r8d; mov $0x109, %%r9d; mov $0x10a, %%r10d; mov $0x10c, %%r12d\n"
		"mov $0x10d, %%r13d; mov $0x10e, %%r14d; mov $0x10f, %%r15d\n"
		"mov %%rsp, seen+120\n"
		"mov $17, %%eax; std; stc; syscall\n"
		"behind_the_call: mov %%rbx, seen; mov %%rdx, seen+8; mov %%rsi, seen+16; mov %%rdi, seen+24\n"
		"mov %%rbp, seen+32; mov %%r8, seen+40; mov %%r9, seen+48; mov %%r10, seen+56\n"
		"mov %%r12, seen+64; mov %%r13, seen+72; mov %%r14, seen+80; mov %%r15, seen+88\n"
		"mov %%rax, seen+96; mov %%rcx, seen+104; mov %%r11, seen+112\n"
		"pushfq; popq seen+128; cld; sub %%rsp, seen+120\n"
		"pop %%r15; pop %%r14; pop %%r13; pop %%r12; pop %%rbx; pop %%rbp"
		:
		:
		: "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "cc");
}

static void general_registers(void)
{
	call_with_all_registers();
	check_eq("HCALL-1", seen.rax, 0x40011, "rax has the result");
	check("HCALL-2",
	      seen.rbx == 0x101 && seen.rbp == 0x105 && seen.r12 == 0x10c && seen.r13 == 0x10d &&
		      seen.r14 == 0x10e && seen.r15 == 0x10f && seen.rsp_moved == 0,
	      "rbx, rbp, rsp and r12 to r15 are preserved");
	check("HCALL-3",
	      seen.rdi == 0 && seen.rsi == 0 && seen.rdx == 0x102 && seen.r10 == 0x10a &&
		      seen.r8 == 0x108 && seen.r9 == 0x109,
	      "the argument registers are preserved");
	check_eq("HCALL-4", seen.rcx, (uint64_t)behind_the_call,
		 "rcx holds the address of the next instruction");
	check_eq("HCALL-4", seen.r11 & 0xcd5, 0x401 | (seen.r11 & 0x8d4),
		 "r11 holds the flags, CF and DF among them");
	check_eq("HCALL-11", seen.rflags & 0x401, 0x401, "CF and DF are as they were");
}

/* All sixteen xmm registers and MXCSR, then the x87 stack and control word. */
static void floating_point(void)
{
	static uint8_t before[512] __attribute__((aligned(16))), after[512] __attribute__((aligned(16)));
	uint64_t rax = __HYPERVISOR_xen_version;

	__asm__ volatile("fninit; fldpi; fld1; fxsave %0" : "=m"(before));
	for (unsigned int i = 0; i < 256; i++)
		before[160 + i] = (uint8_t)(i * 7 + 1);
	before[24] = 0x80;
	before[25] = 0x3f;
	before[0] = 0x7f;
	before[1] = 0x0f;
	__asm__ volatile("fxrstor %2; syscall; fxsave %1; fninit"
			 : "+a"(rax), "=m"(after)
			 : "m"(before), "D"(0UL), "S"(0UL)
			 : "rcx", "r11", "memory");
	check("HCALL-13",
	      memcmp(before + 160, after + 160, 256) == 0 && memcmp(before + 24, after + 24, 4) == 0,
	      "xmm0 to xmm15 and MXCSR are preserved");
	check("HCALL-14", memcmp(before, after, 6) == 0 && memcmp(before + 32, after + 32, 128) == 0,
	      "the x87 stack and control word are preserved");
	before[24] = 0x80;
	before[25] = 0x1f;
	__asm__ volatile("ldmxcsr %0" : : "m"(before[24]));
}

static void selectors(void)
{
	uint16_t ds, es, fs, gs;
	uint64_t rax = __HYPERVISOR_xen_version;

	__asm__ volatile("mov %5, %%ds; mov %5, %%es; mov %5, %%fs; mov %5, %%gs; syscall\n"
			 "mov %%ds, %0; mov %%es, %1; mov %%fs, %2; mov %%gs, %3\n"
			 "mov %6, %%ds; mov %6, %%es; mov %6, %%fs; mov %6, %%gs"
			 : "=&r"(ds), "=&r"(es), "=&r"(fs), "=&r"(gs), "+a"(rax)
			 : "r"(FLAT_RING3_DS32), "r"(0), "D"(0UL), "S"(0UL)
			 : "rcx", "r11", "memory");
	check("HCALL-15", ds == FLAT_RING3_DS32 && es == ds && fs == ds && gs == ds,
	      "ds, es, fs and gs are preserved");
}

static void numbers(void)
{
	static const uint64_t free_numbers[] = { 11, 43, 47, 57, 63, 64, 127, 128, 1000, 0xffffffff };
	bool all = true;

	for (size_t i = 0; i < ARRAY_SIZE(free_numbers); i++)
		all = all && hypercall_nr(free_numbers[i], 0) == -ENOSYS;
	check("HCALL-5", all, "free numbers give -ENOSYS");
	check_eq("HCALL-6", hypercall_nr(1UL << 32 | __HYPERVISOR_xen_version, 0), -ENOSYS,
		 "the number has 64 bits");
	check_eq("HCALL-7", hypercall_nr(-1UL, 0), -ENOSYS, "a number of all ones");
	check("HCALL-12", hypercall(tmem_op, 0) == -ENOSYS && hypercall(argo_op, 0) == -ENOSYS,
	      "the retired numbers give -ENOSYS");
}

/* Call stub n with arguments 0, with marks in rcx and r11; 0 if a mark is lost. */
static uint64_t call_stub(uint64_t n)
{
	uint64_t rax, marks, stub = (uint64_t)hypercall_page + n * HYPERCALL_STUB_SIZE;

	__asm__ volatile("mov $0x1234, %%ecx; mov $0x5678, %%r11d; call *%2\n"
			 "mov %%rcx, %1; shl $32, %1; or %%r11, %1"
			 : "=&a"(rax), "=&r"(marks)
			 : "r"(stub), "D"(0UL), "S"(0UL)
			 : "rcx", "r11", "rdx", "r10", "r8", "memory");
	return marks == 0x123400005678 ? rax : 0xbad;
}

/* Stub n: push rcx; push r11; mov $n, eax; syscall; pop r11; pop rcx; ret. */
static bool stub_is_good(unsigned int n)
{
	uint8_t want[] = { 0x51, 0x41, 0x53, 0xb8, (uint8_t)n, 0,    0,
			   0,	 0x0f, 0x05, 0x41, 0x5b,       0x59, 0xc3 };

	return memcmp(hypercall_page + n * HYPERCALL_STUB_SIZE, want, sizeof(want)) == 0;
}

static void page(void)
{
	static const uint8_t iret[] = { 0x51, 0x41, 0x53, 0x50, 0xb8, 23, 0, 0, 0, 0x0f, 0x05 };
	static const uint8_t used[] = { 0,  1,	2,  3,	5,  8,	9,  10, 12, 13, 14, 15,
					17, 18, 20, 21, 24, 25, 26, 29, 30, 32, 33 };
	bool good = true;

	for (size_t i = 0; i < ARRAY_SIZE(used); i++)
		good = good && stub_is_good(used[i]);
	check("HCALL-8", good, "each stub saves rcx and r11 and makes its hypercall");
	check("HCALL-10", memcmp(hypercall_page + 23 * HYPERCALL_STUB_SIZE, iret, sizeof(iret)) == 0,
	      "the stub of iret pushes rcx, r11 and rax and does not return");
	check_eq("HCALL-9", attempt(call_stub, __HYPERVISOR_xen_version).value, 0x40011,
		 "a stub makes its hypercall");
	check("HCALL-9", attempt(call_stub, __HYPERVISOR_sched_op).value == 0, "and keeps rcx and r11");
}

/* Delivery of events around hypercalls. */
static void events(void)
{
	unsigned int before = upcalls, after_store;

	vcpu_info->evtchn_upcall_pending = 1;
	hypercall(xen_version, 0);
	check_eq("HCALL-25", upcalls, before, "no event is delivered while upcalls are masked");
	mask_upcalls(false);
	after_store = upcalls;
	hypercall(xen_version, 0);
	check_eq("HCALL-24", after_store, before, "clearing the mask by a store delivers nothing");
	check_eq("HCALL-23", upcalls, before + 1, "the next hypercall delivers the pending event");
	mask_upcalls(true);
}

void test_main(void)
{
	numbers();
	general_registers();
	floating_point();
	selectors();
	page();
	events();
}
