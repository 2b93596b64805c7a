/* SPDX-License-Identifier: MIT */
/*
 * A self check from inside a running kernel: a handful of the ABI's promises that can be tried
 * without an image of their own. The whole suite is tests/conformance, one image a behaviour.
 */
#include <abi/event_channel.h>
#include <abi/grant_table.h>
#include <abi/version.h>

#include "boot.h"
#include "evtchn.h"
#include "hypercall.h"
#include "lib.h"
#include "mm.h"
#include "ops.h"
#include "sched.h"
#include "shell.h"
#include "time.h"

static bool check_unknown_number(void)
{
	return hypercall1(63, 0) == -ENOSYS;
}

static bool check_version(void)
{
	return HYPERVISOR_xen_version(XENVER_version, NULL) >> 16 == 4;
}

static bool check_bad_pointer(void)
{
	return HYPERVISOR_xen_version(XENVER_extraversion, (void *)HYPERVISOR_VIRT_START) == -EFAULT;
}

/* The two lists agree about every frame of ours. */
static bool check_m2p(void)
{
	for (u64 pfn = 1; pfn < boot.nr_pages; pfn++) {
		if (pfn_to_mfn(pfn) != INVALID_MFN && mfn_to_pfn(pfn_to_mfn(pfn)) != pfn)
			return false;
	}
	return true;
}

static bool check_table_not_writable(void)
{
	u64 va = (u64)pfn_to_virt(root_pfn());

	return HYPERVISOR_update_va_mapping(va, make_pte(pfn_to_mfn(root_pfn()), PROT_WRITE), 0) == -EBUSY;
}

static bool check_hypervisor_slot(void)
{
	u64 *entry = (u64 *)pfn_to_virt(root_pfn()) + HYPERVISOR_FIRST_L4_SLOT;
	struct mmu_update req = { virt_to_maddr(entry), 0 };

	return HYPERVISOR_mmu_update(&req, 1, NULL, DOMID_SELF) == -EINVAL;
}

static bool check_unmap_remap(void)
{
	u64 *p = vmalloc(3 * PAGE_SIZE), free_before = pages_free();
	bool ok;

	if (!p)
		return false;
	p[0] = 1;
	p[3 * PAGE_SIZE / 8 - 1] = 2;
	ok = pt_lookup((u64)p + PAGE_SIZE) && (*pt_lookup((u64)p + PAGE_SIZE) & PTE_PRESENT);
	vfree(p);
	return ok && pages_free() >= free_before + 3;
}

static void set_flag(void *flag)
{
	*(volatile bool *)flag = true;
}

static bool check_event_loopback(void)
{
	volatile bool seen = false;
	int port = evtchn_bind_ipi(set_flag, (void *)&seen);
	bool irq = irq_save(), early;

	if (port < 0)
		return false;
	evtchn_send(port);
	early = seen;			/* masked: not yet */
	cpu->irq_enable();
	if (!irq)
		cpu->irq_disable();
	evtchn_close(port);
	return !early && seen;
}

static bool check_time(void)
{
	u64 last = now(), t;

	for (int i = 0; i < 10000; i++, last = t) {
		t = now();
		if (t < last)
			return false;
	}
	last = now();
	thread_sleep(2 * NSEC_PER_MSEC);
	return now() - last >= 2 * NSEC_PER_MSEC;
}

static bool check_multicall(void)
{
	struct multicall_entry list[2] = {
		{ .op = __HYPERVISOR_xen_version, .args = { XENVER_version } }, { .op = 63 },
	};

	return !HYPERVISOR_multicall(list, 2) && list[0].result >> 16 == 4 && (long)list[1].result == -ENOSYS;
}

static bool check_grant_query(void)
{
	struct gnttab_query_size q = { .dom = DOMID_SELF };

	return !HYPERVISOR_grant_table_op(GNTTABOP_query_size, &q, 1) && !q.status && q.nr_frames >= 1;
}

static const struct {
	const char *what;
	bool (*fn)(void);
} checks[] = {
	{ "an unknown hypercall returns -ENOSYS", check_unknown_number },
	{ "xen_version says 4.x", check_version },
	{ "a pointer to the hypervisor's addresses returns -EFAULT", check_bad_pointer },
	{ "m2p and p2m agree on every frame", check_m2p },
	{ "a page table cannot be mapped writable", check_table_not_writable },
	{ "the hypervisor's root entries cannot be written", check_hypervisor_slot },
	{ "pages and tables are mapped, unmapped and given back", check_unmap_remap },
	{ "an event waits while masked and comes when unmasked", check_event_loopback },
	{ "time does not go back and sleep does not end early", check_time },
	{ "a multicall gives each call its result", check_multicall },
	{ "the grant table has frames", check_grant_query },
};

static int cmd_conformance(int argc, char **argv)
{
	unsigned int bad = 0;

	printf("The suite is build/conformance/NAME, one image a behaviour; each boots in this kernel's\n"
	       "place, and `make conformance` runs all on both hypervisors. From in here, a few promises:\n");
	if (boot.native) {
		printf("none: there is no hypervisor to judge\n");
		return 0;
	}
	printf("1..%zu\n", ARRAY_SIZE(checks));
	for (unsigned int i = 0; i < ARRAY_SIZE(checks); i++) {
		bool ok = checks[i].fn();

		bad += !ok;
		printf("%sok %u - %s\n", ok ? "" : "not ", i + 1, checks[i].what);
	}
	printf("%u of %zu hold\n", (unsigned int)ARRAY_SIZE(checks) - bad, ARRAY_SIZE(checks));
	return bad;
}
COMMAND(conformance, cmd_conformance, "a few promises of the ABI, checked from inside");
