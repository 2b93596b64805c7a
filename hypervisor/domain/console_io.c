/* SPDX-License-Identifier: MIT */
/* The hypervisor's console for domain 0: bytes out, and in what has come without waiting. */
#include <abi/console.h>
#include <console.h>
#include <domain.h>
#include <hypercall.h>
#include <uaccess.h>

#define CHUNK 128

static long write_out(u64 buffer, u32 bytes)
{
	char chunk[CHUNK];
	u32 n;

	for (; bytes; bytes -= n, buffer += n) {
		n = min(bytes, (u32)CHUNK);
		if (copy_from_guest(chunk, buffer, n))
			return -EFAULT;
		console_write(chunk, n);
		preempt_point();
	}
	return 0;
}

static long read_in(u64 buffer, u32 bytes)
{
	char chunk[CHUNK];
	u32 done = 0;
	int n;

	while (done < bytes && (n = console_read(chunk, min(bytes - done, (u32)CHUNK))) > 0) {
		if (copy_to_guest(buffer + done, chunk, n))
			return -EFAULT;
		done += n;
		preempt_point();
	}
	return done;
}

long do_console_io(u64 command, u64 bytes, u64 buffer, u64 a4, u64 a5, struct vcpu *v)
{
	if (!v->domain->privileged)
		return -EPERM;
	switch ((u32)command) {
	case CONSOLEIO_write:
		return write_out(buffer, bytes);
	case CONSOLEIO_read:
		if ((u32)bytes >> 31)
			return -E2BIG;
		return read_in(buffer, bytes);
	default:
		return -ENOSYS;
	}
}
