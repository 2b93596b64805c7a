/* SPDX-License-Identifier: MIT */
/*
 * Guest memory, by the guest's own virtual addresses and page tables (those of the running
 * vCPU's kernel mode). Every access may fault; then it answers -EFAULT. A guest pointer is a u64 and is
 * never dereferenced elsewhere. Each word is read once.
 *
 * An address in the hypervisor's range is refused. Below that range lie 2^47 non-canonical
 * addresses, so an access that starts lower cannot reach it without faulting first.
 */
#ifndef PARAVANE_UACCESS_H
#define PARAVANE_UACCESS_H

#include <layout.h>
#include <types.h>

#define HV_SHIFT 43	/* the reserved range is 2^43 bytes, aligned */

static inline bool guest_address_ok(u64 address)
{
	return address >> HV_SHIFT != HV_START >> HV_SHIFT;
}

static inline bool address_canonical(u64 address)
{
	return (u64)((s64)(address << 16) >> 16) == address;
}

/* Canonical, and not in the reserved range. */
static inline bool guest_page_ok(u64 address)
{
	return (u64)((s64)address >> HV_SHIFT) + 15 <= 30;
}

/* For arrays that are not touched in ascending order from the start. */
static inline bool guest_range_ok(u64 address, u64 bytes)
{
	u64 last = address + bytes - 1;

	return !bytes || (last >= address && guest_address_ok(address) && guest_address_ok(last) &&
			  !(address < HV_START && last >= HV_END));
}

/* With SMAP the CPU refuses the hypervisor's touching of guest pages but between these; patched to nops without it. */
#define STAC "661: .byte 0x0f,0x01,0xcb\n .pushsection .smap_sites,\"a\"\n .long 661b - .\n .popsection\n"
#define CLAC "662: .byte 0x0f,0x01,0xca\n .pushsection .smap_sites,\"a\"\n .long 662b - .\n .popsection\n"
#define EXTABLE(from, to) " .pushsection .extable,\"a\"\n .long " from " - .\n .long " to " - .\n .popsection\n"

static inline void user_access_begin(void) { asm volatile(STAC ::: "memory"); }
static inline void user_access_end(void) { asm volatile(CLAC ::: "memory"); }

/* One aligned or unaligned word between begin and end; on a fault control goes to `label`, where user_access_end() is due. */
#define raw_get_u64(x, address, label) ({ \
	u64 word_; \
	asm goto("1: movq %1, %0\n" EXTABLE("1b", "%l2") : "=r"(word_) : "m"(*(u64 *)(address)) : "memory" : label); \
	(x) = word_; \
})
#define raw_get_u8(x, address, label) \
	asm goto("1: movzbl (%1), %0\n" EXTABLE("1b", "%l2") : "=r"(x) : "r"(address) : "memory" : label)
#define raw_put_u64(x, address, label) \
	asm goto("1: movq %0, %1\n" EXTABLE("1b", "%l2") : : "er"((u64)(x)), "m"(*(u64 *)(address)) : "memory" : label)

#define raw_get_u32(x, address, label) ({ \
	u32 word_; \
	asm goto("1: movl %1, %0\n" EXTABLE("1b", "%l2") : "=r"(word_) : "m"(*(u32 *)(address)) : "memory" : label); \
	(x) = word_; \
})

#define raw_put_u16(x, address, label) \
	asm goto("1: movw %0, %1\n" EXTABLE("1b", "%l2") : : "r"((u16)(x)), "m"(*(u16 *)(address)) : "memory" : label)
#define raw_put_u32(x, address, label) \
	asm goto("1: movl %0, %1\n" EXTABLE("1b", "%l2") : : "er"((u32)(x)), "m"(*(u32 *)(address)) : "memory" : label)

/* Copy; answer 0 or -EFAULT. What was copied before a fault stays. */
int copy_from_guest(void *to, u64 from, size_t bytes);
int copy_to_guest(u64 to, const void *from, size_t bytes);

static inline int get_guest_u64(u64 *x, u64 address)
{
	u64 word;

	if (unlikely(!guest_address_ok(address)))
		return -EFAULT;
	user_access_begin();
	raw_get_u64(word, address, fault);
	user_access_end();
	*x = word;
	return 0;
fault:
	user_access_end();
	return -EFAULT;
}

static inline int put_guest_u64(u64 x, u64 address)
{
	if (unlikely(!guest_address_ok(address)))
		return -EFAULT;
	user_access_begin();
	raw_put_u64(x, address, fault);
	user_access_end();
	return 0;
fault:
	user_access_end();
	return -EFAULT;
}

static inline int get_guest_u32(u32 *x, u64 address)
{
	u32 word;

	if (unlikely(!guest_address_ok(address)))
		return -EFAULT;
	user_access_begin();
	raw_get_u32(word, address, fault);
	user_access_end();
	*x = word;
	return 0;
fault:
	user_access_end();
	return -EFAULT;
}

static inline int put_guest_u32(u32 x, u64 address)
{
	if (unlikely(!guest_address_ok(address)))
		return -EFAULT;
	user_access_begin();
	raw_put_u32(x, address, fault);
	user_access_end();
	return 0;
fault:
	user_access_end();
	return -EFAULT;
}

#endif
