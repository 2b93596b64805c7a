/* SPDX-License-Identifier: MIT */
/*
 * What happens, written down as it happens: a buffer of records for each CPU, which only that CPU writes and only domain 0
 * reads, so there is no lock. A full buffer loses records and says how many.
 *
 * While it is off it costs nothing on the ways in and out: when it is on, SYSCALL and the IDT lead to other entries, which record and
 * then go on to the usual ones, and a recorded entry gives its vCPU WORK_TRACE, so that the return is recorded too.
 */
#ifndef PARAVANE_TRACE_H
#define PARAVANE_TRACE_H

#include <abi/trace.h>
#include <types.h>

struct xen_sysctl_tbuf_op;
struct vcpu;

extern u32 trace_mask;		/* classes wanted; 0: tracing is off */

/* --- called by entry.S: v enters, its registers not yet all saved ------------------------------------- */
void trace_hypercall(struct vcpu *v);
void trace_vector(int vector, const u64 *pushed);	/* by the CPU, from the error code on, or rip where there is none */

void trace_return(struct vcpu *v);	/* v goes back to its guest */

/* --- called while trace_mask is not 0; they keep all registers, so that who calls pays two instructions while it is ---------- */
slow_path void trace_runstate_change(struct vcpu *v, int state);	/* which it is about to have */
slow_path void trace_switch(const struct vcpu *next);	/* this CPU turns to it */
slow_path void trace_event(u32 event, u32 word);

/* On this CPU: its entries become those that trace_mask asks for. */
void trace_load_entries(void);

/* sysctl's tbuf_op, copied in and to be copied out: 0; -EINVAL: not possible (now); -ENOMEM; -EFAULT: the CPU mask. */
int trace_control(struct xen_sysctl_tbuf_op *op);

#endif
