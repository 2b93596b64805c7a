/* SPDX-License-Identifier: MIT */
/*
 * Xenstore's data and requests on the host: memory that can be made to fail, and messages in one line. What includes
 * this is one program.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PVK_LIB_H			/* the host has these functions already */
#define PVK_MM_H
#include "types.h"

static bool parse_u64(const char *s, u64 *val)
{
	char *end;

	*val = strtoull(s, &end, 0);
	return *s && !*end;
}

static u64 memory_in_use, allocations, fail_at;	/* fail_at: the allocation of that number fails; 0: none */

static void *kmalloc(size_t size)
{
	if (++allocations == fail_at)
		return NULL;
	memory_in_use++;
	return calloc(1, size ? size : 1);
}

static void kfree(void *p)
{
	memory_in_use -= p != NULL;
	free(p);
}

#include "../../pvkernel/control/xenstore/account.c"
#include "../../pvkernel/control/xenstore/domains.c"
#include "../../pvkernel/control/xenstore/path.c"
#include "../../pvkernel/control/xenstore/perms.c"
#include "../../pvkernel/control/xenstore/request.c"
#include "../../pvkernel/control/xenstore/transaction.c"
#include "../../pvkernel/control/xenstore/tree.c"
#include "../../pvkernel/control/xenstore/watch.c"

static int host_refuse(u16 domid, u64 gfn, u32 port)
{
	return -ENOSYS;
}

static int host_one(u16 domid)
{
	return 0;
}

static int host_two(u16 domid, u16 target)
{
	return 0;
}

static bool host_introduced(u16 domid)
{
	return domid < 4;
}

static const struct request_ops host_ops = {
	.introduce = host_refuse, .release = host_one, .resume = host_one, .set_target = host_two, .introduced = host_introduced,
};

static char host_reply[XENSTORE_PAYLOAD_MAX + 32];	/* the last one's payload, and a NUL */

static int host_errno(const char *name)
{
	static const int all[] = { EINVAL, EACCES, EEXIST, ENOENT, ENOMEM, ENOSPC, EIO, ENOSYS, EBUSY, EAGAIN, E2BIG, EPERM };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (!strcmp(error_name(all[i]), name))
			return all[i];
	}
	abort();
}

/* Length of the reply's payload, or a negative errno. */
static int host_ask(struct client *c, u32 type, u32 tx, const void *payload, u32 length)
{
	struct xsd_sockmsg head = { .type = type, .req_id = 7, .tx_id = tx, .len = length }, answer;
	char in[XENSTORE_PAYLOAD_MAX + 1], *out = malloc(sizeof(head) + XENSTORE_PAYLOAD_MAX + 1);
	u32 n;

	memcpy(in, payload, length);
	n = request_handle(c, &host_ops, &head, in, out);
	memcpy(&answer, out, sizeof(answer));
	if (answer.req_id != 7 || answer.tx_id != tx || answer.len + sizeof(answer) != n || answer.len > XENSTORE_PAYLOAD_MAX ||
	    (answer.type != type && answer.type != XS_ERROR))
		abort();
	memcpy(host_reply, out + sizeof(answer), answer.len);
	host_reply[answer.len] = 0;
	free(out);
	return answer.type == XS_ERROR ? -host_errno(host_reply) : (int)answer.len;
}

/* The payload as a literal, whose last NUL counts: S("a\0b") is two strings. */
#define S(literal) literal, sizeof(literal)
#define BYTES(literal) literal, sizeof(literal) - 1
