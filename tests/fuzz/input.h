/* SPDX-License-Identifier: MIT */
/* An input, taken byte by byte; behind its end there are zeros. CHECK() holds or the fuzzer has found something. */
#include <stddef.h>

#define CHECK(c) do { if (!(c)) __builtin_trap(); } while (0)

struct input {
	const u8 *at;
	size_t left;
};

static u8 byte(struct input *in)
{
	return in->left ? in->left--, *in->at++ : 0;
}
