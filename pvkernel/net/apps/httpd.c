/* SPDX-License-Identifier: MIT */
/*
 * httpd: pages from the disk, and live ones about this domain. A few threads each take a connection, read one request, answer it and
 * close; so many are served at a time, others wait in the listener's queue. lwIP's own server is not used: it reads files
 * inside of the stack's lock, where one slow disk would stop all of the network.
 *
 *	/live, /live/chart	made on the spot
 *	others			the file of that name; / is /index.html, or /live without one
 */
#include <abi/errno.h>

#include "app.h"
#include "boot.h"
#include "fs.h"
#include "lib.h"
#include "mm.h"
#include "sched.h"
#include "shell.h"
#include "stack.h"
#include "text.h"

#include <lwip/api.h>

#define WORKERS 4
#define REQUEST_MAX 2048
#define PATIENCE_MS 5000
#define PIECE 65536u

static struct netconn *listener;
static u64 served, refused;

struct request {
	char text[REQUEST_MAX];
	size_t used;
	bool head;
	char *path;
};

/* --- reading a request --- */

static bool receive_request(struct netconn *c, struct request *r)
{
	struct netbuf *b;
	void *data;
	u16_t n;

	while (r->used < REQUEST_MAX - 1 && netconn_recv(c, &b) == ERR_OK) {
		do {
			netbuf_data(b, &data, &n);
			n = MIN(n, REQUEST_MAX - 1 - r->used);
			memcpy(r->text + r->used, data, n);
			r->used += n;
		} while (netbuf_next(b) >= 0);
		netbuf_delete(b);
		r->text[r->used] = 0;
		if (r->used >= 4 && !memcmp(r->text + r->used - 4, "\r\n\r\n", 4))
			return true;
	}
	return false;
}

static bool has_parent(const char *path)
{
	for (const char *s = path; *s; s++)
		if (s[0] == '.' && s[1] == '.')
			return true;
	return false;
}

/* "GET /path?query HTTP/1.1": the path alone. */
static int parse_request(struct request *r)
{
	char *path = strchr(r->text, ' '), *end;

	r->head = !strncmp(r->text, "HEAD ", 5);
	if (!r->head && strncmp(r->text, "GET ", 4))
		return 501;
	end = strchr(++path, ' ');
	if (*path != '/' || !end)
		return 400;
	*end = 0;
	end = strchr(path, '?');
	if (end)
		*end = 0;
	r->path = path;
	return has_parent(path) ? 400 : 200;
}

/* --- answering --- */

static const char *status_words(int status)
{
	switch (status) {
	case 200: return "OK";
	case 400: return "Bad Request";
	case 404: return "Not Found";
	case 500: return "Internal Server Error";
	default: return "Not Implemented";
	}
}

/* All of it, each part within the connection's patience; lwIP has no call for that. */
static err_t send_all(struct netconn *c, const void *data, size_t n, u8 flags)
{
	size_t sent;
	err_t err = ERR_OK;

	for (const char *at = data; n && err == ERR_OK; at += sent, n -= sent) {
		err = netconn_write_partly(c, at, n, NETCONN_COPY | flags, &sent);
		if (err == ERR_OK && !sent)
			err = ERR_TIMEOUT;
	}
	return err;
}

static err_t send_head(struct netconn *c, int status, const char *type, u64 length)
{
	char head[256];
	int n = snprintf(head, sizeof(head), "HTTP/1.1 %d %s\r\nServer: pvkernel\r\nContent-Type: %s\r\nContent-Length: %lu\r\nConnection: close\r\n\r\n",
			 status, status_words(status), type, length);

	return send_all(c, head, n, NETCONN_MORE);
}

static void send_status(struct netconn *c, int status)
{
	char body[64];
	int n = snprintf(body, sizeof(body), "%d %s\n", status, status_words(status));

	refused++;
	if (send_head(c, status, "text/plain", n) == ERR_OK)
		send_all(c, body, n, 0);
}

static void send_page(struct netconn *c, const struct request *r, void (*make)(struct text *t))
{
	struct text t = { 0 };

	make(&t);
	if (t.lost)
		send_status(c, 500);
	else if (send_head(c, 200, "text/html; charset=utf-8", t.used) == ERR_OK && !r->head)
		send_all(c, t.chars, t.used, 0);
	text_free(&t);
}

static const char *type_of(const char *path)
{
	static const struct {
		const char *end, *type;
	} types[] = {
		{ ".html", "text/html; charset=utf-8" }, { ".txt", "text/plain; charset=utf-8" }, { ".css", "text/css" }, { ".svg", "image/svg+xml" },
		{ ".png", "image/png" }, { ".json", "application/json" }, { ".js", "text/javascript" }, { ".jpg", "image/jpeg" },
	};
	size_t n = strlen(path);

	for (u32 i = 0; i < ARRAY_SIZE(types); i++)
		if (n > strlen(types[i].end) && !strcmp(path + n - strlen(types[i].end), types[i].end))
			return types[i].type;
	return "application/octet-stream";
}

/* A file that became shorter meanwhile ends the connection early, which tells the client. */
static void send_content(struct netconn *c, struct fs_file *f, u64 size)
{
	char *piece = kmalloc(MIN(size, PIECE));
	s64 n;

	for (u64 at = 0; piece && at < size; at += n) {
		n = fs_read(f, at, piece, MIN(size - at, PIECE));
		if (n <= 0 || send_all(c, piece, n, 0) != ERR_OK)
			break;
	}
	kfree(piece);
}

static int send_file(struct netconn *c, const struct request *r, const char *path)
{
	struct fs_file *f;
	int err = fs_open(path, 0, &f);

	if (err)
		return err;
	if (send_head(c, 200, type_of(path), fs_size(f)) == ERR_OK && !r->head)
		send_content(c, f, fs_size(f));
	fs_close(f);
	return 0;
}

static void answer(struct netconn *c, struct request *r)
{
	bool root = !strcmp(r->path, "/");
	int err = -ENOENT;

	served++;
	if (!strcmp(r->path, "/live/chart")) {
		send_page(c, r, live_chart_page);
		return;
	}
	if (strcmp(r->path, "/live"))
		err = send_file(c, r, root ? "/index.html" : r->path);
	if (err && (root || !strcmp(r->path, "/live")))
		send_page(c, r, live_page);
	else if (err)
		send_status(c, err == -EIO || err == -ENOMEM ? 500 : 404);
}

static void serve(struct netconn *c)
{
	struct request *r = kmalloc(sizeof(*r));
	int status;

	netconn_set_recvtimeout(c, PATIENCE_MS);
	netconn_set_sendtimeout(c, PATIENCE_MS);
	if (r && receive_request(c, r)) {
		status = parse_request(r);
		if (status == 200)
			answer(c, r);
		else
			send_status(c, status);
	}
	kfree(r);
	netconn_close(c);
	netconn_delete(c);
}

static void worker(void *unused)
{
	struct netconn *c;

	for (;;) {
		if (netconn_accept(listener, &c) == ERR_OK)
			serve(c);
	}
}

static err_t listen_on(u16 port)
{
	err_t err;

	listener = netconn_new(NETCONN_TCP_IPV6);
	if (!listener)
		return ERR_MEM;
	err = netconn_bind(listener, IP_ANY_TYPE, port);
	if (err == ERR_OK)
		err = netconn_listen(listener);
	if (err != ERR_OK) {
		netconn_delete(listener);
		listener = NULL;
	}
	return err;
}

static int cmd_httpd(int argc, char **argv)
{
	u64 port = 80;
	err_t err;

	if (argc > 2 || (argc == 2 && (!parse_u64(argv[1], &port) || !port || port > 65535))) {
		printf("httpd: what is wanted: [PORT]\n");
		return -1;
	}
	if (listener) {
		printf("httpd: %lu pages served, %lu requests refused\n", served, refused);
		return 0;
	}
	stack_start();
	err = listen_on(port);
	if (err != ERR_OK) {
		printf("httpd: port %lu: %s\n", port, app_error(err));
		return -1;
	}
	for (int i = 0; i < WORKERS; i++)
		thread_detach(thread_create("httpd", worker, NULL));
	printf("httpd: serving on port %lu\n", port);
	return 0;
}
COMMAND(httpd, cmd_httpd, "[PORT]: serves pages from the disk, and /live and /live/chart; when it runs: how many it has served");
