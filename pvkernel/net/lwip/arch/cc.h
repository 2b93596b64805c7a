/* SPDX-License-Identifier: MIT */
/* What lwIP asks of compiler and kernel. */
#ifndef LWIP_ARCH_CC_H
#define LWIP_ARCH_CC_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

int printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void panic(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
uint32_t net_random(void);
void stack_lock(void);
void stack_unlock(void);

typedef long ssize_t;
#undef SSIZE_MAX
#define SSIZE_MAX LONG_MAX
#define LWIP_NO_CTYPE_H 1
#define LWIP_NO_UNISTD_H 1
#define LWIP_NO_INTTYPES_H 1
#define X8_F "02x"
#define U16_F "u"
#define S16_F "d"
#define X16_F "x"
#define U32_F "u"
#define S32_F "d"
#define X32_F "x"
#define SZT_F "zu"

#define LWIP_PLATFORM_DIAG(x) printf x
#define LWIP_PLATFORM_ASSERT(text) panic("lwIP: %s (%s:%d)", text, __FILE__, __LINE__)
#define LWIP_RAND() net_random()
#define LWIP_ERRNO_INCLUDE "arch/errno.h"
#define LWIP_TIMEVAL_PRIVATE 1

#define lwip_htons(x) __builtin_bswap16(x)
#define lwip_htonl(x) __builtin_bswap32(x)

/* Short ones by moves in place, long ones by the kernel's. */
#define SMEMCPY(dst, src, len) __builtin_memcpy(dst, src, len)

/* Disabled interrupts are a lock on one CPU. */
typedef int sys_prot_t;

#endif
