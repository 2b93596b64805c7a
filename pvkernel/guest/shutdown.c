/* SPDX-License-Identifier: MIT */
/*
 * The toolstack asks for our end by a word in control/shutdown. We take it by writing "" there, in the transaction
 * that read it, so that it is obeyed once. Words that we do not know stay: somebody else may be meant.
 */
#include <abi/errno.h>

#include "../include/lib.h"
#include "../include/ops.h"
#include "../include/xenstore.h"
#include "services.h"

#define NODE "control/shutdown"

static const struct request {
	const char *word, *feature;	/* the node that says we know the word, if there is one for it */
	unsigned int how;
} requests[] = {
	{ "poweroff", "control/feature-poweroff", STOP_POWEROFF },
	{ "reboot", "control/feature-reboot", STOP_REBOOT },
	{ "halt", NULL, STOP_POWEROFF },
};

static const struct request *find(const char *word)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(requests); i++) {
		if (!strcmp(word, requests[i].word))
			return &requests[i];
	}
	return NULL;
}

/* One try; -EAGAIN when somebody else changed the node meanwhile. *r: what is asked, NULL: nothing. */
static int take_request(const struct request **r)
{
	char word[32];
	u32 tx;
	int err = xs_transaction_start(&tx);

	if (err)
		return err;
	err = xs_read(tx, NODE, word, sizeof(word));
	*r = err < 0 ? NULL : find(word);
	if (*r)
		err = xs_write(tx, NODE, "");
	if (err < 0) {
		xs_transaction_end(tx, false);
		return err;
	}
	return xs_transaction_end(tx, true);
}

static void changed(void *unused, const char *path)
{
	const struct request *r = NULL;
	int err;

	do
		err = take_request(&r);
	while (err == -EAGAIN);
	if (!r || err)
		return;
	printf("%s, as the toolstack asks\n", r->word);
	cpu->stop(r->how);
}

void shutdown_init(void)
{
	static const struct xs_watch watch = { .fn = changed };

	if (xs_watch(NODE, &watch))
		return;
	for (unsigned int i = 0; i < ARRAY_SIZE(requests); i++) {
		if (requests[i].feature)
			xs_write(XS_NO_TX, requests[i].feature, "1");
	}
}
