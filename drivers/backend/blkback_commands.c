/* SPDX-License-Identifier: MIT */
/* For people: what guests' block devices have done, and a disk that grows under its guests. */
#include <abi/errno.h>

#include "../../pvkernel/control/control.h"
#include "../../pvkernel/control/disks/disk.h"
#include "../../pvkernel/control/domains.h"
#include "../../pvkernel/control/json.h"
#include "../../pvkernel/control/options.h"
#include "../../pvkernel/include/lib.h"
#include "../../pvkernel/include/shell.h"
#include "blkback.h"

static const char *state_of(const struct vbd *v)
{
	return v->broken ? "broken" : v->thread ? "connected" : "waiting";
}

static void print_line(const struct vbd *v)
{
	const struct blkback_counts *c = &v->counts;
	char name[64];

	domains_name(v->rules.domid, name, sizeof(name));
	printf("%-16s %5u %6u %-9s %8lu %8lu %7lu %7lu %10lu %10lu %6lu %6lu %6u %s\n", name, v->rules.domid, v->back->devid, state_of(v),
	       c->requests[BLOCK_READ], c->requests[BLOCK_WRITE], c->requests[BLOCK_FLUSH], c->requests[BLOCK_DISCARD],
	       c->sectors[BLOCK_READ], c->sectors[BLOCK_WRITE], c->errors, c->waits, v->in_flight, v->target);
}

static void print_json(const struct vbd *v, struct json *json)
{
	const struct blkback_counts *c = &v->counts;
	const struct {
		const char *key;
		u64 value;
	} numbers[] = {
		{ "domid", v->rules.domid }, { "devid", v->back->devid }, { "queues", v->nr_queues }, { "sectors", v->rules.sectors },
		{ "reads", c->requests[BLOCK_READ] }, { "writes", c->requests[BLOCK_WRITE] }, { "flushes", c->requests[BLOCK_FLUSH] },
		{ "discards", c->requests[BLOCK_DISCARD] }, { "sectors_read", c->sectors[BLOCK_READ] },
		{ "sectors_written", c->sectors[BLOCK_WRITE] }, { "errors", c->errors }, { "waits", c->waits }, { "turns", c->turns },
		{ "rounds", c->rounds }, { "notifications", c->notifications }, { "floods", c->floods }, { "in_flight", v->in_flight },
	};

	json_open(json, NULL, '{');
	json_string(json, "target", v->target);
	json_string(json, "state", state_of(v));
	json_bool(json, "readonly", v->rules.readonly);
	for (u32 i = 0; i < ARRAY_SIZE(numbers); i++)
		json_number(json, numbers[i].key, numbers[i].value);
	json_close(json, '}');
}

/* By the type's thread. A node that could not be served has no device. */
static void print_one(struct backend *b, void *json)
{
	if (b->data && json)
		print_json(b->data, json);
	else if (b->data)
		print_line(b->data);
}

static int cmd_block_stats(int argc, char **argv)
{
	struct json j = { 0 };
	bool json = take_option(&argc, argv, "--json");

	if (argc != 1)
		return usage("block-stats", "[--json]");
	if (!json) {
		printf("%-16s %5s %6s %-9s %8s %8s %7s %7s %10s %10s %6s %6s %6s %s\n", "Name", "ID", "Vdev", "State", "Reads", "Writes",
		       "Flushes", "Discard", "SectorsRd", "SectorsWr", "Errors", "Slowed", "Flight", "Target");
		backend_for_each("vbd", print_one, NULL);
		return 0;
	}
	json_open(&j, NULL, '[');
	backend_for_each("vbd", print_one, &j);
	json_close(&j, ']');
	json_end(&j);
	return 0;
}
COMMAND_AS(block_stats, "block-stats", cmd_block_stats, "[--json]: requests, sectors, errors of guests' block devices; how often a rate made them wait");

/* --- block-resize --- */

struct resize {
	u16 domid;
	u32 devid;
	u64 bytes;
	struct block_device *disk;	/* once found, with a reference */
	int err;
};

static void grow(struct backend *b, void *arg)
{
	struct resize *r = arg;
	struct vbd *v = b->data;

	if (!v || b->domid != r->domid || b->devid != r->devid)
		return;
	r->disk = block_hold(v->disk);
	r->err = disk_grow(v->disk, r->bytes);
}

/* All that use it. A frontend looks at the size again when it sees our state written again. */
static void tell_size(struct backend *b, void *arg)
{
	struct resize *r = arg;
	struct vbd *v = b->data;

	if (!v || v->disk != r->disk)
		return;
	v->rules.sectors = v->disk->sectors;
	if (b->connected && !back_write(b, XS_NO_TX, "sectors", "%lu", v->rules.sectors))
		back_write(b, XS_NO_TX, "state", "%u", b->state);
}

static int cmd_block_resize(int argc, char **argv)
{
	struct resize r = { .err = -ENOENT };
	u64 kib;

	if (argc != 4 || !config_vdev(argv[2], &r.devid) || !parse_kib(argv[3], &kib))
		return usage("block-resize", "DOMAIN VDEV SIZE, such as 64M");
	if (!take_domain("block-resize", argv[1], &r.domid))
		return 1;
	r.bytes = kib * 1024;
	backend_for_each("vbd", grow, &r);
	if (!r.err)
		backend_for_each("vbd", tell_size, &r);
	if (r.disk)
		block_put(r.disk);
	if (r.err)
		printf("block-resize: %s: %s\n", argv[2], errno_name(r.err));
	return r.err != 0;
}
COMMAND_AS(block_resize, "block-resize", cmd_block_resize, "DOMAIN VDEV SIZE: a RAM disk grows to SIZE (64M), while it is used");
