/* SPDX-License-Identifier: MIT */
/* The commands that show domains, in xl's columns. */
#include <abi/sched.h>

#include "../include/console.h"
#include "../include/lib.h"
#include "../include/mm.h"
#include "../include/sched.h"
#include "../include/shell.h"
#include "../include/time.h"
#include "control.h"
#include "domains.h"
#include "hypercontrol.h"
#include "json.h"
#include "options.h"
#include "scheduler.h"

typedef struct xen_domctl_getdomaininfo domain_info_t;

static u32 reason_of(const domain_info_t *d)
{
	return d->flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask;
}

static bool has(const domain_info_t *d, u32 flag)
{
	return d->flags & flag;
}

static bool is_crashed(const domain_info_t *d)
{
	return has(d, XEN_DOMINF_shutdown) && reason_of(d) == SHUTDOWN_crash;
}

static u64 tenths(u64 ns)
{
	return ns / (NSEC_PER_SEC / 10);
}

/* The domains that the words name, or all; *count negative: an error has been told. To be kfree()d. */
static domain_info_t *chosen(const char *command, int argc, char **argv, int *count)
{
	domain_info_t *list;
	u16 domid;

	if (argc < 2) {
		*count = domains_list(&list);
		if (*count < 0)
			printf("%s: the hypervisor does not tell: %s\n", command, errno_name(*count));
		return *count < 0 ? NULL : list;
	}
	*count = 0;
	list = kmalloc(argc * sizeof(*list));
	for (int i = 1; list && i < argc; i++) {
		if (!take_domain(command, argv[i], &domid) || !domains_info(domid, &list[*count])) {
			kfree(list);
			*count = -1;
			return NULL;
		}
		++*count;
	}
	*count = list ? *count : -1;
	return list;
}

/* --- list --- */

static void state_letters(const domain_info_t *d, char state[7])
{
	snprintf(state, 7, "%c%c%c%c%c%c", has(d, XEN_DOMINF_running) ? 'r' : '-', has(d, XEN_DOMINF_blocked) ? 'b' : '-',
		 has(d, XEN_DOMINF_paused) ? 'p' : '-', has(d, XEN_DOMINF_shutdown) ? 's' : '-', is_crashed(d) ? 'c' : '-',
		 has(d, XEN_DOMINF_dying) ? 'd' : '-');
}

static void list_line(const domain_info_t *d)
{
	char name[CONFIG_NAME_MAX], state[7];
	u64 t = tenths(d->cpu_time);

	domains_name(d->domain, name, sizeof(name));
	state_letters(d, state);
	printf("%-40s %5u %5lu %5u     %s  %6lu.%lu\n", name, d->domain, d->tot_pages / 256, d->nr_online_vcpus, state, t / 10, t % 10);
}

static void list_json(struct json *j, const domain_info_t *d)
{
	char name[CONFIG_NAME_MAX], state[7];

	domains_name(d->domain, name, sizeof(name));
	state_letters(d, state);
	json_open(j, NULL, '{');
	json_string(j, "name", name);
	json_number(j, "domid", d->domain);
	json_number(j, "memory_kib", d->tot_pages * 4);
	json_number(j, "maxmem_kib", d->max_pages * 4);
	json_number(j, "vcpus", d->nr_online_vcpus);
	json_number(j, "max_vcpus", d->max_vcpu_id + 1);
	json_string(j, "state", state);
	json_number(j, "cpu_time_ns", d->cpu_time);
	if (has(d, XEN_DOMINF_shutdown))
		json_number(j, "shutdown_reason", reason_of(d));
	json_close(j, '}');
}

static int cmd_list(int argc, char **argv)
{
	bool as_json = take_option(&argc, argv, "--json") + take_option(&argc, argv, "-l");
	struct json j = { 0 };
	domain_info_t *list;
	int count;

	if (argc > 1 && *argv[1] == '-')
		return usage("list", "[-l | --json] [DOMAIN...]");
	list = chosen("list", argc, argv, &count);
	if (count < 0)
		return 1;
	if (as_json)
		json_open(&j, NULL, '[');
	else
		printf("Name                                        ID   Mem VCPUs\tState\tTime(s)\n");
	for (int i = 0; i < count; i++) {
		if (as_json)
			list_json(&j, &list[i]);
		else
			list_line(&list[i]);
	}
	if (as_json) {
		json_close(&j, ']');
		json_end(&j);
	}
	kfree(list);
	return 0;
}
COMMAND(list, cmd_list, "[-l | --json] [DOMAIN...]: who is there, MiB, vCPUs, state, CPU time");

static int cmd_domid(int argc, char **argv)
{
	u16 domid;

	if (argc != 2)
		return usage("domid", "NAME");
	if (!take_domain("domid", argv[1], &domid))
		return 1;
	printf("%u\n", domid);
	return 0;
}
COMMAND(domid, cmd_domid, "NAME: its number");

static int cmd_domname(int argc, char **argv)
{
	char name[CONFIG_NAME_MAX];
	u16 domid;

	if (argc != 2)
		return usage("domname", "DOMID");
	if (!take_domain("domname", argv[1], &domid))
		return 1;
	domains_name(domid, name, sizeof(name));
	printf("%s\n", name);
	return 0;
}
COMMAND(domname, cmd_domname, "DOMID: its name");

/* --- uptime --- */

/* Seconds as xl prints them: days, then hours:minutes:seconds. */
static void uptime_text(u64 s, char *text, size_t size)
{
	int n = 0;

	if (s >= 86400)
		n = snprintf(text, size, "%lu day%s, ", s / 86400, s >= 2 * 86400 ? "s" : "");
	snprintf(text + n, size - n, "%2lu:%02lu:%02lu", s / 3600 % 24, s / 60 % 60, s % 60);
}

static int cmd_uptime(int argc, char **argv)
{
	bool as_json = take_option(&argc, argv, "--json");
	struct json j = { 0 };
	domain_info_t *list;
	int count;

	if (argc > 1 && *argv[1] == '-')
		return usage("uptime", "[--json] [DOMAIN...]");
	list = chosen("uptime", argc, argv, &count);
	if (count < 0)
		return 1;
	if (as_json)
		json_open(&j, NULL, '[');
	else
		printf("%-33s %4s %s\n", "Name", "ID", "Uptime");
	for (int i = 0; i < count; i++) {
		u64 up = (now() - domains_created(list[i].domain)) / NSEC_PER_SEC;
		char name[CONFIG_NAME_MAX], text[40];

		domains_name(list[i].domain, name, sizeof(name));
		uptime_text(up, text, sizeof(text));
		if (as_json) {
			json_open(&j, NULL, '{');
			json_string(&j, "name", name);
			json_number(&j, "domid", list[i].domain);
			json_number(&j, "uptime_s", up);
			json_close(&j, '}');
		} else {
			printf("%-33s %4u %s\n", name, list[i].domain, text);
		}
	}
	if (as_json) {
		json_close(&j, ']');
		json_end(&j);
	}
	kfree(list);
	return 0;
}
COMMAND(uptime, cmd_uptime, "[--json] [DOMAIN...]: since when they are there");

/* --- vcpu-list --- */

/* "all" or the bits as "0-3,5". */
static void cpu_list_text(u64 cpus, u64 all, char *text, size_t size)
{
	size_t n = 0;

	if (!(~cpus & all)) {
		snprintf(text, size, "all");
		return;
	}
	*text = 0;
	for (unsigned int i = 0; i < 64 && n < size; i++) {
		unsigned int first = i;

		if (!(cpus >> i & 1))
			continue;
		while (i < 63 && (cpus >> (i + 1) & 1))
			i++;
		n += snprintf(text + n, size - n, first == i ? "%s%u" : "%s%u-%u", n ? "," : "", first, i);
	}
}

static u64 online_cpus(void)
{
	struct xen_sysctl op;
	u32 n = sysctl(XEN_SYSCTL_physinfo, &op) ? 64 : op.u.physinfo.nr_cpus;

	return n >= 64 ? ~0ul : (1ul << n) - 1;
}

struct vcpu_line {
	const domain_info_t *d;
	struct xen_domctl_getvcpuinfo info;
	char name[CONFIG_NAME_MAX], hard[80], soft[80];
};

static void vcpu_print(const struct vcpu_line *l)
{
	u64 t = tenths(l->info.cpu_time);

	printf("%-32s %5u %5u ", l->name, l->d->domain, l->info.vcpu);
	if (!l->info.online)
		printf("%5c %3c%cp ", '-', '-', '-');
	else
		printf("%5u %3c%c- ", l->info.cpu, l->info.running ? 'r' : '-', l->info.blocked ? 'b' : '-');
	printf(" %7lu.%lu  %s / %s\n", t / 10, t % 10, l->hard, l->soft);
}

static void vcpu_json(struct json *j, const struct vcpu_line *l)
{
	json_open(j, NULL, '{');
	json_string(j, "name", l->name);
	json_number(j, "domid", l->d->domain);
	json_number(j, "vcpu", l->info.vcpu);
	json_bool(j, "online", l->info.online);
	json_bool(j, "running", l->info.running);
	json_bool(j, "blocked", l->info.blocked);
	json_number(j, "cpu", l->info.cpu);
	json_number(j, "cpu_time_ns", l->info.cpu_time);
	json_string(j, "hard_affinity", l->hard);
	json_string(j, "soft_affinity", l->soft);
	json_close(j, '}');
}

static void vcpu_one(struct json *j, const domain_info_t *d, u32 vcpu, u64 all)
{
	struct xen_domctl op = { .u.getvcpuinfo.vcpu = vcpu };
	struct vcpu_line line = { .d = d };
	u64 hard, soft;

	if (domctl(XEN_DOMCTL_getvcpuinfo, d->domain, &op))
		return;
	line.info = op.u.getvcpuinfo;
	domains_name(d->domain, line.name, sizeof(line.name));
	if (affinity_get(d->domain, vcpu, &hard, &soft))
		hard = soft = ~0ul;
	cpu_list_text(hard, all, line.hard, sizeof(line.hard));
	cpu_list_text(soft, all, line.soft, sizeof(line.soft));
	if (j)
		vcpu_json(j, &line);
	else
		vcpu_print(&line);
}

static int cmd_vcpu_list(int argc, char **argv)
{
	bool as_json = take_option(&argc, argv, "--json");
	u64 all = online_cpus();
	struct json j = { 0 };
	domain_info_t *list;
	int count;

	if (argc > 1 && *argv[1] == '-')
		return usage("vcpu-list", "[--json] [DOMAIN...]");
	list = chosen("vcpu-list", argc, argv, &count);
	if (count < 0)
		return 1;
	if (as_json)
		json_open(&j, NULL, '[');
	else
		printf("%-32s %5s %5s %5s %5s %9s %s\n", "Name", "ID", "VCPU", "CPU", "State", "Time(s)", "Affinity (Hard / Soft)");
	for (int i = 0; i < count; i++) {
		for (u32 vcpu = 0; list[i].max_vcpu_id != XEN_INVALID_MAX_VCPU_ID && vcpu <= list[i].max_vcpu_id; vcpu++)
			vcpu_one(as_json ? &j : NULL, &list[i], vcpu, all);
	}
	if (as_json) {
		json_close(&j, ']');
		json_end(&j);
	}
	kfree(list);
	return 0;
}
COMMAND_AS(vcpu_list, "vcpu-list", cmd_vcpu_list, "[--json] [DOMAIN...]: their vCPUs, where each runs and may run");

/* --- top --- */

struct top {
	domain_info_t *list;		/* this look */
	int count;
	domain_info_t *before;		/* the last one; count_before 0: none */
	int count_before;
	u64 interval;			/* ns between the two */
	u64 machine_kib;
};

static u64 cpu_time_before(const struct top *t, u16 domid)
{
	for (int i = 0; i < t->count_before; i++) {
		if (t->before[i].domain == domid)
			return t->before[i].cpu_time;
	}
	return ~0ul;
}

/* Tenths of a percent of one CPU since the last look. */
static u64 cpu_share(const struct top *t, const domain_info_t *d)
{
	u64 before = cpu_time_before(t, d->domain);

	return before > d->cpu_time || !t->interval ? 0 : (d->cpu_time - before) * 1000 / t->interval;
}

/* As xentop: dying, shut down, blocked, crashed, paused, running. */
static void top_state(const domain_info_t *d, char state[7])
{
	snprintf(state, 7, "%c%c%c%c%c%c", has(d, XEN_DOMINF_dying) ? 'd' : '-', has(d, XEN_DOMINF_shutdown) ? 's' : '-',
		 has(d, XEN_DOMINF_blocked) ? 'b' : '-', is_crashed(d) ? 'c' : '-', has(d, XEN_DOMINF_paused) ? 'p' : '-',
		 has(d, XEN_DOMINF_running) ? 'r' : '-');
}

static void top_line(const struct top *t, const domain_info_t *d)
{
	u64 share = cpu_share(t, d), kib = d->tot_pages * 4, max = d->max_pages * 4, whole = MAX(t->machine_kib, 1);
	bool limited = max < ~0u;
	char name[CONFIG_NAME_MAX], state[7];

	domains_name(d->domain, name, sizeof(name));
	top_state(d, state);
	printf("%10.10s %s %10lu %4lu.%lu %10lu %4lu.%lu ", name, state, d->cpu_time / NSEC_PER_SEC, share / 10, share % 10, kib,
	       kib * 100 / whole, kib * 1000 / whole % 10);
	if (limited)
		printf("%10lu %7lu.%lu %5u\n", max, max * 100 / whole, max * 1000 / whole % 10, d->nr_online_vcpus);
	else
		printf("%10s %9s %5u\n", "no limit", "n/a", d->nr_online_vcpus);
}

static void top_json(const struct top *t)
{
	struct json j = { 0 };

	json_open(&j, NULL, '[');
	for (int i = 0; i < t->count; i++) {
		const domain_info_t *d = &t->list[i];
		char name[CONFIG_NAME_MAX], state[7];

		domains_name(d->domain, name, sizeof(name));
		top_state(d, state);
		json_open(&j, NULL, '{');
		json_string(&j, "name", name);
		json_number(&j, "domid", d->domain);
		json_string(&j, "state", state);
		json_number(&j, "cpu_time_ns", d->cpu_time);
		json_number(&j, "cpu_permille", cpu_share(t, d));
		json_number(&j, "memory_kib", d->tot_pages * 4);
		json_number(&j, "maxmem_kib", d->max_pages * 4);
		json_number(&j, "vcpus", d->nr_online_vcpus);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	json_end(&j);
}

static void top_table(const struct top *t)
{
	printf("%10s %6s %10s %6s %10s %6s %10s %9s %5s\n", "NAME", "STATE", "CPU(sec)", "CPU(%)", "MEM(k)", "MEM(%)", "MAXMEM(k)",
	       "MAXMEM(%)", "VCPUS");
	for (int i = 0; i < t->count; i++)
		top_line(t, &t->list[i]);
}

static u64 machine_kib(void)
{
	struct xen_sysctl op;

	return sysctl(XEN_SYSCTL_physinfo, &op) ? 0 : op.u.physinfo.total_pages * 4;
}

/* One look more; the first has no shares, so it is not shown. */
static bool top_look(struct top *t, bool show, bool as_json)
{
	kfree(t->before);
	t->before = t->list;
	t->count_before = t->count;
	t->count = domains_list(&t->list);
	if (t->count < 0) {
		printf("top: the hypervisor does not tell: %s\n", errno_name(t->count));
		return false;
	}
	if (show && as_json)
		top_json(t);
	else if (show)
		top_table(t);
	return true;
}

static int cmd_top(int argc, char **argv)
{
	bool as_json = take_option(&argc, argv, "--json"), ok;
	struct top t = { .machine_kib = machine_kib() };
	const char *text;
	u64 rounds = 1, delay = 1, last;

	take_option(&argc, argv, "-b");
	if ((take_value_option(&argc, argv, "-i", &text) && !parse_u64(text, &rounds)) ||
	    (take_value_option(&argc, argv, "-d", &text) && (!parse_u64(text, &delay) || !delay)) || argc > 1)
		return usage("top", "[-i ROUNDS] [-d SECONDS] [--json]");
	last = now();
	ok = top_look(&t, false, as_json);
	for (u64 i = 0; ok && i < rounds && !console_interrupted(); i++) {
		thread_sleep(delay * NSEC_PER_SEC);
		t.interval = now() - last;
		last += t.interval;
		ok = top_look(&t, true, as_json);
	}
	kfree(t.before);
	if (ok)
		kfree(t.list);
	return !ok;
}
COMMAND(top, cmd_top, "[-i ROUNDS] [-d SECONDS] [--json]: what each takes of CPU and memory, once a second if not told");
