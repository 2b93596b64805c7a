/* SPDX-License-Identifier: MIT */
/*
 * Four vCPUs change the same page tables, pin and unpin the same tables, map the same grants and send each other events, at random and
 * without any lock of their own. What a call answers depends on the others; that each answers something that is documented, that nothing
 * ends the domain, and that in the end every page is ordinary memory again does not.
 */
#include "grants.h"
#include "guest.h"
#include "vcpus.h"

#define ROUNDS 4000
#define PAGES 8
#define TABLES 6
#define WINDOWS 16
#define GRANTS 3

static uint64_t *data[PAGES], *table[TABLES], *window[WINDOWS];
static void *grant_window[TEST_VCPUS][GRANTS];
static uint32_t handle[TEST_VCPUS][GRANTS];
static bool mapped[TEST_VCPUS][GRANTS];
static uint32_t ipi[TEST_VCPUS];
static uint64_t seed[TEST_VCPUS], answers[TEST_VCPUS][256];	/* how often, by -result */

static unsigned int pick(unsigned int self, unsigned int n)
{
	seed[self] = seed[self] * 6364136223846793005UL + 1442695040888963407UL;
	return (unsigned int)(seed[self] >> 33) % n;
}

static uint64_t *any_page(unsigned int self)
{
	unsigned int n = pick(self, PAGES + TABLES);

	return n < PAGES ? data[n] : table[n - PAGES];
}

static uint64_t any_entry(unsigned int self)
{
	uint64_t flags = pick(self, 2) ? PTE_DATA : PTE_DATA & ~PTE_RW;

	return pick(self, 3) ? mfn_of(any_page(self)) << PAGE_SHIFT | flags : 0;
}

static int64_t change_window(unsigned int self)
{
	static const uint64_t flush[] = { UVMF_NONE, UVMF_INVLPG, UVMF_TLB_FLUSH, UVMF_INVLPG | UVMF_ALL, UVMF_TLB_FLUSH | UVMF_ALL };

	return hypercall(update_va_mapping, window[pick(self, WINDOWS)], any_entry(self), flush[pick(self, ARRAY_SIZE(flush))]);
}

static int64_t change_entry(unsigned int self)
{
	uint64_t at = mfn_of(table[pick(self, TABLES)]) << PAGE_SHIFT | pick(self, 512) * 8;
	struct mmu_update one = { .ptr = at | (pick(self, 4) ? 0 : 2), .val = any_entry(self) };

	return hypercall(mmu_update, &one, 1, 0, DOMID_SELF);
}

static int64_t change_many(unsigned int self)
{
	struct mmu_update list[16];
	uint64_t at = mfn_of(table[pick(self, TABLES)]) << PAGE_SHIFT;

	for (unsigned int i = 0; i < ARRAY_SIZE(list); i++)
		list[i] = (struct mmu_update){ .ptr = at | pick(self, 512) * 8, .val = any_entry(self) };
	return hypercall(mmu_update, list, ARRAY_SIZE(list), 0, DOMID_SELF);
}

/* A table's own mapping must be read-only to be pinned; it stays so until the end, when all are unpinned. */
static int64_t pin(unsigned int self)
{
	return mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(table[pick(self, TABLES)]), 0);
}

static int64_t unpin(unsigned int self)
{
	return mmuext(MMUEXT_UNPIN_TABLE, mfn_of(table[pick(self, TABLES)]), 0);
}

static int64_t grant(unsigned int self)
{
	unsigned int i = pick(self, GRANTS);
	uint64_t at = (uint64_t)grant_window[self][i];
	int status;

	if (mapped[self][i]) {
		status = grant_unmap(at, handle[self][i]);
		mapped[self][i] = status != 0;
	} else {
		status = grant_map(at, GNTMAP_host_map | (pick(self, 2) ? GNTMAP_readonly : 0), 8 + pick(self, PAGES), OWN_ID,
				   &handle[self][i]);
		mapped[self][i] = status == 0;
	}
	return status;
}

static int64_t notify(unsigned int self)
{
	return evtchn_send(ipi[pick(self, TEST_VCPUS)]);
}

static int64_t flush(unsigned int self)
{
	static const uint64_t all = 15;

	return pick(self, 2) ? mmuext(MMUEXT_TLB_FLUSH_MULTI, 0, (uint64_t)&all) : mmuext(MMUEXT_TLB_FLUSH_ALL, 0, 0);
}

static int64_t yield(unsigned int self)
{
	return hypercall(sched_op, SCHEDOP_yield, self * 0);
}

static uint64_t disturb(uint64_t self)
{
	static int64_t (*const act[])(unsigned int) = {
		change_window, change_window, change_entry, change_entry, change_many, pin, unpin, grant, grant, notify, flush, yield,
	};

	for (int n = 0; n < ROUNDS; n++) {
		int64_t result = act[pick((unsigned int)self, ARRAY_SIZE(act))]((unsigned int)self);

		answers[self][result < 0 && result > -256 ? -result : result ? 255 : 0]++;
		test_vcpu[self].beats++;
	}
	return 0;
}

/* --- before and after ------------------------------------------------------------------------------------------------ */

static void prepare(void)
{
	struct grant_entry_v1 *grants = grant_table_map();

	for (unsigned int i = 0; i < PAGES; i++) {
		data[i] = page_alloc();
		grant_page(grants, 8 + i, OWN_ID, data[i], GTF_permit_access);
	}
	for (unsigned int i = 0; i < TABLES; i++) {
		table[i] = page_alloc();
		make_readonly(table[i]);
	}
	for (unsigned int i = 0; i < WINDOWS; i++) {
		window[i] = page_alloc();
		map_page(window[i], 0);
	}
	for (unsigned int v = 0; v < TEST_VCPUS; v++) {
		seed[v] = v + 1;
		ipi[v] = (uint32_t)evtchn_bind_ipi(v);
		for (unsigned int i = 0; i < GRANTS; i++) {
			grant_window[v][i] = page_alloc();
			map_page(grant_window[v][i], 0);
		}
	}
}

/* Nothing is pinned, mapped or granted twice any more: every page can be written, and holds what is written. */
static bool all_ordinary_again(void)
{
	bool ok = true;

	for (unsigned int i = 0; i < WINDOWS; i++)
		ok = map_page(window[i], 0) == 0 && ok;
	for (unsigned int v = 0; v < TEST_VCPUS; v++)
		for (unsigned int i = 0; i < GRANTS; i++)
			if (mapped[v][i])
				ok = grant_unmap((uint64_t)grant_window[v][i], handle[v][i]) == 0 && ok;
	for (unsigned int i = 0; i < TABLES; i++)
		mmuext(MMUEXT_UNPIN_TABLE, mfn_of(table[i]), 0);
	for (unsigned int i = 0; i < TABLES; i++) {
		ok = map_frame(table[i], mfn_of(table[i]), PTE_DATA) == 0 && ok;
		table[i][i] = i;
		ok = table[i][i] == i && ok;
	}
	for (unsigned int i = 0; i < PAGES; i++)
		data[i][0] = i;
	return ok;
}

static bool documented(void)
{
	static const uint16_t errors[] = { 0, EPERM, EAGAIN, EBUSY, EINVAL };
	uint64_t known = 0, all = 0;

	for (unsigned int v = 0; v < TEST_VCPUS; v++) {
		for (unsigned int e = 0; e < 256; e++) {
			bool ok = e == -(unsigned int)GNTST_general_error;

			for (unsigned int i = 0; i < ARRAY_SIZE(errors); i++)
				ok = ok || e == errors[i];
			known += ok ? answers[v][e] : 0;
			all += answers[v][e];
			if (!ok && answers[v][e])
				note("%u answers %u", (unsigned int)answers[v][e], e);
		}
	}
	return known == all && all == TEST_VCPUS * ROUNDS;
}

void test_main(void)
{
	uint64_t worked = 0;

	prepare();
	for (unsigned int v = 1; v < TEST_VCPUS; v++)
		vcpu_start(v);
	for (unsigned int v = 1; v < TEST_VCPUS; v++)
		vcpu_call(v, disturb, v);
	disturb(0);
	for (unsigned int v = 1; v < TEST_VCPUS; v++) {
		uint64_t beats;

		do
			beats = test_vcpu[v].beats;
		while (test_vcpu[v].function && wait_change(&test_vcpu[v].beats, beats));
		check("VCPU-STRESS-1", vcpu_wait(v) == 0, "vCPU %u comes to its end", v);
	}
	for (unsigned int v = 0; v < TEST_VCPUS; v++)
		worked += answers[v][0];
	check("VCPU-STRESS-2", documented(), "every answer is a documented one");
	check("VCPU-STRESS-3", worked > TEST_VCPUS * ROUNDS / 4, "many calls succeed");
	check("VCPU-STRESS-4", all_ordinary_again(), "in the end every page is ordinary memory again");
}
