/* SPDX-License-Identifier: MIT */
/*
 * Ways into the hypervisor and back with everything set that a guest can set: flags, selectors of the hypervisor, single
 * step, breakpoints that are held back by a MOV to SS. What a verdict says is mostly that there is one: the hypervisor lives.
 */
#include "guest.h"
#include <abi/callback.h>

#define FLAG_TF (1UL << 8)
#define FLAG_IOPL (3UL << 12)
#define FLAG_NT (1UL << 14)
#define FLAG_VM (1UL << 17)
#define FLAG_AC (1UL << 18)
#define FLAGS_ODD 0x244cd5UL	/* CF PF AF ZF SF DF OF NT AC ID */
#define FIRST_SELECTOR 0xe000
#define LAST_SELECTOR 0xe1ff
#define LOW 0x100000UL		/* where 32-bit code can run */

static uint64_t kernel_stack[512];

static bool alive(void)
{
	return hypercall(xen_version, XENVER_version) > 0;
}

/* --- flags ------------------------------------------------------------------------------------------------- */

static uint64_t flags_after_hypercall(uint64_t flags)
{
	uint64_t after, nr = __HYPERVISOR_xen_version;

	__asm__ volatile("push %2; popfq; syscall; pushfq; cld; push $2; popfq; pop %0"
			 : "=&r"(after), "+a"(nr) : "r"(flags), "D"(0UL), "S"(0UL) : "rcx", "r11", "memory", "cc");
	return after;
}

static uint64_t iret_to(uint64_t frame)
{
	__asm__ volatile("mov %0, %%rsp; mov $23, %%eax; syscall" : : "r"(frame) : "memory");
	return 0;
}

static struct iret_context frame_for(uint64_t cs, uint64_t ss)
{
	return (struct iret_context){
		.rip = trap_stub(0), .cs = cs, .rflags = 2, .rsp = (uint64_t)(kernel_stack + 500), .ss = ss,
	};
}

extern char undefined[];
__asm__(".text; undefined: ud2");

static void flags(void)
{
	struct iret_context frame = frame_for(KERNEL_CS, USER_SS);
	struct attempt a;

	check("SAFE-40", ((flags_after_hypercall(FLAGS_ODD) ^ FLAGS_ODD) & FLAGS_ODD) == 0, "a hypercall gives back OF, DF, NT, AC and ID");
	frame.rip = (uint64_t)undefined;
	frame.rflags = ~FLAG_TF;
	a = attempt(iret_to, (uint64_t)&frame);
	check("SAFE-41", a.vector == VECTOR_UD && (a.regs.rflags & (FLAG_IOPL | FLAG_VM | FLAG_NT)) == FLAG_NT,
	      "iret with all flags set gives neither IOPL nor VM (vector %d flags %lx)", a.vector, a.regs.rflags);
	check("SAFE-42", !(a.handler_rflags & (FLAG_NT | FLAG_AC | FLAG_TF)), "a handler begins without NT, AC and TF");
}

/* --- selectors ---------------------------------------------------------------------------------------------- */

static bool is_flat(unsigned int selector)
{
	return (selector & 0xfff8) == 0xe020 || (selector & 0xfff8) == 0xe028 || (selector & 0xfff8) == 0xe030;
}

static bool is_refused(struct attempt a)
{
	return a.vector == VECTOR_GP || a.vector == VECTOR_NP || a.vector == VECTOR_SS || a.vector == VECTOR_PF || a.vector == TRAP_FAILSAFE;
}

static unsigned int irets_accepted(void)
{
	unsigned int accepted = 0;

	for (unsigned int s = FIRST_SELECTOR; s <= LAST_SELECTOR; s++) {
		struct iret_context code = frame_for(s, USER_SS), data = frame_for(KERNEL_CS, s);

		if (is_flat(s) || (s & 3) == 1 || (s & 3) == 2)
			continue;
		if (!is_refused(attempt(iret_to, (uint64_t)&code)))
			accepted++;
		if (!is_refused(attempt(iret_to, (uint64_t)&data)))
			accepted++;
	}
	return accepted;
}

INSTRUCTION(load_ds, "mov %0, %%ds")
INSTRUCTION(load_es, "mov %0, %%es")
INSTRUCTION(load_fs, "mov %0, %%fs")
INSTRUCTION(load_gs, "mov %0, %%gs")
INSTRUCTION(load_ss, "mov %0, %%ss")

static uint64_t far_jump(uint64_t selector)
{
	struct { uint32_t offset; uint16_t selector; } __attribute__((packed)) target = { 0, (uint16_t)selector };

	__asm__ volatile("ljmpl *%0" : : "m"(target));
	return 0;
}

static unsigned int loads_accepted(void)
{
	static uint64_t (*const loads[])(uint64_t) = { load_ds, load_es, load_fs, load_gs, load_ss, far_jump };
	unsigned int accepted = 0;

	for (unsigned int s = FIRST_SELECTOR | 3; s <= LAST_SELECTOR; s += 8)
		for (size_t i = 0; !is_flat(s) && i < ARRAY_SIZE(loads); i++)
			accepted += !is_refused(attempt(loads[i], s));
	return accepted;
}

static uint64_t rights(uint64_t selector)
{
	uint64_t r = 0;

	__asm__ volatile("lar %1, %0; jz 1f; xor %0, %0; 1: lsl %1, %1; jnz 1f; or $1, %0; 1:" : "+r"(r), "+r"(selector) : : "cc");
	return r;
}

static void selectors(void)
{
	unsigned int seen = 0;

	check_eq("SAFE-43", irets_accepted(), 0, "iret to each selector of the hypervisor's page is refused");
	check_eq("SAFE-44", loads_accepted(), 0, "so are loads and far jumps");
	for (unsigned int s = FIRST_SELECTOR; s <= LAST_SELECTOR; s += 8)
		seen += !is_flat(s) && rights(s | 3) != 0;
	check_eq("SAFE-45", seen, 0, "LAR and LSL tell nothing of them");
	for (unsigned int s = FIRST_SELECTOR; s <= LAST_SELECTOR; s++)
		hypercall(set_segment_base, SEGBASE_GS_USER_SEL, s);
	check("SAFE-46", alive() && hypercall(set_segment_base, SEGBASE_GS_USER_SEL, 0) == 0, "nor does SEGBASE_GS_USER_SEL fail with them");
}

/* --- an LDT that the CPU has not looked at ----------------------------------------------------------------------- */

#define CODE64 0x00affb000000ffffUL
#define LDT_SELECTOR(n) ((n) * 8 | 4)

static void ldt(void)
{
	uint64_t *page = page_alloc();
	struct iret_context frame = frame_for(LDT_SELECTOR(1), USER_SS);
	struct attempt a;

	page[1] = CODE64;
	make_readonly(page);
	mmuext(MMUEXT_SET_LDT, (uint64_t)page, 16);
	frame.rip = (uint64_t)undefined;
	a = attempt(iret_to, (uint64_t)&frame);
	check("SAFE-47", a.vector == VECTOR_UD && a.regs.cs == LDT_SELECTOR(1), "iret to a segment of an LDT not yet used (vector %d cs %x)", a.vector, a.regs.cs);
	frame.cs = LDT_SELECTOR(513);
	mmuext(MMUEXT_SET_LDT, (uint64_t)page, 1024);
	map_page((uint8_t *)page + PAGE_SIZE, 0);
	a = attempt(iret_to, (uint64_t)&frame);
	check("SAFE-48", is_refused(a) && (a.vector != VECTOR_PF || a.cr2 == (uint64_t)(page + 513)),
	      "to one in a page that is not there: refused, cr2 in the LDT (vector %d cr2 %lx)", a.vector, a.cr2);
	map_back((uint8_t *)page + PAGE_SIZE);
	mmuext(MMUEXT_SET_LDT, 0, 0);
	map_back(page);
}

/* --- single step and breakpoints on the way in ---------------------------------------------------------------------- */

static uint64_t watched_ss = USER_SS;

#define AFTER_MOV_SS(name, text) \
	INSTRUCTION(name, "xor %%esi, %%esi; mov $17, %%eax; xor %%edi, %%edi; mov watched_ss(%%rip), %%ss;" text)
#define WITH_TF(name, text) \
	INSTRUCTION(name, "xor %%esi, %%esi; mov $17, %%eax; xor %%edi, %%edi; pushfq; orl $0x100, (%%rsp); popfq;" text)
AFTER_MOV_SS(ss_syscall, "syscall")
AFTER_MOV_SS(ss_int3, "int3")
AFTER_MOV_SS(ss_int80, "int $0x80")
AFTER_MOV_SS(ss_int21, "int $0x21")
AFTER_MOV_SS(ss_icebp, ".byte 0xf1")
AFTER_MOV_SS(ss_ud2, "ud2")
AFTER_MOV_SS(ss_hlt, "hlt")
WITH_TF(tf_syscall, "syscall; nop")
WITH_TF(tf_int3, "int3")
WITH_TF(tf_int80, "int $0x80")
WITH_TF(tf_int21, "int $0x21")
WITH_TF(tf_icebp, ".byte 0xf1")
WITH_TF(tf_cpuid, "ud2a; .ascii \"xen\"; cpuid; nop")

static uint64_t (*const held_back[])(uint64_t) = {
	ss_syscall, ss_int3, ss_int80, ss_int21, ss_icebp, ss_ud2, ss_hlt,
};
static uint64_t (*const stepped[])(uint64_t) = { tf_syscall, tf_int3, tf_int80, tf_int21, tf_icebp, tf_cpuid };

static bool all_trap(uint64_t (*const *functions)(uint64_t), size_t n)
{
	bool all = true;

	for (size_t i = 0; i < n; i++) {
		struct attempt kernel = attempt(functions[i], 0), user = run_user(functions[i], 0);

		all = all && kernel.vector != NO_TRAP && user.vector != NO_TRAP && !(kernel.handler_rflags & FLAG_TF) && alive();
	}
	return all;
}

static void watch(const void *address)
{
	hypercall(set_debugreg, 0, address);
	hypercall(set_debugreg, 7, 0x400 | 3 | 0xfUL << 16);	/* reads and writes, four bytes */
}

static void debug(void)
{
	static char extra[16];

	check("SAFE-49", all_trap(stepped, ARRAY_SIZE(stepped)), "single step over each way in");
	watch(&watched_ss);
	check("SAFE-50", all_trap(held_back, ARRAY_SIZE(held_back)), "a MOV to SS that meets a breakpoint before each way in");
	watch(extra);
	check("SAFE-51", hypercall(xen_version, XENVER_extraversion, extra) == 0 && alive(), "a breakpoint on what a hypercall writes");
	hypercall(set_debugreg, 7, 0x400);
}

/* --- SYSENTER, from 32-bit code too ----------------------------------------------------------------------------------- */

static void map_low(const void *code)
{
	uint64_t *l3 = page_alloc(), *l2 = page_alloc(), *l1 = page_alloc();

	l1[LOW >> 12 & 511] = mfn_of(code) << PAGE_SHIFT | PTE_PRESENT | PTE_RW | PTE_USER;
	l2[LOW >> 21 & 511] = mfn_of(l1) << PAGE_SHIFT | PTE_TABLE;
	l3[LOW >> 30 & 511] = mfn_of(l2) << PAGE_SHIFT | PTE_TABLE;
	make_readonly(l1);
	make_readonly(l2);
	make_readonly(l3);
	if (mmu_update_one(entry_maddr((void *)LOW, 4), mfn_of(l3) << PAGE_SHIFT | PTE_TABLE))
		bail("low memory cannot be mapped");
}

static bool enters_kernel(struct attempt a)
{
	return a.vector != NO_TRAP && !(a.handler_rflags & (FLAG_TF | FLAG_NT | FLAG_AC)) && alive();
}

static void sysenter(void)
{
	static const uint8_t code[] = { 0x0f, 0x34, 0x0f, 0x05, 0x0f, 0x0b };	/* sysenter, syscall, ud2 */
	struct callback_register op = { .type = CALLBACKTYPE_sysenter, .flags = CALLBACKF_mask_events, .address = (uint64_t)callback_sysenter };
	uint8_t *page = page_alloc();
	struct user_frame frame = user_frame_for((uint64_t (*)(uint64_t))LOW);
	bool all = true;

	memcpy(page, code, sizeof(code));
	map_low(page);
	for (int registered = 0; registered < 2; registered++) {
		for (int n = 0; n < 16; n++) {
			frame.cs = n & 1 ? 0xe023 : USER_CS;
			frame.rip = LOW + (n & 2);
			frame.rflags = (frame.rflags & ~(FLAG_TF | FLAG_NT | FLAG_AC)) | (n & 4 ? FLAG_TF : 0) | (n & 8 ? FLAG_NT | FLAG_AC : 0);
			all = all && enters_kernel(run_user_frame(&frame, 0));
		}
		hypercall(callback_op, CALLBACKOP_register, &op);
	}
	check("SAFE-52", all, "SYSENTER and SYSCALL in 64-bit and 32-bit code, with TF, NT, AC and without");
}

void test_main(void)
{
	flags();
	selectors();
	ldt();
	debug();
	sysenter();
}
