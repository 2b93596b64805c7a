/* SPDX-License-Identifier: MIT */
/*
 * xen_version says which hypervisor this is. Numbers come back in rax; strings and structures
 * through a pointer, exactly as many bytes as the sub-operation's answer has.
 */
#include "guest.h"
#include <abi/features.h>

static char buffer[2048] __attribute__((aligned(8)));

/* The call succeeds and writes `size` bytes of the buffer and none behind. */
static bool answers(unsigned int cmd, size_t size)
{
	bool first = false;

	memset(buffer, 0xee, sizeof(buffer));
	if (hypercall(xen_version, cmd, buffer))
		return false;
	for (size_t i = size; i < sizeof(buffer); i++)
		if ((uint8_t)buffer[i] != 0xee)
			return false;
	for (size_t i = 0; i < size; i++)
		first = first || (uint8_t)buffer[i] != 0xee;
	return first;
}

static bool has_word(const char *word)
{
	size_t n = strlen(word);

	for (const char *p = buffer; *p; p++)
		if ((p == buffer || p[-1] == ' ') && strncmp(p, word, n) == 0 &&
		    (p[n] == 0 || p[n] == ' '))
			return true;
	return false;
}

static bool compile_info_terminated(void)
{
	struct xen_compile_info *info = (struct xen_compile_info *)buffer;

	return strlen(info->compiler) < 64 && strlen(info->compile_by) < 16 &&
	       strlen(info->compile_domain) < 32 && strlen(info->compile_date) < 32;
}

static void texts(void)
{
	check("VER-2", answers(XENVER_extraversion, 16) && strlen(buffer) < 16,
	      "extraversion: a string in 16 bytes");
	check("VER-6", answers(XENVER_compile_info, 144) && compile_info_terminated(),
	      "compile_info: four strings in 144 bytes");
	check("VER-3", answers(XENVER_capabilities, 1024) && has_word("xen-3.0-x86_64"),
	      "capabilities name xen-3.0-x86_64");
	check("VER-4", answers(XENVER_changeset, 64) && strlen(buffer) < 64,
	      "changeset: a string in 64 bytes");
	check("VER-17", answers(XENVER_guest_handle, 16), "guest_handle: 16 bytes");
	check("VER-5", answers(XENVER_commandline, 1024) && strlen(buffer) < 1024,
	      "commandline: a string in 1024 bytes");
}

static uint32_t features(void)
{
	struct xen_feature_info info = { .submap_idx = 0 };

	return hypercall(xen_version, XENVER_get_features, &info) || info.submap_idx ? 0 : info.submap;
}

static void feature_bits(void)
{
	struct xen_feature_info info = { .submap_idx = 1, .submap = 0xdead };
	uint32_t must = 1 << XENFEAT_mmu_pt_update_preserve_ad | 1 << XENFEAT_gnttab_map_avail_bits;
	uint32_t never = 1 << XENFEAT_writable_page_tables | 1 << XENFEAT_writable_descriptor_tables |
			 1 << XENFEAT_auto_translated_physmap | 1 << XENFEAT_supervisor_mode_kernel;
	uint32_t off, on;

	check("VER-7", features() != 0, "features 0 to 31 are given, submap_idx is kept");
	check_eq("VER-8", features() & must, must,
		 "mmu_pt_update_preserve_ad and gnttab_map_avail_bits are set");
	check("VER-10", features() >> XENFEAT_dom0 & 1, "domain 0 has dom0 set");
	check_eq("VER-9", features() & never, 0,
		 "writable tables, translation and supervisor mode are not");
	check_eq("VER-11", hypercall(xen_version, XENVER_get_features, &info), -EINVAL,
		 "an index above 0 is refused");
	check_eq("VER-12", info.submap, 0xdead, "and leaves submap as it was");
	check("VER-29",
	      (features() >> XENFEAT_memory_op_vnode_supported & 1) &&
		      (features() >> XENFEAT_direct_mapped & 1) &&
		      !(features() >> XENFEAT_not_direct_mapped & 1),
	      "vnode and direct_mapped are set, not_direct_mapped is not");
	off = features();
	hypercall(vm_assist, VMASST_CMD_enable, VMASST_TYPE_pae_extended_cr3);
	on = features();
	check("VER-30",
	      !(off >> XENFEAT_pae_pgdir_above_4gb & 1) && (on >> XENFEAT_pae_pgdir_above_4gb & 1),
	      "pae_pgdir_above_4gb goes with the assist pae_extended_cr3");
}

static void numbers(void)
{
	check_eq("VER-1", hypercall(xen_version, XENVER_version, 0), 0x40011, "version is 4.17");
	check_eq("VER-23", hypercall(xen_version, XENVER_version, NON_CANONICAL), 0x40011,
		 "version does not look at the buffer");
	check_eq("VER-28", hypercall(xen_version, 1UL << 32, 0), 0x40011,
		 "the upper half of the number is ignored");
	check("VER-13", answers(XENVER_platform_parameters, 8), "platform_parameters: 8 bytes");
	check_eq("VER-14", *(uint64_t *)buffer, HYPERVISOR_VIRT_START,
		 "virt_start is the begin of the reserved range");
	check_eq("VER-15", hypercall(xen_version, XENVER_pagesize, 0), 4096, "pagesize is 4096");
	check_eq("VER-16", hypercall(xen_version, XENVER_pagesize, buffer), -EINVAL,
		 "pagesize takes no buffer");
}

static void build_id(void)
{
	int64_t length = hypercall(xen_version, XENVER_build_id, 0), r;

	check("VER-25", length == -ENODATA || (length >= 1 && length <= 64),
	      "build_id with NULL gives its length (%ld)", length);
	*(uint32_t *)buffer = 0;
	check_eq("VER-26", hypercall(xen_version, XENVER_build_id, buffer), -EINVAL,
		 "build_id into 0 bytes");
	*(uint32_t *)buffer = 1;
	r = hypercall(xen_version, XENVER_build_id, buffer);
	check("VER-27", r == (length == -ENODATA ? -ENODATA : -ENOBUFS), "build_id into 1 byte (%ld)",
	      r);
}

static void refusals(void)
{
	static const unsigned int with_buffer[] = { 1, 2, 3, 4, 5, 8, 9 };
	char *readonly = page_alloc();
	bool hypervisor = hypercall(xen_version, XENVER_get_features, MACH2PHYS_VIRT_START) == -EFAULT,
	     written = true;

	make_readonly(readonly);
	for (size_t i = 0; i < ARRAY_SIZE(with_buffer); i++) {
		hypervisor = hypervisor &&
			     hypercall(xen_version, with_buffer[i], MACH2PHYS_VIRT_START) == -EFAULT;
		written = written && hypercall(xen_version, with_buffer[i], readonly) == -EFAULT;
	}
	check_eq("VER-19", hypercall(xen_version, XENVER_extraversion, UNMAPPED), -EFAULT,
		 "a buffer at an unmapped address");
	check_eq("VER-21", hypercall(xen_version, XENVER_extraversion, NON_CANONICAL), -EFAULT,
		 "a buffer at a non-canonical address");
	check_eq("VER-22",
		 hypercall(xen_version, XENVER_capabilities, (char *)page_before_hole() + 4000), -EFAULT,
		 "a buffer that runs into an unmapped page");
	check("VER-20", hypervisor, "a buffer in the hypervisor's range is -EFAULT for each");
	check("VER-24", written, "a buffer in a read-only page is -EFAULT for each");
	check("VER-18",
	      hypercall(xen_version, 11, buffer) == -ENOSYS &&
		      hypercall(xen_version, 0xffffffff, 0) == -ENOSYS,
	      "sub-operations above 10 are -ENOSYS");
}

void test_main(void)
{
	numbers();
	texts();
	feature_bits();
	build_id();
	refusals();
}
