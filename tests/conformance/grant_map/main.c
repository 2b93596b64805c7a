/* SPDX-License-Identifier: MIT */
/* Mapping granted pages, here one's own, and unmapping them. */
#include "grants.h"

#define REF 20
#define RW (GTF_reading | GTF_writing)
#define BOTH (PTE_PRESENT | PTE_RW)

static struct grant_entry_v1 *table;
static uint64_t *granted, *window;
static uint64_t at;

static uint16_t flags(void)
{
	return *(volatile uint16_t *)&table[REF].flags;
}

static void grant(uint16_t dom, uint16_t f)
{
	grant_page(table, REF, dom, granted, f);
}

static void map_and_unmap(void)
{
	struct gnttab_map_grant_ref op = {
		.host_addr = at, .flags = GNTMAP_host_map, .ref = REF, .dom = OWN_ID
	};
	uint32_t handle;
	int status;

	*granted = 0x1122;
	grant(OWN_ID, GTF_permit_access);
	grant_op(GNTTABOP_map_grant_ref, &op);
	check("GNT-MAP-1", op.status == GNTST_okay && *window == 0x1122,
	      "the page appears at host_addr");
	check_eq("GNT-MAP-2", flags() & RW, RW, "a writable mapping sets reading and writing");
	check_eq("GNT-MAP-4", op.dev_bus_addr, mfn_of(granted) << PAGE_SHIFT,
		 "dev_bus_addr is the machine address");
	check_eq("GNT-MAP-15", mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(granted), 0), -EINVAL,
		 "the page cannot become a page table");
	check("GNT-UNMAP-7",
	      grant_unmap(at + 2 * PAGE_SIZE, op.handle) == GNTST_general_error && *window == 0x1122,
	      "unmapping at an address that shows another page");
	status = grant_unmap(at, op.handle);
	check("GNT-UNMAP-1", status == GNTST_okay && attempt_read(window).vector == VECTOR_PF,
	      "unmapped, the address faults");
	check_eq("GNT-UNMAP-2", flags() & RW, 0, "reading and writing are clear");
	check_eq("GNT-UNMAP-5", grant_unmap(at, op.handle), GNTST_bad_handle,
		 "a handle is good for one unmapping");
	check_eq("GNT-UNMAP-4", grant_unmap(at, 0x7fffffff), GNTST_bad_handle,
		 "a handle that does not exist");
	status = grant_map(at, GNTMAP_host_map | GNTMAP_readonly, REF, OWN_ID, &handle);
	check("GNT-MAP-3",
	      status == GNTST_okay && (flags() & RW) == GTF_reading &&
		      attempt_write(window, 1).vector == VECTOR_PF,
	      "a read-only mapping sets reading only, and is read-only");
	grant_unmap(at, handle);
}

static void twice(void)
{
	uint32_t first, second;
	uint64_t *other = page_alloc();
	int a, b;

	map_page(other, 0);
	a = grant_map(at, GNTMAP_host_map, REF, OWN_ID, &first);
	b = grant_map((uint64_t)other, GNTMAP_host_map | GNTMAP_readonly, REF, OWN_ID, &second);
	check("GNT-MAP-13", a == GNTST_okay && b == GNTST_okay && first != second && *other == *window,
	      "two mappings of one grant");
	grant_unmap(at, first);
	check_eq("GNT-UNMAP-3", flags() & RW, GTF_reading, "the writable one gone: reading only");
	*(volatile uint16_t *)&table[REF].flags = flags() & ~GTF_permit_access;
	a = grant_unmap((uint64_t)other, second);
	check("GNT-UNMAP-6", a == GNTST_okay && (flags() & RW) == 0,
	      "an entry that was revoked loses its bits all the same");
	map_back(other);
}

static void refused(void)
{
	check_eq("GNT-MAP-8", grant_map(at, GNTMAP_host_map, REF, OWN_ID, NULL), GNTST_general_error,
		 "an entry that permits nothing");
	grant(7, GTF_permit_access);
	check_eq("GNT-MAP-9", grant_map(at, GNTMAP_host_map, REF, OWN_ID, NULL), GNTST_general_error,
		 "an entry for another domain");
	table[REF].flags = 0;
	grant(OWN_ID, GTF_permit_access | GTF_readonly);
	check_eq("GNT-MAP-10", grant_map(at, GNTMAP_host_map, REF, OWN_ID, NULL), GNTST_general_error,
		 "writable, of a read-only entry");
	table[REF].flags = 0;
	grant(OWN_ID, GTF_permit_access);
	check_eq("GNT-MAP-5", grant_map(at, GNTMAP_host_map, REF, DOMID_SELF, NULL), GNTST_bad_domain,
		 "DOMID_SELF as the granter");
	check_eq("GNT-MAP-6", grant_map(at, GNTMAP_host_map, REF, NO_DOMAIN, NULL), GNTST_bad_domain,
		 "a domain that does not exist");
	check_eq("GNT-MAP-7", grant_map(at, GNTMAP_host_map, 0x7fffffff, OWN_ID, NULL), GNTST_bad_gntref,
		 "a reference beyond the table");
	check_eq("GNT-MAP-11", grant_map(at, GNTMAP_readonly, REF, OWN_ID, NULL), GNTST_bad_gntref,
		 "neither host_map nor device_map");
	check("GNT-MAP-12",
	      grant_map(UNMAPPED, GNTMAP_host_map, REF, OWN_ID, NULL) == GNTST_general_error &&
		      (flags() & RW) == 0,
	      "an address without an L1 table");
	check("GNT-MAP-12",
	      grant_map(HYPERVISOR_VIRT_START, GNTMAP_host_map, REF, OWN_ID, NULL) < 0 &&
		      (flags() & RW) == 0,
	      "an address of the hypervisor");
}

static void strange_frame(void)
{
	table[REF].flags = 0;
	table[REF].frame = 0xfffffff0;
	barrier();
	table[REF].flags = GTF_permit_access;
	check_eq("GNT-MAP-17", grant_map(at, GNTMAP_host_map, REF, OWN_ID, NULL), GNTST_bad_page,
		 "a frame that does not exist");
	table[REF].flags = 0;
	grant(OWN_ID, GTF_permit_access);
}

static void without_address(void)
{
	struct gnttab_set_version version = { .version = 2 };
	uint32_t handle;
	int status;

	grant_map(at, GNTMAP_host_map, REF, OWN_ID, &handle);
	*granted = 0x3344;
	check_eq("GNT-VERSION-5", grant_op(GNTTABOP_set_version, &version), -EBUSY,
		 "the version cannot change while a grant is mapped");
	status = grant_unmap(0, handle);
	check("GNT-UNMAP-8", status == GNTST_okay && *window == 0x3344 && (flags() & RW) == RW,
	      "unmapping address 0 leaves the mapping");
	grant_unmap(at, handle);
}

/* What dev_bus_addr of an unmapping must be, if it is given. */
static void device_mapping(void)
{
	struct gnttab_map_grant_ref map = {
		.host_addr = at, .flags = GNTMAP_host_map | GNTMAP_device_map, .ref = REF, .dom = OWN_ID
	};
	struct gnttab_unmap_grant_ref unmap = { .host_addr = at, .status = 99 };

	grant_op(GNTTABOP_map_grant_ref, &map);
	unmap.handle = map.handle;
	unmap.dev_bus_addr = map.dev_bus_addr + PAGE_SIZE;
	grant_op(GNTTABOP_unmap_grant_ref, &unmap);
	check("GNT-UNMAP-9", map.status == GNTST_okay && unmap.status == GNTST_bad_dev_addr,
	      "another dev_bus_addr than that of the mapping");
	unmap.dev_bus_addr = map.dev_bus_addr;
	grant_op(GNTTABOP_unmap_grant_ref, &unmap);
	check("GNT-UNMAP-10", unmap.status == GNTST_okay && (flags() & RW) == 0,
	      "the right one ends both mappings");
}

/* For a device to read or write the page, with no entry in any page table. */
static void for_a_device_only(void)
{
	struct gnttab_map_grant_ref map = { .flags = GNTMAP_device_map, .ref = REF, .dom = OWN_ID };
	struct gnttab_unmap_grant_ref unmap = { .status = 99 };
	uint64_t entry = *entry_of(window, 1);
	bool in_use;

	grant_op(GNTTABOP_map_grant_ref, &map);
	check("GNT-DEV-1", map.status == GNTST_okay && map.dev_bus_addr == mfn_of(granted) << PAGE_SHIFT && *entry_of(window, 1) == entry,
	      "device_map alone gives the machine address");
	check_eq("GNT-DEV-2", flags() & RW, RW, "the entry is in use");
	make_readonly(granted);
	check("GNT-DEV-3", mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(granted), 0) < 0, "the page cannot become a page table");
	map_back(granted);
	unmap.handle = map.handle;
	grant_op(GNTTABOP_unmap_grant_ref, &unmap);
	in_use = flags() & RW;
	check("GNT-DEV-4", unmap.status == GNTST_okay && in_use, "a dev_bus_addr of 0 ends nothing");
	unmap.dev_bus_addr = map.dev_bus_addr;
	grant_op(GNTTABOP_unmap_grant_ref, &unmap);
	check("GNT-DEV-5", unmap.status == GNTST_okay && (flags() & RW) == 0, "its address ends it");
	grant_op(GNTTABOP_unmap_grant_ref, &unmap);
	check_eq("GNT-DEV-6", unmap.status, GNTST_bad_handle, "the handle is then none");
	map.flags |= GNTMAP_readonly;
	grant_op(GNTTABOP_map_grant_ref, &map);
	check("GNT-DEV-7", map.status == GNTST_okay && (flags() & RW) == GTF_reading, "for a device that only reads");
	unmap.handle = map.handle;
	grant_op(GNTTABOP_unmap_grant_ref, &unmap);
}

static void by_entry(void)
{
	uint32_t handle;
	uint64_t entry = entry_maddr(window, 1);
	int status = grant_map(entry, GNTMAP_host_map | GNTMAP_contains_pte, REF, OWN_ID, &handle);

	check("GNT-MAP-14",
	      status == GNTST_okay && (*entry_of(window, 1) & (BOTH | PTE_ADDR_MASK)) ==
					      (mfn_of(granted) << PAGE_SHIFT | BOTH),
	      "contains_pte: the entry at the machine address is set");
	grant_unmap(entry, handle);
}

/* The L1 table in a second slot of its L2 table: what an unmapping ends can be seen at two addresses. */
static void seen_twice(void)
{
	uint64_t entry = *entry_of(window, 2), *other = (uint64_t *)((uint64_t)window ^ 1ul << 29);
	uint32_t handle;
	int status;

	if (*entry_of(other, 2) || mmu_update_one(entry_maddr(other, 2), entry))
		bail("no second address");
	grant_map(at, GNTMAP_host_map, REF, OWN_ID, &handle);
	*granted = 0x5566;
	status = *(volatile uint64_t *)other == 0x5566 ? grant_unmap(at, handle) : 98;
	check("GNT-UNMAP-11", status == GNTST_okay && attempt_write(other, 1).vector == VECTOR_PF,
	      "unmapped, the page is gone from every address that its L1 table serves");
	mmu_update_one(entry_maddr(other, 2), 0);
}

/* A grant of a page table: it may be mapped read-only at most. */
static void granted_table(void)
{
	uint64_t *l1 = page_alloc();
	int status;

	make_readonly(l1);
	mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(l1), 0);
	grant_page(table, REF + 1, OWN_ID, l1, GTF_permit_access);
	status = grant_map(at, GNTMAP_host_map, REF + 1, OWN_ID, NULL);
	check("GNT-MAP-16", status < 0 && (table[REF + 1].flags & RW) == 0,
	      "a page table cannot be mapped writable (status %d)", status);
}

void test_main(void)
{
	table = grant_table_map();
	granted = page_alloc();
	window = page_alloc();
	at = (uint64_t)window;
	map_page(window, 0);
	map_and_unmap();
	twice();
	refused();
	strange_frame();
	without_address();
	device_mapping();
	for_a_device_only();
	by_entry();
	seen_twice();
	granted_table();
}
