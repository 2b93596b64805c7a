/* SPDX-License-Identifier: MIT */
/* The numbers of the ABI's header, and those that only sockets have; both are Linux's. */
#ifndef LWIP_ARCH_ERRNO_H
#define LWIP_ARCH_ERRNO_H

#include <abi/errno.h>

#define EWOULDBLOCK EAGAIN
#define ENOTSOCK 88
#define EDESTADDRREQ 89
#define EPROTOTYPE 91
#define ENOPROTOOPT 92
#define EPROTONOSUPPORT 93
#define EAFNOSUPPORT 97
#define EADDRINUSE 98
#define EADDRNOTAVAIL 99
#define ENETUNREACH 101
#define ECONNABORTED 103
#define ECONNRESET 104
#define EHOSTUNREACH 113
#define EALREADY 114
#define EINPROGRESS 115

/* Of the last call that failed in any thread: lwip_getsockopt(SO_ERROR) tells a socket's own. */
extern int net_errno;
#define errno net_errno

#endif
