/* SPDX-License-Identifier: MIT */
/*
 * Clocks and timers. Under a hypervisor time is computed from the TSC with parameters that it keeps
 * in vcpu_info: version is odd while it changes them. Timers are a list in order of deadline; the
 * hardware's one deadline is always the first one's.
 */
#include <abi/vcpu.h>

#include "boot.h"
#include "evtchn.h"
#include "hypercall.h"
#include "insn.h"
#include "lib.h"
#include "native.h"
#include "ops.h"
#include "time.h"

static u64 scale(u64 ticks, u32 mul, int shift)
{
	ticks = shift < 0 ? ticks >> -shift : ticks << shift;
	return (unsigned __int128)ticks * mul >> 32;
}

static u64 pv_now(void)
{
	const struct vcpu_time_info *t = &vcpu_info->time;
	u32 version;
	u64 ns;

	do {
		version = READ_ONCE(t->version);
		barrier();
		ns = READ_ONCE(t->system_time) +
		     scale(rdtsc() - READ_ONCE(t->tsc_timestamp), READ_ONCE(t->tsc_to_system_mul),
			   READ_ONCE(t->tsc_shift));
		barrier();
	} while ((version & 1) || version != READ_ONCE(t->version));
	return ns;
}

u64 now(void)
{
	return boot.native ? native_now() : pv_now();
}

static u64 pv_wall_clock_at_zero(void)
{
	u32 version;
	u64 sec;

	do {
		version = READ_ONCE(shared_info->wc_version);
		barrier();
		sec = (u64)READ_ONCE(shared_info->wc_sec_hi) << 32 | READ_ONCE(shared_info->wc_sec);
		sec = sec * NSEC_PER_SEC + READ_ONCE(shared_info->wc_nsec);
		barrier();
	} while ((version & 1) || version != READ_ONCE(shared_info->wc_version));
	return sec;
}

u64 wall_clock_ns(void)
{
	return boot.native ? rtc_seconds() * NSEC_PER_SEC : pv_wall_clock_at_zero() + now();
}

u64 wall_clock(void)
{
	return wall_clock_ns() / NSEC_PER_SEC;
}

/* Years begin in March here, so that the leap day is the last one and months follow a formula. */
struct date date_of(u64 seconds)
{
	u64 days = seconds / 86400 + 719468;	/* since 0000-03-01 */
	u64 era = days / 146097, day_of_era = days % 146097;
	u64 year = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	u64 day = day_of_era - (365 * year + year / 4 - year / 100);
	u64 month = (5 * day + 2) / 153;
	u64 s = seconds % 86400;

	return (struct date){
		.year = era * 400 + year + (month >= 10), .month = month < 10 ? month + 3 : month - 9,
		.day = day - (153 * month + 2) / 5 + 1,
		.hour = s / 3600, .minute = s / 60 % 60, .second = s % 60,
	};
}

static struct list timers = LIST_INIT(timers);

void timer_reprogram(void)
{
	bool irq = irq_save();

	cpu->set_timer(list_empty(&timers) ? 0 : list_entry(timers.next, struct timer, node)->when);
	irq_restore(irq);
}

/* Mostly there is nothing to cancel. What is armed may fire until interrupts are disabled. */
void timer_cancel(struct timer *t)
{
	bool irq;

	if (!t->armed)
		return;
	irq = irq_save();
	if (t->armed) {
		t->armed = false;
		list_remove(&t->node);
	}
	irq_restore(irq);
}

void timer_add(struct timer *t, u64 when)
{
	bool irq = irq_save();
	struct list *at = &timers;

	timer_cancel(t);
	list_for_each(node, &timers) {
		if (when < list_entry(node, struct timer, node)->when) {
			at = node;
			break;
		}
	}
	t->when = when;
	t->armed = true;
	list_insert_before(at, &t->node);
	if (timers.next == &t->node)
		cpu->set_timer(when);
	irq_restore(irq);
}

/* A cancelled first timer leaves its deadline set; the interrupt then finds nothing due. */
void timer_interrupt(void *unused)
{
	while (!list_empty(&timers)) {
		struct timer *t = list_entry(timers.next, struct timer, node);

		if (t->when > now()) {
			cpu->set_timer(t->when);
			return;
		}
		timer_cancel(t);
		t->fn(t->arg);
	}
}

void time_init(void)
{
	if (boot.native) {
		native_time_init();
		native_irq_handler(IRQ_PIT, timer_interrupt, NULL);
		return;
	}
	HYPERVISOR_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
	if (evtchn_bind_virq(VIRQ_TIMER, timer_interrupt, NULL) < 0)
		panic("no timer interrupt");
}
