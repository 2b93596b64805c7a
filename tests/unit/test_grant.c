/* SPDX-License-Identifier: MIT */
/*
 * Grants between three domains against a model: a list of what is mapped, from which everything else follows. Domains do random operations,
 * right and wrong ones, scribble over their tables and page tables, change versions and die. After each step results, the entries' bits, every
 * frame's references, claims and handles are those that the list asks for; at the end all memory is back.
 * Then two CPUs do the same at once, with nothing predicted but the end.
 */
#include "grant_host.h"

#define STEPS 40000
#define REFS 6
#define MOST_MAPPED 64
#define HANDLES 256

static struct mmapping {
	bool live, readonly, host, device;
	int mapper, granter;
	u32 handle, ref;
	mfn_t mfn;
} mapped[MOST_MAPPED];
static bool dead[DOMAINS], was_claimed[DOMAINS];
static u64 done[16];	/* operations that succeeded, by number */

/* --- entries, as the guest writes them -------------------------------------------------------------------------------- */

struct entry {
	u16 flags, domid, start, length, through;
	u64 frame;
};

static struct entry entry_read(int d, u32 ref)
{
	struct grant_table *t = host_domain[d].grants;
	u64 *e = entry_of(t, ref);
	struct entry r = { .flags = e[0], .domid = e[0] >> 16 };

	if (t->version == 1) {
		r.frame = e[0] >> 32;
		r.length = PAGE_SIZE;
		r.flags &= ~GTF_sub_page;
		return r;
	}
	r.frame = e[1];
	r.start = r.flags & GTF_sub_page ? e[0] >> 32 : 0;
	r.length = r.flags & GTF_sub_page ? e[0] >> 48 : PAGE_SIZE;
	r.through = e[0] >> 32;
	return r;
}

static void entry_write(int d, u32 ref, u64 head, u64 frame)
{
	struct grant_table *t = host_domain[d].grants;
	u64 *e = entry_of(t, ref);

	if (t->version == 1) {
		*e = (u32)head | frame << 32;
		return;
	}
	e[0] = head;
	e[1] = frame;
}

static mfn_t some_frame(int d)
{
	return rnd(12) ? own_frame[d][rnd(DOMAIN_FRAMES)] : rnd(3) ? own_frame[rnd(DOMAINS)][rnd(DOMAIN_FRAMES)] : rnd(FRAMES * 2);
}

/* Bits of an entry in use that are the hypervisor's stay as they are, as a guest's compare-and-swap would leave them. */
static void grant_step(int d)
{
	static const u16 types[] = { GTF_permit_access, GTF_permit_access, GTF_permit_access, GTF_transitive, GTF_invalid, GTF_accept_transfer };
	u32 ref = rnd(REFS), flags = types[rnd(6)] | (rnd(3) ? 0 : GTF_readonly);
	u64 head, frame = some_frame(d);

	if (host_domain[d].grants->version == 1)
		flags |= entry_read(d, ref).flags & IN_USE;
	else if (!rnd(4))
		flags |= GTF_sub_page;
	head = flags | rnd(DOMAINS) << 16;
	if ((flags & GTF_type_mask) == GTF_transitive) {
		head |= (u64)(rnd(8) ? rnd(DOMAINS) : DOMID_SELF) << 32;
		frame = rnd(REFS);
	} else {
		head |= (u64)rnd(PAGE_SIZE) << 32 | (u64)rnd(2 * PAGE_SIZE) << 48;
	}
	entry_write(d, ref, head, frame);
}

/* --- what a claim must come to -------------------------------------------------------------------------------------------- */

static struct mmapping *user_of(int granter, u32 ref, bool *written)
{
	struct mmapping *found = NULL;

	*written = false;
	for (int i = 0; i < MOST_MAPPED; i++) {
		struct mmapping *m = &mapped[i];

		if (!m->live || m->granter != granter || m->ref != ref)
			continue;
		found = m;
		*written |= !m->readonly;
	}
	return found;
}

struct page {
	mfn_t mfn;
	int owner;
	u32 start, end;
};

static int page_status(const struct page *p, bool readonly)
{
	if (p->mfn >= FRAMES || !host_frame[p->mfn].count || host_frame[p->mfn].owner != p->owner)
		return GNTST_bad_page;
	return readonly || !host_frame[p->mfn].is_table ? GNTST_okay : GNTST_general_error;
}

static int m_claim(int granter, u32 ref, int to, bool readonly, enum claim_use use, struct page *p)
{
	struct entry e;
	struct mmapping *user;
	bool written;

	if (ref >= host_domain[granter].grants->entries)
		return GNTST_bad_gntref;
	e = entry_read(granter, ref);
	user = user_of(granter, ref, &written);
	*p = (struct page) { user ? user->mfn : e.frame, granter, 0, PAGE_SIZE };
	if (user && user->mapper != to)
		return GNTST_bad_domain;
	if (user)
		return !readonly && !written && e.flags & GTF_readonly ? GNTST_general_error : GNTST_okay;
	if ((e.flags & GTF_type_mask) == GTF_transitive && use == TO_COPY && host_domain[granter].grants->version == 2)
		return CLAIM_PASSED_ON;
	if ((e.flags & GTF_type_mask) != GTF_permit_access || e.domid != to || (!readonly && e.flags & GTF_readonly))
		return GNTST_general_error;
	if (e.flags & GTF_sub_page && use == TO_MAP)
		return GNTST_general_error;
	p->start = e.start;
	p->end = min((u32)e.start + e.length, (u32)PAGE_SIZE);
	return GNTST_okay;
}

/* The page that an end of a copy names. */
static int m_end(int d, u64 name, domid_t domid, bool is_ref, bool readonly, struct page *p)
{
	int granter = domid == DOMID_SELF ? d : domid, status;
	struct entry e;

	*p = (struct page) { name, d, 0, PAGE_SIZE };
	if (!is_ref)
		return domid == DOMID_SELF ? page_status(p, readonly) : GNTST_permission_denied;
	if (granter >= DOMAINS || !known[granter])
		return GNTST_bad_domain;
	status = m_claim(granter, name, d, readonly, TO_COPY, p);
	if (status != CLAIM_PASSED_ON)
		return status ? status : page_status(p, readonly);
	e = entry_read(granter, name);
	if (e.domid != d || (!readonly && e.flags & GTF_readonly))
		return GNTST_general_error;
	if (e.through >= DOMAINS || e.through == granter || !known[e.through])
		return GNTST_general_error;
	status = m_claim(e.through, e.frame, granter, readonly, TO_COPY, p);
	return status == CLAIM_PASSED_ON ? GNTST_general_error : status ? status : page_status(p, readonly);
}

/* --- the operations --------------------------------------------------------------------------------------------------------- */

static domid_t some_domain(void) { return rnd(10) ? rnd(DOMAINS) : rnd(2) ? DOMID_SELF : 77; }
static u32 some_ref(void) { return rnd(20) ? rnd(REFS) : rnd(~0u); }
static u64 some_address(void) { return WINDOW + (rnd(20) ? rnd(SLOTS) : rnd(100)) * PAGE_SIZE; }

static u64 *entry_at(int d, u64 address, bool machine)
{
	if (machine)
		return address % 8 || address >> PAGE_SHIFT != l1_table[d] ? NULL : maddr_to_virt(address);
	return find_l1e(&host_domain[d], address);
}

static int m_map(int d, const struct gnttab_map_grant_ref *op, struct mmapping *m)
{
	bool readonly = op->flags & GNTMAP_readonly;
	struct page p;
	int status;

	if (!(op->flags & (GNTMAP_host_map | GNTMAP_device_map)))
		return GNTST_bad_gntref;
	if (op->dom >= DOMAINS || !known[op->dom])
		return GNTST_bad_domain;
	status = m_claim(op->dom, op->ref, d, readonly, TO_MAP, &p);
	if (!status)
		status = page_status(&p, readonly);
	if (!status && op->flags & GNTMAP_host_map && !entry_at(d, op->host_addr, op->flags & GNTMAP_contains_pte))
		status = GNTST_general_error;
	*m = (struct mmapping) { true, readonly, op->flags & GNTMAP_host_map, op->flags & GNTMAP_device_map, d, op->dom, 0, op->ref, p.mfn };
	return status;
}

static void map_step(int d)
{
	struct gnttab_map_grant_ref op_ = {
		.host_addr = some_address(), .flags = rnd(6) ? GNTMAP_host_map : rnd(4), .ref = some_ref(), .dom = some_domain(), .status = 99,
	};
	struct mmapping m, *place = mapped;
	int expected;

	op_.flags |= rnd(2) ? GNTMAP_readonly : 0;
	if (!rnd(6)) {
		op_.flags |= GNTMAP_contains_pte;
		op_.host_addr = (rnd(8) ? l1_table[d] : rnd(FRAMES)) << PAGE_SHIFT | (rnd(SLOTS) * 8 + !rnd(20));
	}
	while (place < mapped + MOST_MAPPED && place->live)
		place++;
	if (place == mapped + MOST_MAPPED)
		return;
	expected = m_map(d, &op_, &m);
	assert_int_equal(op(d, GNTTABOP_map_grant_ref, &op_, 1), 0);
	assert_int_equal(op_.status, expected);
	if (expected)
		return;
	m.handle = op_.handle;
	assert_int_equal(op_.dev_bus_addr, m.mfn << PAGE_SHIFT);
	*place = m;
	done[GNTTABOP_map_grant_ref]++;
}

static struct mmapping *mapping_with(int d, u32 handle)
{
	for (int i = 0; i < MOST_MAPPED; i++)
		if (mapped[i].live && mapped[i].mapper == d && mapped[i].handle == handle)
			return &mapped[i];
	return NULL;
}

static int m_unmap(int d, struct mmapping *m, u64 address, u64 device, u64 instead)
{
	u64 *e = entry_at(d, address, false), *with = instead ? entry_at(d, instead, false) : NULL;

	if (!m)
		return GNTST_bad_handle;
	if (device && m->device && device != m->mfn << PAGE_SHIFT)
		return GNTST_bad_dev_addr;
	if (address && m->host) {
		if (!e || !(*e & PTE_PRESENT) || pte_mfn(*e) != m->mfn || !(*e & PTE_RW) != m->readonly)
			return GNTST_general_error;
		if (instead && (!with || with == e || !(*with & PTE_PRESENT)))
			return GNTST_general_error;
		m->host = false;
	}
	if (device)
		m->device = false;
	m->live = m->host || m->device;
	return GNTST_okay;
}

static u64 address_of(const struct mmapping *m)
{
	for (int n = 0; m && n < SLOTS; n++)
		if (*slot(m->mapper, n) & PTE_PRESENT && pte_mfn(*slot(m->mapper, n)) == m->mfn && !(*slot(m->mapper, n) & PTE_RW) == m->readonly && rnd(3))
			return WINDOW + n * PAGE_SIZE;
	return rnd(4) ? some_address() : 0;
}

/* Several at once: those that fail do not stop the others. A mapping made with contains_pte is ended by one made without. */
static void unmap_step(int d)
{
	struct gnttab_unmap_grant_ref list[3];
	u32 count = 1 + rnd(3), handle[3];
	bool machine;

	for (u32 i = 0; i < count; i++) {
		struct mmapping *m = &mapped[rnd(MOST_MAPPED)];

		handle[i] = m->live && m->mapper == d ? m->handle : rnd(HANDLES + 2);
		m = mapping_with(d, handle[i]);
		machine = m && m->host && mapping_of(host_domain[d].grants, handle[i])->flags & MAP_PTE;
		list[i] = (struct gnttab_unmap_grant_ref) { .host_addr = address_of(m), .handle = handle[i], .status = 99 };
		if (m && rnd(2))
			list[i].dev_bus_addr = (m->mfn + !rnd(8)) << PAGE_SHIFT;
		if (machine)
			list[i].host_addr = 0;
	}
	for (u32 i = 0; i < count; i++) {
		int expected = m_unmap(d, mapping_with(d, handle[i]), list[i].host_addr, list[i].dev_bus_addr, 0);

		assert_int_equal(op(d, GNTTABOP_unmap_grant_ref, &list[i], 1), 0);
		assert_int_equal(list[i].status, expected);
		done[GNTTABOP_unmap_grant_ref] += !expected;
	}
}

static void replace_step(int d)
{
	struct mmapping *m = &mapped[rnd(MOST_MAPPED)];
	struct gnttab_unmap_and_replace op_ = { .status = 99 };
	int expected;

	op_.handle = m->live && m->mapper == d ? m->handle : rnd(HANDLES + 2);
	m = mapping_with(d, op_.handle);
	if (m && mapping_of(host_domain[d].grants, op_.handle)->flags & MAP_PTE)
		return;
	op_.host_addr = address_of(m);
	op_.new_addr = some_address();
	expected = m_unmap(d, m, op_.host_addr, 0, op_.new_addr);
	assert_int_equal(op(d, GNTTABOP_unmap_and_replace, &op_, 1), 0);
	assert_int_equal(op_.status, expected);
	done[GNTTABOP_unmap_and_replace] += !expected;
}

static void end_make(int d, struct gnttab_copy_ptr *p, bool is_ref)
{
	if (is_ref)
		p->u.ref = some_ref();
	else
		p->u.gmfn = some_frame(d);
	p->domid = is_ref ? some_domain() : rnd(10) ? DOMID_SELF : rnd(DOMAINS);
	p->offset = rnd(PAGE_SIZE + 8);
}

static int m_copy(int d, const struct gnttab_copy *c, struct page *from, struct page *to)
{
	int status = m_end(d, c->flags & GNTCOPY_source_gref ? c->source.u.ref : c->source.u.gmfn, c->source.domid, c->flags & GNTCOPY_source_gref, true, from);
	u32 f = c->source.offset, t = c->dest.offset;

	/* While the source's entry is in use by this domain, that is its user for the destination's claim. */
	if (!status)
		status = m_end(d, c->flags & GNTCOPY_dest_gref ? c->dest.u.ref : c->dest.u.gmfn, c->dest.domid, c->flags & GNTCOPY_dest_gref, false, to);
	if (status)
		return status;
	if (f + c->len > PAGE_SIZE || t + c->len > PAGE_SIZE)
		return GNTST_bad_copy_arg;
	if (f < from->start || f + c->len > from->end || t < to->start || t + c->len > to->end)
		return GNTST_general_error;
	return GNTST_okay;
}

static void copy(int d, const struct gnttab_copy *c)
{
	struct gnttab_copy list[2] = { *c, *c };
	static u8 before[PAGE_SIZE];
	struct page from, to;
	u32 count = 1 + rnd(2);
	int expected;

	expected = m_copy(d, list, &from, &to);
	/* The two ends in one entry: which of them claims first is none of this test's business. */
	if (list[0].flags == 3 && list[0].source.domid == list[0].dest.domid && list[0].source.u.ref == list[0].dest.u.ref)
		return;
	if (!expected)
		memcpy(before, mfn_to_virt(from.mfn), PAGE_SIZE);
	assert_int_equal(op(d, GNTTABOP_copy, list, count), 0);
	for (u32 i = 0; i < count; i++)
		assert_int_equal(list[i].status, expected);
	if (expected)
		return;
	done[GNTTABOP_copy]++;
	if (from.mfn != to.mfn)
		assert_memory_equal(mfn_to_virt(to.mfn) + list[0].dest.offset, before + list[0].source.offset, list[0].len);
	if (list[0].flags & GNTCOPY_source_gref && from.owner != (list[0].source.domid == DOMID_SELF ? d : list[0].source.domid))
		done[15]++;
}

static void copy_step(int d)
{
	struct gnttab_copy c = { .len = rnd(200), .flags = rnd(4), .status = 99 };

	end_make(d, &c.source, c.flags & GNTCOPY_source_gref);
	end_make(d, &c.dest, c.flags & GNTCOPY_dest_gref);
	copy(d, &c);
}

/* Another domain's grant, passed on to d; in version 1 that is no grant at all. */
static void pass_on_step(int d)
{
	struct gnttab_copy c = { .len = rnd(200), .flags = GNTCOPY_source_gref, .status = 99 };
	int by = rnd(DOMAINS), of = rnd(DOMAINS);
	u32 first = rnd(REFS), second = rnd(REFS);

	if (dead[by] || dead[of] || user_of(by, first, &(bool) { 0 }) || user_of(of, second, &(bool) { 0 }))
		return;
	entry_write(of, second, GTF_permit_access | by << 16, own_frame[of][rnd(DOMAIN_FRAMES)]);
	entry_write(by, first, GTF_transitive | d << 16 | (u64)of << 32, second);
	c.source = (struct gnttab_copy_ptr) { .u.ref = first, .domid = by };
	c.dest = (struct gnttab_copy_ptr) { .u.gmfn = own_frame[d][0], .domid = DOMID_SELF };
	copy(d, &c);
}

static void version_step(int d)
{
	struct gnttab_set_version op_ = { .version = 1 + rnd(2) };
	struct grant_table *t = host_domain[d].grants;
	u32 wanted = op_.version;
	bool used = false;

	for (int i = 0; i < MOST_MAPPED; i++)
		used |= mapped[i].live && mapped[i].granter == d;
	assert_int_equal(op(d, GNTTABOP_set_version, &op_, 1), wanted != t->version && used ? -EBUSY : 0);
	assert_int_equal(op_.version, t->version);
}

static void grow_step(int d)
{
	u64 frames[8];
	struct gnttab_setup_table op_ = { .dom = d ? (u16)DOMID_SELF : rnd(DOMAINS), .nr_frames = rnd(4), .status = 99, .frame_list = (u64)frames };

	if (op_.dom != DOMID_SELF && dead[op_.dom])
		return;
	assert_int_equal(op(d, GNTTABOP_setup_table, &op_, 1), 0);
	assert_int_equal(op_.status, GNTST_okay);
}

/* The guest writes over an entry of its table: the mapping goes on, without it. */
static void overwrite_step(int d)
{
	u64 *e = slot(d, rnd(SLOTS)), old = *e;
	bool in_batch = old & PTE_PRESENT;

	*e = 0;
	if (in_batch)
		put_l1e(&host_domain[d], old);
	if (!(old & PTE_PRESENT) && rnd(2) && get_frame(own_frame[d][0], d))
		*e = own_frame[d][0] << PAGE_SHIFT | PTE_PRESENT;
}

/* --- death --------------------------------------------------------------------------------------------------------------------- */

static void kill(int d)
{
	for (int n = 0; n < SLOTS; n++) {
		u64 old = *slot(d, n);

		*slot(d, n) = 0;
		if (old & PTE_PRESENT)
			put_l1e(&host_domain[d], old);
	}
	dead[d] = true;
	let_go = false;
	grant_destroy(&host_domain[d]);
	was_claimed[d] = grant_is_claimed(&host_domain[d]);
	for (int n = 0; n < DOMAIN_FRAMES; n++)
		put_frame(own_frame[d][n]);
	for (int i = 0; i < MOST_MAPPED; i++)
		mapped[i].live &= mapped[i].mapper != d;
}

/* A dead domain goes when nobody has anything of it any more. */
static bool bury(int d)
{
	if (!dead[d] || grant_is_claimed(&host_domain[d]))
		return false;
	assert_true(let_go || !was_claimed[d]);
	for (int n = 0; n < DOMAIN_FRAMES; n++)
		if (host_frame[own_frame[d][n]].count && host_frame[own_frame[d][n]].owner == d)
			return false;
	grant_free(&host_domain[d]);
	known[d] = dead[d] = false;
	return true;
}

/* --- what must be true after each step -------------------------------------------------------------------------------------- */

static void check_entries(int d)
{
	struct grant_table *t = host_domain[d].grants;
	u32 claims = 0;

	for (u32 ref = 0; ref < REFS; ref++) {
		u32 readers = 0, writers = 0;

		for (int i = 0; i < MOST_MAPPED; i++) {
			if (!mapped[i].live || mapped[i].granter != d || mapped[i].ref != ref)
				continue;
			readers += mapped[i].readonly;
			writers += !mapped[i].readonly;
		}
		claims += readers + writers;
		assert_int_equal(active_of(t, ref)->claims, readers * A_READ + writers * A_WRITE);
		assert_int_equal(*status_of(t, ref) & IN_USE, (readers + writers ? GTF_reading : 0) | (writers ? GTF_writing : 0));
	}
	assert_int_equal(t->claims, claims + !dead[d]);
}

static void check_handles(int d)
{
	struct grant_table *t = host_domain[d].grants;
	u32 used = 0, free = 0;

	for (int i = 0; i < MOST_MAPPED; i++)
		used += mapped[i].live && mapped[i].mapper == d;
	for (u32 h = t->free_mapping; h != NO_HANDLE; h = mapping_of(t, h)->ref) {
		assert_int_equal(mapping_of(t, h)->flags, 0);
		assert_true(++free <= t->mappings);
	}
	assert_int_equal(used + free, t->mappings);
}

static void check_frames(void)
{
	u32 count[FRAMES] = { 0 }, writers[FRAMES] = { 0 };

	for (int d = 0; d < DOMAINS; d++) {
		for (int n = 0; n < DOMAIN_FRAMES; n++)
			count[own_frame[d][n]] += !dead[d];
		for (int n = 0; !dead[d] && n < SLOTS; n++) {
			count[pte_mfn(*slot(d, n))] += *slot(d, n) & PTE_PRESENT;
			writers[pte_mfn(*slot(d, n))] += (*slot(d, n) & (PTE_PRESENT | PTE_RW)) == (PTE_PRESENT | PTE_RW);
		}
	}
	for (int i = 0; i < MOST_MAPPED; i++) {
		count[mapped[i].mfn] += mapped[i].live && mapped[i].device;
		writers[mapped[i].mfn] += mapped[i].live && mapped[i].device && !mapped[i].readonly;
	}
	for (int d = 0; d < DOMAINS; d++)
		for (int n = 0; n < DOMAIN_FRAMES; n++) {
			mfn_t m = own_frame[d][n];

			if (host_frame[m].owner != d || host_frame[m].hypervisors)
				continue;	/* it has gone, and is somebody else's now */
			assert_int_equal(host_frame[m].count, count[m]);
			assert_int_equal(host_frame[m].writers, writers[m]);
		}
}

static void check(void)
{
	for (int d = 0; d < DOMAINS; d++) {
		check_entries(d);
		if (!dead[d])
			check_handles(d);
	}
	check_frames();
}

/* --- the tests ------------------------------------------------------------------------------------------------------------------ */

static void step(int d)
{
	switch (rnd(12)) {
	case 0 ... 2:
		return grant_step(d);
	case 3 ... 5:
		return map_step(d);
	case 6:
	case 7:
		return unmap_step(d);
	case 8:
		return rnd(2) ? replace_step(d) : overwrite_step(d);
	case 9:
	case 10:
		return copy_step(d);
	default:
		return rnd(3) ? version_step(d) : rnd(2) ? grow_step(d) : pass_on_step(d);
	}
}

static void random_sequences(void **state)
{
	u32 deaths = 0;

	for (int i = 0; i < STEPS; i++) {
		int d = rnd(DOMAINS);

		if (dead[d]) {
			if (bury(d))
				domain_begin(d);
		} else if (!rnd(500)) {
			kill(d);
			deaths++;
		} else {
			step(d);
		}
		check();
	}
	assert_true(deaths > 20);
	for (int i = 0; i < 16; i++)
		if (i == GNTTABOP_map_grant_ref || i == GNTTABOP_unmap_grant_ref || i == GNTTABOP_copy || i == GNTTABOP_unmap_and_replace || i == 15)
			assert_true(done[i] > 20);
}

/* A CPU's domain maps, copies and unmaps what all grant; CPU 0 ends domain 2 in the middle. */
static void work_on_cpu(void)
{
	int d = host_cpu;

	for (int i = 0; i < 300; i++) {
		struct gnttab_map_grant_ref map = { .host_addr = WINDOW + rnd(SLOTS) * PAGE_SIZE, .flags = GNTMAP_host_map | (rnd(2) ? GNTMAP_readonly : 0),
						    .ref = rnd(REFS), .dom = rnd(DOMAINS) };
		struct gnttab_unmap_grant_ref unmap = { .host_addr = rnd(8) ? WINDOW + rnd(SLOTS) * PAGE_SIZE : 0, .handle = rnd(24) };
		struct gnttab_copy copy = { .source = { .u.ref = rnd(REFS), .domid = rnd(DOMAINS) }, .dest = { .u.gmfn = own_frame[d][0], .domid = DOMID_SELF },
					    .len = 64, .flags = GNTCOPY_source_gref };

		switch (rnd(8)) {
		case 0 ... 2:
			assert_int_equal(op(d, GNTTABOP_map_grant_ref, &map, 1), 0);
			break;
		case 3 ... 5:
			assert_int_equal(op(d, GNTTABOP_unmap_grant_ref, &unmap, 1), 0);
			break;
		case 6:
			assert_int_equal(op(d, GNTTABOP_copy, &copy, 1), 0);
			done[GNTTABOP_copy] += copy.status == GNTST_okay;
			break;
		default:
			grant_step(d);
			if (!dead[2])
				grant_step(2);
		}
		if (d == 0 && i == 200)
			kill(2);
	}
}

static void on_two_cpus(void **state)
{
	for (int times = 0; times < 40; times++) {
		run_on_cpus(work_on_cpu);
		for (int d = 0; d < 2; d++)
			kill(d);
		for (int d = 0; d < DOMAINS; d++)
			assert_true(bury(d));
		for (mfn_t m = 0; m < FRAMES; m++)
			assert_int_equal(host_frame[m].count | host_frame[m].writers, 0);
		for (int d = 0; d < DOMAINS; d++)
			domain_begin(d);
	}
	assert_true(done[GNTTABOP_copy] > 100);
}

static void limits(void **state)
{
	u64 list[64];
	struct gnttab_setup_table table = { .dom = DOMID_SELF, .nr_frames = 3, .frame_list = (u64)list };
	struct gnttab_query_size size = { .dom = DOMID_SELF };
	struct gnttab_set_version two = { .version = 2 };
	struct gnttab_map_grant_ref map = { .host_addr = WINDOW, .flags = GNTMAP_host_map, .ref = 1, .dom = 1 };

	assert_int_equal(grant_set_limits(&host_domain[1], 2, 1, 1), 0);
	assert_int_equal(grant_set_limits(&host_domain[1], 2, 1, 3), -EINVAL);
	op(1, GNTTABOP_setup_table, &table, 1);
	assert_int_equal(table.status, GNTST_general_error);
	table.nr_frames = 2;
	op(1, GNTTABOP_setup_table, &table, 1);
	assert_int_equal(table.status, GNTST_okay);
	op(1, GNTTABOP_query_size, &size, 1);
	assert_true(size.nr_frames == 2 && size.max_nr_frames == 2);
	assert_int_equal(op(1, GNTTABOP_set_version, &two, 1), -ENOSYS);
	entry_write(1, 1, GTF_permit_access | 1 << 16, own_frame[1][0]);
	for (u32 i = 0; i < MAPPINGS_PER_PAGE; i++) {
		op(1, GNTTABOP_map_grant_ref, &map, 1);
		assert_int_equal(map.status, GNTST_okay);
	}
	op(1, GNTTABOP_map_grant_ref, &map, 1);
	assert_int_equal(map.status, GNTST_no_space);
}

/* A page that only a device of the mapper's uses: pinned from map to unmap, and no translation has to be flushed. */
static void for_a_device(void **state)
{
	struct gnttab_map_grant_ref map = { .flags = GNTMAP_device_map, .ref = 1, .dom = 1 };
	struct gnttab_unmap_grant_ref unmap = { .status = 99 };
	mfn_t mfn = own_frame[1][0];
	u32 count = host_frame[mfn].count;
	u64 before = flushes;

	entry_write(1, 1, GTF_permit_access | 2 << 16, mfn);
	for (int i = 0; i < 1000; i++) {
		op(2, GNTTABOP_map_grant_ref, &map, 1);
		assert_int_equal(map.status, GNTST_okay);
		assert_int_equal(map.dev_bus_addr, mfn << PAGE_SHIFT);
		assert_int_equal(host_frame[mfn].count, count + 1);
		assert_int_equal(host_frame[mfn].writers, 1);
		unmap.handle = map.handle;
		unmap.dev_bus_addr = map.dev_bus_addr;
		op(2, GNTTABOP_unmap_grant_ref, &unmap, 1);
		assert_int_equal(unmap.status, GNTST_okay);
		assert_int_equal(host_frame[mfn].count, count);
	}
	assert_int_equal(flushes, before);
}

static int transfer(int d, int to, u32 ref, mfn_t mfn)
{
	struct gnttab_transfer op_ = { .mfn = mfn, .domid = to, .ref = ref, .status = 99 };

	assert_int_equal(op(d, GNTTABOP_transfer, &op_, 1), 0);
	return op_.status;
}

/* Domain 1 gives pages to domain 2, in both versions. */
static void transfers(void **state)
{
	struct gnttab_set_version two = { .version = 2 };
	u64 *e = entry_of(host_domain[2].grants, 3);

	entry_write(2, 3, GTF_accept_transfer | 1 << 16, 0);
	assert_int_equal(transfer(1, 2, 3, own_frame[2][0]), GNTST_bad_page);
	assert_int_equal(transfer(1, 2, 3, FRAMES + 5), GNTST_bad_page);
	assert_true(get_frame(own_frame[1][0], 1));
	assert_int_equal(transfer(1, 2, 3, own_frame[1][0]), GNTST_bad_page);
	put_frame(own_frame[1][0]);
	assert_int_equal(transfer(1, 2, 3, own_frame[1][0]), GNTST_okay);
	assert_int_equal(host_frame[own_frame[1][0]].owner, 2);
	assert_int_equal(*e, own_frame[1][0] << 32 | 1 << 16 | GTF_accept_transfer | GTF_transfer_committed | GTF_transfer_completed);
	assert_int_equal(transfer(1, 2, 3, own_frame[1][1]), GNTST_general_error);
	assert_int_equal(host_frame[own_frame[1][1]].count, 0);
	assert_int_equal(transfer(1, 77, 3, own_frame[1][2]), GNTST_bad_domain);
	assert_int_equal(host_frame[own_frame[1][2]].count, 0);
	op(2, GNTTABOP_set_version, &two, 1);
	entry_write(2, 4, GTF_accept_transfer | 1 << 16, 0);
	assert_int_equal(transfer(1, 2, 4, own_frame[1][3]), GNTST_okay);
	e = entry_of(host_domain[2].grants, 4);
	assert_true(e[0] == (1 << 16 | GTF_accept_transfer | GTF_transfer_committed | GTF_transfer_completed) && e[1] == own_frame[1][3]);
	assert_int_equal(transfer(1, 2, ~0u, own_frame[1][4]), GNTST_general_error);
	/* For their ends the giver has others, and the receiver is rid of them. */
	put_frame(own_frame[1][0]);
	put_frame(own_frame[1][3]);
	for (int n = 0; n < DOMAIN_FRAMES - 1; n++) {
		own_frame[1][n] = virt_to_mfn(alloc_page());
		host_frame[own_frame[1][n]] = (struct frame) { .count = 1, .owner = 1 };
	}
}

static int setup(void **state)
{
	memset(host_frame, 0, sizeof(host_frame));
	memset(mapped, 0, sizeof(mapped));
	memset(dead, 0, sizeof(dead));
	memset(done, 0, sizeof(done));
	for (int d = 0; d < DOMAINS; d++)
		domain_begin(d);
	return 0;
}

/* Every page is back once all domains have ended. */
static int teardown(void **state)
{
	for (int d = 0; d < DOMAINS; d++)
		if (!dead[d])
			kill(d);
	for (int d = 0; d < DOMAINS; d++)
		if (!bury(d))
			return -1;
	for (mfn_t m = 0; m < FRAMES; m++)
		if (host_frame[m].count)
			return -1;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(random_sequences, setup, teardown),
		cmocka_unit_test_setup_teardown(on_two_cpus, setup, teardown),
		cmocka_unit_test_setup_teardown(limits, setup, teardown),
		cmocka_unit_test_setup_teardown(for_a_device, setup, teardown),
		cmocka_unit_test_setup_teardown(transfers, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
