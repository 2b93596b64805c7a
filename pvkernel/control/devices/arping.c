/* SPDX-License-Identifier: MIT */
/* Asks the network behind a card who has an IPv4 address; the answer comes to who uses the card. */
#include "../../include/lib.h"
#include "../../include/net.h"
#include "../../include/shell.h"

/* Ethernet to all, then ARP: Ethernet and IPv4, a request, of nobody's address, as a probe has it (RFC 5227). */
static void make_request(u8 frame[60], const u8 mac[6], const u8 address[4])
{
	static const u8 arp[] = { 0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1 };

	memset(frame, 0, 60);
	memset(frame, 0xff, 6);
	memcpy(frame + 6, mac, 6);
	memcpy(frame + 12, arp, sizeof(arp));
	memcpy(frame + 22, mac, 6);
	memcpy(frame + 38, address, 4);
}

static bool parse_address(const char *s, u8 address[4])
{
	for (u32 i = 0; i < 4; i++) {
		u32 value = 0, digits = 0;

		while (*s >= '0' && *s <= '9' && digits++ < 3)
			value = value * 10 + *s++ - '0';
		if (!digits || value > 255 || *s++ != (i < 3 ? '.' : 0))
			return false;
		address[i] = value;
	}
	return true;
}

static int cmd_arping(int argc, char **argv)
{
	struct net_device *d = argc == 3 ? net_device_find(argv[1]) : NULL;
	u8 frame[60], address[4];
	struct packet *p;

	if (!d || !parse_address(argv[2], address)) {
		printf("usage: arping DEVICE ADDRESS, such as eth0 10.0.2.2\n");
		return 1;
	}
	p = packet_alloc(sizeof(frame));
	if (!p) {
		printf("arping: no memory\n");
		return 1;
	}
	make_request(frame, d->mac, address);
	packet_write(p, 0, frame, sizeof(frame));
	d->send(d, p);
	net_flush(d);
	return 0;
}
COMMAND(arping, cmd_arping, "DEVICE ADDRESS: sends an ARP request from a card");
