/* SPDX-License-Identifier: MIT */
/*
 * Debug registers. v->dr[] is what the guest sees; dr[4] is spare and dr[5] keeps the enable bits of
 * port breakpoints, which the hardware never gets: a port access of a guest is emulated, and the
 * emulation looks at them.
 *
 * Invariant: while the running vCPU has no enabled breakpoint DR7 is at rest; else DR0 to DR3 and DR7 are its
 * own. No breakpoint lies at an address of the hypervisor.
 */
#include <abi/arch-x86_64.h>
#include <asm.h>
#include <emulate.h>
#include <hypercall.h>
#include <uaccess.h>
#include <vcpu.h>

#define DR6_DEFAULT 0xffff0ff0
#define DR6_ZERO (1u << 12)
#define DR6_SINGLE_STEP (1u << 14)
#define DR7_DEFAULT 0x400
#define DR7_ZERO 0xd800
#define DR7_DETECT (1u << 13)
#define DR7_ENABLES 0xff
#define DR7_KIND_IO 2

static unsigned kind_of(u64 dr7, int n) { return dr7 >> (16 + 4 * n) & 3; }
static unsigned length_of(u64 dr7, int n) { return (dr7 >> (18 + 4 * n) & 3) + 1; }

void debugreg_init_vcpu(struct vcpu *v)
{
	v->dr[6] = DR6_DEFAULT;
	v->dr[7] = DR7_DEFAULT;
}

static u64 hardware_dr7(const struct vcpu *v)
{
	u64 dr7 = v->dr[7] & ~v->dr[5];

	return dr7 & DR7_ENABLES ? dr7 : DR7_DEFAULT;
}

static __attribute__((noinline)) void write_address(unsigned n, u64 value)
{
	switch (n) {
	case 0: write_dr0(value); break;
	case 1: write_dr1(value); break;
	case 2: write_dr2(value); break;
	default: write_dr3(value); break;
	}
}

static void load(const struct vcpu *v)
{
	for (int n = 0; n < 4; n++)
		write_address(n, v->dr[n]);
	write_dr7(hardware_dr7(v));
}

static int set_dr7(struct vcpu *v, u64 value)
{
	u64 io = 0, old = hardware_dr7(v);

	if (value >> 32)
		return -EINVAL;
	if (value & DR7_DETECT)
		return -EPERM;
	for (int n = 0; n < 4; n++) {
		if (kind_of(value, n) != DR7_KIND_IO || !(value >> 2 * n & 3))
			continue;
		if (!(v->cr4 & CR4_DE))
			return -EPERM;
		io |= 3ul << 2 * n;
	}
	v->dr[5] = io;
	v->dr[7] = (value & ~(u64)DR7_ZERO) | DR7_DEFAULT;
	if (v == current && hardware_dr7(v) != old) {
		if (old == DR7_DEFAULT)
			load(v);
		else
			write_dr7(hardware_dr7(v));
	}
	return 0;
}

/* 4 and 5 are other names of 6 and 7 unless the guest has set CR4.DE. */
static unsigned alias(const struct vcpu *v, unsigned number)
{
	return number - 4 < 2 && !(v->cr4 & CR4_DE) ? number + 2 : number;
}

static inline bool address_ok(u64 address)
{
	return guest_address_ok(address) && address_canonical(address);
}

static inline int set_address(struct vcpu *v, unsigned number, u64 value)
{
	if (unlikely(!address_ok(value)))
		return -EPERM;
	v->dr[number] = value;
	if (unlikely(v->dr[7] & DR7_ENABLES) && v == current)
		write_address(number, value);
	return 0;
}

int debugreg_set(struct vcpu *v, unsigned number, u64 value)
{
	number = alias(v, number);
	if (number < 4)
		return set_address(v, number, value);
	if (number == 6) {
		if (value >> 32)
			return -EINVAL;
		v->dr[6] = (value & ~(u64)DR6_ZERO) | DR6_DEFAULT;
		return 0;
	}
	return number == 7 ? set_dr7(v, value) : -ENODEV;
}

int debugreg_get(const struct vcpu *v, unsigned number, u64 *value)
{
	number = alias(v, number);
	if (number > 7 || number == 4 || number == 5)
		return -ENODEV;
	*value = v->dr[number];
	return 0;
}

long do_set_debugreg(u64 number, u64 value, u64 a3, u64 a4, u64 a5, struct vcpu *v)
{
	if (likely(number < 4))
		return set_address(v, number, value);
	return number > 7 ? -ENODEV : debugreg_set(v, number, value);
}

long do_get_debugreg(u64 number, u64 a2, u64 a3, u64 a4, u64 a5, struct vcpu *v)
{
	u64 value;

	if (number > 7 || debugreg_get(v, number, &value))
		return -ENODEV;
	return value;
}

void debugreg_switch(struct vcpu *prev, struct vcpu *next)
{
	if (unlikely(hardware_dr7(next) != DR7_DEFAULT))
		load(next);
	else if (unlikely(!prev || hardware_dr7(prev) != DR7_DEFAULT))
		write_dr7(DR7_DEFAULT);
}

/* The causes add up in the guest's DR6 until the guest clears them; what the CPU reports as 0 (RTM, BLD) follows the CPU. */
void debugreg_handle_db(struct vcpu *v)
{
	u64 dr6 = read_dr6();

	write_dr6(DR6_DEFAULT);
	v->dr[6] |= dr6 & ~(u64)DR6_DEFAULT;
	v->dr[6] &= dr6 | ~(u64)DR6_DEFAULT;
}

/* What an emulated instruction raises after it is done: a single step, a port breakpoint. True: #DB is due. */
bool debugreg_after(struct vcpu *v, u16 port, unsigned bytes)
{
	u64 causes = v->regs.rflags & FLAGS_TF ? DR6_SINGLE_STEP : 0;

	for (int n = 0; bytes && v->dr[5] && n < 4; n++)
		if (v->dr[5] >> 2 * n & v->dr[7] >> 2 * n & 3 && v->dr[n] < port + bytes &&
		    port < v->dr[n] + length_of(v->dr[7], n))
			causes |= 1u << n;
	v->dr[6] |= causes;
	return causes != 0;
}
