/* SPDX-License-Identifier: MIT */
/*
 * The interpreter for what a guest may try in ring 3. The usual instruction lies within one page in flat
 * 64-bit code and has no prefix but REX: its eight bytes are read at once and taken apart right here.
 * Everything else goes through the decoder; both ways end in interpret().
 *
 * An instruction is read once. It is judged by the bytes read and not by the fault that it caused: another vCPU
 * may have changed it since, and the worst is that the guest gets the effect of the new one.
 */
#include <abi/arch-x86_64.h>
#include <asm.h>
#include <cpu.h>
#include <domain.h>
#include <emulate.h>
#include <entry.h>
#include <frames.h>
#include <string.h>
#include <uaccess.h>
#include <vcpu.h>

enum { ERROR_EXTERNAL = 1, ERROR_IDT = 2 };

#define CR4_REAL (CR4_TSD | CR4_FSGSBASE)	/* the guest's choice, and the CPU's while it runs */
#define CR4_GUEST (CR4_REAL | CR4_DE | CR4_OSXSAVE)
#define DESCRIPTOR_LONG (1ull << 53)
#define DESCRIPTOR_32BIT (1ull << 54)

/* --- fetching ------------------------------------------------------------------------------------------- */

static bool get_byte(u64 address, u8 *byte)
{
	u32 x;

	if (!guest_address_ok(address))
		return false;
	user_access_begin();
	raw_get_u8(x, address, fault);
	user_access_end();
	*byte = x;
	return true;
fault:
	user_access_end();
	return false;
}

unsigned guest_fetch(u64 rip, u8 *bytes)
{
	u64 low, high;
	unsigned n = 0;

	if (likely((rip & ~PAGE_MASK) <= PAGE_SIZE - 16 && guest_address_ok(rip))) {
		user_access_begin();
		raw_get_u64(low, rip, fault);
		raw_get_u64(high, rip + 8, fault);
		user_access_end();
		memcpy(bytes, &low, 8);
		memcpy(bytes + 8, &high, 8);
		return INSN_MAX;
fault:
		user_access_end();
		return 0;
	}
	while (n < INSN_MAX && get_byte(rip + n, &bytes[n]))
		n++;
	return n;
}

/*
 * The code segment in use. False: 16-bit code. Its descriptor was good when it was loaded; if the page has gone since,
 * it reads as one that is refused.
 */
static bool code_segment(const struct vcpu *v, bool *code64, u64 *base)
{
	u16 cs = v->regs.cs;
	u64 descriptor = 0, at = vcpu_window(v) + (cs & 4 ? VCPU_WINDOW_LDT * PAGE_SIZE : 0) + (cs & ~7u);

	*base = 0;
	*code64 = cs == FLAT_KERNEL_CS64;
	if (*code64)
		return true;
	raw_get_u64(descriptor, at, absent);
absent:
	*code64 = descriptor & DESCRIPTOR_LONG;
	if (!*code64)
		*base = (descriptor >> 16 & 0xffffff) | (descriptor >> 56) << 24;
	return *code64 || descriptor & DESCRIPTOR_32BIT;
}

/* --- finishing -------------------------------------------------------------------------------------------- */

static __attribute__((noinline, cold)) bool trap_after(struct vcpu *v, u16 port, unsigned bytes)
{
	if (debugreg_after(v, port, bytes))
		bounce_plain(v, VECTOR_DB);
	return true;
}

/* The instruction is done; the fault had set RF, which lasts for one instruction. */
static inline bool done(struct vcpu *v, unsigned length)
{
	v->regs.rip += length;
	v->counters[EXIT_INTERPRETED]++;
	v->regs.rflags &= ~FLAGS_RF;
	return likely(!(v->regs.rflags & FLAGS_TF)) ? true : trap_after(v, 0, 0);
}

static inline bool done_port(struct vcpu *v, unsigned length, u16 port, unsigned bytes)
{
	if (unlikely(v->dr[5]) && !(v->regs.rflags & FLAGS_TF)) {
		done(v, length);
		return trap_after(v, port, bytes);
	}
	return done(v, length);
}

static bool invalid_opcode(struct vcpu *v)
{
	bounce_plain(v, VECTOR_UD);
	return true;
}

/* --- control registers ---------------------------------------------------------------------------------------- */

static u64 cr4_allowed(void)
{
	u64 allowed = CR4_GUEST;

	if (!cpu_has.fsgsbase)
		allowed &= ~CR4_FSGSBASE;
	if (!cpu_has.xsave)
		allowed &= ~CR4_OSXSAVE;
	return allowed;
}

/* The bits that are not the guest's stay as they are, whatever it writes. */
static void set_cr4(struct vcpu *v, u64 value)
{
	u64 allowed = cr4_allowed(), old = v->cr4;

	v->cr4 = (old & ~allowed) | (value & allowed);
	if ((v->cr4 ^ old) & CR4_REAL)
		write_cr4((read_cr4() & ~CR4_REAL) | (v->cr4 & CR4_REAL));
}

void control_switch(struct vcpu *prev, struct vcpu *next)
{
	if (!prev || (prev->cr4 ^ next->cr4) & CR4_REAL)
		write_cr4((read_cr4() & ~CR4_REAL) | (next->cr4 & CR4_REAL));
	if (prev ? prev->tsc_aux != next->tsc_aux : next->tsc_aux != 0)
		wrmsr(MSR_TSC_AUX, next->tsc_aux);
}

static u64 guest_cr0(const struct vcpu *v)
{
	return GUEST_CR0 | (v->ts ? CR0_TS : 0);
}

/* --- two-byte opcodes: one function each ------------------------------------------------------------------------- */

/*
 * `operand` is ModRM's lower six bits, with REX.R as bit 6 and REX.B as bit 7; `length` that of prefixes and
 * opcode. True: done, or a fault was bounced. False: it is the guest's #GP.
 */
typedef bool handler(struct vcpu *v, unsigned operand, unsigned length);

static inline unsigned operand_of(unsigned modrm, unsigned rex)
{
	return (modrm & 0x3f) | (rex & 4) << 4 | (rex & 1) << 7;
}

static inline unsigned reg_of(unsigned operand) { return operand >> 3 & 15; }
static inline unsigned rm_of(unsigned operand) { return (operand & 7) | (operand >> 4 & 8); }

static bool mov_from_cr(struct vcpu *v, unsigned operand, unsigned length)
{
	u64 *to = insn_register(&v->regs, rm_of(operand));

	switch (reg_of(operand)) {
	case 0: *to = guest_cr0(v); break;
	case 2: *to = v->info->arch.cr2; break;
	case 3: *to = v->kernel_cr3; break;
	case 4: *to = v->cr4; break;
	default: return false;
	}
	return done(v, length + 1);
}

static bool mov_to_cr(struct vcpu *v, unsigned operand, unsigned length)
{
	u64 value = *insn_register(&v->regs, rm_of(operand));

	switch (reg_of(operand)) {
	case 0:		/* TS alone is the guest's to change */
		if ((value ^ GUEST_CR0) & ~CR0_TS)
			return false;
		fpu_set_ts(v, value & CR0_TS);
		break;
	case 2:
		v->info->arch.cr2 = value;
		break;
	case 3:
		if (mmu_switch_kernel_l4(v, value >> PAGE_SHIFT))
			return false;
		break;
	case 4:
		set_cr4(v, value);
		break;
	default:
		return false;
	}
	return done(v, length + 1);
}

static bool mov_from_dr(struct vcpu *v, unsigned operand, unsigned length)
{
	u64 value;

	if (debugreg_get(v, reg_of(operand), &value))
		return invalid_opcode(v);
	*insn_register(&v->regs, rm_of(operand)) = value;
	return done(v, length + 1);
}

static bool mov_to_dr(struct vcpu *v, unsigned operand, unsigned length)
{
	int error = debugreg_set(v, reg_of(operand), *insn_register(&v->regs, rm_of(operand)));

	if (error == -ENODEV)
		return invalid_opcode(v);
	return !error && done(v, length + 1);
}

static bool give_edx_eax(struct vcpu *v, u64 value, unsigned length)
{
	v->regs.rax = (u32)value;
	v->regs.rdx = value >> 32;
	return done(v, length);
}

static u64 edx_eax(const struct vcpu *v)
{
	return v->regs.rdx << 32 | (u32)v->regs.rax;
}

static bool insn_rdmsr(struct vcpu *v, unsigned operand, unsigned length)
{
	u64 value;

	return guest_rdmsr(v, v->regs.rcx, &value) && give_edx_eax(v, value, length);
}

static bool insn_wrmsr(struct vcpu *v, unsigned operand, unsigned length)
{
	return guest_wrmsr(v, v->regs.rcx, edx_eax(v)) && done(v, length);
}

static bool insn_rdtsc(struct vcpu *v, unsigned operand, unsigned length)
{
	return give_edx_eax(v, rdtsc(), length);
}

static bool insn_clts(struct vcpu *v, unsigned operand, unsigned length)
{
	fpu_set_ts(v, false);
	return done(v, length);
}

/* Domain 0 drives devices that look at memory; the caches of others are nobody's business. */
static bool insn_wbinvd(struct vcpu *v, unsigned operand, unsigned length)
{
	if (v->domain->privileged)
		asm volatile("wbinvd" ::: "memory");
	return done(v, length);
}

static __attribute__((noinline)) bool insn_cpuid(struct vcpu *v, unsigned length)
{
	struct cpu_user_regs *r = &v->regs;
	u32 out[4];

	guest_cpuid(v, r->rax, r->rcx, out);
	r->rax = out[0];
	r->rbx = out[1];
	r->rcx = out[2];
	r->rdx = out[3];
	return done(v, length);
}

#define GROUP7_XSETBV 0xd1
#define GROUP7_RDTSCP 0xf9

/* XSETBV, and RDTSCP with TSD set; the others of the group are not for guests. */
static bool group7(struct vcpu *v, unsigned more, unsigned length)
{
	if (more == GROUP7_XSETBV) {
		if (!(v->cr4 & CR4_OSXSAVE))
			return invalid_opcode(v);
		return v->kernel_mode && !(u32)v->regs.rcx && fpu_set_xcr0(v, edx_eax(v)) && done(v, length + 1);
	}
	if (more != GROUP7_RDTSCP || !v->kernel_mode)
		return false;
	v->regs.rcx = v->tsc_aux;
	return give_edx_eax(v, rdtsc(), length + 1);
}

#define LAST_HANDLED 0x32
#define INSN_CPUID 0xa2

static handler *const handlers[LAST_HANDLED + 1] = {
	[0x06] = insn_clts, [0x09] = insn_wbinvd,
	[0x20] = mov_from_cr, [0x21] = mov_from_dr, [0x22] = mov_to_cr, [0x23] = mov_to_dr,
	[0x30] = insn_wrmsr, [0x31] = insn_rdtsc, [0x32] = insn_rdmsr,
};

/* User mode may do none but CPUID. */
static inline bool interpret_two_byte(struct vcpu *v, unsigned opcode, unsigned more, unsigned rex, unsigned length)
{
	if (likely(opcode <= LAST_HANDLED && handlers[opcode] && v->kernel_mode))
		return handlers[opcode](v, operand_of(more, rex), length);
	if (opcode == 0x01)
		return group7(v, more, length);
	return opcode == INSN_CPUID && insn_cpuid(v, length);
}

/* --- one-byte opcodes ------------------------------------------------------------------------------------------------ */

static inline bool ioport_allowed(struct vcpu *v, u16 port, unsigned bytes)
{
	return likely(iopl_allows(v)) || ioport_bitmap_allows(v, port, bytes);
}

static bool port_in(struct vcpu *v, u16 port, unsigned size, unsigned length)
{
	u32 value;

	if (!ioport_allowed(v, port, size))
		return false;
	value = ioport_read(v, port, size);
	if (size == 4)
		v->regs.rax = value;
	else if (size == 2)
		v->regs.rax = (v->regs.rax & ~0xfffful) | (u16)value;
	else
		v->regs.rax = (v->regs.rax & ~0xfful) | (u8)value;
	return done_port(v, length, port, size);
}

static bool port_out(struct vcpu *v, u16 port, unsigned size, unsigned length)
{
	if (!ioport_allowed(v, port, size))
		return false;
	ioport_write(v, port, size, v->regs.rax);
	return done_port(v, length, port, size);
}

/* `more` is the byte after the opcode, length that of prefixes and opcode, size that of a word operand. */
static inline bool interpret_one_byte(struct vcpu *v, unsigned opcode, unsigned more, unsigned size, unsigned length)
{
	if (!(opcode & 1))
		size = 1;
	switch (opcode & 0xfe) {
	case 0xec: return port_in(v, v->regs.rdx, size, length);
	case 0xee: return port_out(v, v->regs.rdx, size, length);
	case 0xe4: return port_in(v, (u8)more, size, length + 1);
	case 0xe6: return port_out(v, (u8)more, size, length + 1);
	case 0xfa: return iopl_allows(v) && done(v, length);	/* CLI, STI: upcalls are masked in vcpu_info */
	default: return false;
	}
}

/* --- string I/O ---------------------------------------------------------------------------------------------------- */

/* Elements for one trap. A longer REP goes on with the next trap of the same instruction. */
#define STRING_BOUND 256

static bool memory_fault(struct vcpu *v, u64 address, unsigned size, bool write)
{
	u8 byte;
	u64 at = get_byte(address, &byte) && (address & ~PAGE_MASK) + size > PAGE_SIZE ? (address + size) & PAGE_MASK : address;
	u64 error_code = (write ? PF_WRITE : 0) | (v->kernel_mode ? 0 : PF_USER);

	if (!address_canonical(at))
		return false;
	if (get_byte(at, &byte) || !guest_address_ok(at))
		error_code |= PF_PRESENT;
	bounce_page_fault(v, at, error_code);
	return true;
}

static u64 segment_base(const struct insn *i)
{
	return i->segment == 0x64 ? rdmsr(MSR_FS_BASE) : i->segment == 0x65 ? rdmsr(MSR_GS_BASE) : 0;
}

/* One element; false: its memory cannot be used, and nothing has changed but that IN was done. */
static bool string_element(struct vcpu *v, const struct insn *i, u64 address, unsigned size)
{
	u32 value = 0;

	if (i->opcode >= 0x6e) {
		if (copy_from_guest(&value, address, size))
			return false;
		ioport_write(v, v->regs.rdx, size, value);
		return true;
	}
	if (copy_from_guest(&value, address, size) || copy_to_guest(address, &value, size))
		return false;	/* before the port is touched */
	value = ioport_read(v, v->regs.rdx, size);
	return !copy_to_guest(address, &value, size);
}

/* INS and OUTS in 64-bit code. Registers advance element by element, so that a fault leaves the instruction restartable. */
static bool string_io(struct vcpu *v, const struct insn *i)
{
	struct cpu_user_regs *r = &v->regs;
	u64 mask = i->address_size == 4 ? 0xffffffff : ~0ull;
	unsigned size = i->size;
	bool out = i->opcode >= 0x6e;
	u64 *pointer = out ? &r->rsi : &r->rdi;
	u64 base = out ? segment_base(i) : 0, step = r->rflags & FLAGS_DF ? -(u64)size : size;

	if (!ioport_allowed(v, r->rdx, size))
		return false;
	for (int n = 0; n < STRING_BOUND; n++) {
		if (i->rep && !(r->rcx & mask))
			return done(v, i->length);
		if (!string_element(v, i, base + (*pointer & mask), size))
			return memory_fault(v, base + (*pointer & mask), size, !out);
		*pointer = (*pointer + step) & mask;
		if (!i->rep)
			return done_port(v, i->length, r->rdx, size);
		r->rcx = (r->rcx - 1) & mask;
	}
	return true;
}

/* --- what UMIP makes trap: SGDT, SIDT, SLDT, STR, SMSW ------------------------------------------------------------- */

#define DESCRIPTOR_TABLE_BYTES 10

/*
 * Without UMIP these are silent in ring 3 and tell of the machine. Here they work in every mode and tell nothing: descriptor
 * tables without a place or a length, null selectors, CR0 as guests see it.
 */
static bool store_system_register(struct vcpu *v, const struct insn *i)
{
	unsigned extension = i->modrm >> 3 & 7, bytes = 2;
	bool smsw = i->opcode == 0x0f01 && extension == 4, table = i->opcode == 0x0f01 && extension < 2;
	u64 value[2] = { smsw ? guest_cr0(v) : 0 }, address;

	if (!smsw && !(table && i->memory) && !(i->opcode == 0x0f00 && extension < 2))
		return false;
	if (!i->memory) {
		insn_write_register(i, &v->regs, i->rm, value[0]);
		return done(v, i->length);
	}
	if (table)
		bytes = DESCRIPTOR_TABLE_BYTES;
	address = insn_address(i, &v->regs, segment_base(i));
	if (copy_to_guest(address, value, bytes))
		return memory_fault(v, address, bytes, true);
	return done(v, i->length);
}

/* --- dispatch ------------------------------------------------------------------------------------------------------- */

/* What the decoder has to look at: prefixes, 32-bit code, page ends. */
static __attribute__((noinline)) bool emulate_decoded(struct vcpu *v)
{
	u64 base, rip = v->regs.rip;
	u8 bytes[INSN_MAX + 1];
	unsigned available;
	bool code64;
	struct insn i;
	int length;

	if (!code_segment(v, &code64, &base))
		return false;
	available = guest_fetch(base + rip, bytes);
	length = insn_decode(bytes, available, code64, &i);
	if (length == INSN_SHORT) {	/* it was there when the CPU read it, unless the fault was about where it is */
		if (!address_canonical(base + rip))
			return false;
		bounce_page_fault(v, base + rip + available, PF_FETCH | (v->kernel_mode ? 0 : PF_USER));
		return true;
	}
	if (length == INSN_UNKNOWN || i.op != INSN_PRIVILEGED)
		return false;
	if (i.opcode >= 0x6c && i.opcode <= 0x6f)
		return code64 && string_io(v, &i);
	if (i.opcode <= 0x0f01 && i.opcode >= 0x0f00 && code64 && store_system_register(v, &i))
		return true;
	if (i.opcode >> 8)
		return interpret_two_byte(v, i.opcode & 0xff, i.modrm, i.rex, length - i.has_modrm);
	return interpret_one_byte(v, i.opcode, i.immediate, i.size, length - i.has_immediate);
}

/* Reads eight bytes of flat 64-bit code. */
static inline bool fetch_word(const struct cpu_user_regs *r, u64 *word)
{
	return likely(r->cs == FLAT_KERNEL_CS64) && !get_guest_u64(word, r->rip);
}

/* What the first byte of an instruction says. */
enum { REFUSED, WHOLE, TO_DECODER };

static const u8 first_bytes[256] = {
	[0x26] = TO_DECODER, [0x2e] = TO_DECODER, [0x36] = TO_DECODER, [0x3e] = TO_DECODER,	/* segments */
	[0x40 ... 0x4f] = TO_DECODER,						/* REX */
	[0x64 ... 0x67] = TO_DECODER,						/* segments, sizes */
	[0x6c ... 0x6f] = TO_DECODER,						/* INS, OUTS */
	[0xe4 ... 0xe7] = WHOLE, [0xec ... 0xef] = WHOLE, [0xfa ... 0xfb] = WHOLE,
	[0xf0] = TO_DECODER, [0xf2 ... 0xf3] = TO_DECODER,			/* LOCK, REP */
};

bool emulate_gp(struct vcpu *v)
{
	u64 word;
	u8 first, second;

	if (unlikely(!fetch_word(&v->regs, &word)))
		return emulate_decoded(v);
	first = word;
	second = word >> 8;
	if (likely(first == 0x0f)) {
		if (unlikely(second <= 1) && (u8)(word >> 16) != GROUP7_XSETBV)
			return emulate_decoded(v);
		return interpret_two_byte(v, second, word >> 16 & 0xff, 0, 2);
	}
	switch (first_bytes[first]) {
	case REFUSED:
		return false;
	case WHOLE:
		return interpret_one_byte(v, first, second, 4, 1);
	default:
		if ((first & 0xf0) == 0x40 && second == 0x0f && (word >> 16 & 0xfe))
			return interpret_two_byte(v, word >> 16 & 0xff, word >> 24 & 0xff, first, 3);
		return emulate_decoded(v);
	}
}

/* --- INT n --------------------------------------------------------------------------------------------------------- */

static void interrupt(struct vcpu *v, u8 vector, unsigned length)
{
	unsigned needed = v->kernel_mode ? 1 : 3;

	if (likely((v->trap_flags[vector] & TI_DPL_MASK) >= needed)) {
		v->regs.rip += length;
		bounce_plain(v, vector);
	} else {
		bounce_gp(v, vector * 8 + ERROR_IDT);
	}
}

static __attribute__((noinline)) void emulate_int_decoded(struct vcpu *v, u64 error_code)
{
	u8 bytes[INSN_MAX + 1];
	struct insn i;
	bool code64;
	u64 base;

	if (code_segment(v, &code64, &base) &&
	    insn_decode(bytes, guest_fetch(base + v->regs.rip, bytes), code64, &i) > 0 && i.opcode == 0xcd)
		interrupt(v, i.immediate, i.length);
	else
		bounce_gp(v, error_code);
}

/*
 * An INT n that its gate refused has the IDT bit. Its vector is that of the instruction: an error code may name another
 * (QEMU 7.2 doubles it). Other codes are of selectors.
 */
void emulate_int(struct vcpu *v, u64 error_code)
{
	u64 word;

	if (unlikely((error_code & (ERROR_EXTERNAL | ERROR_IDT)) != ERROR_IDT))
		bounce_gp(v, error_code);
	else if (likely(fetch_word(&v->regs, &word) && (u8)word == 0xcd))
		interrupt(v, word >> 8, 2);
	else
		emulate_int_decoded(v, error_code);
}

/* --- the prefix that forces emulation --------------------------------------------------------------------------------- */

/* ud2, "xen", cpuid: the first byte lowest. */
#define FORCED_CPUID 0xa20f6e65780b0full
#define FORCED_LENGTH 7

/* The eight bytes reach into a page that is not there. */
static __attribute__((noinline)) void emulate_ud_at_page_end(struct vcpu *v)
{
	u8 bytes[INSN_MAX + 1];
	u64 forced = FORCED_CPUID;

	if (guest_fetch(v->regs.rip, bytes) == FORCED_LENGTH && !memcmp(bytes, &forced, FORCED_LENGTH))
		insn_cpuid(v, FORCED_LENGTH);
	else
		bounce_plain(v, VECTOR_UD);
}

/*
 * The address is not checked: the CPU has just fetched from it for the guest. (In 32-bit code with a segment
 * base it is another one, but below 4 GiB, where nothing is the hypervisor's.)
 */
void emulate_ud(struct vcpu *v)
{
	u64 word;

	user_access_begin();
	raw_get_u64(word, v->regs.rip, fault);
	user_access_end();
	if (unlikely(word << 8 == FORCED_CPUID << 8))
		insn_cpuid(v, FORCED_LENGTH);
	else
		bounce_plain(v, VECTOR_UD);
	return;
fault:
	user_access_end();
	emulate_ud_at_page_end(v);
}
