/* SPDX-License-Identifier: MIT */
/*
 * Channel 2 of the programmable interval timer, for each domain its own. It is only read, never waited
 * for, so its counter is computed from the time since `start` when somebody looks. While the gate is low
 * a real one stands still; this one goes on, and starts anew when the gate rises.
 */
#include <cpu.h>
#include <domain.h>
#include <emulate.h>

#define PIT_HZ 1193182ull
#define NS_PER_S 1000000000ull
#define PORT_COUNTER 0x42
#define PORT_CONTROL 0x43
#define PORT_SPEAKER 0x61
#define REFRESH_SHIFT 14	/* the refresh signal that port 0x61 shows turns each 2^14 ns; a real one each 15085 */

enum { GATE = 1, SPEAKER = 2, REFRESH = 1 << 4, OUTPUT = 1 << 5 };

static u64 ticks(const struct pit *p)
{
	return (now_ns() - p->start) * PIT_HZ / NS_PER_S;
}

static u16 counter(const struct pit *p)
{
	if (!p->count)
		return 0;
	switch (p->mode) {
	case 2: return p->count - ticks(p) % p->count;
	case 3: return p->count - 2 * ticks(p) % p->count;
	default: return p->count - ticks(p);
	}
}

static bool output(const struct pit *p)
{
	if (!p->count)
		return false;
	switch (p->mode) {
	case 2: return ticks(p) % p->count != p->count - 1;
	case 3: return ticks(p) % p->count < (p->count + 1) / 2;
	default: return ticks(p) >= p->count;
	}
}

static void latch(struct pit *p)
{
	if (!p->latched)
		p->latch = counter(p);
	p->latched = true;
}

/* A control word; those for other channels are nobody's. */
static void control(struct pit *p, u8 word)
{
	unsigned channel = word >> 6, access = word >> 4 & 3;

	if (channel == 3) {	/* read back: bit 3 names channel 2, bit 5 clear latches the count */
		if (word & 1 << 3 && !(word & 1 << 5))
			latch(p);
		return;
	}
	if (channel != 2)
		return;
	if (!access) {
		latch(p);
		return;
	}
	p->access = access;
	p->mode = word >> 1 & 7;
	if (p->mode > 5)
		p->mode -= 4;
	p->high_next_write = p->high_next_read = p->latched = false;
}

static void load(struct pit *p, u32 count)
{
	p->count = count ? count : 65536;
	p->start = now_ns();
}

static void counter_write(struct pit *p, u8 value)
{
	if (p->access == 3 && !p->high_next_write) {
		p->low = value;
		p->high_next_write = true;
		return;
	}
	load(p, p->access == 1 ? value : value << 8 | (p->access == 3 ? p->low : 0));
	p->high_next_write = false;
}

static u8 counter_read(struct pit *p)
{
	u16 value = p->latched ? p->latch : counter(p);
	bool high = p->access == 2 || (p->access == 3 && p->high_next_read);

	p->high_next_read = p->access == 3 && !p->high_next_read;
	if (!p->high_next_read)
		p->latched = false;
	return high ? value >> 8 : value;
}

u8 pit_read(struct domain *d, u16 port)
{
	struct pit *p = &d->pit;

	switch (port) {
	case PORT_COUNTER:
		return counter_read(p);
	case PORT_SPEAKER:
		return p->control | (now_ns() >> REFRESH_SHIFT & 1 ? REFRESH : 0) | (output(p) ? OUTPUT : 0);
	default:	/* the control port is write-only */
		return 0;
	}
}

void pit_write(struct domain *d, u16 port, u8 value)
{
	struct pit *p = &d->pit;

	switch (port) {
	case PORT_COUNTER:
		counter_write(p, value);
		break;
	case PORT_CONTROL:
		control(p, value);
		break;
	case PORT_SPEAKER:
		if (value & ~p->control & GATE)
			p->start = now_ns();
		p->control = value & (GATE | SPEAKER);
		break;
	}
}
