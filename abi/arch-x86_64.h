/* SPDX-License-Identifier: MIT */
/*
 * The ABI's view of an x86-64 processor: selectors, the hypercall page, exception and iret
 * frames, the reserved address range, a vCPU's whole context, and the two pages through which a
 * guest first learns about the world, start_info and shared_info. See arch-x86_64.md.
 */
#ifndef ABI_ARCH_X86_64_H
#define ABI_ARCH_X86_64_H

/* Selectors of the hypervisor's own descriptors; valid in every guest. All are DPL 3. */
#define FLAT_RING3_CS32 0xe023
#define FLAT_RING3_CS64 0xe033
#define FLAT_RING3_DS32 0xe02b
#define FLAT_RING3_DS64 0x0000
#define FLAT_RING3_SS32 0xe02b
#define FLAT_RING3_SS64 0xe02b
#define FLAT_KERNEL_CS32 FLAT_RING3_CS32
#define FLAT_KERNEL_CS64 FLAT_RING3_CS64
#define FLAT_KERNEL_CS FLAT_KERNEL_CS64
#define FLAT_KERNEL_DS32 FLAT_RING3_DS32
#define FLAT_KERNEL_DS64 FLAT_RING3_DS64
#define FLAT_KERNEL_DS FLAT_KERNEL_DS64
#define FLAT_KERNEL_SS32 FLAT_RING3_SS32
#define FLAT_KERNEL_SS64 FLAT_RING3_SS64
#define FLAT_KERNEL_SS FLAT_KERNEL_SS64
#define FLAT_USER_CS32 FLAT_RING3_CS32
#define FLAT_USER_CS64 FLAT_RING3_CS64
#define FLAT_USER_CS FLAT_USER_CS64
#define FLAT_USER_DS32 FLAT_RING3_DS32
#define FLAT_USER_DS64 FLAT_RING3_DS64
#define FLAT_USER_DS FLAT_USER_DS64
#define FLAT_USER_SS32 FLAT_RING3_SS32
#define FLAT_USER_SS64 FLAT_RING3_SS64
#define FLAT_USER_SS FLAT_USER_SS64

/* A guest's GDT is its own up to here; from this page on it is the hypervisor's. */
#define FIRST_RESERVED_GDT_PAGE 14
#define FIRST_RESERVED_GDT_BYTE (FIRST_RESERVED_GDT_PAGE * 4096)
#define FIRST_RESERVED_GDT_ENTRY (FIRST_RESERVED_GDT_BYTE / 8)

/* The reserved range: L4 slots 256 to 271. The machine-to-physical table begins it. */
#define HYPERVISOR_VIRT_START 0xffff800000000000
#define HYPERVISOR_VIRT_END 0xffff880000000000
#define MACH2PHYS_VIRT_START 0xffff800000000000
#define MACH2PHYS_VIRT_END 0xffff804000000000
#define MACH2PHYS_NR_ENTRIES ((MACH2PHYS_VIRT_END - MACH2PHYS_VIRT_START) >> 3)
#define HYPERVISOR_FIRST_L4_SLOT 256
#define HYPERVISOR_NR_L4_SLOTS 16

/* The hypercall page: stub n is at n * 32. */
#define HYPERCALL_STUB_SIZE 32
#define HYPERCALL_NR_STUBS 128

/* vCPUs that have a slot in shared_info. */
#define XEN_LEGACY_MAX_VCPUS 32

/* set_segment_base: first argument. */
#define SEGBASE_FS 0
#define SEGBASE_GS_USER 1
#define SEGBASE_GS_KERNEL 2
#define SEGBASE_GS_USER_SEL 3

/* trap_info.flags */
#define TI_DPL_MASK 3		/* least privilege that may raise it by INT */
#define TI_MASK_EVENTS 4	/* enter with upcalls masked */

/* vcpu_guest_context.flags, and iret_context.flags for the last. */
#define VGCF_I387_VALID 0x001
#define VGCF_i387_valid 0x001
#define VGCF_IN_KERNEL 0x004
#define VGCF_in_kernel 0x004
#define VGCF_failsafe_disables_events 0x008
#define VGCF_syscall_disables_events 0x010
#define VGCF_online 0x020
#define VGCF_IN_SYSCALL 0x100
#define VGCF_in_syscall 0x100

/* start_info.flags */
#define SIF_PRIVILEGED 0x01
#define SIF_INITDOMAIN 0x02
#define SIF_MULTIBOOT_MOD 0x04
#define SIF_MOD_START_PFN 0x08
#define SIF_VIRT_P2M_4TOOLS 0x10
#define SIF_PM_MASK 0xff00
#define MAX_GUEST_CMDLINE 1024

/* vcpu_time_info.flags */
#define XEN_PVCLOCK_TSC_STABLE_BIT 1
#define XEN_PVCLOCK_GUEST_STOPPED 2

/* The hypervisor's CPUID leaves. */
#define XEN_CPUID_FIRST_LEAF 0x40000000
#define XEN_CPUID_SIGNATURE_EBX 0x566e6558
#define XEN_CPUID_SIGNATURE_ECX 0x65584d4d
#define XEN_CPUID_SIGNATURE_EDX 0x4d4d566e
#define XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD 1
#define XEN_CPUID_MACHINE_ADDRESS_WIDTH_MASK 0xff
#define XEN_CPUID_MAX_NUM_LEAVES 5

/* Bytes that make the hypervisor emulate the instruction that follows: ud2, then "xen". */
#define XEN_EMULATE_PREFIX_BYTES 0x0f, 0x0b, 0x78, 0x65, 0x6e

#ifndef __ASSEMBLY__
#include <stdint.h>

/* One line of set_trap_table's list. 16 bytes. */
struct trap_info {
	uint8_t vector;		/* 0x00 IN */
	uint8_t flags;		/* 0x01 IN: TI_* */
	uint16_t cs;		/* 0x02 IN: ignored by a 64-bit guest's entries */
	uint64_t address;	/* 0x08 IN: handler; 0 ends the list */
};

/* What HYPERVISOR_iret takes from the guest's stack, from rsp upwards. 72 bytes. */
struct iret_context {
	uint64_t rax;		/* 0x00 IN */
	uint64_t r11;		/* 0x08 IN: ignored with VGCF_in_syscall */
	uint64_t rcx;		/* 0x10 IN: ignored with VGCF_in_syscall */
	uint64_t flags;		/* 0x18 IN: VGCF_in_syscall or 0 */
	uint64_t rip;		/* 0x20 IN */
	uint64_t cs;		/* 0x28 IN: RPL 3 means to user mode */
	uint64_t rflags;	/* 0x30 IN: IF clear means upcalls masked */
	uint64_t rsp;		/* 0x38 IN */
	uint64_t ss;		/* 0x40 IN */
};

/* A vCPU's registers. 200 bytes. */
struct cpu_user_regs {
	uint64_t r15;			/* 0x00 */
	uint64_t r14;			/* 0x08 */
	uint64_t r13;			/* 0x10 */
	uint64_t r12;			/* 0x18 */
	uint64_t rbp;			/* 0x20 */
	uint64_t rbx;			/* 0x28 */
	uint64_t r11;			/* 0x30 */
	uint64_t r10;			/* 0x38 */
	uint64_t r9;			/* 0x40 */
	uint64_t r8;			/* 0x48 */
	uint64_t rax;			/* 0x50 */
	uint64_t rcx;			/* 0x58 */
	uint64_t rdx;			/* 0x60 */
	uint64_t rsi;			/* 0x68 */
	uint64_t rdi;			/* 0x70 */
	uint32_t error_code;		/* 0x78 private */
	uint32_t entry_vector;		/* 0x7c private */
	uint64_t rip;			/* 0x80 */
	uint16_t cs;			/* 0x88 */
	uint16_t _pad0[1];		/* 0x8a */
	uint8_t saved_upcall_mask;	/* 0x8c */
	uint8_t _pad1[3];		/* 0x8d */
	uint64_t rflags;		/* 0x90: IF is !saved_upcall_mask */
	uint64_t rsp;			/* 0x98 */
	uint16_t ss;			/* 0xa0 */
	uint16_t _pad2[3];		/* 0xa2 */
	uint16_t es;			/* 0xa8 */
	uint16_t _pad3[3];		/* 0xaa */
	uint16_t ds;			/* 0xb0 */
	uint16_t _pad4[3];		/* 0xb2 */
	uint16_t fs;			/* 0xb8 */
	uint16_t _pad5[3];		/* 0xba */
	uint16_t gs;			/* 0xc0 */
	uint16_t _pad6[3];		/* 0xc2 */
};

/* FXSAVE image, as opaque bytes. 512 bytes. */
struct vcpu_fpu_ctxt {
	char x[512];			/* 0x000 */
};

/* A vCPU's whole state: the argument of VCPUOP_initialise. 5168 bytes. */
struct vcpu_guest_context {
	struct vcpu_fpu_ctxt fpu_ctxt;		/* 0x0000 IN: used with VGCF_i387_valid */
	uint64_t flags;				/* 0x0200 IN: VGCF_* */
	struct cpu_user_regs user_regs;		/* 0x0208 IN */
	struct trap_info trap_ctxt[256];	/* 0x02d0 IN: indexed by vector */
	uint64_t ldt_base;			/* 0x12d0 IN: linear address */
	uint64_t ldt_ents;			/* 0x12d8 IN */
	uint64_t gdt_frames[16];		/* 0x12e0 IN: machine frames */
	uint64_t gdt_ents;			/* 0x1360 IN */
	uint64_t kernel_ss;			/* 0x1368 IN: as stack_switch */
	uint64_t kernel_sp;			/* 0x1370 IN: as stack_switch */
	uint64_t ctrlreg[8];			/* 0x1378 IN: [0] TS, [1] user root, [3] kernel root, [4] */
	uint64_t debugreg[8];			/* 0x13b8 IN */
	uint64_t event_callback_eip;		/* 0x13f8 IN */
	uint64_t failsafe_callback_eip;		/* 0x1400 IN */
	uint64_t syscall_callback_eip;		/* 0x1408 IN */
	uint64_t vm_assist;			/* 0x1410 IN: bit per VMASST_TYPE_* */
	uint64_t fs_base;			/* 0x1418 IN */
	uint64_t gs_base_kernel;		/* 0x1420 IN */
	uint64_t gs_base_user;			/* 0x1428 IN */
};

/* Clock parameters of a vCPU. version is odd while the rest changes. 32 bytes. */
struct vcpu_time_info {
	uint32_t version;		/* 0x00 SHARED */
	uint32_t pad0;			/* 0x04 */
	uint64_t tsc_timestamp;		/* 0x08 SHARED: TSC when the rest was taken */
	uint64_t system_time;		/* 0x10 SHARED: ns since boot at that TSC */
	uint32_t tsc_to_system_mul;	/* 0x18 SHARED: ns per shifted tick, times 2^32 */
	int8_t tsc_shift;		/* 0x1c SHARED: left shift of the tick count; right if < 0 */
	uint8_t flags;			/* 0x1d SHARED: XEN_PVCLOCK_* */
	uint8_t pad1[2];		/* 0x1e */
};

/* 16 bytes. */
struct arch_vcpu_info {
	uint64_t cr2;	/* 0x00 OUT: address of the last page fault delivered */
	uint64_t pad;	/* 0x08 */
};

/* What hypervisor and guest share about one vCPU. 64 bytes. */
struct vcpu_info {
	uint8_t evtchn_upcall_pending;	/* 0x00 SHARED: non-zero: an upcall is due */
	uint8_t evtchn_upcall_mask;	/* 0x01 SHARED: non-zero: no upcalls now */
	uint64_t evtchn_pending_sel;	/* 0x08 SHARED: bit per word of evtchn_pending */
	struct arch_vcpu_info arch;	/* 0x10 */
	struct vcpu_time_info time;	/* 0x20 */
};

/* What a guest tells the hypervisor and its tools about its own tables. 48 bytes. */
struct arch_shared_info {
	uint64_t max_pfn;			/* 0x00 SHARED: highest pfn + 1 of the tree below */
	uint64_t pfn_to_mfn_frame_list_list;	/* 0x08 SHARED: mfn of the tree's root */
	uint64_t nmi_reason;			/* 0x10 OUT: XEN_NMIREASON_* */
	uint64_t p2m_cr3;			/* 0x18 SHARED: root that maps p2m_vaddr; 0: none */
	uint64_t p2m_vaddr;			/* 0x20 SHARED: the linear p2m list */
	uint64_t p2m_generation;		/* 0x28 SHARED: odd while the list changes */
};

/* One page, owned by the hypervisor, mapped by the guest. 3136 bytes used. */
struct shared_info {
	struct vcpu_info vcpu_info[XEN_LEGACY_MAX_VCPUS];	/* 0x000 */
	uint64_t evtchn_pending[64];	/* 0x800 SHARED: bit per port */
	uint64_t evtchn_mask[64];	/* 0xa00 SHARED: bit per port */
	uint32_t wc_version;		/* 0xc00 OUT: odd while the three below change */
	uint32_t wc_sec;		/* 0xc04 OUT: wall clock at system time 0, s since 1970 */
	uint32_t wc_nsec;		/* 0xc08 OUT */
	uint32_t wc_sec_hi;		/* 0xc0c OUT: upper half of the seconds */
	struct arch_shared_info arch;	/* 0xc10 */
};

/* What a guest finds at rsi when it starts. 1168 bytes. */
struct start_info {
	char magic[32];			/* 0x000 OUT: "xen-3.0-x86_64", NUL-padded */
	uint64_t nr_pages;		/* 0x020 OUT: pages given to the domain */
	uint64_t shared_info;		/* 0x028 OUT: machine address */
	uint32_t flags;			/* 0x030 OUT: SIF_* */
	uint64_t store_mfn;		/* 0x038 OUT: xenstore ring; 0 in domain 0 */
	uint32_t store_evtchn;		/* 0x040 OUT: its port; 0 in domain 0 */
	union {
		struct {
			uint64_t mfn;		/* 0x048 OUT: console ring */
			uint32_t evtchn;	/* 0x050 OUT: its port */
		} domU;			/* 0x048 */
		struct {
			uint32_t info_off;	/* 0x048 OUT: of the video description */
			uint32_t info_size;	/* 0x04c OUT */
		} dom0;			/* 0x048 */
	} console;			/* 0x048 */
	uint64_t pt_base;		/* 0x058 OUT: linear address of the boot L4 */
	uint64_t nr_pt_frames;		/* 0x060 OUT: boot page-table pages from there */
	uint64_t mfn_list;		/* 0x068 OUT: linear address of the p2m list */
	uint64_t mod_start;		/* 0x070 OUT: linear address, or pfn with SIF_MOD_START_PFN */
	uint64_t mod_len;		/* 0x078 OUT: bytes */
	int8_t cmd_line[MAX_GUEST_CMDLINE];	/* 0x080 OUT: NUL-terminated */
	uint64_t first_p2m_pfn;		/* 0x480 OUT: of the p2m area outside the boot mapping */
	uint64_t nr_p2m_frames;		/* 0x488 OUT: list and its tables */
};

/* One module of a list at mod_start when SIF_MULTIBOOT_MOD is set. 16 bytes. */
struct xen_multiboot_mod_list {
	uint32_t mod_start;	/* 0x00 OUT: first byte */
	uint32_t mod_end;	/* 0x04 OUT: last byte */
	uint32_t cmdline;	/* 0x08 OUT: its command line */
	uint32_t pad;		/* 0x0c: 0 */
};
#endif

#endif
