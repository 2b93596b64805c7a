/* SPDX-License-Identifier: MIT */
/* The interpreter: what it does for a guest kernel, what it leaves to the guest as a fault, and where rip then stands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "privop_host.h"

static struct vcpu *const v = &host_vcpu;
static struct cpu_user_regs *const r = &host_vcpu.regs;

static int reset(void **state)
{
	guest_reset();
	return 0;
}

/* Places the bytes at `at` and lets the #GP happen there. */
static bool run_at(u64 at, const char *bytes, size_t length)
{
	memcpy(&guest.memory[at - GUEST_START], bytes, length);
	r->rip = at;
	return emulate_gp(v);
}

#define RUN(bytes) run_at(GUEST_START, bytes, sizeof(bytes) - 1)
#define expect_done(bytes) do { \
	assert_true(RUN(bytes)); \
	assert_int_equal(seen.exceptions, 0); \
	assert_int_equal(r->rip, GUEST_START + sizeof(bytes) - 1); \
} while (0)
#define expect_refused(bytes) do { \
	assert_false(RUN(bytes)); \
	assert_int_equal(seen.exceptions, 0); \
	assert_int_equal(r->rip, GUEST_START); \
} while (0)

static void control_registers(void **state)
{
	expect_done("\x0f\x20\xc0");			/* mov %cr0, %rax */
	assert_int_equal(r->rax, 0x80050033);
	r->rbx = 0x8005003b;
	expect_done("\x0f\x22\xc3");			/* mov %rbx, %cr0 */
	assert_true(v->ts);
	expect_done("\x41\x0f\x20\xc4");		/* mov %cr0, %r12 */
	assert_int_equal(r->r12, 0x8005003b);
	expect_done("\x0f\x06");			/* clts */
	assert_false(v->ts);
	r->rbx = 0x80040033;
	expect_refused("\x0f\x22\xc3");			/* WP is not its to change */
	expect_refused("\x44\x0f\x20\xc0");		/* cr8 */
	expect_refused("\x0f\x20\xc8");			/* cr1 */
	expect_done("\x0f\x20\xd8");
	assert_int_equal(r->rax, 0x7000);
	r->rax = 0x9fff;
	expect_done("\x0f\x22\xd8");
	assert_int_equal(seen.l4, 9);
	r->rax = 0xbad000;
	expect_refused("\x0f\x22\xd8");
	r->rdx = 0x123456789abc;
	expect_done("\x0f\x22\xd2");
	assert_int_equal(host_info.arch.cr2, 0x123456789abc);
	expect_done("\x0f\x20\xd1");
	assert_int_equal(r->rcx, 0x123456789abc);
}

static void cr4_changes_only_the_guests_bits(void **state)
{
	u64 host = host_cr4;

	r->rax = ~0ull;
	expect_done("\x0f\x22\xe0");
	assert_int_equal(v->cr4, 0x5066c);
	assert_int_equal(host_cr4, (host & ~0x10004ull) | 0x10004);
	r->rax = 0;
	expect_done("\x0f\x22\xe0");
	assert_int_equal(v->cr4, 0x660);
	assert_int_equal(host_cr4, host & ~0x10004ull);
}

static void msrs_and_time(void **state)
{
	r->rcx = 0x10;
	r->rdx = r->rax = ~0ull;
	expect_done("\x0f\x32");
	assert_int_equal(r->rax, 0x55667788);
	assert_int_equal(r->rdx, 0x11223344);
	r->rcx = 0xffffffff00000020;
	r->rax = 0xffffffff00000001;
	r->rdx = 2;
	expect_done("\x0f\x30");
	assert_int_equal(seen.msr[0], 0x20);
	assert_int_equal(seen.msr[1], 0x200000001);
	r->rcx = 0xbad;
	expect_refused("\x0f\x32");
	expect_refused("\x0f\x30");
	v->tsc_aux = 5;
	expect_done("\x0f\x31");
	expect_done("\x0f\x01\xf9");
	assert_int_equal(r->rcx, 5);
	assert_int_equal(r->rdx << 32 | r->rax, host_tsc);
}

static void left_to_the_guest(void **state)
{
	expect_refused("\xf4");			/* hlt */
	expect_refused("\x0f\x08");		/* invd */
	expect_refused("\x0f\x33");		/* rdpmc */
	expect_refused("\x0f\x01\xf8");		/* swapgs */
	expect_refused("\x0f\x01\x38");		/* invlpg (%rax) */
	expect_refused("\x0f\x01\x10");		/* lgdt (%rax) */
	expect_refused("\x0f\x00\xd8");		/* ltr %ax */
	expect_refused("\x48\x8b\x00");		/* a load from a non-canonical address */
	expect_refused("\x48\x89\x00");		/* a store to one */
	expect_refused("\xf0\x0f\x06");		/* lock clts */
}

static void user_mode_may_do_none_of_it(void **state)
{
	v->kernel_mode = false;
	v->iopl = 1;
	expect_refused("\x0f\x20\xc0");
	expect_refused("\x0f\x22\xc0");
	expect_refused("\x0f\x32");
	expect_refused("\x0f\x06");
	expect_refused("\x0f\x09");
	expect_refused("\x0f\x31");
	expect_refused("\xfa");
	expect_refused("\xec");
	expect_refused("\x66\xed");
	v->cr4 |= CR4_OSXSAVE;
	expect_refused("\x0f\x01\xd1");
	v->iopl = 3;
	expect_done("\xfa");
	expect_done("\xec");
}

static void prefixes_go_through_the_decoder(void **state)
{
	expect_done("\x66\x0f\x20\xc0");
	expect_done("\xf3\x0f\x09");
	expect_done("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x0f\x06");
	expect_refused("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x0f\x06");
	expect_done("\x48\x0f\x32");
	r->rax = 0x700;
	expect_done("\x2e\x41\x0f\x23\xc0");	/* cs: mov %r8, %db0 */
}

static void ports(void **state)
{
	r->rdx = 0xffffffffffff03fd;
	r->rax = 0x1111111122223333;
	expect_refused("\xec");
	v->iopl = 1;
	expect_done("\xec");
	assert_int_equal(seen.port, 0x3fd);
	assert_int_equal(r->rax, 0x11111111222233d4);
	expect_done("\x66\xed");
	assert_int_equal(r->rax, 0x111111112222c3d4);
	expect_done("\xed");
	assert_int_equal(r->rax, 0xa1b2c3d4);
	expect_done("\xe4\x61");
	assert_int_equal(seen.port, 0x61);
	assert_int_equal(seen.port_bytes, 1);
	r->rax = 0x1234567890abcdef;
	expect_done("\x66\xe7\x80");
	assert_int_equal(seen.port, 0x80);
	assert_int_equal(seen.port_value, 0xcdef);
	expect_done("\xef");
	assert_int_equal(seen.port_value, 0x90abcdef);
}

static void string_io_moves_elements(void **state)
{
	v->iopl = 1;
	r->rdx = 0x1f0;
	r->rdi = GUEST_START + 0x100;
	r->rcx = 3;
	expect_done("\xf3\x6d");			/* rep insl */
	assert_int_equal(seen.port_accesses, 3);
	assert_int_equal(r->rcx, 0);
	assert_int_equal(r->rdi, GUEST_START + 0x10c);
	assert_memory_equal(&guest.memory[0x108], "\xd4\xc3\xb2\xa1\0\0", 6);
	r->rsi = GUEST_START + 0x108;
	r->rflags |= FLAGS_DF;
	expect_done("\x66\x6f");			/* outsw, downwards */
	assert_int_equal(seen.port_value, 0xc3d4);
	assert_int_equal(r->rsi, GUEST_START + 0x106);
	r->rcx = 0;
	expect_done("\xf3\x6e");
	assert_int_equal(seen.port_accesses, 4);
	host_fs_base = GUEST_START;
	r->rsi = 0x108;
	expect_done("\x64\x6e");			/* fs: outsb */
	assert_int_equal(seen.port_value, 0xd4);
}

static void long_string_io_is_done_in_parts(void **state)
{
	v->iopl = 1;
	r->rdi = GUEST_START + 0x100;
	r->rcx = STRING_BOUND + 7;
	assert_true(RUN("\xf3\x6c"));
	assert_int_equal(r->rip, GUEST_START);
	assert_int_equal(r->rcx, 7);
	expect_done("\xf3\x6c");
	assert_int_equal(r->rdi, GUEST_START + 0x100 + STRING_BOUND + 7);
}

static void string_io_faults_where_the_memory_does(void **state)
{
	v->iopl = 1;
	guest.present[1] = false;
	r->rdi = GUEST_START + 4094;
	r->rcx = 2;
	assert_true(RUN("\xf3\x6d"));
	assert_int_equal(seen.port_accesses, 0);
	assert_int_equal(seen.vector, 14);
	assert_int_equal(seen.address, GUEST_START + 4096);
	assert_int_equal(seen.error_code, 2);
	assert_int_equal(seen.rip, GUEST_START);
	assert_int_equal(r->rcx, 2);
	guest.present[1] = true;
	guest.writable[1] = false;
	r->rdi = GUEST_START + 4096;
	v->kernel_mode = false;
	v->iopl = 3;
	assert_true(RUN("\x6c"));
	assert_int_equal(seen.error_code, 7);
	r->rsi = HV_START + 0x1000;
	assert_true(RUN("\x6e"));
	assert_int_equal(seen.address, HV_START + 0x1000);
	assert_int_equal(seen.error_code, 5);
	r->rsi = 0x0000800000000000;
	seen.exceptions = 0;
	expect_refused("\x6e");
}

static void page_ends(void **state)
{
	u64 end = GUEST_START + 4096;

	assert_true(run_at(end - 1, "\x0f\x20\xc0", 3));
	assert_int_equal(r->rip, end + 2);
	assert_int_equal(r->rax, 0x80050033);
	guest.present[1] = false;
	assert_true(run_at(end - 3, "\x0f\x20\xc0", 3));
	assert_int_equal(r->rip, end);
	assert_int_equal(seen.exceptions, 0);
	assert_true(run_at(end - 2, "\x0f\x20", 2));	/* gone meanwhile */
	assert_int_equal(seen.vector, 14);
	assert_int_equal(seen.address, end);
	assert_int_equal(seen.error_code, 16);
	assert_int_equal(seen.rip, end - 2);
	assert_false(run_at(end - 1, "\xf4", 1));
}

static void the_prefix_forces_cpuid(void **state)
{
	static const char bytes[] = "\x0f\x0bxen\x0f\xa2";
	u64 end = GUEST_START + 4096;

	for (int user = 0; user < 2; user++) {
		v->kernel_mode = !user;
		memcpy(guest.memory, bytes, 7);
		r->rip = GUEST_START;
		r->rax = 0x100000041;
		r->rcx = 0x700000003;
		emulate_ud(v);
		assert_int_equal(seen.exceptions, 0);
		assert_int_equal(r->rip, GUEST_START + 7);
		assert_int_equal(r->rax, 0x42);
		assert_int_equal(r->rbx, 0x1111);
		assert_int_equal(r->rcx, 5);
		assert_int_equal(r->rdx, 0x3333);
	}
	memcpy(&guest.memory[4096 - 7], bytes, 7);
	guest.present[1] = false;
	r->rip = end - 7;
	emulate_ud(v);
	assert_int_equal(seen.exceptions, 0);
	assert_int_equal(r->rip, end);
	r->rip = end - 2;
	memcpy(&guest.memory[4096 - 2], "\x0f\x0b", 2);
	emulate_ud(v);
	assert_int_equal(seen.vector, 6);
	assert_int_equal(seen.rip, end - 2);
	memcpy(guest.memory, "\x0f\x0bxen\x0f\x32", 7);
	r->rip = GUEST_START;
	emulate_ud(v);
	assert_int_equal(seen.exceptions, 2);
	assert_int_equal(seen.rip, GUEST_START);
}

static void software_interrupts_go_by_the_bytes(void **state)
{
	memcpy(guest.memory, "\xcd\x21", 2);
	emulate_int(v, 0x42 * 8 + 2);	/* no gate: the guest's #GP, with the right code */
	assert_int_equal(seen.vector, 13);
	assert_int_equal(seen.error_code, 0x21 * 8 + 2);
	assert_int_equal(seen.rip, GUEST_START);
	v->trap_address[0x21] = 0x1000;
	v->trap_flags[0x21] = 1;
	emulate_int(v, 0x42 * 8 + 2);
	assert_int_equal(seen.vector, 0x21);
	assert_true(seen.error_code == NO_ERROR_CODE);
	assert_int_equal(seen.rip, GUEST_START + 2);
	v->kernel_mode = false;
	r->rip = GUEST_START;
	emulate_int(v, 0x42 * 8 + 2);	/* user mode needs 3 */
	assert_int_equal(seen.vector, 13);
	v->trap_flags[0x21] = 3 | 4;
	emulate_int(v, 0x42 * 8 + 2);
	assert_int_equal(seen.vector, 0x21);
	memcpy(guest.memory, "\x66\xcd\x21", 3);
	r->rip = GUEST_START;
	emulate_int(v, 2);
	assert_int_equal(seen.rip, GUEST_START + 3);
	memcpy(guest.memory, "\x90\x90", 2);
	r->rip = GUEST_START;
	for (u64 code = 2; code < 0x20; code += 11) {	/* no INT there; two of a selector, one of an interrupt */
		emulate_int(v, code);
		assert_int_equal(seen.vector, 13);
		assert_int_equal(seen.error_code, code);
		assert_int_equal(seen.rip, GUEST_START);
	}
}

static void code_of_other_segments(void **state)
{
	u64 *gdt = (u64 *)host_window.tables;

	gdt[5] = 0x00cffb000000ffff;		/* 32-bit code, base 0 */
	r->cs = 5 << 3 | 3;
	v->iopl = 1;
	expect_done("\xfa");
	expect_refused("\x48\x0f\x06");		/* dec %eax in 32-bit code */
	gdt[5] = 0x00affb000000ffff;		/* 64-bit */
	expect_done("\x48\x0f\x06");
	gdt[5] = 0x008ffb000000ffff;		/* 16-bit */
	expect_refused("\xfa");
	gdt[5] = 0x40cffb000000ffff;		/* base 0x40000000 */
	memcpy(guest.memory, "\xfb", 1);
	r->rip = 0;
	assert_true(emulate_gp(v));
	assert_int_equal(r->rip, 1);
}

static void xsetbv_needs_osxsave(void **state)
{
	r->rax = 3;
	assert_true(RUN("\x0f\x01\xd1"));
	assert_int_equal(seen.vector, 6);
	assert_int_equal(seen.rip, GUEST_START);
	seen.exceptions = 0;
	v->cr4 |= CR4_OSXSAVE;
	expect_done("\x0f\x01\xd1");
	r->rax = 5;
	expect_refused("\x0f\x01\xd1");
	r->rax = 3;
	r->rdx = 1;
	expect_refused("\x0f\x01\xd1");
	r->rdx = 0;
	r->rcx = 1;
	expect_refused("\x0f\x01\xd1");
}

static void debug_registers(void **state)
{
	r->rax = 0x1234;
	expect_done("\x0f\x23\xc0");
	expect_done("\x0f\x21\xc3");
	assert_int_equal(r->rbx, 0x1234);
	r->rax = 1ull << 32;
	expect_refused("\x0f\x23\xf8");
	assert_true(RUN("\x44\x0f\x21\xc0"));	/* db8 */
	assert_int_equal(seen.vector, 6);
	assert_int_equal(seen.rip, GUEST_START);
}

static void single_step_sees_what_was_emulated(void **state)
{
	r->rflags |= FLAGS_TF;
	assert_true(RUN("\x0f\x06"));
	assert_int_equal(seen.vector, 1);
	assert_int_equal(seen.rip, GUEST_START + 2);
}

static void system_registers_tell_nothing(void **state)
{
	r->rax = r->rbx = ~0ull;
	expect_done("\x48\x0f\x01\xe0");	/* smsw %rax */
	assert_int_equal(r->rax, 0x80050033);
	expect_done("\x66\x0f\x01\xe3");	/* smsw %bx */
	assert_int_equal(r->rbx, 0xffffffffffff0033);
	expect_done("\x0f\x00\xc0");		/* sldt %eax */
	assert_int_equal(r->rax, 0);
	r->rsp = GUEST_START + 0x800;
	memset(&guest.memory[0x800], 0xee, 16);
	v->kernel_mode = false;
	expect_done("\x0f\x01\x04\x24");	/* sgdt (%rsp) */
	assert_memory_equal(&guest.memory[0x800], "\0\0\0\0\0\0\0\0\0\0\xee\xee", 12);
	r->rsp = GUEST_START + 0x2000;
	assert_true(RUN("\x0f\x01\x0c\x24"));	/* sidt to nowhere */
	assert_int_equal(seen.vector, 14);
	assert_int_equal(seen.error_code, 6);
	assert_int_equal(seen.address, GUEST_START + 0x2000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, reset)
	const struct CMUnitTest tests[] = {
		TEST(control_registers), TEST(cr4_changes_only_the_guests_bits), TEST(msrs_and_time), TEST(left_to_the_guest),
		TEST(user_mode_may_do_none_of_it), TEST(prefixes_go_through_the_decoder), TEST(ports),
		TEST(string_io_moves_elements), TEST(long_string_io_is_done_in_parts),
		TEST(string_io_faults_where_the_memory_does), TEST(page_ends), TEST(the_prefix_forces_cpuid),
		TEST(software_interrupts_go_by_the_bytes), TEST(code_of_other_segments), TEST(xsetbv_needs_osxsave),
		TEST(debug_registers), TEST(single_step_sees_what_was_emulated), TEST(system_registers_tell_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
