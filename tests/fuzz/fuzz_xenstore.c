/* SPDX-License-Identifier: MIT */
/*
 * A hostile domain beside an honest one on one server. The input is a list of the hostile one's acts: bytes into its ring,
 * whole messages, any word of its page set to anything, time for the server. The honest one does the same few requests all
 * along. What must hold: every reply of the honest one is right and comes within a bounded number of turns, whatever
 * the other does; a turn is bounded; accounts and tree are consistent; when all is over nothing is left allocated.
 */
#include "../unit/xenstore_host.h"

#include "../../pvkernel/control/xenstore/connection.c"
#include "../../ring-buffers/byte_ring.c"
#include "input.h"

#define TURNS 8

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static struct connection *hostile, *honest;
static struct xenstore_domain_interface *hostile_page, *honest_page;
static u32 honest_request;

static void serve(struct connection *c)
{
	bool notify = false;

	connection_serve(c, &host_ops, TURNS, &notify);
}

/* One request of the honest domain and its reply, through its ring. */
static int exchange(u32 type, const char *payload, u32 length, char *reply)
{
	struct xsd_sockmsg head = { .type = type, .req_id = ++honest_request, .len = length };
	struct byte_ring requests, replies;
	bool notify = false;

	byte_ring_producer(&requests, honest_page->req, XENSTORE_RING_SIZE, &honest_page->req_prod, &honest_page->req_cons);
	byte_ring_consumer(&replies, honest_page->rsp, XENSTORE_RING_SIZE, &honest_page->rsp_prod, &honest_page->rsp_cons);
	CHECK(byte_ring_write(&requests, &head, sizeof(head), &notify) == sizeof(head));
	CHECK(byte_ring_write(&requests, payload, length, &notify) == (int)length);
	serve(honest);
	CHECK(byte_ring_read(&replies, &head, sizeof(head), &notify) == sizeof(head));
	CHECK(head.req_id == honest_request && head.len < 1000 && byte_ring_read(&replies, reply, head.len, &notify) == (int)head.len);
	CHECK(byte_ring_bytes(&replies) == 0);
	return head.type == XS_ERROR ? -1 : (int)head.len;
}

static void honest_turn(void)
{
	char value[16], payload[32], reply[1024];
	int n = sprintf(value, "%u", honest_request);

	memcpy(payload, "mine\0", 5);
	memcpy(payload + 5, value, n);
	CHECK(exchange(XS_WRITE, payload, 5 + n, reply) == 3);
	CHECK(exchange(XS_READ, "mine", 5, reply) == n && !memcmp(reply, value, n));
	CHECK(exchange(XS_READ, "none", 5, reply) == -1 && !strcmp(reply, "ENOENT"));
	CHECK(exchange(XS_DIRECTORY, "/local/domain/2", 16, reply) == 5 && !strcmp(reply, "mine"));
}

/* Bytes at the producer's index, as the domain may write them, and that index. */
static void push(const void *bytes, u32 length)
{
	for (u32 i = 0; i < length; i++)
		hostile_page->req[hostile_page->req_prod++ & (XENSTORE_RING_SIZE - 1)] = ((const char *)bytes)[i];
}

static void message(struct input *in)
{
	static const char *const paths[] = { "a", "a/b", "/", "/local/domain/2", "/local/domain/2/mine", "/local/domain/1/a",
					     "@releaseDomain", "b" };
	char payload[512];
	struct xsd_sockmsg head = { .type = byte(in) % 26, .req_id = byte(in), .tx_id = byte(in) % 4 };
	u32 n = sprintf(payload, "%s", paths[byte(in) % ARRAY_SIZE(paths)]) + 1, more = byte(in) % 64;

	if (head.type == XS_TRANSACTION_END)
		n = sprintf(payload, "%c", more & 1 ? 'T' : 'F') + 1;
	else
		while (more-- && in->left)
			payload[n++] = byte(in);
	head.len = n;
	push(&head, sizeof(head));
	push(payload, n);
}

static void act(struct input *in)
{
	u8 what = byte(in), n = byte(in);
	u32 *words = &hostile_page->req_cons, value;

	switch (what % 6) {
	case 0:
		for (n %= 64; n && in->left; n--) {
			u8 b = byte(in);

			push(&b, 1);
		}
		break;
	case 1:
	case 2:
		message(in);
		break;
	case 3:
		value = n == 255 ? 0x80000000 : byte(in);
		words[n % 7] = n & 64 ? value : words[n % 7] + value;
		break;
	case 4:		/* reads what there is */
		hostile_page->rsp_cons = hostile_page->rsp_prod;
		break;
	default:
		serve(hostile);
	}
}

static void fuzz_begin(void)
{
	static bool once;
	struct client zero;

	if (!once)
		CHECK(!store_init(7));
	once = true;
	client_init(&zero, 0, NULL);
	for (int d = 1; d <= 2; d++) {
		char path[64];

		CHECK(host_ask(&zero, XS_MKDIR, 0, path, sprintf(path, "/local/domain/%d", d) + 1) == 3);
		CHECK(host_ask(&zero, XS_SET_PERMS, 0, path, sprintf(path, "/local/domain/%d%cr%d", d, 0, d) + 1) == 3);
	}
	hostile = calloc(1, sizeof(*hostile));
	honest = calloc(1, sizeof(*honest));
	hostile_page = calloc(1, sizeof(*hostile_page));
	honest_page = calloc(1, sizeof(*honest_page));
	connection_init(hostile, 1, hostile_page, NULL);
	connection_init(honest, 2, honest_page, NULL);
	honest_request = 0;
}

static void fuzz_end(void)
{
	connection_fini(hostile);
	connection_fini(honest);
	CHECK(!hostile->client.nr_events && !hostile->client.nr_watches && !hostile->client.nr_transactions);
	store_forget_domain(1);
	store_forget_domain(2);
	CHECK(nodes_consistent() && !account_of(1)->nodes && !account_of(1)->bytes && !account_of(2)->bytes);
	while (!list_empty(&root->children))
		node_remove(list_entry(root->children.next, struct node, siblings));
	free(hostile);
	free(honest);
	free(hostile_page);
	free(honest_page);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static u64 at_rest;
	struct input in = { data, size };
	struct account *a;

	fuzz_begin();
	a = account_of(1);
	for (u32 i = 0; in.left; i++) {
		act(&in);
		CHECK(a->nodes <= QUOTA_NODES && a->bytes <= QUOTA_BYTES + 64 * 1024);
		CHECK(hostile->client.nr_events <= EVENTS_MAX && hostile->client.nr_watches <= QUOTA_WATCHES);
		if (i % 8 == 0)
			honest_turn();
	}
	for (int i = 0; i < 4; i++)
		serve(hostile);
	honest_turn();
	CHECK(nodes_consistent());
	fuzz_end();
	CHECK(!at_rest || memory_in_use <= at_rest + 4);
	at_rest = memory_in_use;
	return 0;
}
