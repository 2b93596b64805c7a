/* SPDX-License-Identifier: MIT */
/*
 * The FPU's registers, switched with the rest of a vCPU's state.
 *
 * Invariants
 *   1. While a vCPU is loaded on a CPU, its state is in that CPU's registers, and CR0.TS is its own TS flag; else it is
 *      in memory. To wait for #NM instead is no way: QEMU's TCG executes XSAVE and XRSTOR although TS is set, so
 *      that a guest which switches processes would save another vCPU's registers as its own.
 *   2. A vCPU's area always holds an image that the CPU accepts: it comes from XSAVE, from reset or from
 *      fpu_load_context(), which makes a guest's image harmless.
 *   3. All components that the hypervisor enabled are saved and restored, whatever the guest's XCR0; the guest's is
 *      in the register while the guest runs.
 */
#include <asm.h>
#include <console.h>
#include <cpu.h>
#include <emulate.h>
#include <frames.h>
#include <hypercall.h>
#include <string.h>
#include <vcpu.h>

#define XSTATE_X87 1
#define XSTATE_SSE 2
#define XSTATE_AVX 4
#define FXSAVE_SIZE 512
#define INITIAL_FCW 0x37f
#define INITIAL_MXCSR 0x1f80
#define DEFAULT_MXCSR_MASK 0xffbf

/* The areas' common start. */
struct fxsave {
	u16 fcw, fsw;
	u8 ftw, reserved;
	u16 fop;
	u64 fip, fdp;
	u32 mxcsr, mxcsr_mask;
	u8 registers[480];
};

struct xsave {
	struct fxsave legacy;
	u64 present, compacted, reserved[6];
};
BUILD_ASSERT(sizeof(struct fxsave) == FXSAVE_SIZE);

static void set_ts(void)
{
	write_cr0(read_cr0() | CR0_TS);
}

/* The guest's XCR0 may leave out a component that is in use: widened for the length of a save or restore. */
static void widen_xcr0(const struct vcpu *v)
{
	if (v->xcr0 != cpu_has.xcr0)
		set_xcr0(cpu_has.xcr0);
}

static void narrow_xcr0(const struct vcpu *v)
{
	if (v->xcr0 != cpu_has.xcr0)
		set_xcr0(v->xcr0);
}

static void save(struct vcpu *v)
{
	if (cpu_has.xsave)
		asm volatile("xsave64 (%0)" :: "r"(v->xsave), "a"(~0), "d"(~0) : "memory");
	else
		asm volatile("fxsave64 (%0)" :: "r"(v->xsave) : "memory");
}

/*
 * AMD's CPUs leave the x87's last instruction and data pointers alone when no exception is pending; the dummy load
 * puts an address of ours over those of the vCPU before.
 */
static void restore(struct vcpu *v)
{
	static const s32 dummy;

	asm volatile("fnclex; ffree %%st(7); fildl %0" :: "m"(dummy));
	if (cpu_has.xsave)
		asm volatile("xrstor64 (%0)" :: "r"(v->xsave), "a"(~0), "d"(~0) : "memory");
	else
		asm volatile("fxrstor64 (%0)" :: "r"(v->xsave) : "memory");
}

/* v's state is in memory from now on; XCR0 stays its. */
void fpu_unload(struct vcpu *v)
{
	clts();
	widen_xcr0(v);
	save(v);
	narrow_xcr0(v);
}

/* `prev` (NULL: nobody) had this CPU's registers until now, XCR0 included; next gets them. */
void fpu_switch(struct vcpu *prev, struct vcpu *next)
{
	clts();
	if (cpu_has.xsave && (!prev || prev->xcr0 != cpu_has.xcr0))
		set_xcr0(cpu_has.xcr0);
	if (prev)
		save(prev);
	restore(next);
	narrow_xcr0(next);
	if (next->ts)
		set_ts();
}

/* #NM: the guest's own TS, which is cleared before it hears of it, as the ABI has it. */
void fpu_handle_nm(struct vcpu *v)
{
	fpu_set_ts(v, false);
}

void fpu_set_ts(struct vcpu *v, bool set)
{
	if (v->ts == set)
		return;
	v->ts = set;
	if (set)
		set_ts();
	else
		clts();
}

long do_fpu_taskswitch(u64 set, u64 a2, u64 a3, u64 a4, u64 a5, struct vcpu *v)
{
	fpu_set_ts(v, set != 0);
	return 0;
}

/* XSETBV: x87 is always on, AVX needs SSE, and nothing that the hypervisor does not switch. */
bool fpu_set_xcr0(struct vcpu *v, u64 xcr0)
{
	if (xcr0 & ~cpu_has.xcr0 || !(xcr0 & XSTATE_X87) || (xcr0 & (XSTATE_AVX | XSTATE_SSE)) == XSTATE_AVX)
		return false;
	if (v->xcr0 != xcr0)
		set_xcr0(xcr0);
	v->xcr0 = xcr0;
	return true;
}

/* Bits of MXCSR that the CPU does not have make FXRSTOR fault. */
static u32 mxcsr_mask(void)
{
	static struct fxsave probe __attribute__((aligned(16)));

	if (!probe.fcw) {
		u64 cr0 = read_cr0();

		clts();
		asm volatile("fxsave64 %0" : "=m"(probe));
		write_cr0(cr0);
	}
	return probe.mxcsr_mask ? probe.mxcsr_mask : DEFAULT_MXCSR_MASK;
}

void fpu_load_context(struct vcpu *v, const void *fxsave)
{
	struct xsave *area = v->xsave;

	memset(area, 0, PAGE_SIZE);
	if (fxsave) {
		memcpy(&area->legacy, fxsave, FXSAVE_SIZE);
		area->legacy.mxcsr &= mxcsr_mask();
	} else {
		area->legacy.fcw = INITIAL_FCW;
		area->legacy.mxcsr = INITIAL_MXCSR;
	}
	area->present = XSTATE_X87 | XSTATE_SSE;
}

int fpu_init_vcpu(struct vcpu *v)
{
	assert(cpu_has.xsave_size <= PAGE_SIZE);
	v->xsave = alloc_page();
	if (!v->xsave)
		return -ENOMEM;
	v->xcr0 = cpu_has.xcr0 & (XSTATE_X87 | XSTATE_SSE);
	fpu_load_context(v, NULL);
	return 0;
}
