/* SPDX-License-Identifier: MIT */
/* What the halves of a network device ("vif") say to each other. See netif.md. */
#ifndef ABI_NETIF_H
#define ABI_NETIF_H

#define XEN_NETIF_NR_SLOTS_MIN 18	/* slots that every backend takes for one packet */
#define XEN_NETIF_MAX_TX_SIZE 0xffff	/* bytes of one packet */

/* netif_tx_request.flags */
#define NETTXF_csum_blank 1		/* the checksum field holds that of the pseudo header only */
#define NETTXF_data_validated 2
#define NETTXF_more_data 4		/* the packet goes on in the next request */
#define NETTXF_extra_info 8		/* the next slot is a netif_extra_info */

/* netif_rx_response.flags: the first two change places. */
#define NETRXF_data_validated 1
#define NETRXF_csum_blank 2
#define NETRXF_more_data 4
#define NETRXF_extra_info 8
#define NETRXF_gso_prefix 16

/* netif_tx_response.status; netif_rx_response.status is one of these or a length */
#define NETIF_RSP_DROPPED -2
#define NETIF_RSP_ERROR -1
#define NETIF_RSP_OKAY 0
#define NETIF_RSP_NULL 1		/* of a slot that held extra info */

/* netif_extra_info.type */
#define XEN_NETIF_EXTRA_TYPE_NONE 0
#define XEN_NETIF_EXTRA_TYPE_GSO 1
#define XEN_NETIF_EXTRA_TYPE_MCAST_ADD 2
#define XEN_NETIF_EXTRA_TYPE_MCAST_DEL 3
#define XEN_NETIF_EXTRA_TYPE_HASH 4
#define XEN_NETIF_EXTRA_TYPE_MAX 5
#define XEN_NETIF_EXTRA_FLAG_MORE 1	/* netif_extra_info.flags: one more follows */

#define XEN_NETIF_GSO_TYPE_NONE 0
#define XEN_NETIF_GSO_TYPE_TCPV4 1
#define XEN_NETIF_GSO_TYPE_TCPV6 2

#ifndef __ASSEMBLY__
#include <stdint.h>

/* 12 bytes. */
struct netif_tx_request {
	uint32_t gref;		/* 0x0 */
	uint16_t offset;	/* 0x4 into the page */
	uint16_t flags;		/* 0x6 NETTXF_ */
	uint16_t id;		/* 0x8 the frontend's, echoed */
	uint16_t size;		/* 0xa of the whole packet in its first request, of the fragment in the others */
};

/* In a request's or response's slot; what u holds depends on type. 8 bytes. */
struct netif_extra_info {
	uint8_t type;		/* 0x0 XEN_NETIF_EXTRA_TYPE_ */
	uint8_t flags;		/* 0x1 XEN_NETIF_EXTRA_FLAG_ */
	union {
		struct {
			uint16_t size;		/* 0x2 bytes of TCP payload in each packet */
			uint8_t type;		/* 0x4 XEN_NETIF_GSO_TYPE_ */
			uint8_t pad;		/* 0x5 */
			uint16_t features;	/* 0x6 zero */
		} gso;				/* 0x2 */
		struct {
			uint8_t addr[6];	/* 0x2 */
		} mcast;			/* 0x2 */
		uint16_t pad[3];		/* 0x2 */
	} u;					/* 0x2 */
};

/* In a slot of 12. 4 bytes. */
struct netif_tx_response {
	uint16_t id;		/* 0x0 */
	int16_t status;		/* 0x2 NETIF_RSP_ */
};

/* 8 bytes. */
struct netif_rx_request {
	uint16_t id;		/* 0x0 the frontend's, echoed */
	uint16_t pad;		/* 0x2 */
	uint32_t gref;		/* 0x4 a page that may be written */
};

/* 8 bytes. */
struct netif_rx_response {
	uint16_t id;		/* 0x0 */
	uint16_t offset;	/* 0x2 */
	uint16_t flags;		/* 0x4 NETRXF_ */
	int16_t status;		/* 0x6 bytes in this page, or NETIF_RSP_ */
};
#endif

#endif
