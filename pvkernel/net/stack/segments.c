/* SPDX-License-Identifier: MIT */
/*
 * Segments larger than the peer takes, and numbers that outsiders cannot guess.
 *
 * A device with can_gso cuts TCP packets into segments itself, so the stack may make them as large as an IP packet can be. lwIP
 * makes segments of pcb->mss bytes; once a connection stands, that is raised here, as the congestion window opens: to a
 * quarter of it, in whole segments, so that a loss still halves something and the first flight is no larger than without.
 * It never falls again, for a segment that is queued has to fit into the window that is left after a loss, which is one mss.
 *
 * What is on the wire stays the interface's own maximum, which interface.c computes from the MTU alone. So only those connections
 * are raised whose peer takes that much.
 */
#include "boot.h"
#include "insn.h"
#include "interface.h"
#include "arch/segments.h"
#include "time.h"

#include <lwip/priv/tcp_priv.h>

/* Of a packet of 64 KiB, what is left for the payload with the longest headers. */
#define PAYLOAD_MAX (65535u - ETH_HEADER - 40 - 60)

/* Segments lie in one piece of memory, and small domains do not have large ones for long. */
static u32 payload_limit(void)
{
	return boot.nr_pages >= 32 << 8 ? PAYLOAD_MAX : boot.nr_pages >= 12 << 8 ? 16000 : 4000;
}

err_t segments_grow(struct tcp_pcb *pcb)
{
	struct netif *netif;
	u32 quarter, mss;

	if (pcb->state < ESTABLISHED || pcb->cwnd / 4 < 2 * (u32)pcb->mss)
		return ERR_OK;
	netif = ip_route(&pcb->local_ip, &pcb->remote_ip);
	if (!netif || !interface_is_device(netif))
		return ERR_OK;
	mss = tcp_eff_send_mss_netif(TCP_MSS, netif, &pcb->remote_ip);
	if (pcb->mss < mss || pcb->mss % mss)
		return ERR_OK;
	quarter = MIN(pcb->cwnd / 4, payload_limit()) / mss * mss;
	if (quarter > pcb->mss)
		pcb->mss = quarter;
	return ERR_OK;
}

/* --- numbers --- */

static u64 mix(u64 x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ul;
	x = (x ^ x >> 27) * 0x94d049bb133111ebul;
	return x ^ x >> 31;
}

static u64 secret, state;

void net_random_init(void)
{
	secret = mix(wall_clock_ns() ^ mix(rdtsc()));
}

/* Good against chance and against who only sees packets; there is no better source of entropy here than the time. */
u32_t net_random(void)
{
	state = mix(state + 0x9e3779b97f4a7c15ul + (rdtsc() ^ secret));
	return state;
}

static u64 mix_address(u64 x, const ip_addr_t *a)
{
	if (!IP_IS_V6(a))
		return mix(x ^ ip_2_ip4(a)->addr);
	for (int i = 0; i < 4; i++)
		x = mix(x ^ ip_2_ip6(a)->addr[i]);
	return x;
}

/* RFC 6528: a clock of 4 us and a secret function of both ends. */
u32_t tcp_initial_number(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote, u16_t remote_port)
{
	u64 x = mix(secret ^ ((u64)local_port << 16 | remote_port));

	return mix_address(mix_address(x, local), remote) + now() / 4096;
}
