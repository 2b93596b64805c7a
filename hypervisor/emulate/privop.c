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
#include <frames.h>
#include <string.h>
#include <uaccess.h>
#include <vcpu.h>

enum { VECTOR_DB = 1, VECTOR_UD = 6, VECTOR_GP = 13 };
enum { PF_PRESENT = 1, PF_WRITE = 2, PF_USER = 4, PF_FETCH = 16 };
enum { ERROR_EXTERNAL = 1, ERROR_IDT = 2 };

#define GUEST_CR0 0x80050033ul	/* as every guest sees it; TS comes on top */
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
		bounce_exception(v, VECTOR_DB, NO_ERROR_CODE);
	return true;
}

/* The instruction is done; the fault had set RF, which lasts for one instruction. */
static inline bool done(struct vcpu *v, unsigned length)
{
	u64 flags = v->regs.rflags;

	v->regs.rip += length;
	v->regs.rflags = flags & ~FLAGS_RF;
	v->counters[EXIT_INTERPRETED]++;
	return likely(!(flags & FLAGS_TF)) ? true : trap_after(v, 0, 0);
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
	bounce_exception(v, VECTOR_UD, NO_ERROR_CODE);
	return true;
}

/* --- control registers ---------------------------------------------------------------------------------------- */

static bool read_cr(struct vcpu *v, unsigned number, u64 *value)
{
	switch (number) {
	case 0: *value = GUEST_CR0 | (v->ts ? CR0_TS : 0); return true;
	case 2: *value = v->info->arch.cr2; return true;
	case 3: *value = v->kernel_cr3; return true;
	case 4: *value = v->cr4; return true;
	default: return false;
	}
}

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

static bool write_cr(struct vcpu *v, unsigned number, u64 value)
{
	switch (number) {
	case 0:		/* TS alone is the guest's to change */
		if ((value ^ GUEST_CR0) & ~CR0_TS)
			return false;
		fpu_set_ts(v, value & CR0_TS);
		return true;
	case 2:
		v->info->arch.cr2 = value;
		return true;
	case 3:
		return !mmu_install_kernel_l4(v, value >> PAGE_SHIFT);
	case 4:
		set_cr4(v, value);
		return true;
	default:
		return false;
	}
}

/* --- the rest of the two-byte opcodes ---------------------------------------------------------------------------- */

static bool read_dr(struct vcpu *v, unsigned number, unsigned rm, unsigned length)
{
	u64 value;

	if (debugreg_get(v, number, &value))
		return invalid_opcode(v);
	*insn_register(&v->regs, rm) = value;
	return done(v, length);
}

static bool write_dr(struct vcpu *v, unsigned number, unsigned rm, unsigned length)
{
	int error = debugreg_set(v, number, *insn_register(&v->regs, rm));

	if (error == -ENODEV)
		return invalid_opcode(v);
	return !error && done(v, length);
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

static bool read_msr(struct vcpu *v, unsigned length)
{
	u64 value;

	return guest_rdmsr(v, v->regs.rcx, &value) && give_edx_eax(v, value, length);
}

static bool xsetbv(struct vcpu *v, unsigned length)
{
	if (!(v->cr4 & CR4_OSXSAVE))
		return invalid_opcode(v);
	return v->kernel_mode && !(u32)v->regs.rcx && fpu_set_xcr0(v, edx_eax(v)) && done(v, length);
}

static void do_cpuid(struct vcpu *v)
{
	struct cpu_user_regs *r = &v->regs;
	u32 out[4];

	guest_cpuid(v, r->rax, r->rcx, out);
	r->rax = out[0];
	r->rbx = out[1];
	r->rcx = out[2];
	r->rdx = out[3];
}

/*
 * Bytes 0x0f `opcode`, after `prefixes` bytes of prefixes; `more` is the byte that follows. User mode may do none but CPUID.
 */
static inline bool interpret_two_byte(struct vcpu *v, u8 opcode, u8 more, u8 rex, unsigned prefixes)
{
	unsigned reg = (more >> 3 & 7) | (rex & 4) << 1, rm = (more & 7) | (rex & 1) << 3;
	u64 value;

	if (opcode == 0x01 && more == 0xd1)
		return xsetbv(v, prefixes + 3);
	if (opcode == 0xa2) {
		do_cpuid(v);
		return done(v, prefixes + 2);
	}
	if (unlikely(!v->kernel_mode))
		return false;
	switch (opcode) {
	case 0x01:	/* RDTSCP with TSD set; the others of the group are not for guests */
		if (more != 0xf9)
			return false;
		v->regs.rcx = v->tsc_aux;
		return give_edx_eax(v, rdtsc(), prefixes + 3);
	case 0x06:
		fpu_set_ts(v, false);
		return done(v, prefixes + 2);
	case 0x09:	/* domain 0 drives devices that look at memory; the caches of others are nobody's business */
		if (v->domain->privileged)
			asm volatile("wbinvd" ::: "memory");
		return done(v, prefixes + 2);
	case 0x20:
		if (!read_cr(v, reg, &value))
			return false;
		*insn_register(&v->regs, rm) = value;
		return done(v, prefixes + 3);
	case 0x21:
		return read_dr(v, reg, rm, prefixes + 3);
	case 0x22:
		return write_cr(v, reg, *insn_register(&v->regs, rm)) && done(v, prefixes + 3);
	case 0x23:
		return write_dr(v, reg, rm, prefixes + 3);
	case 0x30:
		return guest_wrmsr(v, v->regs.rcx, edx_eax(v)) && done(v, prefixes + 2);
	case 0x31:
		return give_edx_eax(v, rdtsc(), prefixes + 2);
	case 0x32:
		return read_msr(v, prefixes + 2);
	default:
		return false;
	}
}

/* --- ports ------------------------------------------------------------------------------------------------------- */

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

/* One-byte opcodes, in the same way. size: of a word operand. */
static inline bool interpret_one_byte(struct vcpu *v, u8 opcode, u8 more, unsigned size, unsigned prefixes)
{
	u16 port = opcode & 8 ? v->regs.rdx : more;
	unsigned length = prefixes + (opcode & 8 ? 1 : 2);

	if (!(opcode & 1))
		size = 1;
	switch (opcode) {
	case 0xe4: case 0xe5: case 0xec: case 0xed:
		return port_in(v, port, size, length);
	case 0xe6: case 0xe7: case 0xee: case 0xef:
		return port_out(v, port, size, length);
	case 0xfa: case 0xfb:	/* allowed and without effect: upcalls are masked in vcpu_info */
		return iopl_allows(v) && done(v, prefixes + 1);
	default:
		return false;
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

	if ((u64)((s64)(at << 16) >> 16) != at)
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
	u64 value[2] = { smsw ? GUEST_CR0 | (v->ts ? CR0_TS : 0) : 0 }, address;

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
		return interpret_two_byte(v, i.opcode, i.modrm, i.rex, length - 2 - i.has_modrm);
	return interpret_one_byte(v, i.opcode, i.immediate, i.size, length - 1 - i.has_immediate);
}

/* Reads eight bytes of flat 64-bit code. */
static inline bool fetch_word(const struct cpu_user_regs *r, u64 *word)
{
	if (unlikely(r->cs != FLAT_KERNEL_CS64 || !guest_address_ok(r->rip)))
		return false;
	user_access_begin();
	raw_get_u64(*word, r->rip, fault);
	user_access_end();
	return true;
fault:
	user_access_end();
	return false;
}

/* Prefixes, and INS and OUTS. */
static inline bool needs_decoder(u8 byte)
{
	switch (byte) {
	case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x40 ... 0x4f: case 0x64 ... 0x67: case 0x6c ... 0x6f:
	case 0xf0: case 0xf2: case 0xf3:
		return true;
	default:
		return false;
	}
}

static inline bool emulate_privileged(struct vcpu *v)
{
	u64 word;

	if (unlikely(!fetch_word(&v->regs, &word)))
		return emulate_decoded(v);
	if (likely((word & 0xff) == 0x0f)) {
		if (likely(interpret_two_byte(v, word >> 8, word >> 16, 0, 0)))
			return true;
		return (word >> 8 & 0xfe) == 0 && emulate_decoded(v);
	}
	if ((word & 0xfff0) == 0x0f40 && (word >> 16 & 0xfe))
		return interpret_two_byte(v, word >> 16, word >> 24, word, 1);
	if (unlikely(needs_decoder(word)))
		return emulate_decoded(v);
	return interpret_one_byte(v, word, word >> 8, 4, 0);
}

/*
 * INT n that its gate refused. The vector is that of the instruction; an error code may name another (QEMU 7.2 doubles
 * it).
 */
static __attribute__((noinline)) bool emulate_int(struct vcpu *v)
{
	u64 base, word;
	u8 bytes[INSN_MAX + 1];
	struct insn i = { .length = 2, .opcode = 0xcd };
	unsigned needed = v->kernel_mode ? 1 : 3;
	bool code64;

	if (likely(fetch_word(&v->regs, &word) && (word & 0xff) == 0xcd)) {
		i.immediate = word >> 8;
	} else if (!code_segment(v, &code64, &base) ||
		   insn_decode(bytes, guest_fetch(base + v->regs.rip, bytes), code64, &i) <= 0 || i.opcode != 0xcd) {
		return false;
	}
	i.immediate &= 0xff;
	if (!v->trap_address[i.immediate] || (v->trap_flags[i.immediate] & TI_DPL_MASK) < needed) {
		bounce_gp(v, i.immediate * 8 + ERROR_IDT);
		return true;
	}
	v->regs.rip += i.length;
	bounce_exception(v, i.immediate, NO_ERROR_CODE);
	return true;
}

bool emulate_gp(struct vcpu *v, u64 error_code)
{
	if (likely(!error_code))
		return emulate_privileged(v);
	return (error_code & (ERROR_EXTERNAL | ERROR_IDT)) == ERROR_IDT && emulate_int(v);
}

/* ud2, "xen", cpuid: the first byte lowest. */
#define FORCED_CPUID 0xa20f6e65780b0full
#define FORCED_LENGTH 7

/*
 * The address is not checked: the CPU has just fetched from it for the guest. (In 32-bit code with a segment
 * base it is another one, but below 4 GiB, where nothing is the hypervisor's.)
 */
bool emulate_ud(struct vcpu *v)
{
	u8 bytes[INSN_MAX + 1];
	u64 word = 0;

	user_access_begin();
	raw_get_u64(word, v->regs.rip, fault);
	user_access_end();
	if (likely(word << 8 != FORCED_CPUID << 8))
		return false;
	goto forced;
fault:		/* the eight bytes reach into a page that is not there */
	user_access_end();
	if (guest_fetch(v->regs.rip, bytes) != FORCED_LENGTH)
		return false;
	for (int i = 0; i < FORCED_LENGTH; i++)
		if (bytes[i] != (u8)(FORCED_CPUID >> 8 * i))
			return false;
forced:
	do_cpuid(v);
	return done(v, FORCED_LENGTH);
}
