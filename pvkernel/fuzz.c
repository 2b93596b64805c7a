/* SPDX-License-Identifier: MIT */
/*
 * `fuzz SEED`: random hypercalls at full speed, for the sake of everybody else on the machine. Arguments are made to nearly
 * fit: the frames are some that nothing else here uses, half of them not mapped writable, so that they become page tables; ports, references,
 * handles and domains are small numbers; every so often a word is a boundary value or anything at all. What replaces our own entry points, or
 * ends us by what it is, is left out; that we die of something else is expected now and then.
 *
 * The control interface and everything about other domains must be refused: what is not is printed as PRIVILEGED.
 */
#include <abi/domctl.h>
#include <abi/event_channel.h>
#include <abi/grant_table.h>
#include <abi/memory.h>
#include <abi/platform.h>
#include <abi/sched.h>
#include <abi/sysctl.h>
#include <abi/vcpu.h>

#include "boot.h"
#include "gnttab.h"
#include "hypercall.h"
#include "lib.h"
#include "mm.h"
#include "sched.h"
#include "shell.h"
#include "time.h"
#include "xenstore.h"
#include "xorshift.h"

#define TOYS 24
#define TOY_VAS 16
#define SLOTS 4				/* calls of a multicall */
#define SLOT_WORDS 64
#define REPORT_EVERY 5000

struct fuzz {
	u64 random, calls, accepted, privileged;
	u64 toys[TOYS];			/* pfns; the second half is not writable in the direct map */
	u8 *window;			/* TOY_VAS pages whose entries are played with */
	u64 (*slots)[SLOT_WORDS];	/* what calls point to: up to an unmapped page, so that lists of absurd lengths end there */
	u16 domid;
};

struct call {
	u64 nr, args[5];
};

static u64 next(struct fuzz *f)
{
	return xorshift(&f->random) * 0x2545f4914f6cdd1d >> 8;
}

static u64 below(struct fuzz *f, u64 n)
{
	return next(f) % n;
}

static u64 any_word(struct fuzz *f)
{
	static const u64 boundaries[] = { 0, 1, ~0ul, 0x7fffffff, 0x80000000, 0xffffffff, 1ul << 47, (1ul << 47) - 1, 1ul << 63,
		HYPERVISOR_VIRT_START, HYPERVISOR_VIRT_END - 8, HYPERVISOR_VIRT_START - 4, DIRECT_BASE, ARENA_END, 0xffff, 0xffffffff00000000 };

	return below(f, 3) ? boundaries[below(f, ARRAY_SIZE(boundaries))] : next(f) >> below(f, 56);
}

/* Mostly below n. */
static u64 small(struct fuzz *f, u64 n)
{
	return below(f, 24) ? below(f, n) : any_word(f);
}

/* Ours are the first after the reserved ones. */
static u32 any_ref(struct fuzz *f)
{
	return below(f, 2) ? GNTTAB_NR_RESERVED_ENTRIES + below(f, 32) : small(f, 24);
}

/* The end of the table's first frame, and beyond: nothing that is granted, for others look whether it stays what it was. */
static u32 idle_ref(struct fuzz *f)
{
	return PAGE_SIZE / sizeof(struct grant_entry_v1) - 32 + below(f, 48);
}

/* Those created shortly before and after us. */
static u16 neighbour(struct fuzz *f)
{
	return f->domid + below(f, 16) - 8;
}

static u16 any_domid(struct fuzz *f)
{
	switch (below(f, 8)) {
	case 0:
		return neighbour(f);
	case 1:
		return DOMID_SELF + below(f, 16);
	case 2:
		return any_word(f);
	case 3:
		return 0;
	default:
		return below(f, 2) ? f->domid : DOMID_SELF;
	}
}

static u64 any_mfn(struct fuzz *f)
{
	if (below(f, 16))
		return pfn_to_mfn(f->toys[below(f, TOYS)]);
	return below(f, 2) ? below(f, 1 << 20) : any_word(f);
}

static u64 any_pte(struct fuzz *f)
{
	u64 flags = PTE_PRESENT | PTE_USER | PTE_ACCESSED | (below(f, 2) ? PTE_RW : 0);

	return below(f, 6) ? any_mfn(f) << PAGE_SHIFT | flags | (below(f, 8) ? 0 : next(f) & 0xfff) : below(f, 2) ? 0 : any_word(f);
}

static u64 any_va(struct fuzz *f)
{
	return below(f, 12) ? (u64)f->window + below(f, TOY_VAS) * PAGE_SIZE + (below(f, 8) ? 0 : below(f, PAGE_SIZE)) : any_word(f);
}

/* What a call is given to read and to write: nearly always its slot. */
static u64 pointer(struct fuzz *f, const void *slot)
{
	return below(f, 32) ? (u64)slot : below(f, 2) ? any_va(f) : any_word(f);
}

static void fill(struct fuzz *f, u64 *slot)
{
	u16 *halves = (u16 *)slot;
	u32 *words = (u32 *)slot;

	switch (below(f, 3)) {
	case 0:
		for (unsigned int i = 0; i < SLOT_WORDS; i++)
			slot[i] = below(f, 3) ? small(f, 16) : any_mfn(f);
		break;
	case 1:
		for (unsigned int i = 0; i < SLOT_WORDS * 2; i++)
			words[i] = below(f, 8) ? small(f, 16) : any_domid(f);
		break;
	default:
		for (unsigned int i = 0; i < SLOT_WORDS * 4; i++)
			halves[i] = below(f, 2) ? any_domid(f) : small(f, 16);
	}
}

/* --- calls: each fills its slot and its arguments --- */

static void mmu_update(struct fuzz *f, struct call *c, u64 *slot)
{
	struct mmu_update *u = (struct mmu_update *)slot;
	u64 n = 1 + below(f, 8);

	for (u64 i = 0; i < n; i++)
		u[i] = (struct mmu_update){ any_mfn(f) << PAGE_SHIFT | below(f, 512) << 3 | (below(f, 4) ? 0 : below(f, 8)), any_pte(f) };
	*c = (struct call){ __HYPERVISOR_mmu_update, { pointer(f, u), small(f, n + 1), below(f, 2) ? (u64)(slot + SLOT_WORDS - 1) : 0,
			below(f, 4) ? DOMID_SELF : any_domid(f) | (u64)any_domid(f) << 16 } };
}

static void mmuext_op(struct fuzz *f, struct call *c, u64 *slot)
{
	struct mmuext_op *op = (struct mmuext_op *)slot;
	u64 n = 1 + below(f, 6);

	for (u64 i = 0; i < n; i++) {
		op[i] = (struct mmuext_op){ .cmd = small(f, MMUEXT_UNMARK_SUPER + 2), .arg1.mfn = any_mfn(f), .arg2.src_mfn = any_mfn(f) };
		if (op[i].cmd == MMUEXT_NEW_BASEPTR && below(f, 64))	/* an empty root is a valid one, and our end */
			op[i].cmd = MMUEXT_UNPIN_TABLE;
		if (op[i].cmd == MMUEXT_SET_LDT)
			op[i].arg1.linear_addr = any_va(f), op[i].arg2.nr_ents = small(f, 600);
	}
	*c = (struct call){ __HYPERVISOR_mmuext_op, { pointer(f, op), small(f, n + 1), 0, below(f, 4) ? DOMID_SELF : any_domid(f) } };
}

static void update_va_mapping(struct fuzz *f, struct call *c, u64 *slot)
{
	*c = (struct call){ below(f, 8) ? __HYPERVISOR_update_va_mapping : __HYPERVISOR_update_va_mapping_otherdomain,
		{ any_va(f), any_pte(f), small(f, 8), any_domid(f) } };
}

static void map_grant(struct fuzz *f, u64 *slot)
{
	*(struct gnttab_map_grant_ref *)slot = (struct gnttab_map_grant_ref){
		.host_addr = any_va(f) & (below(f, 4) ? PAGE_MASK : ~0ul), .flags = below(f, 8) ? GNTMAP_host_map : small(f, 32),
		.ref = any_ref(f), .dom = any_domid(f) };
}

static void copy_grant(struct fuzz *f, u64 *slot)
{
	struct gnttab_copy *op = (struct gnttab_copy *)slot;

	*op = (struct gnttab_copy){ .flags = small(f, 4), .len = small(f, PAGE_SIZE), .source.domid = any_domid(f), .dest.domid = any_domid(f),
		.source.offset = below(f, 3) ? 0 : small(f, PAGE_SIZE), .dest.offset = below(f, 3) ? 0 : small(f, PAGE_SIZE) };
	op->source.u.gmfn = op->flags & GNTCOPY_source_gref ? any_ref(f) : any_mfn(f);
	op->dest.u.gmfn = op->flags & GNTCOPY_dest_gref ? any_ref(f) : any_mfn(f);
}

/* How many there are. */
static u64 swap_grants(struct fuzz *f, u64 *slot, u64 wanted)
{
	struct gnttab_swap_grant_ref *op = (struct gnttab_swap_grant_ref *)slot;
	u64 n = MIN(wanted, SLOT_WORDS * sizeof(u64) / sizeof(*op));

	for (u64 i = 0; i < n; i++)
		op[i] = (struct gnttab_swap_grant_ref){ .ref_a = idle_ref(f), .ref_b = idle_ref(f) };
	return n;
}

static void grant_op(struct fuzz *f, struct call *c, u64 *slot)
{
	u64 cmd = small(f, GNTTABOP_cache_flush + 2), count = below(f, 8) ? 1 : small(f, 8);

	fill(f, slot);
	if (cmd == GNTTABOP_map_grant_ref)
		map_grant(f, slot);
	else if (cmd == GNTTABOP_copy)
		copy_grant(f, slot);
	else if (cmd == GNTTABOP_transfer)
		*(struct gnttab_transfer *)slot = (struct gnttab_transfer){ .mfn = any_mfn(f), .domid = any_domid(f), .ref = any_ref(f) };
	else if (cmd == GNTTABOP_setup_table)
		*(struct gnttab_setup_table *)slot = (struct gnttab_setup_table){ .dom = any_domid(f), .nr_frames = small(f, 80),
			.frame_list = pointer(f, slot + 8) };
	else if (cmd == GNTTABOP_swap_grant_ref)
		count = swap_grants(f, slot, count);
	else if (cmd == GNTTABOP_set_version)	/* entries of version 2 would not be those that we write */
		slot[0] = below(f, 2) ? 1 : small(f, 2);
	else if (cmd == GNTTABOP_unmap_grant_ref || cmd == GNTTABOP_unmap_and_replace)
		slot[0] = any_va(f) & PAGE_MASK, slot[1] = below(f, 2) ? 0 : any_va(f), slot[2] = small(f, 16);
	*c = (struct call){ __HYPERVISOR_grant_table_op, { cmd, pointer(f, slot), count } };
}

/* What cuts us off from our own events, and so from our console, comes late. */
static bool would_deafen(u64 cmd)
{
	return cmd == EVTCHNOP_close || cmd == EVTCHNOP_reset || cmd == EVTCHNOP_init_control || cmd == EVTCHNOP_bind_vcpu;
}

static void event_op(struct fuzz *f, struct call *c, u64 *slot)
{
	fill(f, slot);
	*c = (struct call){ __HYPERVISOR_event_channel_op, { small(f, EVTCHNOP_set_priority + 2), pointer(f, slot) } };
	if (c->args[0] == EVTCHNOP_init_control || c->args[0] == EVTCHNOP_expand_array)
		slot[0] = any_mfn(f), slot[1] = small(f, 4096);
	if (would_deafen(c->args[0]) && below(f, 4096))
		slot[0] = small(f, 64) + 8;
}

static void memory_op(struct fuzz *f, struct call *c, u64 *slot)
{
	struct xen_memory_reservation *r = (struct xen_memory_reservation *)slot;
	u64 *list = slot + SLOT_WORDS / 2;
	u64 cmd = small(f, XENMEM_acquire_resource + 2);

	fill(f, slot);
	for (unsigned int i = 0; i < SLOT_WORDS / 2; i++)
		list[i] = any_mfn(f);
	for (unsigned int i = 0; i < 2; i++)
		r[i] = (struct xen_memory_reservation){ pointer(f, list + below(f, 4)), small(f, 8), small(f, 3), small(f, 64), any_domid(f) };
	if (cmd == XENMEM_exchange)
		slot[8] = small(f, 2);
	*c = (struct call){ __HYPERVISOR_memory_op, { cmd, pointer(f, slot) } };
}

static void vcpu_op(struct fuzz *f, struct call *c, u64 *slot)
{
	u64 cmd = small(f, VCPUOP_register_vcpu_time_memory_area + 2);

	fill(f, slot);
	if (cmd == VCPUOP_register_vcpu_info && below(f, 1024))	/* can be done once, and we would not look there */
		cmd = VCPUOP_register_runstate_memory_area;
	if (cmd == VCPUOP_register_vcpu_info)
		slot[0] = any_mfn(f), slot[1] = small(f, 4096);
	else if (below(f, 2))
		slot[0] = any_va(f);
	if (cmd == VCPUOP_down)
		cmd = VCPUOP_is_up;
	*c = (struct call){ __HYPERVISOR_vcpu_op, { cmd, below(f, 2) ? 0 : small(f, 34), pointer(f, slot) } };
}

static void sched_op(struct fuzz *f, struct call *c, u64 *slot)
{
	static const u32 cmds[] = { SCHEDOP_yield, SCHEDOP_poll, SCHEDOP_remote_shutdown, SCHEDOP_pin_override, 8 };
	u32 cmd = cmds[below(f, ARRAY_SIZE(cmds))];

	fill(f, slot);
	if (cmd == SCHEDOP_poll)
		*(struct sched_poll *)slot = (struct sched_poll){ pointer(f, slot + 8), small(f, 130), 1 + below(f, now() + NSEC_PER_MSEC) };
	else if (cmd == SCHEDOP_remote_shutdown)
		slot[0] = below(f, 4) ? below(f, 32) : DOMID_SELF + 1 + below(f, 14);
	if (cmd == SCHEDOP_remote_shutdown && (u16)slot[0] == f->domid)
		cmd = SCHEDOP_yield;
	*c = (struct call){ __HYPERVISOR_sched_op, { cmd, cmd == SCHEDOP_poll ? (u64)slot : pointer(f, slot) } };
}

static void control(struct fuzz *f, struct call *c, u64 *slot)
{
	static const u8 nrs[] = { __HYPERVISOR_domctl, __HYPERVISOR_sysctl, __HYPERVISOR_platform_op };
	u64 nr = nrs[below(f, ARRAY_SIZE(nrs))];

	fill(f, slot);
	slot[0] = small(f, 90) | (nr == __HYPERVISOR_platform_op ? XENPF_INTERFACE_VERSION : (u64)XEN_DOMCTL_INTERFACE_VERSION) << 32;
	if (nr == __HYPERVISOR_domctl)
		slot[1] = any_domid(f);
	*c = (struct call){ nr, { pointer(f, slot) } };
}

static void descriptors(struct fuzz *f, struct call *c, u64 *slot)
{
	fill(f, slot);
	slot[0] = any_mfn(f);
	if (below(f, 2))
		*c = (struct call){ __HYPERVISOR_set_gdt, { pointer(f, slot), small(f, 8193) } };
	else
		*c = (struct call){ __HYPERVISOR_update_descriptor, { any_mfn(f) << PAGE_SHIFT | below(f, 512) << 3, below(f, 2) ? 0 : any_word(f) } };
}

/* Anything else, any argument. */
static void other(struct fuzz *f, struct call *c, u64 *slot)
{
	static const u8 nrs[] = { __HYPERVISOR_fpu_taskswitch, __HYPERVISOR_get_debugreg, __HYPERVISOR_set_timer_op, __HYPERVISOR_xen_version,
		__HYPERVISOR_vm_assist, __HYPERVISOR_xsm_op, __HYPERVISOR_xenoprof_op, __HYPERVISOR_physdev_op, __HYPERVISOR_hvm_op,
		__HYPERVISOR_kexec_op, __HYPERVISOR_tmem_op, __HYPERVISOR_argo_op, __HYPERVISOR_xenpmu_op, __HYPERVISOR_dm_op, __HYPERVISOR_hypfs_op,
		__HYPERVISOR_sched_op_compat, __HYPERVISOR_event_channel_op_compat, __HYPERVISOR_physdev_op_compat, __HYPERVISOR_arch_0, 60, 63 };

	fill(f, slot);
	*c = (struct call){ nrs[below(f, ARRAY_SIZE(nrs))], { small(f, 32), pointer(f, slot), small(f, 32), pointer(f, slot), any_word(f) } };
}

/* What needs a domain's privilege gives an error; everything about other domains too, but a grant and a port that they gave. */
static void judge(struct fuzz *f, const struct call *c, long result)
{
	f->calls++;
	f->accepted += result >= 0;
	if (result >= 0 && (c->nr == __HYPERVISOR_domctl || c->nr == __HYPERVISOR_sysctl || c->nr == __HYPERVISOR_platform_op) && !f->privileged++)
		printf("fuzz: PRIVILEGED: hypercall %lu gave %ld\n", c->nr, result);
}

static long enter(const struct call *c)
{
	register u64 r10 __asm__("r10") = c->args[3];
	register u64 r8 __asm__("r8") = c->args[4];
	u64 a1 = c->args[0], a2 = c->args[1], a3 = c->args[2];
	u64 result = (u64)(hypercall_page + c->nr * HYPERCALL_STUB_SIZE);

	__asm__ volatile("call *%%rax" : "+a"(result), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10), "+r"(r8) :: "memory", "rcx", "r9", "r11");
	return result;
}

static void make_call(struct fuzz *f, struct call *c, u64 *slot)
{
	static void (*const makers[])(struct fuzz *, struct call *, u64 *) = {
		mmu_update, mmuext_op, mmuext_op, update_va_mapping, grant_op, grant_op, event_op, event_op, memory_op, vcpu_op, sched_op,
		control, descriptors, other,
	};

	makers[below(f, ARRAY_SIZE(makers))](f, c, slot);
}

static void several(struct fuzz *f)
{
	struct multicall_entry list[SLOTS];
	u64 n = 1 + below(f, SLOTS);

	for (u64 i = 0; i < n; i++) {
		struct call c;

		make_call(f, &c, f->slots[i]);
		list[i] = (struct multicall_entry){ .op = c.nr, .args = { c.args[0], c.args[1], c.args[2], c.args[3], c.args[4] } };
	}
	HYPERVISOR_multicall(list, n);
	f->calls += n;
}

static void report(const struct fuzz *f)
{
	printf("fuzz: %lu calls, %lu accepted, %lu privileged\n", f->calls, f->accepted, f->privileged);
}

static void play(struct fuzz *f, u64 end)
{
	u64 next_report = REPORT_EVERY;

	while (now() < end) {
		struct call c;

		if (f->calls >= next_report) {
			report(f);
			next_report += REPORT_EVERY;
		}
		if (!below(f, 16)) {
			several(f);
			continue;
		}
		make_call(f, &c, f->slots[0]);
		judge(f, &c, enter(&c));
	}
}

/* What is lost in play is lost: the frames are not given back. */
static bool prepare(struct fuzz *f, u64 seed)
{
	u64 domid = 1;
	u8 *page;

	*f = (struct fuzz){ .random = seed * 0x9e3779b97f4a7c15 + 1, .window = vmalloc(TOY_VAS * PAGE_SIZE) };
	page = vmalloc(PAGE_SIZE);
	if (!page || !f->window)
		return false;
	f->slots = (void *)(page + PAGE_SIZE - SLOTS * sizeof(*f->slots));
	for (unsigned int i = 0; i < TOYS; i++) {
		f->toys[i] = page_alloc();
		if (f->toys[i] == NO_PAGE)
			return false;
		memset(pfn_to_virt(f->toys[i]), 0, PAGE_SIZE);
		if (i >= TOYS / 2)
			page_protect(f->toys[i], PROT_READ);
	}
	xs_read_u64(XS_NO_TX, "domid", &domid);
	f->domid = domid;
	for (unsigned int i = 0; i < TOYS; i++)
		gnttab_grant(i & 1 ? f->domid : neighbour(f), f->toys[i], i & 2);
	return true;
}

static int cmd_fuzz(int argc, char **argv)
{
	static struct fuzz f;
	u64 seed = 0, ms = 1000;

	if (argc < 2 || !parse_u64(argv[1], &seed) || (argc > 2 && !parse_u64(argv[2], &ms)) || boot.native) {
		printf("usage: fuzz SEED [MILLISECONDS], on a hypervisor\n");
		return 1;
	}
	if (!prepare(&f, seed)) {
		printf("fuzz: no memory\n");
		return 1;
	}
	printf("fuzz: seed %lu\n", seed);
	play(&f, now() + ms * NSEC_PER_MSEC);
	timer_reprogram();
	report(&f);
	return f.privileged != 0;
}
COMMAND(fuzz, cmd_fuzz, "SEED [MILLISECONDS]: random hypercalls at full speed");
