/* SPDX-License-Identifier: MIT */
/*
 * Packets and who moves them: Ethernet frames without FCS, in pieces of our own memory. In a guest netfront is the device and
 * lwIP's interface its user; in domain 0 every port of the switch is one, with netback, the uplink or domain 0's own lwIP behind it.
 */
#ifndef PVK_NET_H
#define PVK_NET_H

#include <abi/netif.h>

#include "list.h"
#include "types.h"

#define ETH_HEADER 14
#define ETH_MTU 1500
#define ETH_VLAN 4			/* bytes of an 802.1Q tag */
#define PACKET_MAX 65535u		/* bytes with the Ethernet header */
#define PACKET_PIECES 20		/* a request of a page may take two, else as many as a ring's packet has slots */
#define PACKET_GSO_MIN 32		/* smallest gso_size, so that a packet is cut into at most 2,048 */

/* data: in the direct map or the image, so its frame can be named to the hypervisor; may cross pages. */
struct packet_piece {
	u8 *data;
	u32 length;
};

/*
 * Headers, Ethernet to TCP, are in the first piece whole when packet_headers() has seen the packet. A packet that somebody
 * else holds, too (references > 1), is read-only, and node is nobody's.
 */
struct packet {
	struct list node;	/* whose who has it */
	u32 length;		/* of all pieces */
	u32 references;
	u16 nr_pieces;
	bool csum_blank;	/* TCP/UDP checksum: only the pseudo header's is there; who leaves the machine completes it */
	bool csum_valid;	/* has been checked, or never left the machine */
	u8 gso_type;		/* XEN_NETIF_GSO_TYPE_; to be cut into TCP segments of gso_size bytes of payload; then csum_blank, too */
	u16 gso_size;
	u16 vlan;		/* the switch's: whose 802.1Q tag it had, or would have */
	void (*release)(struct packet *p);	/* by the last packet_put() */
	struct packet_piece pieces[PACKET_PIECES];
};

/* --- packet.c: memory --- */

/* One reference and no pieces, which need not be zeroed. */
static inline void packet_init(struct packet *p, void (*release)(struct packet *p))
{
	__builtin_memset(p, 0, __builtin_offsetof(struct packet, pieces));
	p->references = 1;
	p->release = release;
	list_init(&p->node);
}

struct packet *packet_alloc(u32 length);	/* pieces of our pages, undefined content, one reference; NULL: no memory */
/* The same with pieces of these lengths, each at most a page; the first may become two. */
struct packet *packet_alloc_pieces(const u16 *lengths, u32 count);
struct packet *packet_copy(const struct packet *p);	/* flags, too; NULL: no memory */
void packet_hold(struct packet *p);
void packet_put(struct packet *p);
void packet_read(const struct packet *p, u32 offset, void *to, u32 length);	/* within the packet */
void packet_write(struct packet *p, u32 offset, const void *from, u32 length);
void packet_trim(struct packet *p, u32 length);	/* to at most so many bytes, at least 1 */
bool packet_pull_up(struct packet *p, u32 length);	/* so many bytes, at most 256, are in the first piece; false: it has no room */
u32 packet_pool_pages(void);	/* that packets have had and will have again, so they are not free */
/* q, of one piece and from packet_alloc(), as p is, becomes p's last piece and is no more; false: p has no room for it. */
bool packet_join(struct packet *p, struct packet *q);
void packet_pool_limit(u64 pages);	/* what freed packets may keep, by this domain's memory */
u8 *packet_push(struct packet *p, u32 length);	/* room for so many more bytes in front; NULL: none there */

/* --- checksum.c --- */

u64 checksum_add(u64 sum, const void *data, size_t length);	/* data begins at an even offset of what is summed */
u16 checksum_fold(u64 sum);		/* as it goes into a header, in memory order; not complemented */
u16 checksum_of(const void *data, size_t length);	/* both, also for lwIP */
u64 packet_sum(const struct packet *p, u32 offset, u32 length);	/* within the packet */

/* --- headers.c --- */

struct packet_headers {
	bool ipv6;
	bool fragment;		/* part of a datagram; IPv6: transport is the offset of the fragment's header */
	u8 protocol;		/* IPPROTO_; 0 for a fragment, and behind more of IPv6's headers than are followed */
	u16 network, transport;	/* offsets; transport: of what protocol says */
	u16 payload;		/* offset, of TCP and UDP */
	u32 end;		/* offset behind the datagram: what follows is padding */
};

#define IPPROTO_ICMP 1
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_ICMP6 58
#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_ARP 0x0806
#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_IPV6 0x86dd

/* Of at least ETH_HEADER bytes. */
static inline u16 packet_ethertype(const struct packet *p)
{
	u8 type[2];

	if (p->pieces[0].length >= ETH_HEADER)
		return p->pieces[0].data[12] << 8 | p->pieces[0].data[13];
	packet_read(p, 12, type, 2);
	return type[0] << 8 | type[1];
}

/* False: no IP, or lengths that contradict each other. Every offset is within the packet, all up to payload in the first piece. */
bool packet_headers(struct packet *p, struct packet_headers *h);
bool packet_check_blank(struct packet *p);	/* the next for one with csum_blank */
/*
 * What csum_blank and gso_type promise holds, and the checksum field has the pseudo header's; false: it does not. For what comes from
 * somebody not trusted, before it goes anywhere.
 */
static inline bool packet_check_offload(struct packet *p)
{
	return p->csum_blank ? packet_check_blank(p) : !p->gso_type;
}

void packet_complete_checksum(struct packet *p);	/* csum_blank no more; IPv4 and IPv6, TCP and UDP */
/* The transport's checksum is right: csum_valid or computed. False also when there is none to check. */
bool packet_checksum_right(struct packet *p);

/* --- segment.c --- */

/*
 * p, of a gso_type that packet_check_offload() has passed, as packets of at most gso_size bytes of payload, each csum_blank, in order.
 * Does not take p's reference; each segment's goes to fn. False: memory was out before the last.
 */
bool packet_segment(struct packet *p, void (*fn)(void *arg, struct packet *segment), void *arg);

/* --- device.c --- */

struct net_device {
	struct list node;
	char name[32];
	u8 mac[6];
	u16 mtu;
	bool can_csum, can_csum6, can_gso4, can_gso6;	/* takes packets with csum_blank (IPv4, IPv6), gso_type */
	/* Takes the caller's reference, whatever comes of it. May be called by threads only; full queues drop. */
	void (*send)(struct net_device *d, struct packet *p);
	void (*flush)(struct net_device *d);	/* after some sends: notifies; may be NULL */
	/* The user's: takes the reference. Called by one thread at a time. */
	void (*receive)(struct net_device *d, struct packet *p);
	void (*received)(struct net_device *d);	/* the user's, NULL if it does not care: after some receive(), by a driver that batches */
	bool batches;		/* the driver calls received() after each batch of receive(), if it is not NULL */
	void *user, *data;	/* the user's, the driver's */
	struct net_user *owner;	/* NULL: nobody wanted it so far */
	u64 rx_packets, rx_bytes, rx_dropped, tx_packets, tx_bytes, tx_dropped;
};

/* Sends p in a form that d takes: cut into segments, checksums completed; too long: dropped. Takes the reference; no flush. */
void net_send(struct net_device *d, struct packet *p);
void net_flush(struct net_device *d);

/*
 * A device, once it works, goes to the first user who wants it: attach() sets receive and user, and says true. detach(): after it
 * the user neither calls the device nor is called. Both by threads, one at a time.
 */
struct net_user {
	struct list node;
	bool (*attach)(struct net_device *d);
	void (*detach)(struct net_device *d);
};

bool net_parse_mac(const char *text, u8 mac[6]);	/* six bytes in hexadecimal, colons between; false: not so, or a group's */
void net_device_register(struct net_device *d);
void net_device_unregister(struct net_device *d);
void net_user_register(struct net_user *u);
struct net_device *net_device_find(const char *name);	/* NULL; for commands */

#endif
