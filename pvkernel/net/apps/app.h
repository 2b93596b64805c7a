/* SPDX-License-Identifier: MIT */
/* What the applications of the network share. */
#ifndef PVK_NET_APP_H
#define PVK_NET_APP_H

#include "types.h"

#include <lwip/err.h>
#include <lwip/ip_addr.h>

/* A host's address by its numbers or its name; waits for an interface with an address, and for DNS. False, and a line to the person: there is none. */
bool app_resolve(const char *who, const char *host, ip_addr_t *address);

const char *app_error(err_t err);	/* in words */

struct app_option {
	const char *name;	/* "-c"; NULL: the end */
	u64 *number;		/* takes the word behind it; NULL: */
	bool *given;		/* no word behind it */
};

/* Takes options out of the words, wherever they are. False: a word that begins with - is none, or no number follows. */
bool app_options(int *argc, char **argv, const struct app_option *options);

#endif
