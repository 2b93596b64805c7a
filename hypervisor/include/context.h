/* SPDX-License-Identifier: MIT */
/* A vCPU's whole state as the ABI has it: VCPUOP_initialise, XEN_DOMCTL_setvcpucontext and _getvcpucontext (domain/context.c). */
#ifndef PARAVANE_CONTEXT_H
#define PARAVANE_CONTEXT_H

#include <abi/arch-x86_64.h>
#include <types.h>
#include <vcpu.h>

#define CONTEXT_ORDER 1		/* of the pages that hold one: it is larger than a stack here is */
BUILD_ASSERT(sizeof(struct vcpu_guest_context) <= PAGE_SIZE << CONTEXT_ORDER);

/*
 * The vCPU does not run. The first time all of c is taken and the vCPU is initialised; later registers, entries and segment bases. 0;
 * -EINVAL: a value that no vCPU may have, or frames that are no such tables; -EOPNOTSUPP: tables that differ from those it has. What c
 * says of up and down is the caller's business.
 */
int vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *c);
void vcpu_get_context(const struct vcpu *v, struct vcpu_guest_context *c);	/* c is zeroed */
/* The references on roots, GDT and LDT go; it is as before its initialisation. No CPU has its state. */
void vcpu_drop_tables(struct vcpu *v);

#endif
