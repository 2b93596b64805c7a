/* SPDX-License-Identifier: MIT */
/* tbuf_op: trace buffers are made, found and mapped, and what is recorded in them is what was done. */
#include "domain.h"
#include "grants.h"
#include <abi/trace.h>

#define PAGES 4
#define BYTES (PAGES * PAGE_SIZE - sizeof(struct t_buf))

static uint8_t window[PAGES * PAGE_SIZE] __attribute__((aligned(4096)));
static struct t_buf *const buffer = (struct t_buf *)window;
static uint8_t *const records = window + sizeof(struct t_buf);

static int64_t tbuf(uint32_t cmd, uint32_t value, struct xen_sysctl_tbuf_op *result)
{
	struct xen_sysctl op = {.u.tbuf_op = {.cmd = cmd, .evt_mask = value, .size = value}};
	int64_t r = sysctl(XEN_SYSCTL_tbuf_op, &op);

	if (result)
		*result = op.u.tbuf_op;
	return r;
}

static int64_t set_cpus(const void *bitmap)
{
	struct xen_sysctl op = {.u.tbuf_op = {.cmd = XEN_SYSCTL_TBUFOP_set_cpu_mask,
					      .cpu_mask = {.bitmap = (uint64_t)bitmap, .nr_bits = 64}}};

	return sysctl(XEN_SYSCTL_tbuf_op, &op);
}

static void before(void)
{
	struct xen_sysctl_tbuf_op info;

	check("SYSCTL-TRACE-1",
	      tbuf(XEN_SYSCTL_TBUFOP_get_info, 0, &info) == 0 && !info.buffer_mfn && !info.size,
	      "before set_size there are no buffers: get_info gives frame 0, size 0");
	check_eq("SYSCTL-TRACE-2", info.evt_mask, TRC_ALL, "all events are chosen at first");
	check_eq("SYSCTL-TRACE-3", tbuf(99, 0, NULL), -EINVAL, "an unknown cmd fails with -EINVAL");
	check_eq("SYSCTL-TRACE-4", tbuf(XEN_SYSCTL_TBUFOP_enable, 0, NULL), -EINVAL,
		 "enable without buffers fails with -EINVAL");
	check_eq("SYSCTL-TRACE-5", tbuf(XEN_SYSCTL_TBUFOP_disable, 0, NULL), 0,
		 "disable without buffers succeeds");
	check_eq("SYSCTL-TRACE-6", tbuf(XEN_SYSCTL_TBUFOP_set_size, 0, NULL), -EINVAL,
		 "a size of 0 fails with -EINVAL");
}

static void mapped(const struct xen_sysctl_tbuf_op *info)
{
	struct t_info *t = page_alloc();
	const uint32_t *list;
	int64_t r = 0;

	check("SYSCTL-TRACE-11", map_other(t, info->buffer_mfn, PTE_DATA, DOMID_XEN) < 0,
	      "t_info cannot be mapped writable");
	check_eq("SYSCTL-TRACE-12", map_other(t, info->buffer_mfn, PTE_PRESENT | PTE_ACCESSED, DOMID_XEN), 0,
		 "it can be mapped read-only, as a frame of DOMID_XEN");
	check_eq("SYSCTL-TRACE-13", t->tbuf_size, PAGES, "tbuf_size is the size that was set");
	list = (const uint32_t *)t + *(const uint16_t *)(t + 1);
	check("SYSCTL-TRACE-14", (const uint8_t *)(list + PAGES) <= (const uint8_t *)t + info->size,
	      "CPU 0's list of frames lies in t_info");
	for (int i = 0; i < PAGES; i++)
		r |= map_other(window + i * PAGE_SIZE, list[i], PTE_DATA, DOMID_XEN);
	check_eq("SYSCTL-TRACE-15", r, 0, "its frames can be mapped writable");
	check("SYSCTL-TRACE-16", buffer->cons < 2 * BYTES && buffer->prod < 2 * BYTES,
	      "cons and prod are below twice the room for records");
	note("cons %u prod %u", buffer->cons, buffer->prod);
	map_back(t);
}

static void size(void)
{
	struct xen_sysctl_tbuf_op info;

	check_eq("SYSCTL-TRACE-7", tbuf(XEN_SYSCTL_TBUFOP_set_size, PAGES, NULL), 0, "set_size makes buffers");
	check_eq("SYSCTL-TRACE-8", tbuf(XEN_SYSCTL_TBUFOP_set_size, PAGES, NULL), -EBUSY,
		 "once more with the same size fails with -EBUSY");
	check_eq("SYSCTL-TRACE-9", tbuf(XEN_SYSCTL_TBUFOP_set_size, PAGES + 1, NULL), -EINVAL,
		 "with another size it fails with -EINVAL");
	check("SYSCTL-TRACE-10",
	      tbuf(XEN_SYSCTL_TBUFOP_get_info, 0, &info) == 0 && info.buffer_mfn && info.size &&
		      info.size % PAGE_SIZE == 0,
	      "then get_info gives the first frame of t_info and its size, whole pages");
	mapped(&info);
}

/* --- records ---------------------------------------------------------------- */

struct record {
	uint32_t event;
	int words;
	const uint32_t *word;
	uint64_t tsc;	/* 0: none */
};

static uint32_t cursor;
static bool crossed;	/* a record lay across the end */

static bool next_record(struct record *r)
{
	uint32_t offset = cursor % BYTES, bytes;
	const uint32_t *at = (const uint32_t *)(records + offset);

	if (cursor == buffer->prod)
		return false;
	r->event = *at & 0x0fffffff;
	r->words = *at >> TRACE_EXTRA_SHIFT & TRACE_EXTRA_MAX;
	r->tsc = *at & TRACE_HAS_CYCLES ? at[1] | (uint64_t)at[2] << 32 : 0;
	r->word = at + (r->tsc ? 3 : 1);
	bytes = (r->tsc ? 12 : 4) + r->words * 4;
	crossed |= offset + bytes > BYTES;
	cursor = (cursor + bytes) % (2 * BYTES);
	return !crossed;
}

static void forget(void)
{
	buffer->cons = buffer->prod;
}

/* How many records there are of an event, whose first word, without the bits of `ignored`, is that. The last is in *r. */
static int count_records(uint32_t event, uint32_t word, uint32_t ignored, struct record *r)
{
	struct record x;
	int n = 0;

	cursor = buffer->cons;
	while (next_record(&x)) {
		if (x.event == event && x.words && (x.word[0] & ~ignored) == word) {
			*r = x;
			n++;
		}
	}
	return n;
}

static void enable(void)
{
	forget();
	tbuf(XEN_SYSCTL_TBUFOP_enable, 0, NULL);
}

static void disable(void)
{
	tbuf(XEN_SYSCTL_TBUFOP_disable, 0, NULL);
}

#define ARGUMENT_BITS 0xfff00000u

static uint64_t ticks(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return low | (uint64_t)high << 32;
}

static int version_calls(void)
{
	struct record r;

	return count_records(TRC_PV_HYPERCALL_V2, __HYPERVISOR_xen_version, ARGUMENT_BITS, &r);
}

static int one_traced_call(void)
{
	enable();
	hypercall(xen_version, XENVER_version, 0);
	disable();
	return version_calls();
}

static void hypercalls(void)
{
	struct record r;
	uint64_t start = ticks(), last = start;
	bool ascending = true;
	uint32_t prod;

	check_eq("SYSCTL-TRACE-17", one_traced_call(), 1, "a hypercall is recorded once, with its number");
	for (cursor = buffer->cons; next_record(&r);) {
		ascending &= !r.tsc || r.tsc >= last;
		last = r.tsc ? r.tsc : last;
	}
	check("SYSCTL-TRACE-18", cursor == buffer->prod && !crossed, "records follow each other up to prod");
	check("SYSCTL-TRACE-19", ascending && last <= ticks() && last > start,
	      "their times are the TSC's, and ascend");
	prod = buffer->prod;
	hypercall(xen_version, XENVER_version, 0);
	check_eq("SYSCTL-TRACE-20", buffer->prod, prod, "after disable nothing is recorded");
}

static void subcalls(void)
{
	struct multicall_entry list[2] = {
		{.op = __HYPERVISOR_xen_version, .args = {XENVER_version}},
		{.op = __HYPERVISOR_sched_op, .args = {SCHEDOP_yield}},
	};
	struct record r;

	enable();
	hypercall(multicall, list, 2);
	disable();
	check_eq("SYSCTL-TRACE-21", count_records(TRC_PV_HYPERCALL_SUBCALL, __HYPERVISOR_xen_version, ARGUMENT_BITS, &r), 1,
		 "an entry of a multicall is recorded");
	check("SYSCTL-TRACE-22", count_records(TRC_SCHED_YIELD, 0, 0, &r) == 1 && r.words == 2 && r.word[1] == 0,
	      "so is that a vCPU yields, with domain and vCPU");
}

INSTRUCTION(undefined, "ud2")

static void exceptions(void)
{
	struct record r;
	uint64_t rip, address;
	bool found = false;

	enable();
	attempt_read((void *)UNMAPPED);
	attempt(undefined, 0);
	disable();
	for (cursor = buffer->cons; next_record(&r);) {
		if (r.event != (TRC_PV_PAGE_FAULT | TRC_64_FLAG) || r.words != 5)
			continue;
		rip = r.word[0] | (uint64_t)r.word[1] << 32;
		address = r.word[2] | (uint64_t)r.word[3] << 32;
		found |= address == UNMAPPED && rip > (uint64_t)hypercall_page - 0x1000000 && rip < (uint64_t)image_end;
	}
	check("SYSCTL-TRACE-23", found, "a page fault is recorded with rip and address");
	found = false;
	for (cursor = buffer->cons; next_record(&r);)
		found |= r.event == (TRC_PV_TRAP | TRC_64_FLAG) && r.words == 3 && (r.word[2] & 0x7fff) == VECTOR_UD;
	check("SYSCTL-TRACE-24", found, "another exception with rip and vector");
}

static void scheduling(void)
{
	uint32_t change = TRC_SCHED_RUNSTATE_CHANGE, idle = DOMID_IDLE;
	struct record r;

	enable();
	sleep_for(2000000);
	disable();
	check("SYSCTL-TRACE-25", count_records(TRC_SCHED_BLOCK, 0, 0, &r) >= 1 && r.words == 2,
	      "a vCPU that blocks is recorded, with domain and vCPU");
	check("SYSCTL-TRACE-26", count_records(TRC_SCHED_WAKE, 0, 0, &r) >= 1 && r.words == 2, "and that it wakes");
	check("SYSCTL-TRACE-27", count_records(change | RUNSTATE_running << 8 | RUNSTATE_blocked << 4, 0, 0, &r) >= 1,
	      "changes of its runstate: from running to blocked");
	check("SYSCTL-TRACE-28", count_records(change | RUNSTATE_blocked << 8 | RUNSTATE_runnable << 4, 0, 0, &r) >= 1,
	      "to runnable");
	check("SYSCTL-TRACE-29", count_records(change | RUNSTATE_runnable << 8 | RUNSTATE_running << 4, 0, 0, &r) >= 1,
	      "and to running");
	check("SYSCTL-TRACE-30",
	      count_records(TRC_SCHED_SWITCH, 0, 0, &r) >= 1 && r.words == 4 && r.word[2] == idle,
	      "a switch has who ran and who runs, here the idle domain");
	check("SYSCTL-TRACE-31", count_records(TRC_SCHED_SWITCH, idle, 0, &r) >= 1 && r.word[2] == 0 && r.word[3] == 0,
	      "and back");
}

static void domains(void)
{
	struct grant_entry_v1 *table = grant_table_map();
	uint8_t *page = page_alloc(), *at = page_alloc();
	struct record r;
	uint32_t handle;
	uint16_t id;

	enable();
	id = (uint16_t)create_empty(1);
	domain_destroy(id);
	disable();
	check_eq("SYSCTL-TRACE-32", count_records(TRC_DOM0_DOM_ADD, id, 0, &r), 1, "a new domain is recorded");
	check_eq("SYSCTL-TRACE-33", count_records(TRC_DOM0_DOM_REM, id, 0, &r), 1, "and its end");
	grant_page(table, 9, OWN_ID, page, GTF_permit_access);
	enable();
	grant_map((uint64_t)at, GNTMAP_host_map, 9, OWN_ID, &handle);
	grant_unmap((uint64_t)at, handle);
	disable();
	check_eq("SYSCTL-TRACE-34", count_records(TRC_MEM_PAGE_GRANT_MAP, OWN_ID, 0, &r), 1,
		 "a granted page that is mapped, with the granting domain");
	check_eq("SYSCTL-TRACE-35", count_records(TRC_MEM_PAGE_GRANT_UNMAP, OWN_ID, 0, &r), 1, "and that it is unmapped");
	map_back(at);
}

/* --- masks ------------------------------------------------------------------ */

static int with_events(uint32_t mask)
{
	tbuf(XEN_SYSCTL_TBUFOP_set_evt_mask, mask, NULL);
	return one_traced_call();
}

static void masks(void)
{
	struct xen_sysctl_tbuf_op info;
	uint64_t none = 0, all = ~0ULL;

	check_eq("SYSCTL-TRACE-36", with_events(TRC_SCHED), 0, "events of a class that is not chosen are not recorded");
	tbuf(XEN_SYSCTL_TBUFOP_get_info, 0, &info);
	check_eq("SYSCTL-TRACE-37", info.evt_mask, TRC_SCHED, "get_info gives the events that were chosen");
	check_eq("SYSCTL-TRACE-38", with_events(0x00202000), 0, "nor those of another part of the class");
	check_eq("SYSCTL-TRACE-39", with_events(0x00201000), 1, "those of a chosen part are");
	check_eq("SYSCTL-TRACE-40", with_events(0), 0, "with no events chosen nothing is recorded");
	tbuf(XEN_SYSCTL_TBUFOP_set_evt_mask, TRC_ALL, NULL);
	check_eq("SYSCTL-TRACE-41", set_cpus((void *)UNMAPPED), -EFAULT, "a set of CPUs that cannot be read fails with -EFAULT");
	check_eq("SYSCTL-TRACE-42", one_traced_call(), 1, "and changes nothing");
	check("SYSCTL-TRACE-43", set_cpus(&none) == 0 && one_traced_call() == 0, "a CPU outside the set records nothing");
	check("SYSCTL-TRACE-44", set_cpus(&all) == 0 && one_traced_call() == 1, "one in it does");
}

/* --- full ------------------------------------------------------------------- */

static void calls(int n)
{
	while (n--)
		hypercall(xen_version, XENVER_version, 0);
}

static void full(void)
{
	struct record r;
	uint32_t prod, used;
	int before_lost = 0;

	enable();
	calls(2000);
	prod = buffer->prod;
	used = prod >= buffer->cons ? prod - buffer->cons : prod + 2 * BYTES - buffer->cons;
	check("SYSCTL-TRACE-45", used <= BYTES && used > BYTES - 100, "a buffer that is not read becomes full");
	calls(10);
	check_eq("SYSCTL-TRACE-46", buffer->prod, prod, "and then stays as it is");
	forget();
	calls(10);
	disable();
	for (cursor = buffer->cons; next_record(&r) && r.event != TRC_LOST_RECORDS;)
		before_lost += r.event != TRC_TRACE_WRAP_BUFFER;
	check("SYSCTL-TRACE-47", r.event == TRC_LOST_RECORDS && before_lost == 0 && r.word[0] >= 10,
	      "once it is read, the first record says how many were lost");
	for (int i = 0; i < 20; i++) {
		enable();
		calls(37);
		disable();
		if (version_calls() != 37)
			break;
		used = i + 1;
	}
	check("SYSCTL-TRACE-48", used == 20 && !crossed, "no record lies across the buffer's end");
}

void test_main(void)
{
	before();
	size();
	hypercalls();
	subcalls();
	exceptions();
	scheduling();
	domains();
	masks();
	full();
}
