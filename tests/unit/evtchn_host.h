/* SPDX-License-Identifier: MIT */
/*
 * Event channels on the host: their own two files, with two domains of two vCPUs around them. A hypercall's structure lies at
 * GUEST_START, where it may be unreadable or unwritable; frames that a domain can give are host_frame[], by index. What would
 * be done to a vCPU is counted.
 */
#ifndef EVTCHN_HOST_H
#define EVTCHN_HOST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <layout.h>
#include <string.h>
#include <types.h>

/* --- in place of headers ------------------------------------------------------------------------------------------ */

#define PARAVANE_SPINLOCK_H
struct spinlock {
	bool held;
};
static int locks_held;

static inline void spin_lock(struct spinlock *l)
{
	assert_false(l->held);
	l->held = true;
	locks_held++;
}

static inline void spin_unlock(struct spinlock *l)
{
	assert_true(l->held);
	l->held = false;
	locks_held--;
}

#define PARAVANE_UACCESS_H
#define GUEST_START 0x40000000ull

static struct {
	u8 memory[64];
	bool readable, writable;
} guest = { .readable = true, .writable = true };

static inline u8 *guest_bytes(bool allowed, u64 at, size_t bytes)
{
	return allowed && at >= GUEST_START && at - GUEST_START <= sizeof(guest.memory) - bytes ?
		&guest.memory[at - GUEST_START] : NULL;
}

static int copy_from_guest(void *to, u64 from, size_t bytes)
{
	u8 *p = guest_bytes(guest.readable, from, bytes);

	return p ? (memcpy(to, p, bytes), 0) : -EFAULT;
}

static int copy_to_guest(u64 to, const void *from, size_t bytes)
{
	u8 *p = guest_bytes(guest.writable, to, bytes);

	return p ? (memcpy(p, from, bytes), 0) : -EFAULT;
}

static inline int get_guest_u64(u64 *x, u64 at) { return copy_from_guest(x, at, sizeof(*x)); }
static inline int get_guest_u32(u32 *x, u64 at) { return copy_from_guest(x, at, sizeof(*x)); }
static inline int put_guest_u32(u32 x, u64 at) { return copy_to_guest(at, &x, sizeof(x)); }
static inline void user_access_begin(void) { }
static inline void user_access_end(void) { }
#define raw_put_u64(x, at, label) do { u64 x_ = (x); if (copy_to_guest(at, &x_, sizeof(x_))) goto label; } while (0)

/* A frame is its index; those with an odd one are domain 1's. */
#define PARAVANE_FRAMES_H
#define FRAMES 24
enum { FRAME_WRITABLE };

static u8 host_frame[FRAMES][PAGE_SIZE] __attribute__((aligned(4096)));
static int frame_refs[FRAMES];

static inline void *mfn_to_virt(mfn_t mfn) { return host_frame[mfn]; }
static inline mfn_t virt_to_mfn(const void *p) { return ((const u8 *)p - host_frame[0]) / PAGE_SIZE; }

static inline int get_frame_type(mfn_t mfn, domid_t owner, int type)
{
	if (mfn >= FRAMES || mfn % 2 != owner)
		return -EINVAL;
	frame_refs[mfn]++;
	return 0;
}

static inline void put_frame_type(mfn_t mfn)
{
	assert_true(mfn < FRAMES && frame_refs[mfn] > 0);
	frame_refs[mfn]--;
}

#define ALL_PAGES (1 << 20)

static int pages_left = ALL_PAGES;

static inline void *alloc_page(void)
{
	void *p = pages_left ? aligned_alloc(PAGE_SIZE, PAGE_SIZE) : NULL;

	if (p) {
		memset(p, 0, PAGE_SIZE);
		pages_left--;
	}
	return p;
}

static inline void free_page(void *p)
{
	free(p);
	pages_left++;
}

/* --- the domains ------------------------------------------------------------------------------------------------------ */

#include <vcpu.h>
#undef current
static struct vcpu *running;
#define current running

#include "../../hypervisor/ipc/evtchn.c"
#include "../../hypervisor/ipc/evtchn_fifo.c"
#include "../../hypervisor/ipc/pirq.c"

#define DOMAINS 2
#define VCPUS 2

static struct domain host_domain[DOMAINS];
struct domain *dom0 = &host_domain[0];
static struct vcpu host_vcpu[DOMAINS][VCPUS];
static struct shared_info host_shared[DOMAINS];
static int kicks[DOMAINS][VCPUS], wakes[DOMAINS][VCPUS];

/* A vCPU that is in a hypercall itself looks on its way back, kicked or not. */
void vcpu_kick(struct vcpu *v) { kicks[v->domain->id][v->id] += v != running; }
void preempt_point(void) { assert_int_equal(locks_held, 0); }

void vcpu_wake(struct vcpu *v)
{
	assert_int_equal(v->poll_port, 0);
	wakes[v->domain->id][v->id]++;
}

struct domain *domain_find(domid_t id)
{
	if (id == DOMID_SELF)
		return running->domain;
	return id < DOMAINS ? &host_domain[id] : NULL;
}

/* --- interrupts of the machine: lines 1 to 23 most often, and each function has one message by MSI and as many by MSI-X as are asked for ------- */

#define HOST_GSIS 24
#define NO_FUNCTION 0xffff

struct host_source {
	int vector;
	u32 apic_id;
	bool masked, level, low;
};
static struct host_source host_line[HOST_GSIS], host_message[NR_PIRQS];
static int acknowledged, messages_claimed, times_masked, warnings, forgotten = -1;
static u32 host_gsis = HOST_GSIS;	/* what the I/O APICs together say */
static struct cpu first_cpu;
struct cpu *cpus[MAX_CPUS] = { &first_cpu };

static u64 host_now = 1;
static struct timer *timer_is_set;

u64 now_ns(void) { return host_now; }

void timer_set(struct timer *t, u64 deadline)
{
	assert_int_equal(locks_held, 0);
	t->deadline = deadline;
	timer_is_set = t;
}

u32 ioapic_gsis(void) { return host_gsis; }
bool ioapic_has(u32 gsi) { return gsi < HOST_GSIS && gsi < host_gsis; }
bool ioapic_in_use(u32 gsi) { return host_line[gsi].vector; }
void ioapic_default_trigger(u32 gsi, bool *level, bool *low) { *level = *low = gsi >= 16; }
void ioapic_retarget(u32 gsi, u32 apic_id) { host_line[gsi].apic_id = apic_id; }
void msix_forget(u16 function) { forgotten = function; }
void ioapic_free(u32 gsi) { host_line[gsi] = (struct host_source){ .masked = true }; }
void apic_acknowledge(void) { acknowledged++; }
void printk_at(unsigned level, const char *format, ...) { warnings++; }

void ioapic_mask(u32 gsi, bool masked)
{
	times_masked += masked && !host_line[gsi].masked;
	host_line[gsi].masked = masked;
}

void ioapic_route(u32 gsi, int vector, u32 apic_id, bool level, bool low)
{
	times_masked += !host_line[gsi].masked;
	host_line[gsi] = (struct host_source){ vector, apic_id, true, level, low };
}

int msi_claim(struct message *m, u16 function, bool msix, u32 entry)
{
	*m = (struct message){ .function = function, .msix = msix, .entry = entry };
	messages_claimed += function != NO_FUNCTION;
	return function == NO_FUNCTION ? -ENODEV : 0;
}

static struct host_source *source_of(const struct message *m)
{
	return &host_message[container_of(m, struct pirq, message) - pirqs];
}

void msi_program(const struct message *m, int vector, u32 apic_id)
{
	*source_of(m) = (struct host_source){ .vector = vector, .apic_id = apic_id, .masked = true };
}

void msi_mask(const struct message *m, bool masked) { source_of(m)->masked = masked; }

void msi_release(const struct message *m)
{
	messages_claimed--;
	*source_of(m) = (struct host_source){ .masked = true };
}

static long hypercall(struct vcpu *v, u32 op, void *arg, size_t bytes)
{
	long result;

	running = v;
	memset(guest.memory, 0xa5, sizeof(guest.memory));
	memcpy(guest.memory, arg, bytes);
	result = do_event_channel_op(op, GUEST_START, 0, 0, 0, v);
	memcpy(arg, guest.memory, bytes);
	assert_int_equal(locks_held, 0);
	return result;
}

static void host_reset(void)
{
	memset(host_vcpu, 0, sizeof(host_vcpu));
	memset(host_shared, 0, sizeof(host_shared));
	memset(host_frame, 0, sizeof(host_frame));
	memset(frame_refs, 0, sizeof(frame_refs));
	memset(kicks, 0, sizeof(kicks));
	memset(wakes, 0, sizeof(wakes));
	for (int i = 0; i < DOMAINS; i++) {
		struct domain *d = &host_domain[i];

		memset(d, 0, sizeof(*d));
		d->id = i;
		d->privileged = i == 0;
		d->controller_pauses = 1;
		d->shared_info = &host_shared[i];
		d->vcpu_count = VCPUS;
		for (int v = 0; v < VCPUS; v++) {
			host_vcpu[i][v].id = v;
			host_vcpu[i][v].domain = d;
			host_vcpu[i][v].info = &host_shared[i].vcpu_info[v];
			d->vcpu[v] = &host_vcpu[i][v];
		}
		assert_int_equal(evtchn_init(d), 0);
	}
}

/* What a domain holds of the allocator's goes with it: afterwards it has every page again. */
static int host_teardown(void **state)
{
	for (int i = 0; i < DOMAINS; i++) {
		evtchn_destroy(&host_domain[i]);
		evtchn_free(&host_domain[i]);
	}
	return pages_left == ALL_PAGES ? 0 : -1;
}

#endif
