/* SPDX-License-Identifier: MIT */
/*
 * A second domain for a test that needs two. It is a copy of the image as it is when it is made:
 * the same code and the same globals at the same addresses, in memory of its own, unprivileged.
 *
 *	static volatile uint64_t answer;
 *
 *	static void second(uint64_t argument)		runs in the other domain
 *	{
 *		answer = argument + 1;
 *	}
 *
 *	struct domain *d = make_domain(1);
 *	check_eq("TAG-1", run_code(d, second, 41), SHUTDOWN_poweroff, "it ends");
 *	check_eq("TAG-2", *in_guest(d, &answer), 42, "and has stored its answer");
 *	destroy_domain(d);
 *
 * The function may use everything of guest.h, check() too: what it prints is kept in its memory
 * and printed by domain 0 (in run_code, or collect_log). Spare pages (page_alloc) are not copied:
 * the copy starts with none taken. When the function returns the domain powers itself off.
 */
#ifndef CONFORMANCE_DOMAIN_H
#define CONFORMANCE_DOMAIN_H

#include "guest.h"
#include <abi/domctl.h>
#include <abi/sysctl.h>

#define DOMAIN_MAX_PAGES 2048UL
/* What wait_shutdown gives for a domain that does not stop in time. */
#define NO_SHUTDOWN -1

struct domain {
	uint16_t id;
	bool made;
	uint64_t nr_pages;			/* its pfns are 0 to nr_pages - 1 */
	uint64_t mfn[DOMAIN_MAX_PAGES];		/* by pfn */
	uint8_t *view[DOMAIN_MAX_PAGES];	/* where domain 0 has mapped it, or NULL */
	uint64_t shared_mfn;
	struct shared_info *shared;		/* the domain's, mapped by domain 0 */
	uint64_t l4_mfn;
	unsigned int verdicts_before;
};

/* --- the calls, with command and interface version filled in; errno --------- */

int64_t domctl(uint32_t cmd, uint16_t id, struct xen_domctl *op);
int64_t sysctl(uint32_t cmd, struct xen_sysctl *op);
/* With the union given in place: domctl_with(XEN_DOMCTL_max_vcpus, id, .u.max_vcpus.max = 1). */
#define domctl_with(cmd, id, ...) domctl(cmd, id, &(struct xen_domctl){ __VA_ARGS__ })
/* One without arguments, such as pausedomain. */
int64_t domctl_simple(uint32_t cmd, uint16_t id);
/* What is told of it; bails if the domain does not exist. */
struct xen_domctl_getdomaininfo domain_info(uint16_t id);
/* createdomain's argument as make_domain uses it. */
struct xen_domctl_createdomain createdomain_arguments(void);
/* What create_empty and make_domain use instead, if not NULL; max_vcpus is theirs. */
extern const struct xen_domctl_createdomain *createdomain_other;
/* An empty domain of any free id with room for vCPUs and memory: not even vCPUs. Negative errno, or the id. */
int64_t create_empty(uint32_t max_vcpus);
int64_t domain_max_vcpus(uint16_t id, uint32_t max);
int64_t domain_max_mem(uint16_t id, uint64_t kib);
/* Give it count single pages; how many came, or errno. */
int64_t domain_populate(uint16_t id, uint64_t *mfns, uint64_t count);
/* Destroy it and wait until its id and its pages are gone. */
void domain_destroy(uint16_t id);
uint64_t free_pages(void);

/* --- another domain's memory ------------------------------------------------ */

/* Put a frame of the domain behind a page of domain 0's; errno. map_back() undoes it. */
int64_t map_other(void *address, uint64_t mfn, uint64_t flags, uint16_t id);
/* The same at a spare page, which is returned; NULL if refused. unmap_other gives the page back. */
void *view_of(uint64_t mfn, uint16_t id);
void unmap_other(void *view);
int64_t mmuext_other(uint32_t cmd, uint64_t mfn, uint16_t id);
int64_t mmu_update_other(uint64_t ptr, uint64_t val, uint32_t foreign);

/* --- whole domains ---------------------------------------------------------- */

/* A copy of the image, complete but for vCPU 0's registers, and paused. */
struct domain *make_domain(uint32_t max_vcpus);
/* The registers with which vCPU 0 would call function(argument). */
void context_for(struct domain *d, struct vcpu_guest_context *c, void (*function)(uint64_t), uint64_t argument);
int64_t set_context(uint16_t id, uint32_t vcpu, const struct vcpu_guest_context *c);
/* vCPU 0 calls function(argument); returns at once. */
void start_code(struct domain *d, void (*function)(uint64_t), uint64_t argument);
/* Sleep until the domain has shut down, at most five seconds: the reason, or NO_SHUTDOWN. Prints its log. */
int wait_shutdown(struct domain *d);
/* start_code, then wait_shutdown. */
int run_code(struct domain *d, void (*function)(uint64_t), uint64_t argument);
/* Print what it has printed since the last time. */
void collect_log(struct domain *d);
void destroy_domain(struct domain *d);

/* The other domain's copy of one of the image's variables, mapped. It may not cross a page. */
#define in_guest(d, pointer) ((__typeof__(pointer))in_guest_at(d, (const void *)(pointer)))
void *in_guest_at(struct domain *d, const void *address);
/* Sleep until *word is not 0, at most five seconds; its value. */
uint32_t wait_for(volatile uint32_t *word);
/* Sleep for so many ns. */
void sleep_for(uint64_t ns);

#endif
