/* SPDX-License-Identifier: MIT */
/*
 * Rounds of balloon_decide(): who is there, what each has and says that it has free, what each should have from now on.
 *
 *	memory/report-ms	ours: the guest tells as often as that
 *	data/free-kib		the guest's: what it could do without; taken away when it has been read, so what is there is new
 *
 * A guest that has told nothing for REPORT_ROUNDS is silent. It is known by its number and the time of its creation, since numbers come again.
 * All of it is guarded by `lock`, which is taken before the lifecycle lock.
 */
#include <abi/errno.h>

#include "../include/lib.h"
#include "../include/mm.h"
#include "../include/mutex.h"
#include "../include/sched.h"
#include "../include/shell.h"
#include "../include/time.h"
#include "../include/xenstore.h"
#include "balloon_decide.h"
#include "balloon_policy.h"
#include "control.h"
#include "domains.h"
#include "memory.h"
#include "options.h"
#include "wait.h"

#define REPORT_ROUNDS 3
#define KEEP (4 * 1024ul)
#define PATIENCE_NS (30 * NSEC_PER_SEC)
#define IDLE_ROUNDS 8		/* so long a guest that was busy a moment ago stays out of it, and a report may be under way */

struct record {
	u16 domid;
	u64 created;
	u32 age;		/* rounds since its last report */
};

/* What is known of the guests of one round; records[i] is about guests[i]. In the order of their numbers. */
struct roll {
	struct record *records;
	struct balloon_guest *guests;
	u32 count;
};

static struct mutex lock = MUTEX_INIT(lock);
static struct {
	bool on, has_thread;
	u64 interval;		/* ns */
	u64 keep;
	struct roll roll;
	u64 rounds, up, down;	/* KiB that targets have moved */
} policy = { .interval = NSEC_PER_SEC, .keep = KEEP };

/* --- guests ----------------------------------------------------------------------------------------- */

static void roll_free(struct roll *r)
{
	kfree(r->records);
	kfree(r->guests);
	*r = (struct roll){ 0 };
}

static bool roll_new(struct roll *r, u32 room)
{
	*r = (struct roll){
		.records = kmalloc(room * sizeof(*r->records)), .guests = kmalloc(room * sizeof(*r->guests)),
	};
	if (r->records && r->guests)
		return true;
	roll_free(r);
	return false;
}

static void node_path(char *path, size_t size, u16 domid, const char *below)
{
	snprintf(path, size, "/local/domain/%u/%s", domid, below);
}

/* A new guest is asked to tell. */
static void ask_for_reports(u16 domid)
{
	char text[24];

	snprintf(text, sizeof(text), "%lu", policy.interval / NSEC_PER_MSEC);
	domains_write(domid, "memory/report-ms", text);
}

static void read_report(struct record *r, struct balloon_guest *g)
{
	char path[64];
	u64 kib;
	int err;

	node_path(path, sizeof(path), r->domid, "data/free-kib");
	err = xs_read_u64(XS_NO_TX, path, &kib);
	r->age = MIN(r->age + 1, REPORT_ROUNDS + 1);
	if (err != -ENOENT)
		xs_rm(XS_NO_TX, path);
	if (!err) {
		r->age = 0;
		g->free = kib;
	}
	g->reports = r->age <= REPORT_ROUNDS && g->free <= g->now;
}

/* What the last round knew about it, if that was the same guest. `at` goes along with the list. */
static void remember(struct record *r, struct balloon_guest *g, u32 *at)
{
	const struct roll *old = &policy.roll;

	while (*at < old->count && old->records[*at].domid < r->domid)
		(*at)++;
	if (*at < old->count && old->records[*at].domid == r->domid && old->records[*at].created == r->created) {
		*r = old->records[*at];
		*g = old->guests[*at];
		return;
	}
	r->age = REPORT_ROUNDS + 1;
	*g = (struct balloon_guest){ 0 };
	ask_for_reports(r->domid);
}

static bool look_at(const struct xen_domctl_getdomaininfo *info, struct record *r, struct balloon_guest *g, u32 *at)
{
	u64 min, max, target;
	char path[64];

	node_path(path, sizeof(path), info->domain, "memory/target");
	if (!info->domain || info->flags & (XEN_DOMINF_dying | XEN_DOMINF_shutdown) ||
	    !memory_bounds(info->domain, &min, &max, &r->created) || xs_read_u64(XS_NO_TX, path, &target))
		return false;
	r->domid = info->domain;
	remember(r, g, at);
	g->now = info->tot_pages << 2;
	g->target = target;
	g->min = min;
	g->max = max;
	read_report(r, g);
	return true;
}

static bool look_at_all(struct roll *r)
{
	struct xen_domctl_getdomaininfo *list;
	int n = domains_list(&list);
	u32 at = 0;

	if (n < 0)
		return false;
	if (!roll_new(r, n)) {
		kfree(list);
		return false;
	}
	for (int i = 0; i < n; i++)
		r->count += look_at(&list[i], &r->records[r->count], &r->guests[r->count], &at);
	kfree(list);
	return true;
}

/* --- a round ------------------------------------------------------------------------------------------ */

static void tell(u16 domid, const struct balloon_guest *g, u64 was)
{
	if (g->next == was || memory_set_target(domid, g->next))
		return;
	if (g->next > was)
		policy.up += g->next - was;
	else
		policy.down += was - g->next;
}

/* True: more memory may be free in a later round. */
static bool make_round(u64 wanted)
{
	struct balloon_machine m = { memory_free(), policy.keep, wanted + memory_of_restarting() };
	struct roll roll;
	u64 *was;
	bool more;

	if (!look_at_all(&roll))
		return false;
	was = kmalloc((roll.count + 1) * sizeof(*was));
	if (!was) {
		roll_free(&roll);
		return false;
	}
	for (u32 i = 0; i < roll.count; i++)
		was[i] = roll.guests[i].target;
	more = balloon_decide(roll.guests, roll.count, &m);
	for (u32 i = 0; i < roll.count; i++)
		tell(roll.records[i].domid, &roll.guests[i], was[i]);
	kfree(was);
	roll_free(&policy.roll);
	policy.roll = roll;
	policy.rounds++;
	return more;
}

static void policy_thread(void *unused)
{
	bool on;

	do {
		mutex_lock(&lock);
		on = policy.has_thread = policy.on;
		if (on)
			make_round(0);
		mutex_unlock(&lock);
		if (on)
			thread_sleep(policy.interval);
	} while (on);
}

bool balloon_policy_is_on(void)
{
	return READ_ONCE(policy.on);
}

void balloon_policy_begin_create(u64 kib)
{
	u64 end = now() + PATIENCE_NS;
	int idle = 0;

	mutex_lock(&lock);
	while (policy.on && memory_free() < kib && idle < IDLE_ROUNDS && now() < end) {
		u64 round_end = now() + policy.interval;

		idle = make_round(kib) ? 0 : idle + 1;
		while (memory_free() < kib && now() < round_end) {
			if (!wait_more(end))
				return;
		}
	}
}

void balloon_policy_end_create(void)
{
	mutex_unlock(&lock);
}

/* --- the command -------------------------------------------------------------------------------------- */

static int turn_on(u64 interval, u64 keep)
{
	struct thread *t;

	mutex_lock(&lock);
	policy.interval = interval;
	policy.keep = keep;
	policy.on = true;
	for (u32 i = 0; i < policy.roll.count; i++)
		ask_for_reports(policy.roll.records[i].domid);
	if (!policy.has_thread) {
		t = thread_create("balloon policy", policy_thread, NULL);
		policy.on = policy.has_thread = t;
		if (t)
			thread_detach(t);
	}
	mutex_unlock(&lock);
	if (!balloon_policy_is_on())
		printf("balloon-policy: no memory for its thread\n");
	return !balloon_policy_is_on();
}

/* Targets stay as they are. */
static void turn_off(void)
{
	char path[64];

	mutex_lock(&lock);
	policy.on = false;
	for (u32 i = 0; i < policy.roll.count; i++) {
		node_path(path, sizeof(path), policy.roll.records[i].domid, "memory/report-ms");
		xs_rm(XS_NO_TX, path);
	}
	roll_free(&policy.roll);
	mutex_unlock(&lock);
}

static void show_guest(u16 domid, const struct balloon_guest *g)
{
	static const char *const states[] = {
		[BALLOON_SILENT] = "silent", [BALLOON_CALM] = "calm", [BALLOON_SHORT] = "short", [BALLOON_GIVES] = "gives",
		[BALLOON_STUCK] = "stuck",
	};
	char name[CONFIG_NAME_MAX], free[24];

	domains_name(domid, name, sizeof(name));
	snprintf(free, sizeof(free), "%lu", g->free);
	printf("%-32s %5u %9lu %9lu %9lu %9lu %9s %s\n", name, domid, g->now, g->next, g->min, g->max, g->reports ? free : "-",
	       states[g->state]);
}

static void show(void)
{
	mutex_lock(&lock);
	printf("balloon-policy: %s, every %lu ms, %lu KiB kept free; %lu rounds, %lu KiB to guests, %lu KiB from guests\n",
	       policy.on ? "on" : "off", policy.interval / NSEC_PER_MSEC, policy.keep, policy.rounds, policy.up, policy.down);
	if (policy.roll.count)
		printf("%-32s %5s %9s %9s %9s %9s %9s %s\n", "Name", "ID", "KiB", "Target", "Min", "Max", "Free", "State");
	for (u32 i = 0; i < policy.roll.count; i++)
		show_guest(policy.roll.records[i].domid, &policy.roll.guests[i]);
	mutex_unlock(&lock);
}

static int cmd_balloon_policy(int argc, char **argv)
{
	const char *text;
	u64 seconds = 1, keep = KEEP;
	bool bad = false;

	if (take_value_option(&argc, argv, "-i", &text))
		bad |= !parse_u64(text, &seconds) || !seconds || seconds > 3600;
	if (take_value_option(&argc, argv, "-k", &text))
		bad |= !parse_kib(text, &keep);
	if (bad || argc > 2 || (argc == 2 && strcmp(argv[1], "on") && strcmp(argv[1], "off")))
		return usage("balloon-policy", "[on [-i SECONDS] [-k SIZE] | off]");
	if (argc == 1)
		show();
	else if (!strcmp(argv[1], "on"))
		return turn_on(seconds * NSEC_PER_SEC, keep);
	else
		turn_off();
	return 0;
}
COMMAND_AS(balloon_policy, "balloon-policy", cmd_balloon_policy,
	   "[on [-i SECONDS] [-k SIZE] | off]: memory goes to guests that are short of it; what it has done");
