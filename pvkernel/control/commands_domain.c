/* SPDX-License-Identifier: MIT */
/* The commands that make, end and change the life of a domain. */
#include <abi/errno.h>
#include <abi/paravane.h>

#include "../../drivers/backend/consback.h"
#include "../include/console.h"
#include "../include/hypercall.h"
#include "../include/lib.h"
#include "../include/mm.h"
#include "../include/ops.h"
#include "../include/sched.h"
#include "../include/shell.h"
#include "../include/time.h"
#include "../include/xenstore.h"
#include "control.h"
#include "domains.h"
#include "hypercontrol.h"
#include "options.h"
#include "ramdisk.h"
#include "wait.h"

#define MESSAGE_MAX 512

static bool is_crashed(u32 flags)
{
	return (flags & XEN_DOMINF_shutdown) && (flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask) == 3;
}

/* --- create --- */

/* The shell has taken the quotes of name="x": what is neither a number nor has any of the grammar's characters is a string. */
static bool is_bare_string(const char *value)
{
	u64 number;

	for (const char *s = value; *s; s++) {
		if (strchr("\"'[];#", *s))
			return false;
	}
	return !parse_u64(value, &number);
}

/* A setting of the command line as a line of the file; its length. */
static size_t print_setting(char *line, size_t size, const char *setting)
{
	const char *value = strchr(setting, '=') + 1;
	const char *quote = is_bare_string(value) ? "\"" : "";

	return snprintf(line, size, "%.*s%s%s%s\n", (int)(value - setting), setting, quote, value, quote);
}

/* The file with the settings of the command line below it, as if they were its last lines. */
static char *whole_text(const struct ramdisk_file *f, int settings, char **setting, size_t *length)
{
	size_t size = f->size + 2;
	char *text;

	for (int i = 0; i < settings; i++)
		size += strlen(setting[i]) + 3;
	text = kmalloc(size);
	if (!text)
		return NULL;
	memcpy(text, f->data, f->size);
	text[f->size] = '\n';
	*length = f->size + 1;
	for (int i = 0; i < settings; i++)
		*length += print_setting(text + *length, size - *length, setting[i]);
	return text;
}

static bool read_config(const struct ramdisk_file *f, int settings, char **setting, struct domain_config *config)
{
	char message[MESSAGE_MAX];
	size_t length;
	char *text = whole_text(f, settings, setting, &length);
	bool ok;

	if (!text) {
		printf("create: no memory for the configuration's text\n");
		return false;
	}
	ok = config_parse(f->name, text, length, config, message, sizeof(message));
	kfree(text);
	printf(ok ? "%s" : "%s\n", message);
	return ok;
}

static int create(struct domain_config *config, bool paused, bool attach)
{
	char error[MESSAGE_MAX] = "";
	u16 domid;

	if (domains_create(config, paused, &domid, error, sizeof(error))) {
		printf("create: %s: %s\n", config->name, error);
		return 1;
	}
	return attach ? consback_attach(config->name) != 0 : 0;
}

static int cmd_create(int argc, char **argv)
{
	bool paused = take_option(&argc, argv, "-p"), attach = take_option(&argc, argv, "-c");
	const struct ramdisk_file *f;
	struct domain_config *config;
	int err = 1;

	take_option(&argc, argv, "-q");
	for (int i = 2; i < argc; i++) {
		if (!strchr(argv[i], '='))
			return usage("create", "FILE [KEY=VALUE...] [-p] [-c]");
	}
	if (argc < 2 || *argv[1] == '-')
		return usage("create", "FILE [KEY=VALUE...] [-p] [-c]");
	f = ramdisk_find(argv[1]);
	if (!f) {
		printf("create: %s: no such file in the ramdisk\n", argv[1]);
		return 1;
	}
	config = kmalloc(sizeof(*config));
	if (config && read_config(f, argc - 2, argv + 2, config))
		err = create(config, paused, attach);
	kfree(config);
	return err;
}
COMMAND(create, cmd_create, "FILE [KEY=VALUE...] [-p] [-c]: a domain from a configuration; -p stays paused, -c attaches");

/* --- the end of one --- */

static int cmd_destroy(int argc, char **argv)
{
	char error[MESSAGE_MAX];
	u16 domid;

	if (argc != 2)
		return usage("destroy", "DOMAIN");
	if (domains_cancel_restart(argv[1]))
		return 0;
	if (!take_domain("destroy", argv[1], &domid))
		return 1;
	if (!domains_destroy(domid, error, sizeof(error)))
		return 0;
	printf("destroy: %s: %s\n", argv[1], error);
	return 1;
}
COMMAND(destroy, cmd_destroy, "DOMAIN: ends it at once");

struct request {
	const char *command, *what, *feature;
	int wait;			/* 1: for the shutdown, 2: for the domain's end */
	bool fallback;
};

/* Does the guest say that it obeys? Linux and pvkernel write "1" when they watch control/shutdown. */
static bool obeys(u16 domid, const char *feature)
{
	struct xen_domctl_getdomaininfo info;
	char path[64], value[8];

	if (!domains_info(domid, &info) || (info.flags & XEN_DOMINF_shutdown))
		return false;
	snprintf(path, sizeof(path), "/local/domain/%u/control/%s", domid, feature);
	return xs_read(XS_NO_TX, path, value, sizeof(value)) > 0 && !strcmp(value, "1");
}

static int request_one(const struct request *r, u16 domid)
{
	char error[MESSAGE_MAX];
	int err;

	if (!domid) {
		printf("%s: domain 0 is this one: without a domain's name the command is for the machine\n", r->command);
		return 1;
	}
	if (r->fallback && !obeys(domid, r->feature)) {
		printf("%s: domain %u does not listen: destroyed\n", r->command, domid);
		err = domains_destroy(domid, error, sizeof(error));
	} else {
		err = domains_request(domid, r->what);
		snprintf(error, sizeof(error), "asking it by xenstore: %s", errno_name(err));
	}
	if (err)
		printf("%s: domain %u: %s\n", r->command, domid, error);
	return err;
}

static int request_all(const struct request *r)
{
	struct xen_domctl_getdomaininfo *list;
	int count = domains_list(&list), status = 0;

	for (int i = 0; i < count; i++) {
		if (list[i].domain)
			status |= request_one(r, list[i].domain);
	}
	for (int i = 0; i < count && r->wait; i++) {
		if (list[i].domain)
			status |= !wait_for(list[i].domain, r->wait > 1 ? WAIT_GONE : WAIT_SHUTDOWN, WAIT_FOREVER);
	}
	if (count >= 0)
		kfree(list);
	return status != 0 || count < 0;
}

static int request(struct request *r, const char *expected, int argc, char **argv)
{
	bool all = take_option(&argc, argv, "-a");
	u16 domid;

	r->wait = take_option(&argc, argv, "-w");
	r->fallback = take_option(&argc, argv, "-F");
	if (argc != (all ? 1 : 2) || (argc > 1 && *argv[1] == '-'))
		return usage(r->command, expected);
	if (all)
		return request_all(r);
	if (!take_domain(r->command, argv[1], &domid) || request_one(r, domid))
		return 1;
	return r->wait ? !wait_for(domid, r->wait > 1 ? WAIT_GONE : WAIT_SHUTDOWN, WAIT_FOREVER) : 0;
}

static int cmd_shutdown(int argc, char **argv)
{
	struct request r = { .command = "shutdown", .what = "poweroff", .feature = "feature-poweroff" };

	if (argc > 1)
		return request(&r, "[-a | DOMAIN] [-w] [-F]", argc, argv);
	cpu->stop(STOP_POWEROFF);
	return 1;
}
COMMAND(shutdown, cmd_shutdown, "[-a | DOMAIN] [-w] [-F]: asks it to power off, -w and waits, -F or destroys; alone: the machine");

static int cmd_reboot(int argc, char **argv)
{
	struct request r = { .command = "reboot", .what = "reboot", .feature = "feature-reboot" };

	if (argc > 1)
		return request(&r, "[-a | DOMAIN] [-w] [-F]", argc, argv);
	cpu->stop(STOP_REBOOT);
	return 1;
}
COMMAND(reboot, cmd_reboot, "[-a | DOMAIN] [-w] [-F]: asks it to start again; alone: the machine");

/* --- while it lives --- */

static int run_state(const char *command, u32 cmd, int argc, char **argv)
{
	struct xen_domctl op;
	u16 domid;
	long err;

	if (argc != 2)
		return usage(command, "DOMAIN");
	if (!take_domain(command, argv[1], &domid))
		return 1;
	err = domctl(cmd, domid, &op);
	if (err)
		printf("%s: %s: %s\n", command, argv[1], errno_name(err));
	return err != 0;
}

static int cmd_pause(int argc, char **argv)
{
	return run_state("pause", XEN_DOMCTL_pausedomain, argc, argv);
}
COMMAND(pause, cmd_pause, "DOMAIN: keeps it from running");

static int cmd_unpause(int argc, char **argv)
{
	return run_state("unpause", XEN_DOMCTL_unpausedomain, argc, argv);
}
COMMAND(unpause, cmd_unpause, "DOMAIN: lets it run");

static int cmd_rename(int argc, char **argv)
{
	char error[MESSAGE_MAX];
	u16 domid;

	if (argc != 3)
		return usage("rename", "DOMAIN NAME");
	if (!take_domain("rename", argv[1], &domid))
		return 1;
	if (!domains_rename(domid, argv[2], error, sizeof(error)))
		return 0;
	printf("rename: %s: %s\n", argv[1], error);
	return 1;
}
COMMAND(rename, cmd_rename, "DOMAIN NAME: gives it another name");

static int cmd_domain_control(int argc, char **argv)
{
	bool on = argc == 3 && !strcmp(argv[2], "on");
	u16 domid;
	long err;

	if (argc != 3 || (!on && strcmp(argv[2], "off")))
		return usage("domain-control", "DOMAIN on|off");
	if (!take_domain("domain-control", argv[1], &domid))
		return 1;
	err = hypercall3(__HYPERVISOR_paravane_op, PARAVANE_set_control, domid, on);
	if (err)
		printf("domain-control: %s: %s\n", argv[1], err == -ENOSYS ? "this hypervisor lets only domain 0 manage others" : errno_name(err));
	return err != 0;
}
COMMAND_AS(domain_control, "domain-control", cmd_domain_control, "DOMAIN on|off: may it manage other domains");

static int cmd_console(int argc, char **argv)
{
	char name[CONFIG_NAME_MAX];
	u16 domid;
	int err;

	if (argc != 2)
		return usage("console", "DOMAIN");
	if (!take_domain("console", argv[1], &domid))
		return 1;
	domains_name(domid, name, sizeof(name));
	err = consback_attach(name);
	if (err)
		printf("console: %s: %s\n", argv[1], err == -ENOENT ? "it has none" : errno_name(err));
	return err != 0;
}
COMMAND(console, cmd_console, "DOMAIN: its console is ours until Ctrl-]");

/* --- waiting --- */

static bool reached(u16 domid, enum wait_state state)
{
	struct xen_domctl_getdomaininfo info;
	bool there = domains_info(domid, &info);

	switch (state) {
	case WAIT_GONE:
		return !there;
	case WAIT_SHUTDOWN:
		return !there || (info.flags & (XEN_DOMINF_shutdown | XEN_DOMINF_dying));
	case WAIT_CRASHED:
		return there && is_crashed(info.flags);
	case WAIT_PAUSED:
		return there && (info.flags & XEN_DOMINF_paused);
	default:
		return there;
	}
}

bool wait_more(u64 end)
{
	if (now() >= end)
		return false;
	thread_sleep(WAIT_INTERVAL);
	if (!console_interrupted())
		return true;
	printf("^C\n");
	return false;
}

bool wait_for(u16 domid, enum wait_state state, u64 timeout)
{
	u64 end = timeout == WAIT_FOREVER ? ~0ul : now() + timeout;

	while (!reached(domid, state)) {
		if (!wait_more(end))
			return false;
	}
	return true;
}

/* A name that comes to be, or no longer is. */
static bool wait_name(const char *name, bool there, u64 timeout)
{
	u64 end = now() + timeout;
	u16 domid;

	while (domains_find(name, &domid) != there) {
		if (!wait_more(end))
			return false;
	}
	return true;
}

static const char *const wait_names[] = {
	[WAIT_GONE] = "gone", [WAIT_SHUTDOWN] = "shutdown", [WAIT_CRASHED] = "crashed", [WAIT_PAUSED] = "paused",
	[WAIT_THERE] = "there",
};

static bool parse_state(const char *word, unsigned int *state)
{
	for (*state = 0; *state < ARRAY_SIZE(wait_names); ++*state) {
		if (!strcmp(word, wait_names[*state]))
			return true;
	}
	return false;
}

static int cmd_wait(int argc, char **argv)
{
	unsigned int state = WAIT_GONE;
	u64 seconds = 60;
	u16 domid;
	bool ok;

	if (argc > 2 && parse_state(argv[2], &state)) {
		argv[2] = argv[1];
		argv++;
		argc--;
	}
	if (argc < 2 || argc > 3 || (argc == 3 && !parse_u64(argv[2], &seconds)))
		return usage("wait", "DOMAIN [gone|shutdown|crashed|paused|there] [SECONDS]");
	if (state == WAIT_THERE)
		ok = wait_name(argv[1], true, seconds * NSEC_PER_SEC);
	else if (!domains_find(argv[1], &domid))
		ok = state == WAIT_GONE || state == WAIT_SHUTDOWN;
	else
		ok = wait_for(domid, state, seconds * NSEC_PER_SEC);
	if (!ok)
		printf("wait: %s: not %s yet\n", argv[1], wait_names[state]);
	return !ok;
}
COMMAND(wait, cmd_wait, "DOMAIN [gone|shutdown|crashed|paused|there] [SECONDS]: waits, 60 s at most if not told");
