/* SPDX-License-Identifier: MIT */
/*
 * The boundary between domains, tried in three ways: every rule for an entry exhaustively against a restatement of the ABI,
 * the classic attacks one by one, and long random sequences of operations by two domains on two interleaved CPUs, after
 * each of which the model (mm_model.h) recounts everything.
 */
#include "mm_model.h"
#include <grant_pte.h>

/* --- setting up ---------------------------------------------------------------------------------------------------------- */

#define DOMAIN_FRAMES 48

static void machine_reset(void)
{
	static u8 windows[(DOMAINS * VCPUS + 1) * VCPU_WINDOW_SIZE];
	u8 *at = (u8 *)ROUND_UP((u64)windows, VCPU_WINDOW_SIZE);

	memset(host_memory, 0, sizeof(host_memory));
	memset(host_frame_table, 0, sizeof(host_frame_table));
	memset(host_m2p, 0xff, sizeof(host_m2p));
	memset(windows, 0, sizeof(windows));
	memset(free_list, 0, sizeof(free_list));
	memset(free_orders, 0, sizeof(free_orders));
	memset(cached, 0, sizeof(cached));
	memset(cached_descriptors, 0, sizeof(cached_descriptors));
	memset(held, 0, sizeof(held));
	memset(held_type, 0, sizeof(held_type));
	memset(granted, 0, sizeof(granted));
	memset(host_domain, 0, sizeof(host_domain));
	memset(host_cpus, 0, sizeof(host_cpus));
	memset(window_l1e, 0, sizeof(window_l1e));
	memset(host_shared, 0, sizeof(host_shared));
	memset(free_frames, 0, sizeof(free_frames));
	max_mfn = FRAMES;
	for (mfn_t m = 0; m < FRAMES; m++)
		fr(m)->count_owner = (u64)(m < FIRST_HOLE ? OWNER_XEN : OWNER_IO) << 32 | 1;
	for (int i = 0; i < CPUS; i++) {
		host_cpus[i].id = i;
		cpus[i] = &host_cpus[i];
	}
	for (int i = HV_FIRST_SLOT; i <= HV_LAST_SLOT; i++)
		hv_l4[i] = 0x1000ull * i | PTE_PRESENT;
	for (int d = 0; d < DOMAINS; d++) {
		host_domain[d].id = d;
		host_domain[d].privileged = d == 0;
		host_domain[d].max_pages = DOMAIN_FRAMES + 8;
		host_domain[d].vm_assist = 1 << VMASST_TYPE_writable_pagetables;
		host_domain[d].vcpu_count = VCPUS;
		for (int v = 0; v < VCPUS; v++) {
			struct vcpu *x = (struct vcpu *)(at + (d * VCPUS + v) * VCPU_WINDOW_SIZE + VCPU_WINDOW_STRUCT * 4096);

			vcpus[d][v] = host_domain[d].vcpu[v] = x;
			x->domain = &host_domain[d];
			x->id = v;
			x->slot = d * VCPUS + v;
			x->cpu = &host_cpus[v];
			x->kernel_mode = true;
		}
	}
	alloc_init_range(1, FIRST_HOLE);
	frames_init();
	for (int i = 0; i < CPUS; i++)
		host_running[i] = vcpus[1][i];
}

/* The vCPU of d runs on its CPU. */
static void run_vcpu(int d, int cpu)
{
	host_running[cpu] = vcpus[d][cpu];
	host_cpus[cpu].cr3 = host_running[cpu]->kernel_cr3;
	tlb_flush(cpu);
}

static void run_domain(int d)
{
	for (int c = 0; c < CPUS; c++)
		run_vcpu(d, c);
}

static u64 *table(mfn_t m) { return (u64 *)(host_memory + m * 4096); }

static mfn_t new_frame(int d)
{
	mfn_t m = alloc_domain_frames(&host_domain[d], 0, 0, 0);

	assert_true(m != INVALID_MFN);
	return m;
}

static long op_mmu_update(u64 ptr, u64 val, u16 fd)
{
	struct mmu_update request = { ptr, val };
	u32 done = 99;
	long rc = do_mmu_update((u64)&request, 1, (u64)&done, fd, 0, current);

	if (rc != -ESRCH && rc != -EPERM)
		assert_int_equal(done, rc ? 0 : 1);
	return rc;
}

static long op_mmuext(u32 cmd, u64 arg1, u64 arg2)
{
	struct mmuext_op op = { .cmd = cmd, .arg1.mfn = arg1, .arg2.src_mfn = arg2 };

	return do_mmuext_op((u64)&op, 1, 0, DOMID_SELF, 0, current);
}

/* A small address space: one table of each level and a page, mapped at address 0; the tables are not mapped. */
struct space {
	mfn_t l4, l3, l2, l1, page;
};

static struct space new_space(int d)
{
	struct space s = { new_frame(d), new_frame(d), new_frame(d), new_frame(d), new_frame(d) };

	table(s.l4)[0] = s.l3 << 12 | 0x67;
	table(s.l3)[0] = s.l2 << 12 | 0x67;
	table(s.l2)[0] = s.l1 << 12 | 0x67;
	table(s.l1)[0] = s.page << 12 | 0x63;
	return s;
}

static struct space install_space(int d)
{
	struct space s = new_space(d);

	for (int v = 0; v < VCPUS; v++)
		assert_int_equal(mmu_install_kernel_l4(vcpus[d][v], s.l4), 0);
	run_domain(d);
	return s;
}

static void drop_vcpu(struct vcpu *v)
{
	set_gdt(v, NULL, 0);
	drop_ldt_pages(v);
	mmu_install_user_l4(v, 0);
	if (v->kernel_cr3)
		put_frame_type(v->kernel_cr3 >> 12);
	v->kernel_cr3 = 0;
}

/* Domains end; what is left is what was there at first. */
static void teardown(void)
{
	for (int c = 0; c < CPUS; c++) {
		host_cpus[c].cr3 = 0;
		tlb_flush(c);
	}
	for (mfn_t m = 1; m < FIRST_HOLE; m++) {
		for (; held_type[m]; held_type[m]--)
			put_frame_type(m);
		for (; held[m]; held[m]--)
			put_frame(m);
	}
	for (int d = 0; d < DOMAINS; d++) {
		host_running[0] = vcpus[d][0];
		for (int v = 0; v < VCPUS; v++)
			drop_vcpu(vcpus[d][v]);
		mmu_teardown(&host_domain[d]);
		if (host_shared[d])
			unshare_frame(&host_domain[d], mfn_to_virt(host_shared[d]));
		host_shared[d] = 0;
	}
	for (int d = 0; d < DOMAINS; d++) {
		assert_int_equal(host_domain[d].pages, 0);
		assert_int_equal(host_domain[d].page_list, 0);
	}
	while (zero_free_memory())
		;
	find_free();
	assert_int_equal(free_page_count(), FIRST_HOLE - 1);
	for (mfn_t m = 8; m < (FIRST_HOLE & ~7ul); m++)
		assert_int_equal(fr(m)->owner, OWNER_ZEROED);
	for (mfn_t m = 1; m < FIRST_HOLE; m++)
		assert_int_equal(types_of(m), 0);
}

/* --- every leaf, against the ABI's rules ----------------------------------------------------------------------------------- */

enum target { OWN_PAGE, OWN_TABLE, FOREIGN, FREE, DEVICE, DEVICE_HIGH, XEN, SHARED, TARGETS };

static long rule_result(int d, enum target t, u64 flags)
{
	if (!(flags & PTE_PRESENT))
		return 0;
	if (flags & PTE_CACHE && d)
		return -EINVAL;
	switch (t) {
	case OWN_PAGE: case SHARED: return 0;
	case OWN_TABLE: return flags & PTE_RW ? -EBUSY : 0;
	case DEVICE: case DEVICE_HIGH: return d ? -EPERM : 0;
	default: return -EBUSY;
	}
}

static u64 rule_stored(u64 pte)
{
	if (!(pte & 1))
		return pte;
	if (!(pte & 4))
		return pte | 4 | 1ull << 52;
	return pte & 1ull << 52 ? pte : pte | 0x100;
}

static void leaf_cases(int d)
{
	static const u64 bits[] = { 1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80, 0x100, 0x200, 1ull << 52, 1ull << 59, 1ull << 63 };
	struct space s;
	mfn_t target[TARGETS];
	void *page;

	machine_reset();
	s = install_space(d);
	page = alloc_page();
	host_shared[d] = share_frame_with(&host_domain[d], page);
	target[OWN_PAGE] = new_frame(d);
	target[OWN_TABLE] = s.l2;
	target[FOREIGN] = new_frame(!d);
	target[DEVICE] = FIRST_HOLE + 1;
	target[DEVICE_HIGH] = DEVICE_ABOVE;
	target[XEN] = virt_to_mfn(alloc_page());
	target[SHARED] = host_shared[d];
	find_free();
	for (target[FREE] = 1; !free_frame[target[FREE]]; target[FREE]++)
		;
	for (u64 n = 0; n < 1ull << ARRAY_SIZE(bits); n++) {
		u64 flags = 0;

		for (size_t b = 0; b < ARRAY_SIZE(bits); b++)
			flags |= n >> b & 1 ? bits[b] : 0;
		for (enum target t = 0; t < TARGETS; t++) {
			u64 pte = target[t] << 12 | flags, before = table(s.l1)[5];
			long rc = n & 1 ? do_update_va_mapping(0x5000, pte, 0, 0, 0, current) :
				  op_mmu_update(s.l1 * 4096 + 5 * 8, pte, DOMID_SELF);

			assert_int_equal(rc, rule_result(d, t, flags));
			assert_int_equal(table(s.l1)[5], rc ? before : rule_stored(pte));
		}
		if (n % 512 == 0)
			check_all();
	}
	assert_int_equal(do_update_va_mapping(0x5000, 0, 0, 0, 0, current), 0);
	free_page(mfn_to_virt(target[XEN]));
	check_all();
	teardown();
}

static void test_leaf_rules(void **state)
{
	leaf_cases(1);
	leaf_cases(0);
}

static void test_leaf_beyond_machine(void **state)
{
	machine_reset();
	acpi.lapic = 0xfee00000;
	install_space(0);
	assert_int_equal(do_update_va_mapping(0, 1ull << 36 | 3, 0, 0, 0, current), -EPERM);
	assert_int_equal(do_update_va_mapping(0, 0xfee00003, 0, 0, 0, current), -EPERM);
	assert_int_equal(do_update_va_mapping(0, 0xfed00003, 0, 0, 0, current), 0);
	acpi.lapic = 0;
	teardown();
}

/* Where the CPU lacks NX, its bit is a reserved one, in old entries and new, at every level. */
static void test_without_nx(void **state)
{
	struct space s;

	cpu_has.nx = false;
	machine_reset();
	s = install_space(1);
	assert_int_equal(do_update_va_mapping(0, s.page << 12 | PTE_NX | 3, 0, 0, 0, current), -EINVAL);
	assert_int_equal(op_mmu_update(s.l2 * 4096, s.l1 << 12 | PTE_NX | 7, DOMID_SELF), -EINVAL);
	assert_int_equal(op_mmu_update(s.l2 * 4096, s.l1 << 12 | 7, DOMID_SELF), 0);
	teardown();
	cpu_has.nx = true;
	nx_refused = 0;
	l1_refused = PTE_CACHE;
	l1_hard = ~L1_SOFT;
}

static void test_addresses(void **state)
{
	static const u64 bad[] = { 0x200000, 1ull << 30, 1ull << 39, 0xffff800000000000, 0xffff87fffffff000, 0x0000800000000000,
				   0x8000000000000000, 0xfffffffffffff000 };

	machine_reset();
	install_space(1);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(do_update_va_mapping(bad[i], 0, 0, 0, 0, current), -EINVAL);
	teardown();
}

/* --- one type at a time ------------------------------------------------------------------------------------------------------ */

/* A frame held as any type refuses every other, and after it is let go may become anything. */
static void test_types_exclude(void **state)
{
	machine_reset();
	run_domain(1);
	for (int first = FRAME_L1; first <= FRAME_WRITABLE; first++) {
		for (int second = FRAME_L1; second <= FRAME_WRITABLE; second++) {
			mfn_t m = new_frame(1);

			assert_int_equal(get_frame_type(m, 1, first), 0);
			held_type[m] = 1;
			assert_int_equal(get_frame_type(m, 1, second), first == second ? 0 : second == FRAME_WRITABLE ? -EBUSY : -EINVAL);
			if (first == second)
				put_frame_type(m);
			assert_int_equal(get_frame_type(m, 0, first), -EINVAL);
			check_all();
			put_frame_type(m);
			held_type[m] = 0;
			memset(table(m), 0, 4096);	/* an L4 holds the hypervisor's slots */
			assert_int_equal(get_frame_type(m, 1, second), 0);
			put_frame_type(m);
			check_all();
			assert_true(release_domain_frame(&host_domain[1], m));
			assert_false(release_domain_frame(&host_domain[1], m));
		}
	}
	teardown();
}

static void test_counts_do_not_overflow(void **state)
{
	mfn_t m;

	machine_reset();
	run_domain(1);
	m = new_frame(1);
	fr(m)->count = COUNT_MAX;
	assert_false(get_frame(m, 1));
	fr(m)->count = 1;
	fr(m)->type = TYPE_WORD(FRAME_WRITABLE) | TYPE_COUNT;
	assert_false(get_writable(m));
	fr(m)->type = TYPE_WORD(FRAME_L1) | TYPE_VALIDATED | TYPE_PINNED | TYPE_COUNT;
	assert_false(get_validated(m, FRAME_L1));
	assert_int_equal(get_frame_type(m, 1, FRAME_L1), -EINVAL);
	fr(m)->type = 0;
	check_all();
	teardown();
}

/* --- validation: all or nothing ------------------------------------------------------------------------------------------------ */

/* A bad entry at any place of a table of any level: refused, and every count is as before. */
static void test_roll_back(void **state)
{
	machine_reset();
	run_domain(1);
	for (int level = FRAME_L1; level <= FRAME_L4; level++) {
		struct space s = new_space(1);
		mfn_t tables[] = { 0, s.l1, s.l2, s.l3, s.l4 }, t = tables[level], other = new_frame(0);
		u64 good = table(t)[0];

		for (int i = 0; i < 512; i += level == FRAME_L1 ? 3 : 7) {
			if (is_hv_entry(level, i))
				continue;
			for (int j = 0; j < 512; j += 37)
				if (!is_hv_entry(level, j))
					table(t)[j] = good;
			table(t)[i] = other << 12 | 0x63;
			assert_true(mmu_pin(&host_domain[1], t, level) < 0);
			check_all();
			for (int bit = 3; level > FRAME_L1 && bit <= 8; bit++) {
				table(t)[i] = good | 1 << bit;
				assert_int_equal(mmu_pin(&host_domain[1], t, level), bit == 5 || bit == 6 ? 0 : -EINVAL);
				if (bit == 5 || bit == 6)
					assert_int_equal(mmu_unpin(&host_domain[1], t), 0);
			}
			memset(table(t), 0, 4096);
			table(t)[0] = good;
		}
		assert_int_equal(mmu_pin(&host_domain[1], t, level), 0);
		check_all();
		assert_int_equal(mmu_pin(&host_domain[1], t, level), -EINVAL);
		assert_int_equal(mmu_unpin(&host_domain[1], t), 0);
		assert_int_equal(mmu_unpin(&host_domain[1], t), -EINVAL);
		check_all();
	}
	teardown();
}

static void test_hypervisor_slots(void **state)
{
	struct space s;

	machine_reset();
	run_domain(1);
	s = new_space(1);
	for (int i = HV_FIRST_SLOT; i <= HV_LAST_SLOT; i++)
		table(s.l4)[i] = 0x12345000 + i;	/* whatever it holds is replaced, not looked at */
	assert_int_equal(mmu_pin(&host_domain[1], s.l4, FRAME_L4), 0);
	for (int i = HV_FIRST_SLOT; i <= HV_LAST_SLOT; i++)
		assert_int_equal(op_mmu_update(s.l4 * 4096 + i * 8, 0, DOMID_SELF), -EINVAL);
	assert_int_equal(op_mmu_update(s.l4 * 4096 + 272 * 8, s.l3 << 12 | 7, DOMID_SELF), 0);
	check_all();
	teardown();
}

static void test_linear(void **state)
{
	machine_reset();
	run_domain(1);
	for (int level = FRAME_L2; level <= FRAME_L4; level++) {
		mfn_t a = new_frame(1), b = new_frame(1), c = new_frame(1);

		for (int i = 0; i < 3; i++)
			assert_int_equal(mmu_pin(&host_domain[1], i ? i == 1 ? b : c : a, level), 0);
		assert_int_equal(op_mmu_update(a * 4096 + 8, a << 12 | 7, DOMID_SELF), -EINVAL);	/* writable self */
		assert_int_equal(op_mmu_update(a * 4096 + 8, a << 12 | 5, DOMID_SELF), 0);
		assert_int_equal(op_mmu_update(a * 4096 + 8, a << 12 | 7, DOMID_SELF), -EINVAL);	/* made writable later */
		check_all();
		assert_int_equal(op_mmu_update(a * 4096 + 16, b << 12 | 5, DOMID_SELF), 0);
		assert_int_equal(op_mmu_update(b * 4096 + 16, c << 12 | 5, DOMID_SELF), -EINVAL);	/* b is named already */
		assert_int_equal(op_mmu_update(c * 4096 + 16, a << 12 | 5, DOMID_SELF), -EINVAL);	/* a names already */
		assert_int_equal(op_mmu_update(c * 4096 + 16, b << 12 | 5, DOMID_SELF), 0);
		assert_int_equal(op_mmu_update(c * 4096 + 24, b << 12 | 5, DOMID_SELF), 0);
		check_all();
		assert_int_equal(mmu_unpin(&host_domain[1], b), 0);
		check_all();	/* b lives by its linear entries */
		assert_int_equal(get_frame_type(b, 1, FRAME_WRITABLE), -EBUSY);
		assert_int_equal(mmu_unpin(&host_domain[1], a), 0);
		assert_int_equal(op_mmu_update(c * 4096 + 16, 0, DOMID_SELF), 0);
		assert_int_equal(op_mmu_update(c * 4096 + 24, 0, DOMID_SELF), 0);
		check_all();
		assert_int_equal(get_frame_type(b, 1, FRAME_WRITABLE), 0);
		put_frame_type(b);
		assert_int_equal(mmu_unpin(&host_domain[1], c), 0);
	}
	teardown();
}

/* --- attacks, by class --------------------------------------------------------------------------------------------------------- */

/* A page that was writable becomes a table only after the CPUs have forgotten; and the other way round. */
static void test_stale_translations(void **state)
{
	struct space s;

	machine_reset();
	s = install_space(1);
	check_all();
	assert_true(cached[1][0][1][s.page]);
	assert_int_equal(do_update_va_mapping(0, 0, UVMF_NONE, 0, 0, current), 0);
	assert_true(cached[1][0][1][s.page]);
	assert_int_equal(mmu_pin(&host_domain[1], s.page, FRAME_L1), 0);
	assert_false(cached[0][0][1][s.page]);
	assert_false(cached[1][0][1][s.page]);
	check_all();
	assert_int_equal(mmu_unpin(&host_domain[1], s.page), 0);
	cached[1][1][1][s.page] = true;		/* CPU 1 has it as a table still */
	assert_int_equal(get_frame_type(s.page, 1, FRAME_WRITABLE), 0);
	assert_false(cached[1][1][1][s.page]);
	put_frame_type(s.page);
	teardown();
}

/* A frame given up while it is mapped is not free until the mapping goes, and reaches nobody else before a flush. */
static void test_freed_while_mapped(void **state)
{
	struct space s;
	mfn_t other;

	machine_reset();
	s = install_space(1);
	table(s.page)[7] = 0x5ec7e7;
	assert_true(release_domain_frame(&host_domain[1], s.page));
	assert_true(release_domain_frame(&host_domain[1], s.page));
	check_all();
	assert_int_equal(fr(s.page)->count, 1);
	assert_int_equal(do_update_va_mapping(0, 0, 0, 0, 0, current), 0);
	check_all();
	do {
		other = alloc_domain_frames(&host_domain[0], 0, 0, 0);
	} while (other != s.page && other != INVALID_MFN);
	assert_true(other == s.page);
	assert_int_equal(table(other)[7], 0);
	check_all();
	teardown();
}

static void test_foreign_frames(void **state)
{
	struct space s;
	mfn_t foreign;

	machine_reset();
	s = install_space(1);
	foreign = new_frame(0);
	assert_int_equal(op_mmu_update(foreign * 4096, 1, DOMID_SELF), -EINVAL);
	assert_int_equal(op_mmu_update(foreign * 4096 | MMU_MACHPHYS_UPDATE, 1, DOMID_SELF), -EINVAL);
	assert_int_equal(op_mmu_update((FIRST_HOLE + 1) * 4096 | MMU_MACHPHYS_UPDATE, 1, DOMID_SELF), -EINVAL);
	assert_int_equal(op_mmu_update(~7ull, 1, DOMID_SELF), -EINVAL);
	assert_int_equal(op_mmu_update(s.page * 4096 + 4, 1, DOMID_SELF), -EINVAL);
	assert_int_equal(op_mmu_update(s.l1 * 4096, foreign << 12 | 3, 0), -EPERM);
	assert_int_equal(op_mmu_update(s.l1 * 4096, (FIRST_HOLE + 1) << 12 | 3, DOMID_IO), -EPERM);
	assert_int_equal(op_mmu_update(s.l1 * 4096 + 8, s.page << 12 | 3, DOMID_IO), -EBUSY);
	assert_int_equal(op_mmu_update(s.l1 * 4096, 0, DOMID_XEN), -EPERM);
	assert_int_equal(op_mmu_update(s.l1 * 4096, 0, 99), -ESRCH);
	assert_int_equal(op_mmuext(MMUEXT_PIN_L1_TABLE, foreign, 0), -EINVAL);
	assert_int_equal(op_mmuext(MMUEXT_PIN_L1_TABLE, ~0ull, 0), -EINVAL);
	assert_int_equal(op_mmuext(MMUEXT_CLEAR_PAGE, foreign, 0), -EINVAL);
	assert_int_equal(op_mmuext(MMUEXT_COPY_PAGE, s.page, foreign), -EINVAL);
	assert_int_equal(op_mmuext(MMUEXT_CLEAR_PAGE, s.l1, 0), -EINVAL);
	assert_int_equal(op_mmuext(MMUEXT_NEW_BASEPTR, foreign, 0), -EINVAL);
	check_all();
	teardown();
}

/*
 * A page changes its owner: no CPU knows it any more, even of a mapping that only ever allowed to read it, and on the way it is nobody's,
 * whoever is named as its owner.
 */
static void test_taken(void **state)
{
	struct mmuext_op clear = { .cmd = MMUEXT_CLEAR_PAGE };
	struct space s;
	void *pages;
	mfn_t page;

	machine_reset();
	s = install_space(1);
	page = new_frame(1);
	assert_int_equal(do_update_va_mapping(0x3000, page << 12 | 1, 0, 0, 0, current), 0);
	assert_false(take_domain_frame(&host_domain[1], page));
	check_all();
	assert_true(cached[1][0][0][page]);
	assert_int_equal(do_update_va_mapping(0x3000, 0, 0, 0, 0, current), 0);
	assert_true(take_domain_frame(&host_domain[1], page));
	assert_false(cached[0][0][0][page]);
	assert_false(cached[1][0][0][page]);
	assert_int_equal(op_mmu_update(s.l1 * 4096 + 3 * 8, page << 12 | 3, DOMID_IO), -EBUSY);
	clear.arg1.mfn = page;
	assert_int_equal(do_mmuext_op((u64)&clear, 1, 0, DOMID_IO, 0, current), -EINVAL);
	assert_true(give_taken_frame(&host_domain[0], page));
	check_all();
	page = new_frame(1);
	assert_true(take_domain_frame(&host_domain[1], page));
	free_taken_frame(page);
	pages = alloc_pages(3);			/* the hypervisor's own are not, either */
	for (int i = 0; i < 8; i++)
		assert_int_equal(op_mmu_update(s.l1 * 4096 + 3 * 8, (virt_to_mfn(pages) + i) << 12 | 3, DOMID_IO), -EBUSY);
	free_pages(pages, 3);
	check_all();
	teardown();
}

/* --- writable page tables ------------------------------------------------------------------------------------------------------- */

static void code(const void *bytes, size_t n)
{
	memset(guest_code, 0x90, sizeof(guest_code));
	memcpy(guest_code, bytes, n);
}

static void test_ptwr(void **state)
{
	struct cpu_user_regs *r;
	struct space s;
	mfn_t b;

	machine_reset();
	s = install_space(1);
	b = new_frame(1);
	r = &current->regs;
	assert_int_equal(do_update_va_mapping(0x1000, s.l1 << 12 | 1, 0, 0, 0, current), 0);	/* the L1 at 0x1000, read-only */
	r->rdi = 0x1010;
	r->rax = b << 12 | 0x63;
	code("\x48\x89\x07", 3);		/* mov %rax, (%rdi) */
	assert_true(ptwr_emulate(current, 0x1010));
	assert_int_equal(r->rip, 3);
	assert_int_equal(table(s.l1)[2], b << 12 | 0x67 | 1ull << 52);
	check_all();
	code("\xf0\x80\x27\xfd", 4);		/* lock andb $0xfd, (%rdi) */
	assert_true(ptwr_emulate(current, 0x1010));
	assert_int_equal(table(s.l1)[2], b << 12 | 0x65 | 1ull << 52);
	r->rax = s.l2 << 12 | 3;		/* a table, writable */
	code("\x48\x87\x07", 3);		/* xchg %rax, (%rdi) */
	assert_false(ptwr_emulate(current, 0x1010));
	assert_int_equal(r->rax, s.l2 << 12 | 3);
	r->rax = 0;
	assert_true(ptwr_emulate(current, 0x1010));
	assert_int_equal(r->rax, b << 12 | 0x65 | 1ull << 52);
	assert_int_equal(table(s.l1)[2], 0);
	r->rcx = 2;
	r->rax = b << 12 | 3;
	r->rip = 0x100;
	code("\xf3\x48\xab", 3);		/* rep stosq */
	assert_true(ptwr_emulate(current, 0x1010));
	assert_int_equal(r->rip, 0x100);
	assert_true(ptwr_emulate(current, 0x1018));
	assert_int_equal(r->rip, 0x103);
	assert_int_equal(r->rdi, 0x1020);
	assert_int_equal(table(s.l1)[3], b << 12 | 7 | 1ull << 52);
	check_all();
	code("\x48\x89\x07", 3);
	assert_false(ptwr_emulate(current, 0x0));	/* a page, not a table */
	r->rdi = 0x1014;
	assert_false(ptwr_emulate(current, 0x1014));	/* across entries */
	code("\x89\x07", 2);			/* mov %eax, (%rdi): the upper half of an entry */
	r->rax = 0;
	r->rdi = 0x101c;
	assert_true(ptwr_emulate(current, 0x101c));
	check_all();
	teardown();
}

/* The hardware marks the entry at any moment of the emulation: the mark stays, or the guest tries again. */
static void test_ptwr_race(void **state)
{
	struct cpu_user_regs *r;
	struct space s;
	bool raced = false;

	machine_reset();
	s = install_space(1);
	r = &current->regs;
	assert_int_equal(do_update_va_mapping(0x1000, s.l1 << 12 | 1, 0, 0, 0, current), 0);
	r->rdi = 0x1010;
	code("\xf0\x80\x27\xfd", 4);		/* lock andb $0xfd, (%rdi) */
	for (int i = 0; i < 40; i++) {
		assert_int_equal(do_update_va_mapping(0x2000, s.page << 12 | 3, 0, 0, 0, current), 0);
		r->rip = 0;
		mark_after = i;
		mark = &table(s.l1)[2];
		assert_true(ptwr_emulate(current, 0x1010));
		assert_int_equal(table(s.l1)[2] & PTE_RW, r->rip ? 0 : PTE_RW);
		assert_true(mark || table(s.l1)[2] & PTE_ACCESSED);
		raced |= !r->rip;
		mark = NULL;
		check_all();
	}
	assert_true(raced);
	teardown();
}

/* A new root takes all translations of the old one along. */
static void test_roots(void **state)
{
	struct space a, b;

	machine_reset();
	a = install_space(1);
	b = new_space(1);
	check_all();
	assert_int_equal(op_mmuext(MMUEXT_NEW_BASEPTR, b.l4, 0), 0);
	assert_false(cached[0][0][1][a.page]);
	assert_true(cached[1][0][1][a.page]);
	assert_int_equal(current->cpu->cr3, b.l4 << 12);
	check_all();
	assert_int_equal(op_mmuext(MMUEXT_NEW_BASEPTR, b.l4, 0), 0);
	assert_int_equal(op_mmuext(MMUEXT_NEW_BASEPTR, b.l3, 0), -EINVAL);
	assert_int_equal(op_mmuext(MMUEXT_NEW_USER_BASEPTR, a.l4, 0), 0);
	assert_int_equal(op_mmuext(MMUEXT_NEW_USER_BASEPTR, a.page, 0), -EINVAL);
	assert_int_equal(current->user_cr3, a.l4 << 12);
	assert_int_equal(op_mmuext(MMUEXT_NEW_USER_BASEPTR, 0, 0), 0);
	check_all();
	teardown();
}

/* --- descriptors ------------------------------------------------------------------------------------------------------------------- */

static void test_descriptors(void **state)
{
	static const struct { u64 d; bool allowed; u64 stored; } cases[] = {
		{ 0, true, 0 },
		{ 0x00af9a000000ffff, true, 0x00affa000000ffff },	/* code of ring 0 */
		{ 0x00cf92000000ffff, true, 0x00cff2000000ffff },
		{ 0x00af9e000000ffff, true, 0x00affe000000ffff },	/* conforming */
		{ 0x00008e0000000000, false, 0 },			/* interrupt gate */
		{ 0x0000890000000067, false, 0 },			/* TSS */
		{ 0x0000820000000067, false, 0 },			/* LDT */
		{ 0x0000850000000000, false, 0 },			/* task gate */
		{ 0x00008c00e0080000, false, 0 },			/* call gate to the hypervisor's code */
		{ 0x00008c00e0330000, true, 0x0000ec00e0330000 },
		{ 0x00008c0000330000, true, 0x0000ec0000330000 },
		{ 0x00008c0100330000, false, 0 },
		{ 0x00000e0000000000, true, 0x00000e0000000000 },	/* absent: whatever it is */
		{ 0x0000800000000000, true, 0x0000e00000000000 },	/* a gate's second half */
	};
	struct space s;
	mfn_t plain, gdt;

	machine_reset();
	s = install_space(1);
	plain = new_frame(1);
	gdt = new_frame(1);
	assert_int_equal(set_gdt(current, &gdt, 512), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(do_update_descriptor(gdt * 4096 + 8, cases[i].d, 0, 0, 0, current), cases[i].allowed ? 0 : -EINVAL);
		if (cases[i].allowed)
			assert_int_equal(table(gdt)[1], cases[i].stored);
		table(plain)[9] = cases[i].d;
		assert_int_equal(set_gdt(vcpus[1][1], &plain, 1), cases[i].allowed ? 0 : -EINVAL);
		if (cases[i].allowed)
			assert_int_equal(table(plain)[9], cases[i].stored);
		check_all();
		assert_int_equal(set_gdt(vcpus[1][1], NULL, 0), 0);
		assert_int_equal(get_frame_type(plain, 1, FRAME_WRITABLE), 0);
		put_frame_type(plain);
	}
	assert_int_equal(do_update_va_mapping(0, gdt << 12 | 3, 0, 0, 0, current), -EBUSY);
	assert_int_equal(do_update_descriptor(s.l1 * 4096, 0, 0, 0, 0, current), -EINVAL);
	assert_int_equal(do_update_descriptor(gdt * 4096 + 4, 0, 0, 0, 0, current), -EINVAL);
	assert_int_equal(set_gdt(current, &s.page, 1), -EINVAL);		/* mapped writable */
	assert_int_equal(do_set_gdt((u64)&gdt, 7169, 0, 0, 0, current), -EINVAL);
	check_all();
	teardown();
}

static void test_ldt(void **state)
{
	struct space s;

	machine_reset();
	s = install_space(1);
	assert_int_equal(op_mmuext(MMUEXT_SET_LDT, 1, 8), -EINVAL);
	assert_int_equal(op_mmuext(MMUEXT_SET_LDT, 0, 8193), -EINVAL);
	assert_int_equal(op_mmuext(MMUEXT_SET_LDT, 0, 600), 0);
	assert_false(segdesc_ldt_fault(current, 0));			/* mapped writable */
	assert_int_equal(do_update_va_mapping(0, s.page << 12 | 1, 0, 0, 0, current), 0);
	assert_true(segdesc_ldt_fault(current, 8));
	assert_false(segdesc_ldt_fault(current, 0x1000));
	assert_false(segdesc_ldt_fault(current, 0x2000));
	check_all();
	assert_int_equal(do_update_va_mapping(0, s.page << 12 | 3, 0, 0, 0, current), -EBUSY);
	assert_int_equal(do_update_va_mapping(0, 0, 0, 0, 0, current), 0);	/* with the mapping the LDT page goes */
	assert_int_equal(do_update_va_mapping(0, s.page << 12 | 3, 0, 0, 0, current), 0);
	check_all();
	teardown();
}

/* --- memory_op ------------------------------------------------------------------------------------------------------------------------ */

static long reservation(u32 op, u64 *list, u64 n, u32 order, u16 id)
{
	struct xen_memory_reservation r = { (u64)list, n, order, 0, id };

	return do_memory_op(op, (u64)&r, 0, 0, 0, current);
}

static void test_reservation(void **state)
{
	u64 list[8] = { 0x10, 0x11, 0x12, 0x13 }, bad[2] = { 0, ~0ull };

	machine_reset();
	install_space(1);
	host_domain[1].max_pages = host_domain[1].pages + 3;
	assert_int_equal(reservation(XENMEM_populate_physmap, list, 4, 0, DOMID_SELF), 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(host_m2p[list[i]], 0x10 + i);
	assert_int_equal(reservation(XENMEM_increase_reservation, list + 4, 1, 0, DOMID_SELF), 0);
	check_all();
	assert_int_equal(reservation(XENMEM_decrease_reservation, list, 3, 0, DOMID_SELF), 3);
	assert_int_equal(host_m2p[list[0]], INVALID_PFN);
	assert_int_equal(reservation(XENMEM_decrease_reservation, list, 3, 0, DOMID_SELF), 0);
	assert_int_equal(reservation(XENMEM_decrease_reservation, bad, 2, 0, DOMID_SELF), 0);
	assert_int_equal(reservation(XENMEM_decrease_reservation, bad + 1, 1, 9, DOMID_SELF), 0);
	assert_int_equal(reservation(XENMEM_populate_physmap, list, 1, 0, 0), 0);
	assert_int_equal(reservation(XENMEM_populate_physmap, list, 1, 64, DOMID_SELF), 0);
	assert_int_equal(reservation(XENMEM_populate_physmap, list, 1ull << 60, 0, DOMID_SELF), 0);
	check_all();
	teardown();
}

static long exchange_frames(u64 *in, u64 n_in, u32 in_order, u64 *out, u64 n_out, u32 out_order, u64 *done)
{
	struct xen_memory_exchange e = {
		{ (u64)in, n_in, in_order, 0, DOMID_SELF }, { (u64)out, n_out, out_order, 0, DOMID_SELF }, 0,
	};
	long rc = do_memory_op(XENMEM_exchange, (u64)&e, 0, 0, 0, current);

	*done = e.nr_exchanged;
	return rc;
}

static void test_exchange(void **state)
{
	u64 in[4], out[4] = { 0x40, 0x41, 0x42, 0x43 }, done;
	struct space s;

	machine_reset();
	s = install_space(0);
	for (int i = 0; i < 4; i++)
		in[i] = new_frame(0);
	host_domain[0].max_pages = host_domain[0].pages;
	assert_int_equal(exchange_frames(in, 4, 0, out, 1, 2, &done), 0);
	assert_int_equal(done, 4);
	assert_int_equal(out[0] & 3, 0);
	assert_int_equal(host_m2p[out[0] + 3], 0x43);
	check_all();
	in[0] = out[0];
	in[1] = s.page;		/* mapped: in use */
	in[2] = in[3] = out[0] + 1;
	assert_int_equal(exchange_frames(in, 2, 0, out, 2, 0, &done), -EINVAL);
	assert_int_equal(done, 1);
	assert_int_equal(exchange_frames(in + 2, 2, 0, out, 1, 1, &done), -EINVAL);	/* the same frame twice */
	assert_int_equal(done, 0);
	assert_int_equal(exchange_frames(in, 1, 0, out, 2, 0, &done), -EINVAL);
	assert_int_equal(exchange_frames(in, 1, 63, out, 1, 63, &done), -EPERM);
	check_all();
	teardown();
}

/* --- the allocator ---------------------------------------------------------------------------------------------------------------------- */

static void test_allocator(void **state)
{
	void *page[64];
	int order[64], n;

	machine_reset();
	for (int round = 0; round < 300; round++) {
		for (n = rnd(80); n > 0 && zero_free_memory(); n--)
			find_free();
		for (n = 0; n < 64; n++) {
			order[n] = rnd(4);
			page[n] = alloc_pages(order[n]);
			if (!page[n])
				break;
			for (u64 *p = page[n]; (u8 *)p < (u8 *)page[n] + (4096 << order[n]); p++) {
				assert_int_equal(*p, 0);
				*p = ~0ull;
			}
		}
		find_free();
		while (n--)
			free_pages(page[n], order[n]);
	}
	find_free();
	assert_int_equal(free_page_count(), FIRST_HOLE - 1);
	run_domain(1);
	host_domain[1].max_pages = 1000;
	for (n = 0; alloc_domain_frames(&host_domain[1], 0, 17, 0) < 32; n++)
		;
	assert_int_equal(n, 31);	/* frames 1 to 31 are below 2^17 */
	check_all();
	teardown();
}

/* --- anything, in any order, by two CPUs at once -------------------------------------------------------------------------------------- */

static const int slots[] = { 0, 1, 2, 7, 255, 260, 272, 511 };

static int rnd_slot(void) { return slots[rnd(ARRAY_SIZE(slots))]; }

/* What a frame is mostly used as. */
static int role(mfn_t m)
{
	static const u8 roles[] = { FRAME_L1, FRAME_L1, FRAME_L2, FRAME_L3, FRAME_L4, FRAME_SEGDESC, 0, 0 };

	return roles[m % 8];
}

static mfn_t rnd_frame(struct domain *d, int wanted)
{
	mfn_t m;

	switch (rnd(12)) {
	case 0: return rnd(FRAMES + 8);
	case 1: return 1 + rnd(FIRST_HOLE - 1);
	}
	if (wanted < 0)
		wanted = rnd(FRAME_SEGDESC + 1);
	for (int tries = 0, first = rnd(2); tries < 200; tries++) {	/* half the time the same few */
		m = 1 + (first ? (u32)tries % (FIRST_HOLE - 1) : rnd(FIRST_HOLE - 1));
		if (fr(m)->count && fr(m)->owner == d->id && role(m) == wanted)
			return m;
	}
	return m;
}

static u64 rnd_entry(struct domain *d, int level)
{
	u64 flags = (rnd(8) ? 1 : 0) | (rnd(2) ? 2 : 0) | (rnd(2) ? 4 : 0);

	if (!rnd(30))
		flags |= 1ull << rnd(12);
	if (!rnd(8))
		flags |= 0x60;
	if (!rnd(20))
		flags |= 1ull << (52 + rnd(12));
	if (!rnd(8))
		return 0;
	if (level == FRAME_L1 && !rnd(3))
		return rnd_frame(d, -1) << 12 | (flags & ~(u64)(rnd(4) ? 2 : 0));
	return rnd_frame(d, rnd(12) ? level - 1 : level) << 12 | flags;
}

static u64 rnd_va(void)
{
	u64 va = (u64)rnd_slot() << 39 | (u64)rnd_slot() << 30 | (u64)rnd_slot() << 21 | (u64)rnd_slot() << 12;

	if (rnd(4))
		va &= 0xfff | (u64)0x3 << 39 | (u64)0x3 << 30 | (u64)0x3 << 21 | 0x1ffull << 12;
	return (s64)(va << 16) >> 16;
}

static void random_mmu_update(struct vcpu *v)
{
	static const u16 foreign[] = { DOMID_IO, DOMID_XEN, 0, 1 };
	struct mmu_update r[3];
	u32 n = 1 + rnd(3), done = 0;
	u16 fd = rnd(15) ? DOMID_SELF : foreign[rnd(4)];

	for (u32 i = 0; i < n; i++) {
		mfn_t m = rnd_frame(v->domain, -1);

		r[i].ptr = m * 4096 + rnd_slot() * 8 + (rnd(3) ? 0 : rnd(rnd(8) ? 4 : 8));
		r[i].val = rnd_entry(v->domain, role(m) ? role(m) : (int)rnd(5));
		if (v->domain->privileged && fd < DOMAINS && pte_mfn(r[i].val) < FIRST_HOLE)
			granted[pte_mfn(r[i].val)] = true;	/* domain 0 may map what is another's */
	}
	do_mmu_update((u64)r, n, (u64)&done, fd, 0, v);
	assert_true(done <= n);
}

static void random_mmuext(struct vcpu *v)
{
	static const u8 cmds[] = { 0, 0, 1, 2, 3, 3, 4, 4, 4, 5, 5, 15, 15, 6, 10, 13, 13, 16, 17 };
	struct mmuext_op op = { .cmd = cmds[rnd(sizeof(cmds))] };
	u64 *cr3 = op.cmd == MMUEXT_NEW_BASEPTR ? &v->kernel_cr3 : &v->user_cr3;

	op.arg1.mfn = rnd_frame(v->domain, op.cmd < 4 && rnd(8) ? FRAME_L1 + (int)op.cmd : op.cmd == 5 || op.cmd == 15 ? FRAME_L4 : -1);
	op.arg2.src_mfn = rnd_frame(v->domain, -1);
	if (op.cmd == MMUEXT_SET_LDT) {
		op.arg1.linear_addr = rnd_va();
		op.arg2.src_mfn = rnd(3) ? rnd(2000) : 0;
	}
	if (op.cmd == MMUEXT_NEW_USER_BASEPTR && !rnd(4))
		op.arg1.mfn = 0;
	if (!do_mmuext_op((u64)&op, 1, 0, DOMID_SELF, 0, v) && (op.cmd == MMUEXT_NEW_BASEPTR || op.cmd == MMUEXT_NEW_USER_BASEPTR))
		assert_int_equal(*cr3, op.arg1.mfn << 12);
}

static void random_descriptors(struct vcpu *v)
{
	u64 frames[3];
	u64 d = rnd(4) ? 0x00af9a000000ffff : (u64)rnd(~0u) << 32;

	switch (rnd(4)) {
	case 0:
		for (int i = 0; i < 3; i++)
			frames[i] = rnd_frame(v->domain, FRAME_SEGDESC);
		do_set_gdt((u64)frames, rnd(1300), 0, 0, 0, v);
		break;
	case 1:
		do_update_descriptor(rnd_frame(v->domain, FRAME_SEGDESC) * 4096 + rnd_slot() * 8, d, 0, 0, 0, v);
		break;
	default:
		segdesc_ldt_fault(v, rnd(3) * 4096);
	}
}

/* As GNTTABOP_transfer does it. */
static void random_transfer(struct domain *d, mfn_t mfn)
{
	if (!take_domain_frame(d, mfn))
		return;
	granted[mfn] = false;
	if (!give_taken_frame(&host_domain[rnd(DOMAINS)], mfn))
		free_taken_frame(mfn);
}

static void random_reservation(struct vcpu *v)
{
	static const u8 ops[] = { XENMEM_increase_reservation, XENMEM_decrease_reservation, XENMEM_populate_physmap, XENMEM_exchange };
	u64 in[4], out[4], done;

	for (int i = 0; i < 4; i++)
		in[i] = out[i] = rnd_frame(v->domain, rnd(2) ? 0 : -1);
	switch (rnd(5)) {
	case 4:
		random_transfer(v->domain, in[0]);
		break;
	case 3:
		exchange_frames(in, 1 + rnd(2), 0, out, 1 + rnd(2), rnd(2), &done);
		break;
	default:
		reservation(ops[rnd(3)], in, 1 + rnd(3), rnd(8) ? 0 : 1, DOMID_SELF);
	}
}

static void random_ptwr(struct vcpu *v)
{
	static const char codes[][9] = { "\x48\x89\x07", "\x89\x07", "\xf0\x80\x27\xfd", "\x48\x87\x07", "\xf0\x48\x0f\xb1\x0f",
					     "\xf0\x48\x0f\xba\x2f\x01", "\xf3\x48\xab", "\x66\x89\x07", "\x48\x01\x07" };

	code(codes[rnd(ARRAY_SIZE(codes))], 8);
	v->regs.rdi = rnd_va() + rnd_slot() * 8 + (rnd(4) ? 0 : rnd(8));
	v->regs.rax = rnd(4) ? rnd_entry(v->domain, FRAME_L1) : 0;
	v->regs.rcx = 1 + rnd(3);
	if (guest_address_ok(v->regs.rdi))
		ptwr_emulate(v, v->regs.rdi);
}

/* The guest stores to memory: whatever its CPU has cached as writable. */
static void random_store(struct vcpu *v)
{
	int c = v->cpu->id;

	for (int tries = 0; tries < 50; tries++) {
		mfn_t m = rnd(FIRST_HOLE);

		if (cached[c][0][1][m]) {
			table(m)[rnd_slot()] = rnd_entry(v->domain, role(m) ? role(m) : (int)rnd(5));
			return;
		}
	}
}

/* A page of the other domain's is mapped by its leave, as a grant would. */
static void random_grant(struct vcpu *v)
{
	struct domain *other = &host_domain[!v->domain->id];
	mfn_t m = rnd_frame(other, 0);
	u64 at = rnd_va();
	bool writable = rnd(2);
	u64 pte = l1_adjust(m << 12 | PTE_PRESENT | (writable ? PTE_RW : 0));

	if (rnd(2) || role(m)) {
		if (m < FIRST_HOLE && granted[m] && take_l1e(v->domain, at, false, m, writable, 0)) {
			if (writable)
				put_writable(m);
			put_frame(m);
		}
		return;
	}
	if (!get_frame(m, other->id))
		return;
	if (writable && !get_writable(m)) {
		put_frame(m);
		return;
	}
	granted[m] = true;
	if (!give_l1e(v->domain, at, false, pte)) {
		if (writable)
			put_writable(m);
		put_frame(m);
	}
}

/* Domain 0 on the other's tables, with frames of either, and on its memory. */
static void random_foreign(struct vcpu *v)
{
	struct domain *other = &host_domain[1];
	struct mmu_update r = { .ptr = rnd_frame(other, -1) * 4096 + rnd_slot() * 8 };
	struct mmuext_op op = { .cmd = rnd(5), .arg1.mfn = rnd_frame(other, -1) };
	u64 list[2] = { rnd_frame(other, -1), rnd_frame(other, 0) };
	domid_t frames = rnd(4) ? 1 : DOMID_SELF;

	switch (rnd(6)) {
	case 0 ... 1:	/* in its own tables, what is the other's */
		r.ptr = rnd_frame(v->domain, FRAME_L1) * 4096 + rnd_slot() * 8;
		r.val = rnd_frame(other, 0) << 12 | (rnd(2) ? 7 : 5);
		granted[pte_mfn(r.val)] = true;
		do_mmu_update((u64)&r, 1, 0, 1, 0, v);
		break;
	case 2 ... 3:
		r.val = rnd_entry(frames == 1 ? other : v->domain, role(r.ptr >> 12) ? role(r.ptr >> 12) : (int)rnd(5));
		if (pte_mfn(r.val) < FIRST_HOLE)
			granted[pte_mfn(r.val)] = true;
		do_mmu_update((u64)&r, 1, 0, 2 << 16 | frames, 0, v);
		break;
	case 4:
		do_mmuext_op((u64)&op, 1, 0, 1, 0, v);
		break;
	default:
		reservation(rnd(2) ? XENMEM_populate_physmap : XENMEM_decrease_reservation, list, 1 + rnd(2), 0, 1);
	}
}

static void random_mode(struct vcpu *v)
{
	if (!v->user_cr3)
		return;
	v->cpu->cr3 = v->user_cr3;	/* down to user mode and back: nothing is flushed */
	tlb_fill(v->cpu->id);
	v->cpu->cr3 = v->kernel_cr3;
}

static void random_step(void)
{
	struct vcpu *v = current;

	if (v->domain->privileged && !rnd(6))
		return random_foreign(v);
	switch (rnd(25)) {
	case 0 ... 6: random_mmu_update(v); break;
	case 7 ... 11: random_mmuext(v); break;
	case 12 ... 14: do_update_va_mapping(rnd_va(), rnd_entry(v->domain, FRAME_L1), rnd(8), 0, 0, v); break;
	case 15: random_descriptors(v); break;
	case 16: random_reservation(v); break;
	case 17 ... 19: random_ptwr(v); break;
	case 20 ... 21: random_store(v); break;
	case 22: random_grant(v); break;
	case 23: zero_free_memory(); break;
	default: random_mode(v);
	}
}

static void random_cpu(void)
{
	for (int n = 1 + rnd(4); n; n--)
		random_step();
}

/* Both domains start with tables that map a little, themselves included. */
static void random_start(void)
{
	machine_reset();
	for (int i = 0; i < CPUS; i++)
		fiber_create(i);
	for (int d = 0; d < DOMAINS; d++) {
		mfn_t of_role[8] = { 0 };

		for (int i = 0; i < DOMAIN_FRAMES; i++) {
			mfn_t m = new_frame(d);

			if (!of_role[role(m)])
				of_role[role(m)] = m;
		}
		for (int level = FRAME_L4; level >= FRAME_L2; level--) {
			table(of_role[level])[0] = of_role[level - 1] << 12 | 7;
			table(of_role[level])[1] = of_role[level] << 12 | 5;
		}
		table(of_role[FRAME_L1])[0] = of_role[0] << 12 | 3;
		table(of_role[FRAME_L1])[1] = of_role[FRAME_L1] << 12 | 1;
		table(of_role[FRAME_L1])[2] = of_role[FRAME_SEGDESC] << 12 | 1;
		host_shared[d] = share_frame_with(&host_domain[d], alloc_page());
		host_running[0] = vcpus[d][0];
		for (int v = 0; v < VCPUS; v++)
			assert_int_equal(mmu_install_kernel_l4(vcpus[d][v], of_role[FRAME_L4]), 0);
	}
	run_vcpu(0, 0);
	run_vcpu(1, 1);
}

/* Domain 1 dies: one CPU gives back what it holds, the other goes on as domain 0 and has mappings of its frames before and after. */
static void death_cpu(void)
{
	struct domain *d = &host_domain[1];

	if (host_cpu == 0) {
		for (int n = 40; n; n--)
			random_step();
		return;
	}
	for (int v = 0; v < VCPUS; v++)
		drop_vcpu(vcpus[1][v]);
	mmu_teardown(d);
	unshare_frame(d, mfn_to_virt(host_shared[1]));
	host_shared[1] = 0;
}

static u64 mourned;		/* domains of which domain 0 still had something */

static void random_death(void)
{
	struct domain *d = &host_domain[1];
	bool kept;

	run_domain(0);
	d->dying = DOMAIN_DYING;
	run_on_cpus(death_cpu);
	d->dying = DOMAIN_DEAD;
	check_all();
	for (mfn_t m = d->page_list; m; m = fr(m)->next)
		check(!(fr(m)->flags & FRAME_ALLOCATED) && !(fr(m)->type & TYPE_PINNED) && (!types_of(m) || type_of(m) == FRAME_WRITABLE),
		      "frame %lx of the dead domain, type word %x", m, fr(m)->type);
	assert_int_equal(alloc_domain_frames(d, 0, 0, 0), INVALID_MFN);
	kept = d->pages != 0;
	mourned += kept;
	let_go = 0;
	for (int i = 0; i < 10 && d->pages; i++) {
		run_on_cpus(random_cpu);
		check_all();
	}
	assert_true(d->pages || let_go || !kept);
}

static u64 sequences = 150, rounds = 400;

static void test_random(void **state)
{
	u64 seen[8] = { 0 };

	for (u64 s = 0; s < sequences; s++) {
		random_state = 88172645463325252ull + s * 0x9e3779b97f4a7c15;
		random_start();
		for (u64 i = 0; i < rounds; i++) {
			if (!rnd(10))
				run_vcpu(rnd(2), rnd(CPUS));
			run_on_cpus(random_cpu);
			check_all();
			for (mfn_t m = 1; m < FIRST_HOLE; m++)
				seen[types_of(m) ? type_of(m) : 0]++;
		}
		random_death();
		teardown();
	}
	assert_true(mourned > sequences / 2);
	for (int t = FRAME_L1; t <= FRAME_WRITABLE; t++)
		assert_true(seen[t] > sequences * rounds / 10);	/* or the sequences try nothing */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_leaf_rules),
		cmocka_unit_test(test_leaf_beyond_machine),
		cmocka_unit_test(test_without_nx),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_types_exclude),
		cmocka_unit_test(test_counts_do_not_overflow),
		cmocka_unit_test(test_roll_back),
		cmocka_unit_test(test_hypervisor_slots),
		cmocka_unit_test(test_linear),
		cmocka_unit_test(test_stale_translations),
		cmocka_unit_test(test_freed_while_mapped),
		cmocka_unit_test(test_foreign_frames),
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_ptwr),
		cmocka_unit_test(test_ptwr_race),
		cmocka_unit_test(test_roots),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_ldt),
		cmocka_unit_test(test_reservation),
		cmocka_unit_test(test_exchange),
		cmocka_unit_test(test_allocator),
		cmocka_unit_test(test_random),
	};

	if (getenv("MM_SEQUENCES"))
		sequences = atoi(getenv("MM_SEQUENCES"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
