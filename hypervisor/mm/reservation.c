/* SPDX-License-Identifier: MIT */
/*
 * memory_op: how much memory a domain has, and giving and taking it (the balloon's other end).
 *
 * The operations on lists of extents answer how many extents are done, less than asked at the first that fails, never an
 * error. Lists are read one extent at a time.
 */
#include <abi/memory.h>
#include <abi/xen.h>
#include <boot.h>
#include <console.h>
#include <domain.h>
#include <frames.h>
#include <hypercall.h>
#include <sched.h>
#include <string.h>
#include <uaccess.h>

#define MAX_ORDER_PRIVILEGED 18
#define MAX_ORDER_GUEST 9
#define MAX_ORDER_EXCHANGE 9	/* an exchange's frames are noted on one page */
#define MAX_EXTENTS 0x3ffffff
#define MAX_MAP_ENTRIES 128
#define M2P_END 0xffff804000000000	/* of the window that the ABI sets aside */

/* The domain that an argument names, if the caller may act for it; with a reference, for domain_put(), if it is another. */
static int domain_of(struct vcpu *v, u16 id, struct domain **d)
{
	*d = domain_find(id);
	if (!*d)
		return -ESRCH;
	if (*d == v->domain)
		return 0;
	if (!may_manage(v->domain, *d))
		return -EPERM;
	*d = domain_get(id);
	return *d ? 0 : -ESRCH;
}

/* Between two extents. True: nobody will see the rest. With a reference on another domain one may not be stopped here. */
static bool extent_point(struct vcpu *v, struct domain *d)
{
	if (d == v->domain)
		return batch_point();
	preempt_point();
	return false;
}

static void put_domain_of(struct vcpu *v, struct domain *d)
{
	if (d != v->domain)
		domain_put(d);
}

/* --- lists of extents --------------------------------------------------------------------------------------------- */

struct extents {
	struct domain *d;
	u64 list, count;
	int order, bits;
};

/* Extents of d's that the caller may ask for. */
static bool extents_parse(struct vcpu *v, struct domain *d, const struct xen_memory_reservation *r, struct extents *e)
{
	e->d = d;
	e->list = r->extent_start;
	e->count = r->nr_extents;
	e->order = min(r->extent_order, 64u);
	e->bits = r->mem_flags & 0xff;
	return e->count <= MAX_EXTENTS && e->order <= (v->domain->privileged ? MAX_ORDER_PRIVILEGED : MAX_ORDER_GUEST) &&
	       guest_range_ok(e->list, e->count * 8);
}

/* Of frames that were just given to d, which may have given them up again. */
static void set_pfns(struct domain *d, mfn_t mfn, u64 pfn, int order)
{
	for (u64 i = 0; i < 1ul << order; i++) {
		m2p_set_owned(mfn + i, pfn + i, d->id);
		if (i % 1024 == 1023)
			preempt_point();
	}
}

static bool increase_one(struct extents *e, u64 at)
{
	mfn_t mfn = alloc_domain_frames(e->d, e->order, e->bits, 0);

	return mfn != INVALID_MFN && (!e->list || !put_guest_u64(mfn, at));
}

static bool populate_one(struct extents *e, u64 at)
{
	mfn_t mfn;
	u64 pfn;

	if (get_guest_u64(&pfn, at))
		return false;
	mfn = alloc_domain_frames(e->d, e->order, e->bits, 0);
	if (mfn == INVALID_MFN)
		return false;
	set_pfns(e->d, mfn, pfn, e->order);
	return !put_guest_u64(mfn, at);
}

static bool decrease_one(struct extents *e, u64 at)
{
	mfn_t mfn;

	if (get_guest_u64(&mfn, at) || mfn >= max_mfn)
		return false;
	for (u64 i = 0; i < 1ul << e->order; i++) {
		if (!release_domain_frame(e->d, mfn + i))
			return false;
		if (i % 64 == 63)
			preempt_point();
	}
	return true;
}

static long for_each_extent(struct vcpu *v, u64 arg, bool (*one)(struct extents *e, u64 at))
{
	struct xen_memory_reservation r;
	struct domain *d;
	struct extents e;
	u64 i = 0;

	if (copy_from_guest(&r, arg, sizeof(r)))
		return -EFAULT;
	if (domain_of(v, r.domid, &d))
		return 0;
	if (extents_parse(v, d, &r, &e))
		for (; i < e.count && one(&e, e.list + i * 8); i++)
			if (extent_point(v, d))
				break;
	put_domain_of(v, d);
	return i;
}

/* --- exchange --------------------------------------------------------------------------------------------------------- */

/*
 * Frames for other frames, of another order or below an address. Chunk by chunk, a chunk being one extent of the larger
 * order: first the new frames are allocated, then the old ones are taken, all of them or none, then the new ones are told.
 */
struct exchange {
	struct extents in, out;
	int chunk_order;
	u64 *taken;		/* room for the frames of a chunk */
};

/* From a frame that nothing refers to but its allocation, that goes. */
static bool take_unused(struct domain *d, mfn_t mfn)
{
	u64 x = (u64)FRAME_ALLOCATED << 48 | (u64)d->id << 32 | 1;

	return mfn < max_mfn && cas64(&mfn_to_frame(mfn)->count_owner, &x, x & ~((u64)FRAME_ALLOCATED << 48));
}

static void give_back(struct exchange *x, u64 n)
{
	while (n--)
		__atomic_or_fetch(&mfn_to_frame(x->taken[n])->flags, FRAME_ALLOCATED, __ATOMIC_SEQ_CST);
}

static int take_chunk(struct exchange *x, u64 first)
{
	u64 n = 0;
	mfn_t mfn;

	for (u64 i = 0; i < 1ul << (x->chunk_order - x->in.order); i++) {
		if (get_guest_u64(&mfn, x->in.list + (first + i) * 8)) {
			give_back(x, n);
			return -EFAULT;
		}
		for (u64 j = 0; j < 1ul << x->in.order; j++) {
			if (!take_unused(x->in.d, mfn + j)) {
				give_back(x, n);
				return -EINVAL;
			}
			x->taken[n++] = mfn + j;
		}
	}
	return 0;
}

static void release_extents(struct domain *d, const mfn_t *start, u64 n, int order)
{
	for (u64 i = 0; i < n << order; i++)
		release_domain_frame(d, start[i >> order] + (i & ((1ul << order) - 1)));
}

/* The list of new frames is kept in the second half of the page: start[]. */
static int exchange_chunk(struct exchange *x, u64 chunk, mfn_t *start)
{
	u64 n = 1ul << (x->chunk_order - x->out.order), first_out = chunk << (x->chunk_order - x->out.order), i, pfn;
	struct domain *d = x->in.d;
	int rc;

	for (i = 0; i < n; i++) {
		start[i] = alloc_domain_frames(d, x->out.order, x->out.bits, ALLOC_IN_EXCHANGE);
		if (start[i] == INVALID_MFN) {
			release_extents(d, start, i, x->out.order);
			return -ENOMEM;
		}
	}
	rc = take_chunk(x, chunk << (x->chunk_order - x->in.order));
	if (rc) {
		release_extents(d, start, n, x->out.order);
		return rc;
	}
	for (i = 0; i < 1ul << x->chunk_order; i++)
		put_frame(x->taken[i]);
	for (i = 0; i < n; i++) {
		if (get_guest_u64(&pfn, x->out.list + (first_out + i) * 8))
			return -EFAULT;
		set_pfns(d, start[i], pfn, x->out.order);
		if (put_guest_u64(start[i], x->out.list + (first_out + i) * 8))
			return -EFAULT;
	}
	return 0;
}

static int exchange_check(struct vcpu *v, const struct xen_memory_exchange *e, struct exchange *x)
{
	int highest = v->domain->privileged ? MAX_ORDER_EXCHANGE : 0;

	if (e->nr_exchanged > e->in.nr_extents)
		return -EINVAL;
	if (e->in.extent_order > (u32)highest || e->out.extent_order > (u32)highest)
		return -EPERM;
	if (e->in.domid != e->out.domid || e->in.nr_extents > MAX_EXTENTS || e->out.nr_extents > MAX_EXTENTS ||
	    e->in.nr_extents << e->in.extent_order != e->out.nr_extents << e->out.extent_order)
		return -EINVAL;
	x->chunk_order = max(e->in.extent_order, e->out.extent_order);
	if (e->nr_exchanged << e->in.extent_order & ((1ul << x->chunk_order) - 1))
		return -EINVAL;
	return 0;
}

/* From the chunk that e says on. */
static int exchange_all(struct exchange *x, struct xen_memory_exchange *e)
{
	u64 chunk, chunks = e->in.nr_extents << e->in.extent_order >> x->chunk_order;
	int rc = 0;

	x->taken = alloc_pages(1);
	if (!x->taken)
		return -ENOMEM;
	for (chunk = e->nr_exchanged << e->in.extent_order >> x->chunk_order; chunk < chunks; chunk++) {
		rc = exchange_chunk(x, chunk, x->taken + PAGE_SIZE / 8);
		preempt_point();
		if (rc || abandoned(current))
			break;
	}
	free_pages(x->taken, 1);
	e->nr_exchanged = chunk << x->chunk_order >> e->in.extent_order;
	return rc;
}

static long exchange(struct vcpu *v, u64 arg)
{
	struct xen_memory_exchange e;
	struct exchange x;
	struct domain *d;
	int rc;

	if (copy_from_guest(&e, arg, sizeof(e)))
		return -EFAULT;
	rc = exchange_check(v, &e, &x);
	if (!rc)
		rc = domain_of(v, e.in.domid, &d);
	if (rc)
		return rc;
	rc = extents_parse(v, d, &e.in, &x.in) && extents_parse(v, d, &e.out, &x.out) ? exchange_all(&x, &e) : -EFAULT;
	put_domain_of(v, d);
	if (put_guest_u64(e.nr_exchanged, arg + offsetof(struct xen_memory_exchange, nr_exchanged)))
		return -EFAULT;
	return rc;
}

/* --- questions ----------------------------------------------------------------------------------------------------------- */

static long figure(const struct domain *d, u32 op)
{
	const struct shared_info *shared = READ_ONCE(d->shared_info);	/* NULL: it is being destroyed */

	if (op == XENMEM_maximum_gpfn)
		return shared ? (long)max(READ_ONCE(shared->arch.max_pfn), 1ul) - 1 : 0;
	return op == XENMEM_current_reservation ? d->pages : min(d->max_pages, (u64)0xffffffff);
}

static long reservation_of(struct vcpu *v, u64 arg, u32 op)
{
	struct xen_memory_domain which;
	struct domain *d;
	long rc;

	if (copy_from_guest(&which, arg, sizeof(which)))
		return -EFAULT;
	rc = domain_of(v, which.domid, &d);
	if (rc)
		return rc;
	rc = figure(d, op);
	put_domain_of(v, d);
	return rc;
}

static int put_map_entry(u64 buffer, u64 index, u64 start, u64 size, u32 type)
{
	struct memory_region entry = { start, size, type };

	BUILD_ASSERT(sizeof(entry) == XEN_MEMORY_MAP_ENTRY_SIZE);
	return copy_to_guest(buffer + index * sizeof(entry), &entry, sizeof(entry));
}

/* What was set for the domain, as a rule by its builder. */
static long memory_map(struct vcpu *v, u64 arg)
{
	struct domain *d = v->domain;
	u32 n = READ_ONCE(d->memory_map_count);
	struct xen_memory_map map;

	if (copy_from_guest(&map, arg, sizeof(map)))
		return -EFAULT;
	if (!n)
		return -ENOSYS;
	n = min(map.nr_entries, n);
	for (u32 i = 0; i < n; i++) {
		const struct memory_region *entry = &d->memory_map[i];

		if (put_map_entry(map.buffer, i, entry->start, entry->size, entry->type))
			return -EFAULT;
	}
	return put_guest_u32(n, arg);
}

/* The page stays the domain's until its end; whoever reads while it changes sees some of either. */
static int keep_memory_map(struct domain *d, const struct xen_memory_map *map)
{
	struct memory_region *page = alloc_page(), *none = NULL;
	int rc = 0;

	BUILD_ASSERT(MAX_MAP_ENTRIES * sizeof(struct memory_region) <= PAGE_SIZE);
	if (!page)
		return -ENOMEM;
	if (copy_from_guest(page, map->buffer, map->nr_entries * sizeof(*page))) {
		rc = -EFAULT;
	} else if (__atomic_compare_exchange_n(&d->memory_map, &none, page, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		page = NULL;
	} else {
		memcpy(none, page, PAGE_SIZE);
	}
	if (!rc)
		WRITE_ONCE(d->memory_map_count, map->nr_entries);
	if (page)
		free_page(page);
	return rc;
}

static long set_memory_map(struct vcpu *v, u64 arg)
{
	struct xen_foreign_memory_map foreign;
	struct domain *d;
	int rc;

	if (copy_from_guest(&foreign, arg, sizeof(foreign)))
		return -EFAULT;
	if (foreign.map.nr_entries > MAX_MAP_ENTRIES)
		return -EINVAL;
	rc = domain_of(v, foreign.domid, &d);
	if (rc)
		return rc;
	rc = keep_memory_map(d, &foreign.map);
	put_domain_of(v, d);
	return rc;
}

static long machine_memory_map(struct vcpu *v, u64 arg)
{
	struct xen_memory_map map;

	if (!v->domain->privileged)
		return -EPERM;
	if (copy_from_guest(&map, arg, sizeof(map)))
		return -EFAULT;
	if (map.nr_entries < (u32)machine_map_count)
		return -EINVAL;
	for (int i = 0; i < machine_map_count; i++)
		if (put_map_entry(map.buffer, i, machine_map[i].start, machine_map[i].size, machine_map[i].type))
			return -EFAULT;
	return put_guest_u32(machine_map_count, arg);
}

static long machphys_mapping(u64 arg)
{
	const struct xen_machphys_mapping mapping = { M2P_START, M2P_END, (M2P_END - M2P_START) / sizeof(u64) - 1 };

	return copy_to_guest(arg, &mapping, sizeof(mapping));
}

/* The table is to be read where it is mapped; its frames are not given out: the list is empty. */
static long machphys_list(u64 arg)
{
	struct xen_machphys_mfn_list list;

	if (copy_from_guest(&list, arg, sizeof(list)))
		return -EFAULT;
	return put_guest_u32(0, arg + offsetof(struct xen_machphys_mfn_list, nr_extents));
}

/* For domains whose pfns are translated, which ours are not. */
static long physmap(struct vcpu *v, u64 arg, size_t size)
{
	struct xen_add_to_physmap which;
	struct domain *d;
	int rc;

	if (copy_from_guest(&which, arg, size))
		return -EFAULT;
	rc = domain_of(v, which.domid, &d);
	if (rc)
		return rc;
	put_domain_of(v, d);
	return -EACCES;
}

long do_memory_op(u64 op, u64 arg, u64 a3, u64 a4, u64 a5, struct vcpu *v)
{
	switch (op) {
	case XENMEM_increase_reservation:
		return for_each_extent(v, arg, increase_one);
	case XENMEM_decrease_reservation:
		return for_each_extent(v, arg, decrease_one);
	case XENMEM_populate_physmap:
		return for_each_extent(v, arg, populate_one);
	case XENMEM_exchange:
		return exchange(v, arg);
	case XENMEM_maximum_ram_page:
		return max_mfn;
	case XENMEM_current_reservation:
	case XENMEM_maximum_reservation:
	case XENMEM_maximum_gpfn:
		return reservation_of(v, arg, op);
	case XENMEM_machphys_mfn_list:
		return machphys_list(arg);
	case XENMEM_machphys_mapping:
		return machphys_mapping(arg);
	case XENMEM_memory_map:
		return memory_map(v, arg);
	case XENMEM_set_memory_map:
		return set_memory_map(v, arg);
	case XENMEM_machine_memory_map:
		return machine_memory_map(v, arg);
	case XENMEM_add_to_physmap:
		return physmap(v, arg, sizeof(struct xen_add_to_physmap));
	case XENMEM_remove_from_physmap:
		return physmap(v, arg, sizeof(struct xen_remove_from_physmap));
	}
	return -ENOSYS;
}
