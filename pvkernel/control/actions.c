/* SPDX-License-Identifier: MIT */
/*
 * What becomes of a domain that has stopped: on_poweroff, on_reboot, on_crash, on_watchdog. The hypervisor raises
 * VIRQ_DOM_EXC; a thread then looks at all domains. A domain that restarts waits until RESTART_INTERVAL has passed since its
 * last start, so one that dies at once does not keep the machine busy; it has a record meanwhile, and no domain.
 */
#include <abi/errno.h>
#include <abi/sched.h>
#include <abi/xen.h>

#include "../include/evtchn.h"
#include "../include/lib.h"
#include "../include/sched.h"
#include "../include/time.h"
#include "balloon_policy.h"
#include "control.h"
#include "domains.h"
#include "hypercontrol.h"
#include "memory.h"
#include "xenstored.h"

#define RESTART_INTERVAL (2 * NSEC_PER_SEC)
#define MEMORY_INTERVAL (30 * NSEC_PER_SEC)	/* how long others may take to give what it needs */

static struct wait_queue watcher = WAIT_QUEUE_INIT(watcher);
static struct timer restart_timer;
static bool look;			/* set with every reason to look, cleared before looking */

/* Who has stopped of late, in a circle: for `follow`, which asks after the record is gone. Under the lifecycle lock. */
#define ENDS 8
static struct {
	char name[CONFIG_NAME_MAX];
	u32 reason;
} ends[ENDS];
static unsigned int nr_ends;

static void remember_end(const char *name, u32 reason)
{
	snprintf(ends[nr_ends % ENDS].name, CONFIG_NAME_MAX, "%s", name);
	ends[nr_ends++ % ENDS].reason = reason;
}

bool actions_last_end(const char *name, u32 *reason)
{
	bool found = false;

	domains_lock();
	for (unsigned int i = nr_ends; !found && i && i + ENDS > nr_ends; i--) {
		found = !strcmp(ends[(i - 1) % ENDS].name, name);
		*reason = ends[(i - 1) % ENDS].reason;
	}
	domains_unlock();
	return found;
}

static void wake_watcher(void *unused)
{
	look = true;
	wake_up(&watcher);
}

static const char *reason_name(u32 reason)
{
	static const char *const names[] = {
		[SHUTDOWN_poweroff] = "poweroff", [SHUTDOWN_reboot] = "reboot", [SHUTDOWN_suspend] = "suspend",
		[SHUTDOWN_crash] = "crash", [SHUTDOWN_watchdog] = "watchdog", [SHUTDOWN_soft_reset] = "soft reset",
	};

	return reason < ARRAY_SIZE(names) ? names[reason] : "unknown reason";
}

static enum action action_for(const struct domain_config *c, u32 reason)
{
	switch (reason) {
	case SHUTDOWN_poweroff:
		return c->on_poweroff;
	case SHUTDOWN_reboot:
		return c->on_reboot;
	case SHUTDOWN_suspend:
		return ACTION_PRESERVE;
	case SHUTDOWN_watchdog:
		return c->on_watchdog;
	default:
		return c->on_crash;
	}
}

static void start_again(struct managed *d)
{
	char error[160];

	if (balloon_policy_is_on() && memory_free() < d->config.memory + MEMORY_OVERHEAD && now() < d->restart_until) {
		d->restart_at = now() + NSEC_PER_SEC;
		return;
	}
	if (!bring_up(d, false, error, sizeof(error))) {
		printf("domain %s: started again as %u\n", d->config.name, d->domid);
		return;
	}
	printf("domain %s: cannot start again: %s\n", d->config.name, error);
	managed_free(d);
}

static void restart_later(struct managed *d, u64 last_start)
{
	d->restarting = true;
	d->restart_at = last_start + RESTART_INTERVAL;
	d->restart_until = MAX(now(), d->restart_at) + MEMORY_INTERVAL;
}

/* NAME-20260101T000000Z, as xl names what it keeps; a number behind it if even that is taken. */
static void free_name(char name[CONFIG_NAME_MAX], const char *old)
{
	struct date t = date_of(wall_clock());
	unsigned int n = 0;
	char tail[32];

	do {
		int length = snprintf(tail, sizeof(tail), "-%04u%02u%02uT%02u%02u%02uZ", t.year, t.month, t.day, t.hour, t.minute,
				      t.second);

		if (n)
			length += snprintf(tail + length, sizeof(tail) - length, ".%u", n);
		snprintf(name, CONFIG_NAME_MAX, "%.*s%s", CONFIG_NAME_MAX - 1 - length, old, tail);
		n++;
	} while (managed_by_name(name));
}

/* The stopped one keeps its domain under another name and identity; a second record starts as it did. */
static void rename_restart(struct managed *d)
{
	struct domain_config config = d->config;
	struct xen_domctl op;
	char name[CONFIG_NAME_MAX];
	struct managed *again;
	u8 uuid[16];

	free_name(name, d->config.name);
	memcpy(uuid, d->uuid, sizeof(uuid));
	random_uuid(d->uuid);
	memcpy(op.u.setdomainhandle.handle, d->uuid, sizeof(d->uuid));
	domctl(XEN_DOMCTL_setdomainhandle, d->domid, &op);
	tree_rename(d, uuid);
	if (managed_rename(d, name))
		printf("domain %s: is %s now, and xenstore does not say so\n", config.name, name);
	printf("domain %s: kept as %s\n", config.name, name);
	again = managed_new(&config);
	if (again)
		restart_later(again, d->created);
	else
		printf("domain %s: no memory to start it again\n", config.name);
}

static void act(struct managed *d, u32 reason)
{
	enum action action = action_for(&d->config, reason);

	printf("domain %s: %s: %s\n", d->config.name, reason_name(reason), action_name(action));
	xenstored_domain_died(d->domid);
	d->handled = true;
	remember_end(d->config.name, reason);
	if (action == ACTION_RENAME_RESTART)
		rename_restart(d);
	if (action != ACTION_DESTROY && action != ACTION_RESTART)
		return;
	if (bring_down(d))
		printf("domain %s: cannot be destroyed\n", d->config.name);
	else if (action == ACTION_RESTART)
		restart_later(d, d->created);
	else
		managed_free(d);
}

static void look_at(struct managed *d)
{
	struct xen_domctl_getdomaininfo info;

	if (d->restarting) {
		if (d->restart_at <= now())
			start_again(d);
	} else if (!domains_info(d->domid, &info)) {
		printf("domain %s: gone\n", d->config.name);
		bring_down(d);
		managed_free(d);
	} else if ((info.flags & XEN_DOMINF_shutdown) && !d->handled) {
		act(d, info.flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask);
	}
}

/* The next restart's time sets the timer. */
static void look_at_all(void)
{
	u64 next = ~0ul;

	domains_lock();
	for (struct list *node = managed_domains.next, *after; node != &managed_domains; node = after) {
		after = node->next;
		look_at(list_entry(node, struct managed, node));
	}
	list_for_each(node, &managed_domains) {
		struct managed *d = list_entry(node, struct managed, node);

		if (d->restarting)
			next = MIN(next, d->restart_at);
	}
	domains_unlock();
	if (next != ~0ul)
		timer_add(&restart_timer, next);
}

static void watch_domains(void *unused)
{
	for (;;) {
		bool irq = irq_save();

		while (!look)
			wait_on(&watcher);
		look = false;
		irq_restore(irq);
		look_at_all();
	}
}

void actions_init(void)
{
	int port = evtchn_bind_virq(VIRQ_DOM_EXC, wake_watcher, NULL);

	restart_timer.fn = wake_watcher;
	if (port < 0)
		printf("actions: no VIRQ_DOM_EXC: %s; a domain's end will not be noticed\n", errno_name(port));
	if (!thread_create("actions", watch_domains, NULL))
		panic("no memory for the thread that watches domains");
}
