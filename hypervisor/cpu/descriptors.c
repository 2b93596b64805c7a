/* SPDX-License-Identifier: MIT */
/*
 * GDT, IDT, TSS and the SYSCALL entry of each CPU.
 *
 * The GDT page is the last of every vCPU's GDT (layout.h), so its selectors start at 0xe000:
 *   e008 hypervisor code   e010 hypervisor data   e023 32-bit code   e02b data   e033 64-bit code
 *   e040 + 16 n  TSS of CPU n          e100 + 16 n  LDT of the vCPU that runs on CPU n
 * All are marked accessed, for guests have the page mapped read-only.
 *
 * A CPU's window, by page (64 KiB, aligned to its size, so that an interrupt stack names its CPU):
 *   0 entry code   1 guard   2 struct cpu   3 guard   4 5 NMI   6 guard   7 8 double fault   9 guard
 *   10 11 machine check   12 guard   13 14 debug exception   15 guard
 */
#include <abi/arch-x86_64.h>
#include <asm.h>
#include <console.h>
#include <cpu.h>
#include <entry.h>
#include <frames.h>
#include <pagetable.h>
#include <string.h>

enum { PAGE_CODE = 0, PAGE_CPU = CPU_WINDOW_STRUCT, PAGE_NMI = 4, PAGE_DF = 7, PAGE_MC = 10, PAGE_DB = 13 };

#define SELECTOR_BASE 0xe000
#define HV_CS 0xe008
#define HV_SS 0xe010
#define TSS_SELECTOR(n) (0xe040 + 16 * (n))
#define LDT_SELECTOR(n) (0xe100 + 16 * (n))

struct cpu *cpus[MAX_CPUS];
void (*hypercall_entry)(void) = entry_hypercall;

u64 hv_gdt[512] __attribute__((aligned(4096))) = {
	[(HV_CS - SELECTOR_BASE) / 8] = 0x00af9b000000ffff,
	[(HV_SS - SELECTOR_BASE) / 8] = 0x00cf93000000ffff,
	[(0xe020 - SELECTOR_BASE) / 8] = 0x00cffb000000ffff,
	[(0xe028 - SELECTOR_BASE) / 8] = 0x00cff3000000ffff,
	[(0xe030 - SELECTOR_BASE) / 8] = 0x00affb000000ffff,
};

struct gate {
	u16 offset_low, selector;
	u8 ist, attributes;
	u16 offset_middle;
	u32 offset_high, reserved;
};
static struct gate idt[2][256] __attribute__((aligned(4096)));	/* [1]: its entries record first (debug/trace.c) */

struct table_pointer {
	u16 limit;
	u64 base;
} __attribute__((packed));

/* --- the IDT, the same for all CPUs -------------------------------------------------------------------- */

enum { IST_NONE, IST_NMI, IST_DF, IST_MC, IST_DB };
enum { GATE_INTERRUPT = 0x8e, GATE_INTERRUPT_USER = 0xee };

static void idt_fill(struct gate *gates, const u64 *points)
{
	for (int i = 0; i < 256; i++) {
		u64 entry = points[i];
		bool user = i == 3 || i == 4 || i == 0x80;

		gates[i] = (struct gate) {
			.offset_low = entry, .offset_middle = entry >> 16, .offset_high = entry >> 32,
			.selector = HV_CS,
			.attributes = user ? GATE_INTERRUPT_USER : GATE_INTERRUPT,
			.ist = i == 1 ? IST_DB : i == 2 ? IST_NMI : i == 8 ? IST_DF : i == 18 ? IST_MC : IST_NONE,
		};
	}
}

void load_idt(bool traced)
{
	struct table_pointer pointer = { sizeof(idt[0]) - 1, (u64)idt[traced] };

	asm volatile("lidt %0" :: "m"(pointer));
}

/* --- system descriptors ----------------------------------------------------------------------------------- */

enum { TYPE_LDT = 0x82, TYPE_TSS = 0x89 };

static void set_system_descriptor(int selector, int type, u64 base, u32 limit)
{
	u64 *d = &hv_gdt[(selector - SELECTOR_BASE) / 8];

	d[1] = base >> 32;
	d[0] = (limit & 0xffff) | (base & 0xffffff) << 16 | (u64)type << 40 |
	       (u64)(limit >> 16 & 15) << 48 | (base >> 24 & 0xff) << 56;
}

void load_gdt(u64 page14)
{
	struct table_pointer gdt = { FIRST_RESERVED_GDT_BYTE + 4095, page14 - FIRST_RESERVED_GDT_BYTE };

	asm volatile("lgdt %0" :: "m"(gdt));
}

void load_ldt(struct cpu *c, u64 base, unsigned entries)
{
	u16 selector = 0;

	if (entries) {
		selector = LDT_SELECTOR(c->id);
		set_system_descriptor(selector, TYPE_LDT, base, entries * 8 - 1);
	}
	asm volatile("lldt %0" :: "r"(selector) : "memory");
}

/* --- SYSCALL and SYSENTER ----------------------------------------------------------------------------------- */

/*
 * The CPU's own first instructions, for SYSCALL gives neither a stack nor a free register:
 *
 *     mov  %rsp, entry_rsp(%rip)       not in the SYSENTER form, whose caller's rsp is lost
 *     mov  entry_frame(%rip), %rsp
 *     push entry_rsp(%rip)             push $0
 *     jmp  *target(%rip)
 */
static u8 *emit(u8 *at, u32 opcode, int length, const u64 *operand)
{
	memcpy(at, &opcode, length);
	at += length;
	*(u32 *)at = (u64)operand - ((u64)at + 4);
	return at + 4;
}

enum { MOV_RSP_TO_M = 0x258948, MOV_M_TO_RSP = 0x258b48, PUSH_M = 0x35ff, JMP_M = 0x25ff };

static u8 *emit_entry(u8 *at, struct cpu *c, bool saves_rsp, const u64 *target)
{
	static const u8 push_0[] = { 0x6a, 0 };

	if (saves_rsp)
		at = emit(at, MOV_RSP_TO_M, 3, &c->entry_rsp);
	at = emit(at, MOV_M_TO_RSP, 3, &c->entry_frame);
	if (saves_rsp) {
		at = emit(at, PUSH_M, 2, &c->entry_rsp);
	} else {
		memcpy(at, push_0, sizeof(push_0));
		at += sizeof(push_0);
	}
	return emit(at, JMP_M, 2, target);
}

/* --- a CPU -------------------------------------------------------------------------------------------------- */

static bool map_new_page(u64 va, u64 flags)
{
	void *page = alloc_page();

	return page && !map_hv_page(va, virt_to_maddr(page), flags);
}

struct cpu *cpu_create(int id, u32 apic_id)
{
	static const u8 data_pages[] = {
		PAGE_CPU, PAGE_NMI, PAGE_NMI + 1, PAGE_DF, PAGE_DF + 1, PAGE_MC, PAGE_MC + 1, PAGE_DB, PAGE_DB + 1,
	};
	u64 window = CPU_WINDOWS_START + id * CPU_WINDOW_SIZE;
	struct cpu *c = (struct cpu *)(window + PAGE_CPU * PAGE_SIZE);
	u8 *code = alloc_page(), *end;

	if (!code)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(data_pages); i++)
		if (!map_new_page(window + data_pages[i] * PAGE_SIZE, HV_RW))
			return NULL;
	c->id = id;
	c->apic_id = apic_id;
	c->tss.ist[IST_NMI - 1] = window + (PAGE_NMI + 2) * PAGE_SIZE;
	c->tss.ist[IST_DF - 1] = window + (PAGE_DF + 2) * PAGE_SIZE;
	c->tss.ist[IST_MC - 1] = window + (PAGE_MC + 2) * PAGE_SIZE;
	c->tss.ist[IST_DB - 1] = window + (PAGE_DB + 2) * PAGE_SIZE;
	c->tss.iomap_base = sizeof(c->tss);
	c->entry_target32 = (u64)entry_syscall32;
	c->entry_target_sysenter = (u64)entry_user_sysenter;

	/* Written where it will run, for its operands are relative; then no longer writable. */
	if (map_hv_page(window, virt_to_maddr(code), HV_RW))
		return NULL;
	c->entry_syscall = window;
	end = emit_entry((u8 *)window, c, true, &c->entry_target);
	c->entry_syscall32 = (u64)end;
	end = emit_entry(end, c, true, &c->entry_target32);
	c->entry_sysenter = (u64)end;
	emit_entry(end, c, false, &c->entry_target_sysenter);
	map_hv_page(window, virt_to_maddr(code), HV_RX);
	invlpg(window);
	return cpus[id] = c;
}

void cpu_load_tables(struct cpu *c)
{
	if (!idt[0][0].selector) {
		idt_fill(idt[0], entry_points);
		idt_fill(idt[1], traced_entry_points);
	}
	set_system_descriptor(TSS_SELECTOR(c->id), TYPE_TSS, (u64)&c->tss, sizeof(c->tss) - 1);
	load_gdt((u64)hv_gdt);
	asm volatile("push %0; lea 1f(%%rip), %%rax; push %%rax; lretq; 1:" :: "i"(HV_CS) : "rax", "memory");
	asm volatile("mov %0, %%ss; mov %1, %%ds; mov %1, %%es; mov %1, %%fs; mov %1, %%gs" :: "r"(HV_SS), "r"(0));
	load_idt(false);
	asm volatile("ltr %w0" :: "r"(TSS_SELECTOR(c->id)));
	asm volatile("lldt %w0" :: "r"(0));

	wrmsr(MSR_STAR, (u64)FLAT_RING3_CS32 << 48 | (u64)HV_CS << 32);
	wrmsr(MSR_LSTAR, c->entry_syscall);
	wrmsr(MSR_CSTAR, c->entry_syscall32);
	wrmsr(MSR_FMASK, FLAGS_TF | FLAGS_IF | FLAGS_DF | FLAGS_IOPL | FLAGS_NT | FLAGS_RF | FLAGS_VM | FLAGS_AC);
	wrmsr(MSR_SYSENTER_CS, HV_CS);
	wrmsr(MSR_SYSENTER_ESP, 0);
	wrmsr(MSR_SYSENTER_EIP, c->entry_sysenter);
}
