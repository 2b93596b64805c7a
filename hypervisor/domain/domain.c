/* SPDX-License-Identifier: MIT */
/*
 * Domains: the table of them, making one, stopping one (destroy.c ends it). Domain 0 is the machine's owner: when it stops, the
 * machine does.
 *
 *   buckets[id / 512] -> page of 512 pointers, by id % 512      used_ids: bit id
 *
 * Both change under domains_lock and are read without it: a domain that leaves the table is freed only when every CPU has been at a
 * preemption point since (destroy.c). The bucket of the low ids, domain 0's, is always there; others while they hold a domain.
 */
#include <abi/domctl.h>
#include <abi/sched.h>
#include <abi/xen.h>
#include <boot.h>
#include <console.h>
#include <domain.h>
#include <evtchn.h>
#include <frames.h>
#include <grant.h>
#include <pvclock.h>
#include <sched.h>
#include <stdarg.h>
#include <string.h>
#include <trace.h>

struct domain *dom0;
struct spinlock domains_lock;
BUILD_ASSERT(sizeof(struct domain) <= PAGE_SIZE);

/* --- the table ---------------------------------------------------------------------------------------------- */

#define IDS_PER_BUCKET (PAGE_SIZE / sizeof(struct domain *))
#define BUCKETS ((FIRST_RESERVED_ID + IDS_PER_BUCKET - 1) / IDS_PER_BUCKET)
#define ID_WORDS ((FIRST_RESERVED_ID + 63) / 64)

static struct domain **buckets[BUCKETS];
static u32 bucket_used[BUCKETS];
static u64 used_ids[ID_WORDS];

struct domain *domain_lookup(domid_t id)
{
	struct domain **bucket = id < FIRST_RESERVED_ID ? READ_ONCE(buckets[id / IDS_PER_BUCKET]) : NULL;

	return bucket ? READ_ONCE(bucket[id % IDS_PER_BUCKET]) : NULL;
}

struct domain *domain_find(domid_t id)
{
	struct domain *d;

	if (id == DOMID_SELF)
		return current->domain;
	d = domain_lookup(id);
	return d && likely(READ_ONCE(d->dying) != DOMAIN_GONE) ? d : NULL;
}

struct domain *domain_get(domid_t id)
{
	struct domain *d;

	spin_lock(&domains_lock);
	d = id == DOMID_SELF ? NULL : domain_find(id);
	if (d)
		d->references++;
	spin_unlock(&domains_lock);
	return d;
}

void domain_put(struct domain *d)
{
	bool last;

	spin_lock(&domains_lock);
	last = !--d->references && d->dying >= DOMAIN_DEAD;
	spin_unlock(&domains_lock);
	if (last)
		domain_let_go();
}

struct domain *domain_next(int id)
{
	while (id < FIRST_RESERVED_ID) {
		u64 rest = READ_ONCE(used_ids[id / 64]) >> id % 64;
		struct domain *d = rest ? domain_find(id + __builtin_ctzll(rest)) : NULL;

		if (d)
			return d;
		id = rest ? id + __builtin_ctzll(rest) + 1 : (id | 63) + 1;
	}
	return NULL;
}

static bool is_used(u32 id)
{
	return used_ids[id / 64] >> id % 64 & 1;
}

/* Ids go round, so that one is not used again at once. */
domid_t domain_free_id(domid_t wish)
{
	static u32 last;
	u32 id = last;

	if (wish)
		return wish < FIRST_RESERVED_ID && !is_used(wish) ? wish : 0;
	for (u32 n = 1; n < FIRST_RESERVED_ID; n++) {
		id = id + 1 < FIRST_RESERVED_ID ? id + 1 : 1;
		if (!is_used(id)) {
			last = id;
			return id;
		}
	}
	return 0;
}

/* False: no memory, or the id is in use. */
static bool table_insert(struct domain *d)
{
	u32 b = d->id / IDS_PER_BUCKET;
	bool ok;

	spin_lock(&domains_lock);
	if (!buckets[b])
		WRITE_ONCE(buckets[b], alloc_page());
	ok = buckets[b] && !is_used(d->id);
	if (ok) {
		bucket_used[b]++;
		used_ids[d->id / 64] |= 1ull << d->id % 64;
		__atomic_store_n(&buckets[b][d->id % IDS_PER_BUCKET], d, __ATOMIC_RELEASE);
	}
	spin_unlock(&domains_lock);
	return ok;
}

void *domain_table_remove(struct domain *d)
{
	u32 b = d->id / IDS_PER_BUCKET;
	void *bucket = NULL;

	WRITE_ONCE(buckets[b][d->id % IDS_PER_BUCKET], NULL);
	used_ids[d->id / 64] &= ~(1ull << d->id % 64);
	if (!--bucket_used[b] && b) {
		bucket = buckets[b];
		WRITE_ONCE(buckets[b], NULL);
	}
	return bucket;
}

/* --- making one --------------------------------------------------------------------------------------------- */

/* Those that a paravirtual domain may have. */
#define PV_FLAGS (XEN_DOMCTL_CDF_oos_off | XEN_DOMCTL_CDF_xs_domain)
#define MISC_FLAGS_KNOWN 1u	/* lenient about MSRs */
#define EMULATION_FLAGS_KNOWN 0x7ffu
#define MOST_GRANT_FRAMES 64
#define MOST_MAPTRACK_FRAMES 1024

static int config_check(const struct xen_domctl_createdomain *c)
{
	if (c->flags & ~PV_FLAGS || c->iommu_opts || !c->max_vcpus || c->max_vcpus > MAX_VCPUS || c->vmtrace_size ||
	    c->arch.misc_flags & ~MISC_FLAGS_KNOWN || c->arch.emulation_flags & ~EMULATION_FLAGS_KNOWN)
		return -EINVAL;
	if (c->grant_opts & ~XEN_DOMCTL_GRANT_version_mask || !c->max_grant_frames || c->max_grant_frames > MOST_GRANT_FRAMES ||
	    c->max_maptrack_frames > MOST_MAPTRACK_FRAMES)
		return -EINVAL;
	if (c->arch.emulation_flags)
		return -EOPNOTSUPP;
	return c->cpupool_id ? -ESRCH : 0;
}

static int configure(struct domain *d, const struct xen_domctl_createdomain *c)
{
	d->max_vcpus = c->max_vcpus;
	d->xenstore = c->flags & XEN_DOMCTL_CDF_xs_domain;
	d->misc_flags = c->arch.misc_flags;
	memcpy(d->handle, c->handle, sizeof(d->handle));
	evtchn_set_limit(d, c->max_evtchn_port);
	return grant_set_limits(d, c->max_grant_frames, c->max_maptrack_frames, c->grant_opts & XEN_DOMCTL_GRANT_version_mask);
}

/* What domain_free_parts() gives back. */
static int make_parts(struct domain *d)
{
	void *shared = alloc_page();

	if (!shared)
		return -ENOMEM;
	d->shared_info = shared;
	d->shared_info_mfn = share_frame_with(d, shared);
	return evtchn_init(d) || grant_init(d) ? -ENOMEM : 0;
}

void domain_free_parts(struct domain *d)
{
	if (d->grants)
		grant_free(d);
	if (d->evtchn)
		evtchn_free(d);
	if (d->shared_info)
		unshare_frame(d, d->shared_info);
	if (d->memory_map)
		free_page(d->memory_map);
}

/* A domain that nobody has seen vanishes again. */
static void unmake(struct domain *d)
{
	void *bucket;

	if (d->evtchn)
		evtchn_destroy(d);
	domain_free_parts(d);
	spin_lock(&domains_lock);
	bucket = domain_table_remove(d);
	spin_unlock(&domains_lock);
	domain_wait_for_readers();	/* of the bucket */
	if (bucket)
		free_page(bucket);
	free_page(d);
}

struct domain *domain_create(domid_t id, const struct xen_domctl_createdomain *config, int *error)
{
	struct domain *d;

	*error = config ? config_check(config) : 0;
	if (*error)
		return NULL;
	*error = -ENOMEM;
	d = alloc_page();
	if (!d)
		return NULL;
	d->id = id;
	d->privileged = id == 0;
	sched_init_domain(d);
	d->max_pages = id ? 0 : ~0ull;
	d->max_vcpus = MAX_VCPUS;
	d->shutdown_reason = NO_SHUTDOWN_REASON;
	d->pause_count = d->controller_pauses = id != 0;
	d->dying = DOMAIN_GONE;	/* to be seen when it is complete */
	if (!table_insert(d)) {
		free_page(d);
		return NULL;
	}
	if (make_parts(d) || (config && (*error = configure(d, config)))) {
		unmake(d);
		return NULL;
	}
	wallclock_update(d);
	if (id == 0)
		dom0 = d;
	__atomic_store_n(&d->dying, DOMAIN_ALIVE, __ATOMIC_RELEASE);
	if (unlikely(trace_mask))
		trace_event(TRC_DOM0_DOM_ADD, d->id);
	return d;
}

/* --- stopping one ----------------------------------------------------------------------------------------- */

static void stop_vcpus(struct domain *d, int reason)
{
	d->shutdown_reason = reason;
	__atomic_store_n(&d->is_shut_down, true, __ATOMIC_SEQ_CST);
	domain_stop_vcpus(d);
	send_global_virq(VIRQ_DOM_EXC);
}

static const char *const reasons[] = { "power-off", "reboot", "suspend", "crash", "watchdog", "soft reset" };

void domain_shutdown(struct domain *d, int reason)
{
	if (d->is_shut_down)
		return;
	if (d->privileged && reason > SHUTDOWN_MAX)
		reason = SHUTDOWN_crash;
	log_info("Domain %d: %s", d->id, reason <= SHUTDOWN_MAX ? reasons[reason] : "shut down for a reason of its own");
	if (!d->privileged)
		stop_vcpus(d, reason);
	else if (reason == SHUTDOWN_poweroff)
		machine_power_off();
	else
		machine_restart();
}

void domain_resume(struct domain *d)
{
	d->shutdown_reason = NO_SHUTDOWN_REASON;
	d->shutdown_code_fixed = false;
	__atomic_store_n(&d->is_shut_down, false, __ATOMIC_SEQ_CST);
}

void domain_crash(struct domain *d, const char *format, ...)
{
	char reason[160];
	va_list arguments;

	if (d->is_shut_down)
		return;
	va_start(arguments, format);
	vscnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	log_error("Domain %d crashed: %s", d->id, reason);
	if (current->domain == d)
		print_registers(&current->regs);
	domain_shutdown(d, SHUTDOWN_crash);
}

/* --- VIRQs of the machine -------------------------------------------------------------------------------- */

static u16 virq_handler[NR_VIRQS];	/* ids; 0 unless somebody asked for it */

static bool is_global(u32 virq)
{
	return virq != VIRQ_TIMER && virq != VIRQ_DEBUG && virq != VIRQ_XENOPROF && virq != VIRQ_XENPMU;
}

int set_virq_handler(struct domain *d, u32 virq)
{
	if (virq >= NR_VIRQS || !is_global(virq))
		return -EINVAL;
	WRITE_ONCE(virq_handler[virq], d->id);
	return 0;
}

void send_global_virq(int virq)
{
	struct domain *d = domain_find(READ_ONCE(virq_handler[virq]));

	if (!d || d->dying)
		d = dom0;
	if (d)
		send_guest_virq(d, virq);
}

void forget_virq_handler(const struct domain *d)
{
	for (int i = 0; i < NR_VIRQS; i++)
		if (virq_handler[i] == d->id)
			WRITE_ONCE(virq_handler[i], 0);
}
