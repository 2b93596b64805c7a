/* SPDX-License-Identifier: MIT */
/* sched_op: yield, block, and what only a privileged domain may ask. (poll/ and watchdog/ have the
 * rest.) */
#include "guest.h"

#define MS 1000000UL

static void every_operation(void)
{
	static const int with_structure[] = {
		SCHEDOP_shutdown,      SCHEDOP_poll,	 SCHEDOP_remote_shutdown,
		SCHEDOP_shutdown_code, SCHEDOP_watchdog, SCHEDOP_pin_override,
	};
	bool all = true;

	check("SCHED-OP-1",
	      hypercall(sched_op, 8, 0) == -ENOSYS && hypercall(sched_op, 99, 0) == -ENOSYS,
	      "unknown sub-operations");
	for (size_t i = 0; i < ARRAY_SIZE(with_structure); i++)
		all = all && hypercall(sched_op, with_structure[i], UNMAPPED) == -EFAULT;
	check("SCHED-OP-2", all, "an unmapped structure is -EFAULT for each");
}

static void yield(void)
{
	bool kept;

	check_eq("SCHED-YIELD-1", hypercall(sched_op, SCHEDOP_yield, 0), 0, "yield returns");
	mask_upcalls(false);
	hypercall(sched_op, SCHEDOP_yield, 0);
	kept = vcpu_info->evtchn_upcall_mask == 0;
	mask_upcalls(true);
	hypercall(sched_op, SCHEDOP_yield, 0);
	check("SCHED-YIELD-2", kept && vcpu_info->evtchn_upcall_mask == 1, "the upcall mask stays");
}

static void block(void)
{
	uint32_t timer = (uint32_t)evtchn_bind_virq(VIRQ_TIMER, 0), ipi = (uint32_t)evtchn_bind_ipi(0);
	unsigned int before;
	uint64_t deadline;
	int64_t r;

	mask_upcalls(true);
	before = upcalls;
	evtchn_send(ipi);
	r = hypercall(sched_op, SCHEDOP_block, 0);
	check("SCHED-BLOCK-1", r == 0 && upcalls == before + 1 && event_count[ipi] == 1,
	      "a pending event is delivered by block");
	check_eq("SCHED-BLOCK-2", vcpu_info->evtchn_upcall_mask, 0, "block unmasks upcalls");
	mask_upcalls(true);
	deadline = system_time() + 3 * MS;
	hypercall(set_timer_op, deadline);
	r = hypercall(sched_op, SCHEDOP_block, 0);
	check("SCHED-BLOCK-3", r == 0 && system_time() >= deadline && event_count[timer] == 1,
	      "block sleeps until the timer");
	port_mask(ipi, true);
	evtchn_send(ipi);
	deadline = system_time() + 3 * MS;
	hypercall(set_timer_op, deadline);
	hypercall(sched_op, SCHEDOP_block, 0);
	check("SCHED-BLOCK-4", system_time() >= deadline && event_count[ipi] == 1,
	      "an event on a masked port does not end block");
	mask_upcalls(true);
}

static void others(void)
{
	struct sched_remote_shutdown remote = { .domain_id = 99, .reason = SHUTDOWN_crash };
	struct sched_shutdown code = { .reason = SHUTDOWN_reboot };
	struct sched_pin_override pin = { .pcpu = -1 };
	int64_t first, second;

	check_eq("SCHED-REMOTE-1", hypercall(sched_op, SCHEDOP_remote_shutdown, &remote), -ESRCH,
		 "a domain that does not exist");
	remote.domain_id = DOMID_SELF;
	check_eq("SCHED-REMOTE-2", hypercall(sched_op, SCHEDOP_remote_shutdown, &remote), -ESRCH,
		 "DOMID_SELF is none either");
	check_eq("SCHED-PIN-3", hypercall(sched_op, SCHEDOP_pin_override, &pin), -EINVAL,
		 "nothing to unpin");
	pin.pcpu = 0x7fffffff;
	check_eq("SCHED-PIN-4", hypercall(sched_op, SCHEDOP_pin_override, &pin), -EINVAL,
		 "a processor that does not exist");
	pin.pcpu = 0;
	first = hypercall(sched_op, SCHEDOP_pin_override, &pin);
	second = hypercall(sched_op, SCHEDOP_pin_override, &pin);
	pin.pcpu = -1;
	check("SCHED-PIN-1", first == 0 && hypercall(sched_op, SCHEDOP_pin_override, &pin) == 0,
	      "pinned to processor 0 and let go");
	check_eq("SCHED-PIN-2", second, -EBUSY, "pinned twice");
	check_eq("SCHED-CODE-1", hypercall(sched_op, SCHEDOP_shutdown_code, &code), 0,
		 "the reason of a later shutdown is set");
}

/* The reason was set to reboot above; neither another one nor the shutdown's own changes it. */
static void only_the_first_code(void)
{
	struct sched_shutdown other = { .reason = SHUTDOWN_poweroff };

	hypercall(sched_op, SCHEDOP_shutdown_code, &other);
	ending("SCHED-CODE-2", "reboot", "a reason that was set is not changed by another one");
	hypercall(sched_op, SCHEDOP_shutdown, &other);
}

void test_main(void)
{
	every_operation();
	yield();
	block();
	others();
	only_the_first_code();
}
