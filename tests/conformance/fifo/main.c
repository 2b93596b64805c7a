/* SPDX-License-Identifier: MIT */
/*
 * The FIFO ABI of event channels. Upcalls stay masked but for one, so that the queues can be
 * looked at; words and control block are the guest's own pages.
 */
#include "guest.h"

#define PENDING (1U << EVTCHN_FIFO_PENDING)
#define MASKED (1U << EVTCHN_FIFO_MASKED)
#define LINKED (1U << EVTCHN_FIFO_LINKED)

static volatile uint32_t *words;
static volatile struct evtchn_fifo_control_block *block;

static int64_t init(uint64_t mfn, uint32_t offset, uint32_t vcpu, uint8_t *link_bits)
{
	struct evtchn_init_control op = { .control_gfn = mfn, .offset = offset, .vcpu = vcpu };
	int64_t r = hypercall(event_channel_op, EVTCHNOP_init_control, &op);

	*link_bits = op.link_bits;
	return r;
}

static int64_t expand(uint64_t mfn)
{
	struct evtchn_expand_array op = { .array_gfn = mfn };

	return hypercall(event_channel_op, EVTCHNOP_expand_array, &op);
}

static int64_t set_priority(uint32_t port, uint32_t priority)
{
	struct evtchn_set_priority op = { .port = port, .priority = priority };

	return hypercall(event_channel_op, EVTCHNOP_set_priority, &op);
}

/* Take everything off the queues, as a guest would, without looking at it. */
static void drain(void)
{
	for (unsigned int q = 0; q < EVTCHN_FIFO_MAX_QUEUES; q++) {
		uint32_t port = block->head[q], next;

		for (; port; port = next) {
			next = words[port] & EVTCHN_FIFO_LINK_MASK;
			words[port] &= ~(PENDING | LINKED | EVTCHN_FIFO_LINK_MASK);
		}
		block->head[q] = 0;
	}
	block->ready = 0;
	vcpu_info->evtchn_upcall_pending = 0;
}

static void before_the_switch(const void *page)
{
	uint8_t bits;

	check_eq("FIFO-INIT-1", init(mfn_of(page), 0, 1000, &bits), -ENOENT,
		 "a vCPU that does not exist");
	check_eq("FIFO-INIT-2", init(mfn_of(page), 4, 0, &bits), -EINVAL,
		 "an offset that is not a multiple of 8");
	check("FIFO-INIT-3",
	      init(mfn_of(page), 4096 - 64, 0, &bits) == -EINVAL &&
		      init(mfn_of(page), 0xfffffff8, 0, &bits) == -EINVAL,
	      "a block that would leave its page");
	check("FIFO-INIT-4",
	      init(0xffffffffff, 0, 0, &bits) == -EINVAL && init(boot_l4_mfn(), 0, 0, &bits) == -EINVAL,
	      "a frame that does not exist, a page table");
	check_eq("FIFO-INIT-7", expand(mfn_of(page)), -EOPNOTSUPP,
		 "the domain is still in the two-level ABI");
}

static void queues(uint32_t a, uint32_t b)
{
	drain();
	evtchn_send(a);
	check("FIFO-EVENT-1",
	      (words[a] & (PENDING | LINKED)) == (PENDING | LINKED) &&
		      vcpu_info->evtchn_upcall_pending == 1,
	      "an event: PENDING, LINKED, ready, upcall_pending");
	check("FIFO-EVENT-2",
	      block->head[EVTCHN_FIFO_PRIORITY_DEFAULT] == a &&
		      block->ready == 1 << EVTCHN_FIFO_PRIORITY_DEFAULT,
	      "it is in queue 7");
	evtchn_send(b);
	check("FIFO-EVENT-3",
	      block->head[7] == a && (words[a] & EVTCHN_FIFO_LINK_MASK) == b && (words[b] & LINKED),
	      "another is linked behind it");
	evtchn_send(a);
	check("FIFO-EVENT-6",
	      (words[a] & EVTCHN_FIFO_LINK_MASK) == b && (words[b] & EVTCHN_FIFO_LINK_MASK) == 0,
	      "a linked port is not linked again");
	drain();
	check("FIFO-PRIORITY-1",
	      set_priority(a, 2) == 0 && evtchn_send(a) == 0 && block->head[2] == a &&
		      (block->ready & 4),
	      "queue 2");
	check("FIFO-PRIORITY-2", set_priority(a, 16) == -EINVAL && set_priority(a, ~0U) == -EINVAL,
	      "there is no queue 16");
	check_eq("FIFO-PRIORITY-3", set_priority(0x7fffffff, 7), -EINVAL, "a port out of range");
	drain();
}

static void masking(uint32_t port)
{
	struct evtchn_unmask unmask = { .port = port };
	struct sched_poll poll = { .ports = (uint64_t)&port,
				   .nr_ports = 1,
				   .timeout = system_time() + 10000000000 };
	uint64_t start = system_time();
	int64_t r;

	words[port] |= MASKED;
	evtchn_send(port);
	check("FIFO-EVENT-4", (words[port] & (PENDING | LINKED)) == PENDING && block->ready == 0,
	      "masked: PENDING only");
	r = hypercall(sched_op, SCHEDOP_poll, &poll);
	check("FIFO-EVENT-7", r == 0 && system_time() < start + 5000000000, "poll of a pending port");
	r = hypercall(event_channel_op, EVTCHNOP_unmask, &unmask);
	check("FIFO-EVENT-5",
	      r == 0 && (words[port] & (PENDING | LINKED | MASKED)) == (PENDING | LINKED) &&
		      block->ready,
	      "unmask links it");
	drain();
}

/* The runtime's upcall looks at two-level words; here it only has to come. */
static void delivery(uint32_t port)
{
	unsigned int before = upcalls;

	evtchn_send(port);
	deliver_events();
	mask_upcalls(true);
	check_eq("FIFO-EVENT-9", upcalls, before + 1, "an upcall is delivered");
	drain();
	evtchn_send(port);
	evtchn_close(port);
	check_eq("FIFO-EVENT-8", words[port] & PENDING, 0, "a closed port is not pending");
	drain();
}

void test_main(void)
{
	void *control = page_alloc();
	uint32_t early = (uint32_t)evtchn_bind_ipi(0), a, b;
	struct evtchn_reset reset = { .dom = DOMID_SELF };
	uint8_t bits = 0;
	int64_t r;

	words = page_alloc();
	before_the_switch(control);
	evtchn_send(early);
	block = (struct evtchn_fifo_control_block *)((uint8_t *)control + 0x40);
	r = init(mfn_of(control), 0x40, 0, &bits);
	check("FIFO-INIT-5", r == 0 && bits == EVTCHN_FIFO_LINK_BITS,
	      "the domain switches; link_bits is 17");
	check_eq("FIFO-INIT-6", init(mfn_of(control), 0x400, 0, &bits), -EINVAL,
		 "a vCPU has one control block");
	check("FIFO-ARRAY-2", expand(0xffffffffff) == -EINVAL && expand(boot_l4_mfn()) == -EINVAL,
	      "a frame that does not exist, a page table");
	check_eq("FIFO-ARRAY-1", expand(mfn_of((void *)(uint64_t)words)), 0,
		 "the array gets its first page");
	check("FIFO-ARRAY-3", words[early] & PENDING, "a port that was pending at the switch is still");
	a = (uint32_t)evtchn_bind_ipi(0);
	b = (uint32_t)evtchn_bind_ipi(0);
	queues(a, b);
	masking(a);
	delivery(a);
	check("FIFO-EVENT-10",
	      hypercall(event_channel_op, EVTCHNOP_reset, &reset) == 0 &&
		      expand(mfn_of(control)) == -EOPNOTSUPP,
	      "reset goes back to the two-level ABI");
}
