/* SPDX-License-Identifier: MIT */
/* System time and wall clock, as the shared structures give them. */
#include "guest.h"

#define MS 1000000UL

static uint64_t tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

/* The processor's frequency in kHz by the hypervisor's CPUID leaf. */
static uint64_t leaf_khz(void)
{
	uint32_t eax = 0x40000003, ebx, ecx = 2, edx;

	__asm__ volatile(".byte 0x0f, 0x0b, 0x78, 0x65, 0x6e; cpuid"
			 : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	return eax;
}

/* And the one that mul and shift imply. */
static uint64_t implied_khz(const struct vcpu_time_info *t)
{
	uint64_t khz = (1000000UL << 32) / t->tsc_to_system_mul;

	return t->tsc_shift >= 0 ? khz >> t->tsc_shift : khz << -t->tsc_shift;
}

static bool never_goes_back(void)
{
	uint64_t last = 0, now;

	for (int i = 0; i < 20000; i++) {
		if (i % 64 == 0)
			hypercall(sched_op, SCHEDOP_yield, 0);
		now = system_time();
		if (now < last)
			return false;
		last = now;
	}
	return true;
}

void test_main(void)
{
	struct vcpu_time_info *t = &vcpu_info->time;
	struct sched_poll sleep = { 0 };
	uint64_t a = leaf_khz(), b = implied_khz(t), difference = a > b ? a - b : b - a, stamp;

	check("TIME-1", !(t->version & 1), "version is even");
	check("TIME-2", t->tsc_to_system_mul && t->tsc_shift >= -31 && t->tsc_shift <= 31,
	      "mul and shift are sane");
	check("TIME-8", t->tsc_to_system_mul >> 31, "mul has its top bit set");
	check("TIME-9", a && difference <= a / 1000,
	      "the frequency is that of leaf 0x40000003.2 (%lu, %lu kHz)", a, b);
	stamp = t->tsc_timestamp;
	check("TIME-7", stamp <= tsc(), "tsc_timestamp is in the past");
	check("TIME-3", never_goes_back(), "system time never goes back");
	sleep.timeout = system_time() + 3 * MS;
	hypercall(sched_op, SCHEDOP_poll, &sleep);
	check("TIME-4", system_time() >= sleep.timeout, "a sleep ends not before its deadline");
	check("TIME-5", !(shared_info->wc_version & 1) && shared_info->wc_nsec < 1000000000,
	      "the wall clock is well-formed");
	check("TIME-6", shared_info->wc_sec > 1577836800 || shared_info->wc_sec_hi, "and after 2020");
}
