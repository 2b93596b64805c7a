/* SPDX-License-Identifier: MIT */
/* What is common to all operations of sysctl, and those about the machine. */
#include "domain.h"
#include <abi/memory.h>

static struct xen_sysctl_physinfo info;

static int64_t raw(uint32_t cmd, uint32_t version)
{
	struct xen_sysctl op = {.cmd = cmd, .interface_version = version};

	return hypercall(sysctl, &op);
}

static void common(void)
{
	struct xen_sysctl *page = page_alloc();
	uint8_t *end = (uint8_t *)page_before_hole() + PAGE_SIZE;

	check_eq("SYSCTL-1", raw(XEN_SYSCTL_physinfo, XEN_SYSCTL_INTERFACE_VERSION - 1), -EACCES,
		 "an older interface version fails with -EACCES");
	check_eq("SYSCTL-2", raw(XEN_SYSCTL_physinfo, XEN_SYSCTL_INTERFACE_VERSION + 1), -EACCES,
		 "a newer interface version fails with -EACCES");
	check_eq("SYSCTL-3", raw(9999, 0), -EACCES, "a wrong version is found before an unknown cmd");
	check_eq("SYSCTL-4", raw(9999, XEN_SYSCTL_INTERFACE_VERSION), -ENOSYS,
		 "an unknown cmd fails with -ENOSYS");
	check_eq("SYSCTL-5", hypercall(sysctl, UNMAPPED), -EFAULT,
		 "an unmapped structure fails with -EFAULT");
	check_eq("SYSCTL-6", hypercall(sysctl, HYPERVISOR_VIRT_START), -EFAULT,
		 "a structure in the hypervisor's range fails with -EFAULT");
	check_eq("SYSCTL-7", hypercall(sysctl, end - sizeof(struct xen_sysctl) + 8), -EFAULT,
		 "a structure whose last bytes are unmapped fails with -EFAULT");
	page->cmd = XEN_SYSCTL_physinfo;
	page->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
	make_readonly(page);
	check_eq("SYSCTL-8", hypercall(sysctl, page), -EFAULT,
		 "an operation that tells something fails with -EFAULT if the structure cannot be written");
	map_back(page);
}

static void cpuid(uint32_t leaf, uint32_t *r)
{
	__asm__ volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "0"(leaf), "2"(0));
}

/* RAM by the machine's memory map, in pages. */
static uint64_t ram_pages(void)
{
	static uint8_t entries[64 * XEN_MEMORY_MAP_ENTRY_SIZE];
	struct xen_memory_map op = {.nr_entries = 64, .buffer = (uint64_t)entries};
	struct xen_memory_map_entry e;
	uint64_t pages = 0;

	hypercall(memory_op, XENMEM_machine_memory_map, &op);
	for (uint32_t i = 0; i < op.nr_entries; i++) {
		memcpy(&e, entries + i * XEN_MEMORY_MAP_ENTRY_SIZE, XEN_MEMORY_MAP_ENTRY_SIZE);
		if (e.type == XEN_E820_RAM)
			pages += e.size / PAGE_SIZE;
	}
	return pages;
}

static void memory(void)
{
	uint64_t ram = ram_pages();

	check("SYSCTL-PHYSINFO-1", info.total_pages <= ram + 256 && info.total_pages > ram * 9 / 10,
	      "total_pages is the RAM of the machine's memory map, but for a tenth at most");
	check("SYSCTL-PHYSINFO-2",
	      info.free_pages > 0 && info.free_pages < info.total_pages - domain_info(0).tot_pages,
	      "free_pages is less than total_pages without domain 0's");
	check("SYSCTL-PHYSINFO-3", info.outstanding_pages == 0, "outstanding_pages is 0");
	check("SYSCTL-PHYSINFO-4", info.scrub_pages <= info.free_pages, "scrub_pages is at most free_pages");
	check_eq("SYSCTL-PHYSINFO-5", info.max_mfn + 1, hypercall(memory_op, XENMEM_maximum_ram_page, 0),
		 "max_mfn is one less than maximum_ram_page gives");
	note("ram %lu total %lu free %lu scrub %lu max_mfn %lx", ram, info.total_pages, info.free_pages,
	     info.scrub_pages, info.max_mfn);
}

static void processors(void)
{
	uint32_t r[4], features[4];
	uint64_t mul = vcpu_info->time.tsc_to_system_mul, khz;
	int shift = vcpu_info->time.tsc_shift;

	khz = (uint64_t)(((unsigned __int128)1000000 << 32) / mul);
	khz = shift >= 0 ? khz >> shift : khz << -shift;
	cpuid(1, features);
	cpuid(0, r);
	check("SYSCTL-PHYSINFO-6", info.nr_cpus >= 1 && info.max_cpu_id + 1 >= info.nr_cpus,
	      "nr_cpus is at least 1, max_cpu_id the highest id");
	check("SYSCTL-PHYSINFO-7", info.threads_per_core >= 1 && info.cores_per_socket >= 1,
	      "threads_per_core and cores_per_socket are at least 1");
	check("SYSCTL-PHYSINFO-8", info.nr_nodes == 1, "a machine without NUMA is one node");
	check("SYSCTL-PHYSINFO-9", info.cpu_khz > khz - khz / 1000 && info.cpu_khz < khz + khz / 1000,
	      "cpu_khz is the TSC's frequency, as the guest's clock has it");
	check("SYSCTL-PHYSINFO-10", (features[3] & ~info.hw_cap[0] & ~(1u << 11)) == 0,
	      "hw_cap[0] has every feature that CPUID leaf 1 shows in edx, but sysenter");
	check("SYSCTL-PHYSINFO-11", info.capabilities & XEN_SYSCTL_PHYSCAP_pv, "capabilities has pv");
	check("SYSCTL-PHYSINFO-12", !(info.capabilities & XEN_SYSCTL_PHYSCAP_directio),
	      "capabilities has no directio on a machine without an IOMMU");
	check("SYSCTL-PHYSINFO-13", info.capabilities & XEN_SYSCTL_PHYSCAP_gnttab_v1,
	      "capabilities has grant tables of version 1");
	check("SYSCTL-PHYSINFO-14", info.capabilities & XEN_SYSCTL_PHYSCAP_gnttab_v2,
	      "capabilities has grant tables of version 2");
	note("cpus %u max %u khz %u (%lu) cap %x hw_cap %x %x %x edx %x ecx %x", info.nr_cpus,
	     info.max_cpu_id, info.cpu_khz, khz, info.capabilities, info.hw_cap[0], info.hw_cap[1],
	     info.hw_cap[2], features[3], features[2]);
}

static int64_t cpu_times(struct xen_sysctl_cpuinfo *to, uint32_t max, uint32_t *nr)
{
	struct xen_sysctl op = {.u.getcpuinfo = {.max_cpus = max, .info = (uint64_t)to}};
	int64_t r = sysctl(XEN_SYSCTL_getcpuinfo, &op);

	*nr = op.u.getcpuinfo.nr_cpus;
	return r;
}

static void idle_times(void)
{
	struct xen_sysctl_cpuinfo before[8] = {0}, after[8] = {0};
	uint32_t nr, none;
	int64_t r = cpu_times(before, 8, &nr);

	check("SYSCTL-CPUINFO-1", r == 0 && nr == info.nr_cpus, "getcpuinfo tells of every CPU");
	sleep_for(50000000);
	cpu_times(after, 8, &none);
	check("SYSCTL-CPUINFO-2",
	      after[0].idletime - before[0].idletime > 40000000 &&
		      after[0].idletime - before[0].idletime < 80000000,
	      "idletime grows by the time that no guest runs");
	check("SYSCTL-CPUINFO-3", cpu_times(before, 0, &none) == 0 && none == 0, "max_cpus 0 tells nothing");
	check_eq("SYSCTL-CPUINFO-4", cpu_times((void *)UNMAPPED, 8, &nr), -EFAULT,
		 "a buffer that cannot be written fails with -EFAULT");
}

static int64_t available(uint32_t min, uint32_t max, int32_t node, uint64_t *bytes)
{
	struct xen_sysctl op = {.u.availheap = {.min_bitwidth = min, .max_bitwidth = max, .node = node}};
	int64_t r = sysctl(XEN_SYSCTL_availheap, &op);

	*bytes = op.u.availheap.avail_bytes;
	return r;
}

static void heap(void)
{
	uint64_t all, some, node;
	int64_t r = available(0, 0, -1, &all);

	check("SYSCTL-HEAP-1", r == 0 && all == free_pages() * PAGE_SIZE,
	      "availheap of everything is free_pages in bytes");
	check("SYSCTL-HEAP-2", available(0, 32, -1, &some) == 0 && some <= all && some > 0,
	      "memory with addresses of 32 bits is at most all");
	check("SYSCTL-HEAP-3", available(0, 12, -1, &some) == 0 && some == 0, "there is none below 4 KiB");
	check("SYSCTL-HEAP-4", available(0, 0, 0, &node) == 0 && node == all, "node 0 has all of it");
	check("SYSCTL-HEAP-5", available(40, 0, -1, &some) == 0 && some == 0,
	      "there is none with addresses of 40 bits and more here");
}

static int64_t topology(struct xen_sysctl_cputopo *to, uint32_t room, uint32_t *num)
{
	struct xen_sysctl op = {.u.cputopoinfo = {.num_cpus = room, .cputopo = (uint64_t)to}};
	int64_t r = sysctl(XEN_SYSCTL_cputopoinfo, &op);

	*num = op.u.cputopoinfo.num_cpus;
	return r;
}

static void places(void)
{
	struct xen_sysctl_cputopo cpu[8];
	uint32_t num;
	int64_t r = topology(NULL, 0, &num);

	check("SYSCTL-TOPOLOGY-1", r == 0 && num == info.max_cpu_id + 1,
	      "without a buffer cputopoinfo tells how many CPU ids there are");
	memset(cpu, 0xee, sizeof(cpu));
	r = topology(cpu, 8, &num);
	check("SYSCTL-TOPOLOGY-2", r == 0 && num == info.max_cpu_id + 1,
	      "with one it tells how many it has filled");
	check("SYSCTL-TOPOLOGY-3", cpu[0].socket == 0 && cpu[0].node == 0, "CPU 0 is of socket 0 in node 0");
	check_eq("SYSCTL-TOPOLOGY-4", cpu[info.max_cpu_id + 1].core, 0xeeeeeeee,
		 "what is behind the last CPU is not written");
	check_eq("SYSCTL-TOPOLOGY-5", topology((void *)UNMAPPED, 8, &num), -EFAULT,
		 "a buffer that cannot be written fails with -EFAULT");
}

void test_main(void)
{
	struct xen_sysctl op = {0};

	common();
	check_eq("SYSCTL-PHYSINFO-15", sysctl(XEN_SYSCTL_physinfo, &op), 0, "physinfo succeeds");
	info = op.u.physinfo;
	memory();
	processors();
	idle_times();
	heap();
	places();
}
