/* SPDX-License-Identifier: MIT */
/* What interfaces are called: the option ip=, and the command ifconfig. */
#include <abi/errno.h>

#include "cmdline.h"
#include "interface.h"
#include "lib.h"
#include "shell.h"

#include <lwip/dhcp.h>
#include <lwip/dns.h>

static void set_ipv4(struct netif *netif, const ip4_addr_t *address, u32 prefix)
{
	ip4_addr_t mask = { .addr = lwip_htonl(prefix ? ~0u << (32 - prefix) : 0) };

	dhcp_release_and_stop(netif);
	netif_set_addr(netif, address, &mask, netif_ip4_gw(netif));
}

static int set_ipv6(struct netif *netif, const ip6_addr_t *address)
{
	s8_t index;
	ip6_addr_t zoned = *address;

	ip6_addr_assign_zone(&zoned, IP6_UNICAST, netif);
	if (netif_add_ip6_address(netif, &zoned, &index) != ERR_OK)
		return -ENOSPC;
	netif_ip6_addr_set_state(netif, index, IP6_ADDR_PREFERRED);
	return 0;
}

static int set_address(struct netif *netif, char *word)
{
	char *slash = strchr(word, '/');
	ip_addr_t address;
	u64 prefix = 24;

	if (slash)
		*slash = 0;
	if ((slash && !parse_u64(slash + 1, &prefix)) || !ipaddr_aton(word, &address) || prefix > (IP_IS_V6(&address) ? 128 : 32))
		return -EINVAL;
	if (IP_IS_V6(&address))
		return set_ipv6(netif, ip_2_ip6(&address));
	set_ipv4(netif, ip_2_ip4(&address), prefix);
	return 0;
}

static int set_gateway(struct netif *netif, const char *word)
{
	ip4_addr_t gateway;

	if (!ip4addr_aton(word, &gateway))
		return -EINVAL;
	netif_set_gw(netif, &gateway);
	return 0;
}

static int set_server(const char *word)
{
	ip_addr_t server;

	if (!ipaddr_aton(word, &server))
		return -EINVAL;
	dns_setserver(0, &server);
	return 0;
}

static int configure_word(struct netif *netif, char *word)
{
	if (!strcmp(word, "dhcp"))
		return dhcp_start(netif) == ERR_OK ? 0 : -ENOMEM;
	if (!strcmp(word, "none")) {
		dhcp_release_and_stop(netif);
		netif_set_addr(netif, NULL, NULL, NULL);
		return 0;
	}
	if (!strncmp(word, "gw=", 3))
		return set_gateway(netif, word + 3);
	if (!strncmp(word, "dns=", 4))
		return set_server(word + 4);
	return set_address(netif, word);
}

int interface_configure(struct interface *i, char *words)
{
	char *part[8];
	int n = split(words, ", ", part, ARRAY_SIZE(part)), err = 0;

	for (int k = 0; k < n && !err; k++)
		err = configure_word(&i->netif, part[k]);
	return err;
}

/* --- ifconfig --- */

static u32 prefix_of(const ip4_addr_t *mask)
{
	u32 bits = lwip_ntohl(mask->addr), n = 0;

	for (; bits & 1u << 31; bits <<= 1)
		n++;
	return n;
}

static void show_ipv6(struct netif *netif)
{
	for (int k = 0; k < LWIP_IPV6_NUM_ADDRESSES; k++) {
		u8_t state = netif_ip6_addr_state(netif, k);

		if (!ip6_addr_isinvalid(state))
			printf("    inet6 %s%s\n", ip6addr_ntoa(netif_ip6_addr(netif, k)),
			       ip6_addr_istentative(state) ? " (tentative)" : ip6_addr_ispreferred(state) ? "" : " (deprecated)");
	}
}

static void show(struct interface *i)
{
	struct netif *netif = &i->netif;
	struct net_device *d = i->device;
	char gateway[IP4ADDR_STRLEN_MAX];

	printf("%s: mac %02x:%02x:%02x:%02x:%02x:%02x mtu %u%s%s%s%s\n", d->name, d->mac[0], d->mac[1], d->mac[2], d->mac[3],
	       d->mac[4], d->mac[5], d->mtu, d->can_csum ? " csum" : "", d->can_csum6 ? " csum6" : "", d->can_gso4 ? " gso4" : "",
	       d->can_gso6 ? " gso6" : "");
	ip4addr_ntoa_r(netif_ip4_gw(netif), gateway, sizeof(gateway));
	if (!ip4_addr_isany(netif_ip4_addr(netif)))
		printf("    inet %s/%u gw %s%s\n", ip4addr_ntoa(netif_ip4_addr(netif)), prefix_of(netif_ip4_netmask(netif)), gateway,
		       dhcp_supplied_address(netif) ? " by DHCP" : "");
	show_ipv6(netif);
	printf("    rx %lu packets %lu bytes %lu dropped, tx %lu packets %lu bytes %lu dropped\n", d->rx_packets, d->rx_bytes,
	       d->rx_dropped, d->tx_packets, d->tx_bytes, d->tx_dropped);
}

static int configure_command(int argc, char **argv)
{
	struct interface *i = interface_find(argv[1]);
	int err = i ? 0 : -ENODEV;

	for (int k = 2; k < argc && !err; k++)
		err = interface_configure(i, argv[k]);
	return err;
}

static int cmd_ifconfig(int argc, char **argv)
{
	int err = 0;

	stack_lock();
	if (argc > 2)
		err = configure_command(argc, argv);
	else
		list_for_each(node, &interfaces)
			show(list_entry(node, struct interface, node));
	stack_unlock();
	if (err)
		printf("ifconfig: %s\n", err == -ENODEV ? "no such interface" : "what is wanted: [dhcp] [none] [ADDRESS/PREFIX] [gw=ADDRESS] [dns=ADDRESS]");
	return err;
}
COMMAND(ifconfig, cmd_ifconfig, "[NAME dhcp|none|ADDRESS/PREFIX|gw=ADDRESS|dns=ADDRESS ...]: the interfaces, or what one is to be called");
