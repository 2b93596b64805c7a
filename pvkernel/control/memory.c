/* SPDX-License-Identifier: MIT */
/* A guest's target is a wish that its balloon follows; its limit is what the hypervisor holds it to, a little above the target. */
#include <abi/errno.h>

#include "../include/lib.h"
#include "domains.h"
#include "hypercontrol.h"
#include "memory.h"

u64 memory_free(void)
{
	struct xen_sysctl op;

	return sysctl(XEN_SYSCTL_physinfo, &op) ? 0 : op.u.physinfo.free_pages << 2;
}

long memory_set_target(u16 domid, u64 kib)
{
	struct xen_domctl op = { .u.max_mem.max_memkb = kib + MAXMEM_SLACK };
	long err = domctl(XEN_DOMCTL_max_mem, domid, &op);
	char text[24];

	snprintf(text, sizeof(text), "%lu", kib);
	return err ? err : domains_write(domid, "memory/target", text);
}

bool memory_bounds(u16 domid, u64 *min, u64 *max, u64 *created)
{
	struct managed *d;

	domains_lock();
	d = managed_by_id(domid);
	if (d) {
		*min = d->config.memory_min;
		*max = d->config.maxmem;
		*created = d->created;
	}
	domains_unlock();
	return d;
}

u64 memory_of_restarting(void)
{
	u64 sum = 0;

	domains_lock();
	list_for_each(node, &managed_domains) {
		const struct managed *d = list_entry(node, struct managed, node);

		if (d->restarting)
			sum += d->config.memory + MEMORY_OVERHEAD;
	}
	domains_unlock();
	return sum;
}
