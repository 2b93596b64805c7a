/* SPDX-License-Identifier: MIT */
/*
 * Guests' consoles. One thread takes what they put out, in turns:
 *
 *	event	masks the port, so that a guest that floods us with events gets one through; the console is due
 *	turn	the first in the list that is due and has tokens; it goes to the end of the list. At most TURN
 *		bytes, LOG_TURN for the log. Found empty, it is not due any more and its port tells again.
 *	tokens	BURST at most, RATE more each second; a byte takes one, also of what the log puts around a line, for a guest
 *		may print nothing but newlines; a turn TURN_COST whether it found any or not. The log's may be owed
 *
 * So a guest that floods fills its ring and waits, a turn's length is bounded, and everybody gets one before
 * anybody gets two. Everything here is guarded by disabled interrupts, which on one CPU is a lock.
 *
 * A console whose indexes are nonsense is closed with one line. The consoles of the latest DEAD_KEPT guests that
 * ended are kept with their scrollback, so that last words can be read.
 */
#include <abi/console.h>
#include <abi/errno.h>

#include "../../pvkernel/include/console.h"
#include "../../pvkernel/include/evtchn.h"
#include "../../pvkernel/include/lib.h"
#include "../../pvkernel/include/list.h"
#include "../../pvkernel/include/mm.h"
#include "../../pvkernel/include/ops.h"
#include "../../pvkernel/include/sched.h"
#include "../../pvkernel/include/shell.h"
#include "../../pvkernel/include/time.h"
#include "../../ring-buffers/byte_ring.h"
#include "consback.h"
#include "scrollback.h"

#define TURN 512u
#define LOG_TURN 128u
#define TURN_COST 128u
#define RATE (256 * 1024ul)
#define BURST (64 * 1024l)
#define DEAD_KEPT 8
#define LINE 200
#define ESCAPE_KEY 0x1d			/* Ctrl-] */

struct console {
	struct list node;
	u16 domid;
	char name[CONSBACK_NAME_MAX];
	bool live;			/* has a ring that works */
	bool due;			/* live, its port masked, there may be bytes */
	bool stopped;			/* the domain has ended */
	struct byte_ring in, out;
	u32 port;
	s64 tokens;
	u64 filled_at;
	u64 waits;			/* how often it was due without tokens */
	struct scrollback scroll;
	char line[LINE];		/* of the log, so far */
	u32 line_length;
};

static struct list consoles = LIST_INIT(consoles);
static struct wait_queue work = WAIT_QUEUE_INIT(work), output = WAIT_QUEUE_INIT(output);
static struct console *attached;
static bool attached_returned;
static bool detach;			/* the attached one has ended */
static bool logging;

static void wake_queue(void *q)
{
	wake_up(q);
}

static struct timer refill = { .fn = wake_queue, .arg = &work };

/* --- which console --- */

static struct console *find_domain(u16 domid)
{
	list_for_each(node, &consoles) {
		struct console *c = list_entry(node, struct console, node);

		if (c->domid == domid && !c->stopped)
			return c;
	}
	return NULL;
}

/* A guest that is there, else the one that ended last: those keep their order in the list. */
static struct console *find_name(const char *name)
{
	struct console *dead = NULL;

	list_for_each(node, &consoles) {
		struct console *c = list_entry(node, struct console, node);

		if (strcmp(c->name, name))
			continue;
		if (!c->stopped)
			return c;
		dead = c;
	}
	return dead;
}

static void set_name(struct console *c, const char *name)
{
	snprintf(c->name, sizeof(c->name), "%s", name);
}

static void forget(struct console *c)
{
	list_remove(&c->node);
	vfree(c->scroll.bytes);
	kfree(c);
}

static void forget_old(void)
{
	struct console *oldest = NULL;
	unsigned int dead = 0;

	list_for_each(node, &consoles) {
		struct console *c = list_entry(node, struct console, node);

		if (c->stopped && !dead++)
			oldest = c;
	}
	if (dead > DEAD_KEPT)
		forget(oldest);
}

/* --- what a guest puts out --- */

static void log_line(struct console *c)
{
	char text[LINE + CONSBACK_NAME_MAX + 4];
	int n = snprintf(text, sizeof(text), "[%s] %.*s\n", c->name, (int)c->line_length, c->line);

	c->tokens -= n - (int)c->line_length;
	c->line_length = 0;
	console_write(text, MIN((size_t)n, sizeof(text) - 1));
}

/* Nothing that moves a terminal's cursor. Bytes of UTF-8 are text but for its control characters; before: the byte shown before. */
static bool is_text(u8 before, u8 byte)
{
	if (before == 0xc2 && byte >= 0x80 && byte < 0xa0)
		return false;
	return byte == '\t' || (byte >= ' ' && byte != 0x7f);
}

size_t consback_text(char *to, const char *text, size_t length)
{
	size_t n = 0;

	for (; length; length--, text++) {
		if (*text == '\n' || is_text(n ? to[n - 1] : 0, *text))
			to[n++] = *text;
	}
	return n;
}

/* Nothing but text reaches the log: it is no terminal of the guest's. */
static void log_bytes(struct console *c, const char *text, u32 length)
{
	for (; length; length--, text++) {
		u8 byte = *text;

		if (byte == '\n' || c->line_length == LINE - 1)
			log_line(c);
		if (is_text(c->line_length ? c->line[c->line_length - 1] : 0, byte))
			c->line[c->line_length++] = byte;
	}
}

/* A guest ends its lines with both, we with the newline alone. *returned: the byte before was a return, not shown so far. */
static void show(const char *text, size_t length, bool *returned)
{
	char out[TURN];
	size_t n = 0;

	for (; length; length--, text++) {
		if (*returned && *text != '\n')
			out[n++] = '\r';
		*returned = *text == '\r';
		if (!*returned)
			out[n++] = *text;
		if (n + 2 > sizeof(out)) {
			console_write(out, n);
			n = 0;
		}
	}
	console_write(out, n);
}

static void take(struct console *c, const char *text, u32 length)
{
	scrollback_add(&c->scroll, text, length);
	wake_up(&output);
	if (c == attached)
		show(text, length, &attached_returned);
	else if (logging)
		log_bytes(c, text, length);
}

static void close_broken(struct console *c)
{
	printf("consback: %s has indexes beyond its ring, its console is closed\n", c->name);
	c->live = c->due = false;
}

/* An event for what we took: when the guest may wait for room, and when it may wait for all to be out. */
static u32 drain(struct console *c, u32 limit)
{
	char buf[TURN];
	bool notify = false;
	int n = byte_ring_read(&c->out, buf, MIN(limit, TURN), &notify);
	int left = byte_ring_bytes(&c->out);

	if (n > 0)
		take(c, buf, n);
	if (n > 0 && (notify || !left))
		evtchn_send(c->port);
	if (left < 0)
		close_broken(c);
	return MAX(n, 0);
}

/* --- turns --- */

static void event(void *arg)
{
	struct console *c = arg;

	evtchn_mask(c->port);
	c->due = c->live;
	wake_up(&work);
}

static void fill_tokens(struct console *c)
{
	u64 t = now();
	s64 more = MIN(t - c->filled_at, NSEC_PER_SEC) * RATE / NSEC_PER_SEC;

	if (more) {
		c->tokens = MIN(BURST, c->tokens + more);
		c->filled_at = t;
	}
}

/* NULL: nobody is due, or all who are must wait for tokens; then the timer comes. */
static struct console *next_due(void)
{
	bool waiting = false;

	list_for_each(node, &consoles) {
		struct console *c = list_entry(node, struct console, node);

		if (!c->due)
			continue;
		fill_tokens(c);
		if (c->tokens >= (s64)(TURN + TURN_COST))
			return c;
		c->waits++;
		waiting = true;
	}
	if (waiting)
		timer_add(&refill, now() + (TURN + TURN_COST) * NSEC_PER_SEC / RATE);
	return NULL;
}

static void serve(struct console *c)
{
	u32 n;

	list_remove(&c->node);
	list_insert_before(&consoles, &c->node);
	n = drain(c, logging && c != attached ? LOG_TURN : TURN);
	c->tokens -= n + TURN_COST;
	if (!c->live || byte_ring_bytes(&c->out))
		return;
	c->due = false;
	evtchn_unmask(c->port);
}

static void consback_thread(void *unused)
{
	for (;;) {
		bool irq = irq_save();
		struct console *c;

		while (!(c = next_due()))
			wait_on(&work);
		serve(c);
		irq_restore(irq);
	}
}

/* --- beginning and end --- */

static bool start_thread(void)
{
	static bool started;

	if (!started)
		started = thread_create("consback", consback_thread, NULL);
	return started;
}

int consback_start(u16 domid, const char *name, void *ring_page, u32 port)
{
	struct xencons_interface *page = ring_page;
	struct console *c = start_thread() ? kmalloc(sizeof(*c)) : NULL;
	bool irq;

	if (!c)
		return -ENOMEM;
	*c = (struct console){
		.domid = domid, .live = true, .due = true, .port = port, .tokens = BURST, .filled_at = now(),
	};
	c->scroll.bytes = vmalloc(SCROLLBACK_SIZE);
	if (!c->scroll.bytes) {
		kfree(c);
		return -ENOMEM;
	}
	set_name(c, name);
	byte_ring_producer(&c->in, page->in, sizeof(page->in), &page->in_prod, &page->in_cons);
	byte_ring_consumer(&c->out, page->out, sizeof(page->out), &page->out_prod, &page->out_cons);
	irq = irq_save();
	list_insert_before(&consoles, &c->node);
	evtchn_set_handler(port, event, c);
	wake_up(&work);
	irq_restore(irq);
	return 0;
}

/* The ring holds what its guest said last; two halves, since a turn is shorter than a ring. */
static void last_words(struct console *c)
{
	u32 left = sizeof(((struct xencons_interface *)0)->out), n = 1;

	for (; left && n && c->live; left -= n)
		n = drain(c, left);
	if (c->line_length)
		log_line(c);
}

/* The end of the list is where the latest of the dead belongs. */
void consback_stop(u16 domid)
{
	bool irq = irq_save();
	struct console *c = find_domain(domid);

	if (c) {
		evtchn_mask(c->port);
		last_words(c);
		c->live = c->due = false;
		c->stopped = true;
		list_remove(&c->node);
		list_insert_before(&consoles, &c->node);
		if (c == attached) {
			attached = NULL;
			detach = true;
			console_wake();
		}
		wake_up(&output);
		forget_old();
	}
	irq_restore(irq);
}

void consback_rename(u16 domid, const char *name)
{
	bool irq = irq_save();
	struct console *c = find_domain(domid);

	if (c)
		set_name(c, name);
	irq_restore(irq);
}

/* --- for people and scripts --- */

int consback_read(const char *name, char *buf, size_t size)
{
	bool irq = irq_save();
	struct console *c = find_name(name);
	int n = c ? (int)scrollback_newest(&c->scroll, buf, size) : -ENOENT;

	irq_restore(irq);
	return n;
}

static u32 type(struct console *c, const char *text, size_t length)
{
	bool notify = false;
	int n = c->live ? byte_ring_write(&c->in, text, length, &notify) : 0;

	if (n > 0)
		evtchn_send(c->port);
	if (n < 0)
		close_broken(c);
	return MAX(n, 0);
}

int consback_send(const char *name, const char *text, size_t length)
{
	bool irq = irq_save();
	struct console *c = find_name(name);
	int n = c && !c->stopped ? (int)type(c, text, length) : -ENOENT;

	irq_restore(irq);
	return n;
}

static bool attach(const char *name)
{
	static char recent[2048];
	bool irq = irq_save();
	struct console *c = find_name(name);
	size_t n;

	if (c && !c->stopped) {
		attached = c;
		detach = false;
		n = scrollback_newest(&c->scroll, recent, sizeof(recent));
		attached_returned = false;
		show(recent, n, &attached_returned);
	}
	irq_restore(irq);
	return attached;
}

/* A guest that does not read loses what is typed once its ring is full; the bell says so. */
static void type_attached(char byte)
{
	bool irq = irq_save();

	if (attached && !type(attached, &byte, 1))
		console_write("\a", 1);
	irq_restore(irq);
}

int consback_attach(const char *name)
{
	int byte;

	if (attached)
		return -EBUSY;
	if (!attach(name))
		return -ENOENT;
	while ((byte = console_getc_unless(&detach)) >= 0 && byte != ESCAPE_KEY)
		type_attached(byte);
	printf(byte < 0 ? "\n%s has ended\n" : "\nleft %s\n", name);
	attached = NULL;
	return 0;
}

void consback_log(bool on)
{
	logging = on;
}

static bool contains(const char *text, const char *part)
{
	for (; *text; text++) {
		if (!strncmp(text, part, strlen(part)))
			return true;
	}
	return false;
}

/* An echo is no answer. */
static bool answered(const struct console *c, u64 from, const char *line, const char *answer)
{
	if (contains(line, answer) && !scrollback_find(&c->scroll, &from, line))
		return false;
	return scrollback_find(&c->scroll, &from, answer);
}

/* The domain may end, and another of its name begin, at any time: found anew at each look. */
static int wait_for_answer(u16 domid, u64 from, const char *line, const char *answer, u64 end)
{
	struct timer timeout = { .fn = wake_queue, .arg = &output };
	bool irq = irq_save();
	struct console *c;
	int err = -ETIMEDOUT;

	timer_add(&timeout, end);
	do {
		c = find_domain(domid);
		if (!c)
			err = -ENOENT;
		else if (answered(c, from, line, answer))
			err = 0;
		else
			wait_on(&output);
	} while (err == -ETIMEDOUT && now() < end);
	timer_cancel(&timeout);
	irq_restore(irq);
	return err;
}

int consback_ask(const char *name, const char *line, const char *answer, u64 timeout_ns)
{
	bool irq = irq_save();
	struct console *c = find_name(name);
	u16 domid = c ? c->domid : 0;
	u64 from = c ? c->scroll.written : 0;
	bool there = c && !c->stopped;

	if (there) {
		type(c, line, strlen(line));
		type(c, "\r", 1);
	}
	irq_restore(irq);
	return there ? wait_for_answer(domid, from, line, answer, now() + timeout_ns) : -ENOENT;
}

/* --- the command --- */

static int list_consoles(void)
{
	bool irq = irq_save();

	printf("%5s %-20s %-7s %10s %8s\n", "id", "name", "state", "bytes", "slowed");
	list_for_each(node, &consoles) {
		struct console *c = list_entry(node, struct console, node);

		printf("%5u %-20s %-7s %10lu %8lu\n", c->domid, c->name,
		       c->stopped ? "ended" : c->live ? "open" : "closed", c->scroll.written, c->waits);
	}
	irq_restore(irq);
	return 0;
}

static int print_tail(const char *name)
{
	static char buf[4096];
	int n = consback_read(name, buf, sizeof(buf));

	if (n < 0) {
		printf("%s: no such guest\n", name);
		return 1;
	}
	console_write(buf, consback_text(buf, buf, n));
	return 0;
}

static int cmd_consoles(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (argc < 2)
		return list_consoles();
	if (!strcmp(what, "log") && argc == 3) {
		consback_log(!strcmp(argv[2], "on"));
		return 0;
	}
	if (!strcmp(what, "tail") && argc == 3)
		return print_tail(argv[2]);
	printf("usage: consoles | consoles log on|off | consoles tail NAME\n");
	return 1;
}
COMMAND(consoles, cmd_consoles, "lists guests' consoles; log on|off copies their lines here; tail NAME: the last it printed");
