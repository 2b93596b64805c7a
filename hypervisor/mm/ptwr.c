/* SPDX-License-Identifier: MIT */
/*
 * Writable page tables: a guest kernel stores into an L1 table that it can only map read-only; the store
 * is carried out here as a validated change of one entry. A store that lies across entries, or whose result
 * is no legal entry, is left to the guest as the fault that it was.
 */
#include <asm.h>
#include <cpu.h>
#include <decode.h>
#include <emulate.h>
#include <pte.h>
#include <string.h>
#include <uaccess.h>

/*
 * Under l1_lock: the entry of an L1 table of d's that `address` lies in, if it is mapped by the current tables without RW (a store
 * that faulted for another reason is not for us).
 */
static inline u64 *ptwr_target(struct domain *d, u64 address)
{
	u64 pte = guest_page_ok(address) ? linear_l1e(address) : 0;

	if ((pte & (PTE_PRESENT | PTE_RW)) != PTE_PRESENT || pte_mfn(pte) >= max_mfn || !is_l1_of(d, pte_mfn(pte)))
		return NULL;
	return (u64 *)mfn_to_virt(pte_mfn(pte)) + (address & (PAGE_SIZE - 1)) / 8;
}

/* For any fault: may this be a store for ptwr_emulate()? A look at tables that may change. */
bool ptwr_wanted(struct domain *d, u64 address)
{
	u64 pte = linear_l1e(address);

	return unlikely((pte & (PTE_PRESENT | PTE_RW)) == PTE_PRESENT && pte_mfn(pte) < max_mfn && is_l1_of(d, pte_mfn(pte)));
}

/*
 * MOV of a 64-bit register or an immediate to memory, what nearly all such stores are: its length, and the value; 0: something
 * else, or too near a page's end.
 */
static unsigned plain_store(struct vcpu *v, u64 *value)
{
	u64 rip = v->regs.rip, code, constant;
	unsigned mod, rm, length = 3;

	if (unlikely(!guest_address_ok(rip) || (rip & ~PAGE_MASK) > PAGE_SIZE - 16))
		return 0;
	user_access_begin();
	raw_get_u64(code, rip, fault);
	mod = code >> 22 & 3;
	rm = code >> 16 & 7;
	if (rm == 4) {	/* SIB */
		length++;
		rm = code >> 24 & 7;
	}
	if (mod == 1)
		length++;
	else if (mod == 2 || (mod == 0 && rm == 5))
		length += 4;
	if ((code & 0xfff8) == 0x8948 && mod != 3) {
		*value = *insn_register(&v->regs, (code >> 19 & 7) | (code & 4) << 1);
	} else if ((code & 0x38fff8) == 0xc748 && mod != 3) {
		raw_get_u64(constant, rip + length, fault);
		*value = (s32)constant;
		length += 4;
	} else {
		length = 0;
	}
	user_access_end();
	return length;
fault:
	user_access_end();
	return 0;
}

static bool ptwr_plain(struct vcpu *v, u64 address, u64 new)
{
	struct domain *d = v->domain;
	u64 *entry;
	bool done;

	spin_lock(&d->l1_lock);
	entry = ptwr_target(d, address);
	done = entry && !set_l1e(d, entry, new, d->id);
	spin_unlock(&d->l1_lock);
	return done;
}

/* STOS steps rdi; under REP it is one round of several, and rip stays until the last. */
static void step_string(const struct insn *i, struct cpu_user_regs *regs)
{
	regs->rdi += regs->rflags & FLAGS_DF ? -(u64)i->size : i->size;
	if (i->rep && --regs->rcx)
		regs->rip -= i->length;
}

/*
 * Any store that the decoder knows, worked out on a copy of the registers. If the hardware sets A or D of the old
 * entry meanwhile, nothing has happened and the guest runs the instruction again.
 */
static bool ptwr_decoded(struct vcpu *v, u64 address, const struct insn *i)
{
	u64 old, part, mask = ~0ull >> (64 - i->size * 8);
	struct domain *d = v->domain;
	struct cpu_user_regs regs = v->regs;
	unsigned shift = (address & 7) * 8;
	int rc = -EINVAL;
	u64 *entry;

	spin_lock(&d->l1_lock);
	entry = ptwr_target(d, address);
	if (entry) {
		old = READ_ONCE(*entry);
		if (insn_store(i, &regs, old >> shift & mask, &part))
			rc = change_l1e(d, entry, old, (old & ~(mask << shift)) | part << shift);
	}
	spin_unlock(&d->l1_lock);
	if (!rc) {
		regs.rip += i->length;
		if (i->op == INSN_STOS)
			step_string(i, &regs);
		v->regs = regs;
	}
	return !rc || rc == -EAGAIN;
}

static __attribute__((noinline)) bool ptwr_other(struct vcpu *v, u64 address)
{
	u8 code[INSN_MAX + 1];
	struct insn i;

	return insn_decode(code, guest_fetch(v->regs.rip, code), true, &i) > 0 && i.address_size == 8 &&
	       i.segment != 0x64 && i.segment != 0x65 &&
	       (i.memory || i.op == INSN_STOS) && (address & 7) + i.size <= 8 &&
	       insn_address(&i, &v->regs, 0) == address && ptwr_decoded(v, address, &i);
}

bool ptwr_emulate(struct vcpu *v, u64 address)
{
	unsigned length = 0;
	u64 value;

	/* At a page's start the store may have begun in the page before. */
	if (likely(!(address & 7) && address & (PAGE_SIZE - 1)))
		length = plain_store(v, &value);
	if (!(likely(length) ? ptwr_plain(v, address, value) : ptwr_other(v, address)))
		return false;
	v->regs.rip += length;
	v->counters[EXIT_PTWR]++;
	return true;
}
