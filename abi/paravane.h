/* SPDX-License-Identifier: MIT */
/* paravane_op: what only this hypervisor does; other hypervisors of the ABI answer -ENOSYS. See paravane.md. */
#ifndef ABI_PARAVANE_H
#define ABI_PARAVANE_H

#define __HYPERVISOR_paravane_op 56

/* rsi: PARAVANE_COUNTERS 64-bit words to fill, indexed by PARAVANE_COUNT_*; answers how many it filled. */
#define PARAVANE_read_counters 0

/* rsi: a domain, rdx: 1 it may manage others from now on, 0 it may not. */
#define PARAVANE_set_control 1

/* rsi: a domain, rdx: as PARAVANE_read_counters, of that domain. */
#define PARAVANE_domain_counters 2

#define PARAVANE_COUNTERS 16
#define PARAVANE_COUNT_hypercalls 0
#define PARAVANE_COUNT_interpreted 1
#define PARAVANE_COUNT_pt_emulated 2
#define PARAVANE_COUNT_bounced 3
#define PARAVANE_COUNT_interrupts 4
#define PARAVANE_COUNT_upcalls 5
#define PARAVANE_COUNT_cr3_loads 6
#define PARAVANE_COUNT_tlb_flushes 7
#define PARAVANE_COUNT_page_faults 8
#define PARAVANE_COUNT_gp_faults 9
#define PARAVANE_COUNT_switches 10

#endif
