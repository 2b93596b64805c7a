/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as the instruction that a guest's #GP or #UD came from. Input: a byte of choices, a byte that
 * places the instruction near the page end, eight bytes for each of eight registers, the instruction.
 * What must hold: a fault that is left to the guest has changed no register; rip moves only within fifteen
 * bytes; user mode without IOPL gets nothing but what needs no privilege; the fetch stops at the page's end.
 */
#include "../unit/privop_host.h"

#define CHECK(c) do { if (!(c)) __builtin_trap(); } while (0)
#define HEADER (2 + 8 * 8)

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static void load_registers(struct cpu_user_regs *r, const u8 *data)
{
	u64 *const to[8] = { &r->rax, &r->rcx, &r->rdx, &r->rbx, &r->rsp, &r->rsi, &r->rdi, &r->r8 };

	for (int n = 0; n < 8; n++)
		memcpy(to[n], data + 8 * n, 8);
	r->rsi = GUEST_START + (r->rsi & 0x3fff);
	r->rdi = GUEST_START + (r->rdi & 0x3fff);
}

static void check_user(u8 choices, bool handled)
{
	bool ports = host_vcpu.iopl == 3;

	if (host_vcpu.kernel_mode)
		return;
	CHECK(!seen.msr[0] && !seen.l4 && !seen.xcr0 && host_vcpu.cr4 == 0x660);
	CHECK(ports || !seen.port_accesses);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct cpu_user_regs before;
	u64 offset;
	bool handled;

	if (size < HEADER + 1)
		return 0;
	guest_reset();
	host_vcpu.kernel_mode = data[0] & 1;
	host_vcpu.iopl = data[0] >> 1 & 3;
	guest.present[1] = data[0] & 8;
	guest.writable[0] = data[0] & 16;
	load_registers(&host_vcpu.regs, data + 2);
	offset = 4096 - data[1] % 32;
	size -= HEADER;
	memcpy(&guest.memory[offset], data + HEADER, size < 64 ? size : 64);
	host_vcpu.regs.rip = GUEST_START + offset;
	before = host_vcpu.regs;
	if (data[0] & 0x20) {
		emulate_ud(&host_vcpu);
		handled = true;
	} else if (data[0] & 0x40) {
		emulate_int(&host_vcpu, 0x10a);
		handled = true;
	} else {
		handled = emulate_gp(&host_vcpu);
	}
	CHECK(handled || (!seen.exceptions && !memcmp(&before, &host_vcpu.regs, sizeof(before))));
	CHECK(host_vcpu.regs.rip - before.rip <= INSN_MAX);
	CHECK(seen.exceptions <= 1);
	check_user(data[0], handled);
	return 0;
}
