/* SPDX-License-Identifier: MIT */
/*
 * The table of domains and the end of one, against a model: which ids exist, what keeps each, and that no id is used again and
 * nothing freed before the last of that has gone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <vcpu.h>
#undef current
#define current host_current
static struct vcpu *host_current;
#define PARAVANE_CONSOLE_H
#define log_info(...) (void)0
#define log_error(...) (void)0
#define assert(c) assert_true(c)
static size_t vscnprintf(char *to, size_t size, const char *format, va_list arguments) { return 0; }
static void print_registers(const struct cpu_user_regs *regs) { }

#include "../../hypervisor/domain/domain.c"
#include "../../hypervisor/domain/destroy.c"

/* --- in place of other parts ------------------------------------------------------------------------------------- */

static struct vcpu vcpu0, other_vcpu;
static struct cpu cpu[2];
struct cpu *cpus[MAX_CPUS] = { &cpu[0], &cpu[1] };
int cpu_count = 2;
struct vcpu_info no_vcpu_info;
static long pages_in_use;
static bool claimed[FIRST_RESERVED_ID];
static int dom_exc, failing_alloc = -1;
static char sequence[16];	/* what give_back() did, a letter each */

static void note(char c)
{
	size_t n = strlen(sequence);

	sequence[n] = c;
	sequence[n + 1] = 0;
}

void *alloc_pages(int order)
{
	if (!failing_alloc--)
		return NULL;
	pages_in_use += 1l << order;
	return calloc(1, PAGE_SIZE << order);
}

void free_pages(void *p, int order)
{
	pages_in_use -= 1l << order;
	memset(p, 0xa5, PAGE_SIZE << order);
	free(p);
}

void spin_wait(struct spinlock *l) { fail_msg("a lock is taken twice"); }
void preempt_point(void) { }
void vcpu_yield(struct vcpu *v) { }
void vcpu_kick(struct vcpu *v) { }
void send_kick(struct cpu *c) { c->kicks++; }
void control_lock(void) { }
void control_unlock(void) { }
u32 trace_mask;
void trace_event(u32 event, u32 word) { }
void machine_power_off(void) { abort(); }
void machine_restart(void) { abort(); }
void wallclock_update(struct domain *d) { }
void sched_init_domain(struct domain *d) { }
void domain_stop_vcpus(struct domain *d) { }
void send_guest_virq(struct domain *d, int virq) { dom_exc += d == dom0 && virq == VIRQ_DOM_EXC; }
void vcpus_retire(struct domain *d) { assert_true(d->dying); note('r'); }
void vcpu_drop_tables(struct vcpu *v) { note('v'); }
void vcpu_free(struct vcpu *v) { }
void mmu_teardown(struct domain *d) { note('m'); }
void put_frame_type(mfn_t mfn) { }
int evtchn_init(struct domain *d) { return (d->evtchn = alloc_page()) ? 0 : -ENOMEM; }
void evtchn_set_limit(struct domain *d, u32 highest) { }
void evtchn_destroy(struct domain *d) { note('e'); }
void evtchn_free(struct domain *d) { free_page(d->evtchn); }
int grant_init(struct domain *d) { return (d->grants = alloc_page()) ? 0 : -ENOMEM; }
int grant_set_limits(struct domain *d, s32 frames, s32 mapping_frames, u32 version) { return version - 1u < 2 ? 0 : -EINVAL; }
void grant_destroy(struct domain *d) { note('g'); }
bool grant_is_claimed(struct domain *d) { return claimed[d->id]; }
void grant_free(struct domain *d) { assert_false(claimed[d->id]); free_page(d->grants); }

mfn_t share_frame_with(struct domain *d, void *page)
{
	d->lent_pages++;
	return 1;
}

static bool shared_info_mapped;	/* by others: it stays when it is given up */

void unshare_frame(struct domain *d, void *page)
{
	d->lent_pages -= !shared_info_mapped;
	free_page(page);
}

/* --- helpers --------------------------------------------------------------------------------------------------------- */

static const struct xen_domctl_createdomain ordinary = {
	.max_vcpus = 1, .max_evtchn_port = 1023, .max_grant_frames = 4, .max_maptrack_frames = 4, .grant_opts = 1,
};

static struct domain *create(domid_t wish)
{
	domid_t id = domain_free_id(wish);
	int error;

	return id ? domain_create(id, &ordinary, &error) : NULL;
}

static int set_up(void **state)
{
	int error;

	host_current = &vcpu0;
	vcpu0.cpu = &cpu[0];
	vcpu0.domain = domain_create(0, NULL, &error);
	assert_ptr_equal(vcpu0.domain, dom0);
	dom0->vcpu[0] = &vcpu0;
	return 0;
}

/* What exit_work() does. */
static void return_to_guest(void)
{
	if (vcpu0.work & WORK_REAP) {
		vcpu0.work &= ~WORK_REAP;
		domains_reap();
	}
}

static void destroy(struct domain *d)
{
	d->references++;
	sequence[0] = 0;
	assert_int_equal(domain_destroy(d), 0);
	domain_put(d);
	return_to_guest();
}

/* --- cases ------------------------------------------------------------------------------------------------------------- */

static void test_ids(void **state)
{
	struct domain *a = create(0), *b = create(0), *c = create(700);
	int error;

	assert_int_equal(b->id, a->id + 1);
	assert_int_equal(c->id, 700);
	assert_null(create(700));
	assert_null(domain_create(700, &ordinary, &error));
	assert_ptr_equal(domain_find(a->id), a);
	assert_ptr_equal(domain_find(DOMID_SELF), dom0);
	assert_null(domain_get(DOMID_SELF));
	assert_null(domain_find(701));
	assert_null(domain_find(0xffff));
	assert_ptr_equal(domain_next(b->id + 1), c);
	assert_null(domain_next(701));
	destroy(a);
	assert_int_not_equal(domain_free_id(0), b->id - 1);	/* not at once */
	destroy(b);
	destroy(c);
}

static void test_refused(void **state)
{
	struct xen_domctl_createdomain bad[8];
	long before = pages_in_use;
	int error;

	for (int i = 0; i < 8; i++)
		bad[i] = ordinary;
	bad[0].max_vcpus = 0;
	bad[1].max_vcpus = MAX_VCPUS + 1;
	bad[2].flags = XEN_DOMCTL_CDF_hvm;
	bad[3].grant_opts = 3;
	bad[4].max_grant_frames = 65;
	bad[5].vmtrace_size = 1;
	bad[6].arch.emulation_flags = 1u << 20;
	bad[7].arch.misc_flags = 2;
	for (int i = 0; i < 8; i++) {
		assert_null(domain_create(9, &bad[i], &error));
		assert_int_equal(error, -EINVAL);
		assert_null(domain_lookup(9));
	}
	for (int n = 0; n < 4; n++) {
		failing_alloc = n;
		assert_null(domain_create(9, &ordinary, &error));
		assert_int_equal(error, -ENOMEM);
		failing_alloc = -1;
		assert_int_equal(pages_in_use, before);
	}
}

static void test_end(void **state)
{
	long before = pages_in_use;
	struct domain *d = create(0);
	domid_t id = d->id;

	other_vcpu = (struct vcpu){ .domain = d, .info_mfn = INVALID_MFN };
	d->vcpu[0] = &other_vcpu;
	d->vcpu_count = 1;
	dom_exc = 0;
	d->references++;
	sequence[0] = 0;
	assert_int_equal(domain_destroy(d), 0);
	assert_string_equal(sequence, "revmg");
	assert_int_equal(d->dying, DOMAIN_DEAD);
	assert_int_equal(dom_exc, 1);
	assert_ptr_equal(domain_find(id), d);
	domain_put(d);
	return_to_guest();
	assert_null(domain_lookup(id));
	assert_int_equal(dom_exc, 2);
	assert_int_equal(pages_in_use, before);
	assert_int_equal(domain_destroy(dom0), -EINVAL);
}

/* Each of the things that keep one, alone. */
static void test_kept(void **state)
{
	struct domain *d;
	domid_t id;

	for (int what = 0; what < 4; what++) {
		d = create(0);
		id = d->id;
		d->pages = what == 0;
		claimed[id] = what == 1;
		d->references = what == 2;
		shared_info_mapped = what == 3;
		destroy(d);
		assert_ptr_equal(domain_find(id), d);
		assert_int_equal(domain_free_id(id), 0);
		assert_int_equal(domain_destroy(d), 0);
		d->pages = 0;
		claimed[id] = false;
		d->references = 0;
		d->lent_pages -= what == 3;
		shared_info_mapped = false;
		domain_let_go();
		return_to_guest();
		assert_null(domain_lookup(id));
		assert_int_equal(domain_free_id(id), id);
	}
}

static void test_handlers(void **state)
{
	struct domain *d = create(0);

	assert_int_equal(set_virq_handler(d, NR_VIRQS), -EINVAL);
	assert_int_equal(set_virq_handler(d, VIRQ_TIMER), -EINVAL);
	assert_int_equal(set_virq_handler(d, VIRQ_DOM_EXC), 0);
	dom_exc = 0;
	send_global_virq(VIRQ_DOM_EXC);
	assert_int_equal(dom_exc, 0);
	destroy(d);
	assert_true(dom_exc > 0);
}

/* Many, made and ended in any order; each may be kept for a while. */
static void test_many(void **state)
{
	enum { MOST = 3000 };
	static struct domain *alive[MOST], *kept[MOST];
	long before = pages_in_use;
	u32 n = 0, k = 0, seen;

	srand(1);
	for (int step = 0; step < 30000; step++) {
		u32 which = n ? rand() % n : 0;

		if (rand() % 100 < (step < 15000 ? 60 : 40) && n < MOST) {
			alive[n] = create(rand() % 4 ? 0 : 1 + rand() % 32000);
			n += alive[n] != NULL;
		} else if (n && k < MOST) {
			struct domain *d = alive[which];

			alive[which] = alive[--n];
			d->pages = rand() % 8 == 0;
			kept[k] = d;
			k += d->pages != 0;
			destroy(d);
		}
		if (k && rand() % 4 == 0) {
			kept[--k]->pages = 0;
			domain_let_go();
			return_to_guest();
		}
	}
	seen = 0;
	for_each_domain(d)
		seen++;
	assert_int_equal(seen, 1 + n + k);
	while (k) {
		kept[--k]->pages = 0;
		domain_let_go();
		return_to_guest();
	}
	while (n)
		destroy(alive[--n]);
	assert_null(domain_next(1));
	assert_int_equal(pages_in_use, before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_handlers),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
