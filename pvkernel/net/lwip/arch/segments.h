/* SPDX-License-Identifier: MIT */
/* What the stack calls back about connections. See ../../stack/segments.c. */
#ifndef LWIP_ARCH_SEGMENTS_H
#define LWIP_ARCH_SEGMENTS_H

#include "lwip/err.h"
#include "lwip/ip_addr.h"

struct tcp_pcb;

/* A packet of this connection came. */
err_t segments_grow(struct tcp_pcb *pcb);

/* The first sequence number of a connection. */
u32_t tcp_initial_number(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote, u16_t remote_port);

#endif
