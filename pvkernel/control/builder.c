/* SPDX-License-Identifier: MIT */
/*
 * A guest as it is at its first instruction: memory, address space, start_info, registers.
 *
 * Its memory is laid out as placement.h draws it, with the rings of xenstore and console behind start_info. mfns[pfn] is
 * the frame of each page. What the guest's kernel and ramdisk say goes into memory by way of foreign mappings of PIECE
 * pages; what the ABI says goes through one mapping of all those pages, the frame:
 *
 *   | p2m list, its tables at INIT_P2M | start_info | xenstore | console | page tables | grant table | shared_info |
 *
 * New frames are zero (abi/memory.md), so only what is not zero is written. The frame is unmapped before the root table is
 * pinned, for a frame is a page table or writable, never both; then the hypervisor checks every table as if the guest had
 * written it. Nothing that the image says is believed further than image.h promises: a bad image can give its own domain
 * a bad start, and nothing else.
 */
#include <abi/arch-x86_64.h>
#include <abi/grant_table.h>
#include <abi/memory.h>

#include "../../hypervisor/include/image.h"
#include "../../hypervisor/include/placement.h"
#include "../include/hypercall.h"
#include "../include/lib.h"
#include "../include/mm.h"
#include "builder.h"
#include "hypercontrol.h"
#include "unpack.h"

#define PIECE 1024
#define LARGEST_ORDER 18
#define EXTENTS 64
#define RINGS 2
#define PT_ENTRIES 512
#define RFLAGS_IF 0x200

#define TABLE_FLAGS (PTE_PRESENT | PTE_RW | PTE_USER | PTE_ACCESSED | PTE_DIRTY)
#define LEAF_FLAGS (PTE_PRESENT | PTE_RW | PTE_ACCESSED)

/* Addresses in domain 0, while the frame is mapped. */
struct frame {
	u64 *p2m, *p2m_tables, *tables;
	struct start_info *start_info;
	char *rings;
	struct grant_entry_v1 *grants;
	struct shared_info *shared_info;
};

struct builder {
	u16 domid;
	const struct build_request *request;
	struct image image;
	struct placement place;
	u64 *mfns;		/* by pfn */
	u64 shared_info, grants;	/* mfns */
	struct frame frame;
	char *error;
	size_t error_size;
};

static int refuse(struct builder *b, int err, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int refuse(struct builder *b, int err, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(b->error, b->error_size, format, ap);
	va_end(ap);
	return err;
}

static u64 va_of(const struct builder *b, u64 pfn)
{
	return placed_at(&b->place, pfn);
}

/* --- memory ----------------------------------------------------------------------------------------- */

/* Up to EXTENTS extents for the pages from pfn on; how many there were. */
static u64 populate_some(struct builder *b, u64 pfn, u64 extents, unsigned int order)
{
	u64 list[EXTENTS], n = MIN(extents, EXTENTS);
	struct xen_memory_reservation r = {
		.extent_start = (u64)list, .nr_extents = n, .extent_order = order, .domid = b->domid,
	};
	long got;

	for (u64 i = 0; i < n; i++)
		list[i] = pfn + (i << order);
	got = HYPERVISOR_memory_op(XENMEM_populate_physmap, &r);
	n = got > 0 ? MIN((u64)got, n) : 0;
	for (u64 i = 0; i < n << order; i++)
		b->mfns[pfn + i] = list[i >> order] + (i & ((1ul << order) - 1));
	return n;
}

/* In the largest extents that there are; the hypervisor records each page's pfn on the way. */
static int populate(struct builder *b)
{
	u64 pages = b->request->pages, done = 0;

	for (int order = LARGEST_ORDER; order >= 0 && done < pages;) {
		u64 extents = (pages - done) >> order, got = extents ? populate_some(b, done, extents, order) : 0;

		done += got << order;
		if (!got || got < MIN(extents, EXTENTS))
			order--;
	}
	if (done < pages)
		return refuse(b, -ENOMEM, "the machine has only %lu of the %lu KiB", done * 4, pages * 4);
	return 0;
}

/* What the domain may ever have, for kernels that plan for all of it. */
static int tell_memory_map(struct builder *b)
{
	struct xen_memory_domain which = { b->domid };
	long most = HYPERVISOR_memory_op(XENMEM_maximum_reservation, &which);
	u64 bytes = MAX(most > 0 ? (u64)most : 0, b->request->max_pages) << PAGE_SHIFT;
	u8 entry[XEN_MEMORY_MAP_ENTRY_SIZE] = { [16] = XEN_E820_RAM };	/* from address 0 on */
	struct xen_foreign_memory_map map = { .domid = b->domid, .map = { 1, (u64)entry } };
	long err;

	memcpy(entry + 8, &bytes, sizeof(bytes));
	err = HYPERVISOR_memory_op(XENMEM_set_memory_map, &map);
	return err ? refuse(b, err, "the hypervisor takes no memory map for it: error %ld", err) : 0;
}

/* Copies bytes to a pseudo-physical address. */
static int fill(struct builder *b, u64 address, const u8 *from, u64 bytes)
{
	while (bytes) {
		u64 pfn = address >> PAGE_SHIFT, offset = address & (PAGE_SIZE - 1);
		u64 pages = MIN(PAGE_ALIGN_UP(offset + bytes) >> PAGE_SHIFT, PIECE);
		u64 part = MIN(bytes, (pages << PAGE_SHIFT) - offset);
		char *at = foreign_map(b->domid, b->mfns + pfn, pages);

		if (!at)
			return refuse(b, -ENOMEM, "domain 0 cannot map %lu of its pages", pages);
		memcpy(at + offset, from, part);
		foreign_unmap(at);
		from += part;
		address += part;
		bytes -= part;
	}
	return 0;
}

static int load_files(struct builder *b)
{
	const struct image *image = &b->image;
	int err = 0;

	for (int i = 0; i < image->segments && !err; i++) {
		const struct segment *s = &image->segment[i];

		err = fill(b, s->va - image->virt_base, image->file + s->offset, s->file_size);
	}
	if (!err && b->request->ramdisk)
		err = fill(b, b->place.initrd.pfn << PAGE_SHIFT, b->request->ramdisk, b->request->ramdisk_size);
	return err;
}

/* --- the frame -------------------------------------------------------------------------------------- */

/* Two pages of the domain's that it does not count as memory. */
static int find_shared_pages(struct builder *b)
{
	struct gnttab_setup_table setup = { .dom = b->domid, .nr_frames = 1, .frame_list = (u64)&b->grants };
	struct xen_domctl op;
	long err = domctl(XEN_DOMCTL_getdomaininfo, b->domid, &op);

	if (err)
		return refuse(b, err, "there is no domain %u: error %ld", b->domid, err);
	b->shared_info = op.u.getdomaininfo.shared_info_frame;
	err = HYPERVISOR_grant_table_op(GNTTABOP_setup_table, &setup, 1);
	if (err || setup.status)
		return refuse(b, err ? err : -ENOMEM, "no grant table: error %ld, status %d", err, setup.status);
	return 0;
}

static u64 list_pages(const struct builder *b, u64 *list, u64 count, u64 pfn, u64 pages)
{
	memcpy(list + count, b->mfns + pfn, pages * sizeof(*list));
	return count + pages;
}

static void divide_frame(struct builder *b, char *at)
{
	const struct placement *p = &b->place;
	struct frame *f = &b->frame;

	f->p2m = (u64 *)at;
	f->p2m_tables = (u64 *)(at += p->p2m.pages << PAGE_SHIFT);
	f->start_info = (struct start_info *)(at += p->p2m_tables.pages << PAGE_SHIFT);
	f->rings = at += PAGE_SIZE;
	f->tables = (u64 *)(at += RINGS << PAGE_SHIFT);
	f->grants = (struct grant_entry_v1 *)(at += p->tables.pages << PAGE_SHIFT);
	f->shared_info = (struct shared_info *)(at + PAGE_SIZE);
}

static int map_frame(struct builder *b)
{
	const struct placement *p = &b->place;
	u64 pages = p->p2m.pages + p->p2m_tables.pages + 1 + RINGS + p->tables.pages, n = 0;
	u64 *list = kmalloc((pages + 2) * sizeof(*list));
	char *at;

	if (!list)
		return refuse(b, -ENOMEM, "domain 0 has no memory to build it with");
	n = list_pages(b, list, n, p->p2m.pfn, p->p2m.pages);
	n = list_pages(b, list, n, p->p2m_tables.pfn, p->p2m_tables.pages);
	n = list_pages(b, list, n, p->start_info, 1);
	n = list_pages(b, list, n, p->rings, RINGS);
	n = list_pages(b, list, n, p->tables.pfn, p->tables.pages);
	list[n++] = b->grants;
	list[n++] = b->shared_info;
	at = foreign_map(b->domid, list, n);
	kfree(list);
	if (!at)
		return refuse(b, -ENOMEM, "domain 0 cannot map %lu of its pages", n);
	divide_frame(b, at);
	return 0;
}

/* --- page tables ------------------------------------------------------------------------------------ */

/*
 * The entries of 2^shift bytes each that cover [start, end) lie one after another from `tables` on, and name the pages
 * from `child` on.
 */
static void fill_level(const struct builder *b, u64 start, u64 end, int shift, u64 *tables, u64 child, u64 flags)
{
	u64 first = start >> shift, count = ((end - 1) >> shift) - first + 1;
	u64 *entry = tables + first % PT_ENTRIES;

	for (u64 i = 0; i < count; i++)
		entry[i] = make_pte(b->mfns[child + i], flags);
}

/* Maps [start, end) to the pages from `leaf` on; the L3, L2 and L1 tables are the pages from pfn on, seen at `tables`. */
static void map_range(const struct builder *b, u64 start, u64 end, u64 pfn, u64 *tables, u64 leaf)
{
	u64 l2 = tables_for(start, end, 30), l1 = l2 + tables_for(start, end, 21);

	fill_level(b, start, end, 39, b->frame.tables, pfn, TABLE_FLAGS);
	fill_level(b, start, end, 30, tables, pfn + l2, TABLE_FLAGS);
	fill_level(b, start, end, 21, tables + l2 * PT_ENTRIES, pfn + l1, TABLE_FLAGS);
	fill_level(b, start, end, 12, tables + l1 * PT_ENTRIES, leaf, LEAF_FLAGS);
}

static void write_tables(const struct builder *b)
{
	const struct placement *p = &b->place;
	u64 base = p->virt_base, end = va_of(b, p->end), p2m = b->image.init_p2m;
	u64 *l1 = b->frame.tables + (1 + tables_for(base, end, 30) + tables_for(base, end, 21)) * PT_ENTRIES;
	u64 *own = l1 + (base >> PAGE_SHIFT) % PT_ENTRIES + p->tables.pfn;

	map_range(b, base, end, p->tables.pfn + 1, b->frame.tables + PT_ENTRIES, 0);
	/* A page table is never mapped writable. */
	for (u64 i = 0; i < p->tables.pages; i++)
		own[i] &= ~(u64)PTE_RW;
	if (p->p2m_apart)
		map_range(b, p2m, p2m + (p->p2m.pages << PAGE_SHIFT), p->p2m_tables.pfn, b->frame.p2m_tables, p->p2m.pfn);
}

/* --- contents --------------------------------------------------------------------------------------- */

static void write_start_info(const struct builder *b)
{
	const struct build_request *r = b->request;
	const struct placement *p = &b->place;
	struct start_info *si = b->frame.start_info;

	memcpy(si->magic, "xen-3.0-x86_64", sizeof("xen-3.0-x86_64"));
	si->nr_pages = r->pages;
	si->shared_info = b->shared_info << PAGE_SHIFT;
	si->store_mfn = b->mfns[p->rings];
	si->store_evtchn = r->store_port;
	si->console.domU.mfn = b->mfns[p->rings + 1];
	si->console.domU.evtchn = r->console_port;
	si->pt_base = va_of(b, p->tables.pfn);
	si->nr_pt_frames = p->tables.pages;
	si->mfn_list = p->p2m_apart ? b->image.init_p2m : va_of(b, p->p2m.pfn);
	if (p->p2m_apart) {
		si->first_p2m_pfn = p->p2m.pfn;
		si->nr_p2m_frames = p->p2m.pages + p->p2m_tables.pages;
	}
	if (r->ramdisk) {
		si->mod_start = b->image.mod_start_pfn ? p->initrd.pfn : va_of(b, p->initrd.pfn);
		si->mod_len = r->ramdisk_size;
		si->flags |= b->image.mod_start_pfn ? SIF_MOD_START_PFN : 0;
	}
	memcpy(si->cmd_line, r->cmdline, strlen(r->cmdline));
}

/* The entries by which domain 0 gets at the rings as any backend would. */
static void seed_grants(const struct builder *b)
{
	static const u16 refs[RINGS] = { GNTTAB_RESERVED_XENSTORE, GNTTAB_RESERVED_CONSOLE };

	for (int i = 0; i < RINGS; i++)
		b->frame.grants[refs[i]] = (struct grant_entry_v1){
			.flags = GTF_permit_access, .domid = 0, .frame = b->mfns[b->place.rings + i],
		};
}

static void write_frame(const struct builder *b)
{
	memcpy(b->frame.p2m, b->mfns, b->request->pages * sizeof(u64));
	write_tables(b);
	write_start_info(b);
	seed_grants(b);
	for (size_t i = 0; i < ARRAY_SIZE(b->frame.shared_info->vcpu_info); i++)
		b->frame.shared_info->vcpu_info[i].evtchn_upcall_mask = 1;
}

/* --- what the hypervisor is told -------------------------------------------------------------------- */

static int fill_hypercall_page(struct builder *b)
{
	struct xen_domctl op;
	long err;

	if (!b->image.has_hypercall_page)
		return 0;
	op.u.hypercall_init.gmfn = b->mfns[(b->image.hypercall_page - b->image.virt_base) >> PAGE_SHIFT];
	err = domctl(XEN_DOMCTL_hypercall_init, b->domid, &op);
	return err ? refuse(b, err, "the hypervisor does not fill its hypercall page: error %ld", err) : 0;
}

static int pin_root(struct builder *b)
{
	struct mmuext_op op = { .cmd = MMUEXT_PIN_L4_TABLE, .arg1.mfn = b->mfns[b->place.tables.pfn] };
	long err = HYPERVISOR_mmuext_op(&op, 1, NULL, b->domid);

	return err ? refuse(b, err, "the hypervisor refuses its page tables: error %ld", err) : 0;
}

static int set_registers(struct builder *b)
{
	struct vcpu_guest_context *c = kmalloc(sizeof(*c));
	struct xen_domctl op = { .u.vcpucontext = { .vcpu = 0, .ctxt = (u64)c } };
	long err;

	if (!c)
		return refuse(b, -ENOMEM, "domain 0 has no memory to build it with");
	c->flags = VGCF_in_kernel | VGCF_online;
	c->user_regs.rip = b->image.entry;
	c->user_regs.rsp = va_of(b, b->place.stack + 1);
	c->user_regs.rsi = va_of(b, b->place.start_info);
	c->user_regs.rflags = RFLAGS_IF;
	c->user_regs.cs = FLAT_KERNEL_CS;
	c->user_regs.ss = c->kernel_ss = FLAT_KERNEL_SS;
	c->kernel_sp = c->user_regs.rsp;
	c->ctrlreg[3] = b->mfns[b->place.tables.pfn] << PAGE_SHIFT;
	err = domctl(XEN_DOMCTL_setvcpucontext, b->domid, &op);
	kfree(c);
	return err ? refuse(b, err, "the hypervisor refuses its first registers: error %ld", err) : 0;
}

/* --- all of it -------------------------------------------------------------------------------------- */

static int read_request(struct builder *b)
{
	const struct build_request *r = b->request;
	const u8 *elf;
	u64 size;
	const char *error;

	if (strlen(r->cmdline) >= MAX_GUEST_CMDLINE)
		return refuse(b, -E2BIG, "its command line is longer than %d bytes", MAX_GUEST_CMDLINE - 1);
	error = kernel_unpack(r->kernel, r->kernel_size, &elf, &size);
	if (error)
		return refuse(b, -EINVAL, "its kernel: %s", error);
	if (!image_parse(&b->image, elf, size))
		return refuse(b, -EINVAL, "its kernel: %s 0x%lx", b->image.error, b->image.error_value);
	if (!place_domain(&b->place, &b->image, r->pages, r->ramdisk ? r->ramdisk_size : 0, RINGS))
		return refuse(b, -ENOMEM, "%s %lu, it has %lu", b->place.error, b->place.error_value, r->pages * 4);
	return 0;
}

static int build(struct builder *b, struct build_result *result)
{
	int err = populate(b);

	if (!err)
		err = tell_memory_map(b);
	if (!err)
		err = load_files(b);
	if (!err)
		err = find_shared_pages(b);
	if (!err)
		err = map_frame(b);
	if (err)
		return err;
	write_frame(b);
	foreign_unmap(b->frame.p2m);
	err = fill_hypercall_page(b);
	if (!err)
		err = pin_root(b);
	if (!err)
		err = set_registers(b);
	*result = (struct build_result){ b->mfns[b->place.rings], b->mfns[b->place.rings + 1] };
	return err;
}

int build_domain(u16 domid, const struct build_request *request, struct build_result *result, char *error, size_t size)
{
	struct builder *b = kmalloc(sizeof(*b));
	int err;

	if (!b) {
		snprintf(error, size, "domain 0 has no memory to build it with");
		return -ENOMEM;
	}
	*b = (struct builder){ .domid = domid, .request = request, .error = error, .error_size = size };
	err = read_request(b);
	if (!err) {
		b->mfns = vmalloc(request->pages * sizeof(*b->mfns));
		err = b->mfns ? build(b, result) : refuse(b, -ENOMEM, "domain 0 has no memory to build it with");
		if (b->mfns)
			vfree(b->mfns);
	}
	kernel_unpack_trim();
	kfree(b);
	return err;
}
