/* SPDX-License-Identifier: MIT */
/*
 * Time. System time is the TSC's count since boot, scaled as the ABI's clock does it:
 *
 *     ns = ((tsc - tsc_base) << tsc_shift) * tsc_mul >> 32
 *
 * so guests that use the same three numbers agree with us to the nanosecond. The TSC and the local APIC's timer are measured
 * together, once, against the ACPI PM timer, or the PIT where there is none.
 */
#include <asm.h>
#include <boot.h>
#include <console.h>
#include <cpu.h>
#include <irq.h>

#define WINDOW_US 10000
#define TRIES 8

u64 tsc_base, tsc_khz, wallclock_at_boot;
u32 tsc_mul;
s8 tsc_shift;

static u64 apic_ticks_per_ns;	/* times 2^32 */

/* --- a clock of known frequency ------------------------------------------------------------------------------------- */

enum { PIT_CHANNEL_2 = 0x42, PIT_COMMAND = 0x43, PORT_B = 0x61 };

static u64 clock_hz, clock_mask;

static void clock_start(void)
{
	if (acpi.pm_timer_port) {
		clock_hz = 3579545;
		clock_mask = acpi.pm_timer_32bit ? 0xffffffff : 0xffffff;
		return;
	}
	clock_hz = 1193182;
	clock_mask = 0xffff;
	outb(PORT_B, (inb(PORT_B) & ~2) | 1);	/* gate open, speaker off */
	outb(PIT_COMMAND, 0xb4);		/* channel 2, both bytes, rate generator, binary */
	outb(PIT_CHANNEL_2, 0);
	outb(PIT_CHANNEL_2, 0);
}

static u64 clock_read(void)
{
	u32 low;

	if (acpi.pm_timer_port)
		return inl(acpi.pm_timer_port);
	outb(PIT_COMMAND, 0x80);		/* latch channel 2 */
	low = inb(PIT_CHANNEL_2);
	return -(low | inb(PIT_CHANNEL_2) << 8);
}

u64 time_waited;

/* --- calibration ------------------------------------------------------------------------------------------------------ */

struct sample {
	u64 clock, tsc;
	u32 apic;
};

/*
 * The three counters at the moment when the clock steps, which lies between two of its reads. The host may take the
 * CPU away there, so of several samples the one whose reads lie closest together is taken.
 */
static struct sample take_sample(void)
{
	struct sample best = { 0 };
	u64 best_span = ~0ull;

	for (int i = 0; i < TRIES; i++) {
		u64 before, after = rdtsc(), clock, last = clock_read();
		u32 apic;

		do {
			before = after;
			clock = clock_read();
			apic = apic_timer_left();
			after = rdtsc();
		} while (clock == last);
		if (after - before < best_span) {
			best_span = after - before;
			best = (struct sample){ clock, after, apic };
		}
	}
	return best;
}

/* a * b / c without losing the high half; c above b's scale keeps the result in 64 bits. */
static u64 mul_div(u64 a, u64 b, u64 c)
{
	u64 high, low;

	asm("mul %3" : "=a"(low), "=d"(high) : "0"(a), "r"(b));
	asm("div %2" : "+a"(low), "+d"(high) : "r"(c));
	return low;
}

static void set_scale(u64 hz)
{
	u64 rate = hz;

	tsc_shift = 0;
	while (rate <= 1000000000) {
		rate <<= 1;
		tsc_shift++;
	}
	while (rate > 2000000000ull) {
		rate >>= 1;
		tsc_shift--;
	}
	tsc_mul = mul_div(1000000000, 1ull << 32, rate);
	tsc_khz = hz / 1000;
}

static void calibrate(void)
{
	struct sample start, now;
	u64 elapsed, ticks, began = rdtsc();

	clock_start();
	apic_timer_start(~0u);
	start = take_sample();
	do {
		pause();
	} while (((clock_read() - start.clock) & clock_mask) * 1000000 < WINDOW_US * clock_hz);
	now = take_sample();
	apic_timer_start(0);
	time_waited += rdtsc() - began;

	elapsed = (now.clock - start.clock) & clock_mask;
	ticks = start.apic - now.apic;
	set_scale(mul_div(now.tsc - start.tsc, clock_hz, elapsed));
	apic_ticks_per_ns = mul_div(mul_div(ticks, clock_hz, elapsed), 1ull << 32, 1000000000);
}

/* --- the date --------------------------------------------------------------------------------------------------------- */

static u8 cmos(int n)
{
	outb(0x70, n);
	return inb(0x71);
}

enum { SECOND, MINUTE, HOUR, DAY, MONTH, YEAR, RTC_FIELDS };

static void read_rtc(u8 r[RTC_FIELDS])
{
	static const u8 index[RTC_FIELDS] = { 0, 2, 4, 7, 8, 9 };

	for (int i = 0; i < RTC_FIELDS; i++)
		r[i] = cmos(index[i]);
}

static int from_bcd(u8 x)
{
	return (x >> 4) * 10 + (x & 15);
}

static u64 days_since_1970(int year, int month, int day)
{
	int y = month > 2 ? year : year - 1, m = month > 2 ? month - 3 : month + 9;

	return y * 365ul + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

/* Two equal readings are one reading; an update takes too short to spoil both alike. Waits for no second's edge. */
static u64 read_date(void)
{
	u8 r[RTC_FIELDS], again[RTC_FIELDS];
	bool bcd = !(cmos(0x0b) & 4), twelve = !(cmos(0x0b) & 2), afternoon;

	do {
		read_rtc(r);
		read_rtc(again);
	} while (__builtin_memcmp(r, again, sizeof(r)));
	afternoon = twelve && r[HOUR] & 0x80;
	r[HOUR] &= 0x7f;
	for (int i = 0; bcd && i < RTC_FIELDS; i++)
		r[i] = from_bcd(r[i]);
	if (twelve)
		r[HOUR] = r[HOUR] % 12 + (afternoon ? 12 : 0);
	return days_since_1970(2000 + r[YEAR], r[MONTH], r[DAY]) * 86400 + r[HOUR] * 3600 + r[MINUTE] * 60 + r[SECOND];
}

/* --- for others ------------------------------------------------------------------------------------------------------- */

void time_init(void)
{
	calibrate();
	tsc_base = rdtsc();
	wallclock_at_boot = read_date();
	log_info("time: TSC %lu.%03lu MHz, APIC timer %lu kHz", tsc_khz / 1000, tsc_khz % 1000,
		 mul_div(apic_ticks_per_ns, 1000000, 1ull << 32));
}

u64 now_ns(void)
{
	u64 delta = rdtsc() - tsc_base, low, high;

	delta = tsc_shift >= 0 ? delta << tsc_shift : delta >> -tsc_shift;
	asm("mul %3" : "=a"(low), "=d"(high) : "0"(delta), "r"((u64)tsc_mul));
	return high << 32 | low >> 32;
}

void wait_us(u32 us)
{
	u64 began = rdtsc(), end = began + tsc_khz * us / 1000, now;

	do {
		pause();
		now = rdtsc();
	} while ((s64)(end - now) > 0);
	time_waited += now - began;
}

/* A deadline beyond the counter's reach makes an early interrupt, after which the timer is programmed anew. */
void timer_program(u64 deadline)
{
	u64 now, delta;

	if (!deadline) {
		apic_timer_start(0);
		return;
	}
	now = now_ns();
	delta = deadline > now ? min(deadline - now, 1ull << 30) : 0;
	delta = delta * apic_ticks_per_ns >> 32;
	apic_timer_start(min(delta + 1, 0xffffffffull));
}
