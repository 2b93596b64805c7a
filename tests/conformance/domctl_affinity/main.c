/* SPDX-License-Identifier: MIT */
/* Where a vCPU may run and would best run, and the scheduler's parameters. */
#include "domain.h"

static uint8_t hard[32], soft[32];
static uint16_t id;

static int64_t affinity(uint32_t cmd, uint32_t vcpu, uint32_t flags, uint32_t bits)
{
	return domctl_with(cmd, id,
			   .u.vcpuaffinity = {.vcpu = vcpu,
					      .flags = flags,
					      .cpumap_hard = {.bitmap = (uint64_t)hard, .nr_bits = bits},
					      .cpumap_soft = {.bitmap = (uint64_t)soft, .nr_bits = bits}});
}

static int64_t set_hard(uint8_t bits)
{
	memset(hard, 0, sizeof(hard));
	hard[0] = bits;
	return affinity(XEN_DOMCTL_setvcpuaffinity, 0, XEN_VCPUAFFINITY_HARD, 64);
}

static int64_t get(uint32_t flags, uint32_t bits)
{
	memset(hard, 0x5a, sizeof(hard));
	memset(soft, 0x5a, sizeof(soft));
	return affinity(XEN_DOMCTL_getvcpuaffinity, 0, flags, bits);
}

static void getting(void)
{
	int64_t r = get(XEN_VCPUAFFINITY_HARD, 64);

	check("DOMCTL-AFFINITY-1", r == 0 && (hard[0] & 1), "the hard affinity of a new vCPU has CPU 0");
	check_eq("DOMCTL-AFFINITY-2", soft[0], 0x5a, "a map that is not asked for is not written");
	check_eq("DOMCTL-AFFINITY-3", hard[8], 0x5a, "bytes behind nr_bits are not written");
	r = get(XEN_VCPUAFFINITY_SOFT, 64);
	check("DOMCTL-AFFINITY-4", r == 0 && (soft[0] & 1) && hard[0] == 0x5a,
	      "the soft affinity of a new vCPU has CPU 0");
	r = get(XEN_VCPUAFFINITY_HARD, 3);
	check("DOMCTL-AFFINITY-5", r == 0 && (hard[0] & ~7) == 0 && hard[1] == 0x5a,
	      "with 3 bits one byte is written, its bits above the third clear");
	r = get(XEN_VCPUAFFINITY_HARD, 13);
	check("DOMCTL-AFFINITY-6", r == 0 && (hard[1] & 0xe0) == 0 && hard[2] == 0x5a,
	      "with 13 bits two bytes are written");
	r = get(XEN_VCPUAFFINITY_HARD, 0);
	check("DOMCTL-AFFINITY-7", r == 0 && hard[0] == 0x5a, "with 0 bits nothing is written");
	check_eq("DOMCTL-AFFINITY-8", get(0, 64), -EINVAL, "getting neither map fails with -EINVAL");
	check_eq("DOMCTL-AFFINITY-9", affinity(XEN_DOMCTL_getvcpuaffinity, 1, XEN_VCPUAFFINITY_HARD, 64),
		 -EINVAL, "a vCPU at or above max_vcpus fails with -EINVAL");
}

static void setting(void)
{
	int64_t r = set_hard(1);

	get(XEN_VCPUAFFINITY_HARD, 64);
	check("DOMCTL-AFFINITY-10", r == 0 && hard[0] == 1 && hard[1] == 0,
	      "a hard affinity that is set is told");
	check_eq("DOMCTL-AFFINITY-11", set_hard(0), -EINVAL, "an empty hard affinity fails with -EINVAL");
	check_eq("DOMCTL-AFFINITY-12", set_hard(2), -EINVAL,
		 "a hard affinity of CPUs that are not online fails with -EINVAL");
	get(XEN_VCPUAFFINITY_HARD, 64);
	check_eq("DOMCTL-AFFINITY-13", hard[0], 1, "what was refused has changed nothing");
	r = set_hard(0xff);
	check("DOMCTL-AFFINITY-14", r == 0 && hard[0] == 1,
	      "on return the map has the CPUs of it that are online");
	check_eq("DOMCTL-AFFINITY-15", affinity(XEN_DOMCTL_setvcpuaffinity, 0, 0, 64), -EINVAL,
		 "setting neither map fails with -EINVAL");
	hard[0] = 1;
	check_eq("DOMCTL-AFFINITY-16", affinity(XEN_DOMCTL_setvcpuaffinity, 1, XEN_VCPUAFFINITY_HARD, 64),
		 -EINVAL, "a vCPU at or above max_vcpus fails with -EINVAL");
	soft[0] = 1;
	check_eq("DOMCTL-AFFINITY-17",
		 affinity(XEN_DOMCTL_setvcpuaffinity, 0, XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT, 64),
		 0, "both maps can be set at once");
	check_eq("DOMCTL-AFFINITY-18",
		 domctl_with(XEN_DOMCTL_setvcpuaffinity, id,
			     .u.vcpuaffinity = {.flags = XEN_VCPUAFFINITY_HARD,
						.cpumap_hard = {.bitmap = UNMAPPED, .nr_bits = 64}}),
		 -EFAULT, "a map that cannot be read fails with -EFAULT");
	check_eq("DOMCTL-AFFINITY-19",
		 get(XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT, 64) == 0 ? soft[0] & 1 : -1, 1,
		 "both maps can be got at once");
}

static int64_t scheduler(uint16_t who, uint32_t sched, uint32_t cmd, struct xen_domctl_sched_credit2 *p)
{
	struct xen_domctl op = {.u.scheduler_op = {.sched_id = sched, .cmd = cmd, .u.credit2 = *p}};
	int64_t r = domctl(XEN_DOMCTL_scheduler_op, who, &op);

	*p = op.u.scheduler_op.u.credit2;
	return r;
}

static void parameters(void)
{
	struct xen_sysctl op = {0};
	struct xen_domctl_sched_credit2 p = {9, 9};
	uint32_t sched, other;
	int64_t r;

	sysctl(XEN_SYSCTL_sched_id, &op);
	sched = op.u.sched_id.sched_id;
	other = sched == XEN_SCHEDULER_CREDIT ? XEN_SCHEDULER_CREDIT2 : XEN_SCHEDULER_CREDIT;
	r = scheduler(id, sched, XEN_DOMCTL_SCHEDOP_getinfo, &p);
	check("DOMCTL-SCHED-1", r == 0 && p.weight == 256, "the weight of a new domain is 256");
	check("DOMCTL-SCHED-2", r == 0 && p.cap == 0, "its cap is 0: none");
	p = (struct xen_domctl_sched_credit2){512, 50};
	r = scheduler(id, sched, XEN_DOMCTL_SCHEDOP_putinfo, &p);
	p = (struct xen_domctl_sched_credit2){0};
	scheduler(id, sched, XEN_DOMCTL_SCHEDOP_getinfo, &p);
	check("DOMCTL-SCHED-3", r == 0 && p.weight == 512, "a weight that is set is told");
	check("DOMCTL-SCHED-4", r == 0 && p.cap == 50, "a cap that is set is told");
	p = (struct xen_domctl_sched_credit2){0, 60};
	scheduler(id, sched, XEN_DOMCTL_SCHEDOP_putinfo, &p);
	scheduler(id, sched, XEN_DOMCTL_SCHEDOP_getinfo, &p);
	check("DOMCTL-SCHED-5", p.weight == 512 && p.cap == 60, "weight 0 leaves the weight as it is");
	p = (struct xen_domctl_sched_credit2){512, 0};
	scheduler(id, sched, XEN_DOMCTL_SCHEDOP_putinfo, &p);
	scheduler(id, sched, XEN_DOMCTL_SCHEDOP_getinfo, &p);
	check_eq("DOMCTL-SCHED-6", p.cap, 0, "cap 0 ends the cap");
	p = (struct xen_domctl_sched_credit2){0};
	scheduler(0, sched, XEN_DOMCTL_SCHEDOP_getinfo, &p);
	check_eq("DOMCTL-SCHED-7", p.weight, 256, "domain 0 has weight 256 too, and may be asked about");
	check_eq("DOMCTL-SCHED-8", scheduler(id, other, XEN_DOMCTL_SCHEDOP_getinfo, &p), -EINVAL,
		 "the id of another scheduler fails with -EINVAL");
	check_eq("DOMCTL-SCHED-9", scheduler(id, sched, 99, &p), -EINVAL,
		 "an unknown cmd of scheduler_op fails with -EINVAL");
	check("SYSCTL-SCHED-1", sched == XEN_SCHEDULER_CREDIT || sched == XEN_SCHEDULER_CREDIT2,
	      "sched_id is credit or credit2");
	note("scheduler %u", sched);
}

void test_main(void)
{
	id = (uint16_t)create_empty(1);
	check_eq("DOMCTL-AFFINITY-20", affinity(XEN_DOMCTL_getvcpuaffinity, 0, XEN_VCPUAFFINITY_HARD, 64),
		 -ESRCH, "before max_vcpus it is -ESRCH");
	domain_max_vcpus(id, 1);
	getting();
	setting();
	parameters();
	domain_destroy(id);
}
