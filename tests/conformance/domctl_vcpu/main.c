/* SPDX-License-Identifier: MIT */
/* vCPUs: how many, their registers set and got, what is told of them. */
#include "domain.h"

static struct vcpu_guest_context in __attribute__((aligned(4096))), out __attribute__((aligned(4096)));
static struct domain *d;

static void nothing(uint64_t argument)
{
	(void)argument;
}

static int64_t get_context(uint16_t id, uint32_t vcpu, void *to)
{
	return domctl_with(XEN_DOMCTL_getvcpucontext, id,
			   .u.vcpucontext = {.vcpu = vcpu, .ctxt = (uint64_t)to});
}

static int64_t vcpu_info_of(uint16_t id, uint32_t vcpu, struct xen_domctl_getvcpuinfo *info)
{
	struct xen_domctl op = {.u.getvcpuinfo.vcpu = vcpu};
	int64_t r = domctl(XEN_DOMCTL_getvcpuinfo, id, &op);

	*info = op.u.getvcpuinfo;
	return r;
}

static void max_vcpus(void)
{
	uint16_t id = (uint16_t)create_empty(2);
	struct xen_domctl_getvcpuinfo info;

	check_eq("DOMCTL-VCPUS-1", domain_max_vcpus(id, 1), -EINVAL,
		 "max below createdomain's max_vcpus fails with -EINVAL");
	check_eq("DOMCTL-VCPUS-2", domain_max_vcpus(id, 3), -EINVAL, "max above it fails with -EINVAL");
	check_eq("DOMCTL-VCPUS-3", vcpu_info_of(id, 0, &info), -ESRCH,
		 "before it getvcpuinfo fails with -ESRCH");
	check_eq("DOMCTL-VCPUS-4", get_context(id, 0, &out), -EINVAL,
		 "before it getvcpucontext fails with -EINVAL");
	check_eq("DOMCTL-VCPUS-5", set_context(id, 0, &in), -EINVAL,
		 "before it setvcpucontext fails with -EINVAL");
	check("DOMCTL-VCPUS-6", domain_max_vcpus(id, 2) == 0 && domain_info(id).max_vcpu_id == 1,
	      "the same number makes that many vCPUs");
	check_eq("DOMCTL-VCPUS-7", domain_max_vcpus(id, 2), 0, "doing it again succeeds");
	check_eq("DOMCTL-VCPUINFO-1", vcpu_info_of(id, 2, &info), -EINVAL,
		 "a vCPU at or above max_vcpus fails with -EINVAL");
	check("DOMCTL-VCPUINFO-2",
	      vcpu_info_of(id, 1, &info) == 0 && !info.online && !info.running && !info.cpu_time,
	      "a new vCPU is not online, not running, and has run for 0 ns");
	check_eq("DOMCTL-GETCTX-1", get_context(id, 0, &out), -ENODATA,
		 "before setvcpucontext getvcpucontext fails with -ENODATA");
	check_eq("DOMCTL-GETCTX-2", get_context(id, 2, &out), -EINVAL,
		 "a vCPU that does not exist fails with -EINVAL");
	domain_destroy(id);
}

static void refused(void)
{
	uint64_t l4 = d->l4_mfn << PAGE_SHIFT, foreign = boot_l4_mfn() << PAGE_SHIFT;

	check_eq("DOMCTL-SETCTX-1", set_context(d->id, 1, &in), -EINVAL,
		 "a vCPU that does not exist fails with -EINVAL");
	check_eq("DOMCTL-SETCTX-2", set_context(d->id, 0, (void *)UNMAPPED), -EFAULT,
		 "a context that cannot be read fails with -EFAULT");
	context_for(d, &in, nothing, 0);
	in.ctrlreg[3] = 0;
	check_eq("DOMCTL-SETCTX-3", set_context(d->id, 0, &in), -EINVAL,
		 "a kernel root of frame 0 fails with -EINVAL");
	in.ctrlreg[3] = foreign;
	check_eq("DOMCTL-SETCTX-4", set_context(d->id, 0, &in), -EINVAL,
		 "a kernel root of another domain fails with -EINVAL");
	in.ctrlreg[3] = d->mfn[PAGE_SIZE / 16] << PAGE_SHIFT;
	check_eq("DOMCTL-SETCTX-5", set_context(d->id, 0, &in), -EINVAL,
		 "a kernel root that is no L4 table fails with -EINVAL");
	in.ctrlreg[3] = l4;
	in.user_regs.rip = NON_CANONICAL;
	check_eq("DOMCTL-SETCTX-7", set_context(d->id, 0, &in), -EINVAL,
		 "a rip that is not canonical fails with -EINVAL");
	context_for(d, &in, nothing, 0);
	in.kernel_sp = NON_CANONICAL;
	check_eq("DOMCTL-SETCTX-8", set_context(d->id, 0, &in), -EINVAL,
		 "a kernel_sp that is not canonical fails with -EINVAL");
	context_for(d, &in, nothing, 0);
	in.fs_base = NON_CANONICAL;
	check_eq("DOMCTL-SETCTX-9", set_context(d->id, 0, &in), -EINVAL,
		 "an fs_base that is not canonical fails with -EINVAL");
	context_for(d, &in, nothing, 0);
	in.gdt_ents = 8192 + 1;
	check_eq("DOMCTL-SETCTX-10", set_context(d->id, 0, &in), -EINVAL,
		 "more GDT entries than there can be fail with -EINVAL");
	context_for(d, &in, nothing, 0);
	in.gdt_ents = 512;
	in.gdt_frames[0] = mfn_of(&in);
	check_eq("DOMCTL-SETCTX-11", set_context(d->id, 0, &in), -EINVAL,
		 "a GDT frame of another domain fails with -EINVAL");
	context_for(d, &in, nothing, 0);
	in.ldt_ents = 8193;
	check_eq("DOMCTL-SETCTX-12", set_context(d->id, 0, &in), -EINVAL,
		 "more LDT entries than there can be fail with -EINVAL");
	context_for(d, &in, nothing, 0);
	in.event_callback_eip = NON_CANONICAL;
	check_eq("DOMCTL-SETCTX-13", set_context(d->id, 0, &in), -EINVAL,
		 "an event callback that is not canonical fails with -EINVAL");
	check_eq("DOMCTL-SETCTX-14", get_context(d->id, 0, &out), -ENODATA,
		 "after what was refused there is still no context");
}

static void round_trip(void)
{
	struct cpu_user_regs *r = &in.user_regs;

	context_for(d, &in, nothing, 0);
	r->rax = 1, r->rbx = 2, r->rcx = 3, r->rdx = 4, r->rbp = 7, r->r8 = 8, r->r9 = 9, r->r10 = 10;
	r->r11 = 11, r->r12 = 12, r->r13 = 13, r->r14 = 14, r->r15 = 15;
	in.fs_base = 0x1000, in.gs_base_kernel = 0x2000, in.gs_base_user = 0x3000;
	in.event_callback_eip = (uint64_t)callback_event;
	in.failsafe_callback_eip = (uint64_t)callback_failsafe;
	in.syscall_callback_eip = (uint64_t)callback_syscall;
	in.trap_ctxt[3] = (struct trap_info){.vector = 3, .flags = 3, .cs = USER_CS, .address = trap_stub(3)};
	in.vm_assist = 0;
	r->rflags = 0x202 | 1 << 0;
	check_eq("DOMCTL-SETCTX-15", set_context(d->id, 0, &in), 0, "a good context is set");
	check_eq("DOMCTL-GETCTX-3", get_context(d->id, 0, &out), 0, "and can be got");
	r = &out.user_regs;
	check("DOMCTL-GETCTX-4",
	      r->rax == 1 && r->rbx == 2 && r->rcx == 3 && r->rdx == 4 && r->rbp == 7 && r->r8 == 8 &&
		      r->r9 == 9 && r->r10 == 10 && r->r11 == 11 && r->r12 == 12 && r->r13 == 13 &&
		      r->r14 == 14 && r->r15 == 15,
	      "the general registers are those set");
	check("DOMCTL-GETCTX-5",
	      r->rip == in.user_regs.rip && r->rsp == in.user_regs.rsp && r->rdi == in.user_regs.rdi &&
		      r->rsi == in.user_regs.rsi,
	      "rip, rsp, rdi and rsi are those set");
	check("DOMCTL-GETCTX-6", out.ctrlreg[3] == in.ctrlreg[3] && out.ctrlreg[1] == 0,
	      "the roots are those set");
	check("DOMCTL-GETCTX-7",
	      out.fs_base == 0x1000 && out.gs_base_kernel == 0x2000 && out.gs_base_user == 0x3000,
	      "the segment bases are those set");
	check("DOMCTL-GETCTX-8",
	      out.event_callback_eip == in.event_callback_eip &&
		      out.failsafe_callback_eip == in.failsafe_callback_eip &&
		      out.syscall_callback_eip == in.syscall_callback_eip,
	      "the callbacks are those set");
	check("DOMCTL-GETCTX-9",
	      out.trap_ctxt[3].address == trap_stub(3) && out.trap_ctxt[3].vector == 3 &&
		      (out.trap_ctxt[3].flags & 3) == 3,
	      "the trap table is the one set");
	check("DOMCTL-GETCTX-10", out.kernel_sp == in.kernel_sp && out.kernel_ss == (USER_SS | 3),
	      "the kernel stack is the one set");
	check("DOMCTL-GETCTX-11",
	      (out.flags & (VGCF_in_kernel | VGCF_online)) == (VGCF_in_kernel | VGCF_online),
	      "flags has in_kernel and online");
	check("DOMCTL-GETCTX-12", (r->rflags & 0x3201) == 0x201,
	      "rflags has IF set, the arithmetic flags set and IOPL 0");
	check("DOMCTL-GETCTX-13", (r->cs & 3) == 3 || (r->cs & 3) == 0,
	      "cs is a selector of the guest's kernel code");
	note("cs %x ss %x rflags %lx flags %lx kernel_ss %lx cr0 %lx cr4 %lx mask %x", r->cs, r->ss,
	     r->rflags, out.flags, out.kernel_ss, out.ctrlreg[0], out.ctrlreg[4], r->saved_upcall_mask);
	check_eq("DOMCTL-GETCTX-14", get_context(d->id, 0, (void *)UNMAPPED), -EFAULT,
		 "a context that cannot be written fails with -EFAULT");
	check("DOMCTL-SETCTX-16", domain_info(d->id).nr_online_vcpus == 1,
	      "with VGCF_online the vCPU is online");
}

static void again(void)
{
	int64_t r;

	context_for(d, &in, nothing, 0);
	in.user_regs.rbx = 0x77;
	r = set_context(d->id, 0, &in);
	get_context(d->id, 0, &out);
	check("DOMCTL-SETCTX-17", r == 0 && out.user_regs.rbx == 0x77,
	      "a context can be set again while the domain is paused");
	in.flags = VGCF_in_kernel;
	r = set_context(d->id, 0, &in);
	check("DOMCTL-SETCTX-18", r == 0 && domain_info(d->id).nr_online_vcpus == 0,
	      "without VGCF_online the vCPU is down");
	r = domctl_simple(XEN_DOMCTL_setvcpucontext, d->id);
	check("DOMCTL-SETCTX-19", r == 0 && get_context(d->id, 0, &out) == -ENODATA,
	      "a NULL context takes the context away: getvcpucontext fails with -ENODATA");
	check_eq("DOMCTL-SETCTX-20", domain_info(d->id).nr_online_vcpus, 0, "and the vCPU is down");
	check_eq("DOMCTL-SETCTX-21", run_code(d, nothing, 0), SHUTDOWN_poweroff,
		 "after that it can be set anew, and runs");
}

static void ran(void)
{
	struct xen_domctl_getvcpuinfo info;
	int64_t r = vcpu_info_of(d->id, 0, &info);

	check("DOMCTL-VCPUINFO-3", r == 0 && info.online && !info.running && info.cpu == 0,
	      "a vCPU whose domain has shut down is online, not running, and on a CPU that exists");
	check("DOMCTL-VCPUINFO-4", info.cpu_time > 0 && info.cpu_time <= domain_info(d->id).cpu_time,
	      "its cpu_time is what it ran, as getdomaininfo has it");
	r = vcpu_info_of(0, 0, &info);
	check("DOMCTL-VCPUINFO-5",
	      r == 0 && info.online && info.running && !info.blocked && info.cpu_time > 0,
	      "the caller is online, running and not blocked");
}

/* The last of all: Xen 4.17 keeps the kernel root when it refuses the user root, and the domain never goes.
 */
static void bad_user_root(void)
{
	d = make_domain(1);
	context_for(d, &in, nothing, 0);
	in.ctrlreg[1] = boot_l4_mfn() << PAGE_SHIFT;
	check_eq("DOMCTL-SETCTX-6", set_context(d->id, 0, &in), -EINVAL,
		 "a user root of another domain fails with -EINVAL");
}

void test_main(void)
{
	max_vcpus();
	d = make_domain(1);
	refused();
	round_trip();
	again();
	ran();
	destroy_domain(d);
	bad_user_root();
}
