/* SPDX-License-Identifier: MIT */
/*
 * Privileged instructions as C functions. In ring 0 they do what they say; in ring 3 each faults and
 * the hypervisor interprets it, or refuses.
 */
#ifndef PVK_INSN_H
#define PVK_INSN_H

#include "traps.h"
#include "types.h"

#define MSR_EFER 0xc0000080u
#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u

#define CR0_TS 8ul

/*
 * Brackets one instruction that may fault: SAFE_BEGIN, the instruction, SAFE_END, and a "+r" operand
 * named ok that is 0 before and 1 after unless it did. last_fault says why not.
 */
#define SAFE_BEGIN "1:\t"
#define SAFE_END "\n\tmov $1, %[ok]\n2:\n\t" FIXUP(1b, 2b)

static inline void *fs_first_word(void)
{
	void *p;

	__asm__ volatile("mov %%fs:0, %0" : "=r"(p));
	return p;
}

static inline u8 inb(u16 port)
{
	u8 v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline void outb(u16 port, u8 v)
{
	__asm__ volatile("outb %0, %1" :: "a"(v), "Nd"(port));
}

static inline u16 inw(u16 port)
{
	u16 v;

	__asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline void outw(u16 port, u16 v)
{
	__asm__ volatile("outw %0, %1" :: "a"(v), "Nd"(port));
}

static inline u32 inl(u16 port)
{
	u32 v;

	__asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline void outl(u16 port, u32 v)
{
	__asm__ volatile("outl %0, %1" :: "a"(v), "Nd"(port));
}

static inline u64 rdmsr(u32 msr)
{
	u32 lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (u64)hi << 32 | lo;
}

static inline void wrmsr(u32 msr, u64 v)
{
	__asm__ volatile("wrmsr" :: "c"(msr), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
}

static inline u64 rdtsc(void)
{
	u32 lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (u64)hi << 32 | lo;
}

#define DEFINE_READ_REG(reg) \
	static inline u64 read_##reg(void) \
	{ \
		u64 v; \
		__asm__ volatile("mov %%" #reg ", %0" : "=r"(v)); \
		return v; \
	}
#define DEFINE_WRITE_REG(reg) \
	static inline void write_##reg(u64 v) \
	{ \
		__asm__ volatile("mov %0, %%" #reg :: "r"(v) : "memory"); \
	}
DEFINE_READ_REG(cr0)
DEFINE_READ_REG(cr2)
DEFINE_READ_REG(cr3)
DEFINE_READ_REG(cr4)
DEFINE_READ_REG(dr0)
DEFINE_READ_REG(dr1)
DEFINE_READ_REG(dr2)
DEFINE_READ_REG(dr3)
DEFINE_READ_REG(dr6)
DEFINE_READ_REG(dr7)
DEFINE_WRITE_REG(cr0)
DEFINE_WRITE_REG(cr3)
DEFINE_WRITE_REG(cr4)
DEFINE_WRITE_REG(dr0)
DEFINE_WRITE_REG(dr1)
DEFINE_WRITE_REG(dr2)
DEFINE_WRITE_REG(dr3)
DEFINE_WRITE_REG(dr6)
DEFINE_WRITE_REG(dr7)

static inline void clts(void)
{
	__asm__ volatile("clts" ::: "memory");
}

static inline void cpuid_plain(u32 leaf, u32 subleaf, u32 out[4])
{
	__asm__ volatile("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
			 : "a"(leaf), "c"(subleaf));
}

#endif
