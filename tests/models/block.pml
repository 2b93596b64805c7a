/* SPDX-License-Identifier: MIT */
/*
 * Two-level events against SCHEDOP_block and EVTCHNOP_unmask: two senders on other CPUs raise one port each, of the same word, while the
 * vCPU takes events, masks and unmasks, and blocks. It must never sleep for good with a port that is pending and not masked.
 *
 * As in evtchn.c (raise_2l, unmask), sched_op.c (block) and sched.c (vcpu_kick, vcpu_wake, reschedule). The guest does what event_channel.md asks.
 *
 * broken 1: reschedule does not look for an upcall after it has said that it blocks
 * broken 2: vcpu_kick without a barrier before it looks whether the vCPU is blocked
 * broken 3: unmask does not look whether the port is pending
 * broken 4: the selector is set before the pending bit
 */
#include "tso.pml"
#ifndef BROKEN
#define BROKEN 0
#endif
#define PORTS 2
#define LOST ((pending[0] && !masked[0]) || (pending[1] && !masked[1]))

bool pending[PORTS], masked[PORTS];
bool sel, upcall, blocked, interrupt;	/* interrupt: a kick is on its way */
byte store_upcall[PORTS], store_blocked;	/* of each sender; of the vCPU */

FLUSHER(flush_0, store_upcall[0], upcall)
FLUSHER(flush_1, store_upcall[1], upcall)
FLUSHER(flush_blocked, store_blocked, blocked)

inline kick(p)
{
	if
	:: BROKEN == 2
	:: else -> DRAIN(store_upcall[p])
	fi;
	if
	:: atomic { blocked -> blocked = false }	/* vcpu_wake */
	:: atomic { else -> interrupt = true }
	fi
}

inline set_upcall_pending(p)
{
	if
	:: upcall -> skip
	:: else -> STORE(store_upcall[p], 1); kick(p)
	fi
}

inline raise(p)
{
	if
	:: BROKEN == 4 -> atomic { was = sel; sel = true }; atomic { again = pending[p]; pending[p] = true };
		if
		:: !was && !masked[p] && !again -> set_upcall_pending(p)
		:: else
		fi
	:: else -> atomic { was = pending[p]; pending[p] = true };
		if
		:: was || masked[p]
		:: else -> atomic { was = sel; sel = true };
			if
			:: was
			:: else -> set_upcall_pending(p)
			fi
		fi
	fi
}

proctype sender(byte p)
{
	bool was, again;
	byte n = 0;

	do
	:: n < 2 -> n++; raise(p)
	:: else -> break
	od;
	DRAIN(store_upcall[p])	/* the lock's release, and whatever comes after */
}

/* The guest's handler: clears the flag, then looks. */
inline take()
{
	upcall = false;
	atomic { found = sel; sel = false };
	p = 0;
	do
	:: found && p < PORTS ->
		if
		:: pending[p] && !masked[p] -> pending[p] = false
		:: else
		fi;
		p++
	:: else -> break
	od
}

/* EVTCHNOP_unmask, by the vCPU itself: it looks for an upcall on its way back. */
inline unmask(q)
{
	atomic { was = masked[q]; masked[q] = false };
	if
	:: was && pending[q] && BROKEN != 3 ->
		atomic { was = sel; sel = true };
		if
		:: !was -> upcall = true
		:: else
		fi
	:: else
	fi
}

/* The way back to the guest. */
inline back()
{
	if
	:: upcall -> take()
	:: else
	fi
}

/* SCHEDOP_block. At the end nothing moves any more: then what the vCPU sleeps through is lost. */
inline block()
{
	if
	:: upcall
	:: else ->
		STORE(store_blocked, 1);
		DRAIN(store_blocked);		/* vcpu_block's locked OR */
		if
		:: upcall && BROKEN != 1 -> blocked = false
		:: else
		fi;
		if
		:: !blocked
		:: timeout -> assert(!LOST); goto stop
		fi
	fi
}

/* A vCPU that computes sees its upcall when an interrupt takes it into the hypervisor, or after a hypercall. */
active proctype vcpu()
{
	bool found, was;
	byte p, n = 0;

	run sender(0);
	run sender(1);
	do
	:: n < 1 -> n++; masked[0] = true; unmask(0); back()
	:: block(); back()
	:: interrupt -> interrupt = false; back()
	:: timeout -> assert(!LOST); break
	od;
stop:	skip
}
