/* SPDX-License-Identifier: MIT */
/* The server of xenstore: nodes, watches, transactions, and a connection for each domain. */
#ifndef CTL_XENSTORED_H
#define CTL_XENSTORED_H

#include "../include/types.h"

void xenstored_init(void);	/* the tree's first nodes, domain 0's connection, the server's thread */

/* A domain's ring page (mapped by the caller until release) and our end of its event channel. 0, -ENOMEM, -EEXIST. @introduceDomain fires. */
int xenstored_introduce(u16 domid, void *ring_page, u32 port);
void xenstored_release(u16 domid);	/* connection, transactions, watches, nodes it owns outside its home go; @releaseDomain fires */
void xenstored_domain_died(u16 domid);	/* @releaseDomain for one that shut down and is still there */

#endif
