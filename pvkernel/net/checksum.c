/* SPDX-License-Identifier: MIT */
/*
 * The Internet checksum (RFC 1071): the one's complement sum of 16-bit words. It may be taken 64 bits at a time, for carries out of
 * the top come in again at the bottom, and in the processor's byte order, for then the result has it, too. An odd number of bytes in
 * front of a piece exchanges the two halves of its words: the sum is rotated by 8 bits.
 */
#include "lib.h"
#include "net.h"

/* 64 bytes in eleven instructions; the carry stays where it is from one block to the next, for neither lea nor dec touches it. */
static u64 add_blocks(u64 sum, const void *data, size_t blocks)
{
	__asm__("clc\n"
		"1:\tadcq (%1), %0\n\t"
		"adcq 8(%1), %0\n\t"
		"adcq 16(%1), %0\n\t"
		"adcq 24(%1), %0\n\t"
		"adcq 32(%1), %0\n\t"
		"adcq 40(%1), %0\n\t"
		"adcq 48(%1), %0\n\t"
		"adcq 56(%1), %0\n\t"
		"leaq 64(%1), %1\n\t"
		"decq %2\n\t"
		"jnz 1b\n\t"
		"adcq $0, %0\n\t"
		"adcq $0, %0" : "+&r"(sum), "+&r"(data), "+&r"(blocks) :: "cc", "memory");
	return sum;
}

static u64 add_word(u64 sum, u64 word)
{
	sum += word;
	return sum + (sum < word);
}

/* Fewer than 8, in the word's lower end. */
static u64 last_bytes(const u8 *p, size_t length)
{
	u64 word = 0;
	u32 low;

	if (length >= 4) {
		__builtin_memcpy(&low, p, 4);
		for (size_t i = 4; i < length; i++)
			word |= (u64)p[i] << 8 * i;
		return word | low;
	}
	for (size_t i = 0; i < length; i++)
		word |= (u64)p[i] << 8 * i;
	return word;
}

static inline __attribute__((always_inline)) u64 add_bytes(u64 sum, const void *data, size_t length)
{
	const u8 *p = data;
	u64 word;

	if (length >= 64) {
		sum = add_blocks(sum, p, length / 64);
		p += length / 64 * 64;
		length %= 64;
	}
	for (; length >= 8; length -= 8, p += 8) {
		__builtin_memcpy(&word, p, 8);
		sum = add_word(sum, word);
	}
	return add_word(sum, last_bytes(p, length));
}

u64 checksum_add(u64 sum, const void *data, size_t length)
{
	return add_bytes(sum, data, length);
}

/* Both halves exchanged and added: the upper one is then the sum of both and of the carry out of it. */
u16 checksum_fold(u64 sum)
{
	u32 half = (sum + (sum << 32 | sum >> 32)) >> 32;

	return (half + (half << 16 | half >> 16)) >> 16;
}

u16 checksum_of(const void *data, size_t length)
{
	return checksum_fold(add_bytes(0, data, length));
}

static u64 rotate8(u64 sum)
{
	return sum << 8 | sum >> 56;
}

u64 packet_sum(const struct packet *p, u32 offset, u32 length)
{
	u64 sum = 0;
	bool odd = false;

	ASSERT(length <= p->length && offset <= p->length - length);
	for (const struct packet_piece *piece = p->pieces; length; piece++) {
		u32 n = offset < piece->length ? MIN(length, piece->length - offset) : 0;
		u64 part = checksum_add(0, piece->data + offset, n);

		sum = add_word(sum, odd ? rotate8(part) : part);
		odd ^= n & 1;
		offset -= MIN(offset, piece->length);
		length -= n;
	}
	return sum;
}
