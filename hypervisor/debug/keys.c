/* SPDX-License-Identifier: MIT */
/* Keys for a person at the console: one character, one report. They run in the console's interrupt. */
#include <console.h>
#include <cpu.h>
#include <domain.h>

static void key_help(void);

static void key_exits(void)
{
	static const char *const names[COUNTERS] = {
		[EXIT_HYPERCALL] = "hypercalls", [EXIT_INTERPRETED] = "interpreted", [EXIT_PTWR] = "page-table writes",
		[EXIT_BOUNCED] = "bounced exceptions", [EXIT_INTERRUPT] = "interrupts", [EXIT_UPCALL] = "upcalls",
		[COUNT_CR3_LOAD] = "CR3 loads", [COUNT_TLB_FLUSH] = "TLB flushes", [EXIT_PAGE_FAULT] = "page faults",
		[EXIT_GP] = "#GP", [COUNT_SWITCH] = "switches",
	};

	for_each_domain(d) {
		for (int n = 0; n < COUNTERS; n++) {
			u64 sum = 0;

			for (int i = 0; i < d->vcpu_count; i++)
				sum += d->vcpu[i] ? d->vcpu[i]->counters[n] : 0;
			if (names[n])
				log_error("domain %d: %12lu %s", d->id, sum, names[n]);
		}
	}
}

static const char *state_name(const struct vcpu *v)
{
	static const char *const names[] = { "running", "runnable", "blocked", "offline" };

	return v->runstate < ARRAY_SIZE(names) ? names[v->runstate] : "?";
}

static void key_domains(void)
{
	for_each_domain(d) {
		log_error("domain %d: %lu pages of at most %lu%s", d->id, d->pages, d->max_pages,
			  d->is_shut_down ? ", shut down" : "");
		for (int i = 0; i < d->vcpu_count; i++) {
			struct vcpu *v = d->vcpu[i];

			if (v)
				log_error("  vCPU %d on CPU %d: %s, upcall %s%s, work %x, rip %016lx", v->id, v->cpu->id,
					  state_name(v), v->info->evtchn_upcall_pending ? "pending" : "-",
					  v->info->evtchn_upcall_mask ? " masked" : "", v->work, v->regs.rip);
		}
	}
}

static void key_registers(void)
{
	struct vcpu *v = current;

	if (v == v->cpu->idle) {
		log_error("CPU %d is idle", v->cpu->id);
		return;
	}
	log_error("CPU %d runs domain %d vCPU %d, %s mode", v->cpu->id, v->domain->id, v->id, v->kernel_mode ? "kernel" : "user");
	print_registers(&v->regs);
}

static const struct key {
	char c;
	void (*report)(void);
	const char *help;
} keys[] = {
	{ 'd', key_registers, "registers of what runs on this CPU" },
	{ 'e', key_exits, "exits of each domain, by what they went to" },
	{ 'h', key_help, "this list" },
	{ 'q', key_domains, "domains and their vCPUs" },
};

static void key_help(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		log_error("  %c  %s", keys[i].c, keys[i].help);
}

void handle_key(char c)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (keys[i].c == c) {
			keys[i].report();
			return;
		}
	}
}
