/* SPDX-License-Identifier: MIT */
/* wget: a page or file by HTTP, its size and checksum to the console, its content to a file if one is named. */
#include <abi/errno.h>

#include "app.h"
#include "fs.h"
#include "lib.h"
#include "mm.h"
#include "shell.h"
#include "time.h"

#include <lwip/api.h>

#define HEAD_MAX 4096
#define PATIENCE_MS 10000

/* http://HOST[:PORT]/PATH; an IPv6 address in brackets. */
struct url {
	char host[128];
	u16 port;
	const char *path;
};

struct download {
	char head[HEAD_MAX];
	u32 head_used;
	bool in_body;
	int status;
	u64 length;		/* as the server has said, or ~0 */
	u64 got;
	u32 crc;
	struct fs_file *file;
	int file_err;
};

static bool parse_url(const char *text, struct url *u)
{
	const char *end;
	size_t n;
	u64 port;
	char *colon;

	u->port = 80;
	if (!strncmp(text, "http://", 7))
		text += 7;
	end = strchr(text, '/');
	n = end ? (size_t)(end - text) : strlen(text);
	if (!n || n >= sizeof(u->host))
		return false;
	memcpy(u->host, text, n);
	u->host[n] = 0;
	u->path = end ? end : "/";
	colon = strchr(u->host[0] == '[' && strchr(u->host, ']') ? strchr(u->host, ']') : u->host, ':');
	if (colon) {
		*colon = 0;
		if (!parse_u64(colon + 1, &port) || !port || port > 65535)
			return false;
		u->port = port;
	}
	if (u->host[0] == '[') {
		n = strlen(u->host);
		if (u->host[n - 1] != ']')
			return false;
		memmove(u->host, u->host + 1, n - 2);
		u->host[n - 2] = 0;
	}
	return true;
}

/* CRC-32 as of zip and cksum -a crc32b, four bits at a time. */
static u32 crc32(u32 crc, const u8 *p, size_t n)
{
	static const u32 table[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
		0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};

	for (crc = ~crc; n--; p++) {
		crc = table[(crc ^ *p) & 15] ^ crc >> 4;
		crc = table[(crc ^ *p >> 4) & 15] ^ crc >> 4;
	}
	return ~crc;
}

static void body(struct download *d, const void *data, u32 n)
{
	n = MIN(n, d->length - d->got);
	d->crc = crc32(d->crc, data, n);
	if (d->file && !d->file_err) {
		s64 put = fs_write(d->file, d->got, data, n);

		d->file_err = put < 0 ? put : 0;
	}
	d->got += n;
}

static bool same_word(const char *line, const char *word)
{
	for (; *word; line++, word++)
		if ((*line | 0x20) != (*word | 0x20))
			return false;
	return true;
}

/* The head is complete in head[], with a NUL. */
static bool parse_head(struct download *d)
{
	u64 status = 0, length;
	char *line = strchr(d->head, ' '), *end;

	if (strncmp(d->head, "HTTP/1.", 7) || !line)
		return false;
	for (line++; *line >= '0' && *line <= '9'; line++)
		status = status * 10 + *line - '0';
	d->status = status;
	while ((line = strchr(line, '\n'))) {
		if (!same_word(++line, "content-length:"))
			continue;
		for (line += 15; *line == ' '; line++)
			;
		end = strchr(line, '\r');
		if (!end)
			return false;
		*end = 0;
		if (!parse_u64(line, &length))
			return false;
		d->length = length;
		*end = '\r';
	}
	return true;
}

/* False: no head that makes sense. What follows it in these bytes is body. */
static bool take(struct download *d, const u8 *data, u32 n)
{
	while (n && !d->in_body) {
		if (d->head_used == HEAD_MAX - 1)
			return false;
		d->head[d->head_used++] = *data++;
		n--;
		if (d->head_used < 4 || memcmp(d->head + d->head_used - 4, "\r\n\r\n", 4))
			continue;
		d->head[d->head_used] = 0;
		d->in_body = true;
		if (!parse_head(d))
			return false;
	}
	if (n)
		body(d, data, n);
	return true;
}

static err_t receive(struct netconn *c, struct download *d)
{
	struct pbuf *b;
	err_t err = ERR_OK;

	while (err == ERR_OK && !(d->in_body && d->got == d->length)) {
		err = netconn_recv_tcp_pbuf(c, &b);
		if (err != ERR_OK)
			break;
		for (struct pbuf *part = b; part && err == ERR_OK; part = part->next)
			if (!take(d, part->payload, part->len))
				err = ERR_VAL;
		pbuf_free(b);
	}
	/* The end of the connection is that of a body whose length was not said. */
	return err == ERR_CLSD && d->in_body && d->length == ~0ul ? ERR_OK : err;
}

static err_t request(struct netconn *c, const struct url *u, const ip_addr_t *host)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "GET %s HTTP/1.0\r\nHost: %s\r\nUser-Agent: pvkernel\r\nConnection: close\r\n\r\n", u->path, u->host);
	err_t err;

	if (n >= (int)sizeof(text))
		return ERR_ARG;
	err = netconn_connect(c, host, u->port);
	return err == ERR_OK ? netconn_write(c, text, n, NETCONN_COPY) : err;
}

static err_t fetch(const struct url *u, const ip_addr_t *host, struct download *d)
{
	struct netconn *c = netconn_new(IP_IS_V6(host) ? NETCONN_TCP_IPV6 : NETCONN_TCP);
	err_t err;

	if (!c)
		return ERR_MEM;
	netconn_set_recvtimeout(c, PATIENCE_MS);
	err = request(c, u, host);
	if (err == ERR_OK)
		err = receive(c, d);
	netconn_close(c);
	netconn_delete(c);
	return err;
}

static int report(const struct download *d, err_t err, u64 ns)
{
	if (err != ERR_OK) {
		printf("wget: %s after %lu bytes\n", err == ERR_VAL ? "not an answer of HTTP" : app_error(err), d->got);
		return -1;
	}
	if (d->file_err)
		printf("wget: the file cannot be written, error %d\n", d->file_err);
	printf("status %d, %lu bytes, crc32 %08x, %lu us\n", d->status, d->got, d->crc, ns / 1000);
	return d->status == 200 && !d->file_err ? 0 : -1;
}

static int cmd_wget(int argc, char **argv)
{
	struct download *d;
	struct url u;
	ip_addr_t host;
	u64 start;
	err_t err;
	int status = -1;

	if (argc < 2 || argc > 3 || !parse_url(argv[1], &u)) {
		printf("wget: what is wanted: http://HOST[:PORT]/PATH [FILE]\n");
		return -1;
	}
	if (!app_resolve("wget", u.host, &host))
		return -1;
	d = kmalloc(sizeof(*d));
	if (!d)
		return -1;
	d->length = ~0ul;
	if (argc == 3)
		d->file_err = fs_open(argv[2], FS_WRITE | FS_CREATE | FS_TRUNCATE, &d->file);
	if (d->file_err) {
		printf("wget: %s: error %d\n", argv[2], d->file_err);
	} else {
		start = now();
		err = fetch(&u, &host, d);
		if (d->file) {
			int closed = fs_close(d->file);

			d->file_err = d->file_err ? d->file_err : closed;
		}
		status = report(d, err, now() - start);
	}
	kfree(d);
	return status;
}
COMMAND(wget, cmd_wget, "http://HOST[:PORT]/PATH [FILE]: fetches it, says its size and checksum, keeps it in a file");
