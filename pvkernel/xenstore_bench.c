/* SPDX-License-Identifier: MIT */
/*
 * What requests to xenstore cost from end to end. The unit is the TSC's tick, an executed instruction of the whole
 * machine when QEMU runs with -icount shift=0: in a guest, the client, the server in domain 0 and the hypervisor between.
 */
#include "insn.h"
#include "lib.h"
#include "shell.h"
#include "xenstore.h"

#define NODE "data/xenstore-bench"

static int read_node(void)
{
	char value[16];

	return xs_read(XS_NO_TX, NODE, value, sizeof(value));
}

static int write_node(void)
{
	return xs_write(XS_NO_TX, NODE, "12345678");
}

static int list_home(void)
{
	char names[1024];

	return xs_directory(XS_NO_TX, "data", names, sizeof(names));
}

static int transaction(void)
{
	u32 tx;
	int end, err = xs_transaction_start(&tx);

	if (err)
		return err;
	err = xs_write(tx, NODE, "12345678");
	end = xs_transaction_end(tx, true);
	return MIN(end, err);
}

static int measure(const char *name, int (*request)(void), u64 rounds)
{
	u64 start;
	int err = request();

	start = rdtsc();
	for (u64 i = 0; i < rounds && err >= 0; i++)
		err = request();
	if (err < 0)
		printf("%s failed (%d)\n", name, err);
	else
		printf("%-24s %lu ticks\n", name, (rdtsc() - start) / rounds);
	return err < 0;
}

static int cmd_bench(int argc, char **argv)
{
	u64 rounds = 200;
	int failed;

	if (argc > 1 && (!parse_u64(argv[1], &rounds) || !rounds)) {
		printf("usage: xenstore-bench [ROUNDS]\n");
		return 1;
	}
	failed = measure("write", write_node, rounds) || measure("read", read_node, rounds) || measure("directory", list_home, rounds) ||
		 measure("transaction of a write", transaction, rounds);
	xs_rm(XS_NO_TX, NODE);
	return failed;
}
static const struct command command_xenstore_bench __attribute__((used, aligned(8), section(".command_table.xenstore-bench"))) = {
	.name = "xenstore-bench", .fn = cmd_bench, .help = "[ROUNDS]: what requests cost",
};
