/* SPDX-License-Identifier: MIT */
/*
 * A domain enters the FIFO ABI (EVTCHNOP_init_control) while others raise events on its port by the two-level ABI, which they
 * believe in force. Each event is either raised by the FIFO ABI or found in the bitmap; the port may have been pending before.
 *
 * As in evtchn.c (raise, raise_2l) and evtchn_fifo.c (enter, take_bitmap).
 *
 * broken 1: a sender does not look again after it has set the bit
 * broken 2: the bitmap is taken before senders are told
 */
#ifndef BROKEN
#define BROKEN 0
#endif

bool mark, fifo, raised;		/* raised: in the FIFO ABI, and not taken by the guest yet */
bool sending, seen;		/* the guest took one after the sender had begun: it sees what was sent */

proctype sender()
{
	bool was;

	atomic { sending = true; was = fifo };
	if
	:: was -> raised = true
	:: else ->
		atomic { was = mark; mark = true };
		if
		:: !was && BROKEN != 1 && fifo -> raised = true
		:: else
		fi
	fi
}

proctype guest()
{
end:	atomic { raised -> raised = false; seen = seen || sending };
end_2:	atomic { raised -> raised = false; seen = seen || sending }
}

active proctype domain()
{
	bool found;

	if
	:: mark = true	/* from before */
	:: true
	fi;
	run sender();
	run guest();
	if
	:: BROKEN == 2 -> atomic { found = mark; mark = false }; fifo = true
	:: else -> fifo = true; atomic { found = mark; mark = false }
	fi;
	if
	:: found -> raised = true
	:: else
	fi;
	timeout -> assert(seen || raised)
}
