/* SPDX-License-Identifier: MIT */
/*
 * pvkernel/guest/xenbus.c with threads of the host and a pretended server. "Interrupts disabled" is a lock here, as on
 * one CPU it is one. Several threads' requests get their own answers, whatever pieces the streams come in; a server
 * that writes nonsense ends the connection, never more, and nobody waits for ever.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* In place of the kernel's headers. */
#define PVK_BOOT_H
#define PVK_MM_H
#define PVK_OPS_H
#define PVK_SCHED_H
#define PVK_TIME_H
#define PVK_LIB_H
#include "../../pvkernel/include/list.h"
#include "../../pvkernel/include/types.h"

#define NSEC_PER_SEC 1000000000ul
#define NO_PAGE 0ul
#define printf(...) ((void)0)

/* For any thread; cmocka's own assertions are for the first. */
#define must(cond) do { \
	if (!(cond)) { \
		fprintf(stderr, "%d: %s does not hold\n", __LINE__, #cond); \
		abort(); \
	} \
} while (0)

#include "pvk_threads.h"

struct timer { void (*fn)(void *arg); };
struct thread;

static struct { bool native, initial_domain; const struct { u64 store_mfn; u32 store_evtchn; } *start_info; } boot = {
	.start_info = (const void *)(const u64 []){ 1, 7 },
};

static pthread_t reader_thread;
static _Alignas(4096) char page_memory[4096];
static bool open_channel;		/* our end of the channel is connected */

/* Wakes by itself after a while, as the timer makes it do. */
static void wait_on(struct wait_queue *q)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 2000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	must(disabled);
	pthread_cond_timedwait(&woken, &big_lock, &until);
}

static void wake_up(struct wait_queue *q) { pthread_cond_broadcast(&woken); }
static u64 now(void) { return 0; }
static void timer_add(struct timer *t, u64 when) { }
static void timer_cancel(struct timer *t) { }
static u64 mfn_to_pfn(u64 mfn) { return mfn; }
static void *pfn_to_virt(u64 pfn) { return page_memory; }

static void (*thread_fn)(void *);

static void *run_thread(void *arg)
{
	thread_fn(arg);
	return NULL;
}

static bool thread_create(const char *name, void (*fn)(void *), void *arg)
{
	thread_fn = fn;
	return !pthread_create(&reader_thread, NULL, run_thread, arg);
}

#include "../../ring-buffers/byte_ring.c"
#include "../../pvkernel/mutex.c"
#include "../../pvkernel/guest/xenbus.c"

/* --- what the client and the event channels are --- */

static u32 events_seen;
static bool lies;			/* the server does */

void xs_watch_event(const char *path, const char *token)
{
	must(lies || (!strcmp(path, "some/path") && !strcmp(token, "token")));
	__atomic_add_fetch(&events_seen, 1, __ATOMIC_SEQ_CST);
}

int xs_errno(const char *name)
{
	return strcmp(name, "ENOENT") ? EIO : ENOENT;
}

bool evtchn_connected(u32 port) { return __atomic_load_n(&open_channel, __ATOMIC_SEQ_CST); }
int evtchn_send(u32 port) { return 0; }		/* the server looks without */
void evtchn_set_handler(u32 port, evtchn_handler_t fn, void *arg) { }

/* --- the server --- */

static struct xenstore_domain_interface *const page = (void *)page_memory;
static struct byte_ring from_guest, to_guest;
static u32 events_sent;
static bool server_ends;
static unsigned int seed;

static bool server_read(void *bytes, u32 length)
{
	char *at = bytes;

	while (length && !__atomic_load_n(&server_ends, __ATOMIC_SEQ_CST)) {
		u32 piece = 1 + rand_r(&seed) % 700;
		bool notify = false;
		int n = byte_ring_read(&from_guest, at, MIN(length, piece), &notify);

		must(n >= 0);
		at += n;
		length -= n;
		if (n)
			wake_up(NULL);
		else
			usleep(50);
	}
	return !length;
}

static void server_write(const void *bytes, u32 length)
{
	const char *at = bytes;

	while (length && !__atomic_load_n(&server_ends, __ATOMIC_SEQ_CST)) {
		u32 piece = 1 + rand_r(&seed) % 700;
		bool notify = false;
		int n = byte_ring_write(&to_guest, at, MIN(length, piece), &notify);

		must(n >= 0);
		at += n;
		length -= n;
		if (n)
			wake_up(NULL);
		else
			usleep(50);
	}
}

static void send_message(struct xsd_sockmsg header, const void *payload)
{
	server_write(&header, sizeof(header));
	server_write(payload, header.len);
}

/* Reads come back as they were asked; a removal is refused. An event slips in before some of the answers. */
static void *honest(void *unused)
{
	static char payload[XENSTORE_PAYLOAD_MAX];
	struct xsd_sockmsg header;

	while (server_read(&header, sizeof(header)) && server_read(payload, header.len)) {
		if (rand_r(&seed) % 3 == 0) {
			send_message((struct xsd_sockmsg){ .type = XS_WATCH_EVENT, .len = 16 }, "some/path\0token");
			events_sent++;
		}
		if (header.type == XS_RM) {
			header.type = XS_ERROR;
			header.len = 7;
			memcpy(payload, "ENOENT", 7);
		}
		send_message(header, payload);
	}
	return NULL;
}

/* --- the cases --- */

static void connect_to(void *(*server)(void *), pthread_t *thread)
{
	memset(page_memory, 0, sizeof(page_memory));
	byte_ring_consumer(&from_guest, page->req, sizeof(page->req), &page->req_prod, &page->req_cons);
	byte_ring_producer(&to_guest, page->rsp, sizeof(page->rsp), &page->rsp_prod, &page->rsp_cons);
	server_ends = false;
	events_sent = events_seen = 0;
	open_channel = true;
	xs_init();
	assert_true(usable);
	assert_int_equal(pthread_create(thread, NULL, server, NULL), 0);
}

static void disconnect(pthread_t thread)
{
	bool irq = irq_save();

	usable = false;
	wake_up(&changed);
	irq_restore(irq);
	__atomic_store_n(&server_ends, true, __ATOMIC_SEQ_CST);
	pthread_join(thread, NULL);
	pthread_join(reader_thread, NULL);
}

static void *client(void *arg)
{
	unsigned int random = (uintptr_t)arg;
	char *payload = malloc(XENSTORE_PAYLOAD_MAX), *reply = malloc(XENSTORE_PAYLOAD_MAX + 1);

	for (int i = 0; i < 30; i++) {
		u32 length = rand_r(&random) % 4 ? rand_r(&random) % 100 : rand_r(&random) % (XENSTORE_PAYLOAD_MAX + 1);

		memset(payload, rand_r(&random), length);
		if (i % 10 == 9) {
			must(xs_exchange(XS_RM, 0, payload, length, reply) == -ENOENT);
			continue;
		}
		must(xs_exchange(XS_READ, i, payload, length, reply) == (int)length);
		must(!memcmp(reply, payload, length) && !reply[length]);
	}
	free(payload);
	free(reply);
	return NULL;
}

static void test_threads_get_their_answers(void **state)
{
	pthread_t server, clients[4];

	seed = 1;
	connect_to(honest, &server);
	for (uintptr_t i = 0; i < ARRAY_SIZE(clients); i++)
		pthread_create(&clients[i], NULL, client, (void *)(i + 1));
	for (int i = 0; i < (int)ARRAY_SIZE(clients); i++)
		pthread_join(clients[i], NULL);
	disconnect(server);
	assert_true(events_sent > 15);
	assert_int_equal(events_seen, events_sent);
}

static void test_no_server(void **state)
{
	char reply[XENSTORE_PAYLOAD_MAX + 1];

	open_channel = false;
	xs_init();
	assert_int_equal(xs_exchange(XS_READ, 0, "x", 2, reply), -ENOTCONN);
	assert_int_equal(xs_exchange(XS_READ, 0, NULL, XENSTORE_PAYLOAD_MAX + 1, reply), -E2BIG);
}

static void *mute(void *unused)
{
	usleep(5000);
	__atomic_store_n(&open_channel, false, __ATOMIC_SEQ_CST);
	return NULL;
}

static void test_server_goes_away(void **state)
{
	char reply[XENSTORE_PAYLOAD_MAX + 1];
	pthread_t server;

	connect_to(mute, &server);
	assert_int_equal(xs_exchange(XS_READ, 0, "x", 2, reply), -ENOTCONN);
	assert_int_equal(xs_exchange(XS_READ, 0, "x", 2, reply), -ENOTCONN);
	disconnect(server);
}

/* Any bytes, any indexes, at any time; now and then a header that is nearly right. */
static void *hostile(void *unused)
{
	while (!__atomic_load_n(&server_ends, __ATOMIC_SEQ_CST)) {
		struct xsd_sockmsg header = { rand_r(&seed) % 20, rand_r(&seed) % 3, 0, rand_r(&seed) % 5000 };
		bool notify;

		if (rand_r(&seed) % 8)
			byte_ring_write(&to_guest, &header, rand_r(&seed) % (sizeof(header) + 1), &notify);
		else
			__atomic_store_n(rand_r(&seed) % 2 ? &page->rsp_prod : &page->req_cons, rand_r(&seed) % 4096, __ATOMIC_SEQ_CST);
		page->rsp[rand_r(&seed) % sizeof(page->rsp)] = rand_r(&seed);
		wake_up(NULL);
		usleep(rand_r(&seed) % 100);
	}
	return NULL;
}

static void test_hostile_server(void **state)
{
	enum { RUNS = 20 };
	char *reply = malloc(XENSTORE_PAYLOAD_MAX + 1);
	u32 ended = 0;

	lies = true;
	for (int run = 0; run < RUNS; run++) {
		pthread_t server;

		seed = run;
		connect_to(hostile, &server);
		for (int i = 0; i < 20000 && usable; i++)
			xs_exchange(XS_READ, 0, "abc", 4, reply);
		ended += !usable;
		disconnect(server);
		assert_int_equal(xs_exchange(XS_READ, 0, "abc", 4, reply), -ENOTCONN);
	}
	lies = false;
	assert_int_equal(ended, RUNS);
	free(reply);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads_get_their_answers),
		cmocka_unit_test(test_no_server),
		cmocka_unit_test(test_server_goes_away),
		cmocka_unit_test(test_hostile_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
