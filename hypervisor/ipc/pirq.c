/* SPDX-License-Identifier: MIT */
/*
 * Physical interrupts. A pirq is mapped to a line of an I/O APIC (then its number is the GSI) or to a message of a PCI function, and
 * may be bound to a port of domain 0:
 *
 *   interrupt -> vector -> by_vector[] -> pirqs[] -> port -> event
 *
 * Invariants, under pirq_lock
 *   1. by_vector[x] is p != 0 if and only if pirq p is mapped and has vector x. A vector means the same on all CPUs, and is the pirq's from
 *      mapping to unmapping: an interrupt that was on its way when the pirq was unbound finds its own pirq, without a port.
 *   2. A pirq can interrupt only while it is bound (MSI without mask bits is ignored then); a level-triggered line not between an
 *      interrupt and eoi (`waits`), whatever the guest does meanwhile. So a device that domain 0 neglects does not keep the machine busy.
 *   3. `port` is p != 0 if and only if domain 0's port p is bound to this pirq (evtchn.c). It is written under the event channel lock and
 *      pirq_lock, so either is enough to read it. A pirq that is unmapped while bound (LOST) is free again when its port closes.
 *
 *   4. A source that interrupts more often than STORM_LIMIT in STORM_PERIOD is masked (`held`) until storm_over(): what comes faster than it can be
 *      acknowledged would keep a CPU for itself. MSI without mask bits cannot be held.
 *
 * An interrupt is acknowledged before domain 0 hears of it; a level-triggered line is masked before that.
 */
#include <abi/physdev.h>
#include <console.h>
#include <evtchn.h>
#include <irq.h>
#include <msi.h>
#include <pirq.h>

enum { PIRQ_FREE, PIRQ_RESERVED, PIRQ_LINE, PIRQ_MESSAGE, PIRQ_LOST };

static struct pirq {
	u8 kind;
	u8 vector;		/* of a mapped one; 0: the line is the hypervisor's own */
	bool set_up;		/* of a line, whether mapped or not: by setup_gsi, */
	bool level, low;	/* how it signals */
	bool waits;		/* for eoi */
	bool held;		/* until storm_over() */
	u32 port;
	u32 came;		/* interrupts since came_from, */
	u64 came_from;		/* system time */
	const struct cpu *cpu;	/* to which a mapped one was routed last */
	struct message message;
} pirqs[NR_PIRQS];

struct spinlock pirq_lock;
static u16 by_vector[256];
static u64 *eoi_page;
static bool eoi_unmasks;

#define STORM_PERIOD 1000000	/* ns */
#define STORM_LIMIT 1000

static void storm_over(struct timer *t);

static struct {
	struct timer timer;
	bool expected;		/* it is set, or about to be */
} storm = { .timer = { .fire = storm_over } };

/* --- vectors -------------------------------------------------------------------------------------------------------- */

/* 0: none left. */
static int vector_get(u32 n)
{
	for (int vector = VECTOR_DEVICE_FIRST; vector <= VECTOR_DEVICE_LAST; vector++) {
		if (!by_vector[vector] && vector != 0x80) {
			by_vector[vector] = n;
			return vector;
		}
	}
	return 0;
}

/* --- the source of a mapped pirq ------------------------------------------------------------------------------------- */

/* Lines and messages name a CPU by eight bits, all ones being all of them. */
static u32 target(const struct cpu *c)
{
	return c->apic_id < 0xff ? c->apic_id : cpus[0]->apic_id;
}

/* The interrupt goes to this CPU; masked. */
static void route(struct pirq *p, const struct cpu *c)
{
	p->cpu = c;
	if (p->kind == PIRQ_LINE)
		ioapic_route(p - pirqs, p->vector, target(c), p->level, p->low);
	else
		msi_program(&p->message, p->vector, target(c));
}

static void mask(const struct pirq *p, bool masked)
{
	if (p->kind == PIRQ_LINE)
		ioapic_mask(p - pirqs, masked);
	else
		msi_mask(&p->message, masked);
}

static void settle(const struct pirq *p)
{
	mask(p, !p->port || p->waits || p->held);
}

static bool is_mapped(const struct pirq *p)
{
	return p->kind == PIRQ_LINE || p->kind == PIRQ_MESSAGE;
}

static struct pirq *find_mapped(u32 n)
{
	return n < NR_PIRQS && is_mapped(&pirqs[n]) ? &pirqs[n] : NULL;
}

/* Tells domain 0 whether eoi is needed. */
static void show_eoi(const struct pirq *p)
{
	u64 bit = 1ull << (p - pirqs) % 64;

	if (!eoi_page)
		return;
	if (p->port && p->kind == PIRQ_LINE && p->level)
		__atomic_or_fetch(&eoi_page[(p - pirqs) / 64], bit, __ATOMIC_SEQ_CST);
	else
		__atomic_and_fetch(&eoi_page[(p - pirqs) / 64], ~bit, __ATOMIC_SEQ_CST);
}

/* --- mapping --------------------------------------------------------------------------------------------------------- */

static int map_line(u32 gsi)
{
	struct pirq *p = &pirqs[gsi];

	if (p->kind == PIRQ_LINE)
		return gsi;
	if (p->kind == PIRQ_LOST)
		return -EEXIST;
	if (!ioapic_in_use(gsi)) {
		p->vector = vector_get(gsi);
		if (!p->vector)
			return -ENOSPC;
	}
	if (!p->set_up)
		ioapic_default_trigger(gsi, &p->level, &p->low);
	p->kind = PIRQ_LINE;
	p->waits = false;
	return gsi;
}

/* No one has number 0, as on a PC the first line is the hypervisor's timer's. */
int pirq_map_line(s32 gsi, s32 wanted)
{
	int result = -EINVAL;

	if (gsi <= 0 || gsi >= NR_PIRQS)
		return result;
	spin_lock(&pirq_lock);
	if (ioapic_has(gsi))
		result = wanted >= 0 && wanted != gsi ? -EEXIST : map_line(gsi);
	spin_unlock(&pirq_lock);
	return result;
}

/* One past the last number of a line. */
static u32 lines_end(void)
{
	return min(max(ioapic_gsis(), 1u), (u32)NR_PIRQS);
}

/* The highest free number, or the one wanted. */
static int choose_for_message(s32 wanted)
{
	u32 first = lines_end();

	if (wanted >= 0) {
		if ((u32)wanted < first || wanted >= NR_PIRQS)
			return -EINVAL;
		return pirqs[wanted].kind <= PIRQ_RESERVED ? wanted : -EEXIST;
	}
	for (u32 n = NR_PIRQS - 1; n >= first; n--)
		if (pirqs[n].kind == PIRQ_FREE)
			return n;
	return -ENOSPC;
}

/* A function signals by one of MSI and MSI-X, and each message is mapped once. */
static int message_is_taken(u16 function, bool msix, u32 entry)
{
	for (const struct pirq *p = pirqs; p < pirqs + NR_PIRQS; p++) {
		if (p->kind != PIRQ_MESSAGE || p->message.function != function)
			continue;
		if (p->message.msix != msix)
			return -EBUSY;
		if (!msix || p->message.entry == entry)
			return -EEXIST;
	}
	return 0;
}

static int map_message(u16 function, bool msix, u32 entry, s32 wanted)
{
	int n = choose_for_message(wanted), error = n < 0 ? n : message_is_taken(function, msix, entry);
	struct pirq *p = &pirqs[n < 0 ? 0 : n];

	if (!error)
		error = msi_claim(&p->message, function, msix, entry);
	if (error)
		return error;
	p->vector = vector_get(n);
	if (!p->vector) {
		msi_release(&p->message);
		return -ENOSPC;
	}
	p->kind = PIRQ_MESSAGE;
	route(p, current->cpu);
	mask(p, true);
	return n;
}

int pirq_map_message(u16 function, bool msix, u32 entry, s32 wanted)
{
	int result;

	spin_lock(&pirq_lock);
	result = map_message(function, msix, entry, wanted);
	spin_unlock(&pirq_lock);
	return result;
}

int pirq_reserve(bool line)
{
	enum { FIRST_PCI_LINE = 16 };
	u32 lines = lines_end();
	int n = -ENOSPC;

	spin_lock(&pirq_lock);
	for (u32 i = FIRST_PCI_LINE; line && i < lines && n < 0; i++)
		if (pirqs[i].kind == PIRQ_FREE)
			n = i;
	if (!line)
		n = choose_for_message(-1);
	if (n >= 0)
		pirqs[n].kind = PIRQ_RESERVED;
	spin_unlock(&pirq_lock);
	return n;
}

static void unmap(struct pirq *p)
{
	if (p->kind == PIRQ_MESSAGE)
		msi_release(&p->message);
	else if (p->vector)
		ioapic_free(p - pirqs);
	if (p->vector)
		by_vector[p->vector] = 0;
	p->vector = 0;
	p->waits = p->held = false;
	p->kind = p->port ? PIRQ_LOST : PIRQ_FREE;
	show_eoi(p);
}

int pirq_unmap(u32 n)
{
	struct pirq *p;

	spin_lock(&pirq_lock);
	p = find_mapped(n);
	if (p)
		unmap(p);
	spin_unlock(&pirq_lock);
	return p ? 0 : -EINVAL;
}

void pirq_unmap_function(u16 function)
{
	spin_lock(&pirq_lock);
	for (struct pirq *p = pirqs; p < pirqs + NR_PIRQS; p++)
		if (p->kind == PIRQ_MESSAGE && p->message.function == function)
			unmap(p);
	msix_forget(function);
	spin_unlock(&pirq_lock);
}

void pirq_restore_function(u16 function)
{
	spin_lock(&pirq_lock);
	for (struct pirq *p = pirqs; p < pirqs + NR_PIRQS; p++) {
		if (p->kind == PIRQ_MESSAGE && p->message.function == function) {
			route(p, p->cpu);
			settle(p);
		}
	}
	spin_unlock(&pirq_lock);
}

static int setup_line(u32 gsi, bool level, bool low)
{
	struct pirq *p = &pirqs[gsi];

	if (!ioapic_has(gsi))
		return -EINVAL;
	if (p->set_up || p->port || ioapic_in_use(gsi))
		return -EEXIST;
	p->set_up = true;
	p->level = level;
	p->low = low;
	return 0;
}

int pirq_setup_line(u32 gsi, bool level, bool low)
{
	int result;

	if (gsi >= NR_PIRQS)
		return -EINVAL;
	spin_lock(&pirq_lock);
	result = setup_line(gsi, level, low);
	spin_unlock(&pirq_lock);
	return result;
}

/* --- binding --------------------------------------------------------------------------------------------------------- */

static int may_bind(u32 n)
{
	if (n >= NR_PIRQS)
		return -EINVAL;
	if (pirqs[n].port)
		return -EEXIST;
	if (!is_mapped(&pirqs[n]))
		return -EPERM;
	return pirqs[n].vector ? 0 : -EBUSY;
}

int pirq_bind(u32 n, u32 port, const struct cpu *c)
{
	int error;

	spin_lock(&pirq_lock);
	error = may_bind(n);
	if (!error) {
		pirqs[n].port = port;
		pirqs[n].waits = false;
		show_eoi(&pirqs[n]);
		route(&pirqs[n], c);
		settle(&pirqs[n]);
	}
	spin_unlock(&pirq_lock);
	return error;
}

void pirq_unbind(u32 n)
{
	struct pirq *p = &pirqs[n];

	spin_lock(&pirq_lock);
	p->port = 0;
	show_eoi(p);
	if (is_mapped(p))
		mask(p, true);
	else
		p->kind = PIRQ_FREE;
	spin_unlock(&pirq_lock);
}

/* A line is not masked for that: an edge would be lost. A message that comes meanwhile is kept by its function. */
void pirq_move(u32 n, const struct cpu *c)
{
	struct pirq *p = &pirqs[n];

	spin_lock(&pirq_lock);
	if (p->kind == PIRQ_LINE) {
		p->cpu = c;
		ioapic_retarget(n, target(c));
	} else if (p->kind == PIRQ_MESSAGE) {
		route(p, c);
		settle(p);
	}
	spin_unlock(&pirq_lock);
}

u32 pirq_port(u32 n)
{
	return pirqs[n].port;
}

/* --- interrupts ------------------------------------------------------------------------------------------------------- */

/* Those that were held may signal again. An edge was lost perhaps, so domain 0 is told of one. */
static void storm_over(struct timer *t)
{
	spin_lock(&pirq_lock);
	storm.expected = false;
	spin_unlock(&pirq_lock);
	for (u32 n = 0; n < NR_PIRQS; n++) {
		struct pirq *p = &pirqs[n];
		bool tell;

		spin_lock(&pirq_lock);
		tell = p->held && !(p->kind == PIRQ_LINE && p->level);
		if (p->held) {
			p->held = false;
			p->came = 0;
			settle(p);
		}
		spin_unlock(&pirq_lock);
		if (tell)
			send_pirq(n);
	}
}

/* One more interrupt. True: storm_over() has to be called. */
static bool count_interrupt(struct pirq *p)
{
	u64 t = now_ns();
	bool first;

	if (t - p->came_from >= STORM_PERIOD) {
		p->came_from = t;
		p->came = 0;
	}
	if (++p->came <= STORM_LIMIT)
		return false;
	p->held = true;
	first = !storm.expected;
	storm.expected = true;
	return first;
}

/* Whoever sends messages of its own making shall not fill the console: each power of two is told. */
static void unexpected(int vector)
{
	static u32 count;
	u32 n = __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED);

	if (!(n & (n - 1)))
		log_warning("CPU %d: unexpected interrupt, vector 0x%x; %u so far", current->cpu->id, vector, n);
}

void pirq_interrupt(int vector)
{
	bool storms = false;
	struct pirq *p;
	u32 n;

	spin_lock(&pirq_lock);
	n = by_vector[vector];
	p = &pirqs[n];
	if (n) {
		storms = count_interrupt(p);
		p->waits = p->kind == PIRQ_LINE && p->level;
		if (p->waits || p->held)
			settle(p);
	}
	spin_unlock(&pirq_lock);
	apic_acknowledge();
	if (storms)
		timer_set(&storm.timer, now_ns() + STORM_PERIOD);
	if (n)
		send_pirq(n);
	else
		unexpected(vector);
}

int pirq_eoi(u32 n)
{
	struct pirq *p;
	bool unmask;

	spin_lock(&pirq_lock);
	p = find_mapped(n);
	unmask = p && eoi_unmasks && p->port;
	if (p && p->waits) {
		p->waits = false;
		settle(p);
	}
	spin_unlock(&pirq_lock);
	if (unmask)
		unmask_pirq(n);
	return p ? 0 : -EINVAL;
}

void pirq_set_eoi_page(u64 *page, bool unmasks)
{
	spin_lock(&pirq_lock);
	eoi_page = page;
	eoi_unmasks = unmasks;
	for (const struct pirq *p = pirqs; p < pirqs + NR_PIRQS; p++)
		if (p->port)
			show_eoi(p);
	spin_unlock(&pirq_lock);
}
