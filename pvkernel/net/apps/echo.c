/* SPDX-License-Identifier: MIT */
/* The echo service, RFC 862, port 7 of TCP and UDP: whatever comes goes back. */
#include "app.h"
#include "lib.h"
#include "shell.h"
#include "stack.h"

#include <lwip/tcp.h>
#include <lwip/udp.h>

#define PORT 7

#define WAITING_MAX 64		/* pbufs */

/* What a connection has received and not sent: its window stays closed for as much, so this is at most TCP_WND. */
static void echo_more(struct tcp_pcb *pcb, struct pbuf *waiting)
{
	while (waiting) {
		struct pbuf *first = waiting;

		if (first->len > tcp_sndbuf(pcb) || tcp_write(pcb, first->payload, first->len, TCP_WRITE_FLAG_COPY) != ERR_OK)
			break;
		tcp_recved(pcb, first->len);
		waiting = pbuf_dechain(first);
		pbuf_free(first);
	}
	tcp_arg(pcb, waiting);
	tcp_output(pcb);
}

static err_t echo_tcp_sent(void *waiting, struct tcp_pcb *pcb, u16_t n)
{
	echo_more(pcb, waiting);
	return ERR_OK;
}

static err_t echo_tcp_poll(void *waiting, struct tcp_pcb *pcb)
{
	echo_more(pcb, waiting);
	return ERR_OK;
}

static void echo_tcp_error(void *waiting, err_t err)
{
	if (waiting)
		pbuf_free(waiting);
}

static err_t echo_tcp_close(struct tcp_pcb *pcb, struct pbuf *waiting)
{
	tcp_arg(pcb, NULL);
	tcp_recv(pcb, NULL);
	tcp_sent(pcb, NULL);
	tcp_err(pcb, NULL);
	tcp_poll(pcb, NULL, 0);
	if (waiting)
		pbuf_free(waiting);
	if (tcp_close(pcb) == ERR_OK)
		return ERR_OK;
	tcp_abort(pcb);
	return ERR_ABRT;
}

static err_t echo_tcp_received(void *arg, struct tcp_pcb *pcb, struct pbuf *b, err_t err)
{
	struct pbuf *waiting = arg;

	if (!b)
		return echo_tcp_close(pcb, waiting);
	if (waiting && pbuf_clen(waiting) >= WAITING_MAX)	/* bytes in a pbuf each: they come again */
		return ERR_MEM;
	if (waiting)
		pbuf_cat(waiting, b);
	echo_more(pcb, waiting ? waiting : b);
	return ERR_OK;
}

static err_t echo_tcp_accepted(void *arg, struct tcp_pcb *pcb, err_t err)
{
	if (err != ERR_OK || !pcb)
		return ERR_VAL;
	tcp_arg(pcb, NULL);
	tcp_recv(pcb, echo_tcp_received);
	tcp_sent(pcb, echo_tcp_sent);
	tcp_err(pcb, echo_tcp_error);
	tcp_poll(pcb, echo_tcp_poll, 2);
	return ERR_OK;
}

/* Not to another echo, or the two would never end. */
static void echo_udp(void *arg, struct udp_pcb *pcb, struct pbuf *b, const ip_addr_t *from, u16_t port)
{
	if (port != PORT)
		udp_sendto(pcb, b, from, port);
	pbuf_free(b);
}

static err_t listen_tcp(void)
{
	struct tcp_pcb *pcb = tcp_new_ip_type(IPADDR_TYPE_ANY), *listening;
	err_t err = pcb ? tcp_bind(pcb, IP_ANY_TYPE, PORT) : ERR_MEM;

	listening = err == ERR_OK ? tcp_listen(pcb) : NULL;
	if (listening)
		tcp_accept(listening, echo_tcp_accepted);
	else if (pcb)
		tcp_close(pcb);
	return err == ERR_OK && !listening ? ERR_MEM : err;
}

static err_t listen_udp(void)
{
	struct udp_pcb *pcb = udp_new_ip_type(IPADDR_TYPE_ANY);
	err_t err = pcb ? udp_bind(pcb, IP_ANY_TYPE, PORT) : ERR_MEM;

	if (err == ERR_OK)
		udp_recv(pcb, echo_udp, NULL);
	else if (pcb)
		udp_remove(pcb);
	return err;
}

static int cmd_echod(int argc, char **argv)
{
	err_t err;

	stack_start();
	stack_lock();
	err = listen_tcp();
	if (err == ERR_OK)
		err = listen_udp();
	stack_unlock();
	if (err != ERR_OK)
		printf("echod: port %u: %s\n", PORT, app_error(err));
	return err;
}
COMMAND(echod, cmd_echod, "the echo service from now on, on port 7 of TCP and UDP");
