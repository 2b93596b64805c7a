/* SPDX-License-Identifier: MIT */
/* The commands that give a domain more or less: CPU, memory. */
#include "../include/lib.h"
#include "../include/mm.h"
#include "../include/shell.h"
#include "../include/xenstore.h"
#include "balloon_policy.h"
#include "config.h"
#include "control.h"
#include "domains.h"
#include "hypercontrol.h"
#include "json.h"
#include "memory.h"
#include "options.h"
#include "scheduler.h"

static int done(const char *command, const char *domain, long err)
{
	if (err)
		printf("%s: %s: %s\n", command, domain, errno_name(err));
	return err != 0;
}

/* --- CPU --- */

static u64 nr_vcpus(u16 domid)
{
	struct xen_domctl_getdomaininfo info;

	return domains_info(domid, &info) && info.max_vcpu_id != XEN_INVALID_MAX_VCPU_ID ? info.max_vcpu_id + 1 : 0;
}

static int cmd_vcpu_pin(int argc, char **argv)
{
	u64 first, end, cpus;
	u16 domid;
	long err = 0;

	if (argc != 4)
		return usage("vcpu-pin", "DOMAIN VCPU|all CPUS");
	if (!take_domain("vcpu-pin", argv[1], &domid))
		return 1;
	end = nr_vcpus(domid);
	if (!strcmp(argv[2], "all")) {
		first = 0;
	} else if (!parse_u64(argv[2], &first) || first >= end) {
		printf("vcpu-pin: %s: expected all or a vCPU below %lu, not %s\n", argv[1], end, argv[2]);
		return 1;
	} else {
		end = first + 1;
	}
	if (!config_cpu_list(argv[3], &cpus)) {
		printf("vcpu-pin: expected CPUs such as all, 0-3, 2,^1, not %s\n", argv[3]);
		return 1;
	}
	for (; first < end && !err; first++)
		err = affinity_set(domid, first, cpus);
	return done("vcpu-pin", argv[1], err);
}
COMMAND_AS(vcpu_pin, "vcpu-pin", cmd_vcpu_pin, "DOMAIN VCPU|all CPUS: where vCPUs may run");

static int cmd_vcpu_set(int argc, char **argv)
{
	u64 want, count;
	char node[40];
	u16 domid;
	int err = 0;

	if (argc != 3 || !parse_u64(argv[2], &want))
		return usage("vcpu-set", "DOMAIN COUNT");
	if (!take_domain("vcpu-set", argv[1], &domid))
		return 1;
	count = nr_vcpus(domid);
	if (!want || want > count) {
		printf("vcpu-set: %s: expected 1 to %lu vCPUs\n", argv[1], count);
		return 1;
	}
	for (u64 i = 0; i < count && !err; i++) {
		snprintf(node, sizeof(node), "cpu/%lu/availability", i);
		err = domains_write(domid, node, i < want ? "online" : "offline");
	}
	return done("vcpu-set", argv[1], err);
}
COMMAND_AS(vcpu_set, "vcpu-set", cmd_vcpu_set, "DOMAIN COUNT: asks the guest to use so many of its vCPUs");

static void share_line(struct json *j, u16 domid)
{
	char name[CONFIG_NAME_MAX];
	u16 weight, cap;

	if (sched_get(domid, &weight, &cap))
		return;
	domains_name(domid, name, sizeof(name));
	if (!j) {
		printf("%-33s %4u %6u %4u\n", name, domid, weight, cap);
		return;
	}
	json_open(j, NULL, '{');
	json_string(j, "name", name);
	json_number(j, "domid", domid);
	json_number(j, "weight", weight);
	json_number(j, "cap", cap);
	json_close(j, '}');
}

static int show_shares(const char *domain, bool as_json)
{
	struct xen_domctl_getdomaininfo *list = NULL;
	struct json j = { 0 };
	u16 domid;
	int count = 0;

	if (domain && !take_domain("sched-credit", domain, &domid))
		return 1;
	if (!domain)
		count = domains_list(&list);
	if (count < 0)
		return done("sched-credit", "all", count);
	if (as_json)
		json_open(&j, NULL, '[');
	else
		printf("%-33s %4s %6s %4s\n", "Name", "ID", "Weight", "Cap");
	if (domain)
		share_line(as_json ? &j : NULL, domid);
	for (int i = 0; i < count; i++)
		share_line(as_json ? &j : NULL, list[i].domain);
	if (as_json) {
		json_close(&j, ']');
		json_end(&j);
	}
	kfree(list);
	return 0;
}

static int cmd_sched(int argc, char **argv)
{
	bool as_json = take_option(&argc, argv, "--json"), has_weight, has_cap;
	const char *domain = NULL, *text[2];
	u64 weight = SCHED_WEIGHT_KEEP, cap = SCHED_CAP_KEEP;
	u16 domid;

	take_value_option(&argc, argv, "-d", &domain);
	has_weight = take_value_option(&argc, argv, "-w", &text[0]);
	has_cap = take_value_option(&argc, argv, "-c", &text[1]);
	if (argc > 1 || ((has_weight || has_cap) && !domain))
		return usage(argv[0], "[--json] [-d DOMAIN [-w WEIGHT] [-c CAP]]");
	if ((has_weight && (!parse_u64(text[0], &weight) || !weight || weight > 65535)) ||
	    (has_cap && (!parse_u64(text[1], &cap) || cap >= SCHED_CAP_KEEP))) {
		printf("%s: expected a weight from 1 to 65535, a cap from 0 to 65534\n", argv[0]);
		return 1;
	}
	if (!has_weight && !has_cap)
		return show_shares(domain, as_json);
	if (!take_domain(argv[0], domain, &domid))
		return 1;
	return done(argv[0], domain, sched_set(domid, weight, cap));
}
COMMAND_AS(sched_credit, "sched-credit", cmd_sched, "[--json] [-d DOMAIN [-w WEIGHT] [-c CAP]]: shares of the CPUs");
COMMAND_AS(sched_credit2, "sched-credit2", cmd_sched, "the same");

/* --- memory --- */

static int cmd_mem_set(int argc, char **argv)
{
	struct xen_domctl_getdomaininfo info;
	u64 kib, max, has, there;
	char path[64];
	u16 domid;

	if (argc != 3 || !parse_kib(argv[2], &kib) || !kib)
		return usage("mem-set", "DOMAIN SIZE[b|k|m|g]");
	if (!take_domain("mem-set", argv[1], &domid))
		return 1;
	snprintf(path, sizeof(path), "/local/domain/%u/memory/static-max", domid);
	if (!xs_read_u64(XS_NO_TX, path, &max) && kib > max) {
		printf("mem-set: %s: expected at most its maxmem, %lu KiB\n", argv[1], max);
		return 1;
	}
	has = domains_info(domid, &info) ? info.tot_pages << 2 : kib;
	there = memory_free();
	if (kib > has && kib - has > there && !balloon_policy_is_on()) {
		printf("mem-set: %s: it needs %lu KiB more, the machine has %lu KiB free\n", argv[1], kib - has, there);
		return 1;
	}
	return done("mem-set", argv[1], memory_set_target(domid, kib));
}
COMMAND_AS(mem_set, "mem-set", cmd_mem_set, "DOMAIN SIZE[b|k|m|g]: asks its balloon for that size, KiB without a unit");

static int cmd_mem_max(int argc, char **argv)
{
	struct xen_domctl op;
	char path[64];
	u64 kib, target;
	u16 domid;

	if (argc != 3 || !parse_kib(argv[2], &kib) || !kib)
		return usage("mem-max", "DOMAIN SIZE[b|k|m|g]");
	if (!take_domain("mem-max", argv[1], &domid))
		return 1;
	snprintf(path, sizeof(path), "/local/domain/%u/memory/target", domid);
	if (!xs_read_u64(XS_NO_TX, path, &target) && kib < target) {
		printf("mem-max: %s: expected at least its target, %lu KiB\n", argv[1], target);
		return 1;
	}
	op.u.max_mem.max_memkb = kib + MAXMEM_SLACK;
	return done("mem-max", argv[1], domctl(XEN_DOMCTL_max_mem, domid, &op));
}
COMMAND_AS(mem_max, "mem-max", cmd_mem_max, "DOMAIN SIZE[b|k|m|g]: the most that it may have");
