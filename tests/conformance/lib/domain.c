/* SPDX-License-Identifier: MIT */
/*
 * See domain.h. The second domain's memory: pfn n is mapped at VIRT_BASE + n pages, as in the first, so
 * the image's pages have their own addresses. What a domain needs besides is below the image:
 *
 *	pfn 1 L4, 2 L3, 3 L2, 4 to 7 L1, 8 to 11 the p2m list, 12 start_info
 *
 * The tables are written through a mapping of domain 0's, unmapped, then pinned.
 */
#include "domain.h"
#include <abi/memory.h>

#define PFN_L4 1
#define PFN_L3 2
#define PFN_L2 3
#define PFN_L1 4
#define NR_L1 (DOMAIN_MAX_PAGES / 512)
#define PFN_P2M (PFN_L1 + NR_L1)
#define PFN_START_INFO (PFN_P2M + NR_L1)
#define PFN_TABLES_END PFN_P2M
#define PFN_IMAGE 256
#define WAIT_NS 5000000000UL
#define STEP_NS 200000UL
#define LAST_PARTS_NS 20000000UL /* from an id that is gone to the last page that is back */

const struct xen_domctl_createdomain *createdomain_other;

static struct domain domains[3];
static struct vcpu_guest_context context __attribute__((aligned(4096)));

/* --- calls ------------------------------------------------------------------ */

int64_t domctl(uint32_t cmd, uint16_t id, struct xen_domctl *op)
{
	op->cmd = cmd;
	op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
	op->domain = id;
	return hypercall(domctl, op);
}

int64_t sysctl(uint32_t cmd, struct xen_sysctl *op)
{
	op->cmd = cmd;
	op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
	return hypercall(sysctl, op);
}

int64_t domctl_simple(uint32_t cmd, uint16_t id)
{
	struct xen_domctl op = {0};

	return domctl(cmd, id, &op);
}

struct xen_domctl_getdomaininfo domain_info(uint16_t id)
{
	struct xen_domctl op = {0};
	int64_t r = domctl(XEN_DOMCTL_getdomaininfo, id, &op);

	if (r || op.u.getdomaininfo.domain != id)
		bail("no information about domain %u: %ld", id, r);
	return op.u.getdomaininfo;
}

struct xen_domctl_createdomain createdomain_arguments(void)
{
	return (struct xen_domctl_createdomain){
		.handle = {0xc0, 0x4f},
		.max_vcpus = 1,
		.max_evtchn_port = 1023,
		.max_grant_frames = -1,
		.max_maptrack_frames = -1,
		.grant_opts = 1,
	};
}

int64_t create_empty(uint32_t max_vcpus)
{
	struct xen_domctl op = {.u.createdomain = createdomain_arguments()};
	int64_t r;

	if (createdomain_other)
		op.u.createdomain = *createdomain_other;
	op.u.createdomain.max_vcpus = max_vcpus;
	r = domctl(XEN_DOMCTL_createdomain, 0, &op);
	return r ? r : op.domain;
}

int64_t domain_max_vcpus(uint16_t id, uint32_t max)
{
	struct xen_domctl op = {.u.max_vcpus.max = max};

	return domctl(XEN_DOMCTL_max_vcpus, id, &op);
}

int64_t domain_max_mem(uint16_t id, uint64_t kib)
{
	struct xen_domctl op = {.u.max_mem.max_memkb = kib};

	return domctl(XEN_DOMCTL_max_mem, id, &op);
}

int64_t domain_populate(uint16_t id, uint64_t *mfns, uint64_t count)
{
	struct xen_memory_reservation op = {
		.extent_start = (uint64_t)mfns,
		.nr_extents = count,
		.domid = id,
	};

	for (uint64_t i = 0; i < count; i++)
		mfns[i] = i;
	return hypercall(memory_op, XENMEM_populate_physmap, &op);
}

void domain_destroy(uint16_t id)
{
	struct xen_domctl op = {0};
	int64_t r = domctl_simple(XEN_DOMCTL_destroydomain, id);

	if (r)
		bail("domain %u cannot be destroyed: %ld", id, r);
	for (int i = 0; i < 1000; i++) {
		r = domctl(XEN_DOMCTL_getdomaininfo, id, &op);
		sleep_for(r || op.u.getdomaininfo.domain != id ? LAST_PARTS_NS : STEP_NS);
		if (r || op.u.getdomaininfo.domain != id)
			return;
	}
	note("domain %u is still there", id);
}

uint64_t free_pages(void)
{
	struct xen_sysctl op = {0};

	if (sysctl(XEN_SYSCTL_physinfo, &op))
		bail("no physinfo");
	return op.u.physinfo.free_pages;
}

/* --- memory ----------------------------------------------------------------- */

int64_t map_other(void *address, uint64_t mfn, uint64_t flags, uint16_t id)
{
	return hypercall(update_va_mapping_otherdomain, address, mfn << PAGE_SHIFT | flags,
			 UVMF_INVLPG | UVMF_LOCAL, id);
}

void *view_of(uint64_t mfn, uint16_t id)
{
	void *page = page_alloc();

	if (!map_other(page, mfn, PTE_DATA, id))
		return page;
	page_free(page);
	return NULL;
}

void unmap_other(void *view)
{
	map_back(view);
	page_free(view);
}

int64_t mmuext_other(uint32_t cmd, uint64_t mfn, uint16_t id)
{
	struct mmuext_op op = {.cmd = cmd, .arg1.mfn = mfn};

	return hypercall(mmuext_op, &op, 1, 0, id);
}

int64_t mmu_update_other(uint64_t ptr, uint64_t val, uint32_t foreign)
{
	struct mmu_update update = {.ptr = ptr, .val = val};

	return hypercall(mmu_update, &update, 1, 0, foreign);
}

static uint8_t *view(struct domain *d, uint64_t pfn)
{
	if (!d->view[pfn])
		d->view[pfn] = view_of(d->mfn[pfn], d->id);
	if (!d->view[pfn])
		bail("page %lu of domain %u cannot be mapped", pfn, d->id);
	return d->view[pfn];
}

static void unview(struct domain *d, uint64_t pfn)
{
	if (d->view[pfn])
		unmap_other(d->view[pfn]);
	d->view[pfn] = NULL;
}

void *in_guest_at(struct domain *d, const void *address)
{
	uint64_t offset = (uint64_t)address - VIRT_BASE;

	return view(d, offset >> PAGE_SHIFT) + (offset & (PAGE_SIZE - 1));
}

/* --- making ----------------------------------------------------------------- */

static void fill_m2p(struct domain *d)
{
	for (uint64_t pfn = 0; pfn < d->nr_pages; pfn++)
		if (mmu_update_other(d->mfn[pfn] << PAGE_SHIFT | MMU_MACHPHYS_UPDATE, pfn, d->id))
			bail("m2p of domain %u cannot be written", d->id);
}

static uint64_t *empty_table(struct domain *d, uint64_t pfn)
{
	return memset(view(d, pfn), 0, PAGE_SIZE);
}

static void set_entry(struct domain *d, uint64_t table, uint64_t index, uint64_t pfn)
{
	((uint64_t *)view(d, table))[index] = d->mfn[pfn] << PAGE_SHIFT | PTE_TABLE;
}

static void build_tables(struct domain *d)
{
	for (uint64_t pfn = PFN_L4; pfn < PFN_TABLES_END; pfn++)
		empty_table(d, pfn);
	set_entry(d, PFN_L4, VIRT_BASE >> 39 & 511, PFN_L3);
	set_entry(d, PFN_L3, VIRT_BASE >> 30 & 511, PFN_L2);
	for (uint64_t i = 0; i < NR_L1; i++)
		set_entry(d, PFN_L2, i, PFN_L1 + i);
	for (uint64_t pfn = 0; pfn < d->nr_pages; pfn++) {
		uint64_t *table = (uint64_t *)view(d, PFN_L1 + pfn / 512);
		bool writable = pfn < PFN_L4 || pfn >= PFN_TABLES_END;

		table[pfn % 512] =
			d->mfn[pfn] << PAGE_SHIFT | (writable ? PTE_DATA : PTE_PRESENT | PTE_ACCESSED);
	}
	for (uint64_t pfn = PFN_L4; pfn < PFN_TABLES_END; pfn++)
		unview(d, pfn);
	d->l4_mfn = d->mfn[PFN_L4];
	if (mmuext_other(MMUEXT_PIN_L4_TABLE, d->l4_mfn, d->id))
		bail("the tables of domain %u cannot be pinned", d->id);
}

static void build_p2m(struct domain *d)
{
	for (uint64_t pfn = 0; pfn < d->nr_pages; pfn++)
		((uint64_t *)view(d, PFN_P2M + pfn / 512))[pfn % 512] = d->mfn[pfn];
	for (uint64_t i = 0; i < NR_L1; i++)
		unview(d, PFN_P2M + i);
}

static void build_start_info(struct domain *d)
{
	struct start_info *info = memset(view(d, PFN_START_INFO), 0, PAGE_SIZE);

	memcpy(info->magic, "xen-3.0-x86_64", 15);
	info->nr_pages = d->nr_pages;
	info->shared_info = d->shared_mfn << PAGE_SHIFT;
	info->pt_base = VIRT_BASE + PFN_L4 * PAGE_SIZE;
	info->nr_pt_frames = PFN_TABLES_END - PFN_L4;
	info->mfn_list = VIRT_BASE + PFN_P2M * PAGE_SIZE;
}

/* Spare pages may be in any state, and page_alloc clears them. */
static void copy_image(struct domain *d)
{
	for (uint64_t pfn = PFN_IMAGE; pfn < d->nr_pages; pfn++) {
		void *page = (void *)(VIRT_BASE + pfn * PAGE_SIZE);

		if (page_is_spare(page))
			continue;
		memcpy(view(d, pfn), page, PAGE_SIZE);
		unview(d, pfn);
	}
	*in_guest(d, &start_info) = (struct start_info *)(VIRT_BASE + PFN_START_INFO * PAGE_SIZE);
	*in_guest(d, &second_domain) = true;
}

static struct domain *new_domain(uint32_t max_vcpus)
{
	struct domain *d = domains;
	int64_t id;

	while (d < domains + ARRAY_SIZE(domains) && d->made)
		d++;
	if (d == domains + ARRAY_SIZE(domains))
		bail("too many domains");
	id = create_empty(max_vcpus);
	if (id < 0)
		bail("createdomain fails: %ld", id);
	memset(d, 0, sizeof(*d));
	d->made = true;
	d->id = (uint16_t)id;
	d->nr_pages = ((uint64_t)image_end - VIRT_BASE) / PAGE_SIZE;
	if (d->nr_pages > DOMAIN_MAX_PAGES)
		bail("the image is too large to be copied");
	return d;
}

struct domain *make_domain(uint32_t max_vcpus)
{
	struct domain *d = new_domain(max_vcpus);

	if (domain_max_vcpus(d->id, max_vcpus) || domain_max_mem(d->id, d->nr_pages * 4 + 1024))
		bail("the limits of domain %u cannot be set", d->id);
	if (domain_populate(d->id, d->mfn, d->nr_pages) != (int64_t)d->nr_pages)
		bail("no memory for domain %u", d->id);
	d->shared_mfn = domain_info(d->id).shared_info_frame;
	d->shared = view_of(d->shared_mfn, d->id);
	if (!d->shared)
		bail("shared_info of domain %u cannot be mapped", d->id);
	for (uint32_t i = 0; i < XEN_LEGACY_MAX_VCPUS; i++)
		d->shared->vcpu_info[i].evtchn_upcall_mask = 1;
	copy_image(d);
	build_p2m(d);
	build_start_info(d);
	fill_m2p(d);
	build_tables(d);
	return d;
}

/* --- running ---------------------------------------------------------------- */

void context_for(struct domain *d, struct vcpu_guest_context *c, void (*function)(uint64_t),
		 uint64_t argument)
{
	memset(c, 0, sizeof(*c));
	c->flags = VGCF_in_kernel | VGCF_online;
	c->user_regs.cs = USER_CS;
	c->user_regs.ss = USER_SS;
	c->user_regs.rflags = 1 << 9;
	c->user_regs.rip = (uint64_t)second_start;
	c->user_regs.rsp = (uint64_t)boot_stack_top - 8;
	c->user_regs.rdi = (uint64_t)function;
	c->user_regs.rsi = argument;
	c->kernel_ss = USER_SS;
	c->kernel_sp = (uint64_t)trap_stack_top;
	c->ctrlreg[3] = d->l4_mfn << PAGE_SHIFT;
}

int64_t set_context(uint16_t id, uint32_t vcpu, const struct vcpu_guest_context *c)
{
	struct xen_domctl op = {.u.vcpucontext = {.vcpu = vcpu, .ctxt = (uint64_t)c}};

	return domctl(XEN_DOMCTL_setvcpucontext, id, &op);
}

void start_code(struct domain *d, void (*function)(uint64_t), uint64_t argument)
{
	int64_t r;

	d->verdicts_before = *in_guest(d, &verdicts);
	context_for(d, &context, function, argument);
	r = set_context(d->id, 0, &context);
	if (r)
		bail("setvcpucontext: %ld", r);
	r = domctl_simple(XEN_DOMCTL_unpausedomain, d->id);
	if (r)
		bail("unpausedomain: %ld", r);
}

void sleep_for(uint64_t ns)
{
	struct sched_poll op = {.timeout = system_time() + ns};

	hypercall(sched_op, SCHEDOP_poll, &op);
}

uint32_t wait_for(volatile uint32_t *word)
{
	for (uint64_t end = system_time() + WAIT_NS; !*word && system_time() < end;)
		sleep_for(STEP_NS);
	return *word;
}

/* A domain that gave up takes the run with it. */
void collect_log(struct domain *d)
{
	volatile uint32_t *used = in_guest(d, &print_log_used);
	uint32_t length = *used;

	for (uint32_t i = 0; i < length && i < sizeof(print_log); i++)
		print("%c", *in_guest(d, &print_log[i]));
	*used = 0;
	verdicts += *in_guest(d, &verdicts) - d->verdicts_before;
	d->verdicts_before = *in_guest(d, &verdicts);
	if (*in_guest(d, &bailed_out))
		bail("domain %u gave up", d->id);
}

int wait_shutdown(struct domain *d)
{
	uint64_t end = system_time() + WAIT_NS;
	uint32_t flags;

	do {
		flags = domain_info(d->id).flags;
		if (!(flags & XEN_DOMINF_shutdown))
			sleep_for(STEP_NS);
	} while (!(flags & XEN_DOMINF_shutdown) && system_time() < end);
	collect_log(d);
	if (!(flags & XEN_DOMINF_shutdown))
		return NO_SHUTDOWN;
	return flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask;
}

int run_code(struct domain *d, void (*function)(uint64_t), uint64_t argument)
{
	start_code(d, function, argument);
	return wait_shutdown(d);
}

void destroy_domain(struct domain *d)
{
	for (uint64_t pfn = 0; pfn < d->nr_pages; pfn++)
		unview(d, pfn);
	if (d->shared)
		unmap_other(d->shared);
	domain_destroy(d->id);
	d->made = false;
}
