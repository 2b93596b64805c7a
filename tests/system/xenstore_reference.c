/* SPDX-License-Identifier: MIT */
/*
 * What xenstored of the reference believes to run on, preloaded into it: a hypervisor, event channels and other domains'
 * pages. A domain's ring page is the file ring<N> in XENSTORED_RUNDIR; an event is a byte, the port, in the fifo
 * `events` there. Nothing is ever told to the domains: who tests polls.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xenctrl.h>
#include <xenevtchn.h>
#include <xengnttab.h>

static int events = -1;

static int real_open(const char *path, int flags)
{
	int (*fn)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");

	return fn(path, flags, 0600);
}

static int open_here(const char *name, int flags)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", getenv("XENSTORED_RUNDIR"), name);
	return real_open(path, flags);
}

static int open_ring(unsigned domid)
{
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "ring%u", domid);
	fd = open_here(name, O_RDWR | O_CREAT);
	return ftruncate(fd, 4096) ? -1 : fd;
}

/* How domain 0's kernel gives the server its page and port. */
int open(const char *path, int flags, ...)
{
	if (!strcmp(path, "/proc/xen/xsd_port"))
		return open_here("port", O_RDONLY);
	if (!strcmp(path, "/proc/xen/xsd_kva") || !strcmp(path, "/dev/xen/xenbus") || !strcmp(path, "/proc/xen/xenbus"))
		return open_ring(0);
	return real_open(path, flags);
}

xenevtchn_handle *xenevtchn_open(xentoollog_logger *l, unsigned flags)
{
	events = open_here("events", O_RDWR | O_NONBLOCK);
	return (void *)&events;
}

int xenevtchn_fd(xenevtchn_handle *x)
{
	return events;
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *x, uint32_t domid, evtchn_port_t port)
{
	return 100 + domid;
}

xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *x, unsigned virq)
{
	return 99;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *x)
{
	unsigned char port;

	return read(events, &port, 1) == 1 ? port : -1;
}

int xenevtchn_notify(xenevtchn_handle *x, evtchn_port_t port)
{
	return 0;
}

int xenevtchn_unbind(xenevtchn_handle *x, evtchn_port_t port)
{
	return 0;
}

int xenevtchn_unmask(xenevtchn_handle *x, evtchn_port_t port)
{
	return 0;
}

xengnttab_handle *xengnttab_open(xentoollog_logger *l, unsigned flags)
{
	return (void *)&events;
}

int xengnttab_set_max_grants(xengnttab_handle *x, uint32_t count)
{
	return 0;
}

void *xengnttab_map_grant_ref(xengnttab_handle *x, uint32_t domid, uint32_t ref, int prot)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, open_ring(domid), 0);
}

int xengnttab_unmap(xengnttab_handle *x, void *page, uint32_t count)
{
	return munmap(page, 4096);
}

xc_interface *xc_interface_open(xentoollog_logger *l, xentoollog_logger *d, unsigned flags)
{
	return (void *)&events;
}

int xc_interface_close(xc_interface *x)
{
	return 0;
}

/* All domains live. */
int xc_domain_getinfo(xc_interface *x, uint32_t first, unsigned max, xc_dominfo_t *info)
{
	memset(info, 0, sizeof(*info));
	info->domid = first;
	return 1;
}
