/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's trace buffers (abi/trace.md): switched on and off, and written to the console for a tool on the host,
 * tools/trace, which reads the lines between the two marks. What is written is base64 of the records, CPU after CPU, each CPU's
 * after a TRC_TRACE_CPU_CHANGE record with its number and the bytes that follow.
 */
#include <abi/trace.h>
#include <abi/xen.h>

#include "../include/cmdline.h"
#include "../include/console.h"
#include "../include/lib.h"
#include "../include/mm.h"
#include "../include/sched.h"
#include "../include/shell.h"
#include "../include/time.h"
#include "hypercontrol.h"

#define MAX_TRACED_CPUS 64
#define DEFAULT_PAGES 64	/* of each CPU's buffer */
#define LINE_BYTES 57		/* 76 characters */

static struct t_info *info;
static struct t_buf *buffers[MAX_TRACED_CPUS];
static unsigned int cpus;
static u32 bytes;		/* of each buffer, without its header */

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

	if (info)
		return true;
	if (sysctl(XEN_SYSCTL_physinfo, &machine) || machine.u.physinfo.nr_cpus > MAX_TRACED_CPUS)
		return false;
	if (tbuf(XEN_SYSCTL_TBUFOP_get_info, &where, 0))
		return false;
	if (!where.buffer_mfn && (tbuf(XEN_SYSCTL_TBUFOP_set_size, NULL, pages) || tbuf(XEN_SYSCTL_TBUFOP_get_info, &where, 0)))
		return false;
	if (!map_info(&where))
		return false;
	cpus = machine.u.physinfo.nr_cpus;
	for (unsigned int i = 0; i < cpus; i++)
		if (!map_buffer(i))
			return false;
	bytes = info->tbuf_size * PAGE_SIZE - sizeof(struct t_buf);
	return true;
}

/* What was not read before is forgotten. */
static int start(u32 pages)
{
	if (!attach(pages)) {
		printf("trace: the hypervisor gives no trace buffers of %u pages\n", pages);
		return 1;
	}
	for (unsigned int i = 0; i < cpus; i++)
		buffers[i]->cons = buffers[i]->prod;
	if (tbuf(XEN_SYSCTL_TBUFOP_set_evt_mask, NULL, TRC_ALL) || tbuf(XEN_SYSCTL_TBUFOP_enable, NULL, 0)) {
		printf("trace: the hypervisor does not trace\n");
		return 1;
	}
	return 0;
}

static int stop(void)
{
	return tbuf(XEN_SYSCTL_TBUFOP_disable, NULL, 0) != 0;
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

static void put_bytes(const u8 *p, u32 count)
{
	while (count--) {
		line[in_line++] = *p++;
		if (in_line == LINE_BYTES)
			flush_line();
	}
}

/* How many bytes wait in a buffer: never more than it has. */
static u32 waiting(const struct t_buf *b, u32 cons, u32 prod)
{
	u32 count = prod >= cons ? prod - cons : prod + 2 * bytes - cons;

	return count <= bytes ? count : 0;
}

static u32 dump_cpu(unsigned int cpu)
{
	struct t_buf *b = buffers[cpu];
	u32 cons = b->cons, prod = __atomic_load_n(&b->prod, __ATOMIC_ACQUIRE), count = waiting(b, cons, prod);
	u32 header[3] = { TRC_TRACE_CPU_CHANGE | 2u << TRACE_EXTRA_SHIFT, cpu, count };
	const u8 *data = (const u8 *)(b + 1);
	u32 at = cons % bytes, first = MIN(count, bytes - at);

	put_bytes((const u8 *)header, sizeof(header));
	put_bytes(data + at, first);
	put_bytes(data, count - first);
	__atomic_store_n(&b->cons, prod, __ATOMIC_RELEASE);
	return count;
}

static int dump(void)
{
	u32 total = 0;

	if (!info) {
		printf("trace: nothing was traced\n");
		return 1;
	}
	printf("-----BEGIN TRACE-----\n");
	for (unsigned int i = 0; i < cpus; i++)
		total += dump_cpu(i);
	flush_line();
	printf("-----END TRACE-----\ntrace: %u bytes of %u CPUs\n", total, cpus);
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
		return start(number ? number : DEFAULT_PAGES);
	if (argc == 2 && parse_u64(argv[1], &number)) {
		if (start(DEFAULT_PAGES))
			return 1;
		thread_sleep(number * NSEC_PER_MSEC);
		return stop() || dump();
	}
	printf("usage: trace start [PAGES] | stop | dump | MILLISECONDS\n");
	return 1;
}
COMMAND(trace, cmd_trace, "start [PAGES] | stop | dump | MILLISECONDS: what CPUs and guests do (tools/trace reads it)");
