/* SPDX-License-Identifier: MIT */
/*
 * Domain 0 as it is at its first instruction: memory, address space, start_info, registers.
 *
 * Pseudo-physical memory is laid out as placement.h draws it.
 *
 * The domain's frames come in a few runs (struct run) of contiguous machine memory. Tables are written
 * here like a guest would write its own and then validated like a guest's; nothing is trusted for being ours.
 * Whatever goes wrong ends the machine with a line that says what, so nothing is ever unwound.
 */
#include <abi/arch-x86_64.h>
#include <abi/mmu.h>
#include <boot.h>
#include <boot_memory.h>
#include <console.h>
#include <cpu.h>
#include <domain.h>
#include <frames.h>
#include <image.h>
#include <placement.h>
#include <sched.h>
#include <string.h>

#define MIB (1ul << 20)
#define P2M_PER_PAGE (PAGE_SIZE / sizeof(u64))
#define RUNS_ORDER 3
#define MAX_RUNS ((PAGE_SIZE << RUNS_ORDER) / sizeof(struct run))
#define LARGEST_ORDER 18

struct run {
	u64 pfn, mfn;		/* of its first page; it ends where the next begins */
};

struct builder {
	struct image image;
	struct placement place;
	struct domain *d;
	u64 ramdisk_size;
	struct run *runs;	/* sorted by pfn; runs[run_count].pfn is pages */
	u32 run_count;
	u64 pages;
};

#define refuse(...) do { \
	log_error("Paravane: domain 0 cannot start: " __VA_ARGS__); \
	machine_restart(); \
} while (0)

/* --- memory ----------------------------------------------------------------------------------------- */

/* What stays for the hypervisor's own needs when domain 0 gets the rest. */
static u64 pages_for_dom0(void)
{
	u64 free = free_page_count(), reserve = min(max(free / 16, 2 * MIB >> PAGE_SHIFT), 128 * MIB >> PAGE_SHIFT);

	if (options.dom0_mem && options.dom0_mem >> PAGE_SHIFT > free)
		refuse("dom0_mem=%luM is more than the %lu MiB that are free", options.dom0_mem / MIB, free * PAGE_SIZE / MIB);
	return options.dom0_mem ? options.dom0_mem >> PAGE_SHIFT : free - reserve;
}

static void add_run(struct builder *b, mfn_t mfn, int order)
{
	struct run *last = b->run_count ? &b->runs[b->run_count - 1] : NULL;

	if (!last || last->mfn + (b->pages - last->pfn) != mfn) {
		if (b->run_count + 1 >= MAX_RUNS)
			refuse("memory is in more than %lu pieces", MAX_RUNS);
		b->runs[b->run_count++] = (struct run){ b->pages, mfn };
	}
	b->pages += 1ul << order;
	b->runs[b->run_count].pfn = b->pages;
}

static void allocate_memory(struct builder *b, u64 pages)
{
	int order = LARGEST_ORDER;

	b->runs = alloc_pages(RUNS_ORDER);
	if (!b->runs)
		refuse("no memory to build it with");
	b->d->max_pages = pages;
	while (b->pages < pages) {
		mfn_t mfn = INVALID_MFN;

		if (1ul << order <= pages - b->pages)
			mfn = alloc_domain_frames(b->d, order, 0, ALLOC_NOT_ZEROED);
		if (mfn != INVALID_MFN)
			add_run(b, mfn, order);
		else if (order-- == 0)
			refuse("out of memory after %lu of %lu MiB", b->pages * PAGE_SIZE / MIB, pages * PAGE_SIZE / MIB);
	}
}

/* The run that holds pfn; its pages up to runs[i + 1].pfn are contiguous. */
static const struct run *run_of(const struct builder *b, u64 pfn)
{
	const struct run *r = b->runs;

	while (r[1].pfn <= pfn)
		r++;
	return r;
}

static mfn_t pfn_to_mfn(const struct builder *b, u64 pfn)
{
	const struct run *r = run_of(b, pfn);

	return r->mfn + (pfn - r->pfn);
}

static void *pfn_to_virt(const struct builder *b, u64 pfn)
{
	return mfn_to_virt(pfn_to_mfn(b, pfn));
}

/* Copies into the domain's memory at a pseudo-physical byte address. */
static void copy_in(const struct builder *b, u64 address, const void *from, u64 bytes)
{
	while (bytes) {
		const struct run *r = run_of(b, address >> PAGE_SHIFT);
		u64 part = min(bytes, (r[1].pfn << PAGE_SHIFT) - address);

		memcpy(maddr_to_virt((r->mfn << PAGE_SHIFT) + (address - (r->pfn << PAGE_SHIFT))), from, part);
		address += part;
		from += part;
		bytes -= part;
	}
}

static void clear(const struct builder *b, struct area a)
{
	for (u64 i = 0; i < a.pages; i++)
		memset(pfn_to_virt(b, a.pfn + i), 0, PAGE_SIZE);
}

static u64 va_of(const struct builder *b, u64 pfn)
{
	return placed_at(&b->place, pfn);
}

/* --- page tables --------------------------------------------------------------------------------------- */

#define TABLE_FLAGS (PTE_PRESENT | PTE_RW | PTE_USER | PTE_ACCESSED | PTE_DIRTY)
#define LEAF_FLAGS (PTE_PRESENT | PTE_RW | PTE_ACCESSED)

/*
 * Fills the entries of 2^shift bytes each that cover [start, end): they name the pages from pfn `child` on,
 * and lie in the tables from pfn `table` on.
 */
static void fill_level(const struct builder *b, u64 start, u64 end, int shift, u64 table, u64 child, u64 flags)
{
	u64 first = start >> shift, last = (end - 1) >> shift, i = first;

	while (i <= last) {
		const struct run *r = run_of(b, child + (i - first));
		u64 *entry = pfn_to_virt(b, table + (i >> 9) - (first >> 9));
		u64 value = (r->mfn + (child + (i - first) - r->pfn)) << PAGE_SHIFT | flags;
		u64 stop = min(min(last, i | 511), first + (r[1].pfn - 1 - child));

		for (; i <= stop; i++, value += PAGE_SIZE)
			entry[i & 511] = value;
	}
}

/* Maps [start, end) to the pages from `leaf` on; the L3, L2 and L1 tables are the pages from `tables` on. */
static void map_range(const struct builder *b, u64 start, u64 end, u64 tables, u64 leaf)
{
	u64 l3 = tables, l2 = l3 + tables_for(start, end, 30), l1 = l2 + tables_for(start, end, 21);

	fill_level(b, start, end, 39, b->place.tables.pfn, l3, TABLE_FLAGS);
	fill_level(b, start, end, 30, l3, l2, TABLE_FLAGS);
	fill_level(b, start, end, 21, l2, l1, TABLE_FLAGS);
	fill_level(b, start, end, 12, l1, leaf, LEAF_FLAGS);
}

/* A page table is never mapped writable. */
static void protect_tables(const struct builder *b)
{
	u64 base = b->image.virt_base;
	u64 end = va_of(b, b->place.end);
	u64 l1 = b->place.tables.pfn + 1 + tables_for(base, end, 30) + tables_for(base, end, 21);

	for (u64 i = 0; i < b->place.tables.pages; i++) {
		u64 page = va_of(b, b->place.tables.pfn + i) >> PAGE_SHIFT;
		u64 *table = pfn_to_virt(b, l1 + (page >> 9) - (base >> 21));

		table[page & 511] &= ~(u64)PTE_RW;
	}
}

static void write_tables(const struct builder *b)
{
	u64 p2m = b->image.init_p2m;

	map_range(b, b->image.virt_base, va_of(b, b->place.end), b->place.tables.pfn + 1, 0);
	protect_tables(b);
	if (b->place.p2m_apart)
		map_range(b, p2m, p2m + (b->place.p2m.pages << PAGE_SHIFT), b->place.p2m_tables.pfn, b->place.p2m.pfn);
}

/* --- contents ------------------------------------------------------------------------------------------- */

/* Both directions of the translation, for every page of the domain. */
static void write_p2m(const struct builder *b)
{
	u64 pfn = 0;

	while (pfn < b->pages) {
		const struct run *r = run_of(b, pfn);
		u64 *list = pfn_to_virt(b, b->place.p2m.pfn + pfn / P2M_PER_PAGE);
		u64 stop = min(r[1].pfn, (pfn | (P2M_PER_PAGE - 1)) + 1);

		for (u64 mfn = r->mfn + (pfn - r->pfn); pfn < stop; pfn++, mfn++) {
			list[pfn % P2M_PER_PAGE] = mfn;
			m2p_set(mfn, pfn);
		}
	}
}

/* Memory comes as the firmware left it: clean what the builder and the kernel take to be zero. */
static void clear_used(const struct builder *b)
{
	u64 kernel = (b->image.kernel_start - b->image.virt_base) >> PAGE_SHIFT;

	clear(b, (struct area){ kernel, b->place.stack + 1 - kernel });
	clear(b, b->place.p2m);
	clear(b, b->place.p2m_tables);
}

static void load_kernel(const struct builder *b)
{
	const struct image *image = &b->image;

	for (int i = 0; i < image->segments; i++) {
		const struct segment *s = &image->segment[i];

		copy_in(b, s->va - image->virt_base, image->file + s->offset, s->file_size);
	}
	if (image->has_hypercall_page)
		hypercall_page_fill(pfn_to_virt(b, (image->hypercall_page - image->virt_base) >> PAGE_SHIFT));
}

static void write_start_info(const struct builder *b, const char *cmdline)
{
	struct start_info *si = pfn_to_virt(b, b->place.start_info);

	strlcpy(si->magic, "xen-3.0-x86_64", sizeof(si->magic));
	si->nr_pages = b->pages;
	si->shared_info = b->d->shared_info_mfn << PAGE_SHIFT;
	si->flags = SIF_PRIVILEGED | SIF_INITDOMAIN;
	si->pt_base = va_of(b, b->place.tables.pfn);
	si->nr_pt_frames = b->place.tables.pages;
	si->mfn_list = b->place.p2m_apart ? b->image.init_p2m : va_of(b, b->place.p2m.pfn);
	if (b->place.p2m_apart) {
		si->first_p2m_pfn = b->place.p2m.pfn;
		si->nr_p2m_frames = b->place.p2m.pages + b->place.p2m_tables.pages;
	}
	if (b->ramdisk_size) {
		si->mod_start = b->image.mod_start_pfn ? b->place.initrd.pfn : va_of(b, b->place.initrd.pfn);
		si->mod_len = b->ramdisk_size;
		si->flags |= b->image.mod_start_pfn ? SIF_MOD_START_PFN : 0;
	}
	strlcpy((char *)si->cmd_line, cmdline, sizeof(si->cmd_line));
}

/*
 * push rcx; push r11; mov $n, eax; syscall; pop r11; pop rcx; ret. The one for iret is jumped to, so that
 * the stack holds the frame already, to which it adds rax.
 */
void hypercall_page_fill(void *page)
{
	static const u8 call[] = { 0x51, 0x41, 0x53, 0xb8, 0, 0, 0, 0, 0x0f, 0x05, 0x41, 0x5b, 0x59, 0xc3 };
	static const u8 iret[] = { 0x51, 0x41, 0x53, 0x50, 0xb8, 0, 0, 0, 0, 0x0f, 0x05 };

	memset(page, 0xcc, PAGE_SIZE);
	for (u32 n = 0; n < PAGE_SIZE / 32; n++) {
		u8 *entry = (u8 *)page + 32 * n;
		bool is_iret = n == __HYPERVISOR_iret;

		memcpy(entry, is_iret ? iret : call, is_iret ? sizeof(iret) : sizeof(call));
		memcpy(entry + (is_iret ? 5 : 4), &n, sizeof(n));
	}
}

/* --- the file ---------------------------------------------------------------------------------------------- */

/* The kernel's ELF file: the module itself, or what was compressed in it, in *buffer. */
static void unpack(struct payload *p, const struct boot_module *kernel, void **buffer, int *order)
{
	const char *error;
	u64 length;

	image_identify(p, maddr_to_virt(kernel->start), kernel->end - kernel->start);
	if (p->protocol && !p->gzip)
		refuse("the kernel is a Linux bzImage (protocol %d.%d, %s payload): unpack it first, by tools/unpack-kernel",
		       p->protocol >> 8, p->protocol & 255, p->format ? p->format : "unknown");
	if (p->format && !p->gzip)
		refuse("the kernel is compressed with %s: give it as an ELF file or with gzip", p->format);
	if (!p->gzip)
		return;
	length = gzip_length(p->at, p->size);
	while (PAGE_SIZE << *order < length && *order < LARGEST_ORDER)
		++*order;
	if (!length || PAGE_SIZE << *order < length || !(*buffer = alloc_pages(*order)))
		refuse("the compressed kernel says that it has %lu bytes inside, for which there is no room", length);
	error = gzip_inflate(*buffer, length, p->at, p->size);
	if (error)
		refuse("the compressed kernel is damaged: %s", error);
	p->at = *buffer;
	p->size = length;
}

static void say_what_was_built(const struct builder *b)
{
	struct text os = b->image.guest_os.length ? b->image.guest_os : (struct text){ "kernel", 6 };
	struct text version = b->image.guest_version;

	log_info("Domain 0: %.*s %.*s, %lu MiB, %#lx to %#lx, entry %#lx", (int)min(os.length, 64ul), os.at,
		 (int)min(version.length, 64ul), version.at, b->pages * PAGE_SIZE / MIB, b->image.kernel_start,
		 b->image.kernel_end, b->image.entry);
	log_info("Domain 0: %lu page tables, p2m %#lx, first mapping %#lx to %#lx", b->place.tables.pages,
		 b->place.p2m_apart ? b->image.init_p2m : va_of(b, b->place.p2m.pfn), b->image.virt_base,
		 va_of(b, b->place.end));
}

/* What is neither free nor domain 0's: image, frame table, m2p, page tables, per-CPU and per-domain structures. */
static u64 bytes_held(const struct builder *b)
{
	u64 bytes = 0;

	for (int i = 0; i < ram.count; i++)
		bytes += ram.range[i].end - ram.range[i].start;
	return bytes - ((free_page_count() + b->pages) << PAGE_SHIFT);
}

/* --- the vCPU ------------------------------------------------------------------------------------------------ */

/* Those beside the first wait for VCPUOP_initialise. */
static void make_other_vcpus(struct domain *d)
{
	int n = min(options.dom0_max_vcpus ? options.dom0_max_vcpus : (u64)cpu_count, (u64)MAX_VCPUS);

	for (int id = 1; id < n; id++) {
		if (!vcpu_create(d, id)) {
			log_warning("Domain 0: no memory for vCPU %d", id);
			break;
		}
	}
	for (int id = 0; options.dom0_vcpus_pin && id < d->vcpu_count; id++)
		vcpu_set_affinity(d->vcpu[id], 1ull << id % cpu_count);
	if (d->vcpu_count > 1)
		log_info("Domain 0: %d vCPUs", d->vcpu_count);
}

static void start(const struct builder *b)
{
	struct vcpu *v = vcpu_create(b->d, 0);
	mfn_t l4 = pfn_to_mfn(b, b->place.tables.pfn);

	if (!v)
		refuse("no memory for its vCPU");
	if (mmu_pin(b->d, l4, FRAME_L4) || mmu_install_kernel_l4(v, l4))
		refuse("its first page tables did not validate");
	v->regs.rip = b->image.entry;
	v->regs.rsp = va_of(b, b->place.stack + 1);
	v->regs.rsi = va_of(b, b->place.start_info);
	v->kernel_sp = v->regs.rsp;
	v->kernel_ss = v->regs.ss;
	v->initialised = true;
	make_other_vcpus(b->d);
	vcpu_online(v);
}

void dom0_build(const struct boot_module *kernel, const struct boot_module *ramdisk)
{
	static struct builder b;
	struct payload payload;
	void *buffer = NULL;
	int order = 0, error;
	u64 pages;

	unpack(&payload, kernel, &buffer, &order);
	if (!image_parse(&b.image, payload.at, payload.size))
		refuse("%s %#lx", b.image.error, b.image.error_value);
	b.ramdisk_size = ramdisk ? ramdisk->end - ramdisk->start : 0;
	b.d = domain_create(0, NULL, &error);
	if (!b.d)
		refuse("no memory for a domain");
	pages = pages_for_dom0();
	if (!place_domain(&b.place, &b.image, pages, b.ramdisk_size, 0))
		refuse("%s %lu", b.place.error, b.place.error_value);
	allocate_memory(&b, pages);
	clear_used(&b);
	load_kernel(&b);
	if (b.ramdisk_size)
		copy_in(&b, b.place.initrd.pfn << PAGE_SHIFT, maddr_to_virt(ramdisk->start), b.ramdisk_size);
	write_p2m(&b);
	write_tables(&b);
	write_start_info(&b, kernel->cmdline);
	say_what_was_built(&b);
	start(&b);
	if (buffer)
		free_pages(buffer, order);
	free_pages(b.runs, RUNS_ORDER);
	boot_module_release(kernel - boot_modules);
	if (ramdisk)
		boot_module_release(ramdisk - boot_modules);
	log_info("boot: %lu bytes held by the hypervisor, %lu TSC ticks waited", bytes_held(&b), time_waited);
}
