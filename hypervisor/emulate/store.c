/* SPDX-License-Identifier: MIT */
/*
 * What a store does, without doing it: from the memory operand's old value, the new one. The
 * arithmetic flags are computed from carries: bit n of `carry` is the carry (or borrow) out of bit n.
 */
#include <decode.h>

#define CF 0x001u
#define PF 0x004u
#define AF 0x010u
#define ZF 0x040u
#define SF 0x080u
#define OF 0x800u

static void set_flags(struct cpu_user_regs *regs, unsigned size, unsigned which, u64 result, u64 carry, u64 overflow)
{
	unsigned top = 8 * size - 1;
	u64 flags = 0;

	if (carry >> top & 1)
		flags |= CF;
	if (!(__builtin_popcount(result & 0xff) & 1))
		flags |= PF;
	if (carry & 8)
		flags |= AF;
	if (!(result << (63 - top)))
		flags |= ZF;
	if (result >> top & 1)
		flags |= SF;
	if (overflow >> top & 1)
		flags |= OF;
	regs->rflags = (regs->rflags & ~(u64)which) | (flags & which);
}

#define ARITHMETIC (CF | PF | AF | ZF | SF | OF)

static u64 add(struct cpu_user_regs *regs, unsigned size, u64 a, u64 b, bool carry_in, unsigned which)
{
	u64 r = a + b + carry_in;

	set_flags(regs, size, which, r, (a & b) | ((a | b) & ~r), (a ^ r) & (b ^ r));
	return r;
}

static u64 subtract(struct cpu_user_regs *regs, unsigned size, u64 a, u64 b, bool borrow_in, unsigned which)
{
	u64 r = a - b - borrow_in;

	set_flags(regs, size, which, r, (~a & b) | (~(a ^ b) & r), (a ^ b) & (a ^ r));
	return r;
}

static u64 logic(struct cpu_user_regs *regs, unsigned size, u64 r)
{
	set_flags(regs, size, ARITHMETIC, r, 0, 0);
	return r;
}

static u64 change_bit(struct cpu_user_regs *regs, const struct insn *i, u64 old, u64 number)
{
	u64 bit = 1ull << (number & (8 * i->size - 1));

	regs->rflags = (regs->rflags & ~(u64)CF) | (old & bit ? CF : 0);
	return i->op == INSN_BTS ? old | bit : i->op == INSN_BTR ? old & ~bit : old ^ bit;
}

/* The exchanges write the register too, after the operands have been read. */
static u64 exchange(struct cpu_user_regs *regs, const struct insn *i, u64 old, u64 source)
{
	switch (i->op) {
	case INSN_XCHG:
		insn_write_register(i, regs, i->reg, old);
		return source;
	case INSN_XADD:
		insn_write_register(i, regs, i->reg, old);
		return add(regs, i->size, old, source, false, ARITHMETIC);
	default:	/* CMPXCHG */
		subtract(regs, i->size, insn_read_register(i, regs, 0), old, false, ARITHMETIC);
		if (regs->rflags & ZF)
			return source;
		insn_write_register(i, regs, 0, old);
		return old;
	}
}

static u64 result_of(struct cpu_user_regs *regs, const struct insn *i, u64 old, u64 source)
{
	bool carry = regs->rflags & CF;

	switch (i->op) {
	case INSN_ADD: return add(regs, i->size, old, source, false, ARITHMETIC);
	case INSN_ADC: return add(regs, i->size, old, source, carry, ARITHMETIC);
	case INSN_INC: return add(regs, i->size, old, 1, false, ARITHMETIC & ~CF);
	case INSN_SUB: return subtract(regs, i->size, old, source, false, ARITHMETIC);
	case INSN_SBB: return subtract(regs, i->size, old, source, carry, ARITHMETIC);
	case INSN_DEC: return subtract(regs, i->size, old, 1, false, ARITHMETIC & ~CF);
	case INSN_NEG: return subtract(regs, i->size, 0, old, false, ARITHMETIC);
	case INSN_NOT: return ~old;
	case INSN_OR: return logic(regs, i->size, old | source);
	case INSN_AND: return logic(regs, i->size, old & source);
	case INSN_XOR: return logic(regs, i->size, old ^ source);
	case INSN_BTS: case INSN_BTR: case INSN_BTC: return change_bit(regs, i, old, source);
	default: return exchange(regs, i, old, source);
	}
}

bool insn_store(const struct insn *i, struct cpu_user_regs *regs, u64 old, u64 *new)
{
	u64 mask = ~0ull >> (64 - 8 * i->size), source;

	if (i->op == INSN_PRIVILEGED)
		return false;
	source = i->has_immediate ? i->immediate & mask : insn_read_register(i, regs, i->reg);
	if (i->op != INSN_MOV && i->op != INSN_STOS)
		source = result_of(regs, i, old & mask, source);
	*new = source & mask;
	return true;
}
