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
#include <abi/sysctl.h>
#include <asm.h>
#include <cpu.h>
#include <domain.h>
#include <entry.h>
#include <evtchn.h>
#include <frames.h>
#include <string.h>
#include <trace.h>
#include <uaccess.h>

#define BUFFER_MAX_PAGES 256
#define MAX_SUBCALLS 32u

struct trace_buffer {
	struct t_buf *shared;
	u32 prod;
	u32 lost;		/* records since the buffer was full, */
	u64 lost_since;		/* and the time of the first */
	bool half_full;		/* to be told to domain 0 */
};

u32 trace_mask;
static u32 wanted = TRC_ALL;		/* trace_mask when enabled */
static u64 cpus_wanted = ~0ull;
static struct trace_buffer buffers[MAX_CPUS];
static u32 buffer_bytes;		/* without the header; 0: there are none */
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

static void record(u32 event, const u32 *words, int count)
{
	int cpu = current->cpu->id;
	struct trace_buffer *b = &buffers[cpu];

	if (!(trace_mask & event & TRC_ALL) || !(cpus_wanted >> cpu & 1))
		return;
	if ((b->lost && !tell_lost(b)) || !make_room(b, 3 + count))
		return lose(b);
	write_record(b, event, true, words, count);
	if (room(b) < buffer_bytes / 2)
		b->half_full = true;
}

#define RECORD(event, ...) do { \
	const u32 words[] = { __VA_ARGS__ }; \
	record(event, words, ARRAY_SIZE(words)); \
} while (0)
#define LONG(x) (u32)(x), (u32)((u64)(x) >> 32)
#define VCPU(v) ((v)->domain ? (u32)(v)->domain->id << 16 | (v)->id : ~0u)

/* --- entries and returns -------------------------------------------------------------------------------------- */

static void want_return(struct vcpu *v)
{
	for (int i = 0; i < TRACED_COUNTERS; i++)
		v->traced_counters[i] = v->counters[i];
	__atomic_or_fetch(&v->work, WORK_TRACE, __ATOMIC_RELAXED);
}

/* Numbers of a multicall's entries, as they stand before it starts. */
static void record_subcalls(u64 list, u32 count)
{
	for (u32 i = 0; i < min(count, MAX_SUBCALLS); i++) {
		u64 number;

		if (get_guest_u64(&number, list + i * sizeof(struct multicall_entry)))
			return;
		RECORD(TRC_PV_HYPERCALL_SUBCALL, number);
	}
}

/* The number, and the first three arguments as 64-bit words (bits 20 to 25 say so). */
void trace_hypercall(struct vcpu *v)
{
	const struct cpu_user_regs *r = &v->regs;

	RECORD(TRC_PV_HYPERCALL_V2, (u32)r->rax | 2u << 20 | 2u << 22 | 2u << 24, LONG(r->rdi), LONG(r->rsi), LONG(r->rdx));
	if (r->rax == __HYPERVISOR_multicall)
		record_subcalls(r->rdi, r->rsi);
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
		RECORD(TRC_PV_TRAP | TRC_64_FLAG, LONG(rip), vector | (u32)error << 16);
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

	RECORD(TRC_PARAVANE_RETURN, VCPU(v), exits_since_entry(v), LONG(v->regs.rip));
	if (b->half_full) {
		b->half_full = false;
		send_guest_virq(dom0, VIRQ_TBUF);
	}
}

void trace_runstate_change(struct vcpu *v, int state)
{
	RECORD(TRC_SCHED_RUNSTATE_CHANGE | (u32)v->runstate << 8 | (u32)state << 4, VCPU(v));
}

/* --- control ---------------------------------------------------------------------------------------------------- */

static int order_of(u64 pages)
{
	int order = 0;

	while (1ul << order < pages)
		order++;
	return order;
}

static bool make_buffer(int cpu, u32 pages, u32 *frames)
{
	void *page = alloc_pages(order_of(pages));

	if (!page)
		return false;
	for (u32 i = 0; i < pages; i++)
		frames[i] = lend_frame(page + i * PAGE_SIZE);
	buffers[cpu] = (struct trace_buffer){ .shared = page };
	return true;
}

static int set_size(u32 pages)
{
	u32 first = ROUND_UP(sizeof(struct t_info) + cpu_count * sizeof(u16), sizeof(u32)) / sizeof(u32);
	u16 *offsets;

	if (info || !pages || pages > BUFFER_MAX_PAGES)
		return -EINVAL;
	info_bytes = ROUND_UP((first + cpu_count * pages) * sizeof(u32), PAGE_SIZE);
	info = alloc_pages(order_of(info_bytes / PAGE_SIZE));
	if (!info)
		return -ENOMEM;
	info->tbuf_size = pages;
	offsets = (u16 *)(info + 1);
	for (int i = 0; i < cpu_count; i++) {
		offsets[i] = first + i * pages;
		if (!make_buffer(i, pages, (u32 *)info + offsets[i]))
			return -ENOMEM;
	}
	for (u32 i = 0; i < info_bytes / PAGE_SIZE; i++)
		lend_frame((u8 *)info + i * PAGE_SIZE);
	buffer_bytes = pages * PAGE_SIZE - sizeof(struct t_buf);
	return 0;
}

void trace_load_entries(void)
{
	struct vcpu *v = current;
	bool on = trace_mask != 0;

	if (v->cpu->traced == on)
		return;
	v->cpu->traced = on;
	load_idt(on);
	cpu_enter_mode(v->cpu, v->kernel_mode);
}

/* Other CPUs follow when the kick reaches them. */
static int enable(bool on)
{
	if (!buffer_bytes)
		return on ? -EINVAL : 0;
	WRITE_ONCE(trace_mask, on ? wanted : 0);
	hypercall_entry = on ? entry_hypercall_traced : entry_hypercall;
	trace_load_entries();
	for (int i = 0; i < cpu_count; i++)
		if (cpus[i] != current->cpu)
			send_kick(cpus[i]);
	return 0;
}

static int set_cpu_mask(const struct xen_sysctl_tbuf_op *op)
{
	u64 mask = 0;

	if (copy_from_guest(&mask, op->cpu_mask.bitmap, min((op->cpu_mask.nr_bits + 7ul) / 8, sizeof(mask))))
		return -EFAULT;
	cpus_wanted = mask;
	return 0;
}

int trace_control(struct xen_sysctl_tbuf_op *op)
{
	switch (op->cmd) {
	case XEN_SYSCTL_TBUFOP_get_info:
		op->evt_mask = wanted;
		op->buffer_mfn = buffer_bytes ? virt_to_mfn(info) : 0;
		op->size = buffer_bytes ? info_bytes : 0;
		return 0;
	case XEN_SYSCTL_TBUFOP_set_cpu_mask:
		return set_cpu_mask(op);
	case XEN_SYSCTL_TBUFOP_set_evt_mask:
		wanted = op->evt_mask;
		if (trace_mask)
			WRITE_ONCE(trace_mask, wanted);
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
