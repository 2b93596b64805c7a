/* SPDX-License-Identifier: MIT */
/*
 * A pool of 256 bits, SHA-256 of all that was ever added. Each number is a hash of the pool and how many there were, after the times of
 * the latest events were added, and the pool is another one afterwards: so a number tells nothing of those before and after it.
 *
 * Guarded by disabled interrupts.
 */
#include "insn.h"
#include "lib.h"
#include "ops.h"
#include "random.h"
#include "sha256.h"
#include "time.h"

#define CPUID_1_ECX_RDRAND (1u << 30)
#define CPUID_7_EBX_RDSEED (1u << 18)
#define TRIES 32

enum { POOL, NUMBER };		/* what a hash is for */

static u8 pool[32];
static u64 given, events;
static bool begun;

static void hash(u8 out[32], u64 what, const void *bytes, size_t size)
{
	struct sha256 s;

	sha256_init(&s);
	sha256_update(&s, &what, sizeof(what));
	sha256_update(&s, pool, sizeof(pool));
	sha256_update(&s, bytes, size);
	sha256_finish(&s, out);
}

static bool rdseed(u64 *value)
{
	bool ok;

	__asm__ volatile("rdseed %0" : "=r"(*value), "=@ccc"(ok));
	return ok;
}

static bool rdrand(u64 *value)
{
	bool ok;

	__asm__ volatile("rdrand %0" : "=r"(*value), "=@ccc"(ok));
	return ok;
}

static void add_from_processor(bool (*get)(u64 *value))
{
	u64 words[4] = { 0 };

	for (u32 i = 0; i < ARRAY_SIZE(words); i++) {
		for (u32 tries = 0; tries < TRIES && !get(&words[i]); tries++)
			;
	}
	hash(pool, POOL, words, sizeof(words));
}

static void begin(void)
{
	u64 times[2] = { wall_clock_ns(), rdtsc() };
	u32 most[4], leaf[4];

	begun = true;
	hash(pool, POOL, times, sizeof(times));
	cpu->cpuid(0, 0, most);
	cpu->cpuid(1, 0, leaf);
	if (leaf[2] & CPUID_1_ECX_RDRAND)
		add_from_processor(rdrand);
	if (most[0] < 7)
		return;
	cpu->cpuid(7, 0, leaf);
	if (leaf[1] & CPUID_7_EBX_RDSEED)
		add_from_processor(rdseed);
}

void random_add(const void *bytes, size_t size)
{
	bool irq = irq_save();

	if (!begun)
		begin();
	hash(pool, POOL, bytes, size);
	irq_restore(irq);
}

/* When it came, to the tick, is what nobody else knows. */
void random_event(void)
{
	events = (events << 7 | events >> 57) ^ rdtsc();
}

void random_secret(u8 secret[32])
{
	u64 more[3] = { events, rdtsc(), given++ };
	bool irq = irq_save();

	if (!begun)
		begin();
	hash(secret, NUMBER, more, sizeof(more));
	hash(pool, POOL, more, sizeof(more));
	irq_restore(irq);
}

u64 random_number(void)
{
	u8 secret[32];
	u64 number;

	random_secret(secret);
	memcpy(&number, secret, sizeof(number));
	return number;
}
