/* SPDX-License-Identifier: MIT */
/*
 * A ring of two bytes, as in ring-buffers/byte_ring.c: a producer of TOTAL bytes and a consumer of as many, each of which publishes its index,
 * then looks at the other's to decide whether it needs an event, and sleeps until one comes when the ring is full or empty. An event
 * may be sent later than the call that asked for it, but before its sender sleeps. Neither sleeps for good.
 *
 * broken 1: the producer's index is a plain store: no barrier before it looks
 * broken 2: the consumer's index is a plain store
 * broken 3: the producer decides by what it saw before it published
 * broken 4: the consumer decides by what it saw before it published
 * broken 5: the producer sleeps with an event that it owes
 */
#include "tso.pml"
#ifndef BROKEN
#define BROKEN 0
#endif
#define SIZE 2
#define TOTAL 6

byte prod, cons, store_prod, store_cons;
bool to_consumer, to_producer;		/* events on their way */

FLUSHER(flush_prod, store_prod, prod)
FLUSHER(flush_cons, store_cons, cons)

inline publish(store, weak)
{
	STORE(store, index);
	if
	:: BROKEN == weak
	:: else -> DRAIN(store)
	fi
}

inline pay(owed, event)
{
	atomic { if :: owed -> event = true; owed = false :: else fi }
}

active proctype producer()
{
	byte index, before, seen, n;
	bool owes;

	do
	:: index == TOTAL -> break
	:: else ->
		seen = cons;
		if
		:: index - seen == SIZE ->
			if
			:: BROKEN == 5
			:: else -> pay(owes, to_consumer)
			fi;
			atomic { to_producer -> to_producer = false }
		:: else ->
			n = 1;
			if
			:: index == seen && index + 2 <= TOTAL -> n = 2
			:: true
			fi;
			before = index;
			index = index + n;
			publish(store_prod, 1);
			if
			:: BROKEN == 3
			:: else -> seen = cons
			fi;
			if
			:: seen == before -> owes = true
			:: else
			fi;
			if
			:: pay(owes, to_consumer)
			:: true
			fi
		fi
	od;
	pay(owes, to_consumer)
}

active proctype consumer()
{
	byte index, before, seen, n;
	bool owes;

	do
	:: index == TOTAL -> break
	:: else ->
		seen = prod;
		if
		:: index == seen ->
			pay(owes, to_producer);
			atomic { to_consumer -> to_consumer = false }
		:: else ->
			n = 1;
			if
			:: seen - index == 2 -> n = 2
			:: true
			fi;
			before = index;
			index = index + n;
			publish(store_cons, 2);
			if
			:: BROKEN == 4
			:: else -> seen = prod
			fi;
			if
			:: seen == before + SIZE -> owes = true
			:: else
			fi;
			if
			:: pay(owes, to_producer)
			:: true
			fi
		fi
	od;
	pay(owes, to_producer)
}
