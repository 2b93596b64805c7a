/* SPDX-License-Identifier: MIT */
/* sysctl: what domain 0 may ask about the machine as a whole. */
#include <abi/sysctl.h>
#include <asm.h>
#include <boot_memory.h>
#include <console.h>
#include <control.h>
#include <cpu.h>
#include <frames.h>
#include <hypercall.h>
#include <sched.h>
#include <string.h>
#include <trace.h>
#include <uaccess.h>

BUILD_ASSERT(sizeof(struct xen_sysctl) == 136);

/* --- the log -------------------------------------------------------------------------------------------------- */

#define CHUNK 128

static int readconsole(struct xen_sysctl *op)
{
	struct xen_sysctl_readconsole *r = &op->u.readconsole;
	u32 position, n, done = 0;
	char chunk[CHUNK];

	position = log_first(r->incremental ? r->index : log_start());
	while (done < r->count && (n = log_copy(chunk, position, min(r->count - done, (u32)CHUNK)))) {
		if (copy_to_guest(r->buffer + done, chunk, n))
			return -EFAULT;
		done += n;
		position += n;
		preempt_point();
	}
	if (r->clear)
		log_forget(position);
	r->index = position;
	r->count = done;
	return 0;
}

static int debug_keys(struct xen_sysctl *op)
{
	const struct xen_sysctl_debug_keys *k = &op->u.debug_keys;
	char c;

	for (u32 i = 0; i < k->nr_keys; i++) {
		if (copy_from_guest(&c, k->keys + i, 1))
			return -EFAULT;
		handle_key(c);
		preempt_point();
	}
	return 0;
}

/* --- processors ------------------------------------------------------------------------------------------------ */

/* A package's CPUs differ in so many low bits of the APIC id. */
static u32 apic_bits_of_package(void)
{
	u32 r[4], cores = 1;

	if (cpu_has.amd) {
		cpuid(0x80000008, 0, r);
		cores = (r[2] & 0xff) + 1;
	} else if (cpu_has.intel) {
		cpuid(4, 0, r);
		cores = (r[0] >> 26) + 1;
	}
	return cores > 1 ? 32 - __builtin_clz(cores - 1) : 0;
}

static u32 cores_per_package(void)
{
	u32 bits = apic_bits_of_package(), most = 0;

	for (int i = 0; i < cpu_count; i++) {
		u32 n = 0;

		for (int j = 0; j < cpu_count; j++)
			n += cpus[j]->apic_id >> bits == cpus[i]->apic_id >> bits;
		most = max(most, n);
	}
	return most;
}

static int cputopoinfo(struct xen_sysctl *op)
{
	struct xen_sysctl_cputopoinfo *t = &op->u.cputopoinfo;
	u32 n = cpu_count, bits = apic_bits_of_package();

	if (t->cputopo) {
		n = min(n, t->num_cpus);
		for (u32 i = 0; i < n; i++) {
			u32 apic = cpus[i]->apic_id;
			struct xen_sysctl_cputopo topo = { apic & ((1u << bits) - 1), apic >> bits, 0 };

			if (copy_to_guest(t->cputopo + i * sizeof(topo), &topo, sizeof(topo)))
				return -EFAULT;
		}
	}
	t->num_cpus = n;
	return 0;
}

static int getcpuinfo(struct xen_sysctl *op)
{
	struct xen_sysctl_getcpuinfo *g = &op->u.getcpuinfo;
	u32 n = min(g->max_cpus, (u32)cpu_count);

	for (u32 i = 0; i < n; i++)
		if (put_guest_u64(cpu_idle_ns(cpus[i]), g->info + i * sizeof(struct xen_sysctl_cpuinfo)))
			return -EFAULT;
	g->nr_cpus = n;
	return 0;
}

static int tbuf_op(struct xen_sysctl *op)
{
	return trace_control(&op->u.tbuf_op);
}

static int sched_id(struct xen_sysctl *op)
{
	op->u.sched_id.sched_id = XEN_SCHEDULER_CREDIT2;
	return 0;
}

/* --- the machine ------------------------------------------------------------------------------------------------- */

/* Word by word as the ABI's users know them. */
static void features(u32 *cap)
{
	static const struct { u32 leaf, subleaf; u8 word; } words[8] = {
		{ 1, 0, 3 }, { 1, 0, 2 }, { 0x80000001, 0, 3 }, { 0x80000001, 0, 2 },
		{ 13, 1, 0 }, { 7, 0, 1 }, { 7, 0, 2 }, { 0x80000007, 0, 3 },
	};
	u32 r[4];

	for (int i = 0; i < 8; i++) {
		cpuid(words[i].leaf, words[i].subleaf, r);
		cap[i] = r[words[i].word];
	}
}

static u64 pages_of_ram(void)
{
	u64 pages = 0;

	for (int i = 0; i < ram.count; i++)
		pages += (ram.range[i].end - ram.range[i].start) >> PAGE_SHIFT;
	return pages;
}

static int physinfo(struct xen_sysctl *op)
{
	struct xen_sysctl_physinfo *p = &op->u.physinfo;

	memset(p, 0, sizeof(*p));
	p->threads_per_core = 1;
	p->cores_per_socket = cores_per_package();
	p->nr_cpus = cpu_count;
	p->max_cpu_id = cpu_count - 1;
	p->nr_nodes = 1;
	p->cpu_khz = tsc_khz;
	p->capabilities = XEN_SYSCTL_PHYSCAP_pv | XEN_SYSCTL_PHYSCAP_gnttab_v1 | XEN_SYSCTL_PHYSCAP_gnttab_v2;
	p->total_pages = pages_of_ram();
	p->free_pages = free_page_count();
	p->max_mfn = max_mfn - 1;
	features(p->hw_cap);
	return 0;
}

static int availheap(struct xen_sysctl *op)
{
	struct xen_sysctl_availheap *a = &op->u.availheap;

	a->avail_bytes = a->node > 0 ? 0 : free_pages_of_width(a->min_bitwidth, a->max_bitwidth) << PAGE_SHIFT;
	return 0;
}

static int getdomaininfolist(struct xen_sysctl *op)
{
	struct xen_sysctl_getdomaininfolist *l = &op->u.getdomaininfolist;
	struct xen_domctl_getdomaininfo info;
	struct domain *d;
	int id = l->first_domain;
	u32 n = 0;

	for (; n < l->max_domains && (d = domain_next(id)); n++) {
		id = d->id + 1;
		domain_info(d, &info);
		if (copy_to_guest(l->buffer + (u64)n * sizeof(info), &info, sizeof(info)))
			return -EFAULT;
		preempt_point();
	}
	l->num_domains = n;
	return 0;
}

/* --- dispatch ---------------------------------------------------------------------------------------------------- */

static int (*const operations[])(struct xen_sysctl *op) = {
	[XEN_SYSCTL_readconsole] = readconsole,
	[XEN_SYSCTL_tbuf_op] = tbuf_op,
	[XEN_SYSCTL_physinfo] = physinfo,
	[XEN_SYSCTL_sched_id] = sched_id,
	[XEN_SYSCTL_getdomaininfolist] = getdomaininfolist,
	[XEN_SYSCTL_debug_keys] = debug_keys,
	[XEN_SYSCTL_getcpuinfo] = getcpuinfo,
	[XEN_SYSCTL_availheap] = availheap,
	[XEN_SYSCTL_cputopoinfo] = cputopoinfo,
};

long do_sysctl(u64 arg, u64 a2, u64 a3, u64 a4, u64 a5, struct vcpu *v)
{
	struct xen_sysctl op;
	int rc;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	if (op.interface_version != XEN_SYSCTL_INTERFACE_VERSION)
		return -EACCES;
	if (!v->domain->privileged && !v->domain->control)
		return -EPERM;
	if (op.cmd >= ARRAY_SIZE(operations) || !operations[op.cmd])
		return -ENOSYS;
	rc = operations[op.cmd](&op);
	if (rc)
		return rc;
	return copy_to_guest(arg, &op, sizeof(op)) ? -EFAULT : 0;
}
