/* SPDX-License-Identifier: MIT */
/* The commands that attach, detach and list disks and network interfaces, in xl's words and columns. */
#include "../include/lib.h"
#include "../include/mm.h"
#include "../include/shell.h"
#include "../include/xenstore.h"
#include "control.h"
#include "devices.h"
#include "domains.h"
#include "json.h"
#include "options.h"

#define MESSAGE_MAX 256
#define SPEC_MAX 256

static int failed(const char *command, const char *domain, const char *error)
{
	printf("%s: %s: %s\n", command, domain, error);
	return 1;
}

/* --- attach --- */

/* Words of a specification are its components. False: too long. */
static bool join(int argc, char **argv, char spec[SPEC_MAX])
{
	int n = 0;

	for (int i = 0; i < argc; i++) {
		n += snprintf(spec + n, SPEC_MAX - n, "%s%s", i ? "," : "", argv[i]);
		if (n >= SPEC_MAX)
			return false;
	}
	return true;
}

static int cmd_block_attach(int argc, char **argv)
{
	char spec[SPEC_MAX], error[MESSAGE_MAX];
	const char *expected;
	struct disk_config disk;
	u16 domid;

	if (argc < 3 || !join(argc - 2, argv + 2, spec))
		return usage("block-attach", "DOMAIN DISK-SPECIFICATION...");
	if (!take_domain("block-attach", argv[1], &domid))
		return 1;
	expected = config_disk(spec, &disk);
	if (expected) {
		printf("block-attach: expected %s, in \"%s\"\n", expected, spec);
		return 1;
	}
	return devices_attach_disk(domid, &disk, error, sizeof(error)) ? failed("block-attach", argv[1], error) : 0;
}
COMMAND_AS(block_attach, "block-attach", cmd_block_attach, "DOMAIN SPECIFICATION...: another disk, as in disk = [ ... ]");

static int cmd_network_attach(int argc, char **argv)
{
	char spec[SPEC_MAX] = "", error[MESSAGE_MAX];
	const char *expected;
	struct vif_config vif;
	u16 domid;

	if (argc < 2 || !join(argc - 2, argv + 2, spec))
		return usage("network-attach", "DOMAIN [KEY=VALUE...]");
	if (!take_domain("network-attach", argv[1], &domid))
		return 1;
	expected = config_vif(spec, &vif);
	if (expected) {
		printf("network-attach: expected %s, in \"%s\"\n", expected, spec);
		return 1;
	}
	return devices_attach_vif(domid, &vif, error, sizeof(error)) ? failed("network-attach", argv[1], error) : 0;
}
COMMAND_AS(network_attach, "network-attach", cmd_network_attach, "DOMAIN [KEY=VALUE...]: another network interface, as in vif = [ ... ]");

/* --- detach --- */

static bool take_force(int *argc, char **argv)
{
	return take_option(argc, argv, "--force") + take_option(argc, argv, "-F");
}

static int detach(const char *command, const char *domain, u16 domid, enum device_kind kind, u32 devid, bool force)
{
	char error[MESSAGE_MAX];

	return devices_detach(domid, kind, devid, force, error, sizeof(error)) ? failed(command, domain, error) : 0;
}

static int cmd_block_detach(int argc, char **argv)
{
	bool force = take_force(&argc, argv);
	u32 number;
	u16 domid;

	if (argc != 3)
		return usage("block-detach", "DOMAIN VDEV [--force]");
	if (!take_domain("block-detach", argv[1], &domid))
		return 1;
	if (!config_vdev(argv[2], &number))
		return failed("block-detach", argv[2], "expected a vdev such as xvda, or its number");
	return detach("block-detach", argv[1], domid, DEVICE_VBD, number, force);
}
COMMAND_AS(block_detach, "block-detach", cmd_block_detach, "DOMAIN VDEV [--force]: takes a disk away");

/* The interface that a devid or an address names; false: said that there is none. */
static bool find_vif(const struct domain_config *c, const char *domain, const char *word, u32 *devid)
{
	u8 mac[6];
	u64 number;
	bool is_number = parse_u64(word, &number);

	if (!is_number && !config_mac(word, mac)) {
		failed("network-detach", word, "expected a devid or an address");
		return false;
	}
	for (u32 i = 0; i < c->vifs; i++) {
		if (is_number ? c->vif[i].devid == number : !memcmp(c->vif[i].mac, mac, sizeof(mac))) {
			*devid = c->vif[i].devid;
			return true;
		}
	}
	failed("network-detach", domain, "no such device");
	return false;
}

static int cmd_network_detach(int argc, char **argv)
{
	bool force = take_force(&argc, argv);
	struct domain_config *c;
	u32 devid;
	u16 domid;
	int err = 1;

	if (argc != 3)
		return usage("network-detach", "DOMAIN DEVID|MAC [--force]");
	if (!take_domain("network-detach", argv[1], &domid))
		return 1;
	c = kmalloc(sizeof(*c));
	if (!c || !devices_config(domid, c))
		failed("network-detach", argv[1], c ? "no domain that was created here" : "no memory");
	else if (find_vif(c, argv[1], argv[2], &devid))
		err = detach("network-detach", argv[1], domid, DEVICE_VIF, devid, force);
	kfree(c);
	return err;
}
COMMAND_AS(network_detach, "network-detach", cmd_network_detach, "DOMAIN DEVID|MAC [--force]: takes a network interface away");

/* --- lists --- */

/* A number that may not be there, or, as it is the guest's, not be one: -1 as xl has it. */
static s64 number_at(const char *dir, const char *key)
{
	char path[DEVICE_PATH_MAX + 24];
	u64 value;

	snprintf(path, sizeof(path), "%s/%s", dir, key);
	return xs_read_u64(XS_NO_TX, path, &value) || value > 0x7fffffff ? -1 : (s64)value;
}

struct listing {
	struct json j;
	bool as_json;
	u16 domid;
};

static s64 first_of(const char *dir, const char *key, const char *other)
{
	s64 value = number_at(dir, key);

	return value < 0 ? number_at(dir, other) : value;
}

static void common_json(struct listing *l, u32 devid, s64 state, s64 evtch, const char *back)
{
	json_number(&l->j, "devid", devid);
	json_number(&l->j, "backend_id", 0);
	json_number(&l->j, "frontend_id", l->domid);
	json_number(&l->j, "state", state < 0 ? 0 : state);
	json_number(&l->j, "evtch", evtch < 0 ? 0 : evtch);
	json_string(&l->j, "backend", back);
}

static void disk_line(struct listing *l, const struct disk_config *d)
{
	char front[DEVICE_PATH_MAX], back[DEVICE_PATH_MAX];
	s64 state, evtch, ring;

	device_front_path(front, l->domid, DEVICE_VBD, d->number);
	device_back_path(back, l->domid, DEVICE_VBD, d->number);
	state = number_at(front, "state");
	evtch = first_of(front, "event-channel", "queue-0/event-channel");
	ring = first_of(front, "ring-ref", "ring-ref0");
	if (!l->as_json) {
		printf("%-5u %-3d %-6u %-5ld %-6ld %-8ld %s\n", d->number, 0, l->domid, state, evtch, ring, back);
		return;
	}
	json_open(&l->j, NULL, '{');
	json_string(&l->j, "vdev", d->vdev);
	json_string(&l->j, "target", d->target);
	common_json(l, d->number, state, evtch, back);
	json_close(&l->j, '}');
}

static void vif_line(struct listing *l, const struct vif_config *v)
{
	char front[DEVICE_PATH_MAX], back[DEVICE_PATH_MAX], mac[20];
	s64 state, evtch;

	device_front_path(front, l->domid, DEVICE_VIF, v->devid);
	device_back_path(back, l->domid, DEVICE_VIF, v->devid);
	state = number_at(front, "state");
	evtch = first_of(front, "event-channel", "event-channel-tx");
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", v->mac[0], v->mac[1], v->mac[2], v->mac[3], v->mac[4], v->mac[5]);
	if (!l->as_json) {
		printf("%-3u %-2d %-17s %6u %5ld %6ld %5ld/%-11ld %s\n", v->devid, 0, mac, v->devid, state, evtch,
		       number_at(front, "tx-ring-ref"), number_at(front, "rx-ring-ref"), back);
		return;
	}
	json_open(&l->j, NULL, '{');
	json_string(&l->j, "mac", mac);
	json_string(&l->j, "bridge", v->bridge);
	common_json(l, v->devid, state, evtch, back);
	json_close(&l->j, '}');
}

static void list_domain(struct listing *l, const struct domain_config *c, enum device_kind kind)
{
	for (u32 i = 0; kind == DEVICE_VBD && i < c->disks; i++)
		disk_line(l, &c->disk[i]);
	for (u32 i = 0; kind == DEVICE_VIF && i < c->vifs; i++)
		vif_line(l, &c->vif[i]);
}

static int list(const char *command, enum device_kind kind, int argc, char **argv)
{
	struct listing l = { .as_json = take_option(&argc, argv, "--json") };
	struct domain_config *c;
	int err = 0;

	if (argc < 2)
		return usage(command, "[--json] DOMAIN...");
	c = kmalloc(sizeof(*c));
	if (!c)
		return failed(command, argv[1], "no memory");
	if (l.as_json)
		json_open(&l.j, NULL, '[');
	else if (kind == DEVICE_VBD)
		printf("%-5s %-3s %-6s %-5s %-6s %-8s %s\n", "Vdev", "BE", "handle", "state", "evt-ch", "ring-ref", "BE-path");
	else
		printf("%-3s %-2s %-17s %-6s %-5s %-6s %5s/%-5s %s\n", "Idx", "BE", "Mac Addr.", "handle", "state", "evt-ch", "tx-",
		       "rx-ring-ref", "BE-path");
	for (int i = 1; i < argc && !err; i++) {
		err = !take_domain(command, argv[i], &l.domid);
		if (!err && devices_config(l.domid, c))
			list_domain(&l, c, kind);
	}
	if (l.as_json) {
		json_close(&l.j, ']');
		json_end(&l.j);
	}
	kfree(c);
	return err;
}

static int cmd_block_list(int argc, char **argv)
{
	return list("block-list", DEVICE_VBD, argc, argv);
}
COMMAND_AS(block_list, "block-list", cmd_block_list, "[--json] DOMAIN...: its disks");

static int cmd_network_list(int argc, char **argv)
{
	return list("network-list", DEVICE_VIF, argc, argv);
}
COMMAND_AS(network_list, "network-list", cmd_network_list, "[--json] DOMAIN...: its network interfaces");
