/* SPDX-License-Identifier: MIT */
/* The table itself: making and growing it, its versions, its end. */
#include "grant_table.h"

/* --- the table ---------------------------------------------------------------------------------------------------------- */

static u32 status_frames(u32 frames)
{
	return (frames * V2_PER_FRAME + STATUS_PER_FRAME - 1) / STATUS_PER_FRAME;
}

/* A page of the hypervisor's that the domain may map, unless it was made before. */
static bool make_shared(struct domain *d, void *page)
{
	void **p = page;

	if (*p)
		return true;
	*p = alloc_page();
	if (*p)
		share_frame_with(d, *p);
	return *p;
}

/* The status words of so many frames of version 2. */
static bool make_status(struct domain *d, u32 frames)
{
	for (u32 i = 0; i < status_frames(frames); i++)
		if (!make_shared(d, &d->grants->status[i]))
			return false;
	return true;
}

/* All or nothing of one frame; what was made and cannot be used yet stays for the next try. Under the lock, or before the domain is known. */
static bool frame_add(struct domain *d)
{
	struct grant_table *t = d->grants;

	if (t->ended)
		return false;
	if (!t->active[t->frames] && !(t->active[t->frames] = alloc_pages(ACTIVE_ORDER)))
		return false;
	if ((t->version == 2 && !make_status(d, t->frames + 1)) || !make_shared(d, &t->shared[t->frames]))
		return false;
	t->frames++;
	t->entries = t->frames * (t->version == 1 ? V1_PER_FRAME : V2_PER_FRAME);
	return true;
}

/* The domain whose table an operation asks about: GNTST_okay, bad_domain, or permission_denied. */
static int subject(struct vcpu *v, domid_t id, struct domain **d)
{
	*d = domain_find(id);
	if (!*d)
		return GNTST_bad_domain;
	return *d == v->domain || may_manage(v->domain, *d) ? GNTST_okay : GNTST_permission_denied;
}

static int put_frame_list(u64 list, void *pages, u32 count)
{
	void *const *p = pages;

	for (u32 i = 0; i < count; i++)
		if (put_guest_u64(virt_to_mfn(p[i]), list + i * sizeof(u64)))
			return GNTST_bad_virt_addr;
	return GNTST_okay;
}

long grant_setup_table(struct vcpu *v, void *arg)
{
	struct gnttab_setup_table *op = arg;
	bool enough;
	struct domain *d;

	if (op->nr_frames <= MAX_FRAMES && !guest_range_ok(op->frame_list, op->nr_frames * sizeof(u64)))
		return -EFAULT;
	op->status = subject(v, op->dom, &d);
	if (op->status)
		return 0;
	enough = op->nr_frames <= d->grants->max_frames;
	spin_lock(&d->grants->lock);
	while (enough && d->grants->frames < op->nr_frames)
		enough = frame_add(d);
	spin_unlock(&d->grants->lock);
	op->status = enough ? put_frame_list(op->frame_list, d->grants->shared, op->nr_frames) : GNTST_general_error;
	return 0;
}

long grant_get_status_frames(struct vcpu *v, void *arg)
{
	struct gnttab_get_status_frames *op = arg;
	struct domain *d;

	op->status = subject(v, op->dom, &d);
	if (op->status)
		return 0;
	if (op->nr_frames && (d->grants->version != 2 || op->nr_frames > status_frames(d->grants->frames)))
		op->status = GNTST_general_error;
	else
		op->status = put_frame_list(op->frame_list, d->grants->status, op->nr_frames);
	return 0;
}

long grant_query_size(struct vcpu *v, void *arg)
{
	struct gnttab_query_size *op = arg;
	struct domain *d;

	op->status = subject(v, op->dom, &d);
	if (op->status)
		return 0;
	op->nr_frames = d->grants->frames;
	op->max_nr_frames = d->grants->max_frames;
	return 0;
}

/* --- versions -------------------------------------------------------------------------------------------------------------- */

/* The status frames are part of version 2, so one who still maps them has not left it. */
static bool status_pages_mapped(struct grant_table *t)
{
	for (u32 i = 0; i < status_frames(t->frames); i++)
		if (READ_ONCE(mfn_to_frame(virt_to_mfn(t->status[i]))->count) > 1)
			return true;
	return false;
}

/* Reserved entries are kept if they permit an access, the others are cleared. */
static void convert(struct grant_table *t, u32 version)
{
	u64 head[GNTTAB_NR_RESERVED_ENTRIES], frame[GNTTAB_NR_RESERVED_ENTRIES], *entry;

	for (u32 i = 0; i < GNTTAB_NR_RESERVED_ENTRIES; i++) {
		entry = entry_of(t, i);
		head[i] = READ_ONCE(entry[0]);
		frame[i] = t->version == 1 ? head[i] >> 32 : READ_ONCE(entry[1]);
		head[i] &= 0xffff0000 | GTF_type_mask | GTF_readonly;
	}
	for (u32 i = 0; i < t->frames; i++)
		memset(t->shared[i], 0, PAGE_SIZE);
	for (u32 i = 0; i < MAX_STATUS_FRAMES && t->status[i]; i++)
		memset(t->status[i], 0, PAGE_SIZE);
	t->version = version;
	t->entries = t->frames * (version == 1 ? V1_PER_FRAME : V2_PER_FRAME);
	for (u32 i = 0; i < GNTTAB_NR_RESERVED_ENTRIES; i++) {
		entry = entry_of(t, i);
		if ((head[i] & GTF_type_mask) != GTF_permit_access)
			continue;
		entry[0] = version == 1 ? head[i] | frame[i] << 32 : head[i];
		if (version == 2)
			entry[1] = frame[i];
	}
}

static int change_version(struct domain *d, u32 version)
{
	struct grant_table *t = d->grants;

	if (version != 1 && version != 2)
		return -EINVAL;
	if (version > t->max_version)
		return -ENOSYS;
	if (version == t->version)
		return 0;
	if (t->claims > 1 || (version == 1 && status_pages_mapped(t)))
		return -EBUSY;
	if (version == 2 && !make_status(d, t->frames))
		return -ENOMEM;
	convert(t, version);
	return 0;
}

long grant_set_version(struct vcpu *v, void *arg)
{
	struct grant_table *t = v->domain->grants;
	struct gnttab_set_version *op = arg;
	int result;

	spin_lock(&t->lock);
	result = change_version(v->domain, op->version);
	op->version = t->version;
	spin_unlock(&t->lock);
	return result;
}

long grant_get_version(struct vcpu *v, void *arg)
{
	struct gnttab_get_version *op = arg;
	struct domain *d;
	int status = subject(v, op->dom, &d);

	if (status)
		return status == GNTST_bad_domain ? -ESRCH : -EPERM;
	op->version = d->grants->version;
	return 0;
}

/* --- a table's life ---------------------------------------------------------------------------------------------------------------- */

int grant_init(struct domain *d)
{
	struct grant_table *t = alloc_page();

	if (!t)
		return -ENOMEM;
	t->claims = 1;
	t->version = 1;
	t->max_version = 2;
	t->max_frames = MAX_FRAMES;
	t->max_mappings = MAX_MAPPING_PAGES * MAPPINGS_PER_PAGE;
	t->free_mapping = NO_HANDLE;
	d->grants = t;
	if (frame_add(d))
		return 0;
	grant_free(d);
	return -ENOMEM;
}

int grant_set_limits(struct domain *d, s32 frames, s32 mapping_frames, u32 version)
{
	struct grant_table *t = d->grants;

	if (!version || version > 2)
		return -EINVAL;
	if (frames >= 0)
		t->max_frames = min(max(frames, 1), MAX_FRAMES);
	if (mapping_frames >= 0)
		t->max_mappings = min(mapping_frames, MAX_MAPPING_PAGES) * MAPPINGS_PER_PAGE;
	t->max_version = version;
	return 0;
}

void grant_destroy(struct domain *d)
{
	struct grant_table *t = d->grants;

	spin_lock(&t->lock);
	t->ended = true;
	t->entries = 0;
	t->claims--;
	spin_unlock(&t->lock);
	grant_end_mappings(d);
}

/* The lock: whoever dropped the last claim has let go of the table. */
bool grant_is_claimed(struct domain *d)
{
	bool claimed;

	spin_lock(&d->grants->lock);
	claimed = d->grants->claims;
	spin_unlock(&d->grants->lock);
	return claimed;
}

/* Under the lock, which whoever comes to free the table takes first (grant_is_claimed()). */
void grant_unclaimed(void)
{
	domain_let_go();
}

void grant_free(struct domain *d)
{
	struct grant_table *t = d->grants;

	for (u32 i = 0; i < MAX_FRAMES && t->shared[i]; i++)
		unshare_frame(d, t->shared[i]);
	for (u32 i = 0; i < MAX_STATUS_FRAMES && t->status[i]; i++)
		unshare_frame(d, t->status[i]);
	for (u32 i = 0; i < ARRAY_SIZE(t->active) && t->active[i]; i++)
		free_pages(t->active[i], ACTIVE_ORDER);
	free_page(t);
	d->grants = NULL;
}
