/* SPDX-License-Identifier: MIT */
/* What a domain and the server of xenstore say to each other, and the page through which. See xs_wire.md. */
#ifndef ABI_XS_WIRE_H
#define ABI_XS_WIRE_H

/* xsd_sockmsg.type. A reply has its request's type, or XS_ERROR. */
#define XS_CONTROL 0
#define XS_DEBUG XS_CONTROL
#define XS_DIRECTORY 1
#define XS_READ 2
#define XS_GET_PERMS 3
#define XS_WATCH 4
#define XS_UNWATCH 5
#define XS_TRANSACTION_START 6
#define XS_TRANSACTION_END 7
#define XS_INTRODUCE 8
#define XS_RELEASE 9
#define XS_GET_DOMAIN_PATH 10
#define XS_WRITE 11
#define XS_MKDIR 12
#define XS_RM 13
#define XS_SET_PERMS 14
#define XS_WATCH_EVENT 15
#define XS_ERROR 16
#define XS_IS_DOMAIN_INTRODUCED 17
#define XS_RESUME 18
#define XS_SET_TARGET 19
#define XS_RESET_WATCHES 21	/* 20 has been withdrawn */
#define XS_DIRECTORY_PART 22
#define XS_TYPE_COUNT 23
#define XS_INVALID 0xffff	/* no message will ever have it */

/* Strings of an XS_WATCH_EVENT, in this order. */
#define XS_WATCH_PATH 0
#define XS_WATCH_TOKEN 1

/* Bytes. A longer payload ends the connection; a longer path is refused with EINVAL. */
#define XENSTORE_PAYLOAD_MAX 4096
#define XENSTORE_ABS_PATH_MAX 3072
#define XENSTORE_REL_PATH_MAX 2048

#define XENSTORE_RING_SIZE 1024

/* xenstore_domain_interface.server_features, bits. */
#define XENSTORE_SERVER_FEATURE_RECONNECTION 1	/* connection means something */
#define XENSTORE_SERVER_FEATURE_ERROR 2		/* error means something */
#define XENSTORE_SERVER_FEATURE_WATCHDEPTH 4	/* XS_WATCH takes a depth */

/* xenstore_domain_interface.connection */
#define XENSTORE_CONNECTED 0	/* the server writes it */
#define XENSTORE_RECONNECT 1	/* the domain writes it, then sends an event */

/* xenstore_domain_interface.error: why the server has ended the connection. */
#define XENSTORE_ERROR_NONE 0
#define XENSTORE_ERROR_COMM 1		/* the event channel does not work */
#define XENSTORE_ERROR_RINGIDX 2	/* indices that cannot be */
#define XENSTORE_ERROR_PROTO 3		/* a payload longer than XENSTORE_PAYLOAD_MAX */

#ifndef __ASSEMBLY__
#include <stdint.h>

/* Before each payload. 16 bytes. */
struct xsd_sockmsg {
	uint32_t type;		/* 0x0 XS_ */
	uint32_t req_id;	/* 0x4 the client's, echoed in the reply */
	uint32_t tx_id;		/* 0x8 transaction, 0 for none; echoed */
	uint32_t len;		/* 0xc bytes of payload */
};

/* Two byte rings in one page. Indices run freely; take them modulo the ring. 2076 bytes. */
struct xenstore_domain_interface {
	char req[1024];			/* 0x000 SHARED: to the server */
	char rsp[1024];			/* 0x400 SHARED: to the domain */
	uint32_t req_cons;		/* 0x800 SHARED: server writes */
	uint32_t req_prod;		/* 0x804 SHARED: domain writes */
	uint32_t rsp_cons;		/* 0x808 SHARED: domain writes */
	uint32_t rsp_prod;		/* 0x80c SHARED: server writes */
	uint32_t server_features;	/* 0x810 SHARED: server writes; bits are never taken back */
	uint32_t connection;		/* 0x814 SHARED: domain sets, server clears */
	uint32_t error;			/* 0x818 SHARED: server writes */
};
#endif

#endif
