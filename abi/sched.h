/* SPDX-License-Identifier: MIT */
/* sched_op: giving up the processor, waiting, stopping the domain. See sched.md. */
#ifndef ABI_SCHED_H
#define ABI_SCHED_H

#define SCHEDOP_yield 0
#define SCHEDOP_block 1
#define SCHEDOP_shutdown 2
#define SCHEDOP_poll 3
#define SCHEDOP_remote_shutdown 4
#define SCHEDOP_shutdown_code 5
#define SCHEDOP_watchdog 6
#define SCHEDOP_pin_override 7

/* sched_shutdown.reason */
#define SHUTDOWN_poweroff 0
#define SHUTDOWN_reboot 1
#define SHUTDOWN_suspend 2
#define SHUTDOWN_crash 3
#define SHUTDOWN_watchdog 4
#define SHUTDOWN_soft_reset 5
#define SHUTDOWN_MAX 5

#ifndef __ASSEMBLY__
#include <stdint.h>

/* 4 bytes. */
struct sched_shutdown {
	uint32_t reason;	/* 0x00 IN: SHUTDOWN_* */
};

/* 24 bytes. */
struct sched_poll {
	uint64_t ports;		/* 0x00 IN: points to nr_ports 32-bit ports */
	uint32_t nr_ports;	/* 0x08 IN: at most 128 */
	uint64_t timeout;	/* 0x10 IN: system time in ns; 0: none */
};

/* 8 bytes. */
struct sched_remote_shutdown {
	uint16_t domain_id;	/* 0x00 IN */
	uint32_t reason;	/* 0x04 IN */
};

/* 8 bytes. */
struct sched_watchdog {
	uint32_t id;		/* 0x00 IN: 0 makes a new one */
	uint32_t timeout;	/* 0x04 IN: seconds from now; 0 ends it */
};

/* 4 bytes. */
struct sched_pin_override {
	int32_t pcpu;		/* 0x00 IN: a processor, or negative for none */
};
#endif

#endif
