/* SPDX-License-Identifier: MIT */
/*
 * What a ring-3 kernel may try and the hypervisor does for it: privileged instructions, CPUID, MSRs,
 * ports, the FPU's TS flag and debug registers. All for the running vCPU.
 */
#ifndef PARAVANE_EMULATE_H
#define PARAVANE_EMULATE_H

#include <abi/xen.h>
#include <decode.h>
#include <domain.h>
#include <types.h>
#include <uaccess.h>
#include <vcpu.h>

#define GUEST_CR0 0x80050033ul	/* as every guest sees it; TS comes on top */

/* --- emulate/privop.c ------------------------------------------------------------------------- */

/*
 * A #GP raised by the guest, in kernel or user mode, with its frame in v->regs. Error code 0: true: done; rip has moved
 * on, or a fault of the emulated instruction was bounced. False: the fault is the guest's, to be bounced as it came.
 */
bool emulate_gp(struct vcpu *v);
void emulate_int(struct vcpu *v, u64 error_code);	/* error code not 0: INT n, or bounced */
void emulate_ud(struct vcpu *v);	/* #UD: the prefix that forces emulation, or bounced */

/* The cheap question before emulate_ud(): do the bytes at rip begin with the forced-emulation prefix, as far as they can be read? */
static inline bool ud_may_be_forced(const struct vcpu *v)
{
	u64 word;

	user_access_begin();
	raw_get_u64(word, v->regs.rip, fault);
	user_access_end();
	return word << 24 == 0x6e65780b0full << 24;
fault:
	user_access_end();
	return true;
}

/*
 * Code bytes at linear address `rip`, by the page tables in use: how many of INSN_MAX can be read (0: none). `bytes` has room
 * for 16.
 */
unsigned guest_fetch(u64 rip, u8 *bytes);
/* CR4's bits that are the guest's choice, and TSC_AUX: on switching from prev (or NULL) to next. */
void control_switch(struct vcpu *prev, struct vcpu *next);

/* --- emulate/cpuid.c ---------------------------------------------------------------------------- */

void cpuid_init(void);		/* once, after features_init(): the leaves guests see */
void guest_cpuid(struct vcpu *v, u32 leaf, u32 subleaf, u32 out[4]);

/* --- emulate/msr.c ------------------------------------------------------------------------------ */

bool guest_rdmsr(struct vcpu *v, u32 msr, u64 *value);	/* false: #GP */
bool guest_wrmsr(struct vcpu *v, u32 msr, u64 value);

/* --- emulate/ioport.c ----------------------------------------------------------------------------- */

/*
 * CLI, STI and ports: a guest kernel counts as ring 1, or as ring 0 with architectural IOPL; user mode as ring 3.
 * Where this says no, ports go by the vCPU's bitmap. False: #GP.
 */
static inline bool iopl_allows(const struct vcpu *v)
{
	if (likely(v->kernel_mode))
		return likely(v->iopl >= 1) || vm_assist(v->domain, VMASST_TYPE_architectural_iopl);
	return v->iopl == 3;
}

bool ioport_bitmap_allows(struct vcpu *v, u16 port, unsigned bytes);
u32 ioport_read(struct vcpu *v, u16 port, unsigned bytes);
void ioport_write(struct vcpu *v, u16 port, unsigned bytes, u32 value);

/* --- cpu/fpu.c ------------------------------------------------------------------------------------- */

int fpu_init_vcpu(struct vcpu *v);	/* 0 or -ENOMEM */
/* Replaces the state by a guest_context's FXSAVE image (512 bytes), made harmless; NULL: the reset state. The vCPU does not run. */
void fpu_load_context(struct vcpu *v, const void *fxsave);
void fpu_switch(struct vcpu *prev, struct vcpu *next);
void fpu_unload(struct vcpu *v);
void fpu_handle_nm(struct vcpu *v);	/* before #NM is bounced */
void fpu_set_ts(struct vcpu *v, bool set);
bool fpu_set_xcr0(struct vcpu *v, u64 xcr0);	/* false: #GP */

/* --- cpu/debugreg.c --------------------------------------------------------------------------------- */

void debugreg_init_vcpu(struct vcpu *v);
int debugreg_set(struct vcpu *v, unsigned number, u64 value);	/* 0, -ENODEV, -EPERM, -EINVAL as set_debugreg */
int debugreg_get(const struct vcpu *v, unsigned number, u64 *value);
void debugreg_switch(struct vcpu *prev, struct vcpu *next);
void debugreg_handle_db(struct vcpu *v);	/* #DB from the guest: DR6 merged into the guest's */
bool debugreg_after(struct vcpu *v, u16 port, unsigned bytes);	/* an instruction was emulated (bytes 0: no port): #DB due? */

#endif
