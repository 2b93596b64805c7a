/* SPDX-License-Identifier: MIT */
/* iperf, version 2's TCP test, by lwIP's lwiperf (whose counter tools/lwip.mk widens): a server, or a client that sends for ten seconds. */
#include "app.h"
#include "lib.h"
#include "ops.h"
#include "sched.h"
#include "shell.h"
#include "stack.h"

#include <lwip/apps/lwiperf.h>

static struct wait_queue ended = WAIT_QUEUE_INIT(ended);
static bool over;

static void report(void *arg, enum lwiperf_report_type type, const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote,
		   u16_t remote_port, uint64_t bytes, u32_t ms, u32_t kbit)
{
	char peer[IPADDR_STRLEN_MAX];

	ipaddr_ntoa_r(remote, peer, sizeof(peer));
	printf("iperf: %s %s: %lu bytes in %u ms, %u kbit/s%s\n", type == LWIPERF_TCP_DONE_SERVER ? "from" : "to", peer, bytes, ms, kbit,
	       type > LWIPERF_TCP_DONE_CLIENT ? " (aborted)" : "");
	if (arg) {
		over = true;
		wake_up(&ended);
	}
}

static int server(void)
{
	void *session;

	stack_start();
	stack_lock();
	session = lwiperf_start_tcp_server_default(report, NULL);
	stack_unlock();
	printf(session ? "iperf: serving on port %u\n" : "iperf: port %u cannot be had\n", LWIPERF_TCP_PORT_DEFAULT);
	return session ? 0 : -1;
}

static int client(const char *name)
{
	ip_addr_t host;
	void *session;
	bool irq;

	if (!app_resolve("iperf", name, &host))
		return -1;
	over = false;
	stack_lock();
	session = lwiperf_start_tcp_client_default(&host, report, &over);
	stack_unlock();
	if (!session)
		return -1;
	irq = irq_save();
	while (!over)
		wait_on(&ended);
	irq_restore(irq);
	return 0;
}

static int cmd_iperf(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "-s"))
		return server();
	if (argc == 3 && !strcmp(argv[1], "-c"))
		return client(argv[2]);
	printf("iperf: what is wanted: -s, or -c HOST\n");
	return -1;
}
COMMAND(iperf, cmd_iperf, "-s | -c HOST: measures TCP with an iperf of version 2, or with another pvkernel");
