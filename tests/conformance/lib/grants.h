/* SPDX-License-Identifier: MIT */
/* A grant table of version 1, mapped, for the tests about grants. */
#ifndef CONFORMANCE_GRANTS_H
#define CONFORMANCE_GRANTS_H

#include "guest.h"
#include <abi/grant_table.h>

#define NO_DOMAIN 99
/* The caller's own id: grants are given to it, because DOMID_SELF is refused as a granter. */
#define OWN_ID 0

/* Set up and map one page of the table; bails if that is not possible. */
struct grant_entry_v1 *grant_table_map(void);
/* Grant a page of the image to dom as reference ref. */
void grant_page(struct grant_entry_v1 *table, uint32_t ref, uint16_t dom, const void *page, uint16_t flags);
/* One operation of any sort; returns the call's result. */
int64_t grant_op(unsigned int cmd, void *op);
/* Map ref at host_addr; the status. *handle may be NULL. */
int grant_map(uint64_t host_addr, uint32_t flags, uint32_t ref, uint16_t dom, uint32_t *handle);
int grant_unmap(uint64_t host_addr, uint32_t handle);
/* Copy the first bytes of what dom grants as ref to a page of the image; the status. */
int grant_copy(void *to, uint16_t length, uint32_t ref, uint16_t dom);

#endif
