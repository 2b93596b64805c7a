/* SPDX-License-Identifier: MIT */
/* A domain with two vCPUs: the first starts the second, and each wakes the other. */
#include "domain.h"

static struct domain *d;
static struct vcpu_guest_context second __attribute__((aligned(4096)));
static uint64_t stack[2048] __attribute__((aligned(16)));
static volatile uint32_t running, told, stop, answers, got_argument;
static uint32_t to_second, to_first;

static void wait_port(uint32_t port)
{
	struct sched_poll op = {.ports = (uint64_t)&port, .nr_ports = 1, .timeout = 0};

	while (!port_pending(port))
		hypercall(sched_op, SCHEDOP_poll, &op);
	port_clear(port);
}

/* The second vCPU, which has no handlers: it waits by SCHEDOP_poll only. */
static void second_code(uint64_t argument)
{
	got_argument = (uint32_t)argument;
	running = 1;
	evtchn_send(to_first);
	for (;;) {
		wait_port(to_second);
		if (stop)
			hypercall(vcpu_op, VCPUOP_down, 1, 0);
		answers++;
		evtchn_send(to_first);
	}
}

static bool soon(volatile uint32_t *word, uint32_t value)
{
	for (uint64_t end = system_time() + 2000000000; *word != value && system_time() < end;)
		sleep_for(100000);
	return *word == value;
}

static void prepare(void)
{
	second.flags = VGCF_in_kernel;
	second.user_regs.cs = USER_CS;
	second.user_regs.ss = USER_SS;
	second.user_regs.rflags = 1 << 9;
	second.user_regs.rip = (uint64_t)second_code;
	second.user_regs.rsp = (uint64_t)&stack[ARRAY_SIZE(stack) - 1];
	second.user_regs.rdi = 0x77;
	second.kernel_ss = USER_SS;
	second.kernel_sp = (uint64_t)&stack[1024];
	second.ctrlreg[3] = boot_l4_mfn() << PAGE_SHIFT;
}

static void first_code(uint64_t argument)
{
	(void)argument;
	check_eq("TWO-VCPU-1", hypercall(vcpu_op, VCPUOP_is_up, 1, 0), 0,
		 "a domain's second vCPU is down at first");
	check_eq("TWO-VCPU-2", hypercall(vcpu_op, VCPUOP_up, 1, 0), -EINVAL,
		 "before it is initialised it cannot be brought up: -EINVAL");
	to_second = (uint32_t)evtchn_bind_ipi(1);
	to_first = (uint32_t)evtchn_bind_ipi(0);
	check("TWO-VCPU-3", to_second && to_first && to_second != to_first,
	      "an IPI port can be bound for each vCPU");
	prepare();
	check_eq("TWO-VCPU-4", hypercall(vcpu_op, VCPUOP_initialise, 1, &second), 0,
		 "the first initialises the second");
	check_eq("TWO-VCPU-5", hypercall(vcpu_op, VCPUOP_initialise, 1, &second), -EEXIST,
		 "initialising it once more fails with -EEXIST");
	check_eq("TWO-VCPU-6", hypercall(vcpu_op, VCPUOP_initialise, 2, &second), -ENOENT,
		 "a vCPU above max_vcpus fails with -ENOENT");
	check("TWO-VCPU-7", !soon(&running, 1), "it does not run before VCPUOP_up");
	check_eq("TWO-VCPU-8", hypercall(vcpu_op, VCPUOP_up, 1, 0), 0, "it is brought up");
	wait_port(to_first);
	check("TWO-VCPU-9", running && got_argument == 0x77,
	      "it runs with the registers given, and its IPI arrives at the first");
	check_eq("TWO-VCPU-10", hypercall(vcpu_op, VCPUOP_is_up, 1, 0), 1, "it is up");
	evtchn_send(to_second);
	wait_port(to_first);
	evtchn_send(to_second);
	wait_port(to_first);
	check_eq("TWO-VCPU-11", answers, 2, "IPIs go both ways");
	told = 1;
	while (told)
		sleep_for(100000);
	stop = 1;
	evtchn_send(to_second);
	for (int i = 0; i < 1000 && hypercall(vcpu_op, VCPUOP_is_up, 1, 0); i++)
		sleep_for(100000);
	check_eq("TWO-VCPU-12", hypercall(vcpu_op, VCPUOP_is_up, 1, 0), 0, "VCPUOP_down takes it down");
	told = 2;
	while (told)
		sleep_for(100000);
}

static struct xen_domctl_getvcpuinfo vcpu(uint32_t n)
{
	struct xen_domctl op = {.u.getvcpuinfo.vcpu = n};

	domctl(XEN_DOMCTL_getvcpuinfo, d->id, &op);
	return op.u.getvcpuinfo;
}

static void two(void)
{
	volatile uint32_t *word;

	d = make_domain(2);
	word = in_guest(d, &told);
	start_code(d, first_code, 0);
	wait_for(word);
	check("TWO-VCPU-13", domain_info(d->id).nr_online_vcpus == 2 && domain_info(d->id).max_vcpu_id == 1,
	      "nr_online_vcpus is 2 then");
	sleep_for(1000000);
	check("TWO-VCPU-14", vcpu(1).online && vcpu(1).blocked && vcpu(1).cpu_time > 0,
	      "a vCPU that waits in SCHEDOP_poll is online and blocked, and has run");
	check("TWO-VCPU-15", domain_info(d->id).cpu_time >= vcpu(0).cpu_time,
	      "cpu_time of the domain is at least that of one vCPU");
	*word = 0;
	for (int i = 0; i < 5000 && *word != 2; i++)
		sleep_for(200000);
	check("TWO-VCPU-16", domain_info(d->id).nr_online_vcpus == 1 && !vcpu(1).online,
	      "after VCPUOP_down nr_online_vcpus is 1");
	*word = 0;
	check_eq("TWO-VCPU-17", wait_shutdown(d), SHUTDOWN_poweroff, "shutdown by the first ends it");
	destroy_domain(d);
}

static void second_ends_it(uint64_t argument)
{
	struct sched_shutdown op = {.reason = SHUTDOWN_reboot};

	(void)argument;
	running = 1;
	hypercall(sched_op, SCHEDOP_shutdown, &op);
}

static void spins(uint64_t argument)
{
	(void)argument;
	prepare();
	second.user_regs.rip = (uint64_t)second_ends_it;
	hypercall(vcpu_op, VCPUOP_initialise, 1, &second);
	hypercall(vcpu_op, VCPUOP_up, 1, 0);
	for (;;)
		answers++;
}

static void stopped(void)
{
	volatile uint32_t *word;
	uint32_t before;

	d = make_domain(2);
	check_eq("TWO-VCPU-18", run_code(d, spins, 0), SHUTDOWN_reboot,
		 "a shutdown by the second vCPU is the domain's");
	word = in_guest(d, &answers);
	before = *word;
	sleep_for(5000000);
	check_eq("TWO-VCPU-19", *word, before, "and stops the first in the middle of its loop");
	destroy_domain(d);
}

static void forever(uint64_t argument)
{
	(void)argument;
	for (;;)
		answers++;
}

/* A loop on the one CPU there is does not stop domain 0. */
static void shared(void)
{
	volatile uint32_t *word;
	uint64_t begin;
	uint32_t before;

	d = make_domain(1);
	word = in_guest(d, &answers);
	start_code(d, forever, 0);
	wait_for(word);
	begin = system_time();
	sleep_for(10000000);
	check("TWO-CPU-1", system_time() - begin < 100000000,
	      "domain 0 is woken in time while another domain loops");
	before = *word;
	sleep_for(10000000);
	check("TWO-CPU-2", *word > before, "the domain that loops runs while domain 0 sleeps");
	domctl_simple(XEN_DOMCTL_pausedomain, d->id);
	before = *word;
	sleep_for(10000000);
	check_eq("TWO-CPU-3", *word, before, "pausedomain stops it before it returns");
	check("TWO-CPU-4", !(domain_info(d->id).flags & XEN_DOMINF_running), "and it is not told as running");
	domctl_simple(XEN_DOMCTL_unpausedomain, d->id);
	sleep_for(10000000);
	check("TWO-CPU-5", *word > before, "unpaused it goes on");
	check_eq("TWO-CPU-6", domctl_simple(XEN_DOMCTL_destroydomain, d->id), 0,
		 "it can be destroyed while it runs");
	d->made = false;
}

void test_main(void)
{
	two();
	stopped();
	shared();
}
