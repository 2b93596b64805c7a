/* SPDX-License-Identifier: MIT */
/*
 * Handlers of hypercalls, one prototype for each line of abi/hypercalls.def. Called with the guest's rdi, rsi, rdx, r10, r8 and
 * the vCPU; the answer goes to rax. A handler runs with interrupts off on the vCPU's own stack.
 */
#ifndef PARAVANE_HYPERCALL_H
#define PARAVANE_HYPERCALL_H

#include <types.h>

struct vcpu;

#define NR_HYPERCALLS 64

typedef long hypercall_handler(u64 a1, u64 a2, u64 a3, u64 a4, u64 a5, struct vcpu *v);

#define HYPERCALL(number, name, nargs, section) hypercall_handler do_##name;
#define ABSENT(number, name)
#include <abi/hypercalls.def>
#undef HYPERCALL
#undef ABSENT

extern hypercall_handler *const hypercall_table[NR_HYPERCALLS];

#endif
