/* SPDX-License-Identifier: MIT */
/*
 * From the first C instruction to test_main(): shared_info mapped over a page of the image,
 * every vector and callback registered, upcalls masked, no timer running.
 */
#include "guest.h"
#include <abi/callback.h>
#include <abi/vcpu.h>

struct entry_state entry_state;
struct start_info *start_info;
struct shared_info *shared_info;
struct vcpu_info *vcpu_info;
bool start_timer_was_running;

static uint8_t shared_info_page[PAGE_SIZE] __attribute__((aligned(4096)));
static struct trap_info trap_table[257];
void guest_start(struct start_info *info) __attribute__((noreturn));

/* Every vector may be raised by int n from user mode; none masks events on entry but page faults. */
static void register_traps(void)
{
	for (unsigned int i = 0; i < 256; i++) {
		trap_table[i].vector = (uint8_t)i;
		trap_table[i].flags = 3;
		trap_table[i].cs = USER_CS;
		trap_table[i].address = trap_stub(i);
	}
	if (hypercall(set_trap_table, trap_table))
		bail("set_trap_table fails");
}

static void register_callback(uint16_t type, void (*entry)(void))
{
	struct callback_register op = {
		.type = type,
		.flags = CALLBACKF_mask_events,
		.address = (uint64_t)entry,
	};

	if (hypercall(callback_op, CALLBACKOP_register, &op))
		bail("callback %u cannot be registered", type);
}

/* Wait for up to a second for the timer that a domain starts with, then stop it. */
static bool stop_timer(void)
{
	uint32_t port = (uint32_t)evtchn_bind_virq(VIRQ_TIMER, 0);
	struct sched_poll op = { .ports = (uint64_t)&port,
				 .nr_ports = 1,
				 .timeout = system_time() + 1000000000 };
	bool came;

	hypercall(sched_op, SCHEDOP_poll, &op);
	came = port_pending(port);
	hypercall(vcpu_op, VCPUOP_stop_periodic_timer, 0, 0);
	evtchn_close(port);
	vcpu_info->evtchn_upcall_pending = 0;
	vcpu_info->evtchn_pending_sel = 0;
	return came;
}

static void bring_up(struct start_info *info)
{
	start_info = info;
	if (map_page(shared_info_page, info->shared_info | PTE_DATA))
		bail("shared_info cannot be mapped");
	shared_info = (struct shared_info *)shared_info_page;
	vcpu_info = &shared_info->vcpu_info[0];
	mask_upcalls(true);
	register_traps();
	register_callback(CALLBACKTYPE_event, callback_event);
	register_callback(CALLBACKTYPE_failsafe, callback_failsafe);
	register_callback(CALLBACKTYPE_syscall, callback_syscall);
	register_callback(CALLBACKTYPE_nmi, callback_nmi);
	hypercall(stack_switch, USER_SS, trap_stack_top);
	start_timer_was_running = stop_timer();
	if (mmuext(MMUEXT_NEW_USER_BASEPTR, boot_l4_mfn(), 0))
		bail("no user root");
}

void guest_start(struct start_info *info)
{
	bring_up(info);
	print("# conformance image, magic %s\n", info->magic);
	test_main();
	finish();
}

void second_start(void (*function)(uint64_t), uint64_t argument)
{
	struct sched_shutdown shutdown = { .reason = SHUTDOWN_poweroff };

	page_free_all();
	bring_up(start_info);
	function(argument);
	for (;;)
		hypercall(sched_op, SCHEDOP_shutdown, &shutdown);
}
