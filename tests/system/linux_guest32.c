/* SPDX-License-Identifier: MIT */
/*
 * A 32-bit program without a library for linux_guest.c: makes system calls by INT 0x80 and by the entry that the kernel's
 * vdso offers (SYSCALL or SYSENTER of 32-bit code), and ends with status 42 if the two agree.
 *
 * The stack at the start: argc, the arguments, 0, the environment, 0, the auxiliary vector (pairs, type AT_SYSINFO = 32).
 */
enum { NR_EXIT = 1, NR_GETPID = 20, NR_GETPPID = 64, AT_SYSINFO = 32 };

static int by_interrupt(int number, int argument)
{
	int result;

	__asm__ volatile("int $0x80" : "=a"(result) : "0"(number), "b"(argument) : "memory");
	return result;
}

static int by_vdso(unsigned int entry, int number)
{
	int result;

	__asm__ volatile("call *%1" : "=a"(result) : "D"(entry), "0"(number) : "memory", "ecx", "edx");
	return result;
}

static unsigned int vdso_entry(const unsigned int *stack)
{
	stack += 1 + stack[0] + 1;
	while (*stack++)
		;
	for (; stack[0]; stack += 2)
		if (stack[0] == AT_SYSINFO)
			return stack[1];
	return 0;
}

__attribute__((used)) static void start(const unsigned int *stack)
{
	unsigned int entry = vdso_entry(stack);
	int pid = by_interrupt(NR_GETPID, 0), parent = by_interrupt(NR_GETPPID, 0);
	int good = entry && pid > 0 && parent > 0;

	for (int i = 0; good && i < 1000; i++)
		good = by_vdso(entry, NR_GETPID) == pid && by_vdso(entry, NR_GETPPID) == parent;
	by_interrupt(NR_EXIT, good ? 42 : 1);
}

__asm__(".globl _start\n_start:\n\tmov %esp, %eax\n\tand $-16, %esp\n\tsub $12, %esp\n\tpush %eax\n\tcall start\n");
