/* SPDX-License-Identifier: MIT */
/* What a guest is told about time and about its vCPUs' running, and the timers it may set. */
#ifndef PARAVANE_PVCLOCK_H
#define PARAVANE_PVCLOCK_H

#include <domain.h>
#include <types.h>
#include <vcpu.h>

/* --- domain/pvclock.c -------------------------------------------------------------------------------- */

void pvclock_update(struct vcpu *v);		/* clock parameters into vcpu_info; the vCPU is made or its vcpu_info has moved */
void wallclock_update(struct domain *d);	/* wallclock_at_boot into shared_info */

extern u32 wallclock_nsec;			/* what wallclock_at_boot leaves out; platform_op.c */

/* Accounts the time since the last change; RUN_RUNNING, with v's address space loaded, also writes the registered areas. */
void runstate_change(struct vcpu *v, int state, u64 now);
void runstate_get(struct vcpu *v, struct vcpu_runstate_info *info);
void vcpu_write_runstate_area(struct vcpu *v);	/* these two: v's address space is loaded */
void vcpu_write_time_area(struct vcpu *v);

/* --- domain/vcpu_op.c ---------------------------------------------------------------------------------- */

void vcpu_timers_init(struct vcpu *v);	/* a new vCPU's timers; the periodic one has 10 ms */
void vcpu_timers_start(struct vcpu *v);	/* it runs for the first time, and so does the periodic one */

#endif
