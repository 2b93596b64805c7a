/* SPDX-License-Identifier: MIT */
/*
 * One message is in each direction at a time, both in the connection itself, so that serving needs no memory:
 *
 *	ring req -> in (until whole) -> request_handle -> out (until all of it is in) -> ring rsp
 *				   client.events -----^
 *
 * While out has not gone, nothing else is begun: a domain that does not read stalls itself. A reply goes before
 * the events that its request caused, and those before the next request is looked at.
 *
 * A domain that breaks the protocol, by impossible indices or a payload too long, loses watches and transactions
 * and is not served until it asks for a new connection. Nobody else notices.
 */
#include "connection.h"

static struct xsd_sockmsg head_of(const struct connection *c)
{
	struct xsd_sockmsg head;

	memcpy(&head, c->in, sizeof(head));
	return head;
}

static void attach(struct connection *c)
{
	struct xenstore_domain_interface *page = c->page;

	byte_ring_consumer(&c->requests, page->req, XENSTORE_RING_SIZE, &page->req_prod, &page->req_cons);
	byte_ring_producer(&c->replies, page->rsp, XENSTORE_RING_SIZE, &page->rsp_prod, &page->rsp_cons);
	c->received = c->sending = c->sent = 0;
	c->error = XENSTORE_ERROR_NONE;
	WRITE_ONCE(page->error, c->error);
}

void connection_init(struct connection *c, u16 domid, void *page, void (*wake)(struct client *c))
{
	client_init(&c->client, domid, wake);
	c->page = page;
	attach(c);
	WRITE_ONCE(c->page->server_features, XENSTORE_SERVER_FEATURE_RECONNECTION | XENSTORE_SERVER_FEATURE_ERROR |
		   XENSTORE_SERVER_FEATURE_WATCHDEPTH);
}

void connection_fini(struct connection *c)
{
	client_reset(&c->client);
}

void connection_fail(struct connection *c, u32 error)
{
	c->error = error;
	client_reset(&c->client);
	WRITE_ONCE(c->page->error, error);
}

/* The domain touches nothing but `connection` until that is XENSTORE_CONNECTED again. */
static void reconnect(struct connection *c)
{
	struct xenstore_domain_interface *page = c->page;

	client_reset(&c->client);
	WRITE_ONCE(page->req_cons, 0);
	WRITE_ONCE(page->req_prod, 0);
	WRITE_ONCE(page->rsp_cons, 0);
	WRITE_ONCE(page->rsp_prod, 0);
	attach(c);
	__atomic_store_n(&page->connection, XENSTORE_CONNECTED, __ATOMIC_SEQ_CST);
}

/* --- out -------------------------------------------------------------------------------------- */

static bool take_event(struct connection *c)
{
	struct xsd_sockmsg head = { .type = XS_WATCH_EVENT };

	head.len = watch_take_event(&c->client, c->out + sizeof(head));
	if (!head.len)
		return false;
	memcpy(c->out, &head, sizeof(head));
	c->sending = sizeof(head) + head.len;
	c->sent = 0;
	return true;
}

/* 1: nothing is left in out; 0: the ring is full; -EIO. */
static int flush(struct connection *c, bool *notify)
{
	int n;

	if (c->sent == c->sending)
		return 1;
	n = byte_ring_write(&c->replies, c->out + c->sent, c->sending - c->sent, notify);
	if (n < 0)
		return n;
	c->sent += n;
	*notify |= n > 0;
	return c->sent == c->sending;
}

/* --- in --------------------------------------------------------------------------------------- */

/* Reads until there are `wanted` bytes. 1: there are; 0: the ring is empty; -EIO. */
static int fill(struct connection *c, u32 wanted, bool *notify)
{
	int n = byte_ring_read(&c->requests, c->in + c->received, wanted - c->received, notify);

	if (n < 0)
		return n;
	c->received += n;
	*notify |= n > 0;
	return c->received == wanted;
}

/* 1: a whole message is in; 0: not yet; -EIO; -E2BIG. */
static int receive(struct connection *c, bool *notify)
{
	struct xsd_sockmsg head;
	int got = c->received < sizeof(head) ? fill(c, sizeof(head), notify) : 1;

	if (got <= 0)
		return got;
	head = head_of(c);
	if (head.len > XENSTORE_PAYLOAD_MAX)
		return -E2BIG;
	return c->received == sizeof(head) + head.len ? 1 : fill(c, sizeof(head) + head.len, notify);
}

static void answer(struct connection *c, const struct request_ops *ops)
{
	struct xsd_sockmsg head = head_of(c);

	c->received = 0;
	c->sending = request_handle(&c->client, ops, &head, c->in + sizeof(head), c->out);
	c->sent = 0;
}

/* 1: something was done; 0: the domain's turn; -EIO, -E2BIG: it broke the protocol. */
static int serve_one(struct connection *c, const struct request_ops *ops, bool *notify)
{
	int done = flush(c, notify);

	if (done <= 0)
		return done;
	if (take_event(c))
		return 1;
	done = receive(c, notify);
	if (done > 0)
		answer(c, ops);
	return done;
}

bool connection_serve(struct connection *c, const struct request_ops *ops, u32 turns, bool *notify)
{
	int done = 1;

	if (READ_ONCE(c->page->connection) == XENSTORE_RECONNECT) {
		reconnect(c);
		*notify = true;
	}
	if (c->error)
		return false;
	while (done > 0 && turns--)
		done = serve_one(c, ops, notify);
	if (done < 0) {
		connection_fail(c, done == -E2BIG ? XENSTORE_ERROR_PROTO : XENSTORE_ERROR_RINGIDX);
		*notify = true;
	}
	return done > 0;
}
