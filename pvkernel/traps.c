/* SPDX-License-Identifier: MIT */
/*
 * Where entry.S ends up. An exception goes to the handler that somebody has set for it, else to a
 * fixup, else it is our own mistake: registers, backtrace, the end.
 */
#include "boot.h"
#include "evtchn.h"
#include "hypercall.h"
#include "lib.h"
#include "mm.h"
#include "native.h"
#include "ops.h"
#include "sched.h"
#include "traps.h"

struct fault last_fault;

extern const struct fixup {
	u64 insn, target;
} fixup_table[], fixup_table_end[];

extern const u64 trap_entries[][2];

static bool take_fixup(struct regs *regs)
{
	for (const struct fixup *f = fixup_table; f < fixup_table_end; f++) {
		if (f->insn == regs->rip) {
			last_fault = (struct fault){ regs->vector, regs->error,
				regs->vector == X86_TRAP_PF ? cpu->read_cr2() : 0 };
			regs->rip = f->target;
			return true;
		}
	}
	return false;
}

static const char *vector_name(u64 vector)
{
	static const char *const names[] = {
		"divide error", "debug", "NMI", "breakpoint", "overflow", "bound", "invalid opcode",
		"device not available", "double fault", "vector 9", "invalid TSS", "segment not present",
		"stack fault", "general protection", "page fault", "vector 15", "FPU error",
		"alignment check", "machine check", "SIMD error",
	};

	if (vector == VECTOR_FAILSAFE)
		return "failsafe: a return frame was refused";
	if (vector == VECTOR_SYSCALL)
		return "SYSCALL of user mode, which this kernel does not have";
	return vector < ARRAY_SIZE(names) ? names[vector] : "unexpected interrupt";
}

void dump_regs(const struct regs *r)
{
	printf("%s (vector %lu, error %lx) at %lx, cs %lx, rflags %lx\n", vector_name(r->vector),
	       r->vector, r->error, r->rip, r->cs, r->rflags);
	if (r->vector == X86_TRAP_PF)
		printf("cr2 %016lx\n", cpu->read_cr2());
	printf("rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", r->rax, r->rbx, r->rcx, r->rdx);
	printf("rsi %016lx rdi %016lx rbp %016lx rsp %016lx\n", r->rsi, r->rdi, r->rbp, r->rsp);
	printf("r8  %016lx r9  %016lx r10 %016lx r11 %016lx\n", r->r8, r->r9, r->r10, r->r11);
	printf("r12 %016lx r13 %016lx r14 %016lx r15 %016lx\n", r->r12, r->r13, r->r14, r->r15);
}

static bool read_word(const u64 *p, u64 *val)
{
	u64 ok = 0;

	__asm__ volatile("1:\tmov %[p], %[v]\n\tmov $1, %[ok]\n2:\n\t" FIXUP(1b, 2b)
			 : [ok] "+r"(ok), [v] "=r"(*val) : [p] "m"(*p));
	return ok;
}

/* Frames are linked by rbp; a chain that does not go up, or cannot be read, has ended. */
void backtrace(u64 rbp)
{
	u64 next, ret;

	printf("called from:");
	for (int depth = 0; depth < 16 && rbp && !(rbp & 7); depth++) {
		if (!read_word((u64 *)rbp, &next) || !read_word((u64 *)rbp + 1, &ret) || !ret)
			break;
		printf(" %lx", ret);
		if (next <= rbp)
			break;
		rbp = next;
	}
	printf("\n");
}

static void exception(struct regs *regs)
{
	if (take_fixup(regs))
		return;
	dump_regs(regs);
	backtrace(regs->rbp);
	panic("unexpected %s", vector_name(regs->vector));
}

/* Returns how to leave, as cpu_ops.prepare_exit. Interrupts are disabled from entry to exit. */
int trap_entry(struct regs *regs)
{
	if (regs->vector == VECTOR_UPCALL)
		evtchn_upcall();
	else if (boot.native && regs->vector - VECTOR_IRQ0 < NR_IRQS)
		native_irq(regs->vector - VECTOR_IRQ0);
	else
		exception(regs);
	if (regs->vector == VECTOR_UPCALL || regs->vector >= VECTOR_IRQ0)
		sched_preempt();
	return cpu->prepare_exit(regs);
}

static void pv_traps_init(void)
{
	struct trap_info table[NR_EXCEPTIONS + 1] = { 0 };
	long err;

	for (unsigned int v = 0; v < NR_EXCEPTIONS; v++) {
		bool user = v == X86_TRAP_BP || v == X86_TRAP_OF;

		table[v] = (struct trap_info){ .vector = v, .flags = TI_MASK_EVENTS | (user ? 3 : 0),
			.cs = FLAT_KERNEL_CS, .address = trap_entries[v][0] };
	}
	err = HYPERVISOR_set_trap_table(table);
	if (err)
		panic("set_trap_table: %ld", err);
}

void traps_init(void)
{
	if (boot.native)
		native_traps_init();
	else
		pv_traps_init();
}

/* Interrupts stay disabled, so that nothing else of us runs. */
void panic(const char *fmt, ...)
{
	char text[200];
	va_list ap;

	cpu->irq_disable();
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	printf("pvkernel panic: %s\n", text);
	backtrace((u64)__builtin_frame_address(0));
	cpu->stop(STOP_CRASH);
	for (;;)
		;
}
