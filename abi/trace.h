/* SPDX-License-Identifier: MIT */
/* Trace buffers: records that the hypervisor writes and domain 0 reads from pages of DOMID_XEN. See trace.md. */
#ifndef ABI_TRACE_H
#define ABI_TRACE_H

/* Classes of events, for sysctl tbuf_op's evt_mask. */
#define TRC_GEN 0x0001f000
#define TRC_SCHED 0x0002f000
#define TRC_DOM0OP 0x0004f000
#define TRC_MEM 0x0010f000
#define TRC_PV 0x0020f000
#define TRC_HW 0x0080f000
#define TRC_ALL 0x0ffff000
#define TRC_CLASSES 0x0fff0000	/* an event is recorded if the mask has a bit of its class */
#define TRC_PARTS 0x0000f000	/* and one of these of it */

#define TRC_64_FLAG 0x100	/* addresses take two words */

#define TRC_LOST_RECORDS 0x0001f001
#define TRC_TRACE_WRAP_BUFFER 0x0001f002
#define TRC_TRACE_CPU_CHANGE 0x0001f003

#define TRC_SCHED_RUNSTATE_CHANGE 0x00021001
#define TRC_SCHED_SLEEP 0x00028003
#define TRC_SCHED_WAKE 0x00028004
#define TRC_SCHED_YIELD 0x00028005
#define TRC_SCHED_BLOCK 0x00028006
#define TRC_SCHED_SHUTDOWN 0x00028007
#define TRC_SCHED_SWITCH 0x0002800a

#define TRC_DOM0_DOM_ADD 0x00041001
#define TRC_DOM0_DOM_REM 0x00041002

#define TRC_MEM_PAGE_GRANT_MAP 0x0010f001
#define TRC_MEM_PAGE_GRANT_UNMAP 0x0010f002
#define TRC_MEM_PAGE_GRANT_TRANSFER 0x0010f003

#define TRC_PV_TRAP 0x00201003
#define TRC_PV_PAGE_FAULT 0x00201004
#define TRC_PV_EMULATE_PRIVOP 0x00201006
#define TRC_PV_PTWR_EMULATION 0x0020100b
#define TRC_PV_HYPERCALL_V2 0x0020100d
#define TRC_PV_HYPERCALL_SUBCALL 0x0020200e
#define TRC_HW_IRQ_HANDLED 0x00802008

/* This hypervisor's own, in the classes above at numbers that the ABI leaves free. */
#define TRC_PARAVANE_RETURN 0x00201041
#define TRC_PARAVANE_EVENT_SEND 0x00201042
#define TRC_PARAVANE_INTERRUPT 0x00801040

#define TRACE_EXTRA_MAX 7
#define TRACE_EXTRA_SHIFT 28
#define TRACE_HAS_CYCLES (1u << 31)

#ifndef __ASSEMBLY__
#include <stdint.h>

/* A CPU's buffer of `size` bytes begins after this. Both run from 0 to 2 * size and start again. 8 bytes. */
struct t_buf {
	uint32_t cons;		/* 0x00 SHARED: next byte to be read; the reader writes it */
	uint32_t prod;		/* 0x04 SHARED: next byte to be written; the hypervisor writes it */
};

/* Where the buffers are: a 16-bit offset for each CPU follows, in words of 4 bytes, of its list of 32-bit frames. 2 bytes. */
struct t_info {
	uint16_t tbuf_size;	/* 0x00 OUT: pages of each CPU's buffer, the one with the header counted */
};
#endif

#endif
