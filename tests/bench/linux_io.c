/* SPDX-License-Identifier: MIT */
/*
 * What the network costs a Linux, by the services of pvkernel's `netbench serve` and `echod`: as pvkernel/net/apps/netbench.c has it.
 *
 *	linux_io HOST out|in MIB	one MiB by TCP
 *	linux_io HOST echo COUNT	one datagram of 64 bytes and its echo, 32 under way
 *	linux_io seed		makes Linux believe that its random numbers are
 *
 * Prints "cost: WHAT: N ns each of COUNT".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK (128 << 10)
#define DATAGRAM 64
#define AT_ONCE 32

static char buffer[CHUNK];

static uint64_t ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ul + t.tv_nsec;
}

static void must(int good, const char *what)
{
	if (good)
		return;
	printf("%s: %s\n", what, strerror(errno));
	exit(1);
}

/* Until the other side has everything and has closed. */
static void out(int fd, uint64_t bytes)
{
	for (uint64_t done = 0; done < bytes;) {
		ssize_t n = write(fd, buffer, bytes - done < CHUNK ? bytes - done : CHUNK);

		must(n > 0, "write");
		done += n;
	}
	must(!shutdown(fd, SHUT_WR) && !read(fd, buffer, 1), "close");
}

static void in(int fd, uint64_t bytes)
{
	for (uint64_t done = 0; done < bytes;) {
		ssize_t n = read(fd, buffer, CHUNK);

		must(n > 0, "read");
		done += n;
	}
}

static void echo(int fd, uint64_t count)
{
	uint64_t sent = 0;

	for (uint64_t back = 0; back < count; back++) {
		for (; sent < count && sent < back + AT_ONCE; sent++)
			must(send(fd, buffer, DATAGRAM, 0) == DATAGRAM, "send");
		must(recv(fd, buffer, DATAGRAM, 0) == DATAGRAM, "receive");
	}
}

/* Believed to be random, so that Linux has its generator ready: it comes from nowhere, and is the same each time. */
static int seed(void)
{
	struct {
		int bits, bytes;
		uint8_t data[64];
	} pool = { .bits = 512, .bytes = 64 };
	int fd = open("/dev/random", O_RDWR);

	must(fd >= 0 && !ioctl(fd, RNDADDENTROPY, &pool), "seed");
	return 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_in host = { .sin_family = AF_INET };
	struct timeval patience = { .tv_sec = 30 };
	uint64_t count = argc == 4 ? strtoul(argv[3], NULL, 10) : 0, start;
	int udp = argc == 4 && !strcmp(argv[2], "echo"), outwards = argc == 4 && !strcmp(argv[2], "out"), fd;

	if (argc == 2 && !strcmp(argv[1], "seed"))
		return seed();
	if (!count || inet_pton(AF_INET, argv[1], &host.sin_addr) != 1 || (!udp && !outwards && strcmp(argv[2], "in"))) {
		printf("usage: linux_io HOST out|in MIB | HOST echo COUNT | seed\n");
		return 2;
	}
	host.sin_port = htons(udp ? 7 : outwards ? 9 : 19);
	fd = socket(AF_INET, udp ? SOCK_DGRAM : SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	start = ns();
	must(fd >= 0 && !connect(fd, (struct sockaddr *)&host, sizeof(host)), "connect");
	if (udp)
		echo(fd, count);
	else if (outwards)
		out(fd, count << 20);
	else
		in(fd, count << 20);
	printf("cost: %s: %lu ns each of %lu\n", argv[2], (ns() - start) / count, count);
	return 0;
}
