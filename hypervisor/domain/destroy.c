/* SPDX-License-Identifier: MIT */
/*
 * The end of a domain (enum in domain.h). Whoever destroys it waits until its vCPUs have left for good and gives back all that it
 * holds. What others still have of it, mappings and claims of grants, keeps a dead domain on `dead`, and its id taken, until the last of
 * that has gone; then domain 0's vCPU frees the rest on its way to the guest (WORK_REAP), where it holds nothing.
 */
#include <abi/xen.h>
#include <asm.h>
#include <context.h>
#include <control.h>
#include <cpu.h>
#include <evtchn.h>
#include <frames.h>
#include <grant.h>
#include <sched.h>
#include <trace.h>

static struct domain *dead;	/* [domains_lock] by next_dead; DEAD, or GONE and waiting for pages that it was lent */

/* --- giving back ---------------------------------------------------------------------------------------------- */

static void drop_vcpus(struct domain *d)
{
	for (int i = 0; i < d->vcpu_count; i++) {
		struct vcpu *v = d->vcpu[i];

		v->runstate_area = v->time_area = 0;
		vcpu_drop_tables(v);
		preempt_point();
	}
}

/* Nobody raises events for it any more; but who did may be about to write to these pages. */
static void drop_shared_pages(struct domain *d)
{
	struct shared_info *shared = d->shared_info;

	for (int i = 0; i < d->vcpu_count; i++)
		WRITE_ONCE(d->vcpu[i]->info, &no_vcpu_info);
	WRITE_ONCE(d->shared_info, NULL);
	domain_wait_for_readers();
	for (int i = 0; i < d->vcpu_count; i++) {
		mfn_t mfn = d->vcpu[i]->info_mfn;

		d->vcpu[i]->info_mfn = INVALID_MFN;
		if (mfn != INVALID_MFN)
			put_frame_type(mfn);
	}
	d->lent_for_grants = d->lent_pages - 1;
	unshare_frame(d, shared);
}

static void give_back(struct domain *d)
{
	mfn_t eoi = d->pirq_eoi_mfn;

	vcpus_retire(d);
	evtchn_destroy(d);
	forget_virq_handler(d);
	drop_vcpus(d);
	d->pirq_eoi_mfn = 0;
	if (eoi)
		put_frame_type(eoi);
	mmu_teardown(d);
	grant_destroy(d);
	drop_shared_pages(d);
}

/* --- vanishing -------------------------------------------------------------------------------------------------- */

/* Of another CPU: it was at a point where it looked at nothing. */
static void wait_for(struct cpu *c)
{
	u32 before = READ_ONCE(c->kicks);

	send_kick(c);
	while (READ_ONCE(c->kicks) == before) {
		pause();
		preempt_point();
	}
}

void domain_wait_for_readers(void)
{
	for (int i = 0; i < cpu_count; i++)
		if (cpus[i] != current->cpu)
			wait_for(cpus[i]);
}

/*
 * Frames or claims of grants of a dead one, and whoever works on it; later only the pages of its grant table. The frame's page_lock and
 * the grant table's: who let go last has let go of them, too.
 */
static bool is_kept(struct domain *d)
{
	bool gone = d->dying == DOMAIN_GONE, kept;

	spin_lock(&d->page_lock);
	kept = gone ? d->lent_pages : d->pages || d->lent_pages > d->lent_for_grants;
	spin_unlock(&d->page_lock);
	return kept || (!gone && (d->references || grant_is_claimed(d)));
}

/* Takes one that nothing keeps from the list; one that was dead is gone now. */
static struct domain *take_dead(bool *was_dead)
{
	struct domain **at, *d;

	spin_lock(&domains_lock);
	for (at = &dead; (d = *at) && is_kept(d); at = &d->next_dead)
		;
	if (d) {
		*at = d->next_dead;
		*was_dead = d->dying == DOMAIN_DEAD;
		d->dying = DOMAIN_GONE;
	}
	spin_unlock(&domains_lock);
	return d;
}

static void add_dead(struct domain *d)
{
	d->next_dead = dead;
	dead = d;
}

static void free_all(struct domain *d)
{
	domain_wait_for_readers();
	for (int i = 0; i < d->vcpu_count; i++)
		vcpu_free(d->vcpu[i]);
	domain_free_parts(d);
	spin_lock(&domains_lock);
	add_dead(d);
	spin_unlock(&domains_lock);
}

static void vanish(struct domain *d)
{
	void *bucket;

	spin_lock(&domains_lock);
	bucket = domain_table_remove(d);
	spin_unlock(&domains_lock);
	if (bucket) {
		domain_wait_for_readers();
		free_page(bucket);
	}
	free_page(d);
	send_global_virq(VIRQ_DOM_EXC);
}

void domains_reap(void)
{
	struct domain *d;
	bool was_dead;

	while ((d = take_dead(&was_dead))) {
		if (was_dead)
			free_all(d);
		else
			vanish(d);
	}
}

slow_path void domain_let_go(void)
{
	struct vcpu *v = dom0->vcpu[0];

	__atomic_or_fetch(&v->work, WORK_REAP, __ATOMIC_ACQ_REL);
	vcpu_kick(v);
}

/* --- the operation ------------------------------------------------------------------------------------------------ */

/* True: it is the caller who destroys it. From now on nothing new is given to it. */
static bool begin(struct domain *d)
{
	bool first;

	control_lock();
	spin_lock(&d->page_lock);
	first = d->dying == DOMAIN_ALIVE;
	if (first)
		d->dying = DOMAIN_DYING;
	spin_unlock(&d->page_lock);
	control_unlock();
	return first;
}

int domain_destroy(struct domain *d)
{
	if (d == current->domain)
		return -EINVAL;
	if (begin(d)) {
		if (unlikely(trace_mask))
			trace_event(TRC_DOM0_DOM_REM, d->id);
		give_back(d);
		spin_lock(&domains_lock);
		spin_lock(&d->page_lock);
		d->dying = DOMAIN_DEAD;
		spin_unlock(&d->page_lock);
		add_dead(d);
		spin_unlock(&domains_lock);
		send_global_virq(VIRQ_DOM_EXC);
	}
	while (READ_ONCE(d->dying) == DOMAIN_DYING) {
		vcpu_yield(current);
		preempt_point();
	}
	return 0;
}
