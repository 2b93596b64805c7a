/* SPDX-License-Identifier: MIT */
/* `block-stats`: what guests' block devices have done, one a line. */
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
