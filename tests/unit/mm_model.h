/* SPDX-License-Identifier: MIT */
/*
 * The model: what the frame table must say, counted anew from memory by the rules alone, and what no CPU may ever be able to
 * reach. Slow, and without a thought for how mm/ does it.
 */
#ifndef TESTS_MM_MODEL_H
#define TESTS_MM_MODEL_H

#include "mm_host.h"

struct expected {
	u32 count, types;
	u32 linear_made, linear_received;
};

static struct expected want[FRAMES];
static bool free_frame[FRAMES], under_way;
static u32 held[FRAMES], held_type[FRAMES];	/* references that the test itself holds */
static bool granted[FRAMES + 8];			/* frames that the other domain may map */

#define check(c, ...) do { if (!(c)) { print_error("frame table: " __VA_ARGS__); print_error("\n"); fail(); } } while (0)

static struct frame *fr(mfn_t m) { return (struct frame *)host_frame_table + m; }
static int type_of(mfn_t m) { return fr(m)->type >> TYPE_SHIFT; }
static u32 types_of(mfn_t m) { return fr(m)->type & TYPE_COUNT; }

/* --- free memory ------------------------------------------------------------------------------------------------------- */

static void find_free(void)
{
	u64 total = 0;

	memset(free_frame, 0, sizeof(free_frame));
	for (int z = 0; z < ZONES; z++) {
		for (int o = 0; o <= MAX_ORDER; o++) {
			check(!!(free_orders[z] >> o & 1) == !!free_list[z][o], "free_orders of zone %d", z);
			for (mfn_t m = free_list[z][o], prev = 0; m; prev = m, m = fr(m)->next) {
				check(!(m & ((1 << o) - 1)) && fr(m)->flags == (FRAME_FREE | o) && fr(m)->prev == prev && !fr(m)->count,
				      "free block %lx of order %d", m, o);
				for (mfn_t i = m; i < m + (1ul << o); i++) {
					check(i < FIRST_HOLE && !free_frame[i], "frame %lx is free twice", i);
					for (int w = 0; fr(i)->owner == OWNER_ZEROED && w < 512; w++)
						check(!((u64 *)(host_memory + i * 4096))[w], "free frame %lx is zeroed but word %d", i, w);
					free_frame[i] = true;
					total++;
				}
			}
		}
	}
	check(total == free_page_count(), "%lu free frames, not %lu", total, free_page_count());
}

/* --- what may be reached ---------------------------------------------------------------------------------------------- */

static bool may_map(struct domain *d, mfn_t m)
{
	return fr(m)->owner == d->id || granted[m];
}

static void check_cached(int c, int level, int rw, mfn_t m)
{
	struct domain *d = host_running[c]->domain;

	if (free_frame[m] || (under_way && !fr(m)->count))
		return;		/* nobody else has it before this is flushed */
	check(fr(m)->count, "CPU %d can reach the hypervisor's frame %lx as L%d", c, m, level);
	check(level ? fr(m)->owner == d->id : may_map(d, m), "CPU %d of domain %d can reach frame %lx of domain %d as L%d", c,
	      d->id, m, fr(m)->owner, level);
	if (!types_of(m))
		return;		/* of no use to anybody before this is flushed */
	if (rw)
		check(type_of(m) == (level ? level : (int)FRAME_WRITABLE), "CPU %d can reach frame %lx of type %d writable as L%d", c, m,
		      type_of(m), level);
	else if (level)
		check(type_of(m) >= level && type_of(m) <= FRAME_L4, "CPU %d walks frame %lx of type %d as L%d", c, m, type_of(m), level);
}

/* What CR3 holds is a root as long as it does. */
static void check_root(mfn_t m)
{
	check(!m || (type_of(m) == FRAME_L4 && types_of(m) && fr(m)->type & TYPE_VALIDATED), "CR3 holds frame %lx of type word %x", m,
	      fr(m)->type);
}

void check_translations(void)
{
	bool was = interleaving;

	under_way = was;	/* a frame may be on its way to or from the free list */

	interleaving = false;
	find_free();
	for (int c = 0; c < CPUS; c++) {
		check_root(host_cpus[c].cr3 >> 12);
		tlb_fill(c);
		for (int level = 0; level <= 4; level++)
			for (int rw = 0; rw < 2; rw++)
				for (mfn_t m = 0; m < FRAMES; m++)
					if (cached[c][level][rw][m])
						check_cached(c, level, rw, m);
		for (mfn_t m = 0; m < FRAMES; m++)
			check(!cached_descriptors[c][m] || free_frame[m] || !types_of(m) || type_of(m) == FRAME_SEGDESC,
			      "CPU %d takes descriptors from frame %lx of type %d", c, m, type_of(m));
	}
	interleaving = was;
}

/* --- what must be counted ---------------------------------------------------------------------------------------------- */

static void expect_typed(mfn_t m, u32 n, int type)
{
	want[m].count += n;
	want[m].types += n;
	check(!n || type_of(m) == type, "frame %lx has type %d, not %d", m, type_of(m), type);
}

static void expect_leaf(struct domain *d, u64 pte)
{
	mfn_t m = pte_mfn(pte);

	check(pte & PTE_USER && (pte & (PTE_GUEST_KERNEL | PTE_GLOBAL)), "leaf %lx", pte);
	check(d->privileged || !(pte & PTE_CACHE), "leaf %lx with cache bits", pte);
	if (m >= FIRST_HOLE) {
		check(d->privileged, "domain %d maps device %lx", d->id, m);
		return;
	}
	check(may_map(d, m), "domain %d maps frame %lx of domain %d", d->id, m, fr(m)->owner);
	if (pte & PTE_RW)
		expect_typed(m, 1, FRAME_WRITABLE);
	else
		want[m].count++;
}

static void expect_entry(mfn_t table, int level, u64 pte)
{
	mfn_t m = pte_mfn(pte);

	check(!(pte & (PTE_PWT | PTE_PCD | PTE_PSE | PTE_GLOBAL)) && pte & PTE_USER, "entry %lx at level %d", pte, level);
	check(m < FIRST_HOLE && fr(m)->owner == fr(table)->owner, "entry %lx at level %d names what is not its own", pte, level);
	if (type_of(m) != level) {
		expect_typed(m, 1, level - 1);
		return;
	}
	check(!(pte & PTE_RW) && level > 1, "linear entry %lx is writable", pte);
	if (m == table)
		return;
	expect_typed(m, 1, level);
	want[table].linear_made++;
	want[m].linear_received++;
}

static void expect_table(mfn_t table)
{
	const u64 *t = (u64 *)(host_memory + table * 4096);
	int level = type_of(table);

	for (int i = 0; i < 512; i++) {
		if (is_hv_entry(level, i))
			check(t[i] == (i == LINEAR_SLOT ? table << 12 | PTE_PRESENT | PTE_ACCESSED | PTE_NX : hv_l4[i]),
			      "hypervisor's slot %d of frame %lx", i, table);
		else if ((t[i] & PTE_PRESENT) && level == FRAME_L1)
			expect_leaf(&host_domain[fr(table)->owner], t[i]);
		else if (t[i] & PTE_PRESENT)
			expect_entry(table, level, t[i]);
	}
}

static void expect_descriptors(mfn_t page)
{
	const u64 *t = (u64 *)(host_memory + page * 4096);

	for (int i = 0; i < 512; i++)
		if (t[i] >> 47 & 1)
			check((t[i] >> 45 & 3) == 3 && ((t[i] >> 44 & 1) || !(t[i] >> 40 & 15) || (t[i] >> 40 & 15) == 12),
			      "descriptor %lx", t[i]);
}

static void expect_vcpu(struct vcpu *v)
{
	if (v->kernel_cr3)
		expect_typed(v->kernel_cr3 >> 12, 1, FRAME_L4);
	if (v->user_cr3)
		expect_typed(v->user_cr3 >> 12, 1, FRAME_L4);
	for (int i = 0; i < (v->gdt_entries + 511) / 512; i++) {
		expect_typed(v->gdt_frames[i], 1, FRAME_SEGDESC);
		check(pte_mfn(*hv_l1e(vcpu_window(v) + i * 4096)) == v->gdt_frames[i], "GDT page %d in the window", i);
	}
	for (int i = 0; i < 16; i++) {
		u64 pte = *hv_l1e(vcpu_window(v) + (16 + i) * 4096);

		check(!!(v->ldt_mapped >> i & 1) == !!pte, "LDT page %d", i);
		if (pte)
			expect_typed(pte_mfn(pte), 1, FRAME_SEGDESC);
	}
}

static void check_frame(mfn_t m)
{
	struct frame *f = fr(m);
	u32 linear = want[m].linear_made + want[m].linear_received;

	if (free_frame[m] || (f->owner == OWNER_XEN && !want[m].count)) {
		check(!want[m].count && !types_of(m), "frame %lx is free and in use", m);
		check(host_m2p[m] == INVALID_PFN, "frame %lx is free and has pfn %lx", m, host_m2p[m]);
		return;
	}
	check(f->count == want[m].count, "frame %lx has %u references, not %u", m, f->count, want[m].count);
	check(types_of(m) == want[m].types, "frame %lx has %u type references, not %u", m, types_of(m), want[m].types);
	check(!want[m].linear_made || !want[m].linear_received, "frame %lx makes and receives linear entries", m);
	check((f->flags & FRAME_LOW_BITS) == linear && !!(f->flags & FRAME_LINEAR) == !!want[m].linear_made,
	      "frame %lx: %u linear entries", m, linear);
	check(!!(f->type & TYPE_VALIDATED) == (types_of(m) && type_of(m) != FRAME_WRITABLE), "frame %lx of type word %x", m, f->type);
}

static void check_list(struct domain *d)
{
	u64 n = 0, owned = 0, lent = 0;

	for (mfn_t m = d->page_list, prev = 0; m; prev = m, m = fr(m)->next, n++)
		check(fr(m)->prev == prev && fr(m)->owner == d->id && fr(m)->count, "list of domain %d at %lx", d->id, m);
	for (mfn_t m = 1; m < FIRST_HOLE; m++) {
		bool its = fr(m)->count && fr(m)->owner == d->id;

		owned += its && !(fr(m)->flags & FRAME_SHARED);
		lent += its && fr(m)->flags & FRAME_SHARED;
	}
	check(lent == d->lent_pages, "domain %d: %u lent pages, not %lu", d->id, d->lent_pages, lent);
	check(n == d->pages && n == owned, "domain %d: %lu pages, %lu on its list, %lu its own", d->id, d->pages, n, owned);
}

/* While nothing is under way. */
static void check_all(void)
{
	check_translations();
	memset(want, 0, sizeof(want));
	for (mfn_t m = 1; m < FIRST_HOLE; m++) {
		if (free_frame[m])
			continue;
		want[m].count += !!(fr(m)->flags & FRAME_ALLOCATED) + held[m] + held_type[m];
		want[m].types += held_type[m];
		if (fr(m)->flags & FRAME_SHARED)
			expect_typed(m, host_shared[fr(m)->owner] == m, FRAME_WRITABLE);
		expect_typed(m, !!(fr(m)->type & TYPE_PINNED), type_of(m));
		if (fr(m)->type & TYPE_VALIDATED && type_of(m) <= FRAME_L4)
			expect_table(m);
		if (fr(m)->type & TYPE_VALIDATED && type_of(m) == FRAME_SEGDESC)
			expect_descriptors(m);
	}
	for (int d = 0; d < DOMAINS; d++) {
		for (int v = 0; v < VCPUS; v++)
			expect_vcpu(vcpus[d][v]);
		check_list(&host_domain[d]);
		check(!host_domain[d].l1_lock.held && !host_domain[d].page_lock.held && !host_domain[d].page_mutex_holder, "locks of domain %d", d);
	}
	for (mfn_t m = 1; m < FIRST_HOLE; m++)
		check_frame(m);
	for (mfn_t m = FIRST_HOLE; m < FRAMES; m++)
		check(fr(m)->count_owner == ((u64)OWNER_IO << 32 | 1) && !fr(m)->type_stamp, "slot of hole %lx", m);
}

#endif
