/* SPDX-License-Identifier: MIT */
/*
 * The frame table's slow parts: validation of page tables and its undoing.
 *
 *   L4 -> L3 -> L2 -> L1 -> any frame        each present entry of a validated table holds a
 *     \->L4 \->L3 \->L2 (linear)             general and a type reference on what it names
 *
 * The first type reference to a table validates it, the last one undoes that; both happen under the
 * domain's page mutex, so a table without TYPE_VALIDATED is seen by nobody but its validator. Type references
 * to a validated table come and go without the mutex.
 *
 * An L2, L3 or L4 entry without RW may name a table of its own level in the same domain: itself, which
 * holds no reference, or a validated one, provided that a table with such entries is never named by
 * another's and the other way about. So there are no cycles, and recursion ends after twice the levels.
 *
 * A frame's type may change when its count is 0, once every CPU has flushed since then: a translation that
 * allows stores must not outlive its reference, nor may a cached upper entry name what is no table any more.
 */
#include <asm.h>
#include <boot.h>
#include <console.h>
#include <cpu.h>
#include <msi.h>
#include <pte.h>
#include <string.h>

#define UPPER_REFUSED (PTE_PWT | PTE_PCD | PTE_PSE | PTE_GLOBAL)

u64 l1_refused = PTE_CACHE, l1_hard = ~L1_SOFT;
static u64 nx_refused;		/* PTE_NX where the CPU has none */
static mfn_t machine_frames;	/* one past the highest that the CPU can address */

static int get_table(struct domain *d, mfn_t mfn, enum frame_type type);
static void put_table(struct domain *d, mfn_t mfn);

/* --- the machine ------------------------------------------------------------------------------------------ */

void frames_init(void)
{
	u32 r[4];

	cpuid(0x80000008, 0, r);
	machine_frames = 1ul << ((r[0] & 0xff) - PAGE_SHIFT);
	if (!cpu_has.nx)
		nx_refused = PTE_NX;
	l1_refused |= nx_refused;
	l1_hard |= nx_refused;
}

int machine_address_bits(void)
{
	return 63 - __builtin_clzll(machine_frames) + PAGE_SHIFT;
}

/* Interrupt controllers are the hypervisor's. */
bool device_refused(mfn_t mfn)
{
	if (mfn >= machine_frames || mfn == acpi.lapic >> PAGE_SHIFT)
		return true;
	for (int i = 0; i < acpi.ioapic_count; i++)
		if (mfn == acpi.ioapic[i].address >> PAGE_SHIFT)
			return true;
	return false;
}

/* --- the page mutex ----------------------------------------------------------------------------------------- */

void page_mutex_lock(struct domain *d)
{
	u32 nobody = 0;

	while (!__atomic_compare_exchange_n(&d->page_mutex_holder, &nobody, current->slot + 1, false,
					    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
		nobody = 0;
		vcpu_yield(current);
		preempt_point();
	}
}

void page_mutex_unlock(struct domain *d)
{
	__atomic_store_n(&d->page_mutex_holder, 0, __ATOMIC_RELEASE);
}

/* --- writable frames and L1 entries --------------------------------------------------------------------------- */

/* The word and stamp of a frame without type references are x; it becomes `word` if that is still so. */
static bool change_type(struct frame *f, u64 *x, u32 word)
{
	u32 stamp = *x >> 32, old = (u32)*x >> TYPE_SHIFT;

	if (old != FRAME_NONE && old != word >> TYPE_SHIFT)
		flush_tlb_since(stamp);
	return cas64(&f->type_stamp, x, (u64)stamp << 32 | word);
}

bool get_writable_slow(mfn_t mfn)
{
	struct frame *f = mfn_to_frame(mfn);
	u64 x = READ_ONCE(f->type_stamp);

	for (;;) {
		if (!((u32)x & TYPE_COUNT)) {
			if (change_type(f, &x, TYPE_WORD(FRAME_WRITABLE) + 1))
				return true;
		} else if ((u32)x >> TYPE_SHIFT != FRAME_WRITABLE || ((u32)x & TYPE_COUNT) == TYPE_COUNT) {
			return false;
		} else if (cas64(&f->type_stamp, &x, x + 1)) {
			return true;
		}
	}
}

static int get_device(struct domain *d, u64 pte)
{
	mfn_t mfn = pte_mfn(pte);

	if (!d->privileged || device_refused(mfn))
		return -EPERM;
	return pte & PTE_RW && msix_page(mfn) ? L1E_READONLY : 0;
}

/* get_l1e()'s rest; held: it has the general reference. Device frames and cache attributes are for domain 0, in its own tables. */
int get_l1e_slow(struct domain *d, u64 pte, domid_t owner, bool held)
{
	mfn_t mfn = pte_mfn(pte);

	if (pte & (nx_refused | (d->privileged ? 0 : PTE_CACHE)))
		return -EINVAL;
	if (is_device(mfn))
		return get_device(d, pte);
	if (!held && !get_frame(mfn, owner))
		return -EBUSY;
	if (!(pte & PTE_RW) || get_writable(mfn))
		return 0;
	put_frame(mfn);
	return -EBUSY;
}

/* A descriptor page's mapping goes: its owner may be about to use it for something else. */
void put_segdesc_l1e(struct domain *d, mfn_t mfn)
{
	for (int i = 0; i < d->vcpu_count; i++)
		if (d->vcpu[i] && d->vcpu[i]->ldt_mapped)
			drop_ldt_pages(d->vcpu[i]);
	put_frame(mfn);
}

/* --- linear mappings ---------------------------------------------------------------------------------------------- */

/*
 * Adds `delta` (1 or -1) to the frame's number of linear entries, made (by it) or received. False: it does the other already, or
 * the number is at its highest.
 */
static bool count_linear(mfn_t mfn, u16 makes, int delta)
{
	struct frame *f = mfn_to_frame(mfn);
	u16 flags = READ_ONCE(f->flags), n;

	do {
		n = flags & FRAME_LOW_BITS;
		if (delta > 0 && (n == FRAME_LOW_BITS || (n && (flags & FRAME_LINEAR) != makes)))
			return false;
		n += delta;
		n |= (flags & ~(FRAME_LINEAR | FRAME_LOW_BITS)) | (n ? makes : 0);
	} while (!__atomic_compare_exchange_n(&f->flags, &flags, n, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
	return true;
}

static int get_linear(struct domain *d, mfn_t table, enum frame_type level, u64 entry)
{
	mfn_t mfn = pte_mfn(entry);

	if (level < FRAME_L2 || (entry & PTE_RW))
		return -EINVAL;
	if (mfn == table)
		return 0;
	if (!get_frame(mfn, d->id))
		return -EINVAL;
	if (count_linear(table, FRAME_LINEAR, 1)) {
		if (count_linear(mfn, 0, 1)) {
			if (get_validated(mfn, level))
				return 0;
			count_linear(mfn, 0, -1);
		}
		count_linear(table, FRAME_LINEAR, -1);
	}
	put_frame(mfn);
	return -EINVAL;
}

/* --- entries of upper tables ---------------------------------------------------------------------------------------- */

static int get_upper(struct domain *d, mfn_t table, enum frame_type level, u64 entry)
{
	mfn_t mfn = pte_mfn(entry);

	if ((entry & (UPPER_REFUSED | nx_refused)) || !get_frame(mfn, d->id))
		return -EINVAL;
	if (!get_table(d, mfn, level - 1))
		return 0;
	put_frame(mfn);
	return get_linear(d, table, level, entry);
}

static void put_upper(struct domain *d, mfn_t table, enum frame_type level, u64 entry)
{
	mfn_t mfn = pte_mfn(entry);

	if (frame_type(mfn_to_frame(mfn)) == level) {
		if (mfn == table)
			return;
		count_linear(mfn, 0, -1);
		count_linear(table, FRAME_LINEAR, -1);
	}
	put_table(d, mfn);
	put_frame(mfn);
}

static u64 upper_adjust(u64 entry, enum frame_type level)
{
	return entry | PTE_USER | (level == FRAME_L4 ? PTE_ACCESSED : 0);
}

static bool is_hv_slot(enum frame_type level, unsigned index)
{
	return level == FRAME_L4 && index >= HV_FIRST_SLOT && index <= HV_LAST_SLOT;
}

int set_upper_entry(struct domain *d, mfn_t table, enum frame_type level, unsigned index, u64 new, bool keep_ad, bool *flush)
{
	u64 *entry = (u64 *)mfn_to_virt(table) + index, old = READ_ONCE(*entry);
	int rc;

	if (is_hv_slot(level, index))
		return -EINVAL;
	if (new & PTE_PRESENT) {
		new = upper_adjust(new, level);
		if ((old & PTE_PRESENT) && !((old ^ new) & (~PTE_SOFT | nx_refused))) {
			*flush = true;
			exchange_entry(entry, new, keep_ad);
			return 0;
		}
		rc = get_upper(d, table, level, new);
		if (rc)
			return rc;
	}
	old = exchange_entry(entry, new, keep_ad);
	if (old & PTE_PRESENT) {
		*flush = true;
		put_upper(d, table, level, old);
	}
	return 0;
}

/* --- whole tables ----------------------------------------------------------------------------------------------------- */

/* Most tables are mostly empty: eight entries at a time. */
static inline bool any_present(const u64 *t)
{
	return (t[0] | t[1] | t[2] | t[3] | t[4] | t[5] | t[6] | t[7]) & PTE_PRESENT;
}

/* Drops what the first n entries hold. */
static void l1_drop(struct domain *d, const u64 *t, unsigned n)
{
	for (unsigned i = 0; i < n; i += 8) {
		if (!any_present(t + i))
			continue;
		for (unsigned j = i; j < min(i + 8, n); j++)
			if (t[j] & PTE_PRESENT)
				put_l1e(d, t[j]);
	}
}

static int l1_validate(struct domain *d, u64 *t)
{
	domid_t owner = d->id;

	for (unsigned i = 0; i < PTE_ENTRIES; i += 8) {
		if (!any_present(t + i))
			continue;
		for (unsigned j = i; j < i + 8; j++) {
			u64 pte = t[j];
			int rc = pte & PTE_PRESENT ? get_l1e(d, pte, owner) : 0;

			if (unlikely(rc == L1E_READONLY)) {
				pte &= ~(u64)PTE_RW;
			} else if (unlikely(rc)) {
				l1_drop(d, t, j);
				return rc;
			}
			if (pte & PTE_PRESENT)
				t[j] = l1_adjust(pte);
		}
	}
	return 0;
}

static void upper_drop(struct domain *d, mfn_t table, enum frame_type level, unsigned n)
{
	const u64 *t = mfn_to_virt(table);

	for (unsigned i = 0; i < n; i += 8) {
		if (!any_present(t + i) || is_hv_slot(level, i))
			continue;
		for (unsigned j = i; j < min(i + 8, n); j++)
			if (t[j] & PTE_PRESENT)
				put_upper(d, table, level, t[j]);
		preempt_point();
	}
}

static int upper_validate(struct domain *d, mfn_t table, enum frame_type level)
{
	u64 *t = mfn_to_virt(table);

	for (unsigned i = 0; i < PTE_ENTRIES; i += 8) {
		if (!any_present(t + i) || is_hv_slot(level, i))
			continue;
		for (unsigned j = i; j < i + 8; j++) {
			int rc = t[j] & PTE_PRESENT ? get_upper(d, table, level, t[j]) : 0;

			if (rc) {
				upper_drop(d, table, level, j);
				return rc;
			}
			if (t[j] & PTE_PRESENT)
				t[j] = upper_adjust(t[j], level);
		}
		preempt_point();
	}
	if (level == FRAME_L4) {
		memcpy(t + HV_FIRST_SLOT, hv_l4 + HV_FIRST_SLOT, (HV_LAST_SLOT - HV_FIRST_SLOT + 1) * sizeof(*t));
		t[LINEAR_SLOT] = table << PAGE_SHIFT | PTE_PRESENT | PTE_ACCESSED | (PTE_NX & ~nx_refused);
	}
	return 0;
}

static int validate(struct domain *d, mfn_t mfn, enum frame_type type)
{
	if (type == FRAME_L1)
		return l1_validate(d, mfn_to_virt(mfn));
	if (type == FRAME_SEGDESC)
		return segdesc_validate(mfn_to_virt(mfn)) ? 0 : -EINVAL;
	return upper_validate(d, mfn, type);
}

static void invalidate(struct domain *d, mfn_t mfn, enum frame_type type)
{
	if (type == FRAME_L1)
		l1_drop(d, mfn_to_virt(mfn), PTE_ENTRIES);
	else
		upper_drop(d, mfn, type, PTE_ENTRIES);
}

static void set_untyped(struct frame *f, enum frame_type last)
{
	__atomic_store_n(&f->type_stamp, (u64)READ_ONCE(tlb_clock) << 32 | TYPE_WORD(last), __ATOMIC_SEQ_CST);
}

/* A type reference for one who holds a general one and the page mutex. */
static int get_table(struct domain *d, mfn_t mfn, enum frame_type type)
{
	struct frame *f = mfn_to_frame(mfn);
	u64 x;
	int rc;

	if (get_validated(mfn, type))
		return 0;
	x = READ_ONCE(f->type_stamp);
	do {
		if ((u32)x & TYPE_COUNT)
			return -EINVAL;
	} while (!change_type(f, &x, TYPE_WORD(type) + 1));
	rc = validate(d, mfn, type);
	if (rc)
		set_untyped(f, type);
	else
		__atomic_or_fetch(&f->type, TYPE_VALIDATED, __ATOMIC_SEQ_CST);
	return rc;
}

/* Takes the validity from a table whose only type reference goes. False: x has changed. */
static bool begin_invalidation(struct domain *d, struct frame *f, u64 *x)
{
	bool alone;

	spin_lock(&d->l1_lock);
	alone = cas64(&f->type_stamp, x, *x & ~(u64)TYPE_VALIDATED);
	spin_unlock(&d->l1_lock);
	return alone;
}

static void put_table(struct domain *d, mfn_t mfn)
{
	struct frame *f = mfn_to_frame(mfn);
	u64 x = READ_ONCE(f->type_stamp);

	for (;;) {
		if (((u32)x & TYPE_COUNT) > 1) {
			if (cas64(&f->type_stamp, &x, x - 1))
				return;
		} else if (begin_invalidation(d, f, &x)) {
			invalidate(d, mfn, (u32)x >> TYPE_SHIFT);
			set_untyped(f, (u32)x >> TYPE_SHIFT);
			return;
		}
	}
}

/* --- for others --------------------------------------------------------------------------------------------------------- */

int get_type_slow(mfn_t mfn, domid_t owner, enum frame_type type)
{
	struct domain *d;
	int rc;

	if (type == FRAME_WRITABLE) {
		rc = get_writable(mfn) ? 0 : -EBUSY;
	} else {
		d = domain_find(owner);
		page_mutex_lock(d);
		rc = get_table(d, mfn, type);
		page_mutex_unlock(d);
	}
	if (rc)
		put_frame(mfn);
	return rc;
}

/* What may be the last type reference. */
static __attribute__((noinline)) void put_last_type(mfn_t mfn)
{
	struct frame *f = mfn_to_frame(mfn);
	enum frame_type type = frame_type(f);
	struct domain *d;

	if (type >= FRAME_SEGDESC) {
		drop_type(f, type);
	} else {
		d = domain_find(f->owner);
		page_mutex_lock(d);
		put_table(d, mfn);
		page_mutex_unlock(d);
	}
	put_frame(mfn);
}

void put_frame_type(mfn_t mfn)
{
	struct frame *f = mfn_to_frame(mfn);
	u64 x = READ_ONCE(f->type_stamp);

	if (unlikely(((u32)x & TYPE_COUNT) <= 1 || !cas64(&f->type_stamp, &x, x - 1)))
		return put_last_type(mfn);
	put_frame(mfn);
}

int mmu_pin(struct domain *d, mfn_t mfn, enum frame_type type)
{
	int rc = get_frame_type(mfn, d->id, type);

	if (rc)
		return rc;
	if (__atomic_fetch_or(&mfn_to_frame(mfn)->type, TYPE_PINNED, __ATOMIC_SEQ_CST) & TYPE_PINNED) {
		put_frame_type(mfn);
		return -EINVAL;
	}
	/* Another's pin: either mmu_teardown(), which comes after `dying`, sees it, or this goes again. */
	if (unlikely(READ_ONCE(d->dying))) {
		mmu_unpin(d, mfn);
		return -EINVAL;
	}
	return 0;
}

int mmu_unpin(struct domain *d, mfn_t mfn)
{
	u32 word;

	if (!get_frame(mfn, d->id))
		return -EINVAL;
	word = __atomic_fetch_and(&mfn_to_frame(mfn)->type, ~TYPE_PINNED, __ATOMIC_SEQ_CST);
	if (word & TYPE_PINNED)
		put_frame_type(mfn);
	put_frame(mfn);
	return word & TYPE_PINNED ? 0 : -EINVAL;
}
