/* SPDX-License-Identifier: MIT */
/* Instructions that C has no words for, one inline function each. */
#ifndef PARAVANE_ASM_H
#define PARAVANE_ASM_H

#include <types.h>

#define MSR_APIC_BASE 0x1b
#define MSR_PLATFORM_INFO 0xce
#define MSR_MISC_FEATURES 0x140
#define MSR_PAT 0x277
#define MSR_EFER 0xc0000080
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_CSTAR 0xc0000083
#define MSR_FMASK 0xc0000084
#define MSR_FS_BASE 0xc0000100
#define MSR_GS_BASE 0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define MSR_TSC_AUX 0xc0000103
#define MSR_SYSENTER_CS 0x174
#define MSR_SYSENTER_ESP 0x175
#define MSR_SYSENTER_EIP 0x176

#define CR0_MP (1ul << 1)
#define CR0_TS (1ul << 3)
#define CR0_NE (1ul << 5)
#define CR0_WP (1ul << 16)
#define CR0_AM (1ul << 18)
#define CR0_PG (1ul << 31)
#define CR4_TSD (1ul << 2)
#define CR4_DE (1ul << 3)
#define CR4_PAE (1ul << 5)
#define CR4_MCE (1ul << 6)
#define CR4_PGE (1ul << 7)
#define CR4_OSFXSR (1ul << 9)
#define CR4_OSXMMEXCPT (1ul << 10)
#define CR4_UMIP (1ul << 11)
#define CR4_FSGSBASE (1ul << 16)
#define CR4_OSXSAVE (1ul << 18)
#define CR4_SMEP (1ul << 20)
#define CR4_SMAP (1ul << 21)

#define FLAGS_TF (1ul << 8)
#define FLAGS_IF (1ul << 9)
#define FLAGS_DF (1ul << 10)
#define FLAGS_IOPL (3ul << 12)
#define FLAGS_NT (1ul << 14)
#define FLAGS_RF (1ul << 16)
#define FLAGS_VM (1ul << 17)
#define FLAGS_AC (1ul << 18)

#define ACCESSOR(name) \
	static inline u64 read_##name(void) { u64 x; asm volatile("mov %%" #name ", %0" : "=r"(x)); return x; } \
	static inline void write_##name(u64 x) { asm volatile("mov %0, %%" #name :: "r"(x) : "memory"); }
ACCESSOR(cr0) ACCESSOR(cr2) ACCESSOR(cr3) ACCESSOR(cr4)
ACCESSOR(dr0) ACCESSOR(dr1) ACCESSOR(dr2) ACCESSOR(dr3) ACCESSOR(dr6) ACCESSOR(dr7)
#undef ACCESSOR

static inline u64 rdmsr(u32 n)
{
	u32 low, high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(n));
	return (u64)high << 32 | low;
}

static inline void wrmsr(u32 n, u64 x)
{
	asm volatile("wrmsr" :: "c"(n), "a"((u32)x), "d"((u32)(x >> 32)) : "memory");
}

static inline void set_xcr0(u64 x)
{
	asm volatile("xsetbv" :: "c"(0), "a"((u32)x), "d"((u32)(x >> 32)));
}

static inline u64 rdtsc(void)
{
	u32 low, high;

	asm volatile("rdtsc" : "=a"(low), "=d"(high));
	return (u64)high << 32 | low;
}

static inline void cpuid(u32 leaf, u32 sub, u32 r[4])
{
	asm volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(sub));
}

static inline void outb(u16 port, u8 x) { asm volatile("outb %0, %1" :: "a"(x), "Nd"(port)); }
static inline void outw(u16 port, u16 x) { asm volatile("outw %0, %1" :: "a"(x), "Nd"(port)); }
static inline void outl(u16 port, u32 x) { asm volatile("outl %0, %1" :: "a"(x), "Nd"(port)); }
static inline u8 inb(u16 port) { u8 x; asm volatile("inb %1, %0" : "=a"(x) : "Nd"(port)); return x; }
static inline u16 inw(u16 port) { u16 x; asm volatile("inw %1, %0" : "=a"(x) : "Nd"(port)); return x; }
static inline u32 inl(u16 port) { u32 x; asm volatile("inl %1, %0" : "=a"(x) : "Nd"(port)); return x; }

static inline void clts(void) { asm volatile("clts" ::: "memory"); }
static inline void invlpg(u64 va) { asm volatile("invlpg (%0)" :: "r"(va) : "memory"); }
static inline void irq_disable(void) { asm volatile("cli" ::: "memory"); }
static inline void take_interrupts(void) { asm volatile("sti; nop; cli" ::: "memory"); }
static inline void pause(void) { asm volatile("pause" ::: "memory"); }
static inline void halt_for_interrupt(void) { asm volatile("sti; hlt; cli" ::: "memory"); }
static inline void swapgs(void) { asm volatile("swapgs" ::: "memory"); }

#endif
