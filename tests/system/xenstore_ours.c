/* SPDX-License-Identifier: MIT */
/*
 * Our xenstore behind lines of text. In: "DOMID TYPE TX PAYLOAD", the payload in hexadecimal or "-". Out: "TYPE PAYLOAD" of the
 * reply, a line "E DOMID PAYLOAD" for each event of domains 0 to 2, then ".".
 */
#include "../unit/xenstore_host.h"

static struct client clients[3];

static void print_hex(const char *bytes, u32 length)
{
	for (u32 i = 0; i < length; i++)
		printf("%02x", (u8)bytes[i]);
	printf("%s\n", length ? "" : "-");
}

static void print_events(int domid)
{
	char payload[XENSTORE_PAYLOAD_MAX + 1];
	u32 n;

	while ((n = watch_take_event(&clients[domid], payload))) {
		printf("E %d ", domid);
		print_hex(payload, n);
	}
}

int main(void)
{
	static char hex[2 * XENSTORE_PAYLOAD_MAX + 2], in[XENSTORE_PAYLOAD_MAX + 1], out[XENSTORE_PAYLOAD_MAX + 32];
	unsigned domid;
	struct xsd_sockmsg head = { .req_id = 1 };

	if (store_init(5))
		return 1;
	for (int i = 0; i < 3; i++)
		client_init(&clients[i], i, NULL);
	host_ask(&clients[0], XS_MKDIR, 0, S("/tool/xenstored"));
	while (scanf("%u %u %u %8192s", &domid, &head.type, &head.tx_id, hex) == 4) {
		struct xsd_sockmsg answer;

		head.len = hex[0] == '-' ? 0 : strlen(hex) / 2;
		for (u32 i = 0; i < head.len; i++) {
			char pair[3] = { hex[2 * i], hex[2 * i + 1] };

			in[i] = strtoul(pair, NULL, 16);
		}
		request_handle(&clients[domid], &host_ops, &head, in, out);
		memcpy(&answer, out, sizeof(answer));
		printf("%u ", answer.type);
		print_hex(out + sizeof(answer), answer.len);
		for (int i = 0; i < 3; i++)
			print_events(i);
		printf(".\n");
		fflush(stdout);
	}
	return 0;
}
