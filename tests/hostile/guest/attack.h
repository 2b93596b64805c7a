/* SPDX-License-Identifier: MIT */
/*
 * The place of a frontend, taken by hand: the nodes of one device, memory that its backend may reach, and a port. Nothing here
 * checks what is written: that is the backend's to do.
 */
#ifndef HOSTILE_ATTACK_H
#define HOSTILE_ATTACK_H

#include <abi/ring.h>
#include <abi/xenbus.h>

#include "../../../pvkernel/include/types.h"

#define ATTACK_PATIENCE 120000		/* ms that a backend has for its next state or answer */

struct attack {
	char front[64], back[128];
	u16 domid;		/* the backend's */
};

/* A page of ours, granted; it may be revoked meanwhile. */
struct attack_page {
	u64 pfn;
	void *va;
	u32 ref;
};

/* One end of a ring, as far as it is played by the rules: entries are at `slot` bytes. */
struct attack_ring {
	struct attack_page page;
	struct ring_header *shared;
	u32 entries, slot, prod, cons;
};

u64 attack_random(void);
bool attack_take(struct attack *a, const char *type);	/* the first device of that type */
int attack_write(struct attack *a, const char *key, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
u32 attack_back_state(struct attack *a);
bool attack_wait_state(struct attack *a, u32 states, u64 ms);	/* any of a set of bits */
bool attack_close(struct attack *a);	/* our end, and until the backend's is */
bool attack_rest(struct attack *a);	/* Closed, then Initialising: until the backend is InitWait */

bool attack_page_make(struct attack *a, struct attack_page *p, bool readonly);
void attack_page_end(struct attack_page *p);
bool attack_ring_make(struct attack *a, struct attack_ring *r, u32 slot);
void *attack_slot(struct attack_ring *r, u32 index);
bool attack_answered(struct attack_ring *r, u32 n, u64 ms);	/* so many answers are there that were not taken */
void attack_said(const char *who, const char *what, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int attack_port(struct attack *a);

#define STATE(s) (1u << (s))
#define STATES_CLOSED (STATE(XenbusStateClosing) | STATE(XenbusStateClosed))

#endif
