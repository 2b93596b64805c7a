/* SPDX-License-Identifier: MIT */
/*
 * SCHEDOP_poll for one port or for several, upcalls masked: two senders raise ports 1 and 2 while the vCPU polls for port 1, or for both. It must
 * never sleep for good while a port that it polls for is pending.
 *
 * As in sched_op.c (poll, poll_sleep) and evtchn.c (raise_2l, wake_pollers), where poll_port is 0: awake, SEVERAL, or the port.
 *
 * broken 1: the ports are looked at before the vCPU says that it polls
 * broken 2: poll_port becomes the port by a plain store, which may undo a wake
 * broken 3: who sleeps does not look at poll_port again
 * broken 4: a sender looks for pollers before it sets the pending bit
 * broken 5: a sender that found nobody polling takes the bit away without another look
 */
#include "tso.pml"
#ifndef BROKEN
#define BROKEN 0
#endif
#define SEVERAL 3

bool pending[3], polling, blocked;
byte poll_port;
byte store_port[3];	/* senders' plain stores of 0 */
byte store_blocked;

FLUSHER(flush_1, store_port[1], poll_port)
FLUSHER(flush_2, store_port[2], poll_port)
FLUSHER(flush_blocked, store_blocked, blocked)

inline wake_pollers(p)
{
	if
	:: polling ->
		waits = poll_port;
		if
		:: waits != 0 && waits != p && waits != SEVERAL
		:: else ->
			polling = false;		/* locked */
			if
			:: (BROKEN == 5 && waits != 0) || (BROKEN != 5 && poll_port != 0) -> STORE(store_port[p], 0); DRAIN(store_port[p]); blocked = false	/* vcpu_wake takes a lock */
			:: else
			fi
		fi
	:: else
	fi
}

proctype sender(byte p)
{
	byte waits;

	if
	:: BROKEN == 4 -> wake_pollers(p); pending[p] = true
	:: else -> pending[p] = true; wake_pollers(p)
	fi
}

inline look()
{
	found = pending[1] || (both && pending[2])
}

inline poll()
{
	if
	:: BROKEN == 1 -> look()
	:: else -> found = false
	fi;
	poll_port = SEVERAL;
	polling = true;			/* locked: the store before it is seen, too */
	if
	:: BROKEN != 1 -> look()
	:: else
	fi;
	if
	:: found -> polling = false; poll_port = 0
	:: else ->
		if
		:: both
		:: !both && BROKEN == 2 -> poll_port = 1
		:: !both && BROKEN != 2 -> atomic { if :: poll_port == SEVERAL -> poll_port = 1 :: else fi }
		fi;
		STORE(store_blocked, 1);
		DRAIN(store_blocked);
		if
		:: poll_port == 0 && BROKEN != 3 -> blocked = false
		:: else
		fi;
		if
		:: !blocked
		:: timeout -> assert(!pending[1] && !(both && pending[2])); goto stop
		fi
	fi
}

active proctype vcpu()
{
	bool found, both;

	run sender(1);
	run sender(2);
end:	do
	:: both = false; poll(); if :: pending[1] -> pending[1] = false :: else fi
	:: both = true; poll(); pending[1] = false; pending[2] = false
	od;
stop:	skip
}
