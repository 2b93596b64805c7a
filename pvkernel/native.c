/* SPDX-License-Identifier: MIT */
/*
 * Ring 0 without a hypervisor: what a PV guest gets by hypercall is done by hand here. Exceptions use
 * the running thread's stack, except the double fault, whose stack pointer may be the very problem.
 */
#include "boot.h"
#include "insn.h"
#include "lib.h"
#include "native.h"
#include "ops.h"
#include "traps.h"

#define SEL_CODE 0x08
#define SEL_TSS 0x30
#define IST_DOUBLE_FAULT 1

#define PIC_MASTER 0x20
#define PIC_SLAVE 0xa0
#define PIC_EOI 0x20

struct gate {
	u16 offset_low, selector, type, offset_mid;
	u32 offset_high, zero;
} __attribute__((packed));

struct tss {
	u32 reserved0;
	u64 rsp[3];
	u64 reserved1;
	u64 ist[7];
	u64 reserved2;
	u16 reserved3, io_bitmap;
} __attribute__((packed));

struct table_register {
	u16 limit;
	u64 base;
} __attribute__((packed));

static struct gate idt[256];
static struct tss tss;
static char double_fault_stack[4096] __attribute__((aligned(16)));

extern u64 native_gdt[];
extern const u64 trap_entries[][2];

static struct irq_action {
	void (*fn)(void *);
	void *arg;
} actions[NR_IRQS];

static void set_gate(unsigned int vector, u64 entry, unsigned int ist, unsigned int dpl)
{
	idt[vector] = (struct gate){
		.offset_low = entry, .selector = SEL_CODE, .type = 0x8e00 | dpl << 13 | ist,
		.offset_mid = entry >> 16, .offset_high = entry >> 32,
	};
}

static void load_tss(void)
{
	u64 base = (u64)&tss, limit = sizeof(tss) - 1;

	tss.ist[IST_DOUBLE_FAULT - 1] = (u64)double_fault_stack + sizeof(double_fault_stack);
	tss.io_bitmap = sizeof(tss);
	native_gdt[SEL_TSS / 8] = limit | (base & 0xffffff) << 16 | 0x89ul << 40 | (base >> 24 & 0xff) << 56;
	native_gdt[SEL_TSS / 8 + 1] = base >> 32;
	__asm__ volatile("ltr %w0" :: "r"(SEL_TSS));
}

/* Both controllers deliver from VECTOR_IRQ0 on, everything masked but the cascade. */
static void pic_init(void)
{
	static const u8 sequence[][2] = {
		{ PIC_MASTER, 0x11 }, { PIC_SLAVE, 0x11 },
		{ PIC_MASTER + 1, VECTOR_IRQ0 }, { PIC_SLAVE + 1, VECTOR_IRQ0 + 8 },
		{ PIC_MASTER + 1, 4 }, { PIC_SLAVE + 1, 2 },
		{ PIC_MASTER + 1, 1 }, { PIC_SLAVE + 1, 1 },
		{ PIC_MASTER + 1, 0xfb }, { PIC_SLAVE + 1, 0xff },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(sequence); i++)
		outb(sequence[i][0], sequence[i][1]);
}

void native_traps_init(void)
{
	extern char native_gdt_ptr[];
	struct table_register idtr = { sizeof(idt) - 1, (u64)idt };

	__asm__ volatile("lgdt (%0)" :: "r"(native_gdt_ptr) : "memory");
	load_tss();
	for (unsigned int v = 0; v < VECTOR_IRQ0 + NR_IRQS; v++)
		set_gate(v, trap_entries[v][1], v == X86_TRAP_DF ? IST_DOUBLE_FAULT : 0,
			 v == X86_TRAP_BP || v == X86_TRAP_OF ? 3 : 0);
	__asm__ volatile("lidt %0" :: "m"(idtr));
	pic_init();
}

void native_set_kernel_sp(u64 sp)
{
	tss.rsp[0] = sp;
}

void native_irq_handler(unsigned int irq, void (*fn)(void *), void *arg)
{
	u16 port = irq < 8 ? PIC_MASTER + 1 : PIC_SLAVE + 1;

	actions[irq] = (struct irq_action){ fn, arg };
	outb(port, inb(port) & ~(1 << (irq & 7)));
}

/* Acknowledged first: the handler may switch to another thread and come back late. */
void native_irq(unsigned int irq)
{
	if (irq >= 8)
		outb(PIC_SLAVE, PIC_EOI);
	outb(PIC_MASTER, PIC_EOI);
	if (actions[irq].fn)
		actions[irq].fn(actions[irq].arg);
}

/* The keyboard controller's reset line; if there is none, a triple fault. */
static void reset(void)
{
	struct table_register none = { 0, 0 };

	outb(0x64, 0xfe);
	for (int i = 0; i < 100000; i++)
		inb(0x80);
	__asm__ volatile("lidt %0; int3" :: "m"(none));
}

void native_stop(unsigned int how)
{
	cpu->irq_disable();
	if (how == STOP_REBOOT || how == STOP_CRASH)
		reset();
	if (how == STOP_POWEROFF)
		acpi_power_off();
	printf("this machine cannot be powered off from here; halted\n");
	for (;;)
		__asm__ volatile("cli; hlt");
}
