/* SPDX-License-Identifier: MIT */
/* Messages for people, on COM1. */
#ifndef PARAVANE_CONSOLE_H
#define PARAVANE_CONSOLE_H

#include <stdarg.h>
#include <types.h>

enum { LOG_ERROR, LOG_WARNING, LOG_INFO };
extern u64 log_level;	/* messages above it are dropped */

void console_init(void);				/* COM1 at 115200 baud, 8n1; before the command line is known */
void console_configure(void);				/* as console= says; from now on it interrupts */
void console_interrupt(void);				/* COM1 has input */
void console_break_lock(void);				/* for a panic: the holder is never coming back */
void console_write(const char *text, size_t length);	/* raw bytes (a guest's output) */

void printk_at(unsigned level, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define log_error(...) printk_at(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) printk_at(LOG_WARNING, __VA_ARGS__)
#define log_info(...) printk_at(LOG_INFO, __VA_ARGS__)

/* --- debug/log_ring.c: what was logged last, by position: bytes since boot, modulo 2^32 ----------------- */

void log_record(const char *text, size_t length);
u32 log_start(void);			/* the oldest byte that is there */
u32 log_first(u32 position);		/* the same position if it is there still, else the oldest */
u32 log_copy(char *to, u32 position, u32 most);	/* how many bytes from there on there are, most at most */
void log_forget(u32 position);		/* what is older */

/* Answers how many characters are in `to`, without the final 0; size > 0. */
size_t vscnprintf(char *to, size_t size, const char *format, va_list arguments);

/* Ours to fix: registers, backtrace, reason, then the machine stops (debug/panic.c). */
void panic(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* The same for an exception in the hypervisor: its registers are those given. */
struct cpu_user_regs;
void panic_trap(struct cpu_user_regs *regs, int vector) __attribute__((noreturn));
void panic_stops_here(void);	/* does not return if another CPU panics */
#define assert(c) do { if (unlikely(!(c))) panic("%s:%d: %s", __FILE__, __LINE__, #c); } while (0)

/* The function that holds a text address, and how far into it; NULL: none known. */
const char *symbol_find(u64 address, u64 *offset);
void print_registers(const struct cpu_user_regs *regs);
void backtrace(u64 rsp);	/* names of what looks like return addresses on this stack */

/* A character typed while input goes to the hypervisor (debug/keys.c). */
void handle_key(char c);

#endif
