/* SPDX-License-Identifier: MIT */
/*
 * A FIFO queue: two CPUs raise three ports of one queue (one of them twice), one after another under fifo_lock, while the guest takes events from the queue's head
 * and masks and unmasks. When nothing moves any more no port is pending and unmasked, and nothing is linked.
 *
 * As in evtchn_fifo.c (raise_locked, enqueue, append), with words as structures: each step on one is a compare-and-swap or a locked
 * instruction. The guest's side is that of event_channel.md.
 *
 * broken 1: append links a port to the tail without a look whether the guest has taken the tail out
 * broken 2: a queue that was empty does not become ready
 * broken 3: the tail of before is not looked at: head is always overwritten
 * broken 4: unmask does not raise a port that is pending
 * broken 5: a port that was the tail itself, and is taken out, stays the tail when it comes back
 */
#ifndef BROKEN
#define BROKEN 0
#endif
#define PORTS 4		/* 0 is none */

typedef word_t { bool pending, masked, linked; byte link };
word_t word[PORTS];
byte head, tail;
bool ready, upcall, fifo_lock;

inline lock() { atomic { !fifo_lock -> fifo_lock = true } }
inline unlock() { fifo_lock = false }

/* The compare-and-swap's loop: it fails only because the word has changed, and then looks again. */
inline append(p, done)
{
	atomic {
		if
		:: word[tail].linked || BROKEN == 1 -> word[tail].link = p; done = true
		:: else -> done = false
		fi
	}
}

inline enqueue(p)
{
	if
	:: tail == p && BROKEN != 5 -> tail = 0
	:: else
	fi;
	word[p].link = 0;
	done = false;
	if
	:: tail != 0 && BROKEN != 3 -> append(p, done)
	:: else
	fi;
	if
	:: done -> tail = p
	:: else ->
		head = p;
		tail = p;
		if
		:: BROKEN == 2 -> was = true
		:: else -> atomic { was = ready; ready = true }
		fi;
		tell = !was
	fi
}

inline raise(p)
{
	tell = false;
	lock();
	atomic { word[p].pending = true; was = word[p].masked || word[p].linked };
	if
	:: was
	:: else ->
		atomic { was = word[p].linked; word[p].linked = true };
		if
		:: was
		:: else -> enqueue(p)
		fi
	fi;
	unlock();
	if
	:: tell -> upcall = true
	:: else
	fi
}

proctype sender(byte first; byte second)
{
	bool was, done, tell;

	raise(first);
	raise(second)
}

/* What the guest has left of the queue it was in, and what of ready. */
active proctype guest()
{
	byte left = 0, port, n = 0;
	bool mine = false, was, done, tell;

	run sender(1, 2);
	run sender(3, 1);
end:	do
	:: upcall ->
		upcall = false;
		atomic { mine = mine || ready; ready = false };
		do
		:: mine ->
			port = left;
			if
			:: port == 0 -> port = head
			:: else
			fi;
			if
			:: port == 0 -> mine = false
			:: else ->
				atomic { left = word[port].link; word[port].linked = false; word[port].link = 0 };
				if
				:: left == 0 -> mine = false
				:: else
				fi;
				if
				:: atomic { word[port].pending && !word[port].masked -> word[port].pending = false }
				:: else
				fi
			fi;
			atomic { mine = mine || ready; ready = false }
		:: else -> break
		od
	:: n < 2 -> n++;
		word[1].masked = true;
		atomic { word[1].masked = false; was = word[1].pending };	/* EVTCHNOP_unmask */
		if
		:: was && BROKEN != 4 -> raise(1)
		:: else
		fi
	:: timeout ->
		for (port : 1 .. 3) {
			assert(!(word[port].pending && !word[port].masked));
			assert(!word[port].linked)
		};
		break
	od
}
