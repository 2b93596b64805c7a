/* SPDX-License-Identifier: MIT */
/* Output: domain 0 has the hypervisor's console. */
#include <abi/console.h>

#include "boot.h"
#include "console.h"
#include "hypercall.h"
#include "lib.h"

void console_write(const char *text, size_t len)
{
	HYPERVISOR_console_io(CONSOLEIO_write, len, text);
}

int printf(const char *fmt, ...)
{
	char line[256];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	console_write(line, MIN(n, (int)sizeof(line) - 1));
	return n;
}
