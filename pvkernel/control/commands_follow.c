/* SPDX-License-Identifier: MIT */
/* `follow`: a machine that is there for one guest. tools/paravane run makes its script of it. */
#include <abi/errno.h>
#include <abi/sched.h>

#include "../../drivers/backend/consback.h"
#include "../include/console.h"
#include "../include/lib.h"
#include "../include/mm.h"
#include "../include/ops.h"
#include "../include/shell.h"
#include "control.h"
#include "domains.h"
#include "options.h"
#include "wait.h"

#define SCROLLBACK_MAX (64 * 1024)
#define STATUS_NEVER 125		/* there was no such guest */
#define STATUS_STOPPED 128		/* and the shutdown reason: 131 a crash, 132 its watchdog */

/* The number of the last line "exit status: N", 0 if there is none. The guest says it: it is nobody's but its own. */
static u64 told_status(const char *text, int length)
{
	static const char words[] = "exit status: ";
	const int n = sizeof(words) - 1;
	u64 status = 0;

	for (int i = 0; i + n < length; i++) {
		char digits[4] = "";
		u64 value;
		int end = i + n;

		if ((i && text[i - 1] != '\n') || memcmp(text + i, words, n))
			continue;
		for (; end < length && end - i - n < 3 && text[end] >= '0' && text[end] <= '9'; end++)
			digits[end - i - n] = text[end];
		if (end < length && (text[end] == '\n' || text[end] == '\r') && parse_u64(digits, &value) && value <= 255)
			status = value;
	}
	return status;
}

/* seen: what the guest has put out; else it ended before anybody could attach, and that is shown now. */
static u64 status_of(const char *name, bool seen)
{
	char *text = kmalloc(SCROLLBACK_MAX);
	int length = text ? consback_read(name, text, SCROLLBACK_MAX) : 0;
	u32 reason;
	u64 status = STATUS_NEVER;

	if (actions_last_end(name, &reason))
		status = reason == SHUTDOWN_poweroff || reason == SHUTDOWN_reboot ? told_status(text, length) : STATUS_STOPPED + reason;
	else if (seen)
		status = 0;		/* somebody destroyed it */
	if (!seen && length > 0)
		console_write(text, consback_text(text, text, length));
	kfree(text);
	return status;
}

/*
 * Until it has ended for good. False: a person has left it. A console that ends does so under the lifecycle lock, for which
 * domains_find() waits, so a domain that is found behind it is one that was left.
 */
static bool follow(const char *name, bool *seen)
{
	u16 domid;

	while (domains_known(name)) {
		int err = consback_attach(name);

		*seen |= !err;
		if (!err && domains_find(name, &domid))
			return false;
		if (!wait_more(~0ul))
			return false;
	}
	return true;
}

static int cmd_follow(int argc, char **argv)
{
	bool seen = false;

	if (argc != 2)
		return usage("follow", "NAME");
	if (!follow(argv[1], &seen)) {
		printf("\"follow %s\" goes back to it; \"exit\" ends the machine\n", argv[1]);
		return 0;
	}
	printf("exit status: %lu\n", status_of(argv[1], seen));
	cpu->stop(STOP_POWEROFF);
	return 1;
}
COMMAND(follow, cmd_follow, "NAME: its console is ours until it ends for good; then the machine ends with its status");
