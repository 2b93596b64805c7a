/* SPDX-License-Identifier: MIT */
/*
 * Native clocks: the TSC, measured against the PIT's second channel, says what time it is; the PIT's
 * first channel in one-shot mode interrupts. It counts 16 bits at 1193182 Hz, so a deadline further
 * away than 54 ms takes several interrupts; timer_interrupt() then finds nothing due and sets it again.
 */
#include "insn.h"
#include "lib.h"
#include "native.h"
#include "time.h"

#define PIT_HZ 1193182ul
#define PIT_CH0 0x40
#define PIT_CH2 0x42
#define PIT_COMMAND 0x43
#define PORT_B 0x61
#define CALIBRATION_TICKS 11932ul	/* 10 ms */

#define RTC_INDEX 0x70
#define RTC_DATA 0x71

static u64 tsc_start;
static u64 ns_per_tick;			/* times 2^32 */

/* Channel 2's gate is started by us and its output is read back, so no interrupt is needed. */
static u64 measure_tsc(void)
{
	u64 start;

	outb(PORT_B, (inb(PORT_B) & ~3) | 1);
	outb(PIT_COMMAND, 0xb0);
	outb(PIT_CH2, CALIBRATION_TICKS & 0xff);
	outb(PIT_CH2, CALIBRATION_TICKS >> 8);
	start = rdtsc();
	while (!(inb(PORT_B) & 0x20))
		;
	return (rdtsc() - start) * PIT_HZ / CALIBRATION_TICKS;
}

void native_time_init(void)
{
	u64 tsc_hz = measure_tsc();

	ns_per_tick = (NSEC_PER_SEC << 32) / tsc_hz;
	tsc_start = rdtsc();
	outb(PIT_COMMAND, 0x30);
	printf("TSC %lu.%03lu MHz by the PIT\n", tsc_hz / 1000000, tsc_hz / 1000 % 1000);
}

u64 native_now(void)
{
	return (unsigned __int128)(rdtsc() - tsc_start) * ns_per_tick >> 32;
}

void native_set_timer(u64 deadline)
{
	u64 t = native_now(), ticks;

	if (!deadline) {
		outb(PIT_COMMAND, 0x30);	/* no count follows: the channel waits */
		return;
	}
	ticks = deadline > t ? (MIN(deadline - t, NSEC_PER_SEC) * PIT_HZ) / NSEC_PER_SEC + 1 : 1;
	ticks = MIN(ticks, 0xffff);
	outb(PIT_COMMAND, 0x30);
	outb(PIT_CH0, ticks & 0xff);
	outb(PIT_CH0, ticks >> 8);
}

static unsigned int rtc_read(unsigned int reg)
{
	outb(RTC_INDEX, reg);
	return inb(RTC_DATA);
}

static unsigned int from_bcd(unsigned int v)
{
	return (v >> 4) * 10 + (v & 15);
}

static u64 days_before(unsigned int year, unsigned int month)
{
	static const u16 days[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
	u64 y = year - 1;
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return 365 * y + y / 4 - y / 100 + y / 400 - 719162 + days[month - 1] + (leap && month > 2);
}

/* Binary or BCD, 24 hours as QEMU and PCs since the AT keep it; the century is this one. */
u64 rtc_seconds(void)
{
	unsigned int reg[6], binary;
	static const u8 regs[] = { 0, 2, 4, 7, 8, 9 };

	while (rtc_read(10) & 0x80)
		;
	binary = rtc_read(11) & 4;
	for (int i = 0; i < 6; i++)
		reg[i] = binary ? rtc_read(regs[i]) : from_bcd(rtc_read(regs[i]));
	if (reg[4] < 1 || reg[4] > 12)
		return 0;
	return (days_before(2000 + reg[5], reg[4]) + reg[3] - 1) * 86400 + reg[2] * 3600 + reg[1] * 60 + reg[0];
}
