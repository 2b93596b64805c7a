/* SPDX-License-Identifier: MIT */
/*
 * The trace buffers.
 *
 *     info page(s): struct t_info, offset of each CPU's list, lists of frames
 *     a CPU's buffer: struct t_buf { cons, prod } | records ...          `bytes` after the header
 *
 * Invariant: prod - cons, modulo 2 * bytes, is what waits to be read, and at most `bytes`. The hypervisor keeps its own prod, so that of
 * the shared words only cons is ever read; nonsense there counts as a full buffer. No record lies across the end: what is left is
 * filled with a record that says so. Buffers, once made, stay: domain 0 may have them mapped.
 */
#include <abi/event_channel.h>
#include <abi/sched.h>
#include <abi/sysctl.h>
#include <abi/xen.h>
#include <asm.h>
#include <control.h>
#include <cpu.h>
#include <domain.h>
#include <entry.h>
#include <evtchn.h>
#include <frames.h>
#include <string.h>
#include <trace.h>
#include <uaccess.h>

#define BUFFER_MAX_PAGES 256u
#define MAX_SUBCALLS 32u
#define HYPERCALL_NUMBER 0xfffffu

struct trace_buffer {
	struct t_buf *shared;
	u32 prod;
	u32 lost;		/* records since the buffer was full, */
	u64 lost_since;		/* and the time of the first */
	u32 running;		/* domain << 16 | vCPU that the CPU was last seen to run */
	bool half_full;		/* it became so, to be told to domain 0 */
};

u32 trace_mask;
static bool enabled;
static u32 wanted = TRC_ALL;		/* trace_mask while enabled */
static u64 cpus_wanted = ~0ull;
static struct trace_buffer buffers[MAX_CPUS];
static u32 buffer_pages, buffer_bytes;	/* of each; bytes without the header. 0: there are none */
static struct t_info *info;
static u32 info_bytes;

/* --- records ------------------------------------------------------------------------------------------------ */

static u32 advance(u32 at, u32 bytes)
{
	at += bytes;
	return at < 2 * buffer_bytes ? at : at - 2 * buffer_bytes;
}

static u32 offset_of(u32 at)
{
	return at < buffer_bytes ? at : at - buffer_bytes;
}

static u32 room(const struct trace_buffer *b)
{
	u32 cons = READ_ONCE(b->shared->cons), used;

	if (cons >= 2 * buffer_bytes)
		return 0;
	used = b->prod >= cons ? b->prod - cons : b->prod + 2 * buffer_bytes - cons;
	return used > buffer_bytes ? 0 : buffer_bytes - used;
}

static void write_record(struct trace_buffer *b, u32 event, bool cycles, const u32 *words, int count)
{
	u32 *at = (u32 *)((u8 *)(b->shared + 1) + offset_of(b->prod));
	u32 bytes = (1 + 2 * cycles + count) * sizeof(u32);
	u64 now = rdtsc();

	*at++ = event | (u32)count << TRACE_EXTRA_SHIFT | (cycles ? TRACE_HAS_CYCLES : 0);
	if (cycles) {
		*at++ = now;
		*at++ = now >> 32;
	}
	for (int i = 0; i < count; i++)
		at[i] = words ? words[i] : 0;
	b->prod = advance(b->prod, bytes);
	__atomic_store_n(&b->shared->prod, b->prod, __ATOMIC_RELEASE);
}

/* Fills up to the end, so that the next record starts at the beginning; at most 9 words. */
static void write_wrap(struct trace_buffer *b, u32 words)
{
	bool cycles = words > TRACE_EXTRA_MAX;

	write_record(b, TRC_TRACE_WRAP_BUFFER, cycles, NULL, words - 1 - 2 * cycles);
}

static bool make_room(struct trace_buffer *b, u32 words)
{
	u32 bytes = words * sizeof(u32), to_end = buffer_bytes - offset_of(b->prod);
	bool wraps = bytes > to_end;

	if (room(b) < bytes + (wraps ? to_end : 0))
		return false;
	if (wraps)
		write_wrap(b, to_end / sizeof(u32));
	return true;
}

static void lose(struct trace_buffer *b)
{
	if (!b->lost++)
		b->lost_since = rdtsc();
}

static bool tell_lost(struct trace_buffer *b)
{
	u32 words[4] = { b->lost, 0, b->lost_since, b->lost_since >> 32 };

	if (!make_room(b, 3 + ARRAY_SIZE(words)))
		return false;
	write_record(b, TRC_LOST_RECORDS, true, words, ARRAY_SIZE(words));
	b->lost = 0;
	return true;
}

/* A class and a part of it: each has to be wanted. */
static bool is_wanted(u32 event, int cpu)
{
	u32 both = READ_ONCE(trace_mask) & event;

	return both & TRC_CLASSES && both & TRC_PARTS && READ_ONCE(cpus_wanted) >> cpu & 1;
}

static void record(u32 event, const u32 *words, int count)
{
	int cpu = current->cpu->id;
	struct trace_buffer *b = &buffers[cpu];
	bool was_below;

	if (!is_wanted(event, cpu))
		return;
	was_below = room(b) > buffer_bytes / 2;
	if ((b->lost && !tell_lost(b)) || !make_room(b, 3 + count))
		return lose(b);
	write_record(b, event, true, words, count);
	if (was_below && room(b) <= buffer_bytes / 2)
		b->half_full = true;
}

#define RECORD(event, ...) do { \
	const u32 words[] = { __VA_ARGS__ }; \
	record(event, words, ARRAY_SIZE(words)); \
} while (0)
#define LONG(x) (u32)(x), (u32)((u64)(x) >> 32)

static u32 id_of(const struct vcpu *v)
{
	return v->domain ? (u32)v->domain->id << 16 | v->id : (u32)DOMID_IDLE << 16 | v->cpu->id;
}

void trace_event(u32 event, u32 word)
{
	RECORD(event, word);
}

/* --- entries and returns -------------------------------------------------------------------------------------- */

static void want_return(struct vcpu *v)
{
	for (int i = 0; i < TRACED_COUNTERS; i++)
		v->traced_counters[i] = v->counters[i];
	__atomic_or_fetch(&v->work, WORK_TRACE, __ATOMIC_RELAXED);
}

/* What a call is about, where the number does not say it. As the guest's memory stands before the call reads it again. */
static void record_meaning(struct vcpu *v, u64 number, u64 a1, u64 a2)
{
	u32 port;

	if (number == __HYPERVISOR_sched_op && (u32)a1 == SCHEDOP_yield)
		RECORD(TRC_SCHED_YIELD, v->domain->id, v->id);
	else if (number == __HYPERVISOR_event_channel_op && (u32)a1 == EVTCHNOP_send && !get_guest_u32(&port, a2))
		RECORD(TRC_PARAVANE_EVENT_SEND, id_of(v), port);
}

static void record_subcalls(struct vcpu *v, u64 list, u32 count)
{
	for (u32 i = 0; i < min(count, MAX_SUBCALLS); i++) {
		struct multicall_entry e;

		if (copy_from_guest(&e, list + i * sizeof(e), sizeof(e)))
			return;
		RECORD(TRC_PV_HYPERCALL_SUBCALL, e.op & HYPERCALL_NUMBER);
		record_meaning(v, e.op, e.args[0], e.args[1]);
	}
}

/* The number, and the first three arguments as 64-bit words (bits 20 to 25 say so). */
void trace_hypercall(struct vcpu *v)
{
	const struct cpu_user_regs *r = &v->regs;

	RECORD(TRC_PV_HYPERCALL_V2, ((u32)r->rax & HYPERCALL_NUMBER) | 2u << 20 | 2u << 22 | 2u << 24,
	       LONG(r->rdi), LONG(r->rsi), LONG(r->rdx));
	if (r->rax == __HYPERVISOR_multicall)
		record_subcalls(v, r->rdi, r->rsi);
	else
		record_meaning(v, r->rax, r->rdi, r->rsi);
	want_return(v);
}

static bool has_error_code(int vector)
{
	return 1u << vector & (1u << 8 | 0x1fu << 10 | 1u << 17 | 1u << 21);
}

void trace_vector(int vector, const u64 *pushed)
{
	bool with_error = vector < 32 && has_error_code(vector);
	u64 error = with_error ? *pushed++ : 0, rip = pushed[0], cs = pushed[1];

	if (!(cs & 3))
		return;
	if (vector == VECTOR_PF)
		RECORD(TRC_PV_PAGE_FAULT | TRC_64_FLAG, LONG(rip), LONG(read_cr2()), error);
	else if (vector < 32)
		RECORD(TRC_PV_TRAP | TRC_64_FLAG, LONG(rip), vector | (u32)with_error << 15 | (u32)error << 16);
	else
		RECORD(TRC_PARAVANE_INTERRUPT, vector, LONG(rip));
	want_return(current);
}

/* Bit n: the counter EXIT_n has counted since the entry, so it says what was done with it. */
static u32 exits_since_entry(const struct vcpu *v)
{
	u32 bits = 0;

	for (int i = 0; i < TRACED_COUNTERS; i++)
		bits |= (u32)(v->counters[i] != v->traced_counters[i]) << i;
	return bits;
}

void trace_return(struct vcpu *v)
{
	struct trace_buffer *b = &buffers[v->cpu->id];

	RECORD(TRC_PARAVANE_RETURN, id_of(v), exits_since_entry(v), LONG(v->regs.rip));
	if (b->half_full) {
		b->half_full = false;
		send_global_virq(VIRQ_TBUF);
	}
}

/* --- who runs ----------------------------------------------------------------------------------------------------- */

void trace_switch(const struct vcpu *next)
{
	struct trace_buffer *b = &buffers[current->cpu->id];
	u32 from = b->running, to = id_of(next);

	b->running = to;
	RECORD(TRC_SCHED_SWITCH, from >> 16, from & 0xffff, to >> 16, to & 0xffff);
}

/* A change of runstate is what the scheduler's events are about, so they are told from it. */
void trace_runstate_change(struct vcpu *v, int state)
{
	u32 event = state == RUN_BLOCKED ? TRC_SCHED_BLOCK : state == RUN_OFFLINE ? TRC_SCHED_SLEEP : TRC_SCHED_WAKE;

	if (state == RUN_RUNNING)
		trace_switch(v);
	else if (state != RUN_RUNNABLE || v->runstate != RUN_RUNNING)
		RECORD(event, v->domain->id, v->id);
	RECORD(TRC_SCHED_RUNSTATE_CHANGE | (u32)v->runstate << 8 | (u32)state << 4, id_of(v));
}

/* --- control ---------------------------------------------------------------------------------------------------- */

static int order_of(u64 pages)
{
	int order = 0;

	while (1ul << order < pages)
		order++;
	return order;
}

static void free_buffers(void)
{
	for (int i = 0; i < cpu_count; i++) {
		if (buffers[i].shared)
			free_pages(buffers[i].shared, order_of(buffer_pages));
		buffers[i].shared = NULL;
	}
	if (info)
		free_pages(info, order_of(info_bytes / PAGE_SIZE));
	info = NULL;
	buffer_pages = 0;
}

static bool make_buffers(void)
{
	info = alloc_pages(order_of(info_bytes / PAGE_SIZE));
	for (int i = 0; i < cpu_count; i++)
		buffers[i].shared = info ? alloc_pages(order_of(buffer_pages)) : NULL;
	for (int i = 0; i < cpu_count; i++)
		if (!buffers[i].shared)
			return false;
	return true;
}

static void lend_buffers(u32 first_list)
{
	u16 *offsets = (u16 *)(info + 1);

	info->tbuf_size = buffer_pages;
	for (int i = 0; i < cpu_count; i++) {
		u32 *frames = (u32 *)info + first_list + i * buffer_pages;

		offsets[i] = first_list + i * buffer_pages;
		for (u32 j = 0; j < buffer_pages; j++)
			frames[j] = lend_frame((u8 *)buffers[i].shared + j * PAGE_SIZE, true);
	}
	for (u32 i = 0; i < info_bytes / PAGE_SIZE; i++)
		lend_frame((u8 *)info + i * PAGE_SIZE, false);
}

static int set_size(u32 pages)
{
	u32 first_list = ROUND_UP(sizeof(struct t_info) + cpu_count * sizeof(u16), sizeof(u32)) / sizeof(u32);

	if (buffer_pages)
		return pages == buffer_pages ? -EBUSY : -EINVAL;
	if (!pages)
		return -EINVAL;
	buffer_pages = min(pages, BUFFER_MAX_PAGES);
	info_bytes = ROUND_UP((first_list + cpu_count * buffer_pages) * sizeof(u32), PAGE_SIZE);
	if (!make_buffers()) {
		free_buffers();
		return -ENOMEM;
	}
	lend_buffers(first_list);
	buffer_bytes = buffer_pages * PAGE_SIZE - sizeof(struct t_buf);
	return 0;
}

void trace_load_entries(void)
{
	struct vcpu *v = current;
	bool on = READ_ONCE(trace_mask) != 0;

	if (likely(v->cpu->traced == on))
		return;
	v->cpu->traced = on;
	buffers[v->cpu->id].lost = 0;
	buffers[v->cpu->id].running = id_of(v);
	load_idt(on);
	cpu_enter_mode(v->cpu, v->kernel_mode);
}

/* Returns when all CPUs have followed: none writes a record any more if it was turned off. One call at a time (trace_control()). */
static void apply(void)
{
	u32 mask = enabled ? wanted : 0;

	WRITE_ONCE(hypercall_entry, mask ? entry_hypercall_traced : entry_hypercall);
	WRITE_ONCE(trace_mask, mask);
	trace_load_entries();
	domain_wait_for_readers();
}

static int enable(bool on)
{
	if (on && !buffer_pages)
		return -EINVAL;
	enabled = on;
	apply();
	return 0;
}

static int set_cpu_mask(const struct xen_sysctl_tbuf_op *op)
{
	u64 mask = 0;

	if (copy_from_guest(&mask, op->cpu_mask.bitmap, min((op->cpu_mask.nr_bits + 7ul) / 8, sizeof(mask))))
		return -EFAULT;
	WRITE_ONCE(cpus_wanted, mask);
	return 0;
}

static int control(struct xen_sysctl_tbuf_op *op)
{
	switch (op->cmd) {
	case XEN_SYSCTL_TBUFOP_get_info:
		op->evt_mask = wanted;
		op->buffer_mfn = buffer_pages ? virt_to_mfn(info) : 0;
		op->size = buffer_pages ? info_bytes : 0;
		return 0;
	case XEN_SYSCTL_TBUFOP_set_cpu_mask:
		return set_cpu_mask(op);
	case XEN_SYSCTL_TBUFOP_set_evt_mask:
		wanted = op->evt_mask;
		apply();
		return 0;
	case XEN_SYSCTL_TBUFOP_set_size:
		return set_size(op->size);
	case XEN_SYSCTL_TBUFOP_enable:
		return enable(true);
	case XEN_SYSCTL_TBUFOP_disable:
		return enable(false);
	}
	return -EINVAL;
}

int trace_control(struct xen_sysctl_tbuf_op *op)
{
	int rc;

	control_lock();
	rc = control(op);
	control_unlock();
	return rc;
}
