/* SPDX-License-Identifier: MIT */
/*
 * A message and its reply. Every handler gets the payload as it came, with a NUL behind it, and writes its reply's
 * payload to reply; it returns that payload's length or a negative errno, which becomes an XS_ERROR with the
 * errno's name. What a handler takes as strings is checked to be exactly that many of them.
 */
#include "store.h"

struct request {
	struct client *client;
	const struct request_ops *ops;
	struct view view;
	u32 tx_id;
	char *payload;			/* length bytes and a NUL */
	u32 length;
	char *reply;			/* XENSTORE_PAYLOAD_MAX bytes and one more */
};

/* --- arguments -------------------------------------------------------------------------------- */

/* How many strings, each with its NUL, the payload is; 0 if bytes are left over. The first max are in s. */
static u32 strings(struct request *r, const char **s, u32 max)
{
	u32 n = 0;

	if (!r->length || r->payload[r->length - 1])
		return 0;
	for (u32 at = 0; at < r->length; at += strlen(r->payload + at) + 1, n++) {
		if (n < max)
			s[n] = r->payload + at;
	}
	return n;
}

static int resolve(struct request *r, const char *sent, bool special, path_t path)
{
	u32 skip;
	int err = path_resolve(sent, r->client->domid, path, &skip);

	return err ? err : path[0] == '@' && !special ? -EINVAL : 0;
}

/* The whole payload is one path. */
static int one_path(struct request *r, path_t path)
{
	const char *sent;

	return strings(r, &sent, 1) == 1 ? resolve(r, sent, false, path) : -EINVAL;
}

/* A path first, bytes behind it: *at is where they start. */
static int path_first(struct request *r, bool special, path_t path, u32 *at)
{
	*at = strlen(r->payload) + 1;
	return *at <= r->length ? resolve(r, r->payload, special, path) : -EINVAL;
}

static int domid_of(const char *text, u16 *domid)
{
	u64 val;

	if (!parse_decimal(text, DOMIDS - 1, &val))
		return -EINVAL;
	*domid = val;
	return 0;
}

static int one_domid(struct request *r, u16 *domid)
{
	const char *text;

	return strings(r, &text, 1) == 1 ? domid_of(text, domid) : -EINVAL;
}

static int say(struct request *r, const char *text)
{
	u32 length = strlen(text) + 1;

	memcpy(r->reply, text, length);
	return length;
}

static int ok(struct request *r, int err)
{
	return err ? err : say(r, "OK");
}

/* --- nodes ------------------------------------------------------------------------------------ */

static int do_directory(struct request *r)
{
	static path_t path;
	bool more;
	u64 generation;
	int err = one_path(r, path);

	if (!err)
		err = view_directory(&r->view, path, 0, r->reply, XENSTORE_PAYLOAD_MAX, &more, &generation);
	return err >= 0 && more ? -E2BIG : err;
}

/* An empty name ends the list of the last part. */
static int do_directory_part(struct request *r)
{
	static path_t path;
	static char names[XENSTORE_PAYLOAD_MAX];
	const char *s[2];
	bool more;
	u64 offset, generation;
	int n, head;

	if (strings(r, s, 2) != 2 || resolve(r, s[0], false, path) || !parse_decimal(s[1], ~0u, &offset))
		return -EINVAL;
	n = view_directory(&r->view, path, offset, names, XENSTORE_PAYLOAD_MAX - 24, &more, &generation);
	if (n < 0)
		return n;
	head = snprintf(r->reply, 24, "%lu", generation) + 1;
	memcpy(r->reply + head, names, n);
	if (!more)
		r->reply[head + n++] = 0;
	return head + n;
}

static int do_read(struct request *r)
{
	static path_t path;
	const struct node *n;
	int err = one_path(r, path);

	if (!err)
		err = view_get(&r->view, path, ACCESS_READ, &n);
	if (err)
		return err;
	if (n->length)
		memcpy(r->reply, n->value, n->length);
	return n->length;
}

static int do_write(struct request *r)
{
	static path_t path;
	u32 at;
	int err = path_first(r, false, path, &at);

	return ok(r, err ? err : view_write(&r->view, path, r->payload + at, r->length - at));
}

static int do_mkdir(struct request *r)
{
	static path_t path;
	int err = one_path(r, path);

	return ok(r, err ? err : view_mkdir(&r->view, path));
}

static int do_rm(struct request *r)
{
	static path_t path;
	int err = one_path(r, path);

	if (!err && !strcmp(path, "/"))
		err = -EINVAL;
	return ok(r, err ? err : view_rm(&r->view, path));
}

static int do_get_perms(struct request *r)
{
	static path_t path;
	const struct node *n;
	int err = one_path(r, path);

	if (!err)
		err = view_get(&r->view, path, ACCESS_READ, &n);
	return err ? err : (int)perms_print(&n->perms, r->reply);
}

static int do_set_perms(struct request *r)
{
	static path_t path;
	struct xs_perms perms;
	u32 at;
	int err = path_first(r, true, path, &at);

	if (!err && (at == r->length || r->payload[r->length - 1]))
		err = -EINVAL;
	if (!err)
		err = perms_parse(&perms, r->payload + at, r->length - at);
	if (err)
		return err;
	return ok(r, path[0] == '@' ? special_set_perms(r->client, path, &perms) : view_set_perms(&r->view, path, &perms));
}

/* --- watches and transactions ----------------------------------------------------------------- */

static int do_watch(struct request *r)
{
	const char *s[3];
	u64 depth = ANY_DEPTH;
	u32 n = strings(r, s, 3);

	if ((n != 2 && n != 3) || (n == 3 && !parse_decimal(s[2], ANY_DEPTH - 1, &depth)))
		return -EINVAL;
	return ok(r, watch_add(r->client, s[0], s[1], depth));
}

static int do_unwatch(struct request *r)
{
	const char *s[2];

	return ok(r, strings(r, s, 2) == 2 ? watch_remove(r->client, s[0], s[1]) : -EINVAL);
}

static int do_reset_watches(struct request *r)
{
	client_reset(r->client);
	return say(r, "OK");
}

static int do_transaction_start(struct request *r)
{
	struct transaction *tx;
	int err = r->view.tx ? -EBUSY : tx_start(r->client, &tx);

	return err ? err : snprintf(r->reply, 12, "%u", tx_id(tx)) + 1;
}

static int do_transaction_end(struct request *r)
{
	const char *s;

	if (strings(r, &s, 1) != 1 || (strcmp(s, "T") && strcmp(s, "F")))
		return -EINVAL;
	if (!r->view.tx)
		return -ENOENT;
	if (s[0] == 'T')
		return ok(r, tx_commit(r->view.tx));
	tx_abort(r->view.tx);
	return say(r, "OK");
}

/* --- domains ---------------------------------------------------------------------------------- */

static int do_get_domain_path(struct request *r)
{
	u16 domid;
	int err = one_domid(r, &domid);

	return err ? err : snprintf(r->reply, 32, "/local/domain/%u", domid) + 1;
}

static int do_is_domain_introduced(struct request *r)
{
	u16 domid;
	int err = one_domid(r, &domid);

	return err ? err : say(r, r->ops->introduced(domid) ? "T" : "F");
}

static int do_introduce(struct request *r)
{
	const char *s[3];
	u64 gfn, port;
	u16 domid;

	if (strings(r, s, 3) < 3 || domid_of(s[0], &domid) || !domid || !parse_decimal(s[1], ~0ul, &gfn) ||
	    !parse_decimal(s[2], ~0u, &port))
		return -EINVAL;
	return ok(r, r->ops->introduce(domid, gfn, port));
}

static int do_release(struct request *r)
{
	u16 domid;
	int err = one_domid(r, &domid);

	return ok(r, err ? err : domid ? r->ops->release(domid) : -EINVAL);
}

static int do_resume(struct request *r)
{
	u16 domid;
	int err = one_domid(r, &domid);

	return ok(r, err ? err : r->ops->resume(domid));
}

static int do_set_target(struct request *r)
{
	const char *s[2];
	u16 domid, target;

	if (strings(r, s, 2) != 2 || domid_of(s[0], &domid) || domid_of(s[1], &target))
		return -EINVAL;
	return ok(r, r->ops->set_target(domid, target));
}

static int do_control(struct request *r)
{
	const char *s[1] = { "" };

	if (!strings(r, s, 1))
		return -EINVAL;
	if (!strcmp(s[0], "help"))
		return say(r, "check\nhelp\n");
	if (!strcmp(s[0], "check"))
		return nodes_consistent() ? say(r, "OK") : -EIO;
	return -EINVAL;
}

/* --- dispatch --------------------------------------------------------------------------------- */

static const struct {
	int (*fn)(struct request *r);
	bool privileged;		/* for domain 0 */
} handlers[XS_TYPE_COUNT] = {
	[XS_CONTROL] = { .fn = do_control, .privileged = true },
	[XS_DIRECTORY] = { .fn = do_directory },
	[XS_READ] = { .fn = do_read },
	[XS_GET_PERMS] = { .fn = do_get_perms },
	[XS_WATCH] = { .fn = do_watch },
	[XS_UNWATCH] = { .fn = do_unwatch },
	[XS_TRANSACTION_START] = { .fn = do_transaction_start },
	[XS_TRANSACTION_END] = { .fn = do_transaction_end },
	[XS_INTRODUCE] = { .fn = do_introduce, .privileged = true },
	[XS_RELEASE] = { .fn = do_release, .privileged = true },
	[XS_GET_DOMAIN_PATH] = { .fn = do_get_domain_path },
	[XS_WRITE] = { .fn = do_write },
	[XS_MKDIR] = { .fn = do_mkdir },
	[XS_RM] = { .fn = do_rm },
	[XS_SET_PERMS] = { .fn = do_set_perms },
	[XS_IS_DOMAIN_INTRODUCED] = { .fn = do_is_domain_introduced, .privileged = true },
	[XS_RESUME] = { .fn = do_resume, .privileged = true },
	[XS_SET_TARGET] = { .fn = do_set_target, .privileged = true },
	[XS_RESET_WATCHES] = { .fn = do_reset_watches },
	[XS_DIRECTORY_PART] = { .fn = do_directory_part },
};

static int handle(struct request *r, u32 type)
{
	if (type >= XS_TYPE_COUNT || !handlers[type].fn)
		return -ENOSYS;
	if (r->tx_id && type != XS_WATCH && type != XS_UNWATCH) {
		r->view.tx = tx_find(r->client, r->tx_id);
		if (!r->view.tx)
			return -ENOENT;
	}
	if (handlers[type].privileged && client_limited(r->client))
		return -EACCES;
	return handlers[type].fn(r);
}

static const char *error_name(int err)
{
	static const struct {
		int err;
		const char *name;
	} names[] = {
		{ EINVAL, "EINVAL" }, { EACCES, "EACCES" }, { EEXIST, "EEXIST" }, { ENOENT, "ENOENT" },
		{ ENOMEM, "ENOMEM" }, { ENOSPC, "ENOSPC" }, { EIO, "EIO" }, { ENOSYS, "ENOSYS" }, { EBUSY, "EBUSY" },
		{ EAGAIN, "EAGAIN" }, { EISCONN, "EISCONN" }, { E2BIG, "E2BIG" }, { EPERM, "EPERM" },
	};

	for (u32 i = 0; i < ARRAY_SIZE(names); i++) {
		if (names[i].err == err)
			return names[i].name;
	}
	return "EIO";
}

u32 request_handle(struct client *c, const struct request_ops *ops, const struct xsd_sockmsg *head, char *payload, char *reply)
{
	struct request r = { .client = c, .ops = ops, .tx_id = head->tx_id, .payload = payload, .length = head->len };
	struct xsd_sockmsg answer = { .type = head->type, .req_id = head->req_id, .tx_id = head->tx_id };
	int n;

	r.reply = reply + sizeof(answer);
	r.view.client = c;
	payload[head->len] = 0;
	n = handle(&r, head->type);
	if (n < 0) {
		answer.type = XS_ERROR;
		n = say(&r, error_name(-n));
	}
	answer.len = n;
	memcpy(reply, &answer, sizeof(answer));
	return sizeof(answer) + n;
}
