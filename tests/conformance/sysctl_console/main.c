/* SPDX-License-Identifier: MIT */
/* The hypervisor's messages, read and asked for. */
#include "domain.h"

static char text[16384];
static struct xen_sysctl op;

static int64_t read_console(uint8_t clear, uint8_t incremental, uint32_t index, uint32_t count)
{
	op = (struct xen_sysctl){.u.readconsole = {.clear = clear,
						   .incremental = incremental,
						   .index = index,
						   .buffer = (uint64_t)text,
						   .count = count}};
	memset(text, 0, sizeof(text));
	return sysctl(XEN_SYSCTL_readconsole, &op);
}

#define GOT op.u.readconsole.count
#define INDEX op.u.readconsole.index

static bool has(const char *word)
{
	for (size_t i = 0; i + strlen(word) <= GOT; i++)
		if (!memcmp(text + i, word, strlen(word)))
			return true;
	return false;
}

static int64_t keys(const char *letters, uint32_t n)
{
	struct xen_sysctl key = {.u.debug_keys = {.keys = (uint64_t)letters, .nr_keys = n}};

	return sysctl(XEN_SYSCTL_debug_keys, &key);
}

static void reading(void)
{
	uint32_t end, got;
	int64_t r = read_console(0, 0, 0, sizeof(text) - 1);

	end = INDEX, got = GOT;
	check("SYSCTL-CONSOLE-1", r == 0 && got > 100 && got <= end,
	      "readconsole gives what was printed since boot");
	check("SYSCTL-CONSOLE-2", has("Dom0") || has("dom0") || has("omain 0"),
	      "among it what was said about domain 0");
	r = read_console(0, 1, end, sizeof(text) - 1);
	check("SYSCTL-CONSOLE-3", r == 0 && GOT == 0 && INDEX == end,
	      "incremental from the index told there is nothing new");
	hypercall(console_io, CONSOLEIO_write, 24, "# a line for the ring\n#\n");
	r = read_console(0, 1, end, sizeof(text) - 1);
	check("SYSCTL-CONSOLE-4", r == 0 && (GOT == 0 || has("a line for the ring")),
	      "what domain 0 writes to the console is in the ring or not, but never in part");
	keys("h", 1);
	r = read_console(0, 1, end, sizeof(text) - 1);
	check("SYSCTL-CONSOLE-5", r == 0 && GOT > 0 && INDEX == end + GOT,
	      "what is printed then is read from there, and index moves on by count");
	read_console(0, 0, 0, 10);
	check("SYSCTL-CONSOLE-6", GOT == 10 && text[10] == 0, "no more than count bytes are given");
	op.u.readconsole.buffer = UNMAPPED;
	op.u.readconsole.count = 10;
	check_eq("SYSCTL-CONSOLE-7", sysctl(XEN_SYSCTL_readconsole, &op), -EFAULT,
		 "a buffer that cannot be written fails with -EFAULT");
	r = read_console(0, 0, 0, 0);
	check("SYSCTL-CONSOLE-8", r == 0 && GOT == 0, "a count of 0 gives nothing");
}

static void clearing(void)
{
	uint32_t before;

	read_console(0, 0, 0, sizeof(text) - 1);
	before = GOT;
	read_console(1, 0, 0, sizeof(text) - 1);
	check("SYSCTL-CONSOLE-9", GOT == before, "with clear the text is given once more");
	read_console(0, 0, 0, sizeof(text) - 1);
	check_eq("SYSCTL-CONSOLE-10", GOT, 0, "and then is gone");
}

static void debug_keys(void)
{
	uint32_t end;
	int64_t r;

	read_console(0, 0, 0, sizeof(text) - 1);
	end = INDEX;
	r = keys("h", 1);
	read_console(0, 1, end, sizeof(text) - 1);
	check("SYSCTL-KEYS-1", r == 0 && GOT > 100, "key h lists the keys on the console");
	check_eq("SYSCTL-KEYS-2", keys("\x01", 1), 0, "a key that means nothing is no error");
	check_eq("SYSCTL-KEYS-3", keys("h", 0), 0, "no keys are no error");
	check_eq("SYSCTL-KEYS-4", keys((char *)UNMAPPED, 1), -EFAULT,
		 "keys that cannot be read fail with -EFAULT");
}

void test_main(void)
{
	reading();
	clearing();
	debug_keys();
}
