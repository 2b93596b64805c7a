/* SPDX-License-Identifier: MIT */
/* Physical interrupts: domain 0's numbers for those of the machine (ipc/pirq.c). Only domain 0 has any. */
#ifndef PARAVANE_PIRQ_H
#define PARAVANE_PIRQ_H

#include <cpu.h>
#include <spinlock.h>
#include <types.h>

#define NR_PIRQS 256	/* those of lines first, those of messages from the end */

extern struct spinlock pirq_lock;	/* pirqs, the I/O APICs, messages and their tables */

/* Each gives the pirq, or an errno; wanted < 0: any. */
int pirq_map_line(s32 gsi, s32 wanted);		/* -EINVAL; -EEXIST: it has or will have another pirq, or its port is not closed yet; -ENOSPC: no vector */
int pirq_map_message(u16 function, bool msix, u32 entry, s32 wanted);	/* -EEXIST, -EBUSY, -ENOSPC, and as msi_claim() */
int pirq_reserve(bool line);			/* for a later mapping; -ENOSPC */

int pirq_unmap(u32 pirq);			/* 0, -EINVAL: not mapped */
void pirq_unmap_function(u16 function);		/* all its messages: it goes */
void pirq_restore_function(u16 function);	/* they are written anew: the function was reset */
int pirq_setup_line(u32 gsi, bool level, bool low);	/* 0, -EINVAL, -EEXIST: set before, or in use */
int pirq_eoi(u32 pirq);				/* 0, -EINVAL */
void pirq_set_eoi_page(u64 *page, bool unmasks);	/* a bit for each that needs eoi; eoi unmasks its port, too */

/*
 * Under domain 0's event channel lock, which guards the port of a pirq. Bind: the interrupt comes to this CPU from now on. -EINVAL, -EPERM:
 * not mapped, -EEXIST: bound, -EBUSY: it is the hypervisor's own.
 */
int pirq_bind(u32 pirq, u32 port, const struct cpu *c);
void pirq_unbind(u32 pirq);
void pirq_move(u32 pirq, const struct cpu *c);
u32 pirq_port(u32 pirq);	/* 0: not bound */

void pirq_interrupt(int vector);	/* a device's vector; it acknowledges it */

#endif
