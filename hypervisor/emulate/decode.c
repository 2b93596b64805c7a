/* SPDX-License-Identifier: MIT */
/*
 * Instruction decoding: prefixes, opcode, ModRM, SIB, displacement, immediate.
 *
 * Two tables, for one-byte opcodes and for those after 0x0f, hold one word for each: the
 * operation and which parts follow. A word of 0 is an opcode that this decoder does not know.
 * No byte past `available`, and none past the fifteenth, is looked at.
 */
#include <decode.h>

#define OP_MASK 0x1f		/* enum insn_op */
#define KNOWN (1 << 5)
#define MODRM (1 << 6)
#define IMM8 (1 << 7)		/* one byte */
#define IMM (1 << 8)		/* as the operand size, but four bytes for eight */
#define BYTE (1 << 9)		/* the operand size is one byte */
#define LOCK (1 << 10)		/* LOCK is allowed when the operand is memory */
#define GROUP (1 << 11)		/* ModRM's reg field selects the operation */
#define OFFSET (1 << 12)	/* an absolute address follows the opcode */
#define REGISTER (1 << 13)	/* ModRM's rm names a register whatever mod says */
#define PORT (1 << 14)		/* at most four bytes, whatever REX says */

#define STORE(op) (KNOWN | MODRM | (op))
#define RMW(op) (KNOWN | MODRM | LOCK | (op))
#define ALU(at, op) [at] = RMW(op) | BYTE, [(at) + 1] = RMW(op)
#define PLAIN (KNOWN | INSN_PRIVILEGED)

static const u16 one_byte[256] = {
	ALU(0x00, INSN_ADD), ALU(0x08, INSN_OR), ALU(0x10, INSN_ADC), ALU(0x18, INSN_SBB),
	ALU(0x20, INSN_AND), ALU(0x28, INSN_SUB), ALU(0x30, INSN_XOR),
	[0x6c] = PLAIN | BYTE, [0x6d] = PLAIN | PORT, [0x6e] = PLAIN | BYTE, [0x6f] = PLAIN | PORT,	/* INS, OUTS */
	[0x80] = RMW(0) | GROUP | BYTE | IMM8, [0x81] = RMW(0) | GROUP | IMM, [0x83] = RMW(0) | GROUP | IMM8,
	[0x86] = RMW(INSN_XCHG) | BYTE, [0x87] = RMW(INSN_XCHG),
	[0x88] = STORE(INSN_MOV) | BYTE, [0x89] = STORE(INSN_MOV),
	[0xa2] = KNOWN | INSN_MOV | BYTE | OFFSET, [0xa3] = KNOWN | INSN_MOV | OFFSET,
	[0xaa] = KNOWN | INSN_STOS | BYTE, [0xab] = KNOWN | INSN_STOS,
	[0xc6] = STORE(0) | GROUP | BYTE | IMM8, [0xc7] = STORE(0) | GROUP | IMM,
	[0xcd] = PLAIN | IMM8,								/* INT n */
	[0xe4] = PLAIN | BYTE | IMM8, [0xe5] = PLAIN | IMM8 | PORT, [0xe6] = PLAIN | BYTE | IMM8, [0xe7] = PLAIN | IMM8 | PORT,
	[0xec] = PLAIN | BYTE, [0xed] = PLAIN | PORT, [0xee] = PLAIN | BYTE, [0xef] = PLAIN | PORT,	/* IN, OUT */
	[0xf4] = PLAIN,									/* HLT */
	[0xf6] = RMW(0) | GROUP | BYTE, [0xf7] = RMW(0) | GROUP,
	[0xfa] = PLAIN, [0xfb] = PLAIN,							/* CLI, STI */
	[0xfe] = RMW(0) | GROUP | BYTE, [0xff] = RMW(0) | GROUP,
};

static const u16 two_byte[256] = {
	[0x00] = PLAIN | MODRM, [0x01] = PLAIN | MODRM,		/* descriptor tables, SMSW, LMSW, INVLPG, XSETBV... */
	[0x06] = PLAIN, [0x08] = PLAIN, [0x09] = PLAIN,		/* CLTS, INVD, WBINVD */
	[0x20] = PLAIN | MODRM | REGISTER, [0x21] = PLAIN | MODRM | REGISTER,	/* MOV from CR, DR */
	[0x22] = PLAIN | MODRM | REGISTER, [0x23] = PLAIN | MODRM | REGISTER,	/* MOV to CR, DR */
	[0x30] = PLAIN, [0x31] = PLAIN, [0x32] = PLAIN, [0x33] = PLAIN,	/* WRMSR, RDTSC, RDMSR, RDPMC */
	[0xa2] = PLAIN,						/* CPUID */
	[0xab] = RMW(INSN_BTS), [0xb3] = RMW(INSN_BTR), [0xbb] = RMW(INSN_BTC), [0xba] = RMW(0) | GROUP | IMM8,
	[0xb0] = RMW(INSN_CMPXCHG) | BYTE, [0xb1] = RMW(INSN_CMPXCHG),
	[0xc0] = RMW(INSN_XADD) | BYTE, [0xc1] = RMW(INSN_XADD),
	[0xc3] = STORE(INSN_MOV),				/* MOVNTI */
};

struct cursor {
	const u8 *next, *end;
	int out;		/* the answer when the bytes run out */
};

/* The next `bytes` (1, 2, 4 or 8), sign-extended. */
static bool take(struct cursor *c, unsigned bytes, s64 *x)
{
	u64 value = 0;

	if ((unsigned)(c->end - c->next) < bytes)
		return false;
	for (unsigned n = 0; n < bytes; n++)
		value |= (u64)c->next[n] << 8 * n;
	c->next += bytes;
	*x = (s64)(value << (64 - 8 * bytes)) >> (64 - 8 * bytes);
	return true;
}

/* The operation that ModRM's reg field selects, or 0. */
static unsigned group_op(unsigned opcode, unsigned extension)
{
	switch (opcode) {
	case 0x80: case 0x81: case 0x83:
		return extension < 7 ? INSN_ADD + extension : 0;
	case 0xc6: case 0xc7:
		return extension == 0 ? INSN_MOV : 0;
	case 0xf6: case 0xf7:
		return extension == 2 ? INSN_NOT : extension == 3 ? INSN_NEG : 0;
	case 0xfe: case 0xff:
		return extension == 0 ? INSN_INC : extension == 1 ? INSN_DEC : 0;
	default:	/* 0x0fba */
		return extension >= 5 ? INSN_BTS + extension - 5 : 0;
	}
}

/* Legacy prefixes in any order, then REX, which counts only right before the opcode. */
static bool take_prefixes(struct cursor *c, bool code64, struct insn *i, bool *size16)
{
	for (; c->next < c->end; c->next++) {
		u8 byte = *c->next;

		if (code64 && (byte & 0xf0) == 0x40) {
			i->rex = byte;
			continue;
		}
		switch (byte) {
		case 0x66: *size16 = true; break;
		case 0x67: i->address_size = code64 ? 4 : 2; break;
		case 0xf0: i->lock = true; break;
		case 0xf2: case 0xf3: i->rep = byte; break;
		case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65: i->segment = byte; break;
		default: return true;
		}
		i->rex = 0;
	}
	return false;
}

static bool take_sib(struct cursor *c, struct insn *i, unsigned mod, unsigned *displacement)
{
	unsigned sib;

	if (c->next == c->end)
		return false;
	sib = *c->next++;
	i->scale = sib >> 6;
	i->index = (sib >> 3 & 7) | (i->rex & 2) << 2;
	if (i->index == 4)	/* rsp's number: no index; r12's is one */
		i->index = NO_REGISTER;
	i->base = (sib & 7) | (i->rex & 1) << 3;
	if (mod == 0 && (sib & 7) == 5) {
		i->base = NO_REGISTER;
		*displacement = 4;
	}
	return true;
}

static bool take_modrm(struct cursor *c, struct insn *i, bool code64, bool is_register)
{
	unsigned mod, displacement;

	if (c->next == c->end)
		return false;
	i->has_modrm = true;
	i->modrm = *c->next++;
	mod = i->modrm >> 6;
	i->reg = (i->modrm >> 3 & 7) | (i->rex & 4) << 1;
	i->rm = (i->modrm & 7) | (i->rex & 1) << 3;
	if (mod == 3 || is_register)
		return true;
	i->memory = true;
	displacement = mod == 1 ? 1 : mod == 2 ? 4 : 0;
	if ((i->modrm & 7) == 4) {
		if (!take_sib(c, i, mod, &displacement))
			return false;
	} else if (mod == 0 && (i->modrm & 7) == 5) {
		i->rip_relative = code64;
		displacement = 4;
	} else {
		i->base = i->rm;
	}
	return !displacement || take(c, displacement, &i->displacement);
}

/* Everything that follows the opcode. */
static int take_operands(struct cursor *c, struct insn *i, bool code64, unsigned form)
{
	s64 value;

	if (form & MODRM) {
		if (!take_modrm(c, i, code64, form & REGISTER))
			return c->out;
		if (i->memory && i->address_size == 2)
			return INSN_UNKNOWN;
	}
	if (form & GROUP) {
		i->op = group_op(i->opcode, i->modrm >> 3 & 7);
		if (i->op == INSN_PRIVILEGED)
			return INSN_UNKNOWN;
	}
	if (form & OFFSET) {
		if (!take(c, i->address_size, &i->displacement))
			return c->out;
		i->memory = true;
	}
	if (form & (IMM8 | IMM)) {
		if (!take(c, form & IMM8 ? 1 : min(i->size, 4), &value))
			return c->out;
		i->immediate = value;
		i->has_immediate = true;
	}
	return 1;
}

int insn_decode(const u8 *bytes, unsigned available, bool code64, struct insn *i)
{
	struct cursor c = {
		.next = bytes, .end = bytes + (available < INSN_MAX ? available : INSN_MAX),
		.out = available >= INSN_MAX ? INSN_UNKNOWN : INSN_SHORT,
	};
	bool size16 = false;
	unsigned form;
	int result;

	*i = (struct insn){ .address_size = code64 ? 8 : 4, .base = NO_REGISTER, .index = NO_REGISTER };
	if (!take_prefixes(&c, code64, i, &size16))
		return c.out;
	i->opcode = *c.next++;
	form = one_byte[i->opcode];
	if (i->opcode == 0x0f) {
		if (c.next == c.end)
			return c.out;
		form = two_byte[*c.next];
		i->opcode = 0x0f00 | *c.next++;
	}
	if (!form)
		return INSN_UNKNOWN;
	i->op = form & OP_MASK;
	i->size = form & BYTE ? 1 : i->rex & 8 ? 8 : size16 ? 2 : 4;
	if (i->size == 8 && form & PORT)
		i->size = 4;
	result = take_operands(&c, i, code64, form);
	if (result <= 0)
		return result;
	if ((i->opcode == 0xa2 || i->opcode == 0xa3) && i->address_size == 2)
		return INSN_UNKNOWN;
	if (i->lock && !((form & LOCK) && i->memory))
		return INSN_UNKNOWN;
	i->length = c.next - bytes;
	return i->length;
}

u64 insn_address(const struct insn *i, const struct cpu_user_regs *regs, u64 segment_base)
{
	u64 offset = i->displacement;

	if (i->op == INSN_STOS)
		offset = regs->rdi;
	if (i->rip_relative)
		offset += regs->rip + i->length;
	if (i->base != NO_REGISTER)
		offset += *insn_register((struct cpu_user_regs *)regs, i->base);
	if (i->index != NO_REGISTER)
		offset += *insn_register((struct cpu_user_regs *)regs, i->index) << i->scale;
	if (i->op >= INSN_BTS && i->op <= INSN_BTC && !i->has_immediate) {
		unsigned spare = 64 - 8 * i->size;
		s64 bit = (s64)(*insn_register((struct cpu_user_regs *)regs, i->reg) << spare) >> spare;

		offset += (bit >> __builtin_ctz(8 * i->size)) * i->size;
	}
	if (i->address_size != 8)
		offset &= (1ull << 8 * i->address_size) - 1;
	return segment_base + offset;
}

static u64 size_mask(unsigned size)
{
	return ~0ull >> (64 - 8 * size);
}

static bool is_high_byte(const struct insn *i, unsigned number)
{
	return i->size == 1 && !i->rex && number >= 4 && number < 8;
}

u64 insn_read_register(const struct insn *i, const struct cpu_user_regs *regs, unsigned number)
{
	if (is_high_byte(i, number))
		return *insn_register((struct cpu_user_regs *)regs, number - 4) >> 8 & 0xff;
	return *insn_register((struct cpu_user_regs *)regs, number) & size_mask(i->size);
}

void insn_write_register(const struct insn *i, struct cpu_user_regs *regs, unsigned number, u64 value)
{
	bool high = is_high_byte(i, number);
	u64 *r = insn_register(regs, high ? number - 4 : number);

	if (high)
		*r = (*r & ~0xff00ull) | (value & 0xff) << 8;
	else if (i->size >= 4)
		*r = value & size_mask(i->size);
	else
		*r = (*r & ~size_mask(i->size)) | (value & size_mask(i->size));
}
