/* SPDX-License-Identifier: MIT */
/* Xenstore, request by request: what each answers, what it refuses and with which error, quotas, accounts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "xenstore_host.h"

static struct client zero, five, six;

static int setup(void **state)
{
	static bool once;

	if (!once)
		assert_int_equal(store_init(1), 0);
	once = true;
	client_init(&zero, 0, NULL);
	client_init(&five, 5, NULL);
	client_init(&six, 6, NULL);
	assert_int_equal(host_ask(&zero, XS_WRITE, 0, BYTES("/local/domain/5\0")), 3);
	assert_int_equal(host_ask(&zero, XS_SET_PERMS, 0, S("/local/domain/5\0n5")), 3);
	assert_int_equal(host_ask(&zero, XS_MKDIR, 0, S("/local/domain/6")), 3);
	assert_int_equal(host_ask(&zero, XS_SET_PERMS, 0, S("/local/domain/6\0n6\0r5")), 3);
	return 0;
}

/* Whatever a test did, nothing of it is left. */
static int teardown(void **state)
{
	client_reset(&zero);
	client_reset(&five);
	client_reset(&six);
	store_forget_domain(5);
	store_forget_domain(6);
	while (!list_empty(&root->children))
		node_remove(list_entry(root->children.next, struct node, siblings));
	assert_int_equal(account_of(5)->nodes + account_of(5)->bytes + account_of(6)->nodes + account_of(6)->bytes, 0);
	assert_int_equal(account_of(5)->named + account_of(6)->named, 0);
	assert_int_equal(account_of(0)->nodes, 3);
	assert_true(nodes_consistent());
	return 0;
}

static void says(struct client *c, u32 type, const void *payload, u32 length, const void *want, u32 bytes)
{
	int n = host_ask(c, type, 0, payload, length);

	assert_int_equal(n, bytes);
	assert_memory_equal(host_reply, want, bytes);
}

#define OK S("OK")

static void test_read_write(void **state)
{
	says(&five, XS_WRITE, BYTES("x/y\0value"), OK);
	says(&five, XS_READ, S("x/y"), BYTES("value"));
	says(&five, XS_READ, S("/local/domain/5/x"), BYTES(""));
	says(&five, XS_WRITE, BYTES("x/y\0"), OK);
	says(&five, XS_READ, S("x/y"), BYTES(""));
	says(&five, XS_WRITE, BYTES("x/y\0\0"), OK);
	says(&five, XS_READ, S("x/y"), BYTES("\0"));
	assert_int_equal(host_ask(&five, XS_READ, 0, S("x/z")), -ENOENT);
	assert_int_equal(host_ask(&five, XS_READ, 0, S("x/y/z/w")), -ENOENT);
	assert_int_equal(host_ask(&five, XS_READ, 0, BYTES("x/y")), -EINVAL);
	assert_int_equal(host_ask(&five, XS_READ, 0, BYTES("")), -EINVAL);
	assert_int_equal(host_ask(&five, XS_READ, 0, S("x\0y")), -EINVAL);
	assert_int_equal(host_ask(&five, XS_WRITE, 0, BYTES("x")), -EINVAL);
	assert_int_equal(host_ask(&five, XS_READ, 9, S("x")), -ENOENT);
	assert_int_equal(host_ask(&five, 15, 0, S("x")), -ENOSYS);
	assert_int_equal(host_ask(&five, 16, 0, S("x")), -ENOSYS);
	assert_int_equal(host_ask(&five, 20, 0, S("x")), -ENOSYS);
	assert_int_equal(host_ask(&five, XS_INVALID, 0, S("x")), -ENOSYS);
}

static void test_paths(void **state)
{
	static const char *const bad[] = { "", "a//b", "/a/", "a/", "//", "/a b", "/a.b", "/a\x80", "@releaseDomain", "/\n" };
	char path[XENSTORE_ABS_PATH_MAX + 2];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(host_ask(&zero, XS_READ, 0, bad[i], strlen(bad[i]) + 1), -EINVAL);
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[XENSTORE_ABS_PATH_MAX] = 0;
	assert_int_equal(host_ask(&zero, XS_MKDIR, 0, path, XENSTORE_ABS_PATH_MAX + 1), 3);
	path[XENSTORE_ABS_PATH_MAX] = 'a';
	path[XENSTORE_ABS_PATH_MAX + 1] = 0;
	assert_int_equal(host_ask(&zero, XS_MKDIR, 0, path, XENSTORE_ABS_PATH_MAX + 2), -EINVAL);
	path[XENSTORE_REL_PATH_MAX + 1] = 0;
	assert_int_equal(host_ask(&five, XS_MKDIR, 0, path + 1, XENSTORE_REL_PATH_MAX + 1), 3);
	path[XENSTORE_REL_PATH_MAX + 1] = 'a';
	path[XENSTORE_REL_PATH_MAX + 2] = 0;
	assert_int_equal(host_ask(&five, XS_MKDIR, 0, path + 1, XENSTORE_REL_PATH_MAX + 2), -EINVAL);
}

static void test_deep(void **state)
{
	char path[XENSTORE_ABS_PATH_MAX + 1];

	for (int i = 0; i < XENSTORE_ABS_PATH_MAX; i += 2)
		memcpy(path + i, "/d", 2);
	path[XENSTORE_ABS_PATH_MAX] = 0;
	assert_int_equal(host_ask(&zero, XS_WRITE, 0, path, sizeof(path)), 3);
	assert_int_equal(account_of(0)->nodes, 3 + 2 + XENSTORE_ABS_PATH_MAX / 2);
	says(&zero, XS_RM, S("/d"), OK);
	assert_int_equal(account_of(0)->nodes, 3 + 2);
}

static void test_access(void **state)
{
	says(&five, XS_WRITE, BYTES("mine\0x"), OK);
	says(&five, XS_GET_PERMS, S("mine"), S("n5"));
	assert_int_equal(host_ask(&six, XS_READ, 0, S("/local/domain/5/mine")), -EACCES);
	assert_int_equal(host_ask(&six, XS_READ, 0, S("/local/domain/5/none")), -EACCES);
	assert_int_equal(host_ask(&six, XS_WRITE, 0, S("/local/domain/5/mine\0x")), -EACCES);
	assert_int_equal(host_ask(&six, XS_RM, 0, S("/local/domain/5/mine")), -EACCES);
	assert_int_equal(host_ask(&six, XS_MKDIR, 0, S("/local/domain/5/new")), -EACCES);
	says(&six, XS_WRITE, BYTES("theirs\0y"), OK);
	says(&six, XS_GET_PERMS, S("theirs"), BYTES("n6\0r5\0"));
	says(&five, XS_READ, S("/local/domain/6/theirs"), BYTES("y"));
	assert_int_equal(host_ask(&five, XS_READ, 0, S("/local/domain/6/none")), -ENOENT);
	assert_int_equal(host_ask(&five, XS_WRITE, 0, S("/local/domain/6/theirs\0y")), -EACCES);
	says(&zero, XS_READ, S("/local/domain/5/mine"), BYTES("x"));
}

static void test_set_perms(void **state)
{
	says(&five, XS_WRITE, BYTES("x\0v"), OK);
	says(&five, XS_SET_PERMS, S("x\0r5\0w6\0b0"), OK);
	says(&five, XS_GET_PERMS, S("x"), S("r5\0w6\0b0"));
	says(&six, XS_WRITE, BYTES("/local/domain/5/x\0w"), OK);
	assert_int_equal(host_ask(&six, XS_READ, 0, S("/local/domain/5/x")), -EACCES);
	assert_int_equal(host_ask(&six, XS_SET_PERMS, 0, S("/local/domain/5/x\0n6")), -EACCES);
	assert_int_equal(host_ask(&five, XS_SET_PERMS, 0, S("x\0n6")), -EPERM);
	assert_int_equal(host_ask(&five, XS_SET_PERMS, 0, S("x\0r5\0r1\0r2\0r3\0r4\0r6")), -ENOSPC);
	assert_int_equal(host_ask(&five, XS_SET_PERMS, 0, S("x")), -EINVAL);
	assert_int_equal(host_ask(&five, XS_SET_PERMS, 0, S("x\0q5")), -EINVAL);
	assert_int_equal(host_ask(&five, XS_SET_PERMS, 0, S("x\0r")), -EINVAL);
	assert_int_equal(host_ask(&five, XS_SET_PERMS, 0, S("x\0r0x5")), -EINVAL);
	assert_int_equal(host_ask(&five, XS_SET_PERMS, 0, S("x\0r32752")), -EINVAL);
	assert_int_equal(host_ask(&five, XS_SET_PERMS, 0, BYTES("x\0r5")), -EINVAL);
	assert_int_equal(host_ask(&five, XS_SET_PERMS, 0, S("none\0r5")), -ENOENT);
	assert_int_equal(account_of(5)->nodes, 2);
	says(&zero, XS_SET_PERMS, S("/local/domain/5/x\0n6"), OK);
	assert_int_equal(account_of(5)->nodes, 1);
	assert_int_equal(account_of(6)->nodes, 2);
}

static void test_rm(void **state)
{
	says(&five, XS_WRITE, BYTES("a/b/c\0v"), OK);
	says(&five, XS_RM, S("a/x"), OK);
	assert_int_equal(host_ask(&five, XS_RM, 0, S("x/y")), -ENOENT);
	assert_int_equal(host_ask(&zero, XS_RM, 0, S("/")), -EINVAL);
	says(&five, XS_RM, S("a"), OK);
	assert_int_equal(host_ask(&five, XS_READ, 0, S("a/b/c")), -ENOENT);
	assert_int_equal(account_of(5)->nodes, 1);
}

static void test_directory(void **state)
{
	says(&five, XS_MKDIR, S("b"), OK);
	says(&five, XS_MKDIR, S("a/z"), OK);
	says(&five, XS_MKDIR, S("a"), OK);
	says(&five, XS_DIRECTORY, S("/local/domain/5"), S("b\0a"));
	says(&five, XS_DIRECTORY, S("a/z"), BYTES(""));
	assert_int_equal(host_ask(&six, XS_DIRECTORY, 0, S("/local/domain/5")), -EACCES);
}

/* 500 names of 10 bytes: DIRECTORY cannot, the parts make the whole. */
static void test_directory_part(void **state)
{
	char payload[64], whole[8192], generation[24] = "";
	u32 used = 0;

	for (int i = 0; i < 500; i++)
		assert_int_equal(host_ask(&zero, XS_MKDIR, 0, payload, sprintf(payload, "/many/name-%04d", i) + 1), 3);
	assert_int_equal(host_ask(&zero, XS_DIRECTORY, 0, S("/many")), -E2BIG);
	for (;;) {
		int length = sprintf(payload, "/many%c%u", 0, used) + 1, n, head;

		n = host_ask(&zero, XS_DIRECTORY_PART, 0, payload, length);
		assert_true(n > 0);
		head = strlen(host_reply) + 1;
		assert_true(!used || !strcmp(generation, host_reply));
		memcpy(generation, host_reply, head);
		memcpy(whole + used, host_reply + head, n - head);
		used += n - head;
		if (!whole[used - 1] && !whole[used - 2])
			break;
	}
	assert_int_equal(used, 500 * 10 + 1);
	assert_string_equal(whole + 4990, "name-0499");
	assert_int_equal(host_ask(&zero, XS_DIRECTORY_PART, 0, S("/many\0" "99999")), (int)strlen(generation) + 2);
	says(&zero, XS_RM, S("/many/name-0000"), OK);
	host_ask(&zero, XS_DIRECTORY_PART, 0, S("/many\0" "0"));
	assert_string_not_equal(host_reply, generation);
	assert_int_equal(host_ask(&zero, XS_DIRECTORY_PART, 0, S("/many\0x")), -EINVAL);
	assert_int_equal(host_ask(&zero, XS_DIRECTORY_PART, 0, S("/many")), -EINVAL);
}

/* --- watches ---------------------------------------------------------------------------------- */

static void event(struct client *c, const char *path, const char *token)
{
	char payload[XENSTORE_PAYLOAD_MAX];

	if (!path) {
		assert_false(watch_events_pending(c));
		assert_int_equal(watch_take_event(c, payload), 0);
		return;
	}
	assert_true(watch_events_pending(c));
	assert_int_equal(watch_take_event(c, payload), strlen(path) + strlen(token) + 2);
	assert_string_equal(payload, path);
	assert_string_equal(payload + strlen(path) + 1, token);
}

static void test_watch(void **state)
{
	says(&five, XS_WATCH, S("dev\0t"), OK);
	event(&five, "dev", "t");
	assert_int_equal(host_ask(&five, XS_WATCH, 0, S("dev\0t")), -EEXIST);
	says(&five, XS_WATCH, S("/local/domain/5/dev\0t2"), OK);
	event(&five, "/local/domain/5/dev", "t2");
	says(&five, XS_WRITE, BYTES("dev/x\0v"), OK);
	event(&five, "dev/x", "t");
	event(&five, "/local/domain/5/dev/x", "t2");
	says(&five, XS_WRITE, BYTES("device\0v"), OK);
	event(&five, NULL, NULL);
	says(&five, XS_UNWATCH, S("dev\0t"), OK);
	assert_int_equal(host_ask(&five, XS_UNWATCH, 0, S("dev\0t")), -ENOENT);
	says(&five, XS_SET_PERMS, S("dev/x\0r5"), OK);
	event(&five, "/local/domain/5/dev/x", "t2");
	says(&five, XS_WATCH, S("dev/x\0t3"), OK);
	event(&five, "dev/x", "t3");
	says(&five, XS_RM, S("dev"), OK);
	event(&five, "/local/domain/5/dev", "t2");
	event(&five, "dev/x", "t3");
	event(&five, NULL, NULL);
	says(&five, XS_RESET_WATCHES, S(""), OK);
	says(&five, XS_WRITE, BYTES("dev\0v"), OK);
	event(&five, NULL, NULL);
	assert_int_equal(host_ask(&five, XS_WATCH, 0, S("dev")), -EINVAL);
	assert_int_equal(host_ask(&five, XS_WATCH, 0, S("dev//\0t")), -EINVAL);
}

static void test_watch_access(void **state)
{
	says(&six, XS_WATCH, S("/local/domain/5\0t"), OK);
	event(&six, "/local/domain/5", "t");
	says(&five, XS_WRITE, BYTES("x\0v"), OK);
	event(&six, NULL, NULL);
	says(&five, XS_SET_PERMS, S("x\0r5"), OK);
	event(&six, "/local/domain/5/x", "t");
	says(&five, XS_SET_PERMS, S("x\0n5"), OK);
	event(&six, "/local/domain/5/x", "t");
	says(&five, XS_WRITE, BYTES("x\0v"), OK);
	event(&six, NULL, NULL);
}

static void test_watch_depth(void **state)
{
	says(&five, XS_WATCH, S("d\0t\0" "1"), OK);
	event(&five, "d", "t");
	says(&five, XS_WRITE, BYTES("d/e/f\0v"), OK);
	says(&five, XS_WRITE, BYTES("d/e\0v"), OK);
	event(&five, "d/e", "t");
	event(&five, NULL, NULL);
	assert_int_equal(host_ask(&five, XS_WATCH, 0, S("d\0t4\0x")), -EINVAL);
}

static void test_special(void **state)
{
	says(&zero, XS_WATCH, S("@releaseDomain\0r"), OK);
	says(&zero, XS_WATCH, S("@releaseDomain\0deep\0" "1"), OK);
	says(&five, XS_WATCH, S("@releaseDomain\0r"), OK);
	event(&zero, "@releaseDomain", "r");
	event(&zero, "@releaseDomain", "deep");
	event(&five, "@releaseDomain", "r");
	watch_fire_special(SPECIAL_RELEASE, 9);
	event(&zero, "@releaseDomain", "r");
	event(&zero, "@releaseDomain/9", "deep");
	event(&five, NULL, NULL);
	assert_int_equal(host_ask(&five, XS_SET_PERMS, 0, S("@releaseDomain\0n5")), -EACCES);
	says(&zero, XS_SET_PERMS, S("@releaseDomain\0n0\0r5"), OK);
	assert_int_equal(host_ask(&zero, XS_GET_PERMS, 0, S("@releaseDomain")), -EINVAL);
	watch_fire_special(SPECIAL_RELEASE, 9);
	event(&five, "@releaseDomain", "r");
	assert_int_equal(host_ask(&zero, XS_SET_PERMS, 0, S("@other\0n0")), -ENOENT);
}

/* A client that never reads: EVENTS_MAX wait, then each watch has one for its own path. */
static void test_overflow(void **state)
{
	char payload[XENSTORE_PAYLOAD_MAX];
	int n = 0;

	says(&five, XS_WATCH, S("d\0t"), OK);
	for (int i = 0; i < 2 * EVENTS_MAX; i++)
		assert_int_equal(host_ask(&five, XS_WRITE, 0, payload, sprintf(payload, "d/n%d", i) + 1), 3);
	assert_int_equal(five.nr_events, EVENTS_MAX);
	while (watch_take_event(&five, payload))
		n++;
	assert_int_equal(n, EVENTS_MAX + 1);
	assert_string_equal(payload, "d");
}

/* --- quotas ----------------------------------------------------------------------------------- */

static void test_node_quota(void **state)
{
	char payload[64];

	for (u32 i = 0; i < QUOTA_NODES - 2; i++)
		assert_int_equal(host_ask(&five, XS_MKDIR, 0, payload, sprintf(payload, "n/%u", i) + 1), 3);
	assert_int_equal(account_of(5)->nodes, QUOTA_NODES);
	assert_int_equal(host_ask(&five, XS_MKDIR, 0, S("n/more")), -ENOSPC);
	assert_int_equal(host_ask(&five, XS_MKDIR, 0, S("n/more/and/more")), -ENOSPC);
	assert_int_equal(account_of(5)->nodes, QUOTA_NODES);
	says(&zero, XS_MKDIR, S("/local/domain/5/n/zero"), OK);
	assert_int_equal(account_of(5)->nodes, QUOTA_NODES + 1);	/* its parent's owner has it */
	says(&five, XS_RM, S("n/0"), OK);
	assert_int_equal(host_ask(&five, XS_MKDIR, 0, S("n/more")), -ENOSPC);
	says(&five, XS_RM, S("n/1"), OK);
	says(&five, XS_MKDIR, S("n/more"), OK);
	says(&five, XS_TRANSACTION_START, S(""), S("1"));
	assert_int_equal(host_ask(&five, XS_RM, 1, S("n")), 3);
	assert_int_equal(host_ask(&five, XS_MKDIR, 1, S("n/one")), 3);
	assert_int_equal(host_ask(&five, XS_TRANSACTION_END, 1, S("T")), 3);
	assert_int_equal(account_of(5)->nodes, 3);
}

static void test_other_quotas(void **state)
{
	char payload[XENSTORE_PAYLOAD_MAX];

	memset(payload, 'a', sizeof(payload));
	payload[1] = 0;
	assert_int_equal(host_ask(&five, XS_WRITE, 0, payload, 2 + QUOTA_NODE_BYTES - 32 - 1), 3);
	assert_int_equal(host_ask(&five, XS_WRITE, 0, payload, 2 + QUOTA_NODE_BYTES - 32), -ENOSPC);
	assert_int_equal(host_ask(&zero, XS_WRITE, 0, "/a", 3), 3);
	for (u32 i = 0; i < QUOTA_WATCHES; i++)
		assert_int_equal(host_ask(&five, XS_WATCH, 0, payload, sprintf(payload, "w%c%u", 0, i) + 1), 3);
	assert_int_equal(host_ask(&five, XS_WATCH, 0, S("w\0x")), -E2BIG);
	for (u32 i = 0; i < QUOTA_TRANSACTIONS; i++)
		assert_true(host_ask(&five, XS_TRANSACTION_START, 0, S("")) > 0);
	assert_int_equal(host_ask(&five, XS_TRANSACTION_START, 0, S("")), -ENOSPC);
	for (u32 i = 1; i < QUOTA_ACCESSED; i++)	/* and their parent */
		assert_int_equal(host_ask(&five, XS_READ, 1, payload, sprintf(payload, "r%u", i) + 1), -ENOENT);
	assert_int_equal(host_ask(&five, XS_READ, 1, S("one-more")), -ENOSPC);
}

static void test_byte_quota(void **state)
{
	char payload[XENSTORE_PAYLOAD_MAX];
	int err = 0;

	memset(payload, 'a', sizeof(payload));
	for (u32 i = 0; !err && i < QUOTA_NODES; i++) {
		int head = sprintf(payload, "%u", i) + 1;

		err = host_ask(&five, XS_WRITE, 0, payload, head + 1900) - 3;
	}
	assert_int_equal(err, -ENOSPC - 3);
	assert_true(account_of(5)->bytes <= QUOTA_BYTES && account_of(5)->bytes > QUOTA_BYTES - 8192);
}

/* --- transactions ----------------------------------------------------------------------------- */

static u32 start(struct client *c)
{
	assert_true(host_ask(c, XS_TRANSACTION_START, 0, S("")) > 1);
	return atoi(host_reply);
}

static void test_transaction(void **state)
{
	u32 tx = start(&five);

	assert_int_equal(host_ask(&five, XS_WRITE, tx, BYTES("a/b\0v")), 3);
	assert_int_equal(host_ask(&five, XS_READ, tx, S("a/b")), 1);
	assert_int_equal(host_ask(&five, XS_READ, 0, S("a/b")), -ENOENT);
	assert_int_equal(host_ask(&six, XS_READ, tx, S("theirs")), -ENOENT);
	assert_int_equal(host_ask(&five, XS_TRANSACTION_START, tx, S("")), -EBUSY);
	assert_int_equal(host_ask(&five, XS_TRANSACTION_END, tx, S("X")), -EINVAL);
	assert_int_equal(host_ask(&five, XS_TRANSACTION_END, 0, S("T")), -ENOENT);
	assert_int_equal(host_ask(&five, XS_TRANSACTION_END, tx, S("T")), 3);
	assert_int_equal(host_ask(&five, XS_TRANSACTION_END, tx, S("T")), -ENOENT);
	says(&five, XS_READ, S("a/b"), BYTES("v"));
	tx = start(&five);
	assert_int_equal(host_ask(&five, XS_RM, tx, S("a")), 3);
	assert_int_equal(host_ask(&five, XS_READ, tx, S("a/b")), -ENOENT);
	assert_int_equal(host_ask(&five, XS_DIRECTORY, tx, S("/local/domain/5")), 0);
	assert_int_equal(host_ask(&five, XS_MKDIR, tx, S("a/c")), 3);
	assert_int_equal(host_ask(&five, XS_DIRECTORY, tx, S("a")), 2);
	assert_int_equal(host_ask(&five, XS_TRANSACTION_END, tx, S("F")), 3);
	says(&five, XS_READ, S("a/b"), BYTES("v"));
}

static void conflict(u32 type, const void *payload, u32 length, int want)
{
	u32 tx = start(&five);

	host_ask(&five, type, tx, payload, length);
	says(&five, XS_WRITE, BYTES("a/b\0new"), OK);
	assert_int_equal(host_ask(&five, XS_TRANSACTION_END, tx, S("T")), want);
}

static void test_conflicts(void **state)
{
	conflict(XS_READ, S("a/b"), -EAGAIN);
	conflict(XS_READ, S("a/b"), -EAGAIN);
	conflict(XS_WRITE, S("a/b\0x"), -EAGAIN);
	conflict(XS_WRITE, S("a/c\0x"), 3);
	conflict(XS_DIRECTORY, S("a"), 3);
	conflict(XS_GET_PERMS, S("a/b"), -EAGAIN);
	conflict(XS_MKDIR, S("other"), 3);
	says(&five, XS_RM, S("a/b"), OK);
	conflict(XS_DIRECTORY, S("a"), -EAGAIN);
}

static void test_transaction_events(void **state)
{
	u32 tx;

	says(&zero, XS_WATCH, S("/local/domain/5\0t"), OK);
	event(&zero, "/local/domain/5", "t");
	tx = start(&five);
	host_ask(&five, XS_WRITE, tx, BYTES("a\0" "1"));
	host_ask(&five, XS_WRITE, tx, BYTES("a\0" "2"));
	host_ask(&five, XS_WRITE, tx, BYTES("b\0" "1"));
	host_ask(&five, XS_RM, tx, BYTES("b\0"));
	event(&zero, NULL, NULL);
	assert_int_equal(host_ask(&five, XS_TRANSACTION_END, tx, S("T")), 3);
	event(&zero, "/local/domain/5/a", "t");
	event(&zero, NULL, NULL);
}

/* --- domains ---------------------------------------------------------------------------------- */

static void test_domains(void **state)
{
	says(&five, XS_GET_DOMAIN_PATH, S("7"), S("/local/domain/7"));
	says(&zero, XS_IS_DOMAIN_INTRODUCED, S("3"), S("T"));
	says(&zero, XS_IS_DOMAIN_INTRODUCED, S("300"), S("F"));
	assert_int_equal(host_ask(&zero, XS_IS_DOMAIN_INTRODUCED, 0, S("65536")), -EINVAL);
	assert_int_equal(host_ask(&five, XS_IS_DOMAIN_INTRODUCED, 0, S("3")), -EACCES);
	assert_int_equal(host_ask(&five, XS_INTRODUCE, 0, S("1\0" "1\0" "1")), -EACCES);
	assert_int_equal(host_ask(&five, XS_RELEASE, 0, S("6")), -EACCES);
	assert_int_equal(host_ask(&five, XS_RESUME, 0, S("6")), -EACCES);
	assert_int_equal(host_ask(&five, XS_SET_TARGET, 0, S("5\0" "6")), -EACCES);
	assert_int_equal(host_ask(&five, XS_CONTROL, 0, S("check")), -EACCES);
	says(&zero, XS_CONTROL, S("check"), OK);
	assert_int_equal(host_ask(&zero, XS_RELEASE, 0, S("0")), -EINVAL);
}

static void test_target(void **state)
{
	says(&six, XS_WRITE, BYTES("x\0v"), OK);
	says(&six, XS_SET_PERMS, S("x\0n6"), OK);
	assert_int_equal(host_ask(&five, XS_READ, 0, S("/local/domain/6/x")), -EACCES);
	five.target = 6;
	says(&five, XS_READ, S("/local/domain/6/x"), BYTES("v"));
}

static void test_reused_id(void **state)
{
	says(&six, XS_WRITE, BYTES("x\0v"), OK);
	says(&six, XS_SET_PERMS, S("x\0n6\0b5\0r7"), OK);
	says(&five, XS_WRITE, BYTES("y/z\0v"), OK);
	says(&zero, XS_MKDIR, S("/local/domain/5/y/by-zero"), OK);
	says(&zero, XS_MKDIR, S("/elsewhere/five"), OK);
	says(&zero, XS_SET_PERMS, S("/elsewhere/five\0n5"), OK);
	client_reset(&five);
	store_forget_domain(5);
	assert_int_equal(account_of(5)->nodes, 0);
	says(&zero, XS_DIRECTORY, S("/local/domain"), S("6"));
	says(&zero, XS_DIRECTORY, S("/elsewhere"), BYTES(""));
	says(&six, XS_GET_PERMS, S("x"), S("n6\0r7"));
	assert_int_equal(host_ask(&five, XS_READ, 0, S("/local/domain/6/x")), -EACCES);
}

/* Every allocation of a sequence fails once: the answer is ENOMEM or all is as if it had not, and nothing leaks. */
static void test_no_memory(void **state)
{
	for (u64 n = 1; n < 60; n++) {
		u32 tx;

		fail_at = allocations + n;
		host_ask(&five, XS_WATCH, 0, S("m\0t"));
		host_ask(&five, XS_WRITE, 0, S("m/a/b\0value"));
		tx = host_ask(&five, XS_TRANSACTION_START, 0, S("")) > 0 ? atoi(host_reply) : 0;
		host_ask(&five, XS_READ, tx, S("m/a"));
		host_ask(&five, XS_WRITE, tx, S("m/a/c/d\0value"));
		host_ask(&five, XS_SET_PERMS, tx, S("m/a/b\0r5"));
		if (tx)
			host_ask(&five, XS_TRANSACTION_END, tx, S("T"));
		fail_at = 0;
		client_reset(&five);
		assert_true(nodes_consistent());
		assert_int_equal(host_ask(&five, XS_MKDIR, 0, S("m")), 3);
		assert_int_equal(host_ask(&five, XS_RM, 0, S("m")), 3);
		assert_int_equal(account_of(5)->nodes, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
		T(read_write), T(paths), T(deep), T(access), T(set_perms), T(rm), T(directory), T(directory_part), T(watch),
		T(watch_access), T(watch_depth), T(special), T(overflow), T(node_quota), T(other_quotas), T(byte_quota),
		T(transaction), T(conflicts), T(transaction_events), T(domains), T(target), T(reused_id), T(no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
