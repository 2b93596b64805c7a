/* SPDX-License-Identifier: MIT */
/*
 * The hypercalls as C functions, through the hypercall page. Each returns what the hypervisor put
 * into rax: 0 or a count, or a negative errno (<abi/errno.h>). The page's stubs keep rcx and r11;
 * the argument registers are taken as lost.
 */
#ifndef PVK_HYPERCALL_H
#define PVK_HYPERCALL_H

#include <abi/arch-x86_64.h>
#include <abi/errno.h>
#include <abi/xen.h>

#include "types.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

extern char hypercall_page[];

#define HYPERCALL_ASM "call hypercall_page + %c[off]"
#define HYPERCALL_OFF(nr) [off] "i"((nr) * HYPERCALL_STUB_SIZE)

ALWAYS_INLINE long hypercall1(const unsigned int nr, u64 a1)
{
	long ret;

	__asm__ volatile(HYPERCALL_ASM : "=a"(ret), "+D"(a1) : HYPERCALL_OFF(nr) : "memory");
	return ret;
}

ALWAYS_INLINE long hypercall2(const unsigned int nr, u64 a1, u64 a2)
{
	long ret;

	__asm__ volatile(HYPERCALL_ASM : "=a"(ret), "+D"(a1), "+S"(a2) : HYPERCALL_OFF(nr) : "memory");
	return ret;
}

ALWAYS_INLINE long hypercall3(const unsigned int nr, u64 a1, u64 a2, u64 a3)
{
	long ret;

	__asm__ volatile(HYPERCALL_ASM : "=a"(ret), "+D"(a1), "+S"(a2), "+d"(a3)
			 : HYPERCALL_OFF(nr) : "memory");
	return ret;
}

ALWAYS_INLINE long hypercall4(const unsigned int nr, u64 a1, u64 a2, u64 a3, u64 a4)
{
	register u64 r10 __asm__("r10") = a4;
	long ret;

	__asm__ volatile(HYPERCALL_ASM : "=a"(ret), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10)
			 : HYPERCALL_OFF(nr) : "memory");
	return ret;
}

ALWAYS_INLINE long HYPERVISOR_set_trap_table(const struct trap_info *table)
{
	return hypercall1(__HYPERVISOR_set_trap_table, (u64)table);
}

ALWAYS_INLINE long HYPERVISOR_mmu_update(const void *req, u64 count, u32 *done, u64 domid)
{
	return hypercall4(__HYPERVISOR_mmu_update, (u64)req, count, (u64)done, domid);
}

ALWAYS_INLINE long HYPERVISOR_mmuext_op(const void *op, u64 count, u32 *done, u64 domid)
{
	return hypercall4(__HYPERVISOR_mmuext_op, (u64)op, count, (u64)done, domid);
}

ALWAYS_INLINE long HYPERVISOR_update_va_mapping(u64 va, u64 pte, u64 flags)
{
	return hypercall3(__HYPERVISOR_update_va_mapping, va, pte, flags);
}

ALWAYS_INLINE long HYPERVISOR_set_gdt(const u64 *frames, u64 entries)
{
	return hypercall2(__HYPERVISOR_set_gdt, (u64)frames, entries);
}

ALWAYS_INLINE long HYPERVISOR_stack_switch(u64 ss, u64 sp)
{
	return hypercall2(__HYPERVISOR_stack_switch, ss, sp);
}

ALWAYS_INLINE long HYPERVISOR_fpu_taskswitch(u64 set)
{
	return hypercall1(__HYPERVISOR_fpu_taskswitch, set);
}

ALWAYS_INLINE long HYPERVISOR_set_debugreg(u64 reg, u64 value)
{
	return hypercall2(__HYPERVISOR_set_debugreg, reg, value);
}

ALWAYS_INLINE long HYPERVISOR_get_debugreg(u64 reg)
{
	return hypercall1(__HYPERVISOR_get_debugreg, reg);
}

ALWAYS_INLINE long HYPERVISOR_update_descriptor(u64 maddr, u64 desc)
{
	return hypercall2(__HYPERVISOR_update_descriptor, maddr, desc);
}

ALWAYS_INLINE long HYPERVISOR_memory_op(u64 cmd, void *arg)
{
	return hypercall2(__HYPERVISOR_memory_op, cmd, (u64)arg);
}

ALWAYS_INLINE long HYPERVISOR_multicall(struct multicall_entry *list, u64 count)
{
	return hypercall2(__HYPERVISOR_multicall, (u64)list, count);
}

ALWAYS_INLINE long HYPERVISOR_set_timer_op(u64 deadline)
{
	return hypercall1(__HYPERVISOR_set_timer_op, deadline);
}

ALWAYS_INLINE long HYPERVISOR_xen_version(u64 cmd, void *arg)
{
	return hypercall2(__HYPERVISOR_xen_version, cmd, (u64)arg);
}

ALWAYS_INLINE long HYPERVISOR_console_io(u64 cmd, u64 count, const void *buf)
{
	return hypercall3(__HYPERVISOR_console_io, cmd, count, (u64)buf);
}

ALWAYS_INLINE long HYPERVISOR_grant_table_op(u64 cmd, void *list, u64 count)
{
	return hypercall3(__HYPERVISOR_grant_table_op, cmd, (u64)list, count);
}

ALWAYS_INLINE long HYPERVISOR_vm_assist(u64 cmd, u64 type)
{
	return hypercall2(__HYPERVISOR_vm_assist, cmd, type);
}

ALWAYS_INLINE long HYPERVISOR_vcpu_op(u64 cmd, u64 vcpu, void *arg)
{
	return hypercall3(__HYPERVISOR_vcpu_op, cmd, vcpu, (u64)arg);
}

ALWAYS_INLINE long HYPERVISOR_set_segment_base(u64 which, u64 base)
{
	return hypercall2(__HYPERVISOR_set_segment_base, which, base);
}

ALWAYS_INLINE long HYPERVISOR_sched_op(u64 cmd, const void *arg)
{
	return hypercall2(__HYPERVISOR_sched_op, cmd, (u64)arg);
}

ALWAYS_INLINE long HYPERVISOR_callback_op(u64 cmd, const void *arg)
{
	return hypercall2(__HYPERVISOR_callback_op, cmd, (u64)arg);
}

ALWAYS_INLINE long HYPERVISOR_event_channel_op(u64 cmd, void *arg)
{
	return hypercall2(__HYPERVISOR_event_channel_op, cmd, (u64)arg);
}

ALWAYS_INLINE long HYPERVISOR_domctl(void *op)
{
	return hypercall1(__HYPERVISOR_domctl, (u64)op);
}

ALWAYS_INLINE long HYPERVISOR_sysctl(void *op)
{
	return hypercall1(__HYPERVISOR_sysctl, (u64)op);
}

ALWAYS_INLINE long HYPERVISOR_physdev_op(u64 cmd, void *arg)
{
	return hypercall2(__HYPERVISOR_physdev_op, cmd, (u64)arg);
}

#endif
