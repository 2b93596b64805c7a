/* SPDX-License-Identifier: MIT */
/*
 * drivers/frontend/blkfront*.c against a pretended backend: an honest one in all its forms, whose disk is compared with a model;
 * one that goes and comes again at any moment; one that lies. The backend reaches memory only through grants that are
 * allowed at that time, and never a page of which a request covers a part.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PVK_BOOT_H
#define PVK_MM_H
#define PVK_OPS_H
#define PVK_SCHED_H
#define PVK_LIB_H
#define PVK_TIME_H
#define PVK_SHELL_H
#define PVK_CMDLINE_H
#include "../../pvkernel/include/list.h"
#include "../../pvkernel/include/types.h"

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096ul
#define NO_PAGE 0ul
#define ARENA_BASE 0xffffc90000000000ul
#define ARENA_END 0xffffc91000000000ul
#define PTE_ADDR_MASK 0x000ffffffffff000ul
#define NSEC_PER_SEC 1000000000ul
#define NSEC_PER_MSEC 1000000ul
#define COMMAND(name, fn, text) static int (*const command_##name)(int, char **) __attribute__((unused)) = fn

struct timer { struct list node; u64 when; void (*fn)(void *); void *arg; bool armed; };

static struct { char cmdline[8]; } boot;
static const char *options_text = "";
static bool masked;
static char said[4096];

static bool irq_save(void) { bool was = !masked; masked = true; return was; }
static void irq_restore(bool was) { masked = !was; }
static u64 virt_to_pfn(const void *va) { return (u64)va >> 12; }
static void *pfn_to_virt(u64 pfn) { return (void *)(pfn << 12); }
static u64 mfn_to_pfn(u64 mfn) { return mfn; }
static u64 *pt_lookup(u64 va) { return NULL; }
static u64 now(void) { return 0; }

static long pages_in_use, page_limit = 1 << 30;
static long heap_in_use;

static u64 page_alloc(void)
{
	void *page = pages_in_use < page_limit ? aligned_alloc(PAGE_SIZE, PAGE_SIZE) : NULL;

	if (!page)
		return NO_PAGE;
	pages_in_use++;
	memset(page, 0xee, PAGE_SIZE);
	return virt_to_pfn(page);
}

static void page_free(u64 pfn) { pages_in_use--; free(pfn_to_virt(pfn)); }
static void *kmalloc(size_t size) { heap_in_use++; return calloc(1, size); }
static void kfree(void *p) { heap_in_use -= p != NULL; free(p); }

static bool parse_u64(const char *s, u64 *val)
{
	char *end;

	*val = strtoull(s, &end, 0);
	return *s && !*end;
}

static bool cmdline_get(const char *line, const char *key, char *buf, size_t size)
{
	const char *at = strstr(options_text, key);

	if (!at)
		return false;
	snprintf(buf, size, "%.*s", (int)strcspn(at + strlen(key) + 1, " "), at + strlen(key) + 1);
	return true;
}

static struct timer *armed_timer;

static void timer_add(struct timer *t, u64 when)
{
	t->armed = true;
	armed_timer = t;
}

static void timer_cancel(struct timer *t) { t->armed = false; }

static int say_line(const char *fmt, ...)
{
	va_list ap;
	size_t n = strlen(said);

	va_start(ap, fmt);
	vsnprintf(said + n, sizeof(said) - n, fmt, ap);
	va_end(ap);
	return 0;
}

struct thread;
struct thread *thread_create(const char *name, void (*fn)(void *), void *arg);
void thread_detach(struct thread *t);

#define printf(...) say_line(__VA_ARGS__)
#include "../../drivers/frontend/blkfront_segs.c"
#include "../../drivers/frontend/blkfront_ring.c"
#define devices front_devices
#include "../../drivers/frontend/blkfront.c"
#include "../../ring-buffers/ring.c"
#undef printf

/* --- grants -------------------------------------------------------------------------------------------- */

#define NR_REFS 8192

static struct grant { bool reserved, allowed, readonly, kept; u64 pfn, freeing; } grants[NR_REFS];
static u32 ref_limit = NR_REFS;

u32 gnttab_reserve(void)
{
	for (u32 ref = 8; ref < ref_limit; ref++) {
		if (!grants[ref].reserved) {
			grants[ref] = (struct grant){ .reserved = true };
			return ref;
		}
	}
	return GRANT_NONE;
}

void gnttab_release(u32 ref)
{
	assert_true(grants[ref].reserved && !grants[ref].allowed);
	grants[ref].reserved = false;
}

void gnttab_allow(u32 ref, u16 domid, u64 pfn, bool readonly)
{
	assert_true(grants[ref].reserved && !grants[ref].allowed);
	grants[ref].allowed = true;
	grants[ref].readonly = readonly;
	grants[ref].pfn = pfn;
}

bool gnttab_revoke(u32 ref)
{
	assert_true(grants[ref].allowed);
	if (grants[ref].kept)
		return false;
	grants[ref].allowed = false;
	return true;
}

void gnttab_end_page(u32 ref, u64 pfn)
{
	assert_int_equal(grants[ref].pfn, pfn);
	if (!gnttab_revoke(ref)) {
		grants[ref].freeing = pfn;
		return;
	}
	gnttab_release(ref);
	page_free(pfn);
}

static void let_all_go(void)
{
	for (u32 ref = 0; ref < NR_REFS; ref++) {
		grants[ref].kept = false;
		if (grants[ref].freeing) {
			u64 pfn = grants[ref].freeing;

			grants[ref].freeing = 0;
			gnttab_end_page(ref, pfn);
		}
	}
}

static char *reach(u32 ref, bool write)
{
	assert_true(ref < NR_REFS && grants[ref].allowed);
	assert_true(!write || !grants[ref].readonly);
	return pfn_to_virt(grants[ref].pfn);
}

static u32 refs_in_use(void)
{
	u32 n = 0;

	for (u32 ref = 0; ref < NR_REFS; ref++)
		n += grants[ref].reserved;
	return n;
}

/* --- xenbus and event channels ------------------------------------------------------------------------- */

static const struct frontend_driver *vbd;
static int closed_with;
static struct { const char *key; u64 value; } backend_keys[16];
static char published[4096];
static struct channel { evtchn_handler_t fn; void *arg; bool notified, masked; } channels[64];
static int nr_channels;

void rings_add(struct ring_source *s) { }
void frontend_register(const struct frontend_driver *d) { vbd = d; }
void frontend_close(struct frontend *f, int err) { closed_with = err; }

u64 front_read_u64(struct frontend *f, const char *key, u64 otherwise)
{
	for (u32 i = 0; i < ARRAY_SIZE(backend_keys) && backend_keys[i].key; i++) {
		if (!strcmp(backend_keys[i].key, key))
			return backend_keys[i].value;
	}
	return otherwise;
}

static void offer(const char *key, u64 value)
{
	u32 i = 0;

	while (backend_keys[i].key && strcmp(backend_keys[i].key, key))
		i++;
	backend_keys[i].key = key;
	backend_keys[i].value = value;
}

static const char *trusted_key;

int front_read_own(struct frontend *f, const char *key, char *buf, size_t size)
{
	return trusted_key ? snprintf(buf, size, "%s", trusted_key) : -ENOENT;
}

int front_write(struct frontend *f, u32 tx, const char *key, const char *fmt, ...)
{
	char value[64];
	va_list ap;
	size_t n = strlen(published);

	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	snprintf(published + n, sizeof(published) - n, "%s=%s ", key, value);
	return 0;
}

void *front_ring_create(struct frontend *f, u32 order, u32 *refs)
{
	char *pages = aligned_alloc(PAGE_SIZE, PAGE_SIZE << order);

	for (u32 i = 0; i < 1u << order; i++)
		refs[i] = 100000 + i;
	return pages;
}

void front_ring_destroy(void *pages, u32 order, const u32 *refs) { free(pages); }

int evtchn_alloc_unbound(u16 remote, evtchn_handler_t fn, void *arg)
{
	channels[nr_channels] = (struct channel){ .fn = fn, .arg = arg };
	return nr_channels++;
}

int evtchn_send(u32 port) { channels[port].notified = true; return 0; }
void evtchn_close(u32 port) { channels[port].fn = NULL; }
void evtchn_mask(u32 port) { channels[port].masked = true; }
void evtchn_unmask(u32 port) { channels[port].masked = false; }
static bool block_registered;
static struct { void (*fn)(void *arg); void *arg; } scan_thread;	/* for partitions; fn NULL: none, or it has run */
static u32 scans;


struct thread *thread_create(const char *name, void (*fn)(void *), void *arg)
{
	assert_null(scan_thread.fn);
	scan_thread.fn = fn;
	scan_thread.arg = arg;
	return (struct thread *)1;
}

void thread_detach(struct thread *t) { }
void partitions_scan(struct block_device *d) { scans++; d->scanned = true; }
void partitions_unregister(struct block_device *d) { assert_false(block_registered); }
struct block_device *block_hold(struct block_device *d) { d->references++; return d; }

void block_put(struct block_device *d)
{
	if (!--d->references)
		d->ops->release(d);
}

int block_register(struct block_device *d) { block_registered = true; d->references = 1; return 0; }

void block_unregister(struct block_device *d)
{
	block_registered = false;
	block_put(d);
}

static void scan_thread_runs(void)
{
	if (scan_thread.fn)
		scan_thread.fn(scan_thread.arg);
	scan_thread.fn = NULL;
}

/* --- the backend --------------------------------------------------------------------------------------- */

#define DISK_SECTORS 4096u
#define MAX_TAKEN 4096

static u8 disk[DISK_SECTORS * SECTOR_SIZE];
static struct taken { u32 ring; struct blkif_request req; bool executed; } taken[MAX_TAKEN];
static u32 nr_taken;
static struct ring_back backs[BLK_MAX_RINGS];
static struct frontend front = { .path = "device/vbd/51712", .backend_id = 3 };
static u64 last_order;			/* of requests as they come, by their first sector's tag in `order_of` */
static u64 order_of[DISK_SECTORS];	/* when the request that begins there was submitted */
static bool check_order;

/* Perhaps before anybody has looked for partitions: the device stays until that is over. */
static void remove_device(void)
{
	vbd->removed(&front);
	scan_thread_runs();
}

static struct blkfront *dev(void) { return front.data; }

static void backend_take(void)
{
	for (u32 i = 0; i < dev()->nr_rings; i++) {
		struct taken *t;

		while (assert_true(nr_taken < MAX_TAKEN), t = &taken[nr_taken],
		       ring_get_request(&backs[i], &t->req, sizeof(t->req)) > 0) {
			t->ring = i;
			t->executed = false;
			if (t->req.operation == BLKIF_OP_FLUSH_DISKCACHE)
				assert_true(!nr_taken || dev()->nr_rings > 1);	/* of another ring, put behind it and seen before */
			else if (check_order) {
				assert_true(order_of[t->req.sector_number] >= last_order);
				last_order = order_of[t->req.sector_number];
			}
			nr_taken++;
		}
		ring_await_requests(&backs[i], 1);
	}
}

static void do_segment(u8 *at, const struct blkif_request_segment *seg, bool write)
{
	char *page = reach(seg->gref, !write);

	assert_true(seg->first_sect <= seg->last_sect && seg->last_sect < 8);
	for (u32 s = seg->first_sect; s <= seg->last_sect; s++, at += SECTOR_SIZE) {
		if (write)
			memcpy(at, page + s * SECTOR_SIZE, SECTOR_SIZE);
		else
			memcpy(page + s * SECTOR_SIZE, at, SECTOR_SIZE);
	}
}

static void do_segments(const struct blkif_request *req)
{
	const struct blkif_request_indirect *ind = (const void *)req;
	bool indirect = req->operation == BLKIF_OP_INDIRECT;
	bool write = (indirect ? ind->indirect_op : req->operation) == BLKIF_OP_WRITE;
	u32 n = indirect ? ind->nr_segments : req->nr_segments;
	u64 sector = req->sector_number;

	assert_true(n && n <= (indirect ? front_read_u64(NULL, "feature-max-indirect-segments", 0) : 11));
	for (u32 i = 0; i < n; i++) {
		const struct blkif_request_segment *seg = indirect ?
			(void *)(reach(ind->indirect_grefs[i / 512], false) + i % 512 * 8) : (void *)&req->seg[i];

		do_segment(disk + sector * SECTOR_SIZE, seg, write);
		sector += seg->last_sect - seg->first_sect + 1;
	}
}

static void execute(struct taken *t)
{
	const struct blkif_request_discard *discard = (void *)&t->req;

	t->executed = true;
	if (t->req.operation == BLKIF_OP_DISCARD)
		memset(disk + discard->sector_number * SECTOR_SIZE, 0, discard->nr_sectors * SECTOR_SIZE);
	else if (t->req.operation != BLKIF_OP_FLUSH_DISKCACHE && t->req.operation != BLKIF_OP_WRITE_BARRIER)
		do_segments(&t->req);
}

static void push_answers(u32 ring)
{
	struct channel *c = &channels[dev()->rings[ring].port];
	bool was = masked;

	if (ring_push_responses(&backs[ring]) && c->fn) {
		masked = true;
		c->fn(c->arg);
		masked = was;
	}
}

static void answer(u32 ring, u64 id, u8 op, int status)
{
	struct blkif_response rsp = { .id = id, .operation = op, .status = status };

	ring_put_response(&backs[ring], &rsp, sizeof(rsp));
}

static void backend_answer(u32 i, int status)
{
	struct taken t = taken[i];
	u8 op = t.req.operation;

	if (!t.executed && !status)
		execute(&t);
	if (op == BLKIF_OP_INDIRECT && rand() % 2)
		op = ((struct blkif_request_indirect *)&t.req)->indirect_op;
	taken[i] = taken[--nr_taken];
	answer(t.ring, t.req.id, op, status);
}

static void push_all(void)
{
	for (u32 i = 0; i < dev()->nr_rings; i++)
		push_answers(i);
}

static void connect_backend(void)
{
	published[0] = 0;
	nr_taken = 0;
	nr_channels = 0;
	assert_int_equal(vbd->publish(&front, 1), 0);
	for (u32 i = 0; i < dev()->nr_rings; i++)
		assert_int_equal(ring_back_init(&backs[i], dev()->rings[i].pages, PAGE_SIZE << dev()->ring_order, 112), 0);
	assert_int_equal(vbd->connected(&front), 0);
}

static void start(const char *options)
{
	options_text = options;
	said[0] = 0;
	closed_with = 0;
	memset(disk, 0, sizeof(disk));
	blkfront_init();
	scans = 0;
	connect_backend();
	assert_true(block_registered);
	if (random() % 2)
		scan_thread_runs();
}

static void stop(void)
{
	vbd->disconnected(&front);
	remove_device();
	assert_int_equal(scans, 1);
	assert_false(block_registered);
	let_all_go();
	assert_int_equal(pages_in_use, 0);
	assert_int_equal(heap_in_use, 0);
	assert_int_equal(refs_in_use(), 0);
	memset(backend_keys, 0, sizeof(backend_keys));
	assert_false(masked);
}

static void offer_all(u64 segments, bool persistent)
{
	offer("sectors", DISK_SECTORS);
	offer("feature-flush-cache", 1);
	offer("feature-discard", 1);
	offer("max-ring-page-order", 4);
	offer("multi-queue-max-queues", 4);
	offer("feature-persistent", persistent);
	if (segments)
		offer("feature-max-indirect-segments", segments);
}

/* --- requests, each in a region of its own while it is on its way --------------------------------------- */

#define JOBS 24
#define REGION (DISK_SECTORS / JOBS)

static u8 model[DISK_SECTORS * SECTOR_SIZE];

static struct job {
	struct block_request r;
	struct block_piece pieces[BLK_MAX_PIECES];
	u8 *memory;		/* pages, and around each piece what nobody may touch */
	bool busy;
	int done, err;
} jobs[JOBS];

static u64 submissions;

static void job_done(struct block_request *r, int err)
{
	struct job *j = r->owner;

	assert_true(j->busy && !j->done);
	j->done = 1;
	j->err = err;
}

/* A run of sectors in as many odd pieces as it may get. */
static void cut(struct job *j, u32 sectors)
{
	u32 n = 0;

	while (sectors) {
		u32 offset = rand() % 3 ? 0 : rand() % 8, length = rand() % 3 ? 8 : 1 + rand() % 8;

		length = MIN(MIN(length, 8 - offset), sectors);
		j->pieces[n] = (struct block_piece){ .page = j->memory + n * PAGE_SIZE, .offset = offset * 512, .length = length * 512 };
		n++;
		sectors -= length;
	}
	j->r.nr_pieces = n;
}

static void copy_pieces(struct job *j, u8 *with, bool out)
{
	for (u32 i = 0; i < j->r.nr_pieces; i++) {
		struct block_piece *p = &j->pieces[i];
		u8 *at = (u8 *)p->page + p->offset;

		memcpy(out ? with : at, out ? at : with, p->length);
		with += p->length;
	}
}

static void submit_job(struct job *j)
{
	static const enum block_op ops_of[] = { BLOCK_READ, BLOCK_READ, BLOCK_WRITE, BLOCK_WRITE, BLOCK_WRITE, BLOCK_DISCARD, BLOCK_FLUSH };
	u32 region = j - jobs, first = rand() % REGION, most = rand() % 8 ? 24 : REGION, count = 1 + rand() % MIN(REGION - first, most);

	j->memory = aligned_alloc(PAGE_SIZE, count * PAGE_SIZE);
	memset(j->memory, 0x5a, count * PAGE_SIZE);
	j->r = (struct block_request){ .op = ops_of[rand() % 7], .sector = region * REGION + first, .sectors = count,
				       .pieces = j->pieces, .done = job_done, .owner = j };
	j->busy = true;
	j->done = 0;
	if (j->r.op == BLOCK_READ || j->r.op == BLOCK_WRITE)
		cut(j, count);
	if (j->r.op == BLOCK_WRITE) {
		u8 *data = model + j->r.sector * SECTOR_SIZE;

		for (u32 i = 0; i < count * SECTOR_SIZE; i++)
			data[i] = rand();
		copy_pieces(j, data, false);
	}
	if (j->r.op == BLOCK_DISCARD)
		memset(model + j->r.sector * SECTOR_SIZE, 0, count * SECTOR_SIZE);
	for (u32 i = 0; i < count; i++)
		order_of[j->r.sector + i] = submissions;
	submissions++;
	dev()->dev.ops->submit(&dev()->dev, &j->r);
}

/* Bytes of its pages that are not of the request. */
static void check_around(struct job *j)
{
	for (u32 i = 0; i < j->r.nr_pieces; i++) {
		struct block_piece *p = &j->pieces[i];

		for (u32 at = 0; at < PAGE_SIZE; at++) {
			if (at < p->offset || at >= (u32)p->offset + p->length)
				assert_int_equal(((u8 *)p->page)[at], 0x5a);
		}
	}
}

static void reap(struct job *j)
{
	u8 got[REGION * SECTOR_SIZE];

	assert_int_equal(j->err, 0);
	if (j->r.op == BLOCK_READ) {
		copy_pieces(j, got, true);
		assert_memory_equal(got, model + j->r.sector * SECTOR_SIZE, j->r.sectors * SECTOR_SIZE);
		check_around(j);
	}
	free(j->memory);
	j->busy = false;
}

static u32 reap_done(void)
{
	u32 busy = 0;

	for (u32 i = 0; i < JOBS; i++) {
		if (jobs[i].busy && jobs[i].done)
			reap(&jobs[i]);
		busy += jobs[i].busy;
	}
	return busy;
}

/* Never is a page granted of which a request has a part. */
static void check_lent(void)
{
	for (u32 i = 0; i < JOBS; i++) {
		for (u32 k = 0; jobs[i].busy && jobs[i].r.op != BLOCK_FLUSH && k < jobs[i].r.nr_pieces; k++) {
			const struct block_piece *p = &jobs[i].pieces[k];

			for (u32 ref = 8; p->length < PAGE_SIZE && ref < 2100; ref++)
				assert_false(grants[ref].allowed && grants[ref].pfn == virt_to_pfn(p->page));
		}
	}
}

static void restart(void)
{
	for (u32 i = 0; i < nr_taken; i++) {
		if (rand() % 2 && taken[i].req.operation != BLKIF_OP_FLUSH_DISKCACHE)
			execute(&taken[i]);
	}
	vbd->disconnected(&front);
	last_order = 0;
	if (rand() % 2)
		offer("feature-max-indirect-segments", rand() % 3 * 20);
	if (rand() % 2)
		offer("feature-persistent", rand() % 2);
	connect_backend();
}

static void traffic(u32 steps, bool restarts)
{
	for (u32 step = 0; step < steps; step++) {
		struct job *j = &jobs[rand() % JOBS];

		if (!j->busy)
			submit_job(j);
		if (rand() % 3 == 0)
			dev()->dev.ops->kick(&dev()->dev);
		backend_take();
		for (u32 n = rand() % 4; n && nr_taken; n--)
			backend_answer(rand() % nr_taken, BLKIF_RSP_OKAY);
		push_all();
		if (step % 256 == 0)
			check_lent();
		if (restarts && rand() % 200 == 0)
			restart();
		reap_done();
	}
	for (u32 i = 0; reap_done(); i++) {
		assert_true(i < 10000);
		dev()->dev.ops->kick(&dev()->dev);
		backend_take();
		while (nr_taken)
			backend_answer(rand() % nr_taken, BLKIF_RSP_OKAY);
		push_all();
	}
	assert_memory_equal(disk, model, sizeof(disk));
}

static void run_traffic(const char *options, u64 segments, bool persistent, u32 steps, bool restarts)
{
	memset(model, 0, sizeof(model));
	last_order = 0;
	check_order = restarts && !strstr(options, "blk_rings=4");
	offer_all(segments, persistent);
	start(options);
	traffic(steps, restarts);
	stop();
	check_order = false;
}

static void test_traffic(void **state)
{
	for (u32 i = 0; i < 8; i++)
		run_traffic(i & 4 ? "blk_rings=4 blk_order=0" : "blk_order=3", (u64[]){ 0, 32 }[i & 1], i & 2, 1500, false);
	run_traffic("", 256, true, 1500, false);
}

static void test_restarts(void **state)
{
	for (u32 i = 0; i < 4; i++)
		run_traffic(i & 1 ? "blk_rings=4 blk_order=0" : "blk_order=0", 32, i & 2, 3000, true);
}

static void test_shortage(void **state)
{
	ref_limit = 8 + 13;
	run_traffic("", 32, false, 2000, false);
	run_traffic("", 32, true, 2000, true);
	ref_limit = NR_REFS;
	page_limit = 5;
	run_traffic("", 32, true, 2000, false);
	page_limit = 1 << 30;
}

/* --- what it says of itself ----------------------------------------------------------------------------- */

static void test_keys(void **state)
{
	offer_all(0, false);
	start("blk_order=0");
	assert_string_equal(published, "protocol=x86_64-abi feature-persistent=1 ring-ref=100000 event-channel=0 ");
	assert_string_equal(dev()->dev.name, "xvda");
	stop();
	offer_all(0, false);
	start("blk_order=1 blk_rings=2 blk_persistent=0");
	assert_string_equal(published, "protocol=x86_64-abi ring-page-order=1 multi-queue-num-queues=2 "
			    "queue-0/ring-ref0=100000 queue-0/ring-ref1=100001 queue-0/event-channel=0 "
			    "queue-1/ring-ref0=100000 queue-1/ring-ref1=100001 queue-1/event-channel=1 ");
	stop();
}

static void test_names(void **state)
{
	static const struct { u32 number; const char *name; } want[] = {
		{ 51712, "xvda" }, { 51713, "xvda1" }, { 51728 + 15, "xvdb15" }, { 202 << 8 | 15 << 4, "xvdp" },
		{ EXTENDED | 16 << 8, "xvdq" }, { EXTENDED | 25 << 8 | 3, "xvdz3" }, { EXTENDED | 26 << 8, "xvdaa" },
		{ EXTENDED | 702 << 8, "xvdaaa" }, { 768, "vbd768" },
	};
	char name[32];

	for (u32 i = 0; i < ARRAY_SIZE(want); i++) {
		memset(name, 0, sizeof(name));
		name_device(name, sizeof(name), want[i].number);
		assert_string_equal(name, want[i].name);
	}
}

static void one(struct job *j, enum block_op op)
{
	j->memory = aligned_alloc(PAGE_SIZE, PAGE_SIZE);
	j->pieces[0] = (struct block_piece){ .page = j->memory, .length = PAGE_SIZE };
	j->r = (struct block_request){ .op = op, .sectors = 8, .pieces = j->pieces, .nr_pieces = 1, .done = job_done, .owner = j };
	j->busy = true;
	j->done = 0;
	dev()->dev.ops->submit(&dev()->dev, &j->r);
	dev()->dev.ops->kick(&dev()->dev);
}

static void ended(struct job *j, int err)
{
	assert_true(j->done);
	assert_int_equal(j->err, err);
	j->busy = false;
	free(j->memory);
}

static void test_life(void **state)
{
	offer_all(0, false);
	offer("info", VDISK_READONLY);
	start("");
	assert_true(dev()->dev.readonly);
	offer("sectors", 99);
	vbd->changed(&front);
	assert_int_equal(dev()->dev.sectors, 99);
	one(&jobs[0], BLOCK_WRITE);
	backend_take();
	backend_answer(0, BLKIF_RSP_ERROR);
	push_all();
	ended(&jobs[0], -EIO);
	one(&jobs[0], BLOCK_DISCARD);
	backend_take();
	backend_answer(0, BLKIF_RSP_EOPNOTSUPP);
	push_all();
	ended(&jobs[0], -EOPNOTSUPP);
	assert_false(dev()->dev.can_discard);
	vbd->disconnected(&front);
	one(&jobs[0], BLOCK_READ);
	assert_false(jobs[0].done);
	offer("feature-flush-cache", 0);
	one(&jobs[1], BLOCK_FLUSH);
	connect_backend();
	assert_false(jobs[1].done);
	backend_take();
	backend_answer(0, BLKIF_RSP_OKAY);
	push_all();
	ended(&jobs[0], 0);
	ended(&jobs[1], 0);
	one(&jobs[0], BLOCK_READ);
	vbd->disconnected(&front);
	assert_false(jobs[0].done);
	remove_device();
	ended(&jobs[0], -ENODEV);
	assert_int_equal(pages_in_use + heap_in_use + refs_in_use(), 0);
	memset(backend_keys, 0, sizeof(backend_keys));
}

/* --- a backend that lies --------------------------------------------------------------------------------- */

enum lie { BAD_ID, OLD_ID, TWICE, WRONG_OP, BAD_STATUS, INDEX, FAR_INDEX };

static void tell(enum lie lie)
{
	u64 id = taken[0].req.id;

	switch (lie) {
	case BAD_ID:
		answer(0, id + 1, BLKIF_OP_READ, 0);
		break;
	case OLD_ID:
		answer(0, id - (1ul << 32), BLKIF_OP_READ, 0);
		break;
	case TWICE:
		answer(0, id, BLKIF_OP_READ, 0);
		answer(0, id, BLKIF_OP_READ, 0);
		break;
	case WRONG_OP:
		answer(0, id, BLKIF_OP_WRITE, 0);
		break;
	case BAD_STATUS:
		answer(0, id, BLKIF_OP_READ, 1);
		break;
	case INDEX:
		backs[0].rsp_prod += 3;
		break;
	case FAR_INDEX:
		backs[0].rsp_prod -= 1;
		break;
	}
	push_all();
}

static void test_lies(void **state)
{
	for (enum lie lie = BAD_ID; lie <= FAR_INDEX; lie++) {
		offer_all(0, lie & 1);
		start("");
		for (u32 i = 0; i < 3; i++) {
			one(&jobs[0], BLOCK_READ);
			backend_take();
			backend_answer(0, BLKIF_RSP_OKAY);
			push_all();
			ended(&jobs[0], 0);
		}
		one(&jobs[0], BLOCK_READ);
		one(&jobs[1], BLOCK_READ);
		backend_take();
		tell(lie);
		ended(&jobs[0], lie == TWICE ? 0 : -EIO);
		ended(&jobs[1], -EIO);
		assert_int_equal(closed_with, -EIO);
		assert_non_null(strstr(said, "stopped"));
		one(&jobs[0], BLOCK_READ);
		ended(&jobs[0], -EIO);
		vbd->disconnected(&front);
		assert_int_equal(vbd->publish(&front, 1), -EIO);
		remove_device();
		assert_int_equal(pages_in_use + heap_in_use + refs_in_use(), 0);
		memset(backend_keys, 0, sizeof(backend_keys));
	}
}

static void keep_all(void)
{
	for (u32 ref = 0; ref < NR_REFS; ref++)
		grants[ref].kept = grants[ref].allowed;
}

/* A page that the backend keeps: the caller's is not given back to him until it lets go, ours is not used again. */
static void test_keeps(void **state)
{
	for (u32 i = 0; i < 2; i++) {
		offer_all(0, false);
		trusted_key = i ? "0" : "1";
		start("");
		one(&jobs[0], BLOCK_WRITE);
		backend_take();
		keep_all();
		backend_answer(0, BLKIF_RSP_OKAY);
		push_all();
		assert_int_equal(closed_with, -EIO);
		assert_int_equal(jobs[0].done, i);
		if (!i) {
			retry_stuck(NULL);
			assert_false(jobs[0].done);
			let_all_go();
			armed_timer->armed = false;
			armed_timer->fn(NULL);
		}
		ended(&jobs[0], 0);
		stop();
	}
	trusted_key = NULL;
}

static u32 events_until_masked(struct blk_ring *q)
{
	u32 n = 0;

	for (; !channels[q->port].masked && n < 1000; n++)
		event(q);
	return n;
}

/* Events without answers are not listened to for a while, and then only once each time, until there is an answer again. */
static void test_storm(void **s)
{
	struct blk_ring *q;

	offer_all(0, false);
	start("");
	q = &dev()->rings[0];
	assert_int_equal(events_until_masked(q), SPURIOUS_MAX + 1);
	assert_true(q->deaf.armed);
	hear_again(q);
	assert_int_equal(events_until_masked(q), 1);
	hear_again(q);
	one(&jobs[0], BLOCK_READ);
	backend_take();
	backend_answer(0, BLKIF_RSP_OKAY);
	push_all();
	ended(&jobs[0], 0);
	assert_int_equal(events_until_masked(q), SPURIOUS_MAX + 1);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_storm),
		cmocka_unit_test(test_traffic),
		cmocka_unit_test(test_restarts),
		cmocka_unit_test(test_shortage),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_keeps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
