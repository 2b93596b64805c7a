/* SPDX-License-Identifier: MIT */
/* createdomain: ids, limits, and what it refuses. */
#include "domain.h"

/* createdomain with one thing changed, at once destroyed again. */
static int64_t create_with(uint16_t wish, const struct xen_domctl_createdomain *arguments, uint16_t *id)
{
	struct xen_domctl op = {.u.createdomain = *arguments};
	int64_t r = domctl(XEN_DOMCTL_createdomain, wish, &op);

	*id = op.domain;
	return r;
}

static int64_t create_try(const struct xen_domctl_createdomain *arguments)
{
	uint16_t id;
	int64_t r = create_with(0, arguments, &id);

	if (!r)
		domain_destroy(id);
	return r;
}

#define try_with(field, value)                                                \
	({                                                                    \
		struct xen_domctl_createdomain c_ = createdomain_arguments(); \
		c_.field = (value);                                           \
		create_try(&c_);                                              \
	})

static void ids(void)
{
	struct xen_domctl_createdomain arguments = createdomain_arguments();
	uint16_t first, second, third, id;
	int64_t r = create_with(0, &arguments, &first);

	check("DOMCTL-CREATE-1", r == 0 && first > 0 && first < DOMID_FIRST_RESERVED,
	      "with domain 0 the new domain gets a free id, which is told in the structure");
	r = create_with(0, &arguments, &second);
	check("DOMCTL-CREATE-2", r == 0 && second == first + 1, "the next one gets the next id");
	domain_destroy(first);
	r = create_with(0, &arguments, &third);
	check("DOMCTL-CREATE-3", r == 0 && third == second + 1,
	      "an id that has become free is not used again before the others had their turn");
	check("DOMCTL-CREATE-4",
	      create_with(1234, &arguments, &id) == 0 && id == 1234 && domain_info(1234).domain == 1234,
	      "an id that is wished and free is given");
	check_eq("DOMCTL-CREATE-5", create_with(1234, &arguments, &id), -EEXIST,
		 "an id that exists fails with -EEXIST");
	check_eq("DOMCTL-CREATE-6", create_with(0, &arguments, &id) == 0 ? id : 0, third + 1,
		 "a wished id does not change which free id comes next");
	domain_destroy(id);
	r = create_with(DOMID_SELF, &arguments, &id);
	check("DOMCTL-CREATE-7", r == 0 && id == third + 2,
	      "an id from DOMID_FIRST_RESERVED up is as no wish");
	domain_destroy(id);
	r = create_with(0xffff, &arguments, &id);
	check("DOMCTL-CREATE-8", r == 0 && id == third + 3, "0xffff is as no wish");
	domain_destroy(id);
	domain_destroy(1234);
	domain_destroy(second);
	domain_destroy(third);
}

static void refused(void)
{
	uint64_t before = free_pages();

	check_eq("DOMCTL-CREATE-9", try_with(max_vcpus, 0), -EINVAL, "max_vcpus 0 fails with -EINVAL");
	check_eq("DOMCTL-CREATE-10", try_with(max_vcpus, 100000), -EINVAL,
		 "max_vcpus 100000 fails with -EINVAL");
	check_eq("DOMCTL-CREATE-11", try_with(flags, 1u << 31), -EINVAL,
		 "an unknown flag fails with -EINVAL");
	check_eq("DOMCTL-CREATE-12", try_with(flags, XEN_DOMCTL_CDF_hap), -EINVAL,
		 "hap without hvm fails with -EINVAL");
	check_eq("DOMCTL-CREATE-13", try_with(flags, XEN_DOMCTL_CDF_nested_virt), -EINVAL,
		 "nested_virt without hvm fails with -EINVAL");
	check("DOMCTL-CREATE-14", try_with(flags, XEN_DOMCTL_CDF_hvm) < 0,
	      "hvm with no devices that are emulated fails");
	check_eq("DOMCTL-CREATE-15", try_with(flags, XEN_DOMCTL_CDF_iommu), -EINVAL,
		 "iommu fails with -EINVAL on a machine without one");
	check_eq("DOMCTL-CREATE-16", try_with(iommu_opts, 1u << 31), -EINVAL,
		 "an unknown iommu_opts bit fails with -EINVAL");
	check_eq("DOMCTL-CREATE-17", try_with(arch.emulation_flags, 1u << 31), -EINVAL,
		 "an unknown bit of arch.emulation_flags fails with -EINVAL");
	check_eq("DOMCTL-CREATE-18", try_with(arch.emulation_flags, 1), -EOPNOTSUPP,
		 "emulating a local APIC for a paravirtual guest fails with -EOPNOTSUPP");
	check_eq("DOMCTL-CREATE-19", try_with(arch.misc_flags, 1u << 31), -EINVAL,
		 "an unknown bit of arch.misc_flags fails with -EINVAL");
	check_eq("DOMCTL-CREATE-20", try_with(grant_opts, 0), -EINVAL,
		 "grant_opts with version 0 fails with -EINVAL");
	check_eq("DOMCTL-CREATE-21", try_with(grant_opts, 3), -EINVAL,
		 "grant_opts with version 3 fails with -EINVAL");
	check_eq("DOMCTL-CREATE-22", try_with(grant_opts, 0x11), -EINVAL,
		 "an unknown bit of grant_opts fails with -EINVAL");
	check_eq("DOMCTL-CREATE-23", try_with(vmtrace_size, 4096), -EINVAL,
		 "a vmtrace_size fails with -EINVAL");
	check_eq("DOMCTL-CREATE-24", try_with(cpupool_id, 5), -ESRCH,
		 "a cpupool that does not exist fails with -ESRCH");
	check_eq("DOMCTL-CREATE-25", try_with(max_grant_frames, 1 << 20), -EINVAL,
		 "more grant frames than the hypervisor allows fail with -EINVAL");
	check_eq("DOMCTL-CREATE-26", try_with(max_maptrack_frames, 1 << 20), -EINVAL,
		 "more maptrack frames than the hypervisor allows fail with -EINVAL");
	sleep_for(20000000);
	check_eq("DOMCTL-CREATE-27", free_pages(), before, "what was refused has cost no memory");
}

static void accepted(void)
{
	check_eq("DOMCTL-CREATE-28", try_with(grant_opts, 2), 0, "grant_opts with version 2 succeeds");
	check_eq("DOMCTL-CREATE-29", try_with(max_vcpus, 32), 0, "max_vcpus 32 succeeds");
	check_eq("DOMCTL-CREATE-30", try_with(max_evtchn_port, 0xffffffff), 0,
		 "any max_evtchn_port succeeds");
	check_eq("DOMCTL-CREATE-31", try_with(max_grant_frames, 1), 0, "max_grant_frames 1 succeeds");
	check_eq("DOMCTL-CREATE-32", try_with(max_maptrack_frames, 0), 0, "max_maptrack_frames 0 succeeds");
	check_eq("DOMCTL-CREATE-33", try_with(ssidref, 12345), 0, "any ssidref succeeds");
	check_eq("DOMCTL-CREATE-34", try_with(flags, XEN_DOMCTL_CDF_xs_domain), 0, "flag xs_domain succeeds");
	check_eq("DOMCTL-CREATE-35", try_with(flags, XEN_DOMCTL_CDF_s3_integrity), -EINVAL,
		 "flag s3_integrity fails with -EINVAL on a machine without measured boot");
	check_eq("DOMCTL-CREATE-36", try_with(flags, XEN_DOMCTL_CDF_oos_off), 0,
		 "flag oos_off succeeds and means nothing");
	check_eq("DOMCTL-CREATE-37", try_with(arch.misc_flags, 1), 0, "misc_flags 1 (relaxed MSRs) succeeds");
}

void test_main(void)
{
	ids();
	refused();
	accepted();
}
