/* SPDX-License-Identifier: MIT */
/*
 * `attack-bus`: states and keys of all our devices, and of others', as fast as can be. Each node that we may write gets states and
 * other nonsense; each that is not ours must refuse us.
 */
#include "../../../pvkernel/include/lib.h"
#include "../../../pvkernel/include/sched.h"
#include "../../../pvkernel/include/shell.h"
#include "../../../pvkernel/include/time.h"
#include "../../../pvkernel/include/xenstore.h"
#include "attack.h"

#define WHO "attack-bus"
#define FLAPS 800

static const char *const values[] = {
	"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "4294967297", "-1", "", "1 ", "nan", "/local/domain/0/backend/vbd/1/51712",
};
static const char *const names[] = {
	"state", "state", "state", "backend", "backend-id", "frontend", "ring-ref", "event-channel", "hotplug-status", "online", "x/y/z",
};

static void flap(struct attack *a)
{
	for (u32 i = 0; i < FLAPS; i++)
		attack_write(a, names[attack_random() % ARRAY_SIZE(names)], "%s", values[attack_random() % ARRAY_SIZE(values)]);
}

/* Others' nodes, by paths that play with names, too. */
static u32 trespass(const struct attack *a)
{
	static const char *const paths[] = {
		"%s/state", "%s/frontend", "%s/params", "%s/mode", "%s/online", "%s/../../../../../0/name", "/local/domain/0/memory/target",
		"/local/domain/0/backend/vbd/1/51712/params", "/local/domain/0/backend/vif/1/0/mac", "/tool/xenstored", "/local/domain/1/name",
		"/local/domain/0/backend/vbd/new", "//local/domain/0/x", "/local/domain/0/x/", "@releaseDomain",
	};
	u32 written = 0;

	for (u32 i = 0; i < ARRAY_SIZE(paths); i++) {
		char path[192];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(path, sizeof(path), paths[i], a->back);
#pragma GCC diagnostic pop
		if (!xs_write(XS_NO_TX, path, "1")) {
			attack_said(WHO, path, "BAD: it was ours to write");
			written++;
		}
		written += !xs_rm(XS_NO_TX, path);
	}
	return written;
}

static void attack(struct attack *a, const char *type)
{
	flap(a);
	attack_write(a, "backend", "%s", a->back);
	attack_write(a, "backend-id", "%u", a->domid);
	attack_said(WHO, type, "%u states and keys", FLAPS);
	attack_said(WHO, type, trespass(a) ? "BAD: others' nodes" : "others' nodes refused");
	attack_said(WHO, type, attack_rest(a) || attack_rest(a) ? "served again" : "BAD: state %u", attack_back_state(a));
	attack_write(a, "state", "%u", XenbusStateClosed);
}

static int cmd_attack_bus(int argc, char **argv)
{
	struct attack vbd, vif;

	if (!attack_take(&vbd, "vbd") || !attack_take(&vif, "vif"))
		return 1;
	attack(&vbd, "vbd");
	attack(&vif, "vif");
	printf(WHO ": done\n");
	return 0;
}
COMMAND_AS(attack_bus, "attack-bus", cmd_attack_bus, "states, keys and paths of nonsense in all devices' nodes");
