/* SPDX-License-Identifier: MIT */
/* The kernel comes up, one step a line, each of which may use those above it. */
#include "boot.h"
#include "cmdline.h"
#include "console.h"
#include "evtchn.h"
#include "gnttab.h"
#include "lib.h"
#include "mm.h"
#include "ops.h"
#include "sched.h"
#include "shell.h"
#include "time.h"
#include "traps.h"

static void choose_cpu(void)
{
	char name[16];

	ops_trap_init();
	if (cmdline_get(boot.cmdline, "cpu", name, sizeof(name)) && !ops_select(name))
		printf("cpu=%s is not possible here, using cpu=%s\n", name, cpu->name);
}

static void shell_thread(void *unused)
{
	static char commands[MAX_GUEST_CMDLINE];

	services_init();
	if (cmdline_get(boot.cmdline, "run", commands, sizeof(commands)))
		shell_run(commands);
	shell_loop();
}

void kernel_main(void)
{
	printf("pvkernel: %lu MiB, %s, command line: %s\n", boot.ram_pages >> 8,
	       boot.native ? "native" : boot.initial_domain ? "domain 0" : "guest domain", boot.cmdline);
	choose_cpu();
	traps_init();
	paging_init();
	phys_init();
	if (!boot.native)
		evtchn_init();
	time_init();
	ops_probe();
	ops_describe();
	sched_init();
	gnttab_init();
	cpu->irq_enable();
	timer_reprogram();
	console_init_input();
	if (!thread_create("shell", shell_thread, NULL))
		panic("no memory for the shell");
	thread_exit();
}
