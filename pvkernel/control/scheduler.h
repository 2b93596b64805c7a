/* SPDX-License-Identifier: MIT */
/* Who runs where and how much: affinity, weight and cap, by whichever scheduler the hypervisor has. */
#ifndef CTL_SCHEDULER_H
#define CTL_SCHEDULER_H

#include "../include/types.h"

#define SCHED_WEIGHT_KEEP 0
#define SCHED_CAP_KEEP 0xffff

/* Each 0 or a negative errno. */
long sched_set(u16 domid, u16 weight, u16 cap);
long sched_get(u16 domid, u16 *weight, u16 *cap);
const char *sched_name(void);
long affinity_set(u16 domid, u32 vcpu, u64 cpus);	/* bit n: may run on CPU n */
long affinity_get(u16 domid, u32 vcpu, u64 *hard, u64 *soft);

#endif
