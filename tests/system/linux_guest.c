/* SPDX-License-Identifier: MIT */
/*
 * What a program under Linux sees of the hypervisor below it: exceptions as signals, segments, debug registers, vector
 * state, page tables under fork and mprotect, clocks, ports, 32-bit code.
 *
 *     linux_guest list              the names of the checks
 *     linux_guest checks            a line "check NAME: ok" or "check NAME: failed: WHY" each
 *     linux_guest tsc               a line "fact tsc TICKS"
 *     linux_guest stress SECONDS    fork and memory until then; "stress: R rounds, F forks, E errors"
 *
 * A check returns NULL or why it failed. Each runs in a process of its own, so that one which dies fails alone.
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define PAGE 4096UL
#define MIB (1UL << 20)

/* --- exceptions as signals --- */

static sigjmp_buf back;
static volatile struct {
	int signal;
	long trap, error;
	uintptr_t address;
} seen;

static void note_signal(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	seen.signal = signal;
	seen.trap = uc->uc_mcontext.gregs[REG_TRAPNO];
	seen.error = uc->uc_mcontext.gregs[REG_ERR];
	seen.address = (uintptr_t)info->si_addr;
	siglongjmp(back, 1);
}

static void catch_all(int flags)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP };
	struct sigaction action = { .sa_sigaction = note_signal, .sa_flags = SA_SIGINFO | SA_NODEFER | flags };

	for (unsigned int i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaction(signals[i], &action, NULL);
}

/* Runs the code; true if it is stopped by this signal from this exception. */
#define FAULTS(wanted_signal, wanted_trap, code) ({ \
	catch_all(0); \
	seen.signal = 0; \
	if (!sigsetjmp(back, 1)) { \
		code; \
	} \
	seen.signal == (wanted_signal) && seen.trap == (wanted_trap); \
})

static const char *check_simple_exceptions(void)
{
	if (!FAULTS(SIGFPE, 0, __asm__ volatile("xor %%ecx, %%ecx; mov $1, %%eax; cltd; idiv %%ecx" ::: "eax", "ecx", "edx")))
		return "a division by zero";
	if (!FAULTS(SIGTRAP, 3, __asm__ volatile("int3")))
		return "INT3";
	if (!FAULTS(SIGILL, 6, __asm__ volatile("ud2")))
		return "UD2";
	if (!FAULTS(SIGSEGV, 13, *(volatile char *)0x8000000000000000UL))
		return "an address that is not canonical";
	return NULL;
}

static const char *check_privileged(void)
{
	unsigned long value = 0;

	if (!FAULTS(SIGSEGV, 13, __asm__ volatile("hlt")))
		return "HLT";
	if (!FAULTS(SIGSEGV, 13, __asm__ volatile("cli")))
		return "CLI";
	if (!FAULTS(SIGSEGV, 13, __asm__ volatile("mov %%cr3, %0" : "=r"(value))))
		return "MOV from CR3";
	if (!FAULTS(SIGSEGV, 13, __asm__ volatile("rdmsr" :: "c"(0xc0000080) : "eax", "edx")))
		return "RDMSR";
	if (!FAULTS(SIGSEGV, 13, __asm__ volatile("in $0x80, %%al" ::: "eax")))
		return "IN";
	if (!FAULTS(SIGSEGV, 13, __asm__ volatile("int $0x20")))
		return "INT 0x20";
	return NULL;
}

static const char *check_page_faults(void)
{
	char *page = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	char *volatile nowhere = (char *)16;

	if (!FAULTS(SIGSEGV, 14, *(volatile char *)nowhere) || seen.address != 16 || seen.error != 4)
		return "a read of nothing: signal, address or error code";
	if (!FAULTS(SIGSEGV, 14, *(volatile char *)(page + 5) = 1) || seen.address != (uintptr_t)page + 5 || (seen.error & ~1) != 6)
		return "a write to a read-only page";
	if (*(volatile char *)page || !FAULTS(SIGSEGV, 14, *(volatile char *)(page + 5) = 1) || seen.error != 7)
		return "a write to a present read-only page";
	if (!FAULTS(SIGSEGV, 14, ((void (*)(void))page)()) || seen.error != 0x15)
		return "execution of a page that is not executable";
	return NULL;
}

/* The kernel's text, its mapping of all memory, and where hypervisors of this kind have their own. */
static const char *check_kernel_out_of_reach(void)
{
	static const uintptr_t addresses[] = { 0xffffffff81000000, 0xffff888000000000, 0xffff82d040000000, 0xffff82c000000000,
					       0xffff830000000000, 0xffff82d040200000 };

	for (unsigned int i = 0; i < sizeof(addresses) / sizeof(*addresses); i++)
		if (!FAULTS(SIGSEGV, 14, *(volatile char *)addresses[i]) || !(seen.error & 4))
			return "a read of the kernel's or hypervisor's memory";
	return NULL;
}

static volatile int steps;

static void count_step(int signal)
{
	steps++;
}

static const char *check_trap_flag(void)
{
	signal(SIGTRAP, count_step);
	__asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq; nop; nop; nop; pushfq; andq $~0x100, (%%rsp); popfq"
			 ::: "memory", "cc");
	return steps == 6 ? NULL : "six instructions are not six traps";
}

static volatile long watched;

/* A child writes to `watched`, whose address is in a debug register: it must stop, once, behind the write. */
static const char *check_debug_registers(void)
{
	int status;
	long dr6;
	pid_t child = fork();

	if (!child) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		watched = 7;
		_exit(watched == 7 ? 9 : 1);
	}
	waitpid(child, &status, 0);
	if (ptrace(PTRACE_POKEUSER, child, offsetof(struct user, u_debugreg[0]), &watched))
		return "no debug register 0";
	if (ptrace(PTRACE_POKEUSER, child, offsetof(struct user, u_debugreg[7]), 0xd0001L))
		return "no debug register 7";
	ptrace(PTRACE_CONT, child, 0, 0);
	waitpid(child, &status, 0);
	if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP)
		return "the write does not trap";
	dr6 = ptrace(PTRACE_PEEKUSER, child, offsetof(struct user, u_debugreg[6]), 0);
	if (!(dr6 & 1) || ptrace(PTRACE_PEEKDATA, child, &watched, 0) != 7)
		return "DR6 does not name the breakpoint, or the write is not done";
	ptrace(PTRACE_CONT, child, 0, 0);
	waitpid(child, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 9 ? NULL : "a second trap";
}

static char alternate[65536];

static int overflow(int depth)
{
	volatile char frame[65536];

	frame[0] = depth;
	if (depth < 1000)
		frame[65535] = overflow(depth + 1);
	return frame[0];
}

static const char *check_stack_overflow(void)
{
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof(alternate) };
	struct rlimit limit = { 8 * MIB, 8 * MIB };

	setrlimit(RLIMIT_STACK, &limit);
	sigaltstack(&stack, NULL);
	catch_all(SA_ONSTACK);
	if (!sigsetjmp(back, 1))
		overflow(0);
	return seen.signal == SIGSEGV && seen.trap == 14 ? NULL : "no SIGSEGV";
}

/* --- other ways into the kernel, other code --- */

static const char *check_int80(void)
{
	long pid;

	__asm__ volatile("int $0x80" : "=a"(pid) : "0"(20L) : "r8", "r9", "r10", "r11", "memory");
	return pid == getpid() ? NULL : "another process id";
}

static const char *check_vsyscall(void)
{
	time_t (*old_time)(time_t *) = (void *)0xffffffffff600400;
	time_t before = time(NULL), then = old_time(NULL), after = time(NULL);

	return before <= then && then <= after ? NULL : "another time";
}

static const char *check_32_bits(void)
{
	int status;
	pid_t child = fork();

	if (!child) {
		execl("/linux_guest32", "linux_guest32", NULL);
		_exit(2);
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 42 ? NULL : "the 32-bit program ends badly";
}

/* --- segments and bases --- */

static const char *check_gs_base(void)
{
	static long cells[2] = { 11, 22 };
	long value;
	pid_t child = fork();
	int mine = child ? 0 : 1, status;

	syscall(SYS_arch_prctl, ARCH_SET_GS, &cells[mine]);
	for (int i = 0; i < 500; i++) {
		sched_yield();
		__asm__ volatile("mov %%gs:0, %0" : "=r"(value));
		if (value != cells[mine])
			return "another process's base";
	}
	if (!child)
		_exit(5);
	waitpid(child, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 5 ? NULL : "the child sees another base";
}

static const char *check_ldt(void)
{
	static long cells[2] = { 33, 44 };
	struct user_desc desc = { .entry_number = 1, .base_addr = (uintptr_t)cells, .limit = 15, .seg_32bit = 1, .useable = 1 };
	long value;
	int status;
	pid_t child;

	if (syscall(SYS_modify_ldt, 1, &desc, sizeof(desc)))
		return "modify_ldt fails";
	__asm__ volatile("mov %1, %%gs; mov %%gs:8, %0" : "=r"(value) : "r"(15));
	if (value != 44)
		return "another value through the segment";
	child = fork();
	for (int i = 0; i < 200; i++) {
		sched_yield();
		__asm__ volatile("mov %%gs:0, %0" : "=r"(value));
		if (value != 33)
			return "the segment does not survive a switch";
	}
	if (!child)
		_exit(5);
	waitpid(child, &status, 0);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 5)
		return "the child does not have the segment";
	return FAULTS(SIGSEGV, 13, __asm__ volatile("mov %0, %%gs" :: "r"(23))) ? NULL : "an entry that is not there";
}

/* --- vector state --- */

/* The registers keep one pattern through a busy loop long enough for the kernel to switch processes. */
static int vectors_kept(unsigned char seed)
{
	static unsigned char in[16 * 32], out[16 * 32];
	int wide = __builtin_cpu_supports("avx"), size = wide ? 32 : 16;

	for (unsigned int i = 0; i < sizeof(in); i++)
		in[i] = seed * 37 + i;
#define EACH(op) op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9) op(10) op(11) op(12) op(13) op(14) op(15)
#define LOAD_YMM(n) "vmovdqu 32*" #n "(%0), %%ymm" #n "\n"
#define STORE_YMM(n) "vmovdqu %%ymm" #n ", 32*" #n "(%1)\n"
#define LOAD_XMM(n) "movdqu 16*" #n "(%0), %%xmm" #n "\n"
#define STORE_XMM(n) "movdqu %%xmm" #n ", 16*" #n "(%1)\n"
#define BUSY "mov $10000000, %%ecx\n1: dec %%ecx\njnz 1b\n"
#define ALL_XMM "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", \
	"xmm12", "xmm13", "xmm14", "xmm15"
	for (int i = 0; i < 5; i++) {
		if (wide)
			__asm__ volatile(EACH(LOAD_YMM) BUSY EACH(STORE_YMM) "vzeroupper"
					 :: "r"(in), "r"(out) : "memory", "ecx", "cc", ALL_XMM);
		else
			__asm__ volatile(EACH(LOAD_XMM) BUSY EACH(STORE_XMM)
					 :: "r"(in), "r"(out) : "memory", "ecx", "cc", ALL_XMM);
		if (memcmp(in, out, 16 * size))
			return 0;
	}
	return 1;
}

static const char *check_vectors(void)
{
	const char *result = NULL;
	int status;

	for (int i = 1; i <= 3; i++)
		if (!fork())
			_exit(vectors_kept(i) ? 5 : 1);
	while (wait(&status) > 0)
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 5)
			result = "a register changed";
	return result;
}

/* --- memory --- */

static const char *check_copy_on_write(void)
{
	unsigned long *words = mmap(NULL, 8 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned long count = 8 * MIB / sizeof(*words);
	int status;
	pid_t child;

	for (unsigned long i = 0; i < count; i++)
		words[i] = i;
	child = fork();
	for (unsigned long i = child ? 0 : 256; i < count; i += 512)
		words[i] = ~i;
	for (unsigned long i = 0; i < count; i++)
		if (words[i] != (i % 512 == (child ? 0 : 256) ? ~i : i))
			return "another process's write";
	if (!child)
		_exit(5);
	waitpid(child, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 5 ? NULL : "the child sees the parent's write";
}

static const char *check_mappings(void)
{
	unsigned char *at = mmap(NULL, 16 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *moved;

	for (unsigned long i = 0; i < 16 * MIB; i += PAGE)
		at[i] = i / PAGE + 1;
	if (mprotect(at, 8 * MIB, PROT_READ) || !FAULTS(SIGSEGV, 14, *(volatile char *)at = 1))
		return "mprotect to read-only";
	if (mprotect(at, 8 * MIB, PROT_NONE) || !FAULTS(SIGSEGV, 14, *(volatile char *)at))
		return "mprotect to nothing";
	if (mprotect(at, 8 * MIB, PROT_READ | PROT_WRITE))
		return "mprotect back";
	moved = mremap(at, 16 * MIB, 32 * MIB, MREMAP_MAYMOVE);
	if (moved == MAP_FAILED)
		return "mremap";
	for (unsigned long i = 0; i < 32 * MIB; i += PAGE)
		if (moved[i] != (i < 16 * MIB ? (unsigned char)(i / PAGE + 1) : 0))
			return "another page after mremap";
	if (madvise(moved, 32 * MIB, MADV_DONTNEED) || moved[0] || moved[5 * PAGE])
		return "pages given back are not zero";
	if (munmap(moved, 32 * MIB) || !FAULTS(SIGSEGV, 14, *(volatile char *)moved))
		return "munmap";
	return NULL;
}

/* --- processes --- */

static const char *check_forks(void)
{
	int status;

	for (int i = 0; i < 200; i++) {
		pid_t child = fork();

		if (!child)
			_exit(i % 100);
		if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != i % 100)
			return "a child's status";
	}
	return NULL;
}

static const char *check_pipes(void)
{
	int to[2], from[2];
	unsigned int value;

	if (pipe(to) || pipe(from))
		return "pipe";
	if (!fork()) {
		while (read(to[0], &value, 4) == 4 && value < 2000) {
			value = ~value;
			if (write(from[1], &value, 4) != 4)
				break;
		}
		_exit(0);
	}
	for (unsigned int i = 0; i <= 2000; i++)
		if (write(to[1], &i, 4) != 4 || (i < 2000 && (read(from[0], &value, 4) != 4 || value != ~i)))
			return "another answer";
	return NULL;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long counter;

static void *add_often(void *argument)
{
	for (int i = 0; i < 20000; i++) {
		pthread_mutex_lock(&mutex);
		long was = counter;

		if (i % 100 == 0)
			sched_yield();
		counter = was + 1;
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

static const char *check_threads(void)
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		if (pthread_create(&threads[i], NULL, add_often, NULL))
			return "pthread_create";
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	return counter == 80000 ? NULL : "a lost addition";
}

/* --- time --- */

static int64_t now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* A clock's reading, and the monotonic clock's on both sides of it: what comes between may take long. */
struct reading {
	int64_t before, value, after;
};

static struct reading read_clock(clockid_t clock)
{
	struct reading r = { .before = now(CLOCK_MONOTONIC) };

	r.value = now(clock);
	r.after = now(CLOCK_MONOTONIC);
	return r;
}

static const char *check_clocks(void)
{
	static const clockid_t clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME };
	int64_t first = now(CLOCK_MONOTONIC), last = first;
	struct reading start[3];

	for (int i = 0; i < 3; i++)
		start[i] = read_clock(clocks[i]);
	while (last - first < 300000000) {
		int64_t next = now(CLOCK_MONOTONIC);

		if (next < last)
			return "the monotonic clock goes back";
		last = next;
	}
	for (int i = 0; i < 3; i++) {
		struct reading end = read_clock(clocks[i]);
		int64_t passed = end.value - start[i].value;

		if (passed < (end.before - start[i].after) * 9 / 10 || passed > (end.after - start[i].before) * 11 / 10)
			return "two clocks disagree";
	}
	return NULL;
}

static const char *check_sleep(void)
{
	for (int64_t ns = 1000; ns <= 100000000; ns *= 10) {
		struct timespec t = { 0, ns };
		int64_t start = now(CLOCK_MONOTONIC), slept;

		nanosleep(&t, NULL);
		slept = now(CLOCK_MONOTONIC) - start;
		if (slept < ns)
			return "a short sleep";
		if (slept > ns + 5000000000)
			return "a sleep five seconds too long";
	}
	return NULL;
}

static volatile int ticks;

static void count_tick(int signal)
{
	ticks++;
}

static const char *check_interval_timer(void)
{
	struct itimerval interval = { { 0, 10000 }, { 0, 10000 } };
	int64_t start = now(CLOCK_MONOTONIC), passed;

	signal(SIGALRM, count_tick);
	setitimer(ITIMER_REAL, &interval, NULL);
	while (ticks < 20 && now(CLOCK_MONOTONIC) - start < 10000000000)
		;
	passed = now(CLOCK_MONOTONIC) - start;
	return ticks >= 20 && passed >= 199000000 ? NULL : "not a signal each 10 ms";
}

/* --- ports --- */

static const char *check_ports(void)
{
	if (!FAULTS(SIGSEGV, 13, outb(0, 0x80)))
		return "a port without permission";
	if (ioperm(0x80, 1, 1) || FAULTS(SIGSEGV, 13, outb(0, 0x80)))
		return "a port with ioperm";
	if (!FAULTS(SIGSEGV, 13, outb(0, 0x81)))
		return "the port behind it";
	if (ioperm(0x80, 1, 0) || !FAULTS(SIGSEGV, 13, outb(0, 0x80)))
		return "the permission taken back";
	if (iopl(3) || FAULTS(SIGSEGV, 13, outb(0, 0x80)))
		return "a port with iopl";
	if (iopl(0) || !FAULTS(SIGSEGV, 13, outb(0, 0x80)))
		return "iopl taken back";
	return NULL;
}

static const struct {
	const char *name;
	const char *(*run)(void);
} checks[] = {
	{ "exceptions become signals", check_simple_exceptions },
	{ "privileged instructions are refused", check_privileged },
	{ "page faults name address and cause", check_page_faults },
	{ "kernel and hypervisor are out of reach", check_kernel_out_of_reach },
	{ "the trap flag steps", check_trap_flag },
	{ "debug registers watch", check_debug_registers },
	{ "a stack overflow is a signal", check_stack_overflow },
	{ "INT 0x80", check_int80 },
	{ "the vsyscall page", check_vsyscall },
	{ "a 32-bit program, its system calls", check_32_bits },
	{ "GS base belongs to a process", check_gs_base },
	{ "LDT segments", check_ldt },
	{ "vector registers belong to a process", check_vectors },
	{ "copy on write", check_copy_on_write },
	{ "mprotect, mremap, munmap", check_mappings },
	{ "200 forks", check_forks },
	{ "2000 answers through pipes", check_pipes },
	{ "threads and a mutex", check_threads },
	{ "clocks agree", check_clocks },
	{ "sleeps are as long as asked", check_sleep },
	{ "interval timer", check_interval_timer },
	{ "port permissions", check_ports },
};
#define CHECKS (sizeof(checks) / sizeof(*checks))

/* In a process of its own, which hands its reason over in shared memory. */
static void run_check(unsigned int i)
{
	char line[200], *reason = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t child = fork();

	if (!child) {
		const char *said;

		alarm(600);
		said = checks[i].run();
		if (said)
			strncpy(reason, said, 150);
		_exit(said ? 1 : 0);
	}
	waitpid(child, &status, 0);
	if (WIFSIGNALED(status))
		snprintf(reason, 150, "ended by signal %d", WTERMSIG(status));
	snprintf(line, sizeof(line), "check %s: %s%s\n", checks[i].name, status ? "failed: " : "ok", status ? reason : "");
	if (write(1, line, strlen(line)) < 0)
		exit(1);
	munmap(reason, PAGE);
}

/* --- stress --- */

struct totals {
	unsigned long rounds, forks, errors;
};

static int pattern_holds(const unsigned int *words, unsigned long pages, unsigned int key)
{
	for (unsigned long i = 0; i < pages; i++)
		if (words[i * 1024] != key + i || words[i * 1024 + 1023] != key - i)
			return 0;
	return 1;
}

static void write_pattern(unsigned int *words, unsigned long pages, unsigned int key)
{
	for (unsigned long i = 0; i < pages; i++) {
		words[i * 1024] = key + i;
		words[i * 1024 + 1023] = key - i;
	}
}

/* One life: memory of one's own, a child that shares it until it writes, protections changed, all given back. */
static int stress_round(unsigned int key)
{
	unsigned long pages = 64 + key % 1400;
	unsigned int *words = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int status, good;
	pid_t child;

	if (words == MAP_FAILED)
		return 0;
	write_pattern(words, pages, key);
	child = fork();
	if (!child) {
		good = pattern_holds(words, pages, key);
		write_pattern(words, pages / 2, key + 99);
		good &= pattern_holds(words, pages / 2, key + 99);
		if (good && key % 4 == 0)
			execl("/linux_guest", "linux_guest", "leave", NULL);
		_exit(good ? 5 : 1);
	}
	mprotect(words, pages * PAGE, PROT_READ);
	good = pattern_holds(words, pages, key);
	waitpid(child, &status, 0);
	good &= WIFEXITED(status) && WEXITSTATUS(status) == 5 && pattern_holds(words, pages, key);
	munmap(words, pages * PAGE);
	return good;
}

static void stress_worker(struct totals *totals, unsigned int seed, int64_t deadline)
{
	while (now(CLOCK_MONOTONIC) < deadline) {
		seed = seed * 1103515245 + 12345;
		if (!stress_round(seed >> 8))
			__atomic_add_fetch(&totals->errors, 1, __ATOMIC_RELAXED);
		__atomic_add_fetch(&totals->rounds, 1, __ATOMIC_RELAXED);
		__atomic_add_fetch(&totals->forks, 1, __ATOMIC_RELAXED);
	}
}

static int stress(int seconds)
{
	struct totals *totals = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int64_t deadline = now(CLOCK_MONOTONIC) + seconds * 1000000000LL;
	int status;

	for (unsigned int i = 1; i <= 8; i++)
		if (!fork()) {
			stress_worker(totals, i * 7919, deadline);
			_exit(5);
		}
	while (wait(&status) > 0)
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 5)
			totals->errors++;
	printf("stress: %lu rounds, %lu forks, %lu errors\n", totals->rounds, totals->forks + 8, totals->errors);
	return totals->errors ? 1 : 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "leave"))
		return 5;
	if (argc == 2 && !strcmp(argv[1], "tsc"))
		return printf("fact tsc %llu\n", __builtin_ia32_rdtsc()) < 0;
	if (argc == 3 && !strcmp(argv[1], "stress"))
		return stress(atoi(argv[2]));
	if (argc != 2 || (strcmp(argv[1], "list") && strcmp(argv[1], "checks"))) {
		fprintf(stderr, "usage: linux_guest list|checks|tsc|stress SECONDS\n");
		return 2;
	}
	for (unsigned int i = 0; i < CHECKS; i++)
		if (!strcmp(argv[1], "list"))
			puts(checks[i].name);
		else
			run_check(i);
	return 0;
}
