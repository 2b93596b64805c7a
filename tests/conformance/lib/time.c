/* SPDX-License-Identifier: MIT */
/* System time by the pvclock: (tsc - tsc_timestamp) scaled, while version stays even and the same. */
#include "guest.h"

static uint64_t read_tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

uint64_t system_time(void)
{
	volatile struct vcpu_time_info *t = &vcpu_info->time;
	uint64_t delta, base;
	uint32_t version, mul;
	int8_t shift;

	do {
		version = t->version;
		barrier();
		delta = read_tsc() - t->tsc_timestamp;
		base = t->system_time;
		mul = t->tsc_to_system_mul;
		shift = t->tsc_shift;
		barrier();
	} while ((version & 1) || version != t->version);
	delta = shift >= 0 ? delta << shift : delta >> -shift;
	return base + (uint64_t)(((unsigned __int128)delta * mul) >> 32);
}

bool in_some_try(bool (*try)(void))
{
	for (int i = 0; i < 5; i++)
		if (try())
			return true;
	return false;
}
