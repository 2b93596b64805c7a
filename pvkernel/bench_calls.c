/* SPDX-License-Identifier: MIT */
/* Bench: hypercalls that do next to nothing, multicall, context switch, timers. */
#include <abi/callback.h>
#include <abi/event_channel.h>
#include <abi/vcpu.h>

#include "bench.h"
#include "boot.h"
#include "evtchn.h"
#include "hypercall.h"
#include "insn.h"
#include "lib.h"
#include "mm.h"
#include "ops.h"
#include "time.h"

extern char upcall_entry[], bench_kernel_stack_end[], handle_timer_upcall[];

static void register_upcall(const char *entry)
{
	struct callback_register cb = { .type = CALLBACKTYPE_event, .flags = CALLBACKF_mask_events, .address = (u64)entry };

	bench_check("event callback", HYPERVISOR_callback_op(CALLBACKOP_register, &cb));
}

/* --- bases of FS and GS are the kernel's: they come back --- */

static u64 saved_fs, saved_gs;

static void save_bases(u64 *arg)
{
	arg[0] = MSR_FS_BASE;
	saved_fs = rdmsr(MSR_FS_BASE);
	saved_gs = rdmsr(MSR_GS_BASE);
}

static void save_gs(u64 *arg)
{
	save_bases(arg);
	arg[0] = MSR_GS_BASE;
}

static void restore_bases(void)
{
	cpu->set_fs_base(saved_fs);
	cpu->set_gs_base(saved_gs);
}

static void callback_arg(u64 *arg)
{
	struct callback_register *cb = bench_page();

	*cb = (struct callback_register){ CALLBACKTYPE_event, CALLBACKF_mask_events, (u64)upcall_entry };
	arg[0] = (u64)cb;
}

static void multicall_arg(u64 *arg)
{
	struct multicall_entry *list = bench_page();

	for (int i = 0; i < 64; i++)
		list[i].op = __HYPERVISOR_xen_version;
	arg[0] = (u64)list;
}

static const struct bench calls[] = {
	{ .name = "hc_xen_version", loop_call17_0_0, NULL, 1 },
	{ .name = "hc_unknown_nr", loop_call63, NULL, 1 },
	{ .name = "hc_sched_yield", loop_call29_0_0, NULL, 1 },
	{ .name = "hc_set_segment_base_fs", loop_call25_fs, loop_wrmsr, 1, save_bases, restore_bases },
	{ .name = "hc_set_segment_base_gsk", loop_call25_gs, loop_wrmsr, 1, save_gs, restore_bases },
	{ .name = "hc_get_debugreg", loop_call9, loop_read_dr7, 1 },
	{ .name = "hc_set_debugreg", loop_call8, loop_write_dr0, 1 },
	{ .name = "hc_vm_assist", loop_call21, NULL, 1 },
	{ .name = "hc_vcpu_is_up", loop_call24_up, NULL, 1 },
	{ .name = "hc_callback_register", loop_call30, NULL, 1, callback_arg },
	{ .name = "multicall_1_per_op", loop_multicall_1, NULL, 1, multicall_arg },
	{ .name = "multicall_8_per_op", loop_multicall_8, NULL, 8, multicall_arg },
	{ .name = "multicall_64_per_op", loop_multicall_64, NULL, 64, multicall_arg },
};

const struct bench_group bench_calls = { .title = "-- hypercalls", calls, ARRAY_SIZE(calls) };

/* --- context switch --------------------------------------------------------------------------------------- */

static u64 root_mfn, other_mfn;

/* A second root with the same content, pinned as the first is. */
static void make_other_root(void)
{
	u64 *copy = bench_page(), *root = pfn_to_virt(root_pfn());

	memcpy(copy, root, PAGE_SIZE);
	memset(copy + 256, 0, 16 * sizeof(*copy));
	root_mfn = pfn_to_mfn(root_pfn());
	other_mfn = pfn_to_mfn(virt_to_pfn(copy));
	page_protect(virt_to_pfn(copy), PROT_READ);
	cpu->pin_table(4, virt_to_pfn(copy));
}

static void drop_other_root(void)
{
	struct mmuext_op op[2] = {
		{ .cmd = MMUEXT_NEW_BASEPTR, .arg1.mfn = root_mfn }, { .cmd = MMUEXT_NEW_USER_BASEPTR, .arg1.mfn = 0 },
	};

	bench_check("old roots", HYPERVISOR_mmuext_op(op, 2, NULL, DOMID_SELF));
	cpu->unpin_table(mfn_to_pfn(other_mfn));
}

static struct mmuext_op *mmuext_ops(u32 cmd1, u64 mfn1, u32 cmd2, u64 mfn2)
{
	struct mmuext_op *op = bench_page();

	op[0] = (struct mmuext_op){ .cmd = cmd1, .arg1.mfn = mfn1 };
	op[1] = (struct mmuext_op){ .cmd = cmd2, .arg1.mfn = mfn2 };
	return op;
}

static void mmuext_arg(u64 *arg, u32 cmd, u64 what)
{
	if (boot.native) {
		arg[0] = arg[1] = cmd == MMUEXT_INVLPG_LOCAL ? what : read_cr3();
		return;
	}
	root_mfn = pfn_to_mfn(root_pfn());
	arg[0] = (u64)mmuext_ops(cmd, what, 0, 0);
}

static void same_root(u64 *arg) { mmuext_arg(arg, MMUEXT_NEW_BASEPTR, pfn_to_mfn(root_pfn())); }
static void flush_local(u64 *arg) { mmuext_arg(arg, MMUEXT_TLB_FLUSH_LOCAL, 0); }
static void flush_all(u64 *arg) { mmuext_arg(arg, MMUEXT_TLB_FLUSH_ALL, 0); }
static void invlpg_local(u64 *arg) { mmuext_arg(arg, MMUEXT_INVLPG_LOCAL, (u64)&root_mfn); }

static void same_user_root(u64 *arg)
{
	mmuext_arg(arg, MMUEXT_NEW_USER_BASEPTR, pfn_to_mfn(root_pfn()));
}

static void no_user_root(void)
{
	struct mmuext_op op = { .cmd = MMUEXT_NEW_USER_BASEPTR };

	bench_check("no user root", HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF));
}

static void two_roots(u64 *arg, u32 cmd)
{
	struct mmuext_op *op;

	make_other_root();
	op = mmuext_ops(cmd, other_mfn, cmd, root_mfn);
	arg[0] = (u64)&op[0];
	arg[1] = (u64)&op[1];
}

static void alternate_root(u64 *arg) { two_roots(arg, MMUEXT_NEW_BASEPTR); }
static void alternate_user_root(u64 *arg) { two_roots(arg, MMUEXT_NEW_USER_BASEPTR); }

static void switch_list(struct multicall_entry *list)
{
	list[0] = (struct multicall_entry){ .op = __HYPERVISOR_stack_switch,
		.args = { FLAT_KERNEL_SS, (u64)bench_kernel_stack_end } };
	list[1] = (struct multicall_entry){ .op = __HYPERVISOR_fpu_taskswitch, .args = { 1 } };
	list[3] = (struct multicall_entry){ .op = __HYPERVISOR_set_segment_base, .args = { 0, 0 } };
}

static void context_switch(u64 *arg)
{
	struct multicall_entry *list = bench_page();

	make_other_root();
	saved_fs = rdmsr(MSR_FS_BASE);
	saved_gs = rdmsr(MSR_GS_BASE);
	switch_list(list);
	switch_list(list + 8);
	arg[0] = (u64)list;
	arg[1] = (u64)(list + 8);
	arg[2] = (u64)mmuext_ops(MMUEXT_NEW_BASEPTR, other_mfn, MMUEXT_NEW_USER_BASEPTR, other_mfn);
	arg[3] = (u64)mmuext_ops(MMUEXT_NEW_BASEPTR, root_mfn, MMUEXT_NEW_USER_BASEPTR, root_mfn);
}

static void context_switch_end(void)
{
	drop_other_root();
	cpu->set_ts(false);
	restore_bases();
}

static void ts_values(u64 *arg)
{
	arg[0] = read_cr0() | CR0_TS;
	arg[1] = read_cr0() & ~CR0_TS;
}

static void stack_arg(u64 *arg)
{
	static u64 sp;

	arg[0] = boot.native ? (u64)&sp : FLAT_KERNEL_SS;
	arg[1] = (u64)bench_kernel_stack_end;
}

/* --- descriptors --- */

static void gdt_page(u64 *arg)
{
	u64 *gdt = bench_page(), *frames = bench_page();

	page_protect(virt_to_pfn(gdt), PROT_READ);
	frames[0] = pfn_to_mfn(virt_to_pfn(gdt));
	arg[0] = (u64)frames;
	bench_check("set_gdt", HYPERVISOR_set_gdt(frames, 15));
}

static void gdt_slot(u64 *arg)
{
	if (boot.native) {
		arg[0] = (u64)bench_page();
		return;
	}
	gdt_page(arg);
	arg[0] = *(u64 *)arg[0] << PAGE_SHIFT | 8;
	arg[1] = 0x00cff2000000ffff;	/* flat data for ring 3 */
}

static void no_gdt(void)
{
	u64 none = 0;

	if (!boot.native)
		bench_check("no gdt", HYPERVISOR_set_gdt(&none, 0));
}

static const struct bench switches[] = {
	{ .name = "hc_stack_switch", loop_stack_switch, loop_store_one, 1, stack_arg },
	{ .name = "hc_fpu_taskswitch_toggle_each", loop_fpu_two, loop_write_cr0_two, 2, ts_values },
	{ .name = "hc_fpu_taskswitch_0_repeat", loop_fpu_0, loop_clts, 1 },
	{ .name = "mmuext_0_ops", loop_mmuext_0, NULL, 1, flush_local },
	{ .name = "mmuext_new_baseptr_same", loop_mmuext_1, loop_write_cr3, 1, same_root },
	{ .name = "mmuext_new_baseptr_alternate", loop_mmuext_two, NULL, 2, alternate_root, drop_other_root },
	{ .name = "mmuext_new_user_baseptr_same", loop_mmuext_1, NULL, 1, same_user_root, no_user_root },
	{ .name = "mmuext_new_user_baseptr_alternate", loop_mmuext_two, NULL, 2, alternate_user_root, drop_other_root },
	{ .name = "mmuext_tlb_flush_local", loop_mmuext_1, loop_write_cr3, 1, flush_local },
	{ .name = "mmuext_tlb_flush_all", loop_mmuext_1, loop_write_cr3, 1, flush_all },
	{ .name = "mmuext_invlpg_local", loop_mmuext_1, loop_invlpg, 1, invlpg_local },
	{ .name = "ctxsw_multicall_4", loop_multicall_switch, NULL, 2, context_switch, context_switch_end },
	{ .name = "hc_update_descriptor", loop_update_descriptor, loop_store_one, 1, gdt_slot, no_gdt },
	{ .name = "hc_set_gdt_1frame", loop_set_gdt, NULL, 1, gdt_page, no_gdt },
};

const struct bench_group bench_switch = { .title = "-- context switch", switches, ARRAY_SIZE(switches) };

/* --- timers -------------------------------------------------------------------------------------------------- */

static void far_deadlines(u64 *arg)
{
	arg[0] = now() + 20 * NSEC_PER_SEC;
	arg[1] = now() + 21 * NSEC_PER_SEC;
}

static void far_singleshots(u64 *arg)
{
	struct vcpu_set_singleshot_timer *t = bench_page();

	t[0].timeout_abs_ns = now() + 20 * NSEC_PER_SEC;
	t[1].timeout_abs_ns = now() + 21 * NSEC_PER_SEC;
	arg[0] = (u64)&t[0];
	arg[1] = (u64)&t[1];
}

static void stop_timers(void)
{
	HYPERVISOR_set_timer_op(0);
	HYPERVISOR_vcpu_op(VCPUOP_stop_singleshot_timer, 0, NULL);
}

/*
 * Delivery: the deadline, in ticks of the TSC, follows from the clock's parameters, which stand still meanwhile
 * unless the version changes; then the sample is not used.
 */
u64 wait_busy(void);
u64 wait_blocked(void);

#define DELIVERY_DELAY (2 * NSEC_PER_MSEC)
#define DELIVERIES 20

static u64 tsc_at(u64 ns)
{
	const struct vcpu_time_info *t = &vcpu_info->time;
	int shift = t->tsc_shift;
	u64 after = ns - t->system_time, mul = t->tsc_to_system_mul, ticks, rest;

	/* (after << 32) / mul */
	__asm__("divq %4" : "=a"(ticks), "=d"(rest) : "a"(after << 32), "d"(after >> 32), "r"(mul));
	return t->tsc_timestamp + (shift < 0 ? ticks << -shift : ticks >> shift);
}

/* Keeps n samples sorted when one more comes. */
static void insert_sample(u64 *samples, unsigned int n, u64 x)
{
	for (; n && samples[n - 1] > x; n--)
		samples[n] = samples[n - 1];
	samples[n] = x;
}

/* The median: now and then a deadline meets the hypervisor in the middle of something. */
static u64 delivery(u64 (*wait)(void))
{
	u64 samples[DELIVERIES];
	unsigned int n = 0;

	for (int i = 0; i < DELIVERIES; i++) {
		u64 deadline = now() + DELIVERY_DELAY, due, came;
		u32 version = vcpu_info->time.version;

		due = tsc_at(deadline);
		vcpu_info->evtchn_upcall_pending = 0;
		vcpu_info->evtchn_pending_sel = 0;
		for (unsigned int w = 0; w < ARRAY_SIZE(shared_info->evtchn_pending); w++)
			shared_info->evtchn_pending[w] = 0;
		HYPERVISOR_set_timer_op(deadline);
		came = wait();
		WRITE_ONCE(vcpu_info->evtchn_upcall_mask, 1);
		if (version == vcpu_info->time.version && came >= due)
			insert_sample(samples, n++, came - due);
	}
	return n ? samples[n / 2] : ~0ul;
}

/* One number for all rounds: what the other loops return is a sum over them, and never 0. */
static u64 loop_delivery_busy(u64 n, const u64 *arg) { return delivery(wait_busy) * n + 1; }
static u64 loop_delivery_blocked(u64 n, const u64 *arg) { return delivery(wait_blocked) * n + 1; }
static u64 loop_nothing(u64 n, const u64 *arg) { return 1; }

static void catch_timer(u64 *arg)
{
	register_upcall(handle_timer_upcall);
}

static void release_timer(void)
{
	register_upcall(upcall_entry);
	stop_timers();
}

static const struct bench timers[] = {
	{ .name = "timer_set_timer_op", loop_set_timer_two, NULL, 2, far_deadlines, stop_timers },
	{ .name = "timer_set_timer_op_stop", loop_set_timer_0, NULL, 1 },
	{ .name = "timer_singleshot_set", loop_singleshot_two, NULL, 2, far_singleshots, stop_timers },
	{ .name = "timer_singleshot_stop", loop_singleshot_stop, NULL, 1 },
	{ .name = "timer_delivery_busy", loop_delivery_busy, NULL, 1, catch_timer, release_timer, 0, loop_nothing },
	{ .name = "timer_delivery_blocked", loop_delivery_blocked, NULL, 1, catch_timer, release_timer, 0, loop_nothing },
};

const struct bench_group bench_timers = { .title = "-- timers", timers, ARRAY_SIZE(timers) };
