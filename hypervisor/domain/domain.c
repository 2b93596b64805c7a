/* SPDX-License-Identifier: MIT */
/*
 * Domains: the list of them, making one, ending one. Domain 0 is the machine's owner: when it ends, the
 * machine does.
 */
#include <abi/sched.h>
#include <abi/xen.h>
#include <boot.h>
#include <console.h>
#include <domain.h>
#include <evtchn.h>
#include <frames.h>
#include <grant.h>
#include <pvclock.h>
#include <sched.h>
#include <stdarg.h>
#include <string.h>

struct domain *dom0;
struct domain *domains;
BUILD_ASSERT(sizeof(struct domain) <= PAGE_SIZE);

struct domain *domain_find(domid_t id)
{
	struct domain *d;

	if (id == DOMID_SELF)
		return current->domain;
	for (d = domains; d && d->id != id; d = d->next)
		;
	return d;
}

/* A domain without memory or vCPUs. NULL: no memory for it. */
struct domain *domain_create(domid_t id)
{
	struct domain *d = alloc_page();
	void *shared = alloc_page();

	if (!d || !shared)
		return NULL;
	d->id = id;
	d->privileged = id == 0;
	d->max_pages = ~0ull;
	sched_init_domain(d);
	d->shared_info = shared;
	d->shared_info_mfn = share_frame_with(d, shared);
	if (evtchn_init(d) || grant_init(d))
		return NULL;
	wallclock_update(d);
	d->next = domains;
	domains = d;
	if (id == 0)
		dom0 = d;
	return d;
}

/* --- the end ---------------------------------------------------------------------------------------------- */

static void stop_vcpus(struct domain *d, int reason)
{
	d->is_shut_down = true;
	d->shutdown_reason = reason;
	domain_stop_vcpus(d);
}

static const char *const reasons[] = { "power-off", "reboot", "suspend", "crash", "watchdog", "soft reset" };

void domain_shutdown(struct domain *d, int reason)
{
	log_info("Domain %d: %s", d->id, reasons[reason]);
	if (!d->privileged)
		stop_vcpus(d, reason);
	else if (reason == SHUTDOWN_poweroff)
		machine_power_off();
	else
		machine_restart();
}

void domain_crash(struct domain *d, const char *format, ...)
{
	char reason[160];
	va_list arguments;

	if (d->is_shut_down)
		return;
	va_start(arguments, format);
	vscnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	log_error("Domain %d crashed: %s", d->id, reason);
	if (current->domain == d)
		print_registers(&current->regs);
	domain_shutdown(d, SHUTDOWN_crash);
}
