/* SPDX-License-Identifier: MIT */
/* The commands about the machine and its hypervisor. */
#include <abi/version.h>

#include "../include/boot.h"
#include "../include/console.h"
#include "../include/hypercall.h"
#include "../include/lib.h"
#include "../include/mm.h"
#include "../include/shell.h"
#include "../include/time.h"
#include "control.h"
#include "hypercontrol.h"
#include "json.h"
#include "options.h"
#include "scheduler.h"

/* --- info: each fact once, for both forms --- */

struct sheet {
	bool as_json;
	struct json j;
};

static void fact(struct sheet *s, const char *name, const char *value)
{
	if (s->as_json)
		json_string(&s->j, name, value);
	else
		printf("%-23s: %s\n", name, value);
}

static void number(struct sheet *s, const char *name, u64 value)
{
	if (s->as_json)
		json_number(&s->j, name, value);
	else
		printf("%-23s: %lu\n", name, value);
}

static void machine_facts(struct sheet *s, const struct xen_sysctl_physinfo *p)
{
	char text[9 * ARRAY_SIZE(p->hw_cap) + 1];

	number(s, "nr_cpus", p->nr_cpus);
	number(s, "max_cpu_id", p->max_cpu_id);
	number(s, "nr_nodes", p->nr_nodes);
	number(s, "cores_per_socket", p->cores_per_socket);
	number(s, "threads_per_core", p->threads_per_core);
	snprintf(text, sizeof(text), "%u.%03u", p->cpu_khz / 1000, p->cpu_khz % 1000);
	fact(s, "cpu_mhz", text);
	for (unsigned int i = 0; i < ARRAY_SIZE(p->hw_cap); i++)
		snprintf(text + 9 * i, sizeof(text) - 9 * i, "%08x%s", p->hw_cap[i], i + 1 < ARRAY_SIZE(p->hw_cap) ? ":" : "");
	fact(s, "hw_caps", text);
	snprintf(text, sizeof(text), "%s%s", p->capabilities & XEN_SYSCTL_PHYSCAP_pv ? "pv " : "",
		 p->capabilities & XEN_SYSCTL_PHYSCAP_hvm ? "hvm" : "");
	fact(s, "virt_caps", text);
	number(s, "total_memory", p->total_pages / 256);
	number(s, "free_memory", (p->free_pages - p->outstanding_pages) / 256);
	number(s, "free_pages", p->free_pages);
	number(s, "outstanding_claims", p->outstanding_pages / 256);
}

static void hypervisor_facts(struct sheet *s)
{
	struct xen_platform_parameters platform = { 0 };
	long version = HYPERVISOR_xen_version(XENVER_version, NULL);
	char extra[XEN_EXTRAVERSION_LEN] = "", text[1024] = "";

	HYPERVISOR_xen_version(XENVER_extraversion, extra);
	number(s, "xen_major", version >> 16);
	number(s, "xen_minor", version & 0xffff);
	fact(s, "xen_extra", extra);
	snprintf(text, sizeof(text), "%ld.%ld%s", version >> 16, version & 0xffff, extra);
	fact(s, "xen_version", text);
	HYPERVISOR_xen_version(XENVER_capabilities, text);
	fact(s, "xen_caps", text);
	fact(s, "xen_scheduler", sched_name());
	number(s, "xen_pagesize", PAGE_SIZE);
	HYPERVISOR_xen_version(XENVER_platform_parameters, &platform);
	snprintf(text, sizeof(text), "virt_start=0x%lx", platform.virt_start);
	fact(s, "platform_params", text);
	memset(text, 0, sizeof(text));
	HYPERVISOR_xen_version(XENVER_commandline, text);
	fact(s, "xen_commandline", text);
}

static int cmd_info(int argc, char **argv)
{
	struct sheet s = { .as_json = take_option(&argc, argv, "--json") };
	struct xen_sysctl op;
	long err;

	if (argc > 1)
		return usage("info", "[--json]");
	err = sysctl(XEN_SYSCTL_physinfo, &op);
	if (err) {
		printf("info: the hypervisor does not tell: %s\n", errno_name(err));
		return 1;
	}
	if (s.as_json)
		json_open(&s.j, NULL, '{');
	fact(&s, "host", "pvcontrol");
	fact(&s, "machine", "x86_64");
	machine_facts(&s, &op.u.physinfo);
	hypervisor_facts(&s);
	number(&s, "domain0_memory", boot.nr_pages / 256);
	number(&s, "domain0_free_pages", pages_free());
	number(&s, "domain0_heap", heap_used());
	if (s.as_json) {
		json_close(&s.j, '}');
		json_end(&s.j);
	}
	return 0;
}
COMMAND(info, cmd_info, "[--json]: the machine and its hypervisor");

/* --- dmesg, debug-keys --- */

static int cmd_dmesg(int argc, char **argv)
{
	bool clear = take_option(&argc, argv, "-c");
	struct xen_sysctl op = { .u.readconsole = { .incremental = 1 } };
	char text[512];
	long err;

	if (argc > 1)
		return usage("dmesg", "[-c]");
	for (;;) {
		op.u.readconsole.buffer = (u64)text;
		op.u.readconsole.count = sizeof(text);
		err = sysctl(XEN_SYSCTL_readconsole, &op);
		if (err || !op.u.readconsole.count)
			break;
		console_write(text, op.u.readconsole.count);
	}
	op = (struct xen_sysctl){ .u.readconsole = { .clear = 1, .buffer = (u64)text } };
	if (!err && clear)
		err = sysctl(XEN_SYSCTL_readconsole, &op);
	if (err)
		printf("dmesg: the hypervisor does not tell: %s\n", errno_name(err));
	return err != 0;
}
COMMAND(dmesg, cmd_dmesg, "[-c]: what the hypervisor has printed; -c forgets it");

static int cmd_debug_keys(int argc, char **argv)
{
	struct xen_sysctl op;
	long err;

	if (argc != 2)
		return usage("debug-keys", "KEYS");
	op.u.debug_keys.keys = (u64)argv[1];
	op.u.debug_keys.nr_keys = strlen(argv[1]);
	err = sysctl(XEN_SYSCTL_debug_keys, &op);
	if (err)
		printf("debug-keys: %s\n", errno_name(err));
	return err != 0;
}
COMMAND_AS(debug_keys, "debug-keys", cmd_debug_keys, "KEYS: as if they were pressed on the hypervisor's console");
