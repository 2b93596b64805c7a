/* SPDX-License-Identifier: MIT */
/* The list of who has rings. Guarded by disabled interrupts, also while they are read, so none goes meanwhile. */
#include "lib.h"
#include "mm.h"
#include "ops.h"
#include "rings.h"
#include "shell.h"

#define SHOWN 64

static struct list sources = LIST_INIT(sources);

void rings_add(struct ring_source *s)
{
	bool irq = irq_save();

	if (!s->node.next)
		list_insert_before(&sources, &s->node);
	irq_restore(irq);
}

u32 rings_read(struct ring_view *views, u32 max)
{
	bool irq = irq_save();
	u32 n = 0;

	list_for_each(node, &sources)
		n += list_entry(node, struct ring_source, node)->read(views + n, max - n);
	irq_restore(irq);
	return n;
}

static int cmd_rings(int argc, char **argv)
{
	struct ring_view *views = kmalloc(SHOWN * sizeof(*views));
	u32 n = views ? rings_read(views, SHOWN) : 0;

	printf("%-20s %7s %10s %10s %7s %9s\n", "ring", "entries", "requests", "responses", "waiting", "held off");
	for (u32 i = 0; i < n; i++) {
		const struct ring_view *v = &views[i];

		printf("%-20s %7u %10u %10u %7u %9lu\n", v->name, v->entries, v->requests, v->responses, v->requests - v->responses, v->held_off);
	}
	kfree(views);
	return views ? 0 : -1;
}
COMMAND(rings, cmd_rings, "what the rings of this domain's devices are at");
