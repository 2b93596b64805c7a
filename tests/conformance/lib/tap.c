/* SPDX-License-Identifier: MIT */
/*
 * Verdicts in TAP. The plan comes last ("1..N"): a run without it has crashed, and tests/run
 * counts every tag of the source that got no verdict as failed.
 */
#include "guest.h"
#include <stdarg.h>

unsigned int verdicts;
bool bailed_out;

static void verdict(const char *tag, bool ok, const char *format, va_list args)
{
	print("%s %u - [%s] ", ok ? "ok" : "not ok", ++verdicts, tag);
	print_va(format, args);
	print("\n");
}

void check(const char *tag, bool ok, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	verdict(tag, ok, format, args);
	va_end(args);
}

void check_equal(const char *tag, int64_t got, int64_t want, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	verdict(tag, got == want, format, args);
	va_end(args);
	if (got != want)
		note("got %ld (0x%lx), want %ld (0x%lx)", got, (uint64_t)got, want, (uint64_t)want);
}

void ending(const char *tag, const char *how, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print("end %u - [%s] %s: ", ++verdicts, tag, how);
	print_va(format, args);
	print("\n");
	va_end(args);
}

void note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print("# ");
	print_va(format, args);
	print("\n");
	va_end(args);
}

static void reboot(void) __attribute__((noreturn));
static void reboot(void)
{
	struct sched_shutdown shutdown = { .reason = SHUTDOWN_reboot };

	for (;;)
		hypercall(sched_op, SCHEDOP_shutdown, &shutdown);
}

void finish(void)
{
	print("1..%u\n", verdicts);
	reboot();
}

void bail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	bailed_out = true;
	print("Bail out! ");
	print_va(format, args);
	print("\n");
	va_end(args);
	reboot();
}
