/* SPDX-License-Identifier: MIT */
/*
 * What the network costs: the discard service (RFC 863, port 9 of TCP) and a source of bytes without end (port 19, like RFC 864's
 * generator, but of zeros), and who measures them. A Linux measures the same by tests/bench/linux_io.c.
 */
#include "app.h"
#include "lib.h"
#include "ops.h"
#include "sched.h"
#include "shell.h"
#include "stack.h"
#include "time.h"

#include <lwip/tcp.h>
#include <lwip/udp.h>

#define ECHO_PORT 7
#define DISCARD_PORT 9
#define SOURCE_PORT 19
#define PATIENCE (60 * NSEC_PER_SEC)
#define DATAGRAM 64		/* bytes of the echo's */
#define ECHOES_AT_ONCE 32

static const char zeros[64 * 1024];	/* is sent as it lies there */

/* As much as the connection takes, of at most `left`; what it took. */
static u64 push(struct tcp_pcb *pcb, u64 left)
{
	u64 sent = 0;

	while (sent < left) {
		u16 n = MIN(MIN((u64)tcp_sndbuf(pcb), left - sent), 0xf000ul);

		if (!n || tcp_write(pcb, zeros, n, 0) != ERR_OK)
			break;
		sent += n;
	}
	tcp_output(pcb);
	return sent;
}

/* --- the services --- */

static err_t hang_up(struct tcp_pcb *pcb)
{
	tcp_recv(pcb, NULL);
	tcp_sent(pcb, NULL);
	tcp_poll(pcb, NULL, 0);
	if (tcp_close(pcb) == ERR_OK)
		return ERR_OK;
	tcp_abort(pcb);
	return ERR_ABRT;
}

static err_t swallow(void *arg, struct tcp_pcb *pcb, struct pbuf *b, err_t err)
{
	if (!b)
		return hang_up(pcb);
	tcp_recved(pcb, b->tot_len);
	pbuf_free(b);
	return ERR_OK;
}

static err_t pour(void *arg, struct tcp_pcb *pcb, u16_t n)
{
	push(pcb, sizeof(zeros));
	return ERR_OK;
}

static err_t pour_again(void *arg, struct tcp_pcb *pcb)
{
	return pour(arg, pcb, 0);
}

static err_t accepted(void *pours, struct tcp_pcb *pcb, err_t err)
{
	if (err != ERR_OK || !pcb)
		return ERR_VAL;
	tcp_recv(pcb, swallow);
	if (!pours)
		return ERR_OK;
	tcp_sent(pcb, pour);
	tcp_poll(pcb, pour_again, 2);
	while (push(pcb, sizeof(zeros)))
		;
	return ERR_OK;
}

static err_t serve(u16 port, bool pours)
{
	struct tcp_pcb *pcb = tcp_new_ip_type(IPADDR_TYPE_ANY), *listening;
	err_t err = pcb ? tcp_bind(pcb, IP_ANY_TYPE, port) : ERR_MEM;

	listening = err == ERR_OK ? tcp_listen(pcb) : NULL;
	if (!listening) {
		if (pcb)
			tcp_close(pcb);
		return err == ERR_OK ? ERR_MEM : err;
	}
	tcp_arg(listening, pours ? listening : NULL);
	tcp_accept(listening, accepted);
	return ERR_OK;
}

static int serve_all(void)
{
	err_t err;

	stack_start();
	stack_lock();
	err = serve(DISCARD_PORT, false);
	if (err == ERR_OK)
		err = serve(SOURCE_PORT, true);
	stack_unlock();
	if (err != ERR_OK)
		printf("netbench: %s\n", app_error(err));
	return err;
}

/* --- who measures: `left` is what has still to go out, `wanted` what has still to come; 0: over --- */

struct measured {
	struct tcp_pcb *pcb;
	struct udp_pcb *udp;
	ip_addr_t host;
	u64 left, wanted;
	err_t err;
	struct wait_queue end;
};

static void finished(struct measured *m, err_t err)
{
	m->err = err;
	m->wanted = 0;
	wake_up(&m->end);
}

static void failed(void *arg, err_t err)
{
	struct measured *m = arg;

	m->pcb = NULL;
	finished(m, err);
}

/* Behind the last byte goes our end; the peer has everything when it answers that with its own. */
static err_t answered(void *arg, struct tcp_pcb *pcb, u16_t n)
{
	struct measured *m = arg;
	u64 sent = push(pcb, m->left);

	m->left -= sent;
	if (sent && !m->left)
		tcp_shutdown(pcb, 0, 1);
	return ERR_OK;
}

static err_t ended(void *arg, struct tcp_pcb *pcb, struct pbuf *b, err_t err)
{
	if (b)
		pbuf_free(b);
	else
		finished(arg, ((struct measured *)arg)->left ? ERR_CLSD : ERR_OK);
	return ERR_OK;
}

static err_t came(void *arg, struct tcp_pcb *pcb, struct pbuf *b, err_t err)
{
	struct measured *m = arg;
	u32 n = b ? b->tot_len : 0;

	if (b) {
		tcp_recved(pcb, n);
		pbuf_free(b);
	}
	if (m->wanted && (!n || n >= m->wanted))
		finished(m, n ? ERR_OK : ERR_CLSD);
	else if (m->wanted)
		m->wanted -= n;
	return ERR_OK;
}

static err_t established(void *arg, struct tcp_pcb *pcb, err_t err)
{
	return answered(arg, pcb, 0);
}

static err_t begin_tcp(struct measured *m, bool out)
{
	m->pcb = tcp_new_ip_type(IP_GET_TYPE(&m->host));
	if (!m->pcb)
		return ERR_MEM;
	m->left = out ? m->wanted : 0;
	tcp_arg(m->pcb, m);
	tcp_err(m->pcb, failed);
	tcp_recv(m->pcb, out ? ended : came);
	if (out)
		tcp_sent(m->pcb, answered);
	return tcp_connect(m->pcb, &m->host, out ? DISCARD_PORT : SOURCE_PORT, established);
}

static err_t send_echo(struct measured *m)
{
	struct pbuf *b = pbuf_alloc(PBUF_TRANSPORT, DATAGRAM, PBUF_RAM);
	err_t err;

	if (!b)
		return ERR_MEM;
	memset(b->payload, 0, DATAGRAM);
	m->left--;
	err = udp_send(m->udp, b);
	pbuf_free(b);
	return err;
}

static void echoed(void *arg, struct udp_pcb *pcb, struct pbuf *b, const ip_addr_t *from, u16_t port)
{
	struct measured *m = arg;

	pbuf_free(b);
	if (m->left)
		send_echo(m);
	if (m->wanted && !--m->wanted)
		finished(m, ERR_OK);
}

static err_t begin_echo(struct measured *m)
{
	err_t err = ERR_OK;

	m->udp = udp_new_ip_type(IP_GET_TYPE(&m->host));
	if (!m->udp)
		return ERR_MEM;
	m->left = m->wanted;
	udp_recv(m->udp, echoed, m);
	err = udp_connect(m->udp, &m->host, ECHO_PORT);
	for (u32 i = 0; err == ERR_OK && i < ECHOES_AT_ONCE && m->left; i++)
		err = send_echo(m);
	return err;
}

static void wake(void *arg)
{
	wake_up(&((struct measured *)arg)->end);
}

/* ERR_TIMEOUT: it has not ended within PATIENCE. */
static err_t await(struct measured *m)
{
	struct timer t = { .fn = wake, .arg = m };
	bool irq = irq_save();

	timer_add(&t, now() + PATIENCE);
	while (m->wanted && t.armed)
		wait_on(&m->end);
	timer_cancel(&t);
	irq_restore(irq);
	return m->wanted ? ERR_TIMEOUT : m->err;
}

static void end_measured(struct measured *m)
{
	stack_lock();
	if (m->pcb) {
		tcp_err(m->pcb, NULL);
		tcp_abort(m->pcb);
	}
	if (m->udp)
		udp_remove(m->udp);
	stack_unlock();
}

static int measure(const char *host, const char *what, u64 count)
{
	bool out = !strcmp(what, "out"), echo = !strcmp(what, "echo");
	struct measured m = { .wanted = echo ? count : count << 20, .end = WAIT_QUEUE_INIT(m.end) };
	u64 start;
	err_t err;

	if (!app_resolve("netbench", host, &m.host))
		return -1;
	start = now();
	stack_lock();
	err = echo ? begin_echo(&m) : begin_tcp(&m, out);
	stack_unlock();
	if (err == ERR_OK)
		err = await(&m);
	start = now() - start;
	end_measured(&m);
	if (err == ERR_OK)
		printf("cost: %s: %lu ns each of %lu\n", what, start / count, count);
	else
		printf("netbench: %s\n", app_error(err));
	return err;
}

static int cmd_netbench(int argc, char **argv)
{
	u64 count;

	if (argc == 2 && !strcmp(argv[1], "serve"))
		return serve_all();
	if (argc == 4 && (!strcmp(argv[2], "out") || !strcmp(argv[2], "in") || !strcmp(argv[2], "echo")) && parse_u64(argv[3], &count) && count)
		return measure(argv[1], argv[2], count);
	printf("netbench: what is wanted: serve, or HOST out|in MIB, or HOST echo COUNT\n");
	return -1;
}
COMMAND(netbench, cmd_netbench, "serve | HOST out|in MIB | HOST echo COUNT: what a MiB by TCP costs, and a datagram sent and echoed; or the services");
