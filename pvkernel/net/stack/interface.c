/* SPDX-License-Identifier: MIT */
/*
 * Between lwIP and devices: packets become chains of pbufs that show the same memory, and chains become packets.
 *
 *	received	struct shown: the packet, and a pbuf for each piece; the last pbuf that is freed gives the packet back
 *	sent		struct sent: the packet, whose pieces are the pbufs' memory; it holds a reference on the chain
 *
 * A pbuf whose memory is somebody else's and only lent for the call is copied, for devices may keep a packet for a while. So is one
 * in the arena, as devices name frames to the hypervisor; and a small one, since that costs less than to show it.
 *
 * Programs and TCP may hold received packets for long, and a packet of one byte holds a page: together they have a part of memory, and what
 * comes beyond that is dropped, as by a wire; TCP sends it again when somebody has read.
 *
 * TCP leaves its checksum to the device, and packets longer than the MTU, which lwIP would fragment, go to the device to be cut.
 */
#include <abi/errno.h>

#include "boot.h"
#include "cmdline.h"
#include "interface.h"
#include "lib.h"
#include "mm.h"
#include "mutex.h"
#include "random.h"
#include "xenstore.h"

#include <lwip/dhcp.h>
#include <lwip/ethip6.h>
#include <lwip/etharp.h>
#include <lwip/ip4_frag.h>
#include <lwip/ip6_frag.h>
#include <lwip/prot/ip4.h>
#include <lwip/prot/ip6.h>
#include <lwip/tcpip.h>
#include <netif/ethernet.h>

#define HEADERS_MAX (ETH_HEADER + 60 + 60)
#define SMALL 256		/* bytes that are copied rather than shown */
#define PAGES_SHARE 8		/* of memory at most so small a part is packets that the stack holds */

struct shown {
	struct packet *packet;
	u32 pages;
	u32 live;		/* pbufs not yet freed */
	struct shown_piece {
		struct pbuf_custom pbuf;
		struct shown *all;
	} pieces[];
};

struct sent {
	struct packet packet;
	struct pbuf *chain;
};

struct list interfaces = LIST_INIT(interfaces);
static struct mutex core = MUTEX_INIT(core);
static bool started;
static char hostname[32];
static u32 pages_shown, pages_max;

/* --- the lock --- */

void stack_lock(void)
{
	mutex_lock(&core);
}

void stack_unlock(void)
{
	list_for_each(node, &interfaces) {
		struct interface *i = list_entry(node, struct interface, node);

		if (i->unflushed) {
			i->unflushed = false;
			net_flush(i->device);
		}
	}
	mutex_unlock(&core);
}

/* --- receiving --- */

/* Any thread may free a pbuf. */
static void free_shown(struct pbuf *pbuf)
{
	struct shown *s = ((struct shown_piece *)pbuf)->all;

	if (__atomic_sub_fetch(&s->live, 1, __ATOMIC_ACQ_REL))
		return;
	__atomic_sub_fetch(&pages_shown, s->pages, __ATOMIC_RELAXED);
	packet_put(s->packet);
	kfree(s);
}

/* Takes the reference. NULL: no memory for more. */
static struct pbuf *show_packet(struct packet *p)
{
	u32 pages = MAX(p->nr_pieces, p->length / PAGE_SIZE + 1);
	struct shown *s = pages_shown + pages > pages_max ? NULL : kmalloc(sizeof(*s) + p->nr_pieces * sizeof(s->pieces[0]));
	struct pbuf *chain = NULL;
	u32 behind = 0;

	if (!s) {
		packet_put(p);
		return NULL;
	}
	s->packet = p;
	s->pages = pages;
	__atomic_add_fetch(&pages_shown, pages, __ATOMIC_RELAXED);
	for (u32 i = p->nr_pieces; i-- > 0;) {
		struct packet_piece *piece = &p->pieces[i];
		struct shown_piece *to = &s->pieces[i];

		if (!piece->length)
			continue;
		to->all = s;
		to->pbuf.custom_free_function = free_shown;
		pbuf_alloced_custom(PBUF_RAW, piece->length, PBUF_REF, &to->pbuf, piece->data, piece->length);
		behind += piece->length;
		to->pbuf.pbuf.tot_len = behind;
		to->pbuf.pbuf.next = chain;
		chain = &to->pbuf.pbuf;
		s->live++;
	}
	return chain;
}

/*
 * A checksum that is not there, or has been checked, is not checked again. At rest TCP's is not: then lwIP loops packets back that
 * we send to ourselves, and these have none.
 */
#define CHECKS_AT_REST (NETIF_CHECKSUM_ENABLE_ALL & ~(NETIF_CHECKSUM_GEN_TCP | NETIF_CHECKSUM_CHECK_TCP))

static u16_t checks(const struct packet *p)
{
	return p->csum_valid || p->csum_blank ? CHECKS_AT_REST & ~NETIF_CHECKSUM_CHECK_UDP : CHECKS_AT_REST | NETIF_CHECKSUM_CHECK_TCP;
}

/*
 * lwIP wants headers in one pbuf, and writes into what it gets: where it puts fragments together, its own pointers over their headers. So what
 * others hold, who would see them, is copied. Headers of a packet with a blank checksum are in one piece, since it has been checked.
 */
static bool is_ours(const struct packet *p)
{
	return p->references == 1 && (p->nr_pieces == 1 || p->csum_blank || p->pieces[0].length >= HEADERS_MAX);
}

/* Takes the reference; NULL: no memory. */
static struct packet *own_packet(struct packet *p)
{
	struct packet *copy;

	if (is_ours(p))
		return p;
	copy = packet_copy(p);
	packet_put(p);
	return copy;
}

static bool has_length(const struct packet *p)
{
	return p->length >= ETH_HEADER && p->length <= PACKET_MAX;
}

static void interface_receive(struct net_device *d, struct packet *p)
{
	struct interface *i = d->user;
	u16_t check = checks(p);
	struct pbuf *chain = NULL;

	if (!has_length(p))
		packet_put(p);
	else if ((p = own_packet(p)))
		chain = show_packet(p);
	if (!chain) {
		d->rx_dropped++;
		return;
	}
	random_event();
	stack_lock();
	i->netif.chksum_flags = check;
	if (i->netif.input(chain, &i->netif) != ERR_OK)
		pbuf_free(chain);
	i->netif.chksum_flags = CHECKS_AT_REST;
	stack_unlock();
}

/* --- sending --- */

static void release_sent(struct packet *p)
{
	struct sent *s = CONTAINER_OF(p, struct sent, packet);

	pbuf_free(s->chain);
	kfree(s);
}

static bool may_show(const struct pbuf *chain)
{
	u32 pieces = 0;

	if (chain->tot_len <= SMALL)
		return false;
	for (const struct pbuf *b = chain; b; b = b->next) {
		if (PBUF_NEEDS_COPY(b) || ++pieces > PACKET_PIECES || ((u64)b->payload >= ARENA_BASE && (u64)b->payload < ARENA_END))
			return false;
	}
	return true;
}

static struct packet *packet_of(struct pbuf *chain)
{
	struct sent *s = kmalloc(sizeof(*s));
	struct packet *p = &s->packet;

	if (!s)
		return NULL;
	packet_init(p, release_sent);
	p->length = chain->tot_len;
	s->chain = chain;
	for (struct pbuf *b = chain; b; b = b->next)
		if (b->len)
			p->pieces[p->nr_pieces++] = (struct packet_piece){ b->payload, b->len };
	pbuf_ref(chain);
	return p;
}

static struct packet *copy_of(struct pbuf *chain)
{
	struct packet *p = packet_alloc(chain->tot_len);
	u32 at = 0;

	for (struct pbuf *b = chain; p && b; at += b->len, b = b->next)
		packet_write(p, at, b->payload, b->len);
	return p;
}

static bool is_tcp(const struct packet *p)
{
	const u8 *frame = p->pieces[0].data;
	u16 type = packet_ethertype(p);

	if (p->pieces[0].length < ETH_HEADER + IP6_HLEN)
		return false;
	return type == ETHERTYPE_IPV4 ? frame[ETH_HEADER + 9] == IPPROTO_TCP && !((frame[ETH_HEADER + 6] & 0x3f) | frame[ETH_HEADER + 7]) :
	       type == ETHERTYPE_IPV6 && frame[ETH_HEADER + 6] == IPPROTO_TCP;
}

static void leave_to_device(struct packet *p, u16 mtu)
{
	bool ipv6 = packet_ethertype(p) == ETHERTYPE_IPV6;

	p->csum_blank = true;
	if (p->length > (u32)mtu + ETH_HEADER) {
		p->gso_type = ipv6 ? XEN_NETIF_GSO_TYPE_TCPV6 : XEN_NETIF_GSO_TYPE_TCPV4;
		p->gso_size = mtu - (ipv6 ? 40 : 20) - 20;
	}
	packet_check_offload(p);
}

static err_t interface_output(struct netif *netif, struct pbuf *chain)
{
	struct interface *i = netif->state;
	struct packet *p = may_show(chain) ? packet_of(chain) : copy_of(chain);

	if (!p)
		return ERR_MEM;
	p->csum_valid = true;	/* of our own sums */
	if (is_tcp(p))
		leave_to_device(p, i->device->mtu);
	i->unflushed = true;
	net_send(i->device, p);
	return ERR_OK;
}

/* lwIP calls these where it finds a packet too long for the MTU; it knows them by the names without stack_. */
err_t stack_ip4_frag(struct pbuf *p, struct netif *netif, const ip4_addr_t *dest);
err_t stack_ip6_frag(struct pbuf *p, struct netif *netif, const ip6_addr_t *dest);

err_t stack_ip4_frag(struct pbuf *p, struct netif *netif, const ip4_addr_t *dest)
{
	if (interface_is_device(netif) && IPH_PROTO((struct ip_hdr *)p->payload) == IP_PROTO_TCP)
		return netif->output(netif, p, dest);
	return ip4_frag(p, netif, dest);
}

err_t stack_ip6_frag(struct pbuf *p, struct netif *netif, const ip6_addr_t *dest)
{
	if (interface_is_device(netif) && IP6H_NEXTH((struct ip6_hdr *)p->payload) == IP6_NEXTH_TCP)
		return netif->output_ip6(netif, p, dest);
	return ip6_frag(p, netif, dest);
}

/* --- coming and going --- */

bool interface_is_device(const struct netif *netif)
{
	return netif->linkoutput == interface_output;
}

struct interface *interface_find(const char *name)
{
	list_for_each(node, &interfaces) {
		struct interface *i = list_entry(node, struct interface, node);

		if (!strcmp(i->device->name, name))
			return i;
	}
	return NULL;
}

static err_t interface_setup(struct netif *netif)
{
	struct interface *i = netif->state;

	netif->name[0] = 'e';
	netif->name[1] = 'n';
	netif->mtu = i->device->mtu;
	netif->hwaddr_len = 6;
	memcpy(netif->hwaddr, i->device->mac, 6);
	netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_LINK_UP | NETIF_FLAG_MLD6;
	netif->output = etharp_output;
	netif->output_ip6 = ethip6_output;
	netif->linkoutput = interface_output;
	netif->chksum_flags = CHECKS_AT_REST;
	netif->hostname = hostname;
	return ERR_OK;
}

void stack_start(void)
{
	static struct mutex once = MUTEX_INIT(once);

	mutex_lock(&once);
	if (!started) {
		if (boot.native || xs_read(XS_NO_TX, "name", hostname, sizeof(hostname)) <= 0)
			snprintf(hostname, sizeof(hostname), boot.initial_domain ? "dom0" : "pvkernel");
		pages_max = boot.nr_pages / PAGES_SHARE;
		net_random_init();
		tcpip_init(NULL, NULL);
		started = true;
	}
	mutex_unlock(&once);
}

static bool has_ipv6(const struct netif *netif)
{
	for (int k = 0; k < LWIP_IPV6_NUM_ADDRESSES; k++)
		if (ip6_addr_ispreferred(netif_ip6_addr_state(netif, k)))
			return true;
	return false;
}

bool stack_has_address(bool ipv6)
{
	bool has;

	stack_lock();
	has = netif_default && (ipv6 ? has_ipv6(netif_default) : !ip4_addr_isany(netif_ip4_addr(netif_default)));
	stack_unlock();
	return has;
}

static void configure_first(struct interface *i)
{
	char words[160];

	if (!cmdline_get(boot.cmdline, "ip", words, sizeof(words))) {
		if (boot.initial_domain)
			return;
		snprintf(words, sizeof(words), "dhcp");
	}
	if (interface_configure(i, words))
		printf("net: the option ip= is wrong\n");
}

static bool interface_attach(struct net_device *d)
{
	struct interface *i;

	if (boot.initial_domain && strcmp(d->name, "dom0"))
		return false;
	i = kmalloc(sizeof(*i));
	if (!i)
		return false;
	stack_start();
	i->device = d;
	d->user = i;
	stack_lock();
	netif_add(&i->netif, NULL, NULL, NULL, i, interface_setup, ethernet_input);
	netif_create_ip6_linklocal_address(&i->netif, 1);
	netif_set_ip6_autoconfig_enabled(&i->netif, 1);
	netif_set_up(&i->netif);
	list_insert_before(&interfaces, &i->node);
	if (!netif_default) {
		netif_set_default(&i->netif);
		configure_first(i);
	}
	stack_unlock();
	d->receive = interface_receive;
	return true;
}

static void interface_detach(struct net_device *d)
{
	struct interface *i = d->user;

	d->receive = NULL;
	stack_lock();
	dhcp_release_and_stop(&i->netif);
	dhcp_cleanup(&i->netif);
	list_remove(&i->node);
	netif_remove(&i->netif);
	if (!netif_default && !list_empty(&interfaces))
		netif_set_default(&list_entry(interfaces.next, struct interface, node)->netif);
	stack_unlock();
	kfree(i);
}

static struct net_user stack_user = { .attach = interface_attach, .detach = interface_detach };

void stack_init(void)
{
	packet_pool_limit(boot.nr_pages);
	net_user_register(&stack_user);
}
