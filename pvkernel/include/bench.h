/* SPDX-License-Identifier: MIT */
/*
 * Measuring operations. A bench is a loop in bench_loops.S around one operation, or a few in turn; its cost
 * is what the loop takes less what the same loop takes with nothing in it. The unit is the TSC's tick, which
 * is an executed instruction when QEMU runs with -icount shift=0.
 */
#ifndef PVK_BENCH_H
#define PVK_BENCH_H

#include "types.h"

#define BENCH_ARGS 4

/* Runs the operation `rounds` times with the arguments in r12 to r15; returns the ticks of the part that counts, or 0 for all of it. */
typedef u64 (*bench_loop_t)(u64 rounds, const u64 *arg);

struct bench {
	const char *name;		/* as in docs and results.json */
	bench_loop_t loop;		/* under a hypervisor; NULL: not measured there */
	bench_loop_t native;		/* on the bare machine; NULL: not measured there */
	unsigned int ops;		/* operations in one round */
	void (*prepare)(u64 *arg);
	void (*finish)(void);
	unsigned int divide;		/* so many times fewer rounds: a dear operation; 0 is 1 */
	bench_loop_t empty;		/* what is subtracted; NULL: loop_empty */
};

struct bench_group {
	const char *title;
	const struct bench *list;
	unsigned int count;
	void (*begin)(void);		/* around all of the group; may be NULL */
	void (*end)(void);
};

extern const struct bench_group bench_calls, bench_instructions, bench_mmu, bench_exceptions, bench_events,
	bench_grants, bench_switch, bench_timers;

/* --- the loops, named after what they do --- */
#define LOOPS(X) \
	X(empty) X(only_empty) X(user_empty) \
	X(call17_0_0) X(call63) X(call29_0_0) X(call32_status) X(call25_fs) X(call25_gs) X(call9) X(call8) X(call21) \
	X(call24_up) X(call30) X(multicall_1) X(multicall_8) X(multicall_64) \
	X(cpuid_fep) X(cpuid) X(rdmsr) X(wrmsr) X(read_cr0) X(read_cr2) X(read_cr3) X(read_cr4) X(write_cr3) X(write_cr4) \
	X(clts) X(write_cr0_two) X(in_dx) X(in_61) X(in_80) X(out_80) X(wbinvd) X(read_dr7) X(write_dr0) X(xsetbv) X(cli_sti) \
	X(mmu_update_0) X(mmu_update_1) X(mmu_update_64) X(uvm) X(store_two) X(store_zero_one) X(store_two_invlpg) X(store_two_flush) \
	X(only_mmuext) X(only_demand) \
	X(ud2) X(read_r12) X(write_r12) X(hlt) X(int3) X(int80) X(int21) \
	X(user_syscall) X(user_int80) X(user_ud2) X(user_read) \
	X(send) X(send_fresh) X(forced_callback) X(send_block) X(unmask) X(alloc_bind_close) \
	X(grant_pair) X(only_grant_map) X(only_grant_unmap) X(grant_copy_1) X(grant_copy_16) \
	X(stack_switch) X(fpu_two) X(fpu_0) X(mmuext_0) X(mmuext_1) X(mmuext_two) X(invlpg) X(multicall_switch) \
	X(update_descriptor) X(set_gdt) X(store_one) \
	X(set_timer_two) X(set_timer_0) X(singleshot_two) X(singleshot_stop)
#define DECLARE_LOOP(name) u64 loop_##name(u64 rounds, const u64 *arg);
LOOPS(DECLARE_LOOP)

/* What one operation costs, in hundredths of a tick, by a few rounds and without a word. 0: no such operation here. */
u64 bench_quick(const char *name);

/* --- for the groups --- */

/* The handler of a vector from now on, an entry of bench_loops.S; bench_handlers_end() puts the kernel's own back. */
void bench_handler(unsigned int vector, const char *pv, const char *native);
void bench_handlers_end(void);
void *bench_page(void);			/* a page of the direct map, zeroed; lives on */
void bench_check(const char *what, long err);	/* a preparation that must succeed */

#endif
