/* SPDX-License-Identifier: MIT */
/* Which hypervisor this is and what it offers; and the assists that a guest turns on. */
#include <abi/features.h>
#include <abi/version.h>
#include <abi/xen.h>
#include <boot.h>
#include <domain.h>
#include <hypercall.h>
#include <uaccess.h>
#include <version.h>

/* As they are copied out: whole, the rest zero. Who built it and when is left out: equal sources make equal images. */
static const char extraversion[XEN_EXTRAVERSION_LEN] = VERSION_EXTRA;
static const struct xen_compile_info compile_info = { .compiler = "gcc " __VERSION__ };
static const char capabilities[XEN_CAPABILITIES_INFO_LEN] = "xen-3.0-x86_64 ";
static const char changeset[XEN_CHANGESET_INFO_LEN];
static const char denied[XEN_COMMANDLINE_LEN] = "<denied>";
static const struct xen_platform_parameters parameters = { .virt_start = HV_START };
BUILD_ASSERT(sizeof(VERSION_EXTRA) <= XEN_EXTRAVERSION_LEN);
BUILD_ASSERT(MAX_CMDLINE == XEN_COMMANDLINE_LEN);

#define FEATURE(name) (1u << XENFEAT_##name)

static u32 features(const struct domain *d)
{
	u32 bits = FEATURE(mmu_pt_update_preserve_ad) | FEATURE(highmem_assist) | FEATURE(gnttab_map_avail_bits) |
		   FEATURE(memory_op_vnode_supported) | FEATURE(direct_mapped);

	if (vm_assist(d, VMASST_TYPE_pae_extended_cr3))
		bits |= FEATURE(pae_pgdir_above_4gb);
	if (d->privileged)
		bits |= FEATURE(dom0);
	return bits;
}

static long get_features(const struct domain *d, u64 buffer)
{
	struct xen_feature_info info;

	if (copy_from_guest(&info, buffer, sizeof(info)))
		return -EFAULT;
	if (info.submap_idx)
		return -EINVAL;
	info.submap = features(d);
	return copy_to_guest(buffer, &info, sizeof(info));
}

/* The image has none, but a buffer without room is told apart, as everywhere. */
static long build_id(u64 buffer)
{
	u32 length;

	if (!buffer)
		return -ENODATA;
	if (get_guest_u32(&length, buffer))
		return -EFAULT;
	return length ? -ENODATA : -EINVAL;
}

static __attribute__((noinline)) long version_text(const struct domain *d, u32 what, u64 buffer)
{
	switch (what) {
	case XENVER_extraversion:
		return copy_to_guest(buffer, extraversion, sizeof(extraversion));
	case XENVER_compile_info:
		return copy_to_guest(buffer, &compile_info, sizeof(compile_info));
	case XENVER_capabilities:
		return copy_to_guest(buffer, capabilities, sizeof(capabilities));
	case XENVER_changeset:
		return copy_to_guest(buffer, changeset, sizeof(changeset));
	case XENVER_platform_parameters:
		return copy_to_guest(buffer, &parameters, sizeof(parameters));
	case XENVER_get_features:
		return get_features(d, buffer);
	case XENVER_pagesize:
		return buffer ? -EINVAL : (long)PAGE_SIZE;
	case XENVER_guest_handle:
		return copy_to_guest(buffer, d->handle, sizeof(d->handle));
	case XENVER_commandline:
		return copy_to_guest(buffer, d->privileged ? boot_cmdline : denied, XEN_COMMANDLINE_LEN);
	case XENVER_build_id:
		return d->privileged ? build_id(buffer) : -EPERM;
	default:
		return -ENOSYS;
	}
}

long do_xen_version(u64 what, u64 buffer, u64 a3, u64 a4, u64 a5, struct vcpu *v)
{
	if (likely((u32)what == XENVER_version))
		return VERSION_NUMBER;
	return version_text(v->domain, what, buffer);
}

/* --- vm_assist -------------------------------------------------------------------------------------------- */

long do_vm_assist(u64 command, u64 type, u64 a3, u64 a4, u64 a5, struct vcpu *v)
{
	u64 bit;

	if ((u32)type >= 64 || !(VM_ASSISTS >> (u32)type & 1))
		return -EINVAL;
	bit = 1ull << (u32)type;
	switch (command) {
	case VMASST_CMD_enable:
		__atomic_or_fetch(&v->domain->vm_assist, bit, __ATOMIC_RELAXED);
		return 0;
	case VMASST_CMD_disable:
		__atomic_and_fetch(&v->domain->vm_assist, ~bit, __ATOMIC_RELAXED);
		return 0;
	default:
		return -ENOSYS;
	}
}
