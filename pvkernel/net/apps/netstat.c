/* SPDX-License-Identifier: MIT */
/* netstat: connections and listeners. nslookup: addresses of names. */
#include "app.h"
#include "lib.h"
#include "shell.h"
#include "stack.h"

#include <lwip/api.h>
#include <lwip/dns.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/stats.h>
#include <lwip/udp.h>

static void show_end(const ip_addr_t *address, u16 port)
{
	char text[IPADDR_STRLEN_MAX + 8];
	int n = snprintf(text, sizeof(text), "%s", IP_IS_ANY_TYPE_VAL(*address) ? "*" : ipaddr_ntoa(address));

	snprintf(text + n, sizeof(text) - n, ":%u", port);
	printf(" %-28s", text);
}

static void show_tcp(const struct tcp_pcb *pcb)
{
	printf("tcp");
	show_end(&pcb->local_ip, pcb->local_port);
	if (pcb->state == LISTEN) {
		printf(" %-28s LISTEN\n", "");
		return;
	}
	show_end(&pcb->remote_ip, pcb->remote_port);
	printf(" %s", tcp_debug_state_str(pcb->state));
	if (pcb->state == ESTABLISHED)
		printf(" segment %u window %u congestion %u", pcb->mss, pcb->snd_wnd, pcb->cwnd);
	printf("\n");
}

static int cmd_netstat(int argc, char **argv)
{
	stack_start();
	stack_lock();
	for (const struct tcp_pcb *pcb = (void *)tcp_listen_pcbs.listen_pcbs; pcb; pcb = pcb->next)
		show_tcp(pcb);
	for (const struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
		show_tcp(pcb);
	for (const struct tcp_pcb *pcb = tcp_tw_pcbs; pcb; pcb = pcb->next)
		show_tcp(pcb);
	for (const struct udp_pcb *pcb = udp_pcbs; pcb; pcb = pcb->next) {
		printf("udp");
		show_end(&pcb->local_ip, pcb->local_port);
		printf("\n");
	}
#define PROTOCOL(name, s) \
	printf("%-5s %8u received %8u sent %6u dropped %6u wrong checksum\n", name, (s).recv, (s).xmit, (s).drop, (s).chkerr)
	PROTOCOL("ip", lwip_stats.ip);
	PROTOCOL("ip6", lwip_stats.ip6);
	PROTOCOL("icmp", lwip_stats.icmp);
	PROTOCOL("tcp", lwip_stats.tcp);
	PROTOCOL("udp", lwip_stats.udp);
#undef PROTOCOL
	stack_unlock();
	return 0;
}
COMMAND(netstat, cmd_netstat, "connections, listeners, and what each protocol has seen");

static int cmd_nslookup(int argc, char **argv)
{
	ip_addr_t address;

	if (argc != 2) {
		printf("nslookup: what is wanted: NAME\n");
		return -1;
	}
	if (!app_resolve("nslookup", argv[1], &address))
		return -1;
	printf("%s is %s\n", argv[1], ipaddr_ntoa(&address));
	return 0;
}
COMMAND(nslookup, cmd_nslookup, "NAME: its address");
