/* SPDX-License-Identifier: MIT */
/* ping: echo requests of ICMP and ICMPv6, and how long their answers take. Without a host: does this domain live, and who is it? */
#include "app.h"

#include "boot.h"
#include "console.h"
#include "lib.h"
#include "mm.h"
#include "sched.h"
#include "shell.h"
#include "stack.h"
#include "time.h"
#include "xenstore.h"

#include <lwip/icmp.h>
#include <lwip/inet_chksum.h>
#include <lwip/prot/icmp6.h>
#include <lwip/ip.h>
#include <lwip/raw.h>

#define SIZE_MAX_ECHO 65000
#define PATIENCE (2 * NSEC_PER_SEC)

struct ping {
	ip_addr_t host;
	u16 id, sequence, size;
	bool answered;
	u64 sent, took, least, most, sum;
	u32 nr_sent, nr_answered;
	struct wait_queue answer;
};

static u16_t echo_header(struct ping *p, struct pbuf *b, u16_t offset)
{
	struct icmp_echo_hdr h;

	if (pbuf_copy_partial(b, &h, sizeof(h), offset) != sizeof(h) || h.id != lwip_htons(p->id) || h.seqno != lwip_htons(p->sequence))
		return 0;
	return ICMPH_TYPE(&h) == (IP_IS_V6(&p->host) ? ICMP6_TYPE_EREP : ICMP_ER);
}

/* lwIP shows the IP headers before the message. */
static u8_t received(void *arg, struct raw_pcb *pcb, struct pbuf *b, const ip_addr_t *from)
{
	struct ping *p = arg;

	if (p->answered || !ip_addr_cmp_zoneless(from, &p->host) || !echo_header(p, b, ip_current_header_tot_len()))
		return 0;
	p->took = now() - p->sent;
	p->answered = true;
	wake_up(&p->answer);
	pbuf_free(b);
	return 1;
}

static struct pbuf *make_echo(const struct ping *p)
{
	struct pbuf *b = pbuf_alloc(PBUF_IP, sizeof(struct icmp_echo_hdr) + p->size, PBUF_RAM);
	struct icmp_echo_hdr *h = b ? b->payload : NULL;

	if (!b)
		return NULL;
	*h = (struct icmp_echo_hdr){ .id = lwip_htons(p->id), .seqno = lwip_htons(p->sequence) };
	ICMPH_TYPE_SET(h, IP_IS_V6(&p->host) ? ICMP6_TYPE_EREQ : ICMP_ECHO);
	for (u32 i = 0; i < p->size; i++)
		((u8 *)(h + 1))[i] = i;
	if (!IP_IS_V6(&p->host))
		h->chksum = inet_chksum(h, b->len);
	return b;
}

static err_t send_echo(struct ping *p, struct raw_pcb *pcb, struct pbuf *b)
{
	err_t err;

	stack_lock();
	p->sent = now();
	err = raw_sendto(pcb, b, &p->host);
	stack_unlock();
	return err;
}

static void wake(void *arg)
{
	wake_up(&((struct ping *)arg)->answer);
}

static void await_answer(struct ping *p, const struct timer *patience)
{
	bool irq = irq_save();

	while (!p->answered && patience->armed)
		wait_on(&p->answer);
	irq_restore(irq);
}

/* What can be done before sending or after the answer is not done between them. */
static err_t ask(struct ping *p, struct raw_pcb *pcb)
{
	struct timer patience = { .fn = wake, .arg = p };
	struct pbuf *b = make_echo(p);
	err_t err;

	if (!b)
		return ERR_MEM;
	timer_add(&patience, now() + PATIENCE);
	err = send_echo(p, pcb, b);
	if (err == ERR_OK)
		await_answer(p, &patience);
	timer_cancel(&patience);
	pbuf_free(b);
	return err;
}

static void one(struct ping *p, struct raw_pcb *pcb)
{
	err_t err;

	p->sequence++;
	p->nr_sent++;
	p->answered = false;
	err = ask(p, pcb);
	if (!p->answered) {
		printf("%s: seq=%u %s\n", ipaddr_ntoa(&p->host), p->sequence, err == ERR_OK ? "no answer" : app_error(err));
		return;
	}
	p->nr_answered++;
	p->sum += p->took;
	p->least = MIN(p->least, p->took);
	p->most = MAX(p->most, p->took);
	printf("%u bytes from %s: seq=%u time=%lu.%06lu ms\n", p->size + 8u, ipaddr_ntoa(&p->host), p->sequence, p->took / NSEC_PER_MSEC,
	       p->took % NSEC_PER_MSEC);
}

static int ping_host(struct ping *p, u64 count, u64 interval)
{
	struct raw_pcb *pcb;

	stack_lock();
	pcb = raw_new_ip_type(IP_GET_TYPE(&p->host), IP_IS_V6(&p->host) ? IP6_NEXTH_ICMP6 : IP_PROTO_ICMP);
	if (pcb) {
		pcb->chksum_reqd = IP_IS_V6(&p->host);
		pcb->chksum_offset = 2;
		raw_recv(pcb, received, p);
	}
	stack_unlock();
	if (!pcb)
		return -1;
	for (u64 i = 0; i < count && !console_interrupted(); i++) {
		if (i && interval)
			thread_sleep(interval);
		one(p, pcb);
	}
	stack_lock();
	raw_remove(pcb);
	stack_unlock();
	printf("%u sent, %u answered", p->nr_sent, p->nr_answered);
	if (p->nr_answered)
		printf(", time min/avg/max %lu/%lu/%lu us", p->least / 1000, p->sum / p->nr_answered / 1000, p->most / 1000);
	printf("\n");
	return p->nr_answered == p->nr_sent ? 0 : -1;
}

static int pong(void)
{
	char name[64];

	if (boot.native || xs_read(XS_NO_TX, "name", name, sizeof(name)) < 0)
		snprintf(name, sizeof(name), "nobody");
	printf("pong %s\n", name);
	return 0;
}

static int cmd_ping(int argc, char **argv)
{
	struct ping p = { .least = ~0ul, .size = 56, .id = net_random(), .answer = WAIT_QUEUE_INIT(p.answer) };
	u64 count = 4, size = 56, interval = 1000;
	struct app_option options[] = { { "-c", &count, NULL }, { "-s", &size, NULL }, { "-i", &interval, NULL }, { 0 } };

	if (argc == 1)
		return pong();
	if (!app_options(&argc, argv, options) || argc != 2 || size > SIZE_MAX_ECHO) {
		printf("ping: what is wanted: HOST [-c COUNT] [-s BYTES] [-i MILLISECONDS]\n");
		return -1;
	}
	if (!app_resolve("ping", argv[1], &p.host))
		return -1;
	p.size = size;
	return ping_host(&p, count, interval * NSEC_PER_MSEC);
}
COMMAND(ping, cmd_ping, "HOST [-c COUNT] [-s BYTES] [-i MS]: asks a host for echoes; without a host answers pong and this domain's name");
