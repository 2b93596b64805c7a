/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's part of every address space: L4 slots 256 to 271, the range that the ABI reserves.
 *
 *   0xffff800000000000  slot 256  machine-to-phys table, one u64 a frame, read-only for guests
 *   0xffff808000000000  slot 257  the same table, writable, for the hypervisor
 *   0xffff810000000000  slot 258  each L4 names itself: the tables in CR3 as an array of L1 entries (linear.h)
 *   0xffff820000000000  slot 260  windows: one of VCPU_WINDOW_SIZE a vCPU, then one a CPU
 *   0xffff828000000000  slot 261  frame table, struct frame[mfn]
 *   0xffff82c000000000  slot 261  the hypervisor's image
 *   0xffff82e000000000  slot 261  device registers (local APIC, I/O APIC, ACPI tables)
 *   0xffff830000000000  slot 262  all of memory, one to one, up to the end of slot 271 (5 TiB)
 *
 * The L4 entries of these slots but 258 are filled once at boot and are the same in every L4, so a
 * mapping made here is seen everywhere at once. All but slot 256 is supervisor-only.
 */
#ifndef PARAVANE_LAYOUT_H
#define PARAVANE_LAYOUT_H

#define HV_FIRST_SLOT 256
#define HV_LAST_SLOT 271
#define LINEAR_SLOT 258
#define HV_START 0xffff800000000000
#define HV_END 0xffff880000000000

#define M2P_START 0xffff800000000000
#define M2P_WRITABLE_START 0xffff808000000000
#define LINEAR_START 0xffff810000000000
#define WINDOWS_START 0xffff820000000000
#define CPU_WINDOWS_START 0xffff824000000000
#define FRAME_TABLE_START 0xffff828000000000
#define IMAGE_START 0xffff82c000000000
#define MMIO_START 0xffff82e000000000
#define DIRECTMAP_START 0xffff830000000000
#define DIRECTMAP_END 0xffff880000000000

/*
 * A vCPU's window, by page:
 *    0..13 its GDT frames   14 the hypervisor's GDT page, at selector 0xe000   15 unused
 *   16..31 its LDT frames
 *       32 guard            33, 34 its hypervisor stack            35 struct vcpu, the stack's top
 * The window is aligned to its size; pages 32 to 35 to four pages, so that rsp names its vCPU.
 */
#define VCPU_WINDOW_PAGES 64
#define VCPU_WINDOW_SIZE (VCPU_WINDOW_PAGES * 4096)
#define VCPU_WINDOW_LDT 16
#define VCPU_WINDOW_STACK 33
#define VCPU_WINDOW_STRUCT 35
#define VCPU_STACK_SPAN 0x4000
#define VCPU_IN_SPAN 0x3000

/* A CPU's window (cpu/descriptors.c): aligned to its size; struct cpu is at this page. */
#define CPU_WINDOW_SIZE 0x10000
#define CPU_WINDOW_STRUCT 2

#endif
