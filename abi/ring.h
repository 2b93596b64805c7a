/* SPDX-License-Identifier: MIT */
/* The shared page of a request/response ring, whatever it carries. See ring.md. */
#ifndef ABI_RING_H
#define ABI_RING_H

#define RING_HEADER_SIZE 64	/* entries begin behind it; as many as fit, rounded down to a power of two */

#ifndef __ASSEMBLY__
#include <stdint.h>

/* Requests and responses share the entries; indices run freely, an entry is at index modulo the number of entries. 64 bytes. */
struct ring_header {
	uint32_t req_prod;	/* 0x0 SHARED: the frontend writes it */
	uint32_t req_event;	/* 0x4 SHARED: the backend writes it: event wanted when req_prod passes it */
	uint32_t rsp_prod;	/* 0x8 SHARED: the backend writes it */
	uint32_t rsp_event;	/* 0xc SHARED: the frontend writes it */
	uint8_t pad[48];	/* 0x10 zero */
};
#endif

#endif
