/* SPDX-License-Identifier: MIT */
/*
 * The physical allocator: a buddy system whose lists run through the frame table.
 *
 *   free_list[zone][order] -> first frame of a free block <-> next ... (frame numbers, 0 ends)
 *
 * A block of 2^order frames is aligned to its size; its first frame has FRAME_FREE and the order in
 * flags, the others have flags 0. Zone z holds the blocks with frame numbers from 2^z up to 2^(z+1); frame 0
 * is never free, so no block and no pair of buddies lies across zones. free_orders[z] has bit o set
 * if free_list[z][o] is not empty.
 *
 * Frames are zero when given away, and not given away before every CPU has forgotten what it knew of
 * their last use: a free frame has a type if a domain had it, and the time of that in its stamp. An idle CPU does both
 * beforehand, to a chunk at a time: a free frame whose owner is OWNER_ZEROED is zero and nobody can write to it.
 */
#include <console.h>
#include <cpu.h>
#include <domain.h>
#include <frames.h>
#include <string.h>

#define ZONES 32
#define MAX_ORDER 18	/* 1 GiB */
#define CHUNK_ORDER 3	/* what an idle CPU zeroes under the lock, as small as an interrupt may have to wait for */

static u32 free_list[ZONES][MAX_ORDER + 1];
static u32 free_orders[ZONES];
static struct spinlock alloc_lock;	/* the lists, free_frames, and the flags and links of free frames */
static u64 free_frames[ZONES];
static mfn_t zero_at, zero_left;	/* where an idle CPU goes on, and how many frames are yet to be looked at */
static bool zeroing;		/* one of them does */

static int zone_of(mfn_t mfn)
{
	return 63 - __builtin_clzll(mfn);
}

/* Lists of free blocks, and of a domain's frames: *head names the first. */
static void list_insert(u32 *head, mfn_t mfn)
{
	struct frame *f = mfn_to_frame(mfn);

	f->next = *head;
	f->prev = 0;
	if (*head)
		mfn_to_frame(*head)->prev = mfn;
	*head = mfn;
}

static void list_remove(u32 *head, struct frame *f)
{
	if (f->next)
		mfn_to_frame(f->next)->prev = f->prev;
	if (f->prev)
		mfn_to_frame(f->prev)->next = f->next;
	else
		*head = f->next;
}

static void block_insert(mfn_t mfn, int order)
{
	mfn_to_frame(mfn)->count = 0;
	mfn_to_frame(mfn)->flags = FRAME_FREE | order;
	list_insert(&free_list[zone_of(mfn)][order], mfn);
	free_orders[zone_of(mfn)] |= 1u << order;
}

static void block_remove(mfn_t mfn, int order)
{
	u32 *head = &free_list[zone_of(mfn)][order];

	list_remove(head, mfn_to_frame(mfn));
	if (!*head)
		free_orders[zone_of(mfn)] &= ~(1u << order);
	mfn_to_frame(mfn)->flags = 0;
}

/* Gives a block back, joined with its buddy for as long as that is free and whole. */
static void block_free(mfn_t mfn, int order)
{
	spin_lock(&alloc_lock);
	free_frames[zone_of(mfn)] += 1ul << order;
	zero_left = max_mfn;
	for (; order < MAX_ORDER; order++) {
		mfn_t buddy = mfn ^ 1ul << order;

		if (buddy >= max_mfn || mfn_to_frame(buddy)->flags != (FRAME_FREE | order))
			break;
		block_remove(buddy, order);
		mfn &= ~(1ul << order);
	}
	block_insert(mfn, order);
	spin_unlock(&alloc_lock);
}

/* A block from the highest zone that has one, below 2^bits bytes. */
static mfn_t block_take(int order, int bits)
{
	int zone = zone_of(max_mfn - 1), have;
	u32 orders = 0;
	mfn_t mfn;

	if (bits)
		zone = min(zone, bits - PAGE_SHIFT - 1);
	spin_lock(&alloc_lock);
	for (; zone >= 0 && !(orders = free_orders[zone] >> order); zone--)
		;
	if (zone < 0) {
		spin_unlock(&alloc_lock);
		return INVALID_MFN;
	}
	have = order + __builtin_ctz(orders);
	mfn = free_list[zone][have];
	block_remove(mfn, have);
	while (have-- > order)
		block_insert(mfn + (1ul << have), have);
	free_frames[zone] -= 1ul << order;
	spin_unlock(&alloc_lock);
	return mfn;
}

/* Nothing refers to it any more, but CPUs may have translations to it, of whatever kind. */
static void mark_unreferenced(mfn_t mfn)
{
	mfn_to_frame(mfn)->type_stamp = (u64)READ_ONCE(tlb_clock) << 32 | TYPE_WORD(FRAME_WRITABLE);
}

/* After this no CPU has a translation to these frames. */
static void forget_translations(mfn_t mfn, int order)
{
	u32 newest = 0;
	bool used = false;

	for (mfn_t m = mfn; m < mfn + (1ul << order); m++) {
		struct frame *f = mfn_to_frame(m);

		if (frame_type(f) == FRAME_NONE)
			continue;
		if (!used || (s32)(f->stamp - newest) > 0)
			newest = f->stamp;
		used = true;
		f->type_stamp = 0;
	}
	if (used)
		flush_tlb_since(newest);
}

/* Of frames that were just taken: from now on there are no references to it, under no name. */
static void zero_frame(mfn_t mfn)
{
	struct frame *f = mfn_to_frame(mfn);

	if (f->owner != OWNER_ZEROED)
		memset(mfn_to_virt(mfn), 0, PAGE_SIZE);
	f->count_owner = 0;
}

/* --- zeroing beforehand ------------------------------------------------------------------------------------ */

/* All of the chunk is free. */
static bool is_free_chunk(mfn_t mfn)
{
	for (int order = CHUNK_ORDER; order <= MAX_ORDER; order++) {
		u16 flags = mfn_to_frame(mfn & ~0ul << order)->flags;

		if (flags & FRAME_FREE && (flags & FRAME_LOW_BITS) >= order)
			return true;
	}
	return false;
}

/* False: there was nothing to do. Frames stay free meanwhile; whoever waits for the lock answers requests to flush. */
static bool zero_chunk(mfn_t mfn)
{
	mfn_t m = mfn, end = mfn + (1ul << CHUNK_ORDER);

	if (!is_free_chunk(mfn))
		return false;
	while (m < end && mfn_to_frame(m)->owner == OWNER_ZEROED)
		m++;
	if (m == end)
		return false;
	forget_translations(mfn, CHUNK_ORDER);
	for (m = mfn; m < end; m++) {
		if (mfn_to_frame(m)->owner != OWNER_ZEROED)
			memset(mfn_to_virt(m), 0, PAGE_SIZE);
		mfn_to_frame(m)->owner = OWNER_ZEROED;
	}
	return true;
}

bool zero_free_memory(void)
{
	bool done = false;

	if (!READ_ONCE(zero_left) || __atomic_exchange_n(&zeroing, true, __ATOMIC_ACQ_REL))
		return false;
	spin_lock(&alloc_lock);
	for (int i = 0; i < 64 && zero_left && !done; i++) {
		done = zero_chunk(zero_at);
		zero_at += 1ul << CHUNK_ORDER;
		if (zero_at + (1ul << CHUNK_ORDER) > max_mfn)
			zero_at = 0;
		zero_left -= min(zero_left, 1ul << CHUNK_ORDER);
	}
	spin_unlock(&alloc_lock);
	__atomic_store_n(&zeroing, false, __ATOMIC_RELEASE);
	return true;
}

void alloc_init_range(mfn_t start, mfn_t end)
{
	start = max(start, 1ul);
	while (start < end) {
		int order = min(__builtin_ctzll(start), 63 - __builtin_clzll(end - start));

		order = min(order, MAX_ORDER);
		block_free(start, order);
		start += 1ul << order;
	}
}

u64 free_page_count(void)
{
	return free_pages_of_width(0, 0);
}

/* A zone is the addresses of one width. */
u64 free_pages_of_width(u32 least, u32 most)
{
	int first = max(least, (u32)PAGE_SHIFT + 1) - PAGE_SHIFT - 1;
	int last = most ? (int)min(most, (u32)ZONES + PAGE_SHIFT) - PAGE_SHIFT - 1 : ZONES - 1;
	u64 pages = 0;

	for (int z = first; z <= last && z < ZONES; z++)
		pages += READ_ONCE(free_frames[z]);
	return pages;
}

/* --- the hypervisor's own pages -------------------------------------------------------------------------- */

void *alloc_pages(int order)
{
	mfn_t mfn = block_take(order, 0);

	if (mfn == INVALID_MFN)
		return NULL;
	forget_translations(mfn, order);
	for (mfn_t m = mfn; m < mfn + (1ul << order); m++)
		zero_frame(m);
	return mfn_to_virt(mfn);
}

void free_pages(void *p, int order)
{
	block_free(virt_to_mfn(p), order);
}

mfn_t share_frame_with(struct domain *d, void *page)
{
	mfn_t mfn = virt_to_mfn(page);
	struct frame *f = mfn_to_frame(mfn);

	f->type_stamp = TYPE_WORD(FRAME_WRITABLE) + 1;
	spin_lock(&d->page_lock);
	d->lent_pages++;
	spin_unlock(&d->page_lock);
	__atomic_store_n(&f->count_owner, (u64)FRAME_SHARED << 48 | (u64)d->id << 32 | 1, __ATOMIC_RELEASE);
	return mfn;
}

mfn_t lend_frame(void *page, bool writable)
{
	mfn_t mfn = virt_to_mfn(page);

	mfn_to_frame(mfn)->type_stamp = TYPE_WORD(writable ? FRAME_WRITABLE : FRAME_NONE) + 1;
	__atomic_store_n(&mfn_to_frame(mfn)->count_owner, (u64)FRAME_SHARED << 48 | (u64)OWNER_LENT << 32 | 1, __ATOMIC_RELEASE);
	return mfn;
}

void unshare_frame(struct domain *d, void *page)
{
	mfn_t mfn = virt_to_mfn(page);

	put_writable(mfn);
	put_frame(mfn);
}

/* --- domains' frames -------------------------------------------------------------------------------------- */

/*
 * Puts fresh frames on d's list, then lets them be referred to: from that moment on another of d's vCPUs may give one up, and it
 * must be found on the list. False: d is being destroyed.
 */
static bool assign(struct domain *d, mfn_t first, int order)
{
	mfn_t last = first + (1ul << order) - 1;

	for (mfn_t m = first; m <= last; m++) {
		mfn_to_frame(m)->next = m + 1;
		mfn_to_frame(m)->prev = m - 1;
	}
	spin_lock(&d->page_lock);
	if (unlikely(d->dying)) {
		spin_unlock(&d->page_lock);
		return false;
	}
	mfn_to_frame(first)->prev = 0;
	mfn_to_frame(last)->next = d->page_list;
	if (d->page_list)
		mfn_to_frame(d->page_list)->prev = last;
	d->page_list = first;
	for (mfn_t m = first; m <= last; m++)
		WRITE_ONCE(mfn_to_frame(m)->count_owner, (u64)FRAME_ALLOCATED << 48 | (u64)d->id << 32 | 1);
	spin_unlock(&d->page_lock);
	return true;
}

static bool count_pages(struct domain *d, u64 n, bool limited)
{
	bool ok;

	spin_lock(&d->page_lock);
	ok = !d->dying && (!limited || (d->pages <= d->max_pages && n <= d->max_pages - d->pages));
	if (ok)
		d->pages += n;
	spin_unlock(&d->page_lock);
	return ok;
}

/* Whoever allocates for another domain has a reference on it (domain_get()), so it does not vanish for this. */
static void uncount_pages(struct domain *d, u64 n)
{
	spin_lock(&d->page_lock);
	d->pages -= n;
	spin_unlock(&d->page_lock);
}

mfn_t alloc_domain_frames(struct domain *d, int order, int bits, unsigned how)
{
	u64 pages = 1ul << order;
	mfn_t mfn;

	if (order > MAX_ORDER || !count_pages(d, pages, !(how & ALLOC_IN_EXCHANGE)))
		return INVALID_MFN;
	mfn = block_take(order, bits);
	if (mfn == INVALID_MFN) {
		uncount_pages(d, pages);
		return INVALID_MFN;
	}
	forget_translations(mfn, order);
	for (mfn_t m = mfn; !(how & ALLOC_NOT_ZEROED) && m < mfn + pages; m++) {
		zero_frame(m);
		if (m % 32 == 31)
			preempt_point();
	}
	if (!assign(d, mfn, order)) {
		block_free(mfn, order);
		uncount_pages(d, pages);
		return INVALID_MFN;
	}
	return mfn;
}

bool release_domain_frame(struct domain *d, mfn_t mfn)
{
	u16 flags;

	if (!get_frame(mfn, d->id))
		return false;
	flags = __atomic_fetch_and(&mfn_to_frame(mfn)->flags, (u16)~FRAME_ALLOCATED, __ATOMIC_SEQ_CST);
	if (flags & FRAME_ALLOCATED)
		put_frame(mfn);
	put_frame(mfn);
	return !(flags & FRAME_SHARED);
}

/* --- frames that change their owner ------------------------------------------------------------------------ */

/* Between its owners it is as one that is being allocated: count 0, so nobody gets a reference. */
bool take_domain_frame(struct domain *d, mfn_t mfn)
{
	u64 only = (u64)FRAME_ALLOCATED << 48 | (u64)d->id << 32 | 1;
	bool taken;

	if (mfn >= max_mfn)
		return false;
	spin_lock(&d->page_lock);
	taken = cas64(&mfn_to_frame(mfn)->count_owner, &only, 0);
	if (taken) {
		list_remove(&d->page_list, mfn_to_frame(mfn));
		d->pages--;
	}
	spin_unlock(&d->page_lock);
	if (taken) {
		mark_unreferenced(mfn);
		forget_translations(mfn, 0);
		m2p_set(mfn, INVALID_PFN);
	}
	return taken;
}

bool give_taken_frame(struct domain *d, mfn_t mfn)
{
	if (!count_pages(d, 1, true))
		return false;
	if (assign(d, mfn, 0))
		return true;
	uncount_pages(d, 1);
	return false;
}

void free_taken_frame(mfn_t mfn)
{
	block_free(mfn, 0);
}

/* Nobody refers to it any more, so nobody else is here with it. Perhaps it was the last that kept a dead domain. */
void frame_freed(mfn_t mfn)
{
	struct frame *f = mfn_to_frame(mfn);
	struct domain *d = domain_lookup(f->owner);
	bool last;

	assert(!(f->type & (TYPE_COUNT | TYPE_PINNED)));
	spin_lock(&d->page_lock);
	if (f->flags & FRAME_SHARED) {
		d->lent_pages--;
	} else {
		list_remove(&d->page_list, f);
		d->pages--;
	}
	last = unlikely(d->dying >= DOMAIN_DEAD) && (f->flags & FRAME_SHARED || !d->pages);
	spin_unlock(&d->page_lock);
	m2p_set(mfn, INVALID_PFN);
	f->count_owner = 0;
	mark_unreferenced(mfn);
	block_free(mfn, 0);
	if (last)
		domain_let_go();
}

/* The same for pages that were mapped where only the hypervisor reaches. */
void free_unmapped_page(void *p)
{
	mark_unreferenced(virt_to_mfn(p));
	free_page(p);
}
