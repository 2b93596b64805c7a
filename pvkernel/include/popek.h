/* SPDX-License-Identifier: MIT */
/* The sensitive instructions of x86-64 and how each is tried. */
#ifndef PVK_POPEK_H
#define PVK_POPEK_H

#include "types.h"

/* Control-sensitive: changes the machine's configuration. Behaviour-sensitive: shows or depends on it. */
#define SENS_CONTROL 1
#define SENS_BEHAVIOUR 2

/* What ring 3 makes of it by the architecture, before anybody interprets anything. */
enum privilege {
	PRIVILEGED,			/* always traps */
	IOPL_GUARDED,			/* traps unless IOPL or the I/O bitmap allows it */
	FLAG_GUARDED,			/* traps only if a control register says so: TSD, PCE, UMIP ... */
	UNPRIVILEGED,			/* just executes */
};

enum effect {
	EFFECT_NONE,			/* it trapped, or has no visible effect to compare */
	EFFECT_SAME,			/* what ring 0 of a bare machine would have seen */
	EFFECT_DIFFERENT,		/* executed, and something else came out */
};

struct instruction {
	const char *name;
	u8 sensitive;			/* SENS_* */
	u8 privilege;			/* enum privilege */
	bool spare_native;		/* would take the bare machine down: told, not tried there */
	/*
	 * Tries it with interrupts disabled. False: it faulted, last_fault says how. Otherwise
	 * *effect compares with the truth of ring 0.
	 */
	bool (*try)(enum effect *effect);
	const char *instead;		/* what a PV kernel uses */
};

extern const struct instruction popek_instructions[];
extern const unsigned int nr_popek_instructions;

#endif
