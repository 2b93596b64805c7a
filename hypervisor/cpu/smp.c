/* SPDX-License-Identifier: MIT */
/*
 * Several CPUs: how they come up, how one makes the others flush their TLBs.
 *
 * The TLB clock counts full flushes of all CPUs. A CPU advances it, then flushes, then notes the value it
 * made as its own tlb_clock. Who notes the clock as a stamp after changing an entry therefore knows:
 * a CPU whose tlb_clock is later than the stamp has flushed since. Comparisons are by difference, and the
 * clock may wrap: a CPU idle for 2^31 flushes of others would be taken for one that has flushed, so
 * every 2^30th flush is made by all.
 *
 * A shootdown sets flush_request, sends an interrupt and waits for the other's tlb_clock. Who
 * waits, here or for a lock, serves its own flush_request, so waiting is never circular.
 */
#include <asm.h>
#include <boot.h>
#include <boot_memory.h>
#include <console.h>
#include <cpu.h>
#include <domain.h>
#include <entry.h>
#include <frames.h>
#include <irq.h>
#include <pagetable.h>
#include <string.h>

#define EVERYONE_FLUSHES_EACH (1u << 30)

int cpu_count = 1;
u32 tlb_clock = 1;

/* --- TLB ---------------------------------------------------------------------------------------------------------- */

static void flush_everything(void)
{
	u64 cr4 = read_cr4();

	if (cpu_has.pge) {
		write_cr4(cr4 & ~CR4_PGE);
		write_cr4(cr4);
	} else {
		write_cr3(read_cr3());
	}
}

void flush_tlb_local(void)
{
	u32 now = __atomic_add_fetch(&tlb_clock, 1, __ATOMIC_ACQ_REL);

	flush_everything();
	current->counters[COUNT_TLB_FLUSH]++;
	WRITE_ONCE(current->cpu->tlb_clock, now);
	if (unlikely(now % EVERYONE_FLUSHES_EACH == 0))
		flush_tlb_all_cpus();
}

void flush_tlb_page_local(u64 va)
{
	invlpg(va);
}

static bool has_flushed_since(const struct cpu *c, u32 stamp)
{
	return (s32)(READ_ONCE(c->tlb_clock) - stamp) > 0;
}

void handle_flush_request(void)
{
	struct cpu *c = current->cpu;

	if (__atomic_exchange_n(&c->flush_request, 0, __ATOMIC_ACQ_REL))
		flush_tlb_local();
}

/* Bit n of `which`: CPU n. */
static void flush_cpus_since(u32 which, u32 stamp)
{
	struct cpu *self = current->cpu;

	for (int i = 0; i < cpu_count; i++)
		if (has_flushed_since(cpus[i], stamp))
			which &= ~(1u << i);
	for (u32 rest = which & ~(1u << self->id); rest; rest &= rest - 1) {
		struct cpu *c = cpus[__builtin_ctz(rest)];

		__atomic_store_n(&c->flush_request, 1, __ATOMIC_SEQ_CST);
		apic_send_ipi(c->apic_id, VECTOR_FLUSH);
	}
	if (which >> self->id & 1)
		flush_tlb_local();
	for (u32 rest = which; rest; rest &= rest - 1) {
		while (!has_flushed_since(cpus[__builtin_ctz(rest)], stamp)) {
			handle_flush_request();
			pause();
		}
	}
}

void flush_tlb_since(u32 stamp)
{
	flush_cpus_since((1u << cpu_count) - 1, stamp);
}

/*
 * After the caller has changed an entry. A CPU says in `loaded` whose tables it is about to use before it loads them and flushes, and does
 * not use the old ones from then on (load_vcpu(); the clock's increment is a barrier). So one that is not seen here with a vCPU of
 * d's will flush, after the change, before it uses d's tables.
 */
void flush_tlb_of(const struct domain *d)
{
	u32 which = 0, stamp;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	stamp = READ_ONCE(tlb_clock);
	for (int i = 0; i < cpu_count; i++) {
		const struct vcpu *v = READ_ONCE(cpus[i]->loaded);

		if (v && v->domain == d)
			which |= 1u << i;
	}
	flush_cpus_since(which, stamp);
}

void flush_tlb_all_cpus(void)
{
	flush_tlb_since(READ_ONCE(tlb_clock));
}

/* Called past the compiler (spinlock.h), so it saves all registers. */
__attribute__((no_caller_saved_registers)) void spin_wait(struct spinlock *l)
{
	do {
		while (READ_ONCE(l->held)) {
			if (cpu_count > 1)
				handle_flush_request();
			pause();
		}
	} while (__atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE));
}

void send_kick(struct cpu *c)
{
	apic_send_ipi(c->apic_id, VECTOR_KICK);
}

/* --- coming up ---------------------------------------------------------------------------------------------------- */

extern const char trampoline_start[], trampoline_end[];
extern void (*boot_target)(void);

static struct cpu *starting;	/* the one that comes up; one at a time */

static void ap_ready(void)
{
	struct cpu *c = current->cpu;

	apic_init_cpu();
	flush_tlb_local();
	c->tsc_online = rdtsc();
	__atomic_store_n(&c->online, true, __ATOMIC_RELEASE);
	idle_loop();
}

/* On the first stack and page tables, with paging and little else. */
static void ap_start(void)
{
	struct cpu *c = starting;

	features_init_cpu();
	pagetable_load();
	cpu_load_tables(c);
	start_on_idle(c->idle, ap_ready);
}

static bool wait_until_online(struct cpu *c, u32 us)
{
	for (u32 waited = 0; waited < us && !READ_ONCE(c->online); waited += 10)
		wait_us(10);
	return READ_ONCE(c->online);
}

/* System time is of one TSC: that of a CPU that came up between two of our readings lies between them. */
static bool in_step(const struct cpu *c, u64 before)
{
	return c->tsc_online - before <= rdtsc() - before;
}

static bool start_cpu(int id, u32 apic)
{
	struct cpu *c = cpu_create(id, apic);
	u64 before = rdtsc();

	if (!c || !idle_vcpu_create(c))
		return false;
	starting = c;
	apic_send_init(apic);
	wait_us(10);
	for (int tries = 0; tries < 2; tries++) {
		apic_send_startup(apic, TRAMPOLINE >> PAGE_SHIFT);
		if (wait_until_online(c, tries ? 2000000 : 200000)) {
			if (in_step(c, before))
				return true;
			log_warning("the TSC of the CPU with APIC id %u is not in step", apic);
			break;
		}
	}
	apic_send_init(apic);	/* so that it cannot come later, on tables given away */
	return false;
}

void smp_boot(void)
{
	u64 limit = min(options.maxcpus ? options.maxcpus : 1, (u64)MAX_CPUS);

	memcpy(maddr_to_virt(TRAMPOLINE), trampoline_start, trampoline_end - trampoline_start);
	boot_target = ap_start;
	for (int i = 0; i < acpi.cpu_count && cpu_count < (int)limit; i++) {
		if (acpi.cpu_apic_id[i] == cpus[0]->apic_id)
			continue;
		if (start_cpu(cpu_count, acpi.cpu_apic_id[i]))
			cpu_count++;
		else
			log_warning("the CPU with APIC id %u does not start", acpi.cpu_apic_id[i]);
	}
	log_info("CPUs: %d of %d", cpu_count, max(acpi.cpu_count, 1));
}
