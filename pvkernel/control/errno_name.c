/* SPDX-License-Identifier: MIT */
/* Errnos by name, for people. */
#include <abi/errno.h>

#include "../include/types.h"
#include "control.h"

const char *errno_name(long err)
{
	static const char *const names[] = {
		[EPERM] = "EPERM",
		[ENOENT] = "ENOENT",
		[ESRCH] = "ESRCH",
		[EIO] = "EIO",
		[ENXIO] = "ENXIO",
		[E2BIG] = "E2BIG",
		[ENOEXEC] = "ENOEXEC",
		[EBADF] = "EBADF",
		[EAGAIN] = "EAGAIN",
		[ENOMEM] = "ENOMEM",
		[EACCES] = "EACCES",
		[EFAULT] = "EFAULT",
		[EBUSY] = "EBUSY",
		[EEXIST] = "EEXIST",
		[EXDEV] = "EXDEV",
		[ENODEV] = "ENODEV",
		[EINVAL] = "EINVAL",
		[ENFILE] = "ENFILE",
		[ENOSPC] = "ENOSPC",
		[EROFS] = "EROFS",
		[ERANGE] = "ERANGE",
		[EDEADLK] = "EDEADLK",
		[ENAMETOOLONG] = "ENAMETOOLONG",
		[ENOSYS] = "ENOSYS",
		[ENODATA] = "ENODATA",
		[ETIME] = "ETIME",
		[EOVERFLOW] = "EOVERFLOW",
		[EMSGSIZE] = "EMSGSIZE",
		[EOPNOTSUPP] = "EOPNOTSUPP",
		[ENOBUFS] = "ENOBUFS",
		[EISCONN] = "EISCONN",
		[ENOTCONN] = "ENOTCONN",
		[ETIMEDOUT] = "ETIMEDOUT",
		[ECONNREFUSED] = "ECONNREFUSED",
	};
	u64 n = err < 0 ? -err : err;

	return n < ARRAY_SIZE(names) && names[n] ? names[n] : "unknown error";
}
