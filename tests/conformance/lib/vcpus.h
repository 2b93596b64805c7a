/* SPDX-License-Identifier: MIT */
/*
 * More vCPUs than the first: each runs what it is given, on a stack of its own, with upcalls masked unless it unmasks them. Only vCPU 0 has
 * the rest of the runtime: attempts, verdicts, `vcpu_info`. Needs `--smp` and `dom0_max_vcpus=` in the test's options.
 */
#ifndef CONFORMANCE_VCPUS_H
#define CONFORMANCE_VCPUS_H

#include "guest.h"

#define TEST_VCPUS 4

struct test_vcpu {
	struct vcpu_info *info;			/* where it is now */
	uint64_t (*volatile function)(uint64_t);	/* what to run; NULL: nothing, it waits */
	volatile uint64_t argument, result;
	volatile uint64_t beats;		/* grows while it waits or a function has it grow */
	volatile unsigned int port_count[64];	/* upcalls for a port that this vCPU took */
	volatile unsigned int upcalls;
	volatile uint64_t first_rsp, first_rdi, first_rflags;	/* as it found them */
	volatile uint8_t first_mask;
};
extern struct test_vcpu test_vcpu[TEST_VCPUS];

/* A context in which vCPU `id` begins with its waiting; the same memory each time. */
struct vcpu_guest_context *vcpu_context(unsigned int id);
int64_t vcpu_op(unsigned int cmd, uint64_t vcpu, const void *arg);
/* initialise, up, and wait until it is there; the run ends if it is not. */
void vcpu_start(unsigned int id);
/* Let it run function(argument); it must not run one already. vcpu_wait() gives the result, or ends the run after five seconds. */
void vcpu_call(unsigned int id, uint64_t (*function)(uint64_t), uint64_t argument);
uint64_t vcpu_wait(unsigned int id);
static inline uint64_t vcpu_run(unsigned int id, uint64_t (*function)(uint64_t), uint64_t argument)
{
	vcpu_call(id, function, argument);
	return vcpu_wait(id);
}

/* Up to five seconds for *word to become something else than `old`; for vCPU 0. */
bool wait_change(const volatile uint64_t *word, uint64_t old);
/* The same for a port of vCPU id's to be delivered `n` times. */
bool wait_port(unsigned int id, unsigned int port, unsigned int n);
void spin_for(uint64_t ns);			/* vCPU 0 */
uint64_t vcpu_time(unsigned int id);		/* system time, by that vCPU's parameters */
unsigned int vcpu_self(void);			/* by the stack */

static inline void relax(void)
{
	__asm__ volatile("pause" : : : "memory");
}

#endif
