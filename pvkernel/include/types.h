/* SPDX-License-Identifier: MIT */
/* Words that every chapter uses. Host tests include it too, so nothing here needs the kernel. */
#ifndef PVK_TYPES_H
#define PVK_TYPES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Each argument is evaluated once; both are compared as their common type, and a sign that does not fit is a warning. */
#define PICK(a, b, compare) ({ \
	__typeof__(1 ? (a) : (b)) pick_a_ = (a), pick_b_ = (b); \
	pick_a_ compare pick_b_ ? pick_a_ : pick_b_; \
})
#define MIN(a, b) PICK(a, b, <)
#define MAX(a, b) PICK(a, b, >)
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

/* One access, where another party may read or write at the same time. */
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

#define barrier() __asm__ volatile("" ::: "memory")
#define cpu_relax() __asm__ volatile("pause" ::: "memory")	/* in a busy loop: lets the other CPUs on that share something with ours */

#endif
