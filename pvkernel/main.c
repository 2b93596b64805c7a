/* SPDX-License-Identifier: MIT */
/* The kernel comes up, one line a step. */
#include <abi/sched.h>

#include "boot.h"
#include "cmdline.h"
#include "console.h"
#include "hypercall.h"
#include "lib.h"

struct boot_info boot;
struct shared_info *shared_info;
struct vcpu_info *vcpu_info;

void pv_start(const struct start_info *si) __attribute__((noreturn));
void native_start(u64 magic, u64 info) __attribute__((noreturn));
int trap_entry(void *regs);
void thread_main(void (*fn)(void *), void *arg);

static void stop(u32 reason)
{
	struct sched_shutdown arg = { reason };

	HYPERVISOR_sched_op(SCHEDOP_shutdown, &arg);
}

void kernel_main(void)
{
	char commands[256];
	char *list[8];
	int n = 0;

	printf("pvkernel: domain of %lu pages, command line \"%s\"\n", boot.nr_pages, boot.cmdline);
	if (cmdline_get(boot.cmdline, "run", commands, sizeof(commands)))
		n = split(commands, ";", list, ARRAY_SIZE(list));
	for (int i = 0; i < n; i++) {
		if (!strcmp(list[i], "shutdown"))
			stop(SHUTDOWN_poweroff);
		else if (!strcmp(list[i], "reboot"))
			stop(SHUTDOWN_reboot);
		else
			printf("%s: no such command\n", list[i]);
	}
	for (;;)
		HYPERVISOR_sched_op(SCHEDOP_block, NULL);
}

void pv_start(const struct start_info *si)
{
	boot.start_info = si;
	boot.initial_domain = si->flags & SIF_INITDOMAIN;
	boot.nr_pages = si->nr_pages;
	memcpy(boot.cmdline, si->cmd_line, sizeof(boot.cmdline) - 1);
	kernel_main();
}

void native_start(u64 magic, u64 info)
{
	for (;;)
		__asm__ volatile("hlt");
}

int trap_entry(void *regs)
{
	return 0;
}

void thread_main(void (*fn)(void *), void *arg)
{
	fn(arg);
}
