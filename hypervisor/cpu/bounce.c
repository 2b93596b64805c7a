/* SPDX-License-Identifier: MIT */
/*
 * Putting the guest's own handler in the way: the frame that the ABI has the hypervisor push on the
 * guest kernel's stack, and the hypercall that undoes it.
 *
 *   higher   ss
 *            rsp
 *            rflags     IF is !mask
 *            cs         RPL 0 if it was kernel mode; bits 39:32 the upcall mask before
 *            rip
 *           [error code]
 *            r11
 *   rsp ->   rcx
 *
 * The hardware's frame would be the same without the two lowest words and the mask.
 */
#include <asm.h>
#include <console.h>
#include <cpu.h>
#include <domain.h>
#include <entry.h>
#include <uaccess.h>

#define FLAGS_CLEARED_ON_ENTRY (FLAGS_TF | FLAGS_RF | FLAGS_NT | FLAGS_AC | FLAGS_VM)

static inline void load_root(struct vcpu *v, struct cpu *c, maddr_t root)
{
	if (root != c->cr3) {
		c->cr3 = root;
		v->counters[COUNT_CR3_LOAD]++;
		write_cr3(root);
	}
}

/* User and kernel exchange GS bases as by SWAPGS, and each has its own page tables and its own meaning of SYSCALL. */
static inline void enter_kernel_mode(struct vcpu *v)
{
	struct cpu *c = v->cpu;

	v->kernel_mode = true;
	swapgs();
	cpu_enter_mode(c, true);
	load_root(v, c, v->kernel_cr3);
}

static inline void enter_user_mode(struct vcpu *v)
{
	struct cpu *c = v->cpu;

	v->kernel_mode = false;
	swapgs();
	cpu_enter_mode(c, false);
	load_root(v, c, v->user_cr3);
}

static __attribute__((noinline, cold)) void bounce_failed(struct vcpu *v, u64 handler, u64 sp)
{
	if (!handler)
		domain_crash(v->domain, "vCPU %d: no handler for what happened at rip %#lx", v->id, v->regs.rip);
	else
		domain_crash(v->domain, "vCPU %d: no stack at %#lx for the handler at %#lx", v->id, sp, handler);
}

/*
 * Builds the frame on the stack at sp and makes the handler run next. mask: the upcall mask to save. extra: words between r11
 * and rip, the first lowest. Inlined where the counts are constants, so that each use is straight code.
 */
static inline __attribute__((always_inline)) void
push_frame(struct vcpu *v, u64 handler, bool mask_events, u64 mask, const u64 *extra, int extras, u64 sp, u64 cs)
{
	struct cpu_user_regs *r = &v->regs;
	u64 flags = r->rflags;

	if (mask)
		flags &= ~FLAGS_IF;
	if (unlikely(vm_assist(v->domain, VMASST_TYPE_architectural_iopl)))
		flags |= (u64)v->iopl << 12;
	sp = (sp & ~15ul) - 8 * (7 + extras);
	if (unlikely(!guest_address_ok(sp) || !handler))
		goto bad;

	user_access_begin();
	raw_put_u64(r->rcx, sp, fault);
	raw_put_u64(r->r11, sp + 8, fault);
	for (int i = 0; i < extras; i++)
		raw_put_u64(extra[i], sp + 16 + 8 * i, fault);
	raw_put_u64(r->rip, sp + 16 + 8 * extras, fault);
	raw_put_u64(cs | mask << 32, sp + 24 + 8 * extras, fault);
	raw_put_u64(flags, sp + 32 + 8 * extras, fault);
	raw_put_u64(r->rsp, sp + 40 + 8 * extras, fault);
	raw_put_u64(r->ss, sp + 48 + 8 * extras, fault);
	user_access_end();

	r->rip = handler;
	*(u64 *)&r->cs = FLAT_KERNEL_CS;
	r->rflags &= ~FLAGS_CLEARED_ON_ENTRY;
	r->rsp = sp;
	*(u64 *)&r->ss = FLAT_KERNEL_SS;
	if (mask_events)
		v->info->evtchn_upcall_mask = 1;
	return;
fault:
	user_access_end();
bad:
	bounce_failed(v, handler, sp);
}

static inline __attribute__((always_inline)) void
bounce_from_kernel(struct vcpu *v, u64 handler, bool mask_events, u64 mask, const u64 *extra, int extras)
{
	push_frame(v, handler, mask_events, mask, extra, extras, v->regs.rsp, v->regs.cs & ~3ul);
}

static inline __attribute__((always_inline)) void
bounce_from_user(struct vcpu *v, u64 handler, bool mask_events, u64 mask, const u64 *extra, int extras)
{
	enter_kernel_mode(v);
	push_frame(v, handler, mask_events, mask, extra, extras, v->kernel_sp, v->regs.cs);
}

static inline __attribute__((always_inline)) void
bounce(struct vcpu *v, u64 handler, bool mask_events, u64 mask, const u64 *extra, int extras)
{
	if (v->kernel_mode)
		bounce_from_kernel(v, handler, mask_events, mask, extra, extras);
	else
		bounce_from_user(v, handler, mask_events, mask, extra, extras);
}

static inline u64 upcall_mask(const struct vcpu *v)
{
	return READ_ONCE(v->info->evtchn_upcall_mask);
}

void bounce_plain(struct vcpu *v, unsigned vector)
{
	v->counters[EXIT_BOUNCED]++;
	bounce(v, v->trap_address[vector], v->trap_flags[vector] & TI_MASK_EVENTS, upcall_mask(v), NULL, 0);
}

void bounce_error(struct vcpu *v, unsigned vector, u64 error_code)
{
	v->counters[EXIT_BOUNCED]++;
	bounce(v, v->trap_address[vector], v->trap_flags[vector] & TI_MASK_EVENTS, upcall_mask(v), &error_code, 1);
}

void bounce_exception(struct vcpu *v, int vector, u64 error_code)
{
	if (error_code == NO_ERROR_CODE)
		bounce_plain(v, vector);
	else
		bounce_error(v, vector, error_code);
}

void bounce_gp(struct vcpu *v, u64 error_code)
{
	bounce_error(v, VECTOR_GP, error_code);
}

void bounce_page_fault(struct vcpu *v, u64 address, u64 error_code)
{
	v->info->arch.cr2 = address;
	bounce_error(v, VECTOR_PF, error_code);
}

/* The mask was just seen clear, and it is what the frame says. */
void bounce_upcall(struct vcpu *v)
{
	v->counters[EXIT_UPCALL]++;
	bounce(v, v->event.address, true, 0, NULL, 0);
}

/* Taken once, then held back until the handler's iret. Nobody is there to take one without a handler. */
void bounce_nmi(struct vcpu *v)
{
	if (!v->trap_address[VECTOR_NMI])
		return;
	v->nmi_masked = true;
	bounce(v, v->trap_address[VECTOR_NMI], v->trap_flags[VECTOR_NMI] & TI_MASK_EVENTS, upcall_mask(v), NULL, 0);
}

/* A segment register's selector was refused: the handler gets all four data selectors to look at. */
void bounce_failsafe(struct vcpu *v)
{
	const struct cpu_user_regs *r = &v->regs;
	u64 selectors[4] = { r->ds, r->es, r->fs, r->gs };

	bounce(v, v->failsafe.address, v->failsafe.mask_events, upcall_mask(v), selectors, 4);
}

/* int $0x80, the one software interrupt with a gate of its own. Refused where the guest's gate is not for that mode. */
void trap_int80(struct vcpu *v)
{
	unsigned flags = v->trap_flags[VECTOR_INT80], dpl = flags & TI_DPL_MASK;

	if (likely(dpl == 3 || (v->kernel_mode && dpl)) && likely(v->trap_address[VECTOR_INT80])) {
		v->counters[EXIT_BOUNCED]++;
		bounce(v, v->trap_address[VECTOR_INT80], flags & TI_MASK_EVENTS, upcall_mask(v), NULL, 0);
	} else {
		v->regs.rip -= 2;
		bounce_gp(v, VECTOR_INT80 * 8 + 2);
	}
}

#define SYSCALL_LENGTH 2

static inline __attribute__((always_inline)) void user_syscall(struct vcpu *v, const struct callback *callback)
{
	v->regs.rflags &= ~FLAGS_DF;
	if (likely(callback->address)) {
		bounce_from_user(v, callback->address, callback->mask_events, upcall_mask(v), NULL, 0);
	} else {	/* as on a CPU without the instruction */
		v->regs.rip -= SYSCALL_LENGTH;
		bounce_plain(v, VECTOR_UD);
	}
}

/* SYSCALL in user mode. */
void bounce_syscall(struct vcpu *v)
{
	user_syscall(v, &v->syscall);
}

void bounce_syscall32(struct vcpu *v)
{
	user_syscall(v, &v->syscall32);
}

/* SYSENTER in either mode. */
void bounce_sysenter(struct vcpu *v)
{
	v->regs.rflags &= ~FLAGS_DF;
	if (v->sysenter.address)
		bounce(v, v->sysenter.address, v->sysenter.mask_events, upcall_mask(v), NULL, 0);
	else
		bounce_gp(v, 0);
}

static void nmi_done(struct vcpu *v)
{
	v->nmi_masked = false;
	if (v->nmi_pending)
		__atomic_or_fetch(&v->work, WORK_NMI, __ATOMIC_ACQ_REL);
	v->nmi_pending = false;
}

/*
 * HYPERVISOR_iret: takes the frame at the guest's rsp, in the layout of struct iret_context. Registers are replaced while it
 * is read: when a word cannot be, the domain ends. (VGCF_in_syscall would let rcx and r11 be lost; keeping them costs nothing.)
 */
void guest_iret(struct vcpu *v)
{
	struct cpu_user_regs *r = &v->regs;
	u64 sp = r->rsp, cs, rflags, ss;

	if (unlikely(!guest_address_ok(sp)))
		goto bad;
	user_access_begin();
	raw_get_u64(r->rax, sp, fault);
	raw_get_u64(r->r11, sp + 8, fault);
	raw_get_u64(r->rcx, sp + 16, fault);
	raw_get_u64(r->rip, sp + 32, fault);
	raw_get_u64(cs, sp + 40, fault);
	raw_get_u64(rflags, sp + 48, fault);
	raw_get_u64(r->rsp, sp + 56, fault);
	raw_get_u64(ss, sp + 64, fault);
	user_access_end();

	if (unlikely(vm_assist(v->domain, VMASST_TYPE_architectural_iopl)))
		v->iopl = rflags >> 12 & 3;
	v->info->evtchn_upcall_mask = ~rflags >> 9 & 1;
	r->rflags = (rflags & ~(FLAGS_IOPL | FLAGS_VM)) | FLAGS_IF;
	r->cs = cs | 3;
	r->ss = ss | 3;
	if (unlikely(v->nmi_masked))
		nmi_done(v);
	if ((cs & 3) != 3)
		return;
	if (unlikely(!v->user_cr3))
		domain_crash(v->domain, "vCPU %d: iret to user mode without user page tables", v->id);
	else
		enter_user_mode(v);
	return;
fault:
	user_access_end();
bad:
	domain_crash(v->domain, "vCPU %d: iret with a bad stack at %#lx", v->id, sp);
}
