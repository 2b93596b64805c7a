/* SPDX-License-Identifier: MIT */
/*
 * What a conformance test is written with. A test is one main.c with
 *
 *	void test_main(void)
 *	{
 *		check_eq("EVTCHN-SEND-3", hypercall(event_channel_op, EVTCHNOP_send, &send), -EINVAL,
 *			 "send on a closed port is refused");
 *	}
 *
 * The runtime brings up: shared_info mapped, all 256 trap vectors, the callbacks, upcalls
 * masked, the periodic timer stopped, user root = kernel root. A trap that no test expects
 * prints its frame and ends the run, so the verdicts that did not come count as failures.
 */
#ifndef CONFORMANCE_GUEST_H
#define CONFORMANCE_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <abi/xen.h>
#include <abi/arch-x86_64.h>
#include <abi/console.h>
#include <abi/errno.h>
#include <abi/event_channel.h>
#include <abi/mmu.h>
#include <abi/sched.h>
#include <abi/vcpu.h>
#include <abi/version.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define PAGE_SIZE 4096UL
#define PAGE_SHIFT 12

/* --- verdicts (tap.c) ------------------------------------------------------ */

/* One verdict: "ok N - [TAG] text". The format describes the promise, diagnostics go to note(). */
void check(const char *tag, bool ok, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same, for got == want, both shown when they differ. */
#define check_eq(tag, got, want, ...) check_equal(tag, (int64_t)(got), (int64_t)(want), __VA_ARGS__)
void check_equal(const char *tag, int64_t got, int64_t want, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/*
 * The last act of a test whose promise is how the domain ends: "crash", "poweroff" or "reboot".
 * The runner sees what happened and gives the verdict.
 */
void ending(const char *tag, const char *how, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* A diagnostic line, "# ...". */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* End of the run: print the plan, ask for a reboot. Without it the run counts as crashed. */
void finish(void) __attribute__((noreturn));
/* End without a plan: the rest cannot be judged. */
void bail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Verdicts so far. */
extern unsigned int verdicts;
/* This copy of the image runs in a second domain (domain.h), which may not write to the console: it prints into memory. */
extern bool second_domain, bailed_out;
extern char print_log[16384];
extern uint32_t print_log_used;

void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
void print_va(const char *format, __builtin_va_list args);

/* --- hypercalls ------------------------------------------------------------ */

/* The instruction itself, so that nothing depends on the hypercall page. */
static inline int64_t hypercall_raw(uint64_t nr, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
				    uint64_t a5)
{
	register uint64_t r10 __asm__("r10") = a4;
	register uint64_t r8 __asm__("r8") = a5;
	int64_t result;

	__asm__ volatile("syscall"
			 : "=a"(result), "+r"(r10), "+r"(r8), "+D"(a1), "+S"(a2), "+d"(a3)
			 : "0"(nr)
			 : "rcx", "r11", "memory");
	return result;
}

#define hypercall(name, ...) hypercall_nr(__HYPERVISOR_##name, ##__VA_ARGS__)
#define hypercall_nr(nr, ...) hypercall_pad(nr, ##__VA_ARGS__, 0, 0, 0, 0, 0)
#define hypercall_pad(nr, a1, a2, a3, a4, a5, ...) \
	hypercall_raw((uint64_t)(nr), (uint64_t)(a1), (uint64_t)(a2), (uint64_t)(a3), (uint64_t)(a4), (uint64_t)(a5))

/* --- start of day ---------------------------------------------------------- */

/* The registers as the image found them (head.S writes it, in this order). */
struct entry_state {
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rflags;
	uint16_t cs, ss, ds, es, fs, gs;
	uint32_t mxcsr;
	uint16_t fcw;
};
extern struct entry_state entry_state;

extern struct start_info *start_info;
extern struct shared_info *shared_info;
/* Where this vCPU's vcpu_info lives now; a test that registers another place moves it. */
extern struct vcpu_info *vcpu_info;
/* Whether VIRQ_TIMER came by itself before the runtime stopped the periodic timer. */
extern bool start_timer_was_running;
extern char hypercall_page[PAGE_SIZE];
extern char image_end[], boot_stack_top[], trap_stack_top[];

void test_main(void);
/* Where a second domain's vCPU 0 begins: the runtime comes up, function(argument) is called, the domain powers off. */
void second_start(void (*function)(uint64_t), uint64_t argument) __attribute__((noreturn));

/* --- traps (entry.S, traps.c) ---------------------------------------------- */

struct regs {
	uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	uint64_t vector, error_code;
	uint64_t rip;
	uint16_t cs, cs_pad;
	uint8_t saved_mask, mask_pad[3];
	uint64_t rflags, rsp;
	uint16_t ss, ss_pad[3];
};

/* Numbers of the entries that are not vectors. */
#define TRAP_SYSCALL 0x100
#define TRAP_SYSENTER 0x101
#define TRAP_SYSCALL32 0x102
#define TRAP_EVENT 0x103
#define TRAP_FAILSAFE 0x104
#define TRAP_NMI 0x105
#define NO_TRAP -1

#define VECTOR_DE 0
#define VECTOR_DB 1
#define VECTOR_NMI 2
#define VECTOR_BP 3
#define VECTOR_OF 4
#define VECTOR_UD 6
#define VECTOR_NM 7
#define VECTOR_SS 12
#define VECTOR_NP 11
#define VECTOR_GP 13
#define VECTOR_PF 14
#define VECTOR_MF 16
#define VECTOR_AC 17
#define VECTOR_XM 19

/* How an attempt ended: no trap and a value, or the trap with its frame as it arrived. */
struct attempt {
	int vector;
	uint64_t value;
	uint64_t cr2;
	uint8_t mask_in_handler;
	uint64_t handler_rflags;
	uint16_t handler_cs, handler_ss;
	struct regs regs;
};

/* Call function(argument); the first trap that no hook handles ends it. */
struct attempt attempt(uint64_t (*function)(uint64_t), uint64_t argument);
struct attempt attempt_read(const void *address);
struct attempt attempt_write(void *address, uint64_t value);

/* A function that consists of some assembly, for attempt(). %0 is its argument and its result. */
#define INSTRUCTION(name, text)						\
	static uint64_t name(uint64_t arg)				\
	{								\
		__asm__ volatile(text : "+a"(arg) : : "rbx", "rcx", "rdx", "rsi", "rdi", "memory", "cc"); \
		return arg;						\
	}

/* Sees every trap first; true = handled, continue with regs as they are now. */
extern bool (*trap_hook)(struct regs *regs);
/* Flags of the iret hypercall by which handlers return (VGCF_*). */
extern uint64_t iret_flags;
extern uint64_t failsafe_selectors[4];
extern char trap_stubs[];
void callback_syscall(void);
void callback_sysenter(void);
void callback_syscall32(void);
void callback_event(void);
void callback_failsafe(void);
void callback_nmi(void);

static inline uint64_t trap_stub(unsigned int vector)
{
	return (uint64_t)trap_stubs + 16 * vector;
}

/* --- user mode (user.c) ---------------------------------------------------- */

/* As the iret hypercall reads it. */
struct user_frame {
	uint64_t rax, r11, rcx, flags, rip, cs, rflags, rsp, ss;
};

#define USER_CS 0xe033
#define USER_SS 0xe02b
#define KERNEL_CS 0xe030

/* Run function in guest user mode; it ends with vector 0x80 when it returns, else by a trap. */
struct attempt run_user(uint64_t (*function)(uint64_t), uint64_t argument);
/* The same from a frame of the caller's making. user_frame_for() makes an ordinary one. */
struct attempt run_user_frame(const struct user_frame *frame, uint64_t argument);
struct user_frame user_frame_for(uint64_t (*function)(uint64_t));

/* --- events (events.c) ----------------------------------------------------- */

extern unsigned int upcalls;			/* upcalls delivered so far */
extern struct regs upcall_regs;			/* frame of the last one */
extern unsigned int event_count[4096];		/* per port */
extern void (*event_hook)(struct regs *regs, unsigned int port);

static inline void mask_upcalls(bool mask)
{
	*(volatile uint8_t *)&vcpu_info->evtchn_upcall_mask = mask;
}

/* Unmask, then a hypercall, so that what is pending is delivered now. */
void deliver_events(void);
bool port_pending(unsigned int port);
void port_clear(unsigned int port);
void port_mask(unsigned int port, bool mask);

/* Wrappers that every test would write again; they give errno or the port. */
int64_t evtchn_alloc_unbound(uint16_t dom, uint16_t remote);
int64_t evtchn_send(uint32_t port);
int64_t evtchn_close(uint32_t port);
int64_t evtchn_bind_ipi(uint32_t vcpu);
int64_t evtchn_bind_virq(uint32_t virq, uint32_t vcpu);
/* A channel of this domain to itself; returns one port, the other in *peer. */
int64_t evtchn_loop(uint32_t *peer);

/* --- time ------------------------------------------------------------------ */

/* Nanoseconds of system time by vcpu_info's clock. */
uint64_t system_time(void);
/*
 * For a promise about short times: the host may stop the whole machine between two steps, so it is
 * tried up to five times, and kept if it is kept once.
 */
bool in_some_try(bool (*try)(void));

/* --- memory (pages.c) ------------------------------------------------------ */

/* An ordinary data page, and an entry of an upper table, as leaf flags of an entry. */
#define PTE_DATA (PTE_PRESENT | PTE_RW | PTE_ACCESSED | PTE_DIRTY)
#define PTE_TABLE (PTE_DATA | PTE_USER)

#define VIRT_BASE 0xffffffff80000000UL
#define NON_CANONICAL 0x0000800000000000UL
/* An address that nothing is mapped at, in an empty L4 slot. */
#define UNMAPPED 0x00007f8000000000UL

/* A zeroed page of the image's spare ones; never runs out silently. */
void *page_alloc(void);
void page_free(void *page);
bool page_is_spare(const void *page);
/* No page is taken any more: for a copy of the image, whose spare pages were not copied. */
void page_free_all(void);
/* The frame behind an address of the image, by the guest's own p2m. */
uint64_t mfn_of(const void *address);
/* The address of one of the domain's frames in the boot mapping, by the m2p. */
void *va_of_mfn(uint64_t mfn);
uint64_t m2p(uint64_t mfn);
uint64_t *p2m(void);
/* The entry that maps address at a level (1..4) of the current tables, or NULL. */
uint64_t *entry_of(const void *address, int level);
uint64_t entry_maddr(const void *address, int level);
/* update_va_mapping, flushing the address; errno as it came. */
int64_t map_page(void *address, uint64_t pte);
int64_t map_frame(void *address, uint64_t mfn, uint64_t flags);
/* Give address the mapping that the image had for it, read-write or read-only. */
void map_back(void *address);
void make_readonly(void *address);
int64_t mmuext(uint32_t cmd, uint64_t mfn, uint64_t arg2);
int64_t mmu_update_one(uint64_t ptr, uint64_t val);
static inline uint64_t boot_l4_mfn(void)
{
	return mfn_of((void *)start_info->pt_base);
}
/* A page-aligned address whose next page is not mapped: the page's last bytes test crossing. */
void *page_before_hole(void);

/* --- small things ---------------------------------------------------------- */

void *memset(void *d, int c, size_t n);
void *memcpy(void *d, const void *s, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);

static inline void barrier(void)
{
	__asm__ volatile("" : : : "memory");
}

#endif
