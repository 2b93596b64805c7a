/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's trace buffers (abi/trace.md). While tracing, a thread moves records out of them whenever one is half full:
 *
 *     capture: TRC_TRACE_CPU_CHANGE { cpu, bytes } | bytes of that CPU's records | TRC_TRACE_CPU_CHANGE ...
 *
 * and `dump` writes that to the console as base64 between two marks, for tools/trace on the host.
 */
#include <abi/trace.h>
#include <abi/xen.h>

#include "../include/cmdline.h"
#include "../include/console.h"
#include "../include/evtchn.h"
#include "../include/lib.h"
#include "../include/mm.h"
#include "../include/sched.h"
#include "../include/shell.h"
#include "../include/time.h"
#include "../include/traps.h"
#include "hypercontrol.h"

#define MAX_TRACED_CPUS 64
#define BUFFER_PAGES 64		/* of each CPU */
#define DEFAULT_MIB 4
#define MAX_MIB 1024
#define LINE_BYTES 57		/* 76 characters */

static struct t_info *info;
static struct t_buf *buffers[MAX_TRACED_CPUS];
static unsigned int cpus;
static u32 bytes;		/* of each buffer, without its header; 0 until all are mapped */
static u8 *capture;
static u64 capture_size, captured;
static bool tracing;
static struct thread *collector;
static struct wait_queue half_full = WAIT_QUEUE_INIT(half_full);

/* --- control -------------------------------------------------------------------------------- */

static long tbuf(u32 cmd, struct xen_sysctl_tbuf_op *result, u32 value)
{
	struct xen_sysctl op = { .u.tbuf_op = { .cmd = cmd, .evt_mask = value, .size = value } };
	long err = sysctl(XEN_SYSCTL_tbuf_op, &op);

	if (result)
		*result = op.u.tbuf_op;
	return err;
}

static bool map_buffer(unsigned int cpu)
{
	const u32 *list = (const u32 *)info + ((const u16 *)(info + 1))[cpu];
	u64 *frames = kmalloc(info->tbuf_size * sizeof(u64));

	if (!frames)
		return false;
	for (unsigned int i = 0; i < info->tbuf_size; i++)
		frames[i] = list[i];
	buffers[cpu] = vmap_foreign(DOMID_XEN, frames, info->tbuf_size, PROT_WRITE);
	kfree(frames);
	return buffers[cpu];
}

static bool map_info(const struct xen_sysctl_tbuf_op *where)
{
	u64 frames[64], count = PAGE_ALIGN_UP(where->size) >> PAGE_SHIFT;

	if (!where->buffer_mfn || count > 64)
		return false;
	for (u64 i = 0; i < count; i++)
		frames[i] = where->buffer_mfn + i;
	info = vmap_foreign(DOMID_XEN, frames, count, PROT_READ);
	return info;
}

/* Buffers, once made, stay as they are, so they are mapped once. */
static bool attach(u32 pages)
{
	struct xen_sysctl machine = { 0 };
	struct xen_sysctl_tbuf_op where;

	if (bytes)
		return true;
	if (sysctl(XEN_SYSCTL_physinfo, &machine) || machine.u.physinfo.nr_cpus > MAX_TRACED_CPUS)
		return false;
	if (tbuf(XEN_SYSCTL_TBUFOP_get_info, &where, 0))
		return false;
	if (!where.buffer_mfn && (tbuf(XEN_SYSCTL_TBUFOP_set_size, NULL, pages) || tbuf(XEN_SYSCTL_TBUFOP_get_info, &where, 0)))
		return false;
	if (!info && !map_info(&where))
		return false;
	cpus = machine.u.physinfo.nr_cpus;
	for (unsigned int i = 0; i < cpus; i++)
		if (!buffers[i] && !map_buffer(i))
			return false;
	bytes = info->tbuf_size * PAGE_SIZE - sizeof(struct t_buf);
	return true;
}

/* --- collecting ----------------------------------------------------------------------------- */

static void put(const void *p, u64 count)
{
	memcpy(capture + captured, p, count);
	captured += count;
}

/* Moves what waits in a CPU's buffer, unless it is nonsense or the capture is full: then the hypervisor counts what it loses. */
static void collect_cpu(unsigned int cpu)
{
	struct t_buf *b = buffers[cpu];
	u32 cons = b->cons, prod = __atomic_load_n(&b->prod, __ATOMIC_ACQUIRE);
	u32 count = prod >= cons ? prod - cons : prod + 2 * bytes - cons;
	u32 header[3] = { TRC_TRACE_CPU_CHANGE | 2u << TRACE_EXTRA_SHIFT, cpu, count };
	u32 at = cons % bytes, first = MIN(count, bytes - at);

	if (!count || count > bytes || captured + sizeof(header) + count > capture_size)
		return;
	put(header, sizeof(header));
	put((const u8 *)(b + 1) + at, first);
	put(b + 1, count - first);
	__atomic_store_n(&b->cons, prod, __ATOMIC_RELEASE);
}

static void collect(void)
{
	for (unsigned int i = 0; i < cpus; i++)
		collect_cpu(i);
}

static void collector_thread(void *unused)
{
	bool irq = irq_save();

	while (tracing) {
		wait_on(&half_full);
		collect();
	}
	irq_restore(irq);
}

static void wake_collector(void *unused)
{
	wake_up(&half_full);
}

static bool prepare(u64 mib)
{
	static int port;

	if (!attach(BUFFER_PAGES))
		return false;
	if (port <= 0)
		port = evtchn_bind_virq(VIRQ_TBUF, wake_collector, NULL);
	if (capture)
		vfree(capture);
	captured = 0;
	capture_size = mib << 20;
	capture = vmalloc(capture_size);
	return capture && port > 0;
}

static int stop(void)
{
	if (!tracing) {
		printf("trace: it is not on\n");
		return 1;
	}
	tbuf(XEN_SYSCTL_TBUFOP_disable, NULL, 0);
	tracing = false;
	wake_up(&half_full);
	if (collector)
		thread_join(collector);
	collect();
	return 0;
}

/* What was not collected before is forgotten. */
static int start(u64 mib)
{
	if (tracing) {
		printf("trace: it is on\n");
		return 1;
	}
	if (mib > MAX_MIB || !prepare(mib)) {
		printf("trace: no buffers of the hypervisor's, or no %lu MiB for what they collect\n", mib);
		return 1;
	}
	for (unsigned int i = 0; i < cpus; i++)
		buffers[i]->cons = buffers[i]->prod;
	tracing = true;
	collector = thread_create("trace", collector_thread, NULL);
	if (!collector || tbuf(XEN_SYSCTL_TBUFOP_set_evt_mask, NULL, TRC_ALL) || tbuf(XEN_SYSCTL_TBUFOP_enable, NULL, 0)) {
		printf("trace: the hypervisor does not trace\n");
		stop();
		return 1;
	}
	return 0;
}

/* --- output ------------------------------------------------------------------------------------ */

static u8 line[LINE_BYTES];
static unsigned int in_line;

static void flush_line(void)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char text[LINE_BYTES / 3 * 4 + 1];
	unsigned int n = 0;

	for (unsigned int i = 0; i < in_line; i += 3) {
		u32 bits = line[i] << 16 | (i + 1 < in_line ? line[i + 1] : 0) << 8 | (i + 2 < in_line ? line[i + 2] : 0);

		for (unsigned int j = 0; j < 4; j++)
			text[n++] = i + j <= in_line ? digits[bits >> (18 - 6 * j) & 63] : '=';
	}
	text[n++] = '\n';
	if (in_line)
		console_write(text, n);
	in_line = 0;
}

static void put_bytes(const u8 *p, u64 count)
{
	while (count--) {
		line[in_line++] = *p++;
		if (in_line == LINE_BYTES)
			flush_line();
	}
}

static int dump(void)
{
	if (!captured) {
		printf("trace: nothing was traced\n");
		return 1;
	}
	printf("-----BEGIN TRACE-----\n");
	put_bytes(capture, captured);
	flush_line();
	printf("-----END TRACE-----\ntrace: %lu bytes of %u CPUs\n", captured, cpus);
	return 0;
}

static int cmd_trace(int argc, char **argv)
{
	u64 number = 0;

	if (argc == 2 && !strcmp(argv[1], "stop"))
		return stop();
	if (argc == 2 && !strcmp(argv[1], "dump"))
		return dump();
	if (argc >= 2 && argc <= 3 && !strcmp(argv[1], "start") && (argc == 2 || parse_u64(argv[2], &number)))
		return start(number ? number : DEFAULT_MIB);
	if (argc == 2 && parse_u64(argv[1], &number)) {
		if (start(DEFAULT_MIB))
			return 1;
		thread_sleep(number * NSEC_PER_MSEC);
		return stop() || dump();
	}
	printf("usage: trace start [MIB] | stop | dump | MILLISECONDS\n");
	return 1;
}
COMMAND(trace, cmd_trace, "start [MIB] | stop | dump | MILLISECONDS: what CPUs and guests do (tools/trace reads it)");
