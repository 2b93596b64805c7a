/* SPDX-License-Identifier: MIT */
/* Several vCPUs on several processors: how they start and stop, reach each other, keep time, and see each other's page tables. */
#include "guest.h"
#include "vcpus.h"

#define MS 1000000UL

static volatile bool stop;

static uint64_t nothing(uint64_t argument)
{
	return argument + 1;
}

/* --- start and stop -------------------------------------------------------------------------------------------- */

static void refused_contexts(void)
{
	struct vcpu_guest_context *c;

	check_eq("VCPU-UP-4", vcpu_op(VCPUOP_up, 1, NULL), -EINVAL, "up of a vCPU without a state");
	check_eq("VCPU-UP-5", vcpu_op(VCPUOP_is_up, 1, NULL), 0, "a vCPU that was never up");
	c = vcpu_context(1);
	c->user_regs.rip = NON_CANONICAL;
	check_eq("VCPU-INIT-3", vcpu_op(VCPUOP_initialise, 1, c), -EINVAL, "a rip that is not canonical");
	c = vcpu_context(1);
	c->trap_ctxt[3].address = NON_CANONICAL;
	check_eq("VCPU-INIT-4", vcpu_op(VCPUOP_initialise, 1, c), -EINVAL, "a handler's address that is not canonical");
	c = vcpu_context(1);
	c->ctrlreg[3] = mfn_of(c) << PAGE_SHIFT;
	check_eq("VCPU-INIT-5", vcpu_op(VCPUOP_initialise, 1, c), -EINVAL, "a root that is no page table");
	c = vcpu_context(1);
	c->gdt_ents = 512;
	c->gdt_frames[0] = boot_l4_mfn();
	check_eq("VCPU-INIT-6", vcpu_op(VCPUOP_initialise, 1, c), -EINVAL, "a GDT in a page table");
}

static void first_run(void)
{
	struct vcpu_guest_context *c = vcpu_context(1);
	uint64_t rsp = c->user_regs.rsp;

	check_eq("VCPU-INIT-7", vcpu_op(VCPUOP_initialise, 1, c), 0, "a good context, after refused ones");
	check_eq("VCPU-INIT-8", vcpu_op(VCPUOP_initialise, 1, c), -EEXIST, "a second one");
	spin_for(20 * MS);
	check("VCPU-INIT-9", vcpu_op(VCPUOP_is_up, 1, NULL) == 0 && !test_vcpu[1].beats, "initialised, it does not run");
	check_eq("VCPU-UP-6", vcpu_op(VCPUOP_up, 1, NULL), 0, "up");
	check("VCPU-UP-7", wait_change(&test_vcpu[1].beats, 0), "then it runs");
	check_eq("VCPU-UP-8", vcpu_op(VCPUOP_is_up, 1, NULL), 1, "and is up");
	check("VCPU-INIT-10", test_vcpu[1].first_rdi == 1001 && test_vcpu[1].first_rsp == rsp, "with the registers of its context");
	check_eq("VCPU-INIT-11", test_vcpu[1].first_mask, 1, "and its upcalls masked");
	check("VCPU-INIT-12", test_vcpu[1].first_rflags & 1 << 9, "and interrupts on in its flags");
}

static uint64_t go_down(uint64_t self)
{
	return (uint64_t)vcpu_op(VCPUOP_down, self, NULL);
}

static void down_and_up(void)
{
	uint64_t beats;

	check_eq("VCPU-DOWN-1", vcpu_op(VCPUOP_down, 1, NULL), 0, "down of another vCPU");
	check_eq("VCPU-DOWN-2", vcpu_op(VCPUOP_is_up, 1, NULL), 0, "it is not up");
	spin_for(20 * MS);
	beats = test_vcpu[1].beats;
	spin_for(50 * MS);
	check_eq("VCPU-DOWN-3", test_vcpu[1].beats, beats, "it does not run");
	check("VCPU-DOWN-4", vcpu_op(VCPUOP_up, 1, NULL) == 0 && wait_change(&test_vcpu[1].beats, beats), "up again, it goes on");
	vcpu_call(1, go_down, 1);
	spin_for(50 * MS);
	check("VCPU-DOWN-5", vcpu_op(VCPUOP_is_up, 1, NULL) == 0 && test_vcpu[1].function, "a vCPU puts itself down");
	vcpu_op(VCPUOP_up, 1, NULL);
	check_eq("VCPU-DOWN-6", vcpu_wait(1), 0, "put up again, its call returns 0");
	check("VCPU-DOWN-7", vcpu_op(VCPUOP_down, 3, NULL) == 0 && vcpu_op(VCPUOP_is_up, 3, NULL) == 0,
	      "down of one that has no state returns 0");
}

/* --- runstates ------------------------------------------------------------------------------------------------------ */

static struct vcpu_runstate_info runstate_of(unsigned int id)
{
	struct vcpu_runstate_info info = { .state = -1 };

	vcpu_op(VCPUOP_get_runstate_info, id, &info);
	return info;
}

static uint64_t total(const struct vcpu_runstate_info *i)
{
	return i->time[0] + i->time[1] + i->time[2] + i->time[3];
}

static uint64_t block_once(uint64_t argument)
{
	hypercall(sched_op, SCHEDOP_block, 0);
	return argument;
}

static void runstates(void)
{
	struct vcpu_runstate_info before, after;
	uint32_t port = (uint32_t)evtchn_bind_ipi(1);
	uint64_t start, taken;

	start = system_time();
	before = runstate_of(1);
	spin_for(30 * MS);
	after = runstate_of(1);
	taken = system_time() - start;
	check_eq("VCPU-RUNSTATE-6", after.state, RUNSTATE_running, "another vCPU that spins on its processor");
	check("VCPU-RUNSTATE-7", after.time[RUNSTATE_running] - before.time[RUNSTATE_running] >= 15 * MS, "its time running grows");
	check("VCPU-RUNSTATE-8", total(&after) - total(&before) <= taken && total(&after) - total(&before) >= 30 * MS,
	      "its times together grow as system time does");
	vcpu_call(1, block_once, 0);
	spin_for(30 * MS);
	check_eq("VCPU-RUNSTATE-9", runstate_of(1).state, RUNSTATE_blocked, "one that waits in block");
	evtchn_send(port);
	vcpu_wait(1);
	*(volatile uint8_t *)&test_vcpu[1].info->evtchn_upcall_mask = 1;
	check_eq("VCPU-RUNSTATE-10", runstate_of(3).state, RUNSTATE_offline, "one that was never up");
	evtchn_close(port);
}

static struct vcpu_runstate_info area;

static uint64_t register_area(uint64_t self)
{
	struct vcpu_register_runstate_memory_area op = { .addr.v = (uint64_t)&area };

	return (uint64_t)vcpu_op(VCPUOP_register_runstate_memory_area, self, &op);
}

static void runstate_area(void)
{
	volatile struct vcpu_runstate_info *seen = &area;

	check("VCPU-RSAREA-6", vcpu_run(1, register_area, 1) == 0 && seen->state == RUNSTATE_running && seen->time[RUNSTATE_running],
	      "a secondary vCPU's area is filled before the call returns");
	check("VCPU-RSAREA-7", seen->state_entry_time <= system_time(), "its entry time is not in the future");
}

/* --- reaching each other -------------------------------------------------------------------------------------------- */

static uint64_t unmask(uint64_t self)
{
	*(volatile uint8_t *)&test_vcpu[self].info->evtchn_upcall_mask = 0;
	hypercall(xen_version, 0, 0);
	return 0;
}

static uint64_t mask(uint64_t self)
{
	*(volatile uint8_t *)&test_vcpu[self].info->evtchn_upcall_mask = 1;
	return 0;
}

static uint64_t send(uint64_t port)
{
	return (uint64_t)evtchn_send((uint32_t)port);
}

static void ipis(void)
{
	uint32_t port1 = (uint32_t)evtchn_bind_ipi(1), port2 = (uint32_t)evtchn_bind_ipi(2), port0 = (uint32_t)evtchn_bind_ipi(0);
	struct evtchn_status status = { .dom = DOMID_SELF, .port = port1 };
	unsigned int mine = event_count[port1];
	bool all = true;

	hypercall(event_channel_op, EVTCHNOP_status, &status);
	check("EVTCHN-IPI-5", status.status == EVTCHNSTAT_ipi && status.vcpu == 1, "a port for vCPU 1, bound by vCPU 0");
	vcpu_start(2);
	vcpu_run(1, unmask, 1);
	vcpu_run(2, unmask, 2);
	check("EVTCHN-IPI-6", evtchn_send(port1) == 0 && wait_port(1, port1, 1), "a send interrupts that vCPU wherever it is");
	check("EVTCHN-IPI-7", test_vcpu[2].port_count[port1] == 0 && event_count[port1] == mine, "and no other");
	for (unsigned int n = 2; n <= 200 && all; n++)
		all = evtchn_send(port1) == 0 && wait_port(1, port1, n);
	check("EVTCHN-IPI-8", all, "200 in turn, each answered before the next");
	vcpu_run(1, send, port2);
	check("EVTCHN-IPI-9", wait_port(2, port2, 1), "one secondary vCPU to another");
	vcpu_run(2, send, port0);
	check("EVTCHN-IPI-10", port_pending(port0) && vcpu_info->evtchn_upcall_pending, "and to the first, which has upcalls masked");
	deliver_events();
	mask_upcalls(true);
	vcpu_run(1, mask, 1);
	vcpu_run(2, mask, 2);
	evtchn_send(port1);
	spin_for(10 * MS);
	check("EVTCHN-IPI-11", test_vcpu[1].port_count[port1] == 200 && test_vcpu[1].info->evtchn_upcall_pending,
	      "with upcalls masked it stays pending on its vCPU");
	vcpu_run(1, unmask, 1);
	check("EVTCHN-IPI-12", wait_port(1, port1, 201), "and comes when they are unmasked");
	vcpu_run(1, mask, 1);
	evtchn_close(port0);
	evtchn_close(port1);
	evtchn_close(port2);
}

static void moved_port(void)
{
	uint32_t peer = 0, port = (uint32_t)evtchn_loop(&peer);
	struct evtchn_bind_vcpu op = { .port = port, .vcpu = 1 };
	struct evtchn_status status = { .dom = DOMID_SELF, .port = port };

	port_clear(port);
	port_clear(peer);
	vcpu_run(1, unmask, 1);
	check_eq("EVTCHN-VCPU-7", hypercall(event_channel_op, EVTCHNOP_bind_vcpu, &op), 0, "bind_vcpu to a secondary vCPU");
	hypercall(event_channel_op, EVTCHNOP_status, &status);
	check_eq("EVTCHN-VCPU-8", status.vcpu, 1, "the status says so");
	check("EVTCHN-VCPU-9", evtchn_send(peer) == 0 && wait_port(1, port, 1), "events come there from now on");
	vcpu_run(1, mask, 1);
	evtchn_close(port);
	evtchn_close(peer);
	vcpu_info->evtchn_upcall_pending = 0;
	vcpu_info->evtchn_pending_sel = 0;
}

/* --- waiting --------------------------------------------------------------------------------------------------------- */

static uint64_t poll_port(uint64_t port)
{
	uint32_t ports = (uint32_t)port;
	struct sched_poll op = { .ports = (uint64_t)&ports, .nr_ports = 1 };

	return (uint64_t)hypercall(sched_op, SCHEDOP_poll, &op);
}

static uint64_t poll_until(uint64_t deadline)
{
	struct sched_poll op = { .timeout = deadline };
	uint64_t rc = (uint64_t)hypercall(sched_op, SCHEDOP_poll, &op);

	return rc ? rc : vcpu_time(vcpu_self());
}

static void waiting(void)
{
	uint32_t peer = 0, port = (uint32_t)evtchn_loop(&peer), ipi = (uint32_t)evtchn_bind_ipi(1);
	uint64_t deadline;
	bool all = true;

	port_clear(port);
	port_clear(peer);
	port_mask(port, true);
	vcpu_call(1, poll_port, port);
	spin_for(30 * MS);
	check("SCHED-POLL-14", test_vcpu[1].function && runstate_of(1).state == RUNSTATE_blocked,
	      "a vCPU that polls a quiet port is blocked");
	evtchn_send(peer);
	check_eq("SCHED-POLL-15", vcpu_wait(1), 0, "an event on the port, which notifies another vCPU, ends it");
	port_clear(port);
	for (int i = 0; i < 100 && all; i++) {
		vcpu_call(1, poll_port, port);
		if (i % 2)
			spin_for(MS / 10);
		evtchn_send(peer);
		all = vcpu_wait(1) == 0 && port_pending(port);
		port_clear(port);
	}
	check("SCHED-POLL-16", all, "100 times, however the event falls to it: no wake-up is lost");
	deadline = system_time() + 20 * MS;
	check("SCHED-POLL-17", vcpu_run(2, poll_until, deadline) >= deadline, "a timeout on a secondary vCPU ends it, not before");
	all = true;
	for (unsigned int i = 0; i < 100 && all; i++) {
		vcpu_call(1, block_once, 0);
		if (i % 2)
			spin_for(MS / 10);
		evtchn_send(ipi);
		all = vcpu_wait(1) == 0;
		vcpu_run(1, mask, 1);
	}
	check("SCHED-BLOCK-6", all, "block ends by an event from another vCPU, 100 times");
	check("SCHED-BLOCK-7", test_vcpu[1].port_count[ipi] > 0, "the upcall has come when it returns");
	evtchn_close(ipi);
	evtchn_close(port);
	evtchn_close(peer);
	vcpu_info->evtchn_upcall_pending = 0;
	vcpu_info->evtchn_pending_sel = 0;
}

/* --- timers and time --------------------------------------------------------------------------------------------------- */

static uint64_t shot(uint64_t deadline)
{
	struct vcpu_set_singleshot_timer op = { .timeout_abs_ns = deadline };

	return (uint64_t)vcpu_op(VCPUOP_set_singleshot_timer, vcpu_self(), &op);
}

static void timers(void)
{
	uint32_t port0 = (uint32_t)evtchn_bind_virq(VIRQ_TIMER, 0), port1 = (uint32_t)evtchn_bind_virq(VIRQ_TIMER, 1);
	struct vcpu_set_singleshot_timer op = { .timeout_abs_ns = system_time() + 10 * MS };
	struct vcpu_set_periodic_timer period = { .period_ns = 2 * MS };
	unsigned int had;

	check("EVTCHN-VIRQ-10", (int32_t)port1 > 0 && port1 != port0, "VIRQ_TIMER on vCPU 1, beside that of vCPU 0");
	check_eq("VCPU-SHOT-7", vcpu_op(VCPUOP_set_singleshot_timer, 1, &op), -EINVAL, "the single shot of another vCPU");
	vcpu_op(VCPUOP_stop_periodic_timer, 1, NULL);
	spin_for(5 * MS);
	port_clear(port0);
	vcpu_run(1, unmask, 1);
	spin_for(5 * MS);
	had = test_vcpu[1].port_count[port1];
	check("VCPU-SHOT-8", vcpu_run(1, shot, system_time() + 10 * MS) == 0 && wait_port(1, port1, had + 1),
	      "a secondary vCPU's own single shot interrupts it");
	check("VCPU-SHOT-9", !port_pending(port0), "and raises nothing on another");
	had = test_vcpu[1].port_count[port1];
	hypercall(set_timer_op, system_time() + 5 * MS);
	vcpu_run(1, shot, system_time() + 20 * MS);
	while (!port_pending(port0))
		relax();
	check("VCPU-SHOT-10", test_vcpu[1].port_count[port1] == had && wait_port(1, port1, had + 1), "each vCPU has its own deadline");
	had = test_vcpu[1].port_count[port1];
	check("VCPU-PERIODIC-7", vcpu_op(VCPUOP_set_periodic_timer, 1, &period) == 0 && wait_port(1, port1, had + 5),
	      "a periodic timer set for another vCPU runs there");
	check_eq("VCPU-PERIODIC-8", vcpu_op(VCPUOP_stop_periodic_timer, 1, NULL), 0, "and is stopped from elsewhere");
	spin_for(5 * MS);
	had = test_vcpu[1].port_count[port1];
	spin_for(20 * MS);
	check_eq("VCPU-PERIODIC-9", test_vcpu[1].port_count[port1], had, "then it comes no more");
	vcpu_run(1, mask, 1);
	evtchn_close(port0);
	evtchn_close(port1);
}

static volatile uint64_t ball;

/* Each adds its reading of the clock to what the other left: a later one must not be less. */
static uint64_t throw_back(uint64_t rounds)
{
	uint64_t back = 0, now;

	for (uint64_t n = 0; n < rounds; n++) {
		while (!(ball & 1))
			relax();
		now = vcpu_time(vcpu_self()) & ~1UL;
		back += now < (ball & ~1UL);
		ball = now;
	}
	return back;
}

static void clock(void)
{
	uint64_t back = 0, now;

	ball = 0;
	vcpu_call(1, throw_back, 1000);
	for (int n = 0; n < 1000; n++) {
		now = vcpu_time(0) & ~1UL;
		back += now < ball;
		ball = now | 1;
		while (ball & 1)
			relax();
	}
	back += vcpu_wait(1);
	if (!(vcpu_info->time.flags & test_vcpu[1].info->time.flags & XEN_PVCLOCK_TSC_STABLE_BIT))
		back = 0;
	check_eq("TIME-10", back, 0, "with the flag TSC_STABLE, 2000 readings in turn on two vCPUs never go back");
}

/* --- shared areas --------------------------------------------------------------------------------------------------------- */

static void moved_info(void)
{
	struct vcpu_info *page = page_alloc();
	struct vcpu_register_vcpu_info op = { .mfn = mfn_of(page), .offset = 128 };

	check_eq("VCPU-INFO-10", vcpu_op(VCPUOP_register_vcpu_info, 1, &op), -EINVAL, "of another vCPU that is up");
	check_eq("VCPU-INFO-11", vcpu_op(VCPUOP_register_vcpu_info, 3, &op), 0, "of another that is not up");
	test_vcpu[3].info = (void *)((char *)page + 128);
	vcpu_start(3);
	check("VCPU-INFO-12", test_vcpu[3].first_mask == 1 && vcpu_time(3) + 1000 * MS > system_time(),
	      "which then starts with mask and time there");
}

/* --- page tables ------------------------------------------------------------------------------------------------------------- */

static volatile uint64_t *word;

static uint64_t watch(uint64_t argument)
{
	uint64_t seen = 0;

	while (!stop) {
		seen |= *word;
		relax();
	}
	return *word;
}

static int64_t no_flush(void) { return 0; }
static uint64_t bitmap = 1 << 1;
static int64_t tlb_flush_all(void) { return mmuext(MMUEXT_TLB_FLUSH_ALL, 0, 0); }
static int64_t invlpg_all(void) { return mmuext(MMUEXT_INVLPG_ALL, (uint64_t)word, 0); }
static int64_t tlb_flush_multi(void) { return mmuext(MMUEXT_TLB_FLUSH_MULTI, 0, (uint64_t)&bitmap); }
static int64_t invlpg_multi(void) { return mmuext(MMUEXT_INVLPG_MULTI, (uint64_t)word, (uint64_t)&bitmap); }

/* vCPU 1 keeps reading a page whose entry changes; once the flush has returned it sees the new frame. */
static bool seen_elsewhere(uint64_t flags, int64_t (*flush)(void))
{
	uint64_t *a = page_alloc(), *b = page_alloc(), *window = page_alloc();
	bool seen = true;

	*a = 1;
	*b = 2;
	word = window;
	for (int i = 0; i < 20 && seen; i++) {
		map_frame(window, mfn_of(a), PTE_DATA);
		stop = false;
		vcpu_call(1, watch, 0);
		spin_for(MS / 10);
		if (hypercall(update_va_mapping, window, mfn_of(b) << PAGE_SHIFT | PTE_DATA, flags) || flush())
			seen = false;
		stop = true;
		seen = vcpu_wait(1) == 2 && seen;
		/* what vCPU 1 knows of the window is gone before it is mapped anew */
		mmuext(MMUEXT_TLB_FLUSH_ALL, 0, 0);
	}
	map_back(window);
	page_free(a);
	page_free(b);
	page_free(window);
	return seen;
}

static void shootdowns(void)
{
	check("MMUEXT-70", seen_elsewhere(UVMF_NONE, tlb_flush_all), "TLB_FLUSH_ALL");
	check("MMUEXT-71", seen_elsewhere(UVMF_NONE, invlpg_all), "INVLPG_ALL");
	check("MMUEXT-72", seen_elsewhere(UVMF_NONE, tlb_flush_multi), "TLB_FLUSH_MULTI with its bit");
	check("MMUEXT-73", seen_elsewhere(UVMF_NONE, invlpg_multi), "INVLPG_MULTI with its bit");
	check("UVM-60", seen_elsewhere(UVMF_TLB_FLUSH | UVMF_ALL, no_flush), "update_va_mapping with TLB_FLUSH and ALL");
	check("UVM-61", seen_elsewhere(UVMF_INVLPG | UVMF_ALL, no_flush), "with INVLPG and ALL");
	check("UVM-62", seen_elsewhere(UVMF_TLB_FLUSH | (uint64_t)&bitmap, no_flush), "with TLB_FLUSH and a bitmap");
	check("UVM-63", seen_elsewhere(UVMF_INVLPG | (uint64_t)&bitmap, no_flush), "with INVLPG and a bitmap");
}

/* --- where ---------------------------------------------------------------------------------------------------------------------- */

static void pinned(void)
{
	struct sched_pin_override op;
	bool all = true;

	for (int pcpu = 0; pcpu < 4; pcpu++) {
		op.pcpu = pcpu;
		all = all && hypercall(sched_op, SCHEDOP_pin_override, &op) == 0;
		op.pcpu = -1;
		all = all && hypercall(sched_op, SCHEDOP_pin_override, &op) == 0;
	}
	check("SCHED-PIN-5", all, "bound to each of four processors in turn");
}

void test_main(void)
{
	check_eq("VCPU-OP-4", vcpu_op(VCPUOP_is_up, 4, NULL), -ENOENT, "four vCPUs there are, no fifth");
	refused_contexts();
	first_run();
	down_and_up();
	check_eq("VCPU-UP-9", vcpu_run(1, nothing, 41), 42, "it does what the first asks of it");
	runstates();
	runstate_area();
	ipis();
	moved_port();
	waiting();
	timers();
	clock();
	moved_info();
	shootdowns();
	pinned();
}
