/* SPDX-License-Identifier: MIT */
/*
 * I/O privilege: the guest kernel counts as ring 1 against the vCPU's IOPL, user mode as ring 3;
 * without it a bitmap of ports decides.
 */
#include "guest.h"
#include <abi/physdev.h>

INSTRUCTION(cli, "cli; pushfq; pop %0")
INSTRUCTION(sti, "sti; pushfq; pop %0")
INSTRUCTION(in_80, "mov $0x80, %%edx; in %%dx, %%al")
INSTRUCTION(out_80, "mov $0x80, %%edx; mov $0, %%al; out %%al, %%dx")
INSTRUCTION(in_81, "mov $0x81, %%edx; in %%dx, %%al")
INSTRUCTION(in_20, "mov $0x20, %%edx; xor %%eax, %%eax; in %%dx, %%al")
INSTRUCTION(in_byte, "mov $0xed, %%edx; movabs $0x1122334455667788, %%rax; in %%dx, %%al")
INSTRUCTION(in_word, "mov $0xed, %%edx; movabs $0x1122334455667788, %%rax; in %%dx, %%ax")
INSTRUCTION(in_long, "mov $0xed, %%edx; movabs $0x1122334455667788, %%rax; in %%dx, %%eax")

INSTRUCTION(ins, "mov $0x80, %%edx; mov %0, %%rdi; insb")
INSTRUCTION(outs, "mov $0x80, %%edx; mov %0, %%rsi; outsb")

static int64_t set_iopl(uint32_t iopl)
{
	struct physdev_set_iopl op = { .iopl = iopl };

	return hypercall(physdev_op, PHYSDEVOP_set_iopl, &op);
}

static bool gp(struct attempt a)
{
	return a.vector == VECTOR_GP && a.regs.error_code == 0;
}

static bool done(uint64_t (*function)(uint64_t))
{
	return attempt(function, 0).vector == NO_TRAP;
}

static void levels(void)
{
	static uint64_t word;

	check("IOPL-1", gp(attempt(in_80, 0)), "IN at the start");
	check("IOPL-14",
	      gp(attempt(out_80, 0)) && gp(attempt(ins, (uint64_t)&word)) &&
		      gp(attempt(outs, (uint64_t)&word)),
	      "OUT, INS and OUTS at the start");
	check("IOPL-2", gp(attempt(cli, 0)) && gp(attempt(sti, 0)), "CLI and STI at the start");
	set_iopl(1);
	check("IOPL-3", done(in_80) && done(out_80), "IN and OUT with IOPL 1");
	mask_upcalls(true);
	check("IOPL-4",
	      (attempt(cli, 0).value & 0x200) && vcpu_info->evtchn_upcall_mask == 1 &&
		      (attempt(sti, 0).value & 0x200) && vcpu_info->evtchn_upcall_mask == 1,
	      "CLI and STI change neither IF nor the upcall mask");
	check("IOPL-5", gp(run_user(in_80, 0)), "IN in user mode with IOPL 1");
	set_iopl(3);
	check("IOPL-6", run_user(in_80, 0).vector == 0x80, "IN in user mode with IOPL 3");
	set_iopl(0);
}

static void bitmap(void)
{
	static uint8_t map[8192];
	struct physdev_set_iobitmap op = { .bitmap = (uint64_t)map, .nr_ports = 0x82 };

	map[0x81 / 8] = 1 << (0x81 % 8);
	hypercall(physdev_op, PHYSDEVOP_set_iobitmap, &op);
	check("IOPL-7", done(in_80), "a port whose bit is clear");
	op.nr_ports = 0x80;
	check("IOPL-8",
	      gp(attempt(in_81, 0)) && hypercall(physdev_op, PHYSDEVOP_set_iobitmap, &op) == 0 &&
		      gp(attempt(in_80, 0)),
	      "a port whose bit is set, and one beyond the bitmap");
	op.nr_ports = 0;
	hypercall(physdev_op, PHYSDEVOP_set_iobitmap, &op);
}

static uint64_t rep_ins(uint64_t buffer)
{
	uint64_t count = 5;

	__asm__ volatile("rep insb" : "+D"(buffer), "+c"(count) : "d"(0xed) : "memory");
	return count;
}

static uint64_t rep_outs(uint64_t buffer)
{
	uint64_t count = 5, start = buffer;

	__asm__ volatile("rep outsb" : "+S"(buffer), "+c"(count) : "d"(0x80) : "memory");
	return count ? 99 : buffer - start;
}

static void widths(void)
{
	static uint8_t buffer[8];
	struct attempt a;

	set_iopl(1);
	check_eq("IOPL-9", attempt(in_20, 0).value & 0xff, 0xff,
		 "a port that domain 0 may not use reads all ones");
	check("IOPL-10",
	      attempt(in_byte, 0).value >> 8 == 0x11223344556677 &&
		      attempt(in_word, 0).value >> 16 == 0x112233445566 &&
		      attempt(in_long, 0).value >> 32 == 0,
	      "what IN leaves of rax");
	memset(buffer, 0x33, sizeof(buffer));
	a = attempt(rep_ins, (uint64_t)buffer);
	check("IOPL-11",
	      a.vector == NO_TRAP && a.value == 0 && buffer[5] == 0x33 &&
		      attempt(rep_outs, (uint64_t)buffer).value == 5,
	      "REP INS and REP OUTS move their count");
	set_iopl(0);
}

static void architectural(void)
{
	struct user_frame frame = user_frame_for(in_80);
	struct attempt a;

	hypercall(vm_assist, VMASST_CMD_enable, VMASST_TYPE_architectural_iopl);
	frame.rflags |= 0x3000;
	a = run_user_frame(&frame, 0);
	check_eq("IOPL-12", a.vector, 0x80, "an iret with IOPL 3 allows IN in user mode");
	check_eq("IOPL-13", a.regs.rflags & 0x3000, 0x3000, "and the next frame shows it");
	hypercall(vm_assist, VMASST_CMD_disable, VMASST_TYPE_architectural_iopl);
}

void test_main(void)
{
	levels();
	bitmap();
	widths();
	architectural();
}
