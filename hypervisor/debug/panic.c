/* SPDX-License-Identifier: MIT */
/*
 * The end, when the hypervisor itself is wrong: the reason on a line "Paravane panic: ...",
 * registers, backtrace; then the machine restarts (QEMU with -no-reboot ends), or halts.
 * It trusts nothing: it stops the other CPUs by an NMI, breaks the console's lock, and a panic in a panic halts.
 */
#include <abi/arch-x86_64.h>
#include <asm.h>
#include <boot.h>
#include <console.h>
#include <cpu.h>
#include <domain.h>
#include <irq.h>
#include <layout.h>

#define CPU_WINDOW_SHIFT 16	/* cpu/descriptors.c */

/* Found out from the stack: a vCPU's, one of the CPU's interrupt stacks, or the first one. */
static int cpu_of_stack(u64 rsp)
{
	if (rsp >= WINDOWS_START && rsp < CPU_WINDOWS_START)
		return stack_to_vcpu(rsp)->cpu->id;
	if (rsp >= CPU_WINDOWS_START && rsp < FRAME_TABLE_START)
		return (rsp - CPU_WINDOWS_START) >> CPU_WINDOW_SHIFT;
	return 0;
}

static void print_running(u64 rsp)
{
	int id = cpu_of_stack(rsp);
	struct vcpu *v = cpus[id] ? cpus[id]->running : NULL;

	if (v && v != cpus[id]->idle && v->domain)
		log_error("CPU %d, running domain %d vCPU %d at rip %016lx", id, v->domain->id, v->id, v->regs.rip);
	else
		log_error("CPU %d, no guest", id);
}

static void print_place(u64 rip)
{
	u64 offset = 0;
	const char *name = symbol_find(rip, &offset);

	log_error("rip %016lx  %s+0x%lx", rip, name ? name : "?", offset);
}

void print_registers(const struct cpu_user_regs *r)
{
	log_error("rip %016lx  cs %04x  rflags %08lx  rsp %016lx  ss %04x", r->rip, r->cs, r->rflags, r->rsp, r->ss);
	log_error("rax %016lx  rbx %016lx  rcx %016lx  rdx %016lx", r->rax, r->rbx, r->rcx, r->rdx);
	log_error("rsi %016lx  rdi %016lx  rbp %016lx   r8 %016lx", r->rsi, r->rdi, r->rbp, r->r8);
	log_error(" r9 %016lx  r10 %016lx  r11 %016lx  r12 %016lx", r->r9, r->r10, r->r11, r->r12);
	log_error("r13 %016lx  r14 %016lx  r15 %016lx", r->r13, r->r14, r->r15);
}

static bool panicking;

static void __attribute__((noreturn)) stop(void)
{
	irq_disable();
	for (;;)
		asm volatile("hlt");
}

void panic_stops_here(void)
{
	if (READ_ONCE(panicking))
		stop();
}

/* The others go no further, in a guest or anywhere, and hold whatever locks they hold. */
static void panic_begin(void)
{
	irq_disable();
	if (__atomic_exchange_n(&panicking, true, __ATOMIC_ACQ_REL))
		stop();
	apic_send_nmi_to_others();
	console_break_lock();
}

static void __attribute__((noreturn)) panic_end(u64 rip, const struct cpu_user_regs *regs, u64 rsp)
{
	print_running(stack_pointer);
	print_place(rip);
	if (regs)
		print_registers(regs);
	log_error("cr0 %08lx  cr2 %016lx  cr3 %016lx  cr4 %08lx", read_cr0(), read_cr2(), read_cr3(), read_cr4());
	log_error("on the stack at %016lx:", rsp);
	backtrace(rsp);
	machine_restart();
}

void panic(const char *format, ...)
{
	char reason[200];
	va_list arguments;

	panic_begin();
	va_start(arguments, format);
	vscnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	log_error("Paravane panic: %s", reason);
	panic_end((u64)__builtin_return_address(0), NULL, (u64)__builtin_frame_address(0));
}

void panic_trap(struct cpu_user_regs *regs, int vector)
{
	static const char *const names[] = {
		"divide error", "debug", "NMI", "breakpoint", "overflow", "bounds", "invalid opcode", "no FPU",
		"double fault", "", "invalid TSS", "segment not present", "stack fault", "general protection",
		"page fault", "", "FPU error", "alignment check", "machine check", "SIMD error",
	};

	panic_begin();
	log_error("Paravane panic: %s in the hypervisor (vector %d, error code %#x)",
		  vector >= 0 && (size_t)vector < ARRAY_SIZE(names) ? names[vector] : "exception", vector,
		  regs->error_code);
	panic_end(regs->rip, regs, regs->rsp);
}
