/* SPDX-License-Identifier: MIT */
/*
 * Each probe executes one instruction and asks whether it did what it does in ring 0 of a machine
 * that this kernel owns. The questions are about this kernel's own state: is the table that SGDT
 * shows the one that we have loaded, does PUSHF show the interrupt flag that we have set. TRY gives
 * 1 if the instruction was completed and 0 if it faulted.
 */
#include "boot.h"
#include "insn.h"
#include "mm.h"
#include "ops.h"
#include "popek.h"
#include "time.h"
#include "traps.h"

#define OUT(...) , __VA_ARGS__
#define TRY(text, outs, ...) ({ \
	u64 ok_ = 0; \
	__asm__ volatile(SAFE_BEGIN text SAFE_END : [ok] "+r"(ok_) outs : __VA_ARGS__ : "memory", "cc"); \
	(bool)ok_; \
})

#define SAME_IF(cond) (*effect = (cond) ? EFFECT_SAME : EFFECT_DIFFERENT)

#define RING0_CODE (boot.native ? 0x08 : 0xe008)
#define RING0_DATA (boot.native ? 0x10 : 0xe010)
#define NATIVE_TSS 0x30
#define UNUSED_PORT 0x80

struct table_register {
	u16 limit;
	u64 base;
} __attribute__((packed));

/* --- tables and task: whose are they? --- */

static bool try_sgdt(enum effect *effect)
{
	struct table_register r = { 0, 0 };
	bool ok = TRY("sgdt %[m]", OUT([m] "=m"(r)));

	SAME_IF(r.base >= VIRT_BASE);
	return ok;
}

static bool try_sidt(enum effect *effect)
{
	struct table_register r = { 0, 0 };
	bool ok = TRY("sidt %[m]", OUT([m] "=m"(r)));

	SAME_IF(r.base >= VIRT_BASE);
	return ok;
}

static bool try_sldt(enum effect *effect)
{
	u64 v = ~0ul;
	bool ok = TRY("sldt %[v]", OUT([v] "+r"(v)));

	SAME_IF(v == 0);
	return ok;
}

static bool try_str(enum effect *effect)
{
	u64 v = 0;
	bool ok = TRY("str %[v]", OUT([v] "+r"(v)));

	SAME_IF(v == NATIVE_TSS);
	return ok;
}

/* The flag TS is set first by the kernel's own means. */
static bool try_smsw(enum effect *effect)
{
	u64 v = 0;
	bool ok;

	cpu->set_ts(true);
	ok = TRY("smsw %[v]", OUT([v] "+r"(v)));
	SAME_IF((v & CR0_TS) && (v & 0xffff) == (read_cr0() & 0xffff));
	cpu->set_ts(false);
	return ok;
}

static bool try_lgdt(enum effect *effect)
{
	struct table_register r;

	__asm__ volatile("sgdt %0" : "=m"(r));
	SAME_IF(true);
	return TRY("lgdt %[m]", , [m] "m"(r));
}

static bool try_lidt(enum effect *effect)
{
	struct table_register r;

	__asm__ volatile("sidt %0" : "=m"(r));
	SAME_IF(true);
	return TRY("lidt %[m]", , [m] "m"(r));
}

static bool try_lldt(enum effect *effect)
{
	SAME_IF(true);
	return TRY("lldt %w[v]", , [v] "r"(0));
}

static bool try_ltr(enum effect *effect)
{
	return TRY("ltr %w[v]", , [v] "r"(NATIVE_TSS));
}

/* --- the interrupt flag: does it show ours, does it change ours? --- */

static bool try_pushf(enum effect *effect)
{
	u64 v = 0;
	bool ok = TRY("pushfq\n\tpop %[v]", OUT([v] "=r"(v)));

	SAME_IF(!(v & X86_EFLAGS_IF));
	return ok;
}

static bool try_popf(enum effect *effect)
{
	bool ok = TRY("pushfq\n\torq %[f], (%%rsp)\n\tpopfq", , [f] "i"(0x200));

	SAME_IF(cpu->irq_enabled());
	cpu->irq_disable();
	return ok;
}

static bool try_cli(enum effect *effect)
{
	bool ok;

	cpu->irq_enable();
	ok = TRY("cli", );
	SAME_IF(!cpu->irq_enabled());
	cpu->irq_disable();
	return ok;
}

static bool try_sti(enum effect *effect)
{
	bool ok = TRY("sti", );

	SAME_IF(cpu->irq_enabled());
	cpu->irq_disable();
	return ok;
}

/* To the next instruction, with the interrupt flag set in the frame. */
static bool try_iret(enum effect *effect)
{
	u64 ok = 0, t;

	__asm__ volatile("mov %%rsp, %[t]\n\t"
			 "mov %%ss, %k[ok]\n\tpush %[ok]\n\tpush %[t]\n\tpushfq\n\torq $0x200, (%%rsp)\n\t"
			 "mov %%cs, %k[ok]\n\tpush %[ok]\n\tpush $3f\n\txor %[ok], %[ok]\n"
			 "1:\tiretq\n"
			 "3:\tmov $1, %[ok]\n"
			 "2:\tmov %[t], %%rsp\n\t" FIXUP(1b, 2b)
			 : [ok] "+r"(ok), [t] "=&r"(t) :: "memory", "cc");
	SAME_IF(cpu->irq_enabled());
	cpu->irq_disable();
	return ok;
}

/* --- privilege in selectors --- */

static bool verify(bool ok, bool zero_flag, enum effect *effect)
{
	SAME_IF(zero_flag);
	return ok;
}

#define DEFINE_VERIFY(name, text, selector) \
	static bool try_##name(enum effect *effect) \
	{ \
		u8 z = 0; \
		u64 v = 0; \
		bool ok = TRY(text "\n\tsetz %[z]", OUT([z] "+r"(z), [v] "+r"(v)), \
			      [s] "r"((u64)(selector))); \
		return verify(ok, z, effect); \
	}
DEFINE_VERIFY(lar, "lar %k[s], %k[v]", RING0_DATA)
DEFINE_VERIFY(lsl, "lsl %k[s], %k[v]", RING0_DATA)
DEFINE_VERIFY(verr, "verr %w[s]", RING0_CODE)
DEFINE_VERIFY(verw, "verw %w[s]", RING0_DATA)

static bool try_mov_from_cs(enum effect *effect)
{
	u64 v = 0;
	bool ok = TRY("mov %%cs, %k[v]", OUT([v] "+r"(v)));

	SAME_IF((v & 3) == 0);
	return ok;
}

static bool try_mov_to_seg(enum effect *effect)
{
	u64 old;
	bool ok;

	__asm__ volatile("mov %%ds, %k0" : "=r"(old));
	ok = TRY("mov %k[v], %%ds", , [v] "r"(RING0_DATA));
	__asm__ volatile("mov %k0, %%ds" :: "r"(old));
	SAME_IF(true);
	return ok;
}

/* FS holds the null selector, which any ring may read and load; the hidden base goes with it. */
static bool try_push_seg(enum effect *effect)
{
	u64 v = 1;
	bool ok = TRY("push %%fs\n\tpop %[v]", OUT([v] "+r"(v)));

	SAME_IF((v & 3) == 0);
	return ok;
}

static bool try_pop_seg(enum effect *effect)
{
	u64 ok = 0, t;

	__asm__ volatile("mov %%rsp, %[t]\n\tpush %[sel]\n"
			 "1:\tpop %%gs\n\tmov $1, %[ok]\n"
			 "2:\tmov %[t], %%rsp\n\t" FIXUP(1b, 2b)
			 : [ok] "+r"(ok), [t] "=&r"(t) : [sel] "r"((u64)RING0_DATA) : "memory");
	__asm__ volatile("mov %k0, %%gs" :: "r"(0));
	SAME_IF(true);
	return ok;
}

/* A far call pushes CS, and with it the privilege level for the callee to see. */
static bool try_call_far(enum effect *effect)
{
	struct {
		u64 offset;
		u16 selector;
	} __attribute__((packed)) target;
	u64 ok = 0, cs, t, pushed = 3;

	__asm__ volatile("mov %%cs, %k0" : "=r"(cs));
	target.selector = cs;
	__asm__ volatile("lea 4f(%%rip), %[t]\n\tmov %[t], (%[p])\n\tmov %%rsp, %[t]\n"
			 "1:\trex.w lcall *(%[p])\n"
			 "4:\tmov 8(%%rsp), %[v]\n\tmov $1, %[ok]\n"
			 "2:\tmov %[t], %%rsp\n\t" FIXUP(1b, 2b)
			 : [ok] "+r"(ok), [t] "=&r"(t), [v] "+r"(pushed) : [p] "r"(&target) : "memory");
	SAME_IF((pushed & 3) == 0);
	return ok;
}

/* To the privilege that is in the selector: it is the one that we have, 3 as well as 0. */
static bool try_ret_far(enum effect *effect)
{
	u64 ok = 0, cs, t;

	__asm__ volatile("mov %%cs, %k0" : "=r"(cs));
	__asm__ volatile("mov %%rsp, %[t]\n\tpush %[cs]\n\tpush $3f\n"
			 "1:\tlretq\n"
			 "3:\tmov $1, %[ok]\n"
			 "2:\tmov %[t], %%rsp\n\t" FIXUP(1b, 2b)
			 : [ok] "+r"(ok), [t] "=&r"(t) : [cs] "r"(cs) : "memory");
	SAME_IF(ok);
	return ok;
}

static bool try_jmp_far(enum effect *effect)
{
	struct {
		u64 offset;
		u16 selector;
	} __attribute__((packed)) target = { 0, RING0_CODE };
	u64 ok = 0, t;

	__asm__ volatile("lea 4f(%%rip), %[t]\n\tmov %[t], (%[p])\n"
			 "1:\trex.w ljmp *(%[p])\n"
			 "4:\tmov $1, %[ok]\n2:\n\t" FIXUP(1b, 2b)
			 : [ok] "+r"(ok), [t] "=&r"(t) : [p] "r"(&target) : "memory");
	SAME_IF(true);
	return ok;
}

/* --- control, debug and model-specific registers --- */

static bool try_read_cr0(enum effect *effect)
{
	u64 v = 0;
	bool ok = TRY("mov %%cr0, %[v]", OUT([v] "+r"(v)));

	SAME_IF((v & 0x80000001) == 0x80000001);
	return ok;
}

static bool try_write_cr0(enum effect *effect)
{
	u64 v;
	bool ok;

	ok = TRY("mov %%cr0, %[v]", OUT([v] "=&r"(v)));
	if (!ok)
		return false;
	ok = TRY("mov %[v], %%cr0", , [v] "r"(v | CR0_TS));
	SAME_IF(ok && (read_cr0() & CR0_TS));
	cpu->set_ts(false);
	return ok;
}

/* The page at 0 is mapped by nobody but the native boot tables, which a null page is not taken from. */
static bool try_read_cr2(enum effect *effect)
{
	volatile u8 *hole = (u8 *)ARENA_END;
	u64 v = 0;
	bool ok;

	TRY("movb (%[p]), %%al", , [p] "r"(hole), "a"(0));
	ok = TRY("mov %%cr2, %[v]", OUT([v] "+r"(v)));
	SAME_IF(v == (u64)hole);
	return ok;
}

static bool try_write_cr2(enum effect *effect)
{
	bool ok = TRY("mov %[v], %%cr2", , [v] "r"(0x1234000ul));

	SAME_IF(ok && read_cr2() == 0x1234000ul);
	return ok;
}

static bool try_read_cr3(enum effect *effect)
{
	u64 v = 0;
	bool ok = TRY("mov %%cr3, %[v]", OUT([v] "+r"(v)));

	SAME_IF(v >> PAGE_SHIFT == pfn_to_mfn(root_pfn()));
	return ok;
}

static bool try_write_cr3(enum effect *effect)
{
	SAME_IF(true);
	return TRY("mov %[v], %%cr3", , [v] "r"(pfn_to_mfn(root_pfn()) << PAGE_SHIFT));
}

static bool try_read_cr4(enum effect *effect)
{
	u64 v = 0;
	bool ok = TRY("mov %%cr4, %[v]", OUT([v] "+r"(v)));

	SAME_IF(v & 0x20);
	return ok;
}

static bool try_write_cr4(enum effect *effect)
{
	u64 v;
	bool ok = TRY("mov %%cr4, %[v]\n\tmov %[v], %%cr4", OUT([v] "=&r"(v)));

	SAME_IF(true);
	return ok;
}

static bool try_read_cr8(enum effect *effect)
{
	u64 v = ~0ul;
	bool ok = TRY("mov %%cr8, %[v]", OUT([v] "+r"(v)));

	SAME_IF(v == 0);
	return ok;
}

static bool try_write_cr8(enum effect *effect)
{
	SAME_IF(true);
	return TRY("mov %[v], %%cr8", , [v] "r"(0ul));
}

static bool try_lmsw(enum effect *effect)
{
	u16 v;

	__asm__ volatile("smsw %0" : "=r"(v));
	SAME_IF(true);
	return TRY("lmsw %[v]", , [v] "r"(v));
}

static bool try_clts(enum effect *effect)
{
	bool ok;

	cpu->set_ts(true);
	ok = TRY("clts", );
	SAME_IF(ok && !(read_cr0() & CR0_TS));
	cpu->set_ts(false);
	return ok;
}

static bool try_read_dr(enum effect *effect)
{
	u64 v = 0;
	bool ok = TRY("mov %%dr7, %[v]", OUT([v] "+r"(v)));

	SAME_IF(v == 0x400);
	return ok;
}

static bool try_write_dr(enum effect *effect)
{
	bool ok = TRY("mov %[v], %%dr0", , [v] "r"(0x1000ul));

	SAME_IF(ok && cpu->get_dr(0) == 0x1000);
	cpu->set_dr(0, 0);
	return ok;
}

static bool try_rdmsr(enum effect *effect)
{
	u32 lo = 0, hi;
	bool ok = TRY("rdmsr", OUT("+a"(lo), "=d"(hi)), "c"(MSR_EFER));

	SAME_IF(lo & 0x400);
	return ok;
}

static bool try_wrmsr(enum effect *effect)
{
	bool ok = TRY("wrmsr", , "c"(MSR_GS_BASE), "a"(0x5000), "d"(0));

	SAME_IF(ok && rdmsr(MSR_GS_BASE) == 0x5000);
	cpu->set_gs_base(0);
	return ok;
}

static bool try_wrmsr_lstar(enum effect *effect)
{
	SAME_IF(true);
	return TRY("wrmsr", , "c"(0xc0000082u), "a"(0), "d"(0));
}

static bool try_swapgs(enum effect *effect)
{
	SAME_IF(true);
	return TRY("swapgs\n\tswapgs", );
}

static bool has_fsgsbase(void)
{
	return read_cr4() & 0x10000;
}

/* Where CR4.FSGSBASE is clear ring 0 gets #UD too. */
static bool try_rdfsbase(enum effect *effect)
{
	u64 v = 0;
	bool ok = TRY("rdfsbase %[v]", OUT([v] "+r"(v)));

	SAME_IF(has_fsgsbase());
	return ok;
}

static bool try_wrgsbase(enum effect *effect)
{
	bool ok = TRY("wrgsbase %[v]", , [v] "r"(0ul));

	SAME_IF(has_fsgsbase());
	return ok;
}

static bool try_xgetbv(enum effect *effect)
{
	u32 lo, hi;

	SAME_IF(read_cr4() & 0x40000);
	return TRY("xgetbv", OUT("=a"(lo), "=d"(hi)), "c"(0));
}

static bool try_xsetbv(enum effect *effect)
{
	SAME_IF(true);
	return TRY("xsetbv", , "c"(0), "a"(1), "d"(0));
}

/* --- what the processor is and how it counts --- */

/* A kernel that owned the machine would see all of it; here the prefix gives the policy. */
static bool try_cpuid(enum effect *effect)
{
	u32 plain[4] = { 1, 0, 0, 0 }, policy[4];
	bool ok = TRY("cpuid", OUT("+a"(plain[0]), "=b"(plain[1]), "+c"(plain[2]), "=d"(plain[3])));

	cpu->cpuid(1, 0, policy);
	SAME_IF(plain[2] == policy[2] && plain[3] == policy[3]);
	return ok;
}

static bool try_rdtsc(enum effect *effect)
{
	u32 lo, hi;

	SAME_IF(true);
	return TRY("rdtsc", OUT("=a"(lo), "=d"(hi)));
}

static bool try_rdtscp(enum effect *effect)
{
	u32 lo, hi, aux;

	SAME_IF(true);
	return TRY("rdtscp", OUT("=a"(lo), "=d"(hi), "=c"(aux)));
}

static bool try_rdpmc(enum effect *effect)
{
	u32 lo, hi;

	SAME_IF(true);
	return TRY("rdpmc", OUT("=a"(lo), "=d"(hi)), "c"(0));
}

/* --- ports --- */

static bool try_in(enum effect *effect)
{
	u8 v;

	SAME_IF(true);
	return TRY("inb %[p], %[v]", OUT([v] "=a"(v)), [p] "Nd"(UNUSED_PORT));
}

static bool try_out(enum effect *effect)
{
	SAME_IF(true);
	return TRY("outb %[v], %[p]", , [v] "a"((u8)0), [p] "Nd"(UNUSED_PORT));
}

static bool try_ins(enum effect *effect)
{
	u8 byte, *p = &byte;

	SAME_IF(true);
	return TRY("insb", OUT("+D"(p)), "d"(UNUSED_PORT));
}

static bool try_outs(enum effect *effect)
{
	u8 byte = 0, *p = &byte;

	SAME_IF(true);
	return TRY("outsb", OUT("+S"(p)), "d"(UNUSED_PORT), "m"(byte));
}

/* --- stopping, caches, translations --- */

/* A timer ends it if it really waits. */
static bool try_hlt(enum effect *effect)
{
	bool ok;

	cpu->set_timer(now() + NSEC_PER_MSEC);
	ok = TRY("hlt", );
	cpu->irq_disable();
	timer_reprogram();
	SAME_IF(true);
	return ok;
}

static bool try_wbinvd(enum effect *effect)
{
	SAME_IF(true);
	return TRY("wbinvd", );
}

static bool try_invd(enum effect *effect)
{
	SAME_IF(true);
	return TRY("invd", );
}

static bool try_invlpg(enum effect *effect)
{
	SAME_IF(true);
	return TRY("invlpg (%[p])", , [p] "r"(DIRECT_BASE));
}

static bool try_monitor(enum effect *effect)
{
	static u64 line;

	SAME_IF(true);
	return TRY("monitor", , "a"(&line), "c"(0), "d"(0));
}

static bool try_mwait(enum effect *effect)
{
	SAME_IF(true);
	return TRY("mwait", , "a"(0), "c"(0));
}

static bool try_clac(enum effect *effect)
{
	SAME_IF(true);
	return TRY("clac", );
}

static bool try_stac(enum effect *effect)
{
	bool ok = TRY("stac", );

	if (ok)
		TRY("clac", );
	SAME_IF(true);
	return ok;
}

/* --- gates --- */

/* A breakpoint is reported after the instruction, so the fixup sits on the next one. */
static bool try_int3(enum effect *effect)
{
	u64 delivered = 0;

	__asm__ volatile("int3\n1:\tnop\n\tjmp 3f\n2:\tmov $1, %[d]\n3:\n\t" FIXUP(1b, 2b)
			 : [d] "+r"(delivered) :: "memory");
	SAME_IF(delivered && last_fault.vector == X86_TRAP_BP);
	return true;
}

static bool try_int_n(enum effect *effect)
{
	SAME_IF(true);
	return TRY("int $0x60", );
}

static bool try_sysenter(enum effect *effect)
{
	return TRY("sysenter", );
}

static bool try_sysret(enum effect *effect)
{
	return TRY("sysretq", );
}

static bool try_sysexit(enum effect *effect)
{
	return TRY("rex.w sysexit", );
}

/* Number 63 is none: the answer -ENOSYS shows that it arrived as a hypercall. */
static bool try_syscall(enum effect *effect)
{
	u64 rax = 63, ok = 0;

	__asm__ volatile(SAFE_BEGIN "syscall" SAFE_END : [ok] "+r"(ok), "+a"(rax) :: "rcx", "r11", "memory");
	SAME_IF(false);
	return ok;
}

#define C SENS_CONTROL
#define B SENS_BEHAVIOUR

const struct instruction popek_instructions[] = {
	{ "SGDT", B, FLAG_GUARDED, false, try_sgdt, "remember what set_gdt was given" },
	{ "SIDT", B, FLAG_GUARDED, false, try_sidt, "remember what set_trap_table was given" },
	{ "SLDT", B, FLAG_GUARDED, false, try_sldt, "remember what mmuext_op SET_LDT was given" },
	{ "STR", B, FLAG_GUARDED, false, try_str, "there is no task register: stack_switch" },
	{ "SMSW", B, FLAG_GUARDED, false, try_smsw, "remember what fpu_taskswitch was given" },
	{ "LGDT", C, PRIVILEGED, false, try_lgdt, "set_gdt, update_descriptor" },
	{ "LIDT", C, PRIVILEGED, false, try_lidt, "set_trap_table" },
	{ "LLDT", C, PRIVILEGED, false, try_lldt, "mmuext_op SET_LDT" },
	{ "LTR", C, PRIVILEGED, true, try_ltr, "stack_switch" },
	{ "PUSHF", B, UNPRIVILEGED, false, try_pushf, "vcpu_info.evtchn_upcall_mask" },
	{ "POPF", C | B, UNPRIVILEGED, false, try_popf, "vcpu_info.evtchn_upcall_mask" },
	{ "CLI", C, IOPL_GUARDED, false, try_cli, "vcpu_info.evtchn_upcall_mask = 1" },
	{ "STI", C, IOPL_GUARDED, false, try_sti, "evtchn_upcall_mask = 0, then look" },
	{ "IRET", C | B, UNPRIVILEGED, false, try_iret, "iret" },
	{ "LAR", B, UNPRIVILEGED, false, try_lar, "know one's own descriptors" },
	{ "LSL", B, UNPRIVILEGED, false, try_lsl, "know one's own descriptors" },
	{ "VERR", B, UNPRIVILEGED, false, try_verr, "know one's own descriptors" },
	{ "VERW", B, UNPRIVILEGED, false, try_verw, "know one's own descriptors" },
	{ "MOV from CS", B, UNPRIVILEGED, false, try_mov_from_cs, "ignore the privilege level" },
	{ "MOV to DS", C | B, UNPRIVILEGED, false, try_mov_to_seg, "selectors of privilege 3" },
	{ "PUSH FS", B, UNPRIVILEGED, false, try_push_seg, "selectors of privilege 3" },
	{ "POP GS", C | B, UNPRIVILEGED, false, try_pop_seg, "set_segment_base GS_USER_SEL" },
	{ "CALL far", B, UNPRIVILEGED, false, try_call_far, "FLAT_KERNEL_CS" },
	{ "RET far", B, UNPRIVILEGED, false, try_ret_far, "FLAT_KERNEL_CS, or iret" },
	{ "JMP far", B, UNPRIVILEGED, false, try_jmp_far, "FLAT_KERNEL_CS" },
	{ "INT3", B, UNPRIVILEGED, false, try_int3, "set_trap_table, flags give the privilege" },
	{ "INT n", B, UNPRIVILEGED, false, try_int_n, "set_trap_table, flags give the privilege" },
	{ "SYSCALL", C | B, UNPRIVILEGED, true, try_syscall, "it is the hypercall; users': callback_op" },
	{ "SYSENTER", C | B, UNPRIVILEGED, true, try_sysenter, "callback_op sysenter" },
	{ "SYSRET", C, PRIVILEGED, true, try_sysret, "iret with VGCF_in_syscall" },
	{ "SYSEXIT", C, PRIVILEGED, true, try_sysexit, "iret" },
	{ "MOV from CR0", B, PRIVILEGED, false, try_read_cr0, "nothing to know but TS" },
	{ "MOV to CR0", C, PRIVILEGED, false, try_write_cr0, "fpu_taskswitch" },
	{ "MOV from CR2", B, PRIVILEGED, false, try_read_cr2, "vcpu_info.arch.cr2" },
	{ "MOV to CR2", C, PRIVILEGED, false, try_write_cr2, "a store to vcpu_info.arch.cr2" },
	{ "MOV from CR3", B, PRIVILEGED, false, try_read_cr3, "remember it" },
	{ "MOV to CR3", C, PRIVILEGED, false, try_write_cr3, "mmuext_op NEW_BASEPTR, TLB_FLUSH_LOCAL" },
	{ "MOV from CR4", B, PRIVILEGED, false, try_read_cr4, "xen_version get_features" },
	{ "MOV to CR4", C, PRIVILEGED, false, try_write_cr4, "vm_assist" },
	{ "MOV from CR8", B, PRIVILEGED, false, try_read_cr8, "event channel masks" },
	{ "MOV to CR8", C, PRIVILEGED, false, try_write_cr8, "event channel masks" },
	{ "LMSW", C, PRIVILEGED, false, try_lmsw, "fpu_taskswitch" },
	{ "CLTS", C, PRIVILEGED, false, try_clts, "fpu_taskswitch" },
	{ "MOV from DR", B, PRIVILEGED, false, try_read_dr, "get_debugreg" },
	{ "MOV to DR", C, PRIVILEGED, false, try_write_dr, "set_debugreg" },
	{ "RDMSR", B, PRIVILEGED, false, try_rdmsr, "per register" },
	{ "WRMSR GS_BASE", C, PRIVILEGED, false, try_wrmsr, "set_segment_base" },
	{ "WRMSR LSTAR", C, PRIVILEGED, false, try_wrmsr_lstar, "callback_op syscall" },
	{ "SWAPGS", C, PRIVILEGED, false, try_swapgs, "done on entry and by iret" },
	{ "RDFSBASE", B, FLAG_GUARDED, false, try_rdfsbase, "the same instruction" },
	{ "WRGSBASE", C, FLAG_GUARDED, false, try_wrgsbase, "set_segment_base" },
	{ "XGETBV", B, FLAG_GUARDED, false, try_xgetbv, "the same instruction" },
	{ "XSETBV", C, PRIVILEGED, false, try_xsetbv, "no hypercall: interpreted" },
	{ "CPUID", B, UNPRIVILEGED, false, try_cpuid, "the emulation prefix before CPUID" },
	{ "RDTSC", B, FLAG_GUARDED, false, try_rdtsc, "vcpu_info.time with it" },
	{ "RDTSCP", B, FLAG_GUARDED, false, try_rdtscp, "vcpu_info.time with RDTSC" },
	{ "RDPMC", B, FLAG_GUARDED, false, try_rdpmc, "xenpmu_op, where there is one" },
	{ "IN", C | B, IOPL_GUARDED, false, try_in, "physdev_op set_iopl, set_iobitmap" },
	{ "OUT", C, IOPL_GUARDED, false, try_out, "physdev_op set_iopl, set_iobitmap" },
	{ "INS", C | B, IOPL_GUARDED, false, try_ins, "physdev_op set_iopl, set_iobitmap" },
	{ "OUTS", C, IOPL_GUARDED, false, try_outs, "physdev_op set_iopl, set_iobitmap" },
	{ "HLT", C, PRIVILEGED, true, try_hlt, "sched_op block" },
	{ "WBINVD", C, PRIVILEGED, false, try_wbinvd, "mmuext_op FLUSH_CACHE" },
	{ "INVD", C, PRIVILEGED, true, try_invd, "mmuext_op FLUSH_CACHE" },
	{ "INVLPG", C, PRIVILEGED, false, try_invlpg, "mmuext_op INVLPG_LOCAL, update_va_mapping" },
	{ "MONITOR", B, PRIVILEGED, false, try_monitor, "sched_op block, poll" },
	{ "MWAIT", C, PRIVILEGED, true, try_mwait, "sched_op block, poll" },
	{ "CLAC", C, PRIVILEGED, false, try_clac, "none: user pages are open to the kernel" },
	{ "STAC", C, PRIVILEGED, false, try_stac, "none: user pages are open to the kernel" },
};

const unsigned int nr_popek_instructions = ARRAY_SIZE(popek_instructions);
