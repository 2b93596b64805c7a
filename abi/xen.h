/* SPDX-License-Identifier: MIT */
/*
 * What every part of the ABI shares: hypercall numbers, reserved domain ids, virtual interrupts,
 * VM assists and the multicall list. Page tables are in mmu.h, everything that depends on the
 * processor in arch-x86_64.h. See xen.md.
 */
#ifndef ABI_XEN_H
#define ABI_XEN_H

/* Hypercall numbers (rax). hypercalls.def says which of them this hypervisor serves. */
#define __HYPERVISOR_set_trap_table 0
#define __HYPERVISOR_mmu_update 1
#define __HYPERVISOR_set_gdt 2
#define __HYPERVISOR_stack_switch 3
#define __HYPERVISOR_set_callbacks 4
#define __HYPERVISOR_fpu_taskswitch 5
#define __HYPERVISOR_sched_op_compat 6
#define __HYPERVISOR_platform_op 7
#define __HYPERVISOR_set_debugreg 8
#define __HYPERVISOR_get_debugreg 9
#define __HYPERVISOR_update_descriptor 10
#define __HYPERVISOR_memory_op 12
#define __HYPERVISOR_multicall 13
#define __HYPERVISOR_update_va_mapping 14
#define __HYPERVISOR_set_timer_op 15
#define __HYPERVISOR_event_channel_op_compat 16
#define __HYPERVISOR_xen_version 17
#define __HYPERVISOR_console_io 18
#define __HYPERVISOR_physdev_op_compat 19
#define __HYPERVISOR_grant_table_op 20
#define __HYPERVISOR_vm_assist 21
#define __HYPERVISOR_update_va_mapping_otherdomain 22
#define __HYPERVISOR_iret 23
#define __HYPERVISOR_vcpu_op 24
#define __HYPERVISOR_set_segment_base 25
#define __HYPERVISOR_mmuext_op 26
#define __HYPERVISOR_xsm_op 27
#define __HYPERVISOR_nmi_op 28
#define __HYPERVISOR_sched_op 29
#define __HYPERVISOR_callback_op 30
#define __HYPERVISOR_xenoprof_op 31
#define __HYPERVISOR_event_channel_op 32
#define __HYPERVISOR_physdev_op 33
#define __HYPERVISOR_hvm_op 34
#define __HYPERVISOR_sysctl 35
#define __HYPERVISOR_domctl 36
#define __HYPERVISOR_kexec_op 37
#define __HYPERVISOR_tmem_op 38
#define __HYPERVISOR_argo_op 39
#define __HYPERVISOR_xenpmu_op 40
#define __HYPERVISOR_dm_op 41
#define __HYPERVISOR_hypfs_op 42
#define __HYPERVISOR_arch_0 48

/* Domain ids from DOMID_FIRST_RESERVED up name no ordinary domain. */
#define DOMID_FIRST_RESERVED 0x7ff0
#define DOMID_SELF 0x7ff0	/* the caller */
#define DOMID_IO 0x7ff1		/* owner of device memory */
#define DOMID_XEN 0x7ff2	/* owner of pages that the hypervisor shares */
#define DOMID_COW 0x7ff3	/* unused here */
#define DOMID_INVALID 0x7ff4	/* nobody */
#define DOMID_IDLE 0x7fff	/* the idle vCPUs */
#define DOMID_MASK 0x7fff

/* Virtual interrupts: V one per vCPU, G one per domain, bound to vCPU 0. */
#define VIRQ_TIMER 0		/* V: a deadline or the periodic tick */
#define VIRQ_DEBUG 1		/* V: asked for by an operator */
#define VIRQ_CONSOLE 2		/* G: input on the hypervisor's console */
#define VIRQ_DOM_EXC 3		/* G: a domain has stopped */
#define VIRQ_TBUF 4		/* G: trace records */
#define VIRQ_DEBUGGER 6		/* G: a domain paused for its debugger */
#define VIRQ_XENOPROF 7		/* V: profiling sample */
#define VIRQ_CON_RING 8		/* G: output in the hypervisor's console ring */
#define VIRQ_PCPU_STATE 9	/* G: a processor came or went */
#define VIRQ_MEM_EVENT 10	/* G: memory event */
#define VIRQ_ARGO 11		/* G: argo message */
#define VIRQ_ENOMEM 12		/* G: the hypervisor runs low on memory */
#define VIRQ_XENPMU 13		/* V: performance counter */
#define VIRQ_ARCH_0 16
#define VIRQ_ARCH_1 17
#define VIRQ_ARCH_2 18
#define VIRQ_ARCH_3 19
#define VIRQ_ARCH_4 20
#define VIRQ_ARCH_5 21
#define VIRQ_ARCH_6 22
#define VIRQ_ARCH_7 23
#define NR_VIRQS 24

/* vm_assist: first argument, then second. */
#define VMASST_CMD_enable 0
#define VMASST_CMD_disable 1
#define VMASST_TYPE_4gb_segments 0		/* 32-bit guests; no effect here */
#define VMASST_TYPE_4gb_segments_notify 1	/* 32-bit guests; no effect here */
#define VMASST_TYPE_writable_pagetables 2	/* emulate stores to mapped L1 tables */
#define VMASST_TYPE_pae_extended_cr3 3		/* 32-bit guests; no effect here */
#define VMASST_TYPE_architectural_iopl 4	/* IOPL in the frame's rflags; kernel is ring 0 */
#define VMASST_TYPE_runstate_update_flag 5	/* mark a runstate area while it changes */
#define VMASST_TYPE_m2p_strict 32		/* no machine-to-physical table in user roots */

#ifndef __ASSEMBLY__
#include <stdint.h>

/* One entry of a multicall list. 64 bytes. */
struct multicall_entry {
	uint64_t op;		/* 0x00 IN: hypercall number */
	uint64_t result;	/* 0x08 OUT: what it returned */
	uint64_t args[6];	/* 0x10 IN: its arguments; may be overwritten */
};
#endif

#endif
