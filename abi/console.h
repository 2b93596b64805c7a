/* SPDX-License-Identifier: MIT */
/* The hypervisor's console (console_io) and the ring page of a guest's own console. See console.md. */
#ifndef ABI_CONSOLE_H
#define ABI_CONSOLE_H

/* console_io: first argument. */
#define CONSOLEIO_write 0
#define CONSOLEIO_read 1

#ifndef __ASSEMBLY__
#include <stdint.h>

/* Two byte rings in one page. Indices run freely; take them modulo the ring. 3088 bytes. */
struct xencons_interface {
	char in[1024];		/* 0x000 SHARED: to the guest */
	char out[2048];		/* 0x400 SHARED: from the guest */
	uint32_t in_cons;	/* 0xc00 SHARED: guest writes */
	uint32_t in_prod;	/* 0xc04 SHARED: backend writes */
	uint32_t out_cons;	/* 0xc08 SHARED: backend writes */
	uint32_t out_prod;	/* 0xc0c SHARED: guest writes */
};
#endif

#endif
