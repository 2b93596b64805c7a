/* SPDX-License-Identifier: MIT */
/*
 * The interpreter on the host: its own files, with a small guest around it. Guest memory is two pages at
 * GUEST_START, each present or not; everything that the interpreter calls elsewhere is recorded here.
 */
#ifndef PRIVOP_HOST_H
#define PRIVOP_HOST_H

#include <layout.h>
#include <string.h>
#include <types.h>

/* --- in place of uaccess.h and asm.h: nothing here may fault or be privileged ------------------------ */

#define PARAVANE_UACCESS_H
#define PARAVANE_ASM_H
#define PARAVANE_STRING_H

#define GUEST_START 0x40000000ull
#define GUEST_PAGES 2

static struct {
	u8 memory[GUEST_PAGES * 4096];
	bool present[GUEST_PAGES], writable[GUEST_PAGES];
} guest;

static u8 *guest_byte(u64 address, bool write)
{
	u64 offset = address - GUEST_START;

	if (offset >= sizeof(guest.memory) || !guest.present[offset / 4096] || (write && !guest.writable[offset / 4096]))
		return NULL;
	return &guest.memory[offset];
}

static inline bool guest_address_ok(u64 address) { return address >> 43 != HV_START >> 43; }
static inline bool address_canonical(u64 address) { return (u64)((s64)(address << 16) >> 16) == address; }

static inline int copy_from_guest(void *to, u64 from, size_t bytes)
{
	for (size_t n = 0; n < bytes; n++) {
		if (!guest_byte(from + n, false))
			return -EFAULT;
		((u8 *)to)[n] = *guest_byte(from + n, false);
	}
	return 0;
}

static inline int copy_to_guest(u64 to, const void *from, size_t bytes)
{
	for (size_t n = 0; n < bytes; n++) {
		if (!guest_byte(to + n, true))
			return -EFAULT;
		*guest_byte(to + n, true) = ((const u8 *)from)[n];
	}
	return 0;
}

static inline int get_guest_u64(u64 *x, u64 address) { return copy_from_guest(x, address, sizeof(*x)); }
static inline void user_access_begin(void) { }
static inline void user_access_end(void) { }
static bool read_word(u64 address, u64 *x);
#define raw_get_u64(x, address, label) do { u64 x_; if (!read_word(address, &x_)) goto label; (x) = x_; } while (0)
#define raw_get_u8(x, address, label) do { \
		u8 x_; \
		if (copy_from_guest(&x_, address, 1)) \
			goto label; \
		(x) = x_; \
	} while (0)

#define MSR_FS_BASE 0xc0000100
#define MSR_GS_BASE 0xc0000101
#define MSR_TSC_AUX 0xc0000103
#define CR0_TS (1ul << 3)
#define CR4_TSD (1ul << 2)
#define CR4_DE (1ul << 3)
#define CR4_FSGSBASE (1ul << 16)
#define CR4_OSXSAVE (1ul << 18)
#define FLAGS_TF (1ul << 8)
#define FLAGS_DF (1ul << 10)
#define FLAGS_RF (1ul << 16)

static u64 host_cr4 = 0x3406e0, host_tsc = 0x123456789, host_fs_base;
static inline u64 read_cr4(void) { return host_cr4; }
static inline void write_cr4(u64 x) { host_cr4 = x; }
static inline u64 rdtsc(void) { return host_tsc; }
static inline u64 rdmsr(u32 n) { return n == MSR_FS_BASE ? host_fs_base : 0; }
static inline void wrmsr(u32 n, u64 x) { }

#include <vcpu.h>
#include <cpu.h>
#include <domain.h>
#include <emulate.h>
#include <frames.h>

/* --- what the rest of the hypervisor would do ------------------------------------------------------------ */

/* The vCPU in its window, whose first pages are the descriptor tables. */
static struct {
	u8 tables[VCPU_WINDOW_STRUCT * 4096];
	struct vcpu vcpu;
} host_window __attribute__((aligned(VCPU_WINDOW_SIZE)));
#define host_vcpu host_window.vcpu

static struct {
	int exceptions, vector;
	u64 error_code, address, rip;
	u64 msr[2];		/* number, value of the last write */
	u32 port, port_bytes, port_value;
	int port_accesses;
	u64 xcr0;
	mfn_t l4;
} seen;

/* Of the guest's memory or the vCPU's tables. */
static bool read_word(u64 address, u64 *x)
{
	u64 offset = address - (u64)&host_window;

	if (offset > sizeof(host_window.tables) - 8)
		return !copy_from_guest(x, address, 8);
	memcpy(x, &host_window.tables[offset], 8);
	return true;
}

struct cpu_features cpu_has = { .fsgsbase = true, .xsave = true };

void bounce_exception(struct vcpu *v, int vector, u64 error_code)
{
	seen.exceptions++;
	seen.vector = vector;
	seen.error_code = error_code;
	seen.rip = v->regs.rip;
}

void bounce_plain(struct vcpu *v, unsigned vector) { bounce_exception(v, vector, NO_ERROR_CODE); }
void bounce_gp(struct vcpu *v, u64 error_code) { bounce_exception(v, 13, error_code); }

void bounce_page_fault(struct vcpu *v, u64 address, u64 error_code)
{
	seen.address = address;
	bounce_exception(v, 14, error_code);
}

void guest_cpuid(struct vcpu *v, u32 leaf, u32 subleaf, u32 out[4])
{
	out[0] = leaf + 1;
	out[1] = 0x1111;
	out[2] = subleaf + 2;
	out[3] = 0x3333;
}

bool guest_rdmsr(struct vcpu *v, u32 n, u64 *value)
{
	*value = 0x1122334455667788;
	return n != 0xbad;
}

bool guest_wrmsr(struct vcpu *v, u32 n, u64 value)
{
	seen.msr[0] = n;
	seen.msr[1] = value;
	return n != 0xbad;
}

bool ioport_bitmap_allows(struct vcpu *v, u16 port, unsigned bytes) { return false; }

static void saw_port(u16 port, unsigned bytes, u32 value)
{
	seen.port = port;
	seen.port_bytes = bytes;
	seen.port_value = value;
	seen.port_accesses++;
}

u32 ioport_read(struct vcpu *v, u16 port, unsigned bytes)
{
	saw_port(port, bytes, 0);
	return 0xa1b2c3d4 & ~0u >> (32 - 8 * bytes);
}

void ioport_write(struct vcpu *v, u16 port, unsigned bytes, u32 value)
{
	saw_port(port, bytes, value & ~0u >> (32 - 8 * bytes));
}

void fpu_set_ts(struct vcpu *v, bool set) { v->ts = set; }

bool fpu_set_xcr0(struct vcpu *v, u64 xcr0)
{
	seen.xcr0 = xcr0;
	return xcr0 == 1 || xcr0 == 3 || xcr0 == 7;
}

int debugreg_set(struct vcpu *v, unsigned number, u64 value)
{
	if (number > 7)
		return -ENODEV;
	v->dr[number] = value;
	return value >> 32 && number > 3 ? -EINVAL : 0;
}

int debugreg_get(const struct vcpu *v, unsigned number, u64 *value)
{
	if (number > 7)
		return -ENODEV;
	*value = v->dr[number];
	return 0;
}

bool debugreg_after(struct vcpu *v, u16 port, unsigned bytes) { return v->regs.rflags & FLAGS_TF; }

int mmu_switch_kernel_l4(struct vcpu *v, mfn_t l4)
{
	seen.l4 = l4;
	if (l4 == 0xbad)
		return -EINVAL;
	v->kernel_cr3 = l4 << 12;
	return 0;
}

#include "../../hypervisor/emulate/decode.c"
#include "../../hypervisor/emulate/store.c"
#include "../../hypervisor/emulate/privop.c"

/* --- the guest --------------------------------------------------------------------------------------------- */

static struct vcpu_info host_info;
static struct domain host_domain = { .privileged = false };

static void guest_reset(void)
{
	memset(&guest, 0, sizeof(guest));
	memset(&seen, 0, sizeof(seen));
	memset(&host_vcpu, 0, sizeof(host_vcpu));
	memset(guest.present, true, sizeof(guest.present));
	memset(guest.writable, true, sizeof(guest.writable));
	host_vcpu.info = &host_info;
	host_vcpu.domain = &host_domain;
	host_vcpu.kernel_mode = true;
	host_vcpu.kernel_cr3 = 0x7000;
	host_vcpu.cr4 = 0x660;
	host_vcpu.regs.rip = GUEST_START;
	host_vcpu.regs.cs = FLAT_KERNEL_CS64;
	host_vcpu.regs.rflags = 0x10202;
}

#endif
