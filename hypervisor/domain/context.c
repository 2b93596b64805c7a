/* SPDX-License-Identifier: MIT */
/*
 * A vCPU's whole state, taken from a struct vcpu_guest_context and given back as one. A vCPU keeps for life the tables (page-table
 * roots, GDT, LDT) that it was initialised with, as far as others than itself are concerned.
 */
#include <abi/vcpu.h>
#include <asm.h>
#include <context.h>
#include <cpu.h>
#include <domain.h>
#include <emulate.h>
#include <frames.h>
#include <string.h>
#include <uaccess.h>

/* --- in ------------------------------------------------------------------------------------------------------- */

static bool addresses_ok(const struct vcpu_guest_context *c)
{
	for (int i = 0; i < 256; i++)
		if (!address_canonical(c->trap_ctxt[i].address))
			return false;
	return address_canonical(c->user_regs.rip) && address_canonical(c->user_regs.rsp) && address_canonical(c->kernel_sp) &&
	       (!c->ldt_ents || address_canonical(c->ldt_base)) && address_canonical(c->event_callback_eip) &&
	       address_canonical(c->failsafe_callback_eip) && address_canonical(c->syscall_callback_eip) &&
	       address_canonical(c->fs_base) && address_canonical(c->gs_base_kernel) && address_canonical(c->gs_base_user);
}

static bool context_ok(const struct vcpu_guest_context *c)
{
	return addresses_ok(c) && c->gdt_ents <= FIRST_RESERVED_GDT_ENTRY && c->ldt_ents <= 8192 &&
	       !(c->debugreg[6] >> 32) && !(c->debugreg[7] >> 32) &&
	       ((c->flags & VGCF_in_kernel) || c->ctrlreg[1] >> PAGE_SHIFT);
}

static void drop_tables(struct vcpu *v)
{
	set_ldt(v, 0, 0);
	set_gdt(v, NULL, 0);
	mmu_install_user_l4(v, 0);
}

/* What can still fail: the references that the tables need. All or none. */
static int set_tables(struct vcpu *v, const struct vcpu_guest_context *c)
{
	if (set_ldt(v, c->ldt_ents ? c->ldt_base : 0, c->ldt_ents))
		return -EINVAL;
	if (!set_gdt(v, c->gdt_frames, c->gdt_ents) && !mmu_install_user_l4(v, c->ctrlreg[1] >> PAGE_SHIFT) &&
	    !mmu_install_kernel_l4(v, c->ctrlreg[3] >> PAGE_SHIFT))
		return 0;
	drop_tables(v);
	return -EINVAL;
}

static void set_entries(struct vcpu *v, const struct vcpu_guest_context *c)
{
	for (int i = 0; i < 256; i++) {
		v->trap_address[i] = c->trap_ctxt[i].address;
		v->trap_flags[i] = c->trap_ctxt[i].flags & (TI_DPL_MASK | TI_MASK_EVENTS);
	}
	v->event = (struct callback) { c->event_callback_eip, true };
	v->failsafe = (struct callback) { c->failsafe_callback_eip, c->flags & VGCF_failsafe_disables_events };
	v->syscall = (struct callback) { c->syscall_callback_eip, c->flags & VGCF_syscall_disables_events };
	v->kernel_ss = c->kernel_ss | 3;
	v->kernel_sp = c->kernel_sp;
}

static void set_registers(struct vcpu *v, const struct vcpu_guest_context *c)
{
	bool kernel = c->flags & VGCF_in_kernel;
	u64 choice = CR4_TSD | CR4_DE | (cpu_has.fsgsbase ? CR4_FSGSBASE : 0);

	v->regs = c->user_regs;
	v->regs.cs |= 3;
	v->regs.ss |= 3;
	v->regs.rflags &= ~(FLAGS_IOPL | FLAGS_NT | FLAGS_RF | FLAGS_VM | ~0x3fffffull);
	v->regs.rflags |= FLAGS_IF | 2;
	v->regs.saved_upcall_mask = 0;
	v->iopl = c->user_regs.rflags >> 12 & 3;
	v->kernel_mode = kernel;
	v->fs_base = c->fs_base;
	v->gs_base = kernel ? c->gs_base_kernel : c->gs_base_user;
	v->gs_other_base = kernel ? c->gs_base_user : c->gs_base_kernel;
	v->ts = c->ctrlreg[0] & CR0_TS;
	v->cr4 = (v->cr4 & ~choice) | (c->ctrlreg[4] & choice);
	fpu_load_context(v, c->flags & VGCF_i387_valid ? &c->fpu_ctxt : NULL);
	/* A breakpoint that is refused stays off. */
	for (int i = 0; i < 8; i++)
		if (i != 4 && i != 5)
			debugreg_set(v, i, c->debugreg[i]);
}

/* What the tables of an initialised vCPU are, in the context's form. */
static void get_tables(const struct vcpu *v, struct vcpu_guest_context *c)
{
	c->ldt_base = v->ldt_base;
	c->ldt_ents = v->ldt_entries;
	c->gdt_ents = v->gdt_entries;
	for (unsigned i = 0; i < (v->gdt_entries + 511u) / 512; i++)
		c->gdt_frames[i] = v->gdt_frames[i];
	c->ctrlreg[1] = v->user_cr3;
	c->ctrlreg[3] = v->kernel_cr3;
}

static bool same_tables(const struct vcpu *v, const struct vcpu_guest_context *c)
{
	if (c->ctrlreg[3] != v->kernel_cr3 || c->ctrlreg[1] != v->user_cr3 || (!v->user_cr3 && !(c->flags & VGCF_in_kernel)))
		return false;
	if (c->gdt_ents != v->gdt_entries || c->ldt_ents != v->ldt_entries || (c->ldt_ents && c->ldt_base != v->ldt_base))
		return false;
	for (unsigned i = 0; i < (v->gdt_entries + 511u) / 512; i++)
		if (c->gdt_frames[i] != v->gdt_frames[i])
			return false;
	return true;
}

int vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *c)
{
	int error = 0;

	if (!context_ok(c))
		return -EINVAL;
	if (!v->initialised)
		error = set_tables(v, c);
	else if (!same_tables(v, c))
		error = -EOPNOTSUPP;
	if (error)
		return error;
	if (!v->initialised && !v->id)
		v->domain->vm_assist = c->vm_assist & VM_ASSISTS;
	set_entries(v, c);
	set_registers(v, c);
	vcpu_restart(v);
	v->initialised = true;
	return 0;
}

void vcpu_drop_tables(struct vcpu *v)
{
	maddr_t root = v->kernel_cr3;

	drop_tables(v);
	v->kernel_cr3 = 0;
	if (root)
		put_frame_type(root >> PAGE_SHIFT);
	v->initialised = v->claimed = false;
}

/* --- out ------------------------------------------------------------------------------------------------------ */

static void get_entries(const struct vcpu *v, struct vcpu_guest_context *c)
{
	for (int i = 0; i < 256; i++) {
		struct trap_info trap = { i, v->trap_flags[i], FLAT_KERNEL_CS, v->trap_address[i] };

		if (v->trap_address[i])
			c->trap_ctxt[i] = trap;
	}
	c->event_callback_eip = v->event.address;
	c->failsafe_callback_eip = v->failsafe.address;
	c->syscall_callback_eip = v->syscall.address;
	if (v->failsafe.mask_events)
		c->flags |= VGCF_failsafe_disables_events;
	if (v->syscall.mask_events)
		c->flags |= VGCF_syscall_disables_events;
	c->kernel_ss = v->kernel_ss;
	c->kernel_sp = v->kernel_sp;
}

static void get_registers(const struct vcpu *v, struct vcpu_guest_context *c)
{
	bool kernel = v->kernel_mode;

	c->user_regs = v->regs;
	c->user_regs.rflags |= (u64)v->iopl << 12;
	c->user_regs.saved_upcall_mask = v->info->evtchn_upcall_mask;
	c->flags |= kernel ? VGCF_in_kernel : 0;
	c->fs_base = v->fs_base;
	c->gs_base_kernel = kernel ? v->gs_base : v->gs_other_base;
	c->gs_base_user = kernel ? v->gs_other_base : v->gs_base;
	c->ctrlreg[0] = GUEST_CR0 | (v->ts ? CR0_TS : 0);
	c->ctrlreg[4] = v->cr4;
	for (int i = 0; i < 8; i++)
		if (i != 4 && i != 5)
			c->debugreg[i] = v->dr[i];
	memcpy(&c->fpu_ctxt, v->xsave, sizeof(c->fpu_ctxt));
	c->flags |= VGCF_i387_valid;
}

void vcpu_get_context(const struct vcpu *v, struct vcpu_guest_context *c)
{
	get_tables(v, c);
	get_entries(v, c);
	get_registers(v, c);
	c->flags |= v->online ? VGCF_online : 0;
	c->vm_assist = v->domain->vm_assist;
}
