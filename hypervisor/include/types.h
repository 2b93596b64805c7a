/* SPDX-License-Identifier: MIT */
/* The words of the code base: fixed-size integers, frame numbers, errors, small helpers. */
#ifndef PARAVANE_TYPES_H
#define PARAVANE_TYPES_H

#include <abi/errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

typedef u64 mfn_t;	/* a frame of machine memory: machine address >> 12 */
typedef u64 maddr_t;	/* a machine address, what the hardware sees */
typedef u16 domid_t;

#define INVALID_MFN (~(mfn_t)0)

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096UL
#define PAGE_MASK (~(PAGE_SIZE - 1))

/*
 * For what a short function calls rarely: the callee saves all registers that it changes, so that the caller's own way needs
 * no stack frame.
 */
#define slow_path __attribute__((noinline, cold, no_caller_saved_registers))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(p, type, member) ((type *)((char *)(p) - offsetof(type, member)))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define min(a, b) ({ __typeof__(a) a_ = (a); __typeof__(b) b_ = (b); a_ < b_ ? a_ : b_; })
#define max(a, b) ({ __typeof__(a) a_ = (a); __typeof__(b) b_ = (b); a_ > b_ ? a_ : b_; })
#define ROUND_UP(x, n) (((x) + (n) - 1) & ~((__typeof__(x))(n) - 1))
#define BUILD_ASSERT(c) _Static_assert(c, #c)

#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

#endif
