/* SPDX-License-Identifier: MIT */
/*
 * Packets and who moves them: Ethernet frames without FCS, in pieces of our own memory. In a guest netfront is the device and
 * lwIP's interface its user; in domain 0 every port of the switch is one, with netback, the uplink or domain 0's own lwIP behind it.
 */
#ifndef PVK_NET_H
#define PVK_NET_H

#include "list.h"
#include "types.h"

#define ETH_HEADER 14
#define ETH_MTU 1500
#define PACKET_MAX 65535u	/* bytes with the Ethernet header */
#define PACKET_PIECES 18

struct packet_piece {
	u8 *data;
	u32 length;
};

/* Headers, Ethernet to TCP, are in the first piece whole when the packet is that long (net_headers() makes sure of it). */
struct packet {
	struct list node;	/* whose who has it */
	u32 length;		/* of all pieces */
	u16 nr_pieces;
	bool csum_blank;	/* TCP/UDP checksum: only the pseudo header's is there; who leaves the machine completes it */
	bool csum_valid;	/* has been checked, or never left the machine */
	u8 gso_type;		/* XEN_NETIF_GSO_TYPE_; to be cut into TCP segments of gso_size bytes of payload */
	u16 gso_size;
	u32 references;
	void (*release)(struct packet *p);	/* by the last packet_put() */
	struct packet_piece pieces[PACKET_PIECES];
};

struct packet *packet_alloc(u32 length);	/* pieces of our pages, undefined content, one reference; NULL: no memory */
void packet_hold(struct packet *p);
void packet_put(struct packet *p);
void packet_read(const struct packet *p, u32 offset, void *to, u32 length);	/* within the packet */
void packet_write(struct packet *p, u32 offset, const void *from, u32 length);
void packet_complete_checksum(struct packet *p);	/* csum_blank no more; IPv4 and IPv6, TCP and UDP */

struct net_device {
	struct list node;
	char name[32];
	u8 mac[6];
	u16 mtu;
	bool can_csum, can_gso4, can_gso6;	/* takes packets with csum_blank, gso_type */
	/* Takes the caller's reference, whatever comes of it. May be called by threads only; full queues drop. */
	void (*send)(struct net_device *d, struct packet *p);
	void (*flush)(struct net_device *d);	/* after some sends: notifies; may be NULL */
	/* The user's: takes the reference. Called by a thread. */
	void (*receive)(struct net_device *d, struct packet *p);
	void *user, *data;
	u64 rx_packets, rx_bytes, rx_dropped, tx_packets, tx_bytes, tx_dropped;
};

#endif
