/* SPDX-License-Identifier: MIT */
/*
 * The decoder: bytes in, struct insn out. It reads no guest memory and has no effects, so the
 * same code runs under a fuzzer on the host.
 *
 * It knows the length and operands of what traps in ring 3 (privileged instructions, port I/O,
 * INT n) and of the stores that a guest may aim at a page table. Anything else, a LOCK prefix where
 * the CPU would refuse it included, is INSN_UNKNOWN: the caller treats it as the guest's fault.
 *
 * Use: fetch up to INSN_MAX bytes (guest_fetch), insn_decode(), insn_address() for the memory operand,
 * then for a store insn_store() with the operand's old value, then commit and advance rip by length.
 */
#ifndef PARAVANE_DECODE_H
#define PARAVANE_DECODE_H

#include <abi/arch-x86_64.h>
#include <types.h>

#define INSN_MAX 15

/* What insn_decode() answers instead of a length. */
enum {
	INSN_SHORT = 0,		/* the bytes end inside the instruction: fetch the rest, or fault at it */
	INSN_UNKNOWN = -1,
};

/* What an instruction does to its memory (or register) operand. */
enum insn_op {
	INSN_PRIVILEGED,	/* no store: look at opcode */
	INSN_ADD, INSN_OR, INSN_ADC, INSN_SBB, INSN_AND, INSN_SUB, INSN_XOR,	/* operand <- operand op source */
	INSN_MOV,		/* operand <- source */
	INSN_STOS,		/* es:rdi <- rax, rdi steps; rep_count times under REP */
	INSN_XCHG,		/* operand <-> register `reg` */
	INSN_CMPXCHG,		/* compares with rax */
	INSN_XADD,
	INSN_BTS, INSN_BTR, INSN_BTC,
	INSN_INC, INSN_DEC, INSN_NOT, INSN_NEG,
};

enum { NO_REGISTER = 0xff };

struct insn {
	u8 length;		/* 1 to INSN_MAX */
	u8 op;			/* enum insn_op */
	u16 opcode;		/* 0x00XX one byte, 0x0fXX two bytes; the form, for INSN_PRIVILEGED */
	u8 size;		/* operand size in bytes: 1, 2, 4, 8; port I/O: 1, 2, 4 */
	u8 address_size;	/* in bytes: 2 (never in 64-bit code), 4, 8 */
	u8 rex;			/* the prefix byte, or 0 */
	u8 rep;			/* 0xf3, 0xf2 or 0 */
	bool lock;
	u8 segment;		/* override prefix: 0x26 es, 0x2e cs, 0x36 ss, 0x3e ds, 0x64 fs, 0x65 gs; 0 none */
	bool has_modrm, memory;	/* memory: ModRM names memory (else the register `rm`) */
	bool has_immediate;	/* the source is `immediate`, not the register `reg` */
	bool rip_relative;
	u8 modrm;
	u8 reg, rm;		/* ModRM's fields with REX's bits: register numbers 0 rax ... 15 r15, or an opcode extension */
	u8 base, index, scale;	/* of the memory operand: base + (index << scale) + displacement; NO_REGISTER: absent */
	s64 displacement;
	u64 immediate;		/* sign-extended to 64 bits */
};

/* Decodes the instruction at the start of `bytes`: its length, INSN_SHORT or INSN_UNKNOWN. `code64`: in a 64-bit code segment, else 32-bit. */
int insn_decode(const u8 *bytes, unsigned available, bool code64, struct insn *i);

/*
 * Linear address of the memory operand (of es:rdi for STOS), `segment_base` being that of the segment in
 * use: 0 in 64-bit code unless i->segment is 0x64 or 0x65. regs->rip is still the instruction's own. For
 * BTS, BTR and BTC with a register bit offset, the word that holds the bit.
 */
u64 insn_address(const struct insn *i, const struct cpu_user_regs *regs, u64 segment_base);

/*
 * The meaning of a store: from the operand's old value to the new one (size bytes, zero-extended), with the
 * arithmetic flags and the source registers updated in `regs`. rip is left alone. False: not a store.
 * Call it on a copy of the registers when the commit may still fail.
 */
bool insn_store(const struct insn *i, struct cpu_user_regs *regs, u64 old, u64 *new);

/* A general register, 0 rax ... 15 r15. */
static inline u64 *insn_register(struct cpu_user_regs *regs, unsigned number)
{
#define AT(name) offsetof(struct cpu_user_regs, name)
	static const u8 at[16] = {
		AT(rax), AT(rcx), AT(rdx), AT(rbx), AT(rsp), AT(rbp), AT(rsi), AT(rdi),
		AT(r8), AT(r9), AT(r10), AT(r11), AT(r12), AT(r13), AT(r14), AT(r15),
	};
#undef AT
	return (u64 *)((u8 *)regs + at[number & 15]);
}
/* As an operand: `size` bytes, zero-extended; without REX, byte registers 4 to 7 are ah, ch, dh, bh. */
u64 insn_read_register(const struct insn *i, const struct cpu_user_regs *regs, unsigned number);
/* Writes `size` bytes of it; 4-byte writes clear the upper half. */
void insn_write_register(const struct insn *i, struct cpu_user_regs *regs, unsigned number, u64 value);

#endif
