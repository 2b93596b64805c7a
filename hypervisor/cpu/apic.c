/* SPDX-License-Identifier: MIT */
/*
 * The local APIC: inter-processor interrupts, the one-shot timer, end of interrupt. Registers are in
 * memory, or in MSRs where the CPU has x2APIC; names as in Intel's SDM, volume 3, chapter 11.
 */
#include <asm.h>
#include <boot.h>
#include <console.h>
#include <cpu.h>
#include <irq.h>
#include <pagetable.h>
#include <pirq.h>
#include <trace.h>

enum {	/* offsets / 16 */
	APIC_ID = 0x02, APIC_TPR = 0x08, APIC_EOI = 0x0b, APIC_SVR = 0x0f, APIC_ESR = 0x28, APIC_ICR = 0x30,
	APIC_ICR_HIGH = 0x31, APIC_LVT_TIMER = 0x32, APIC_LVT_LINT0 = 0x35, APIC_LVT_LINT1 = 0x36,
	APIC_LVT_ERROR = 0x37, APIC_TIMER_COUNT = 0x38, APIC_TIMER_LEFT = 0x39, APIC_TIMER_DIVIDE = 0x3e,
};
enum { SVR_ENABLE = 1 << 8, LVT_MASKED = 1 << 16, LVT_NMI = 4 << 8, DIVIDE_BY_1 = 11 };
enum { ICR_NMI = 4 << 8, ICR_INIT = 5 << 8, ICR_STARTUP = 6 << 8, ICR_BUSY = 1 << 12, ICR_ASSERT = 1 << 14, ICR_SELF = 1 << 18, ICR_OTHERS = 3 << 18 };
enum { APIC_BASE_X2APIC = 1 << 10, APIC_BASE_ENABLE = 1 << 11 };
#define MSR_X2APIC 0x800

static volatile u32 *registers;
static bool ready;

static u32 apic_read(int n)
{
	return cpu_has.x2apic ? rdmsr(MSR_X2APIC + n) : registers[n * 4];
}

static inline void apic_write(int n, u32 x)
{
	if (unlikely(cpu_has.x2apic))
		wrmsr(MSR_X2APIC + n, x);
	else
		registers[n * 4] = x;
}

void apic_init(void)
{
	if (!cpu_has.x2apic)
		registers = map_device(acpi.lapic, PAGE_SIZE);
	apic_init_cpu();
	ready = true;
}

void apic_init_cpu(void)
{
	u64 base = rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLE;

	wrmsr(MSR_APIC_BASE, base);
	if (cpu_has.x2apic)
		wrmsr(MSR_APIC_BASE, base | APIC_BASE_X2APIC);
	apic_write(APIC_TPR, 0);
	apic_write(APIC_SVR, SVR_ENABLE | VECTOR_SPURIOUS);
	apic_write(APIC_LVT_LINT0, LVT_MASKED);
	apic_write(APIC_LVT_LINT1, LVT_NMI);
	apic_write(APIC_LVT_ERROR, VECTOR_APIC_ERROR);
	apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_1);
	apic_write(APIC_LVT_TIMER, VECTOR_TIMER);
}

/* --- interrupts to other CPUs ------------------------------------------------------------------------------------ */

static void send(u32 id, u32 command)
{
	if (cpu_has.x2apic) {
		wrmsr(MSR_X2APIC + APIC_ICR, (u64)id << 32 | command);
		return;
	}
	while (apic_read(APIC_ICR) & ICR_BUSY)
		pause();
	apic_write(APIC_ICR_HIGH, id << 24);
	apic_write(APIC_ICR, command);
}

void apic_send_ipi(u32 id, int vector) { send(id, ICR_ASSERT | vector); }
/* The destination stays as it is: an NMI may come between the two halves of another's command. */
void apic_send_self(int vector)
{
	if (ready)
		apic_write(APIC_ICR, ICR_SELF | ICR_ASSERT | vector);
}

void apic_send_init(u32 id) { send(id, ICR_ASSERT | ICR_INIT); }
void apic_send_startup(u32 id, int page) { send(id, ICR_ASSERT | ICR_STARTUP | page); }

void apic_send_nmi_to_others(void)
{
	if (ready && cpu_count > 1)
		send(0, ICR_OTHERS | ICR_ASSERT | ICR_NMI);
}

void apic_stop_others(void)
{
	if (ready && cpu_count > 1)
		send(0, ICR_OTHERS | ICR_ASSERT | ICR_INIT);
}

/* --- the timer ----------------------------------------------------------------------------------------------------- */

void apic_timer_start(u32 ticks)
{
	apic_write(APIC_TIMER_COUNT, ticks);
}

u32 apic_timer_left(void)
{
	return apic_read(APIC_TIMER_LEFT);
}

/* --- what arrives -------------------------------------------------------------------------------------------------- */

void apic_acknowledge(void)
{
	apic_write(APIC_EOI, 0);
}

static void handle_request(struct vcpu *v, int vector)
{
	apic_acknowledge();
	if (vector == VECTOR_FLUSH)
		handle_flush_request();
	else if (vector == VECTOR_NMI_CAME)
		handle_nmi();
	else if (vector == VECTOR_CONSOLE)
		console_interrupt();
	else if (vector == VECTOR_APIC_ERROR)
		log_warning("CPU %d: local APIC error 0x%x", v->cpu->id, apic_read(APIC_ESR));
	else if (vector == VECTOR_KICK) {
		trace_load_entries();
		WRITE_ONCE(v->cpu->kicks, v->cpu->kicks + 1);
	}
	else
		log_warning("CPU %d: unexpected interrupt, vector 0x%x", v->cpu->id, vector);
}

void handle_irq(struct vcpu *v, int vector)
{
	if (likely(vector == VECTOR_TIMER)) {
		apic_acknowledge();
		timers_expire(v->cpu);
	} else if (vector >= VECTOR_DEVICE_FIRST && vector <= VECTOR_DEVICE_LAST) {
		pirq_interrupt(vector);
	} else if (vector != VECTOR_SPURIOUS) {
		handle_request(v, vector);
	}
}
