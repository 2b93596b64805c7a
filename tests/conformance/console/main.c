/* SPDX-License-Identifier: MIT */
/* console_io: the hypervisor's console, for domain 0. Every verdict comes through it. */
#include "guest.h"

static int64_t write_text(uint64_t text, uint64_t length)
{
	return hypercall(console_io, CONSOLEIO_write, length, text);
}

/* The promise is on the serial port itself: the verdict is written by the call it judges. */
static bool long_line(void)
{
	static char text[400];

	memset(text, '.', sizeof(text));
	memcpy(text, "# ", 2);
	text[sizeof(text) - 1] = '\n';
	return write_text((uint64_t)text, sizeof(text)) == 0;
}

void test_main(void)
{
	static char byte[16];
	char *two = page_before_hole(), *page;

	check_eq("CONSOLE-1", write_text((uint64_t) "# written\n", 10), 0, "write puts text out");
	check_eq("CONSOLE-2", write_text(NON_CANONICAL, 0), 0, "no bytes, whatever the pointer");
	check_eq("CONSOLE-3", write_text(UNMAPPED, 10), -EFAULT, "from an unmapped page");
	check_eq("CONSOLE-4", write_text(MACH2PHYS_VIRT_START, 10), -EFAULT,
		 "from the hypervisor's range");
	page = two + 2 * PAGE_SIZE;
	memcpy(page + PAGE_SIZE - 8, "# across two\n", 13);
	check_eq("CONSOLE-5", write_text((uint64_t)page + PAGE_SIZE - 8, 13), 0, "across two pages");
	check_eq("CONSOLE-6", hypercall(console_io, CONSOLEIO_read, sizeof(byte), byte), 0,
		 "nothing has come in: read returns 0");
	check_eq("CONSOLE-7", hypercall(console_io, CONSOLEIO_read, 0x80000000, byte), -E2BIG,
		 "read of 2^31 bytes");
	check_eq("CONSOLE-8", hypercall(console_io, 9, sizeof(byte), byte), -ENOSYS,
		 "an unknown command");
	check("CONSOLE-9", long_line(), "a line of 400 bytes");
}
