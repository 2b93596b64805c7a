/* SPDX-License-Identifier: MIT */
/*
 * Exceptions: the hypervisor's own, something to emulate, or the guest's? The guest's are bounced.
 * What happened in the hypervisor is a guest address that did not answer (.extable), a frame that
 * IRET refused (the guest's fault), or our error.
 */
#include <asm.h>
#include <console.h>
#include <cpu.h>
#include <domain.h>
#include <emulate.h>
#include <entry.h>
#include <frames.h>
#include <irq.h>
#include <string.h>
#include <trace.h>
#include <uaccess.h>

/* --- from a guest ---------------------------------------------------------------------------------- */

void trap_plain(struct vcpu *v, int vector)
{
	bounce_plain(v, vector);
}

void trap_plain_error(struct vcpu *v, int vector)
{
	bounce_error(v, vector, v->regs.error_code);
}

void trap_debug(struct vcpu *v)
{
	debugreg_handle_db(v);
	bounce_plain(v, VECTOR_DB);
}

bool trap_invalid_opcode(struct vcpu *v)
{
	if (unlikely(ud_may_be_forced(v)))
		return true;
	bounce_plain(v, VECTOR_UD);
	return false;
}

void emulate_invalid_opcode(struct vcpu *v)
{
	emulate_ud(v);
}

void trap_device_not_available(struct vcpu *v)
{
	fpu_handle_nm(v);
	bounce_plain(v, VECTOR_NM);
}

void trap_general_protection(struct vcpu *v)
{
	u64 error_code = v->regs.error_code;

	v->counters[EXIT_GP]++;
	if (unlikely(error_code))
		emulate_int(v, error_code);
	else if (!emulate_gp(v))
		bounce_gp(v, 0);
}

/*
 * A guest's own IRET, far CALL or far RET with SMAP on: TCG makes their stack accesses as the supervisor even at CPL 3, so
 * they fault though the stack is fine. No hardware does, and there is no doing without: SMAP goes off on such a
 * processor, and the instruction is tried again.
 */
static bool smap_misapplied(u64 address, u64 error_code)
{
	if (!(error_code & PF_PRESENT) || !guest_address_ok(address) || !(read_cr4() & CR4_SMAP))
		return false;
	log_warning("this processor applies SMAP to user mode: switched off");
	write_cr4(read_cr4() & ~CR4_SMAP);
	return true;
}

/*
 * A fault at CPL 3 without the user bit: the CPU read a descriptor table, or the case above. True: done. An LDT page not yet validated is mapped now (mm/segdesc.c).
 */
static bool implicit_access(struct vcpu *v, u64 address, u64 error_code)
{
	u64 offset = address - vcpu_window(v) - VCPU_WINDOW_LDT * PAGE_SIZE;

	if (offset < 16 * PAGE_SIZE) {
		if (!segdesc_ldt_fault(v, offset))
			bounce_page_fault(v, v->ldt_base + offset, error_code);
		return true;
	}
	return smap_misapplied(address, error_code);
}

static void guest_page_fault(struct vcpu *v, u64 address, u64 error_code)
{
	if (v->kernel_mode)
		error_code &= ~(u64)PF_USER;
	v->info->arch.cr2 = address;
	bounce_error(v, VECTOR_PF, error_code);
}

/* A write to a page that is there, by a kernel that may write to its page tables? */
static inline bool may_be_ptwr(const struct vcpu *v, u64 error_code)
{
	return (error_code & (PF_PRESENT | PF_WRITE)) == (PF_PRESENT | PF_WRITE) && v->kernel_mode &&
	       vm_assist(v->domain, VMASST_TYPE_writable_pagetables);
}

bool trap_page_fault(struct vcpu *v)
{
	u64 address = read_cr2(), error_code = v->regs.error_code;

	v->counters[EXIT_PAGE_FAULT]++;
	if (unlikely(!(error_code & PF_USER)) && implicit_access(v, address, error_code))
		return false;
	if (unlikely(may_be_ptwr(v, error_code)) && ptwr_wanted(v->domain, address))
		return true;
	guest_page_fault(v, address, error_code);
	return false;
}

void emulate_page_fault(struct vcpu *v)
{
	u64 address = read_cr2(), error_code = v->regs.error_code;

	if (!guest_address_ok(address) || !ptwr_emulate(v, address))
		guest_page_fault(v, address, error_code);
}

void interrupt_from_guest(struct vcpu *v, int vector)
{
	v->counters[EXIT_INTERRUPT]++;
	handle_irq(v, vector);
}

/*
 * The slow way back: returns when nothing is left to do before the guest runs. An NMI goes in
 * last, so that it is the first to be handled.
 */
void exit_work(struct vcpu *v)
{
	for (;;) {
		if (v->work & WORK_SCHEDULE) {
			__atomic_and_fetch(&v->work, ~WORK_SCHEDULE, __ATOMIC_ACQ_REL);
			schedule();
		} else if (unlikely(v->work & WORK_REAP)) {
			__atomic_and_fetch(&v->work, ~WORK_REAP, __ATOMIC_ACQ_REL);
			domains_reap();
		} else if (READ_ONCE(v->info->evtchn_upcall_pending) && !READ_ONCE(v->info->evtchn_upcall_mask)) {
			bounce_upcall(v);
		} else if (v->work & WORK_FAILSAFE) {
			__atomic_and_fetch(&v->work, ~WORK_FAILSAFE, __ATOMIC_ACQ_REL);
			bounce_failsafe(v);
		} else if (v->work & WORK_NMI) {
			__atomic_and_fetch(&v->work, ~WORK_NMI, __ATOMIC_ACQ_REL);
			if (v->nmi_masked)
				v->nmi_pending = true;
			else
				bounce_nmi(v);
		} else if (v->work & WORK_TRACE) {
			__atomic_and_fetch(&v->work, ~WORK_TRACE, __ATOMIC_ACQ_REL);
			trace_return(v);
		} else {
			return;
		}
	}
}

/* --- in the hypervisor -------------------------------------------------------------------------------- */

struct exception_entry {
	s32 from, to;	/* each relative to itself */
};
extern const struct exception_entry extable_start[], extable_end[];

static bool fix_up(struct cpu_user_regs *regs)
{
	for (const struct exception_entry *e = extable_start; e < extable_end; e++) {
		if ((u64)&e->from + e->from == regs->rip) {
			regs->rip = (u64)&e->to + e->to;
			return true;
		}
	}
	return false;
}

/*
 * IRET refused the guest's frame. rip to ss of v->regs still hold it; the other registers were popped already, and the
 * fault's own frame now lies across them. They are in that frame: put them back, and the fault is the guest's. One for
 * an LDT page not yet validated is settled as if the guest had met it, and IRET is tried again.
 */
static struct cpu_user_regs *iret_refused(struct cpu_user_regs *regs, int vector)
{
	struct vcpu *v = stack_to_vcpu((u64)regs);
	struct cpu_user_regs popped = *regs;

	memcpy(&v->regs, &popped, offsetof(struct cpu_user_regs, error_code));
	if (vector != VECTOR_PF || !implicit_access(v, read_cr2(), popped.error_code))
		bounce_exception(v, vector, popped.error_code);
	return &v->regs;
}

struct cpu_user_regs *trap_in_hypervisor(struct cpu_user_regs *regs, int vector)
{
	if (vector == VECTOR_DB) {	/* on a stack where `current` is not */
		write_dr6(0xffff0ff0);	/* the guest watches memory that it had us touch */
		return NULL;
	}
	if (regs->rip == (u64)iret_partial || regs->rip == (u64)iret_full)
		return iret_refused(regs, vector);
	if (!fix_up(regs))
		panic_trap(regs, vector);
	return NULL;
}

void interrupt_in_hypervisor(int vector)
{
	handle_irq(current, vector);
}

/* On a stack of its own, whatever ran: nothing can be done here but to stop for another CPU's panic, or to ask for an interrupt. */
void trap_nmi(struct cpu_user_regs *regs)
{
	panic_stops_here();
	apic_send_self(VECTOR_NMI_CAME);
}

/* The machine has no NMI source but a person: domain 0 is told. */
void handle_nmi(void)
{
	struct vcpu *v = dom0 ? dom0->vcpu[0] : NULL;

	if (!v)
		return;
	__atomic_or_fetch(&v->work, WORK_NMI, __ATOMIC_ACQ_REL);
	vcpu_kick(v);
}

void trap_double_fault(struct cpu_user_regs *regs)
{
	panic_trap(regs, 8);
}

void trap_machine_check(struct cpu_user_regs *regs)
{
	panic_trap(regs, 18);
}
