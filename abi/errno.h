/* SPDX-License-Identifier: MIT */
/*
 * Error words. A hypercall that fails returns the negative of one of these in rax.
 * They equal the C library's on x86-64 Linux token for token, so that this header and <errno.h>
 * may be included together.
 */
#ifndef ABI_ERRNO_H
#define ABI_ERRNO_H

#define EPERM 1		/* the caller may not do this */
#define ENOENT 2	/* no such vCPU or entry */
#define ESRCH 3		/* no such domain */
#define EIO 5		/* device error */
#define ENXIO 6		/* no such address or index */
#define E2BIG 7		/* list too long */
#define ENOEXEC 8	/* not an image that can be run */
#define EBADF 9		/* bad handle */
#define EAGAIN 11	/* not now; the same call may succeed later */
#define ENOMEM 12	/* out of memory */
#define EACCES 13	/* refused: wrong interface version, or wrong sort of caller */
#define EFAULT 14	/* a guest pointer that cannot be read or written */
#define EBUSY 16	/* in use in a way that forbids the operation */
#define EEXIST 17	/* already there */
#define EXDEV 18	/* crosses a boundary it must not cross */
#define ENODEV 19	/* no such register or device */
#define EINVAL 22	/* an argument outside its documented values */
#define ENFILE 23	/* table full */
#define ENOSPC 28	/* no free port, slot or handle */
#define EROFS 30	/* read-only */
#define ERANGE 34	/* result or argument out of range */
#define EDEADLK 35	/* would never end */
#define ENAMETOOLONG 36	/* string too long */
#define ENOSYS 38	/* no such hypercall or sub-operation */
#define ENODATA 61	/* nothing there to report */
#define ETIME 62	/* the deadline has passed */
#define EOVERFLOW 75	/* value too large for its field */
#define EMSGSIZE 90	/* message of a wrong size */
#define EOPNOTSUPP 95	/* known, and not possible in this state */
#define ENOBUFS 105	/* the buffer given is too small */
#define EISCONN 106	/* already connected */
#define ENOTCONN 107	/* not connected */
#define ETIMEDOUT 110	/* waited too long */
#define ECONNREFUSED 111	/* the other side refused */

#endif
