/* SPDX-License-Identifier: MIT */
/* Keys for a person at the console: one character, one report. They run in the console's interrupt. */
#include <boot.h>
#include <boot_memory.h>
#include <console.h>
#include <cpu.h>
#include <domain.h>
#include <frames.h>
#include <irq.h>

static void key_help(void);

static void key_exits(void)
{
	static const char *const names[COUNTERS] = {
		[EXIT_HYPERCALL] = "hypercalls", [EXIT_INTERPRETED] = "interpreted", [EXIT_PTWR] = "page-table writes",
		[EXIT_BOUNCED] = "bounced exceptions", [EXIT_INTERRUPT] = "interrupts", [EXIT_UPCALL] = "upcalls",
		[COUNT_CR3_LOAD] = "CR3 loads", [COUNT_TLB_FLUSH] = "TLB flushes", [EXIT_PAGE_FAULT] = "page faults",
		[EXIT_GP] = "#GP", [COUNT_SWITCH] = "switches",
	};

	for (struct domain *d = domains; d; d = d->next) {
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
	for (struct domain *d = domains; d; d = d->next) {
		log_error("domain %d: %lu pages of at most %lu%s", d->id, d->pages, d->max_pages,
			  d->is_shut_down ? ", shut down" : d->dying ? ", dying" : "");
		for (int i = 0; i < d->vcpu_count; i++) {
			struct vcpu *v = d->vcpu[i];

			if (v)
				log_error("  vCPU %d on CPU %d: %s, upcall %s%s, work %x, rip %016lx", v->id, v->cpu->id,
					  state_name(v), v->info->evtchn_upcall_pending ? "pending" : "-",
					  v->info->evtchn_upcall_mask ? " masked" : "", v->work, v->regs.rip);
		}
	}
}

static void key_memory(void)
{
	const int kib = PAGE_SIZE / 1024;
	u64 total = 0, given = 0, unused = free_page_count();

	for (int i = 0; i < ram.count; i++)
		total += (ram.range[i].end - ram.range[i].start) / PAGE_SIZE;
	for (struct domain *d = domains; d; d = d->next)
		given += d->pages;
	log_error("memory: %lu KiB, of them %lu the hypervisor's, %lu of domains, %lu free", total * kib,
		  (total - given - unused) * kib, given * kib, unused * kib);
}

static void key_registers(void)
{
	struct vcpu *v = current;
	const struct cpu_user_regs *r = &v->regs;

	if (v == v->cpu->idle) {
		log_error("CPU %d is idle", v->cpu->id);
		return;
	}
	log_error("CPU %d runs domain %d vCPU %d, %s mode", v->cpu->id, v->domain->id, v->id, v->kernel_mode ? "kernel" : "user");
	log_error("rip %016lx  rsp %016lx  rflags %lx", r->rip, r->rsp, r->rflags);
	log_error("rax %016lx  rbx %016lx  rcx %016lx  rdx %016lx", r->rax, r->rbx, r->rcx, r->rdx);
	log_error("rsi %016lx  rdi %016lx  rbp %016lx   r8 %016lx", r->rsi, r->rdi, r->rbp, r->r8);
	log_error("kernel cr3 %lx  user cr3 %lx", v->kernel_cr3, v->user_cr3);
}

static const struct key {
	char c;
	void (*report)(void);
	const char *help;
} keys[] = {
	{ 'd', key_registers, "registers of what runs on this CPU" },
	{ 'e', key_exits, "exits of each domain, by what they went to" },
	{ 'h', key_help, "this list" },
	{ 'm', key_memory, "memory, by whose it is" },
	{ 'q', key_domains, "domains and their vCPUs" },
	{ 'R', machine_restart, "restart the machine" },
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
