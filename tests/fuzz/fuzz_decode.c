/* SPDX-License-Identifier: MIT */
/*
 * Any bytes into the decoder. The first input byte selects the code size, the rest is the
 * instruction and, from its end backwards, the registers. What must hold: no byte past the end is
 * read (the sanitizer sees to it), the answer depends on nothing but the instruction's own bytes,
 * and every proper prefix of an instruction is INSN_SHORT.
 */
#include <stdlib.h>
#include <string.h>

#include "../../hypervisor/emulate/decode.c"
#include "../../hypervisor/emulate/store.c"

#define CHECK(c) do { if (!(c)) __builtin_trap(); } while (0)

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static int decode_exactly(const u8 *bytes, unsigned length, bool code64, struct insn *i)
{
	u8 *copy = malloc(length ? length : 1);
	int result;

	memcpy(copy, bytes, length);
	result = insn_decode(copy, length, code64, i);
	free(copy);
	return result;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct cpu_user_regs regs = { 0 };
	struct insn i, again;
	bool code64;
	u64 new;
	int length;

	if (size < 1)
		return 0;
	code64 = data[0] & 1;
	length = decode_exactly(data + 1, size - 1 < 32 ? size - 1 : 32, code64, &i);
	if (length <= 0)
		return 0;
	CHECK(length <= INSN_MAX && (size_t)length <= size - 1 && i.length == length);
	CHECK(decode_exactly(data + 1, length, code64, &again) == length && !memcmp(&i, &again, sizeof(i)));
	for (int n = 0; n < length; n++)
		CHECK(decode_exactly(data + 1, n, code64, &again) == INSN_SHORT);
	memcpy(&regs, data + 1, size - 1 < sizeof(regs) ? size - 1 : sizeof(regs));
	insn_address(&i, &regs, data[0]);
	CHECK(insn_store(&i, &regs, regs.rax ^ regs.rdx, &new) == (i.op != INSN_PRIVILEGED));
	CHECK(i.op == INSN_PRIVILEGED || i.size == 8 || new >> 8 * i.size == 0);
	return 0;
}
