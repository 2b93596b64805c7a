/* SPDX-License-Identifier: MIT */
/* The scheduler's invariants (domain/sched.c), looked at from every domain's vCPUs and from the queue. */
#include <console.h>
#include <cpu.h>
#include "../domain/sched_queue.h"
#include "check.h"

static u32 queue_length(void)
{
	u32 n = 0;

	for (struct vcpu *v = run_queue; v; v = v->run_next, n++) {
		assert(v->queued && n < 100000);
		assert(!v->run_next || v->vtime <= v->run_next->vtime);
	}
	return n;
}

static void check_vcpu(const struct vcpu *v)
{
	bool running = v->cpu->running == v;

	assert(!(running && v->queued));
	assert(running || v->queued || !may_run(v));
	assert(!v->queued || may_run(v));
	assert(!v->loaded_on || v->loaded_on->loaded == v);
	assert(!running || v->loaded_on == v->cpu);
	assert((v->runstate == RUN_RUNNING) == running);
}

void check_queue(void)
{
	u32 queued = 0;

	for (struct domain *d = domain_next(0); d; d = domain_next(d->id + 1)) {
		u32 active = 0;

		for (int i = 0; i < d->vcpu_count; i++) {
			struct vcpu *v = d->vcpu[i];

			if (!v)
				continue;
			check_vcpu(v);
			queued += v->queued;
			active += v->queued || v->cpu->running == v;
		}
		assert(active == d->active);
	}
	assert(queued == queue_length());
	for (int i = 0; i < cpu_count; i++) {
		struct cpu *c = cpus[i];

		assert(c->running == c->idle || c->loaded == c->running);
		assert(!c->loaded || c->loaded->loaded_on == c);
	}
}
