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
#include "interface.h"
#include "arch/segments.h"
#include "lib.h"
#include "random.h"
#include "sha256.h"
#include "time.h"
#include "xenstore.h"

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

static u8 secret[32];

/* In thread context: xenstore is asked. The uuid in the path tells domains apart that start at the same moment. */
void net_random_init(void)
{
	char uuid[64];
	int n = boot.native ? 0 : xs_read(XS_NO_TX, "vm", uuid, sizeof(uuid));

	if (n > 0)
		random_add(uuid, n);
	random_secret(secret);
}

u32_t net_random(void)
{
	return random_number();
}

static void add_address(struct sha256 *s, const ip_addr_t *a)
{
	if (IP_IS_V6(a))
		sha256_update(s, ip_2_ip6(a)->addr, sizeof(ip_2_ip6(a)->addr));
	else
		sha256_update(s, &ip_2_ip4(a)->addr, sizeof(ip_2_ip4(a)->addr));
}

/* RFC 6528: a clock of 4 us and a secret function of both ends. */
u32_t tcp_initial_number(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote, u16_t remote_port)
{
	u16 ports[2] = { local_port, remote_port };
	struct sha256 s;
	u32 digest[8];

	sha256_init(&s);
	sha256_update(&s, secret, sizeof(secret));
	sha256_update(&s, ports, sizeof(ports));
	add_address(&s, local);
	add_address(&s, remote);
	sha256_finish(&s, (u8 *)digest);
	return digest[0] + now() / 4096;
}
