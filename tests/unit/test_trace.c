/* SPDX-License-Identifier: MIT */
/*
 * The trace buffers against a reader on the host: whatever it stores in the words that are its own, records come out whole and in
 * order, those that found no room are counted, and nothing outside the buffer is written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <vcpu.h>
#undef current
#define current host_current
static struct vcpu *host_current;

/* The machine's instructions; time is a counter. */
#define PARAVANE_ASM_H
static u64 ticks = 1;
static u64 rdtsc(void) { return ticks++; }
static u64 read_cr2(void) { return 0; }
#define PARAVANE_UACCESS_H
static int get_guest_u32(u32 *to, u64 from) { return -1; }
static int copy_from_guest(void *to, u64 from, size_t n) { return -1; }
static void *mfn_to_virt_on_host;

#include <frames.h>
#define virt_to_mfn(p) (((u64)(p) - (u64)mfn_to_virt_on_host) >> PAGE_SHIFT)

#include "../../hypervisor/debug/trace.c"

#define PAGES 2
#define ROUNDS 200000

/* --- in place of other parts ------------------------------------------------------------------------------------------- */

static struct vcpu vcpu;
static struct domain domain0;
static struct cpu cpu[2];
struct cpu *cpus[MAX_CPUS] = { &cpu[0], &cpu[1] };
int cpu_count = 2;
struct domain *dom0 = &domain0;
void (*hypercall_entry)(void);
static int allocations_left, allocated, virqs, waits;
static bool idt_traced;

void *alloc_pages(int order)
{
	void *page;

	if (!allocations_left--)
		return NULL;
	page = aligned_alloc(PAGE_SIZE, PAGE_SIZE << order);
	memset(page, 0, PAGE_SIZE << order);
	allocated++;
	return page;
}

void free_pages(void *p, int order)
{
	allocated--;
	free(p);
}

mfn_t lend_frame(void *page, bool writable) { return virt_to_mfn(page); }
void entry_hypercall(void) { }
void entry_hypercall_traced(void) { }
void entry_user_syscall(void) { }
void load_idt(bool traced) { idt_traced = traced; }
void domain_wait_for_readers(void) { waits++; }
void send_global_virq(int virq) { virqs += virq == VIRQ_TBUF; }
void control_lock(void) { }
void control_unlock(void) { }

static int ask(u32 cmd, u32 value)
{
	struct xen_sysctl_tbuf_op op = { .cmd = cmd, .evt_mask = value, .size = value };

	return trace_control(&op);
}

/* --- the reader --------------------------------------------------------------------------------------------------------- */

static struct t_buf *shared(void) { return buffers[0].shared; }

static u32 waiting(void)
{
	u32 cons = shared()->cons, prod = shared()->prod;

	return prod >= cons ? prod - cons : prod + 2 * buffer_bytes - cons;
}

static u32 next_number, lost_in_all;	/* records carry 0, 1, 2, ... */

/* Reads one record; they come in order, but for those that are told as lost. */
static void read_one(void)
{
	struct t_buf *b = shared();
	u32 offset = b->cons % buffer_bytes, bytes;
	const u32 *at = (const u32 *)((const u8 *)(b + 1) + offset);
	u32 event = *at & 0x0fffffff, count = *at >> TRACE_EXTRA_SHIFT & TRACE_EXTRA_MAX;
	bool timed = *at & TRACE_HAS_CYCLES;

	bytes = (1 + 2 * timed + count) * sizeof(u32);
	assert_true(offset + bytes <= buffer_bytes && bytes <= waiting());
	at += 1 + 2 * timed;
	if (event == TRC_LOST_RECORDS) {
		assert_int_equal(count, 4);
		next_number += at[0];
		lost_in_all += at[0];
	} else if (event != TRC_TRACE_WRAP_BUFFER) {
		assert_int_equal(event, TRC_DOM0_DOM_ADD + count);
		for (u32 i = 0; i < count; i++)
			assert_int_equal(at[i], next_number);
		next_number++;
	} else {
		assert_int_equal(offset + bytes, buffer_bytes);
	}
	b->cons = (b->cons + bytes) % (2 * buffer_bytes);
}

static u32 random_state = 12345;

static u32 rnd(u32 n)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % n;
}

static void write_number(u32 number)
{
	u32 words[7], count = 1 + rnd(7);

	for (u32 i = 0; i < count; i++)
		words[i] = number;
	record(TRC_DOM0_DOM_ADD + count, words, count);
}

/* --- the tests ----------------------------------------------------------------------------------------------------------- */

/* Whichever allocation fails, nothing stays behind, and another try may succeed. */
static void makes_buffers(void **state)
{
	for (int n = 0; n < 3; n++) {
		allocations_left = n;
		assert_int_equal(ask(XEN_SYSCTL_TBUFOP_set_size, PAGES), -ENOMEM);
		assert_int_equal(allocated, 0);
		assert_int_equal(ask(XEN_SYSCTL_TBUFOP_enable, 0), -EINVAL);
	}
	allocations_left = 3;
	assert_int_equal(ask(XEN_SYSCTL_TBUFOP_set_size, 0), -EINVAL);
	assert_int_equal(ask(XEN_SYSCTL_TBUFOP_set_size, PAGES), 0);
	assert_int_equal(ask(XEN_SYSCTL_TBUFOP_set_size, PAGES), -EBUSY);
	assert_int_equal(ask(XEN_SYSCTL_TBUFOP_set_size, PAGES + 1), -EINVAL);
	assert_int_equal(info->tbuf_size, PAGES);
}

/* Entries are those that record while some event is wanted, in whatever order that is said. */
static void turns_on_and_off(void **state)
{
	assert_int_equal(ask(XEN_SYSCTL_TBUFOP_set_evt_mask, 0), 0);
	assert_int_equal(ask(XEN_SYSCTL_TBUFOP_enable, 0), 0);
	assert_true(!idt_traced && hypercall_entry == entry_hypercall);
	assert_int_equal(ask(XEN_SYSCTL_TBUFOP_set_evt_mask, TRC_ALL), 0);
	assert_true(idt_traced && hypercall_entry == entry_hypercall_traced && trace_mask == TRC_ALL);
	assert_int_equal(ask(XEN_SYSCTL_TBUFOP_disable, 0), 0);
	assert_true(!idt_traced && hypercall_entry == entry_hypercall && !trace_mask);
	assert_int_equal(waits, 4);
	assert_int_equal(ask(XEN_SYSCTL_TBUFOP_enable, 0), 0);
}

/* A reader that is now slow, now fast. */
static void wraps_and_loses(void **state)
{
	u32 number = 0;

	next_number = lost_in_all = 0;
	for (int i = 0; i < ROUNDS; i++) {
		write_number(number++);
		assert_true(waiting() <= buffer_bytes);
		for (u32 n = rnd(i / 1000 % 2 ? 4 : 2); n && waiting(); n--)
			read_one();
	}
	while (waiting())
		read_one();
	write_number(number++);		/* tells what was lost last */
	while (waiting())
		read_one();
	assert_int_equal(next_number, number);
	assert_true(lost_in_all > 1000 && lost_in_all < ROUNDS / 2);
}

/* prod is the hypervisor's own whatever stands in the shared word; a cons that cannot be is a full buffer, and any is harmless. */
static void takes_nonsense(void **state)
{
	static const u32 nonsense[] = { 1, 3, 0x7fffffff, 0xffffffff, 0x80000000 };
	u32 number = 0, prod;

	for (int i = 0; i < ROUNDS / 10; i++) {
		shared()->cons = i % 3 ? nonsense[rnd(ARRAY_SIZE(nonsense))] : rnd(2 * buffer_bytes + 16);
		shared()->prod = rnd(0xffffff);
		prod = buffers[0].prod;
		write_number(number++);
		assert_true(buffers[0].prod < 2 * buffer_bytes && buffers[0].prod % sizeof(u32) == 0);
		if (buffers[0].prod != prod)
			assert_int_equal(shared()->prod, buffers[0].prod);
	}
	shared()->cons = 0xffffffff;
	prod = buffers[0].prod;
	write_number(number++);
	assert_int_equal(buffers[0].prod, prod);
	shared()->cons = shared()->prod = prod;
	next_number = number - buffers[0].lost;
	write_number(number++);
	while (waiting())
		read_one();
	assert_int_equal(next_number, number);
}

/* Domain 0 is told once when a buffer becomes half full, not at each record or return. */
static void tells_once(void **state)
{
	shared()->cons = shared()->prod;
	buffers[0].half_full = false;
	virqs = 0;
	for (int i = 0; i < 2000; i++) {
		write_number(0);
		trace_return(&vcpu);
	}
	assert_int_equal(virqs, 1);
	shared()->cons = shared()->prod;
	for (int i = 0; i < 2000; i++) {
		write_number(0);
		trace_return(&vcpu);
	}
	assert_int_equal(virqs, 2);
}

/* What was lost before it was turned off is not told after it is turned on again. */
static void forgets_when_off(void **state)
{
	assert_true(buffers[0].lost);
	ask(XEN_SYSCTL_TBUFOP_disable, 0);
	write_number(0);
	shared()->cons = shared()->prod;
	ask(XEN_SYSCTL_TBUFOP_enable, 0);
	next_number = 7;
	write_number(7);
	while (waiting())
		read_one();
	assert_int_equal(next_number, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_buffers),
		cmocka_unit_test(turns_on_and_off),
		cmocka_unit_test(wraps_and_loses),
		cmocka_unit_test(takes_nonsense),
		cmocka_unit_test(tells_once),
		cmocka_unit_test(forgets_when_off),
	};

	vcpu.cpu = &cpu[0];
	vcpu.domain = &domain0;
	vcpu.kernel_mode = true;
	host_current = &vcpu;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
