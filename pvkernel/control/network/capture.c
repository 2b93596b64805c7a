/* SPDX-License-Identifier: MIT */
/*
 * A capture is a pcap file in memory, as tcpdump and Wireshark read it: a header, then records of time, two lengths and bytes. It
 * grows up to CAPTURE_SIZE; what does not fit any more is counted. Since domain 0 has no way out but its console, `capture
 * dump` prints it there in base64 and tools/pcap makes a file of that.
 *
 * Packets are taken as they enter or leave a port: checksums may be blank and packets larger than a wire's, as they are in
 * the machine. Written by disabled interrupts.
 */
#include "../../include/lib.h"
#include "../../include/mm.h"
#include "../../include/ops.h"
#include "../../include/shell.h"
#include "../../include/time.h"
#include "capture.h"
#include "ports.h"

#define CAPTURE_SIZE (1024 * 1024ul)
#define SNAPLEN_DEFAULT 256u
#define LINE_BYTES 57			/* of a line of 76 characters */

struct pcap_header {
	u32 magic;			/* nanoseconds, our byte order */
	u16 major, minor;
	u32 zone, accuracy, snaplen, link;
};

struct pcap_record {
	u32 seconds, ns, captured, length;
};

bool capture_all;
static u8 *buffer;
static u64 used, packets, missed;
static u32 snaplen = SNAPLEN_DEFAULT;
static u32 dumps;		/* under way: meanwhile the buffer stays */

static void store(const struct packet *p)
{
	u64 t = wall_clock_ns();
	struct pcap_record r = { t / NSEC_PER_SEC, t % NSEC_PER_SEC, MIN(p->length, snaplen), p->length };

	if (used + sizeof(r) + r.captured > CAPTURE_SIZE) {
		missed++;
		return;
	}
	memcpy(buffer + used, &r, sizeof(r));
	packet_read(p, 0, buffer + used + sizeof(r), r.captured);
	used += sizeof(r) + r.captured;
	packets++;
}

void capture_packet(const struct packet *p)
{
	bool irq = irq_save();

	if (buffer)
		store(p);
	irq_restore(irq);
}

static bool begin(u32 length)
{
	struct pcap_header h = { 0xa1b23c4d, 2, 4, 0, 0, length, 1 };

	if (!buffer)
		buffer = vmalloc(CAPTURE_SIZE);
	if (!buffer)
		return false;
	if (!used) {
		memcpy(buffer, &h, sizeof(h));
		used = sizeof(h);
		snaplen = length;
	}
	return true;
}

static bool forget(void)
{
	bool irq = irq_save(), may = !dumps;
	u8 *old = buffer;

	if (may) {
		buffer = NULL;
		used = packets = missed = 0;
	}
	irq_restore(irq);
	if (may && old)
		vfree(old);
	return may;
}

static u8 *begin_dump(u64 *end)
{
	bool irq = irq_save();
	u8 *from = buffer;

	dumps += from != NULL;
	*end = used;
	irq_restore(irq);
	return from;
}

static void end_dump(void)
{
	bool irq = irq_save();

	dumps--;
	irq_restore(irq);
}

/* --- the command --- */

static void print_line(const u8 *p, u32 length)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char line[LINE_BYTES / 3 * 4 + 1];
	u32 n = 0;

	for (u32 i = 0; i < length; i += 3) {
		u32 bits = p[i] << 16 | (i + 1 < length ? p[i + 1] << 8 : 0) | (i + 2 < length ? p[i + 2] : 0);

		line[n++] = digits[bits >> 18];
		line[n++] = digits[bits >> 12 & 63];
		line[n++] = i + 1 < length ? digits[bits >> 6 & 63] : '=';
		line[n++] = i + 2 < length ? digits[bits & 63] : '=';
	}
	line[n] = '\0';
	printf("pcap: %s\n", line);
}

static int dump(void)
{
	u64 end;
	const u8 *from = begin_dump(&end);

	if (!from) {
		printf("capture: nothing was captured\n");
		return 1;
	}
	printf("pcap: begin\n");
	for (u64 at = 0; at < end; at += LINE_BYTES)
		print_line(from + at, MIN(end - at, (u64)LINE_BYTES));
	end_dump();
	printf("pcap: end, %lu packets, %lu missed\n", packets, missed);
	return 0;
}

static bool set_ports(const char *name, bool on)
{
	bool all = !strcmp(name, "all"), found = all, irq = irq_save();

	list_for_each(node, &switch_ports) {
		struct port *port = list_entry(node, struct port, node);

		if (all || !strcmp(port->device->name, name)) {
			port->capture = on;
			found = true;
		}
	}
	if (all)
		capture_all = on;
	irq_restore(irq);
	return found;
}

static int status(void)
{
	printf("%lu packets, %lu bytes; %lu missed, since more than %lu KiB are not kept\n", packets, used, missed, CAPTURE_SIZE / 1024);
	return 0;
}

static int cmd_capture(int argc, char **argv)
{
	u64 length = SNAPLEN_DEFAULT;
	bool on = argc >= 3 && !strcmp(argv[2], "on");

	if (argc == 1)
		return status();
	if (argc == 2 && !strcmp(argv[1], "dump"))
		return dump();
	if (argc == 2 && !strcmp(argv[1], "clear")) {
		set_ports("all", false);
		if (forget())
			return 0;
		printf("capture: a dump is under way\n");
		return 1;
	}
	if (argc < 3 || argc > 4 || (!on && strcmp(argv[2], "off")) ||
	    (argc == 4 && (!parse_u64(argv[3], &length) || length < ETH_HEADER || length > PACKET_MAX))) {
		printf("usage: capture PORT|all on|off [BYTES] | capture dump | capture clear | capture\n");
		return 1;
	}
	if (on && !begin(length)) {
		printf("capture: no memory\n");
		return 1;
	}
	if (!set_ports(argv[1], on)) {
		printf("capture: no port %s\n", argv[1]);
		return 1;
	}
	return 0;
}
COMMAND(capture, cmd_capture, "PORT|all on|off [BYTES of each packet]: capture packets; dump: print them for tools/pcap; clear");
