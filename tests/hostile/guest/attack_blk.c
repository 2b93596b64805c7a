/* SPDX-License-Identifier: MIT */
/*
 * `attack-blk`: what a guest can do to the backend of its disk. Each of `requests` has to be answered as an error, and a proper read
 * after it as good; what breaks the ring has to end the connection, and keys that cannot be never begin one.
 *
 * `attack-blk die`: requests without end, for being destroyed in the middle of them.
 */
#include <abi/blkif.h>

#include "../../../pvkernel/include/evtchn.h"
#include "../../../pvkernel/include/gnttab.h"
#include "../../../pvkernel/include/lib.h"
#include "../../../pvkernel/include/mm.h"
#include "../../../pvkernel/include/sched.h"
#include "../../../pvkernel/include/shell.h"
#include "../../../pvkernel/include/time.h"
#include "attack.h"

#define WHO "attack-blk"
#define HANDLE 51712			/* xvda */
#define DISK_SECTORS 16384		/* of the test's disk */
#define RACES 60			/* batches */

union entry {
	struct blkif_request rw;
	struct blkif_request_discard discard;
	struct blkif_request_indirect indirect;
	struct blkif_response response;
};

static struct attack a;
static struct attack_ring ring;
static struct attack_page data, readonly, table;
static u32 unused_ref, foreign_ref, page_table_ref;
static int port;
static u64 ids;

/* --- a connection --- */

static void publish_good_keys(void)
{
	attack_write(&a, "protocol", "x86_64-abi");
	attack_write(&a, "ring-page-order", "0");
	attack_write(&a, "multi-queue-num-queues", "1");
	attack_write(&a, "ring-ref", "%u", ring.page.ref);
	attack_write(&a, "event-channel", "%d", port);
}

static bool prepare(void)
{
	port = attack_port(&a);
	return port >= 0 && attack_ring_make(&a, &ring, sizeof(struct blkif_request)) && attack_page_make(&a, &data, false) &&
	       attack_page_make(&a, &readonly, true) && attack_page_make(&a, &table, true);
}

static void put_away(void)
{
	evtchn_close(port);
	attack_page_end(&ring.page);
	attack_page_end(&data);
	attack_page_end(&readonly);
	attack_page_end(&table);
}

static bool begin(void)
{
	if (!attack_rest(&a) || !prepare())
		return false;
	publish_good_keys();
	attack_write(&a, "state", "%u", XenbusStateInitialised);
	return attack_wait_state(&a, STATE(XenbusStateConnected), ATTACK_PATIENCE);
}

static void end(void)
{
	attack_close(&a);
	put_away();
}

static union entry *put(void)
{
	union entry *e = memset(attack_slot(&ring, ring.prod++), 0, sizeof(struct blkif_request));

	e->rw.id = ++ids;
	return e;
}

static void publish(void)
{
	__atomic_store_n(&ring.shared->req_prod, ring.prod, __ATOMIC_SEQ_CST);
	evtchn_send(port);
}

static void fill_read(struct blkif_request *q, u32 ref)
{
	q->operation = BLKIF_OP_READ;
	q->handle = HANDLE;
	q->nr_segments = 1;
	q->seg[0] = (struct blkif_request_segment){ .gref = ref, .first_sect = 0, .last_sect = 7 };
}

/* The status of the next answer, which has to be to the last request; 99: none came, 98: it is another's. */
static int answer(void)
{
	const struct blkif_response *r = attack_slot(&ring, ring.cons);

	if (!attack_answered(&ring, 1, ATTACK_PATIENCE))
		return 99;
	ring.cons++;
	return r->id == ids ? r->status : 98;
}

static bool proper_read(void)
{
	fill_read(&put()->rw, data.ref);
	publish();
	return answer() == BLKIF_RSP_OKAY;
}

/* --- requests that are wrong --- */

static void no_segments(union entry *e) { e->rw.nr_segments = 0; }
static void too_many(union entry *e) { e->rw.nr_segments = 12; }
static void most_segments(union entry *e) { e->rw.nr_segments = 255; }
static void other_handle(union entry *e) { e->rw.handle ^= 1; }
static void ref_beyond(union entry *e) { e->rw.seg[0].gref = 0xffffffff; }
static void ref_unused(union entry *e) { e->rw.seg[0].gref = unused_ref; }
static void ref_foreign(union entry *e) { e->rw.seg[0].gref = foreign_ref; }
static void ref_readonly(union entry *e) { e->rw.seg[0].gref = readonly.ref; }
static void ref_table(union entry *e) { e->rw.seg[0].gref = page_table_ref; }
static void first_after_last(union entry *e) { e->rw.seg[0].first_sect = 7; e->rw.seg[0].last_sect = 0; }
static void last_beyond(union entry *e) { e->rw.seg[0].last_sect = 8; }
static void last_255(union entry *e) { e->rw.seg[0].first_sect = e->rw.seg[0].last_sect = 255; }
static void sector_beyond(union entry *e) { e->rw.sector_number = DISK_SECTORS - 7; }
static void sector_most(union entry *e) { e->rw.sector_number = ~0ul; }
static void sector_wraps(union entry *e) { e->rw.sector_number = ~0ul - 3; }
static void sector_in_bytes(union entry *e) { e->rw.sector_number = 1ul << 55; }
static void operation_4(union entry *e) { e->rw.operation = 4; }
static void operation_255(union entry *e) { e->rw.operation = 255; }

static void one_bad_of_many(union entry *e)
{
	e->rw.nr_segments = 11;
	for (u32 i = 0; i < 11; i++)
		e->rw.seg[i] = e->rw.seg[0];
	e->rw.seg[10].gref = unused_ref;
}

static void discard(union entry *e, u64 sector, u64 sectors)
{
	e->discard.operation = BLKIF_OP_DISCARD;
	e->discard.sector_number = sector;
	e->discard.nr_sectors = sectors;
}

static void discard_none(union entry *e) { discard(e, 0, 0); }
static void discard_beyond(union entry *e) { discard(e, 1, DISK_SECTORS); }
static void discard_wraps(union entry *e) { discard(e, 8, ~0ul - 4); }

static void indirect(union entry *e, u8 op, u32 segments, u32 ref)
{
	u16 handle = e->rw.handle;

	e->indirect.operation = BLKIF_OP_INDIRECT;
	e->indirect.indirect_op = op;
	e->indirect.nr_segments = segments;
	e->indirect.handle = handle;
	e->indirect.sector_number = 0;
	for (u32 i = 0; i < ARRAY_SIZE(e->indirect.indirect_grefs); i++)
		e->indirect.indirect_grefs[i] = ref;
}

static void indirect_none(union entry *e) { indirect(e, BLKIF_OP_READ, 0, table.ref); }
static void indirect_257(union entry *e) { indirect(e, BLKIF_OP_READ, 257, table.ref); }
static void indirect_4097(union entry *e) { indirect(e, BLKIF_OP_READ, 4097, table.ref); }
static void indirect_most(union entry *e) { indirect(e, BLKIF_OP_WRITE, 65535, table.ref); }
static void indirect_nested(union entry *e) { indirect(e, BLKIF_OP_INDIRECT, 1, table.ref); }
static void indirect_ref(union entry *e) { indirect(e, BLKIF_OP_READ, 8, unused_ref); }

static void indirect_garbage(union entry *e)
{
	for (u32 i = 0; i < PAGE_SIZE / 8; i++)
		((u64 *)table.va)[i] = attack_random();
	indirect(e, BLKIF_OP_WRITE, 200, table.ref);
}

static const struct {
	const char *name;
	void (*spoil)(union entry *e);
} requests[] = {
	{ "no segments", no_segments }, { "12 segments", too_many }, { "255 segments", most_segments }, { "another handle", other_handle },
	{ "a reference beyond the table", ref_beyond }, { "a reference that grants nothing", ref_unused },
	{ "a page granted to another domain", ref_foreign }, { "a read-only page to read into", ref_readonly },
	{ "a page table to read into", ref_table }, { "first sector after the last", first_after_last }, { "last sector 8", last_beyond },
	{ "sectors 255 to 255", last_255 }, { "beyond the disk", sector_beyond }, { "sector 2^64-1", sector_most },
	{ "sectors that wrap", sector_wraps }, { "bytes that wrap", sector_in_bytes }, { "operation 4", operation_4 },
	{ "operation 255", operation_255 }, { "one bad segment of 11", one_bad_of_many }, { "a discard of nothing", discard_none },
	{ "a discard beyond the disk", discard_beyond }, { "a discard that wraps", discard_wraps }, { "indirect without segments", indirect_none },
	{ "257 indirect segments", indirect_257 }, { "4097 indirect segments", indirect_4097 }, { "65535 indirect segments", indirect_most },
	{ "indirect in indirect", indirect_nested }, { "an indirect page that is not granted", indirect_ref },
	{ "an indirect page of garbage", indirect_garbage },
};

static void wrong_requests(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(requests); i++) {
		union entry *e = put();
		int status;

		fill_read(&e->rw, data.ref);
		requests[i].spoil(e);
		publish();
		status = answer();
		attack_said(WHO, requests[i].name, status == BLKIF_RSP_ERROR || status == BLKIF_RSP_EOPNOTSUPP ? "refused" : "BAD: status %d", status);
	}
}

/* --- races --- */

static bool racing;

/* Rewrites fields of requests that the backend may be reading, and takes back what they grant. Other pages of ours are not named. */
static void scribbler(void *unused)
{
	while (racing) {
		struct blkif_request *q = attack_slot(&ring, attack_random());

		cpu_relax();
		switch (attack_random() % 6) {
		case 0:
			WRITE_ONCE(q->nr_segments, attack_random());
			break;
		case 1:
			WRITE_ONCE(q->seg[0].gref, attack_random() & 1 ? unused_ref : readonly.ref);
			break;
		case 2:
			WRITE_ONCE(q->sector_number, attack_random());
			break;
		case 3:
			WRITE_ONCE(q->operation, attack_random() % 8);
			break;
		case 4:
			WRITE_ONCE(q->seg[0].last_sect, attack_random());
			break;
		case 5:
			if (gnttab_revoke(data.ref))
				gnttab_allow(data.ref, a.domid, data.pfn, attack_random() & 1);
			break;
		}
	}
}

static void double_fetch(void)
{
	struct thread *t;
	u32 i;

	racing = true;
	t = thread_create("scribbler", scribbler, NULL);
	for (i = 0; i < RACES; i++) {
		for (u32 n = 0; n < ring.entries / 2; n++) {
			union entry *e = put();

			fill_read(&e->rw, data.ref);
			e->rw.sector_number = DISK_SECTORS / 2;
		}
		publish();
		if (!attack_answered(&ring, ring.entries / 2, ATTACK_PATIENCE))
			break;
		ring.cons += ring.entries / 2;
	}
	racing = false;
	thread_join(t);
	if (gnttab_revoke(data.ref))
		gnttab_allow(data.ref, a.domid, data.pfn, false);
	attack_said(WHO, "requests that change while they are read", i == RACES ? "all answered" : "BAD: no answers to batch %u", i);
}

static void storm(void)
{
	for (u32 i = 0; i < 10000; i++)
		evtchn_send(port);
	attack_said(WHO, "10000 events", proper_read() ? "still served" : "BAD: no answer afterwards");
}

static void duplicates(void)
{
	u64 id = ++ids;

	for (u32 i = 0; i < 3; i++) {
		fill_read(&put()->rw, data.ref);
		((struct blkif_request *)attack_slot(&ring, ring.prod - 1))->id = id;
	}
	ids = id;
	publish();
	attack_said(WHO, "three requests with one id", answer() == 0 && answer() == 0 && answer() == 0 ? "three answers" : "BAD: not three answers");
}

/* The ring's own page as data: what comes of it is ours to bear. */
static void own_ring(void)
{
	struct blkif_request *q = &put()->rw;

	fill_read(q, ring.page.ref);
	publish();
	thread_sleep(50 * NSEC_PER_MSEC);
	attack_said(WHO, "the ring's page to read into", "borne");
}

/* --- what ends a connection --- */

static void expect_closed(const char *what)
{
	bool closed = attack_wait_state(&a, STATES_CLOSED, ATTACK_PATIENCE);

	attack_said(WHO, what, closed ? "closed" : "BAD: state %u", attack_back_state(&a));
	end();
}

static bool begin_for(const char *what)
{
	bool connected = begin();

	if (!connected)
		attack_said(WHO, what, "BAD: no connection");
	return connected;
}

static void jump(const char *what, u32 by)
{
	if (!begin_for(what))
		return;
	proper_read();
	ring.prod += by;
	publish();
	expect_closed(what);
}

static void fill_ring(void)
{
	while (ring.prod - ring.cons < ring.entries) {
		struct blkif_request *q = &put()->rw;

		fill_read(q, data.ref);
		q->sector_number = attack_random() % (DISK_SECTORS - 8);
	}
	publish();
}

static void gone_in_flight(const char *what, bool close_port)
{
	if (!begin_for(what))
		return;
	fill_ring();
	if (close_port)
		evtchn_close(port);
	gnttab_revoke(data.ref);
	gnttab_allow(data.ref, a.domid, data.pfn, false);
	attack_write(&a, "state", "%u", XenbusStateClosed);
	attack_said(WHO, what, attack_wait_state(&a, STATE(XenbusStateClosed), ATTACK_PATIENCE) ? "closed" : "BAD: not closed");
	if (close_port)
		port = attack_port(&a);
	put_away();
}

/* --- keys --- */

static const struct {
	const char *key, *value;
} keys[] = {
	{ "ring-ref", "4294967296" }, { "ring-ref", "-1" }, { "ring-ref", "" }, { "ring-ref", "4294967295" }, { "ring-page-order", "31" },
	{ "ring-page-order", "4294967296" }, { "multi-queue-num-queues", "4000000000" }, { "multi-queue-num-queues", "0" },
	{ "event-channel", "131072" }, { "event-channel", "0" }, { "protocol", "x86_32-abi" }, { "ring-ref", "12/../../13" },
	{ "ring-ref", "%n%s%s%s%s" },
};

static void absurd_keys(void)
{
	char long_value[200];

	memset(long_value, '9', sizeof(long_value) - 1);
	long_value[sizeof(long_value) - 1] = '\0';
	for (u32 i = 0; i <= ARRAY_SIZE(keys); i++) {
		bool last = i == ARRAY_SIZE(keys);
		const char *key = last ? "event-channel" : keys[i].key, *value = last ? long_value : keys[i].value;
		char what[64];

		snprintf(what, sizeof(what), "%s = %.24s", key, value);
		if (!attack_rest(&a) || !prepare()) {
			attack_said(WHO, what, "BAD: no connection");
			continue;
		}
		publish_good_keys();
		attack_write(&a, key, "%s", value);
		attack_write(&a, "state", "%u", XenbusStateInitialised);
		expect_closed(what);
	}
}

/* --- */

static bool prepare_refs(void)
{
	unused_ref = gnttab_reserve();
	foreign_ref = gnttab_grant(a.domid + 0x7000, page_alloc(), false);
	page_table_ref = gnttab_grant(a.domid, root_pfn(), false);
	return unused_ref && foreign_ref && page_table_ref;
}

static void requests_of_one_connection(void)
{
	if (!begin()) {
		attack_said(WHO, "a connection", "BAD: none");
		return;
	}
	wrong_requests();
	attack_said(WHO, "a proper read after all that", proper_read() ? "answered" : "BAD: not answered");
	duplicates();
	double_fetch();
	storm();
	end();
}

static int die(void)
{
	if (!begin())
		return 1;
	printf(WHO ": in the middle\n");
	for (;;) {
		fill_ring();
		attack_answered(&ring, 1, 100);
		ring.cons = READ_ONCE(ring.shared->rsp_prod);
	}
}

static int cmd_attack_blk(int argc, char **argv)
{
	if (!attack_take(&a, "vbd") || (!unused_ref && !prepare_refs()))
		return 1;
	if (argc > 1 && !strcmp(argv[1], "die"))
		return die();
	requests_of_one_connection();
	jump("an index far ahead", 1000);
	jump("an index one too far", 33);
	jump("an index behind", -1u);
	gone_in_flight("closed with requests under way", false);
	gone_in_flight("port and grant gone with requests under way", true);
	absurd_keys();
	if (begin()) {
		own_ring();
		end();
	}
	printf(WHO ": done\n");
	return 0;
}
COMMAND_AS(attack_blk, "attack-blk", cmd_attack_blk, "[die]: all that a frontend can do to the backend of its disk");
