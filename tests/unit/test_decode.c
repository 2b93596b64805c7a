/* SPDX-License-Identifier: MIT */
/*
 * The decoder, judged by the assembler and by the processor: every encoding is made by the
 * assembler; every store and every address is also computed by the CPU that runs this test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../hypervisor/emulate/decode.c"
#include "../../hypervisor/emulate/store.c"

#define BYTES(prefix, name, text) \
	__asm__(".pushsection .text\n" #prefix #name ":\n" text "\n" #prefix #name "_end:\n.popsection"); \
	extern const u8 prefix##name[], prefix##name##_end[];

/* --- opcodes and lengths ------------------------------------------------------------------------ */

#define PRIVILEGED(X) \
	X(cli, "cli", 0xfa, 0) X(sti, "sti", 0xfb, 0) X(hlt, "hlt", 0xf4, 0) X(clts, "clts", 0x0f06, 0) \
	X(invd, "invd", 0x0f08, 0) X(wbinvd, "wbinvd", 0x0f09, 0) X(rdmsr, "rdmsr", 0x0f32, 0) \
	X(wrmsr, "wrmsr", 0x0f30, 0) X(rdtsc, "rdtsc", 0x0f31, 0) X(rdpmc, "rdpmc", 0x0f33, 0) \
	X(cpuid, "cpuid", 0x0fa2, 0) X(int21, "int $0x21", 0xcd, 0) X(int80, "int $0x80", 0xcd, 0) \
	X(inb, "inb %dx, %al", 0xec, 1) X(inw, "inw %dx, %ax", 0xed, 2) X(inl, "inl %dx, %eax", 0xed, 4) X(inlw, ".byte 0x48; inl %dx, %eax", 0xed, 4) \
	X(outb, "outb %al, %dx", 0xee, 1) X(outl, "outl %eax, %dx", 0xef, 4) \
	X(inbi, "inb $0x61, %al", 0xe4, 1) X(outwi, "outw %ax, $0x80", 0xe7, 2) \
	X(insb, "rep insb", 0x6c, 1) X(insl, "insl", 0x6d, 4) X(outsw, "rep outsw", 0x6f, 2) X(outsb, "outsb", 0x6e, 1) \
	X(rcr0, "mov %cr0, %rax", 0x0f20, 0) X(rcr8, "mov %cr8, %r9", 0x0f20, 0) X(wcr3, "mov %r12, %cr3", 0x0f22, 0) \
	X(rdr7, "mov %db7, %rbx", 0x0f21, 0) X(wdr0, "mov %rcx, %db0", 0x0f23, 0) \
	X(lgdt, "lgdt 8(%rax)", 0x0f01, 0) X(lidt, "lidt (%rsp)", 0x0f01, 0) X(invlpg, "invlpg 0x1000(%r13)", 0x0f01, 0) \
	X(lmsw, "lmsw %ax", 0x0f01, 0) X(swapgs, "swapgs", 0x0f01, 0) X(xsetbv, "xsetbv", 0x0f01, 0) \
	X(lldt, "lldt %ax", 0x0f00, 0) X(ltr, "ltr 4(%rbp)", 0x0f00, 0)

#define EMIT(name, text, opcode, size) BYTES(p_, name, text)
PRIVILEGED(EMIT)
#undef EMIT

struct expected {
	const u8 *bytes, *end;
	unsigned opcode, size;
};

/* In a buffer of exactly `length` bytes, so that the sanitizer sees a read too far. */
static int decode_exactly(const u8 *bytes, unsigned length, bool code64, struct insn *i)
{
	u8 *copy = malloc(length ? length : 1);
	int result;

	memcpy(copy, bytes, length);
	result = insn_decode(copy, length, code64, i);
	free(copy);
	return result;
}

static void check_length(const u8 *bytes, const u8 *end, struct insn *i)
{
	int length = end - bytes;

	for (int n = 0; n < length; n++)
		assert_int_equal(decode_exactly(bytes, n, true, i), INSN_SHORT);
	assert_int_equal(decode_exactly(bytes, length, true, i), length);
	assert_int_equal(i->length, length);
}

static void privileged_instructions(void **state)
{
#define ROW(name, text, opcode, size) { p_##name, p_##name##_end, opcode, size },
	static const struct expected table[] = { PRIVILEGED(ROW) };
#undef ROW

	for (unsigned n = 0; n < ARRAY_SIZE(table); n++) {
		struct insn i;

		check_length(table[n].bytes, table[n].end, &i);
		assert_int_equal(i.op, INSN_PRIVILEGED);
		assert_int_equal(i.opcode, table[n].opcode);
		if (table[n].size)
			assert_int_equal(i.size, table[n].size);
	}
}

static void operands_of_privileged_instructions(void **state)
{
	struct insn i;

	check_length(p_wcr3, p_wcr3_end, &i);
	assert_int_equal(i.reg, 3);
	assert_int_equal(i.rm, 12);
	check_length(p_rcr8, p_rcr8_end, &i);
	assert_int_equal(i.reg, 8);
	assert_int_equal(i.rm, 9);
	check_length(p_int21, p_int21_end, &i);
	assert_int_equal(i.immediate, 0x21);
	check_length(p_insb, p_insb_end, &i);
	assert_int_equal(i.rep, 0xf3);
	check_length(p_invlpg, p_invlpg_end, &i);
	assert_true(i.memory);
	assert_int_equal(i.base, 13);
	assert_int_equal(i.displacement, 0x1000);
}

/* --- addresses, against LEA ------------------------------------------------------------------------ */

#define ADDRESSES(X) \
	X(a0, "(%rbx)") X(a1, "8(%rbp)") X(a2, "-8(%rsi)") X(a3, "0x12345678(%rdi)") X(a4, "(%r8)") X(a5, "(%r12)") \
	X(a6, "(%r13)") X(a7, "0x10(%r12,%r13,8)") X(a8, "(%rbx,%rcx)") X(a9, "-1(%rbx,%r12,2)") X(a10, "0x1000(,%r9,4)") \
	X(a11, "0xfffffffff0000000") X(a12, "(%rbp,%rbp)") X(a13, "(%r13,%rdx,4)") X(a14, "-0x80000000(%r15,%r14,8)") \
	X(a15, "(%ebx)") X(a16, "-4(%r10d,%r11d,2)") X(a17, "0x20(%eax)") X(a18, "p_cli(%rip)")

/* rdi: the eight words of a state: rax, rbx, rcx, rdx, rsi, rbp, r8 ... r15 in order. */
#define EMIT(name, address) \
	BYTES(m_, name, "movq %rdx, " address) \
	__asm__(".pushsection .text\n l_" #name ":\n" \
		"push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; mov %rdi, %rax\n" \
		"mov 8(%rax), %rbx; mov 16(%rax), %rcx; mov 24(%rax), %rdx; mov 32(%rax), %rsi; mov 40(%rax), %rbp\n" \
		"mov 48(%rax), %r8; mov 56(%rax), %r9; mov 64(%rax), %r10; mov 72(%rax), %r11; mov 80(%rax), %r12\n" \
		"mov 88(%rax), %r13; mov 96(%rax), %r14; mov 104(%rax), %r15; mov 112(%rax), %rdi; mov (%rax), %rax\n" \
		"lea " address ", %rax\n" \
		"pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n .popsection"); \
	extern u64 l_##name(const u64 *state);
ADDRESSES(EMIT)
#undef EMIT

static u64 random64(void)
{
	static u64 x = 0x9e3779b97f4a7c15;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static void addresses(void **unused)
{
#define ROW(name, address) { m_##name, m_##name##_end, l_##name },
	static const struct {
		const u8 *bytes, *end;
		u64 (*lea)(const u64 *state);
	} table[] = { ADDRESSES(ROW) };
#undef ROW

	for (unsigned n = 0; n < ARRAY_SIZE(table); n++) {
		u64 s[15];
		struct cpu_user_regs regs;
		struct insn i;

		for (unsigned r = 0; r < ARRAY_SIZE(s); r++)
			s[r] = random64();
		regs = (struct cpu_user_regs){
			.rax = s[0], .rbx = s[1], .rcx = s[2], .rdx = s[3], .rsi = s[4], .rbp = s[5], .r8 = s[6], .r9 = s[7],
			.r10 = s[8], .r11 = s[9], .r12 = s[10], .r13 = s[11], .r14 = s[12], .r15 = s[13], .rdi = s[14],
			.rip = (u64)table[n].bytes,
		};
		check_length(table[n].bytes, table[n].end, &i);
		assert_true(i.memory);
		assert_int_equal(i.op, INSN_MOV);
		assert_int_equal(insn_address(&i, &regs, 0), table[n].lea(s));
		assert_int_equal(insn_address(&i, &regs, 0x1000), table[n].lea(s) + 0x1000);
	}
}

/* --- stores, against the processor -------------------------------------------------------------------- */

#define F_ALL 0x8d5
#define F_NO_AF 0x8c5	/* logic leaves AF undefined */
#define F_CF 0x001	/* bit operations define CF only */

#define SIZES(X, name, op, flags) \
	X(name##b, op "b %cl, (%rdi)", flags) X(name##w, op "w %cx, (%rdi)", flags) \
	X(name##l, op "l %ecx, (%rdi)", flags) X(name##q, op "q %rcx, (%rdi)", flags)
#define IMMEDIATES(X, name, op, flags) \
	X(name##bi, op "b $0x81, (%rdi)", flags) X(name##wi, op "w $0x8123, (%rdi)", flags) \
	X(name##li, op "l $0x81234567, (%rdi)", flags) X(name##qi, op "q $-0x7edcba98, (%rdi)", flags) \
	X(name##w8, op "w $-3, (%rdi)", flags) X(name##q8, op "q $-3, (%rdi)", flags)
#define UNARY(X, name, op, flags) \
	X(name##b, op "b (%rdi)", flags) X(name##w, op "w (%rdi)", flags) X(name##l, op "l (%rdi)", flags) X(name##q, op "q (%rdi)", flags)
#define BITS(X, name, op) \
	X(name##w, op "w %cx, (%rdi)", F_CF) X(name##l, op "l %ecx, (%rdi)", F_CF) X(name##q, op "q %rcx, (%rdi)", F_CF) \
	X(name##wi, op "w $13, (%rdi)", F_CF) X(name##li, op "l $40, (%rdi)", F_CF) X(name##qi, op "q $63, (%rdi)", F_CF)

#define STORES(X) \
	SIZES(X, mov, "mov", F_ALL) IMMEDIATES(X, mov, "mov", F_ALL) X(movah, "movb %ah, (%rdi)", F_ALL) \
	X(movsil, "movb %sil, (%rdi)", F_ALL) X(movntil, "movntil %ecx, (%rdi)", F_ALL) X(movntiq, "movntiq %rcx, (%rdi)", F_ALL) \
	SIZES(X, add, "add", F_ALL) IMMEDIATES(X, add, "lock add", F_ALL) SIZES(X, or, "or", F_NO_AF) IMMEDIATES(X, or, "or", F_NO_AF) \
	SIZES(X, adc, "adc", F_ALL) IMMEDIATES(X, adc, "adc", F_ALL) SIZES(X, sbb, "lock sbb", F_ALL) IMMEDIATES(X, sbb, "sbb", F_ALL) \
	SIZES(X, and, "lock and", F_NO_AF) IMMEDIATES(X, and, "lock and", F_NO_AF) SIZES(X, sub, "sub", F_ALL) IMMEDIATES(X, sub, "sub", F_ALL) \
	SIZES(X, xor, "xor", F_NO_AF) IMMEDIATES(X, xor, "lock xor", F_NO_AF) \
	SIZES(X, xchg, "xchg", F_ALL) SIZES(X, cmpxchg, "lock cmpxchg", F_ALL) SIZES(X, xadd, "lock xadd", F_ALL) \
	BITS(X, bts, "lock bts") BITS(X, btr, "btr") BITS(X, btc, "lock btc") \
	UNARY(X, inc, "lock inc", F_ALL) UNARY(X, dec, "dec", F_ALL) UNARY(X, not, "lock not", F_ALL) UNARY(X, neg, "neg", F_ALL) \
	X(stosb, "stosb", F_ALL) X(stosw, "stosw", F_ALL) X(stosl, "stosl", F_ALL) X(stosq, "stosq", F_ALL)

struct machine {
	u64 rax, rcx, rsi, rflags;
	u64 memory[16];		/* rdi points to its middle */
};

/* r8 keeps the machine; the instruction under test uses rax, rcx, rsi, rdi and flags only. */
#define EMIT(name, text, flags) \
	__asm__(".pushsection .text\n x_" #name ":\n" \
		"mov %rdi, %r8; mov (%r8), %rax; mov 8(%r8), %rcx; mov 16(%r8), %rsi; lea 96(%r8), %rdi; push 24(%r8); popf\n" \
		"s_" #name ":\n" text "\n s_" #name "_end:\n" \
		"pushf; pop 24(%r8); mov %rax, (%r8); mov %rcx, 8(%r8); mov %rsi, 16(%r8); cld; ret\n .popsection"); \
	extern const u8 s_##name[], s_##name##_end[]; \
	extern void x_##name(struct machine *m);
STORES(EMIT)
#undef EMIT

static void emulate_store(const u8 *bytes, const u8 *end, struct machine *m)
{
	struct cpu_user_regs regs = {
		.rax = m->rax, .rcx = m->rcx, .rsi = m->rsi, .rdi = (u64)&m->memory[8], .rflags = m->rflags, .rip = (u64)bytes,
	};
	struct insn i;
	u64 old = 0, new, at;

	check_length(bytes, end, &i);
	at = insn_address(&i, &regs, 0);
	assert_in_range(at, (u64)m->memory, (u64)m->memory + sizeof(m->memory) - i.size);
	memcpy(&old, (void *)at, i.size);
	assert_true(insn_store(&i, &regs, old, &new));
	assert_true(i.size == 8 || new >> 8 * i.size == 0);
	memcpy((void *)at, &new, i.size);
	m->rax = regs.rax;
	m->rcx = regs.rcx;
	m->rsi = regs.rsi;
	m->rflags = regs.rflags;
}

static void randomize(struct machine *m)
{
	static const u64 edges[] = { 0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0x7fffffff, 0x80000000, ~0ull, 1ull << 63, ~0ull >> 1 };

	m->rax = random64();
	m->rcx = random64();
	m->rsi = random64();
	for (unsigned n = 0; n < ARRAY_SIZE(m->memory); n++)
		m->memory[n] = random64();
	if (random64() & 1)
		m->memory[8] = edges[random64() % ARRAY_SIZE(edges)];
	if (random64() & 1)
		m->rcx = edges[random64() % ARRAY_SIZE(edges)];
	if (random64() & 1)
		m->rax = m->memory[8];
	m->rflags = 0x202 | (random64() & F_ALL);
}

static void stores(void **unused)
{
#define ROW(name, text, flags) { text, s_##name, s_##name##_end, x_##name, flags },
	static const struct {
		const char *text;
		const u8 *bytes, *end;
		void (*execute)(struct machine *m);
		u64 flags;
	} table[] = { STORES(ROW) };
#undef ROW

	for (unsigned n = 0; n < ARRAY_SIZE(table); n++) {
		for (int round = 0; round < 200; round++) {
			struct machine m, real;

			randomize(&m);
			if (table[n].flags == F_CF)	/* a register bit offset stays within the memory */
				m.rcx = random64() % 960 - 480;
			real = m;
			table[n].execute(&real);
			emulate_store(table[n].bytes, table[n].end, &m);
			m.rflags = (m.rflags & table[n].flags) | (real.rflags & ~table[n].flags);
			if (memcmp(&m, &real, sizeof(m)))
				fail_msg("%s: differs from the processor", table[n].text);
		}
	}
}

/* --- what must be refused ------------------------------------------------------------------------------- */

static void refused(void **unused)
{
	static const struct {
		u8 bytes[16];
		unsigned length;
	} table[] = {
		{ { 0x90 }, 1 },			/* nop */
		{ { 0x8b, 0x03 }, 2 },			/* a load */
		{ { 0x39, 0x03 }, 2 },			/* cmp */
		{ { 0x80, 0x3b, 0x01 }, 3 },		/* cmp immediate */
		{ { 0xf0, 0x89, 0x03 }, 3 },		/* lock mov */
		{ { 0xf0, 0x01, 0xc3 }, 3 },		/* lock add to a register */
		{ { 0xf0, 0xfa }, 2 },			/* lock cli */
		{ { 0xc6 }, 0 },			/* nothing at all is short, not unknown */
		{ { 0xc7, 0x4b, 0x00, 0x00 }, 4 },	/* c7 /1 */
		{ { 0xf7, 0x03 }, 2 },			/* test */
		{ { 0x0f, 0xba, 0x23, 0x01 }, 4 },	/* bt */
		{ { 0x0f, 0xc7, 0x0b }, 3 },		/* cmpxchg8b */
		{ { 0x0f, 0x11, 0x03 }, 3 },		/* movups */
		{ { 0x0f, 0x05 }, 2 },			/* syscall */
	};
	struct insn i;

	for (unsigned n = 0; n < ARRAY_SIZE(table); n++)
		assert_int_equal(decode_exactly(table[n].bytes, table[n].length, true, &i),
				 table[n].length ? INSN_UNKNOWN : INSN_SHORT);
}

static void no_instruction_is_longer_than_fifteen_bytes(void **unused)
{
	u8 bytes[32];
	struct insn i;

	memset(bytes, 0x66, sizeof(bytes));
	assert_int_equal(insn_decode(bytes, 14, true, &i), INSN_SHORT);
	assert_int_equal(insn_decode(bytes, 15, true, &i), INSN_UNKNOWN);
	assert_int_equal(insn_decode(bytes, 32, true, &i), INSN_UNKNOWN);
	bytes[14] = 0xfa;
	assert_int_equal(insn_decode(bytes, 32, true, &i), 15);
	bytes[14] = 0x66;
	bytes[15] = 0xfa;
	assert_int_equal(insn_decode(bytes, 32, true, &i), INSN_UNKNOWN);
}

static void rex_counts_only_right_before_the_opcode(void **unused)
{
	static const u8 spoiled[] = { 0x48, 0x66, 0x89, 0x03 }, good[] = { 0x66, 0x48, 0x89, 0x03 }, code32[] = { 0x66, 0x89, 0x03 };
	struct insn i;

	assert_int_equal(insn_decode(spoiled, 4, true, &i), 4);
	assert_int_equal(i.size, 2);
	assert_int_equal(insn_decode(good, 4, true, &i), 4);
	assert_int_equal(i.size, 8);
	assert_int_equal(insn_decode(good, 4, false, &i), INSN_UNKNOWN);	/* dec %eax */
	assert_int_equal(insn_decode(code32, 3, false, &i), 3);
	assert_int_equal(i.size, 2);
	assert_int_equal(i.address_size, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(privileged_instructions),
		cmocka_unit_test(operands_of_privileged_instructions),
		cmocka_unit_test(addresses),
		cmocka_unit_test(stores),
		cmocka_unit_test(refused),
		cmocka_unit_test(no_instruction_is_longer_than_fifteen_bytes),
		cmocka_unit_test(rex_counts_only_right_before_the_opcode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
