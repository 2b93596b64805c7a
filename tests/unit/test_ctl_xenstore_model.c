/* SPDX-License-Identifier: MIT */
/*
 * Random requests of four domains against the model of xenstore_model.h. What must hold:
 *
 *	outside transactions every reply equals the model's, and every watch hears of just the paths that its owner may see change;
 *	a transaction that commits gave the replies which its requests give all at once at that moment (so commits are
 *	serialisable), changes what they change, and every watch of domain 0 hears of each node that is different afterwards;
 *	a commit fails only if something else was changed since the transaction began;
 *	after a domain's death nothing names it; at all times the accounts equal a count of the model's nodes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "xenstore_host.h"
#include "xenstore_model.h"

#define DOMAINS 4
#define LOG 12
#define STEPS 40000
#define RUNS 6

struct asked {
	u32 type;
	char path[64], value[MODEL_VALUE];
	int length, result;
	char reply[1024];
};

struct open_tx {
	u32 id;
	int count;
	u64 began;			/* changes then */
	struct asked log[LOG];
};

static struct client clients[DOMAINS];
static struct open_tx open[DOMAINS][2];
static struct model model, before;
static u64 changes, commits, conflicts, random_state;

static u32 any(u32 below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % below;
}

static void any_path(char *path)
{
	int n = sprintf(path, "/local/domain/%u", any(DOMAINS));

	if (any(6) == 0)
		n = 0;
	for (int depth = any(3) + (n == 0); depth; depth--)
		n += sprintf(path + n, "/%c", 'a' + (int)any(3));
}

static void any_perms(struct asked *a)
{
	a->length = 0;
	for (u32 i = 0, count = 1 + any(3); i < count; i++)
		a->length += sprintf(a->value + a->length, "%c%u", "nrwb"[any(4)], any(DOMAINS)) + 1;
}

static void any_request(struct asked *a)
{
	static const u32 types[] = { XS_READ, XS_READ, XS_DIRECTORY, XS_GET_PERMS, XS_WRITE, XS_WRITE, XS_WRITE, XS_MKDIR, XS_RM,
				     XS_SET_PERMS, XS_SET_PERMS };

	a->type = types[any(ARRAY_SIZE(types))];
	any_path(a->path);
	a->length = a->type == XS_WRITE ? (int)any(MODEL_VALUE) : 0;
	for (int i = 0; i < a->length; i++)
		a->value[i] = any(256);
	if (a->type == XS_SET_PERMS)
		any_perms(a);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Names of children are a set. All here are one letter or digit, or "domain" and "local" alone in their directory. */
static void sort_names(char *names, int length)
{
	if (length > 2 && !names[1])
		qsort(names, length / 2, 2, compare_names);
}

static void ask(int domid, u32 tx, struct asked *a)
{
	char payload[256];
	int n = strlen(a->path) + 1;

	memcpy(payload, a->path, n);
	memcpy(payload + n, a->value, a->length);
	a->result = host_ask(&clients[domid], a->type, tx, payload, n + a->length);
	assert_true(a->result <= (int)sizeof(a->reply));
	if (a->result > 0)
		memcpy(a->reply, host_reply, a->result);
}

static void same_reply(struct asked *a, int result, char *reply)
{
	assert_int_equal(a->result, result);
	if (result <= 0)
		return;
	if (a->type == XS_DIRECTORY) {
		sort_names(a->reply, result);
		sort_names(reply, result);
	}
	assert_memory_equal(a->reply, reply, result);
}

/* --- events ----------------------------------------------------------------------------------- */

static const char *const watched[] = { "/", "/local/domain/1", "/local/domain/2/a", "/a/b", "/local/domain/3/b/b" };

static bool parent_readable(struct model *m, int domid, const char *path)
{
	char parent[64];
	struct model_node *n;

	if (!strcmp(path, "/"))
		return false;
	model_parent(path, parent);
	n = model_find(m, parent);
	return n && model_access(&n->perms, domid) & 1;
}

static bool may_know(int domid, const char *path)
{
	struct model_node *was = model_find(&before, path), *is = model_find(&model, path);

	return (was && model_access(&was->perms, domid) & 1) || (is && model_access(&is->perms, domid) & 1) ||
	       parent_readable(is ? &model : &before, domid, path);
}

static bool differs(const char *path)
{
	struct model_node *was = model_find(&before, path), *is = model_find(&model, path);

	if (!was || !is)
		return was != is;
	return was->length != is->length || memcmp(was->value, is->value, is->length) || was->perms.count != is->perms.count ||
	       memcmp(was->perms.entry, is->perms.entry, is->perms.count * sizeof(is->perms.entry[0]));
}

/* Takes all events of a client; heard[i] has the paths that watch i was told. */
static void listen_to(int domid, char heard[][4096])
{
	char payload[XENSTORE_PAYLOAD_MAX + 1];

	for (size_t i = 0; i < ARRAY_SIZE(watched); i++)
		heard[i][0] = 0;
	while (watch_take_event(&clients[domid], payload)) {
		int i = atoi(payload + strlen(payload) + 1);

		assert_true(strlen(heard[i]) + strlen(payload) + 2 < 4096);
		strcat(strcat(heard[i], payload), " ");
	}
}

static bool heard_of(const char *heard, const char *path)
{
	char word[80];

	sprintf(word, "%s ", path);
	for (const char *at = heard; (at = strstr(at, word)); at++) {
		if (at == heard || at[-1] == ' ')
			return true;
	}
	return false;
}

/* After one change outside a transaction to `path`: made says whether there was one at all. */
static void check_events(const char *path, bool made)
{
	char heard[ARRAY_SIZE(watched)][4096];

	for (int d = 0; d < DOMAINS; d++) {
		listen_to(d, heard);
		for (size_t i = 0; i < ARRAY_SIZE(watched); i++) {
			/* The path itself, or watched below one that went. */
			bool want = made && model_is_below(path, watched[i]) && may_know(d, path);
			bool gone = made && model_is_below(watched[i], path) && strcmp(watched[i], path) &&
				    model_find(&before, watched[i]) && !model_find(&model, watched[i]) && may_know(d, watched[i]);

			assert_int_equal(heard_of(heard[i], path), want);
			if (strcmp(watched[i], path) && model_is_below(watched[i], path))
				assert_int_equal(heard_of(heard[i], watched[i]), gone);
		}
	}
}

/* After a commit, as far as domain 0 is concerned: paths that were asked for and differ are heard of, and watched ones that went. */
static void check_commit_events(const struct open_tx *t)
{
	char heard[ARRAY_SIZE(watched)][4096];

	for (int d = DOMAINS - 1; d >= 0; d--)
		listen_to(d, heard);
	for (int i = 0; i < t->count; i++) {
		if (t->log[i].result == 3 && (t->log[i].type == XS_WRITE || t->log[i].type == XS_SET_PERMS) && model_find(&model, t->log[i].path) &&
		    differs(t->log[i].path))
			assert_true(heard_of(heard[0], t->log[i].path));
	}
	for (size_t i = 1; i < ARRAY_SIZE(watched); i++) {
		if (model_find(&before, watched[i]) && !model_find(&model, watched[i]))
			assert_true(heard_of(heard[i], watched[i]) || heard[i][0]);
	}
}

/* --- steps ------------------------------------------------------------------------------------ */

static u32 model_named(const struct model *m, int domid)
{
	u32 count = 0;

	for (int i = 0; i < m->count; i++)
		for (u32 e = 0; e < m->node[i].perms.count; e++)
			count += m->node[i].perms.entry[e].domid == domid;
	return count;
}

static void check_accounts(void)
{
	for (int d = 1; d < DOMAINS; d++) {
		assert_int_equal(account_of(d)->nodes, model_owned(&model, d));
		assert_int_equal(account_of(d)->named, model_named(&model, d));
	}
	assert_int_equal(account_of(0)->nodes, model_owned(&model, 0) + 2);
}

static bool changes_things(const struct asked *a)
{
	if (a->result != 3)
		return false;
	if (a->type == XS_MKDIR)
		return !model_find(&before, a->path);
	if (a->type == XS_RM)
		return model_find(&before, a->path);
	return a->type == XS_WRITE || a->type == XS_SET_PERMS;
}

static void step_alone(int domid)
{
	struct asked a;
	char reply[1024];
	bool made;

	any_request(&a);
	before = model;
	ask(domid, 0, &a);
	same_reply(&a, model_ask(&model, domid, a.type, a.path, a.value, a.length, reply), reply);
	made = changes_things(&a);
	changes += made;
	check_events(a.path, made);
}

static void end(int domid, struct open_tx *t, bool commit)
{
	static struct model after;
	char reply[1024];
	int err = host_ask(&clients[domid], XS_TRANSACTION_END, t->id, commit ? "T" : "F", 2);
	u32 id = t->id;

	t->id = 0;
	assert_true(id);
	if (!commit) {
		assert_int_equal(err, 3);
		return;
	}
	if (err == -EAGAIN) {
		assert_true(changes != t->began);
		conflicts++;
		return;
	}
	assert_int_equal(err, 3);
	commits++;
	before = after = model;
	for (int i = 0; i < t->count; i++) {
		struct asked *a = &t->log[i];

		same_reply(a, model_ask(&model, domid, a->type, a->path, a->value, a->length, reply), reply);
		changes += a->type == XS_WRITE || a->type == XS_SET_PERMS || a->type == XS_MKDIR || a->type == XS_RM;
	}
	check_commit_events(t);
}

static void step_in_transaction(int domid, struct open_tx *t)
{
	if (!t->id) {
		assert_true(host_ask(&clients[domid], XS_TRANSACTION_START, 0, "", 1) > 1);
		*t = (struct open_tx){ .id = atoi(host_reply), .began = changes };
	} else if (t->count == LOG || any(6) == 0) {
		end(domid, t, any(4));
	} else {
		any_request(&t->log[t->count]);
		ask(domid, t->id, &t->log[t->count]);
		t->count++;
	}
}

static void watch_all(int domid)
{
	char payload[128];

	for (size_t i = 0; i < ARRAY_SIZE(watched); i++)
		assert_int_equal(host_ask(&clients[domid], XS_WATCH, 0, payload, sprintf(payload, "%s%c%zu", watched[i], 0, i) + 1), 3);
	while (watch_take_event(&clients[domid], payload))
		;
}

static void home(int domid)
{
	struct asked a = { .type = XS_MKDIR };
	char reply[1024];

	sprintf(a.path, "/local/domain/%d", domid);
	ask(0, 0, &a);
	same_reply(&a, model_ask(&model, 0, a.type, a.path, a.value, a.length, reply), reply);
	a.type = XS_SET_PERMS;
	a.length = sprintf(a.value, "n%d", domid) + 1;
	ask(0, 0, &a);
	same_reply(&a, model_ask(&model, 0, a.type, a.path, a.value, a.length, reply), reply);
}

static void step_death(int domid)
{
	char heard[ARRAY_SIZE(watched)][4096];

	client_reset(&clients[domid]);
	store_forget_domain(domid);
	model_forget(&model, domid);
	memset(open[domid], 0, sizeof(open[domid]));
	changes++;
	check_accounts();
	home(domid);
	watch_all(domid);
	for (int d = 0; d < DOMAINS; d++)
		listen_to(d, heard);
}

static void same_tree(void)
{
	int count = 0;

	for (struct node *n = root; n; n = node_next(root, n), count++) {
		path_t path;
		struct model_node *m;

		node_path(n, path);
		m = model_find(&model, path);
		assert_true(m && m->length == (int)n->length && !memcmp(m->value, n->value ? n->value : "", n->length));
		assert_true(m->perms.count == n->perms.count);
		assert_memory_equal(m->perms.entry, n->perms.entry, n->perms.count * sizeof(n->perms.entry[0]));
	}
	assert_int_equal(count, model.count);
	assert_true(nodes_consistent());
	check_accounts();
}

static void one_run(void)
{
	for (int i = 0; i < STEPS; i++) {
		int domid = any(DOMAINS);
		u32 what = any(400);

		if (what == 0 && domid)
			step_death(domid);
		else if (what < 200)
			step_in_transaction(domid, &open[domid][any(2)]);
		else
			step_alone(domid);
		if (i % 64 == 0)
			same_tree();
	}
	same_tree();
}

static void test_random(void **state)
{
	assert_int_equal(store_init(99), 0);
	model.count = 1;
	model.node[0] = (struct model_node){ .path = "/", .perms.count = 1 };
	for (int d = 0; d < DOMAINS; d++)
		client_init(&clients[d], d, NULL);
	for (int d = 0; d < DOMAINS; d++) {
		home(d);
		watch_all(d);
	}
	for (int run = 1; run <= RUNS; run++) {
		random_state = run * 0x9e3779b97f4a7c15ul;
		one_run();
	}
	print_message("%lu commits, %lu conflicts, %d nodes\n", commits, conflicts, model.count);
	assert_true(commits > 1000 && conflicts > 1000);
	for (int d = 0; d < DOMAINS; d++)
		client_reset(&clients[d]);
	node_remove(node_find("/local"));
	while (!list_empty(&root->children))
		node_remove(list_entry(root->children.next, struct node, siblings));
	for (int d = 1; d < DOMAINS; d++)
		assert_int_equal(account_of(d)->nodes + account_of(d)->bytes, 0);
	assert_int_equal(account_of(0)->nodes, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_random) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
