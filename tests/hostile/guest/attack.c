/* SPDX-License-Identifier: MIT */
/* What all attacks begin and end with. Waiting is looking again: a backend that lies in wait must not keep us. */
#include "../../../pvkernel/include/evtchn.h"
#include "../../../pvkernel/include/gnttab.h"
#include "../../../pvkernel/include/lib.h"
#include "../../../pvkernel/include/mm.h"
#include "../../../pvkernel/include/sched.h"
#include "../../../pvkernel/include/time.h"
#include "../../../pvkernel/include/xenstore.h"
#include "../../../pvkernel/include/xorshift.h"
#include "attack.h"

#define LOOK (2 * NSEC_PER_MSEC)

u64 attack_random(void)
{
	static u64 state = 0x2545f4914f6cdd1d;

	return xorshift(&state) * 0x9e3779b97f4a7c15 >> 8;
}

void attack_said(const char *who, const char *what, const char *fmt, ...)
{
	char text[120];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	printf("%s: %s: %s\n", who, what, text);
}

/* --- nodes --- */

bool attack_take(struct attack *a, const char *type)
{
	char path[96], names[256];
	u64 domid;

	snprintf(path, sizeof(path), "device/%s", type);
	if (xs_directory(XS_NO_TX, path, names, sizeof(names)) <= 0)
		return false;
	snprintf(a->front, sizeof(a->front), "device/%s/%.20s", type, names);
	snprintf(path, sizeof(path), "%s/backend-id", a->front);
	if (xs_read_u64(XS_NO_TX, path, &domid) < 0)
		return false;
	a->domid = domid;
	snprintf(path, sizeof(path), "%s/backend", a->front);
	return xs_read(XS_NO_TX, path, a->back, sizeof(a->back)) > 0;
}

int attack_write(struct attack *a, const char *key, const char *fmt, ...)
{
	char path[128], value[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	snprintf(path, sizeof(path), "%s/%s", a->front, key);
	return xs_write(XS_NO_TX, path, value);
}

u32 attack_back_state(struct attack *a)
{
	char path[160];
	u64 state;

	snprintf(path, sizeof(path), "%s/state", a->back);
	return xs_read_u64(XS_NO_TX, path, &state) < 0 ? 0 : state & 31;
}

bool attack_wait_state(struct attack *a, u32 states, u64 ms)
{
	u64 end = now() + ms * NSEC_PER_MSEC;

	while (!(states & STATE(attack_back_state(a)))) {
		if (now() > end)
			return false;
		thread_sleep(LOOK);
	}
	return true;
}

bool attack_close(struct attack *a)
{
	attack_write(a, "state", "%u", XenbusStateClosed);
	return attack_wait_state(a, STATE(XenbusStateClosed), ATTACK_PATIENCE);
}

bool attack_rest(struct attack *a)
{
	if (attack_back_state(a) != XenbusStateInitWait && !attack_close(a))
		return false;
	attack_write(a, "state", "%u", XenbusStateInitialising);
	return attack_wait_state(a, STATE(XenbusStateInitWait), ATTACK_PATIENCE);
}

/* --- memory --- */

bool attack_page_make(struct attack *a, struct attack_page *p, bool readonly)
{
	*p = (struct attack_page){ .pfn = page_alloc() };
	if (p->pfn == NO_PAGE)
		return false;
	p->va = memset(pfn_to_virt(p->pfn), 0, PAGE_SIZE);
	p->ref = gnttab_grant(a->domid, p->pfn, readonly);
	return p->ref != GRANT_NONE;
}

void attack_page_end(struct attack_page *p)
{
	if (p->va)
		gnttab_end_page(p->ref, p->pfn);
	p->va = NULL;
}

bool attack_ring_make(struct attack *a, struct attack_ring *r, u32 slot)
{
	*r = (struct attack_ring){ .slot = slot, .entries = 1 };
	while (r->entries * 2 * slot <= PAGE_SIZE - RING_HEADER_SIZE)
		r->entries *= 2;
	if (!attack_page_make(a, &r->page, false))
		return false;
	r->shared = r->page.va;
	r->shared->req_event = r->shared->rsp_event = 1;
	return true;
}

void *attack_slot(struct attack_ring *r, u32 index)
{
	return (char *)r->shared + RING_HEADER_SIZE + (index & (r->entries - 1)) * r->slot;
}

bool attack_answered(struct attack_ring *r, u32 n, u64 ms)
{
	u64 end = now() + ms * NSEC_PER_MSEC;

	while (READ_ONCE(r->shared->rsp_prod) - r->cons < n) {
		if (now() > end)
			return false;
		thread_sleep(LOOK / 8);
	}
	return true;
}

static void deaf(void *unused)
{
}

int attack_port(struct attack *a)
{
	return evtchn_alloc_unbound(a->domid, deaf, NULL);
}
