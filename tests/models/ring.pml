/* SPDX-License-Identifier: MIT */
/*
 * A ring of two entries, as in ring-buffers/ring.h: a frontend of TOTAL requests and a backend that answers them. Each puts one or more
 * before it publishes its index, then looks at the other's event index to decide whether it sends an event; and before it sleeps sets its
 * own event index and looks once more. The frontend may sleep whenever an answer is owed, the backend when it has answered
 * all that it took. Neither sleeps for good.
 *
 * broken 1: the frontend publishes by a plain store: no barrier before it looks at the event index
 * broken 2: the backend publishes by a plain store
 * broken 3: the frontend's event index is a plain store: no barrier before it looks once more
 * broken 4: the backend's event index is a plain store
 * broken 5: the frontend does not look once more before it sleeps
 * broken 6: the backend does not look once more before it sleeps
 * broken 7: an event is sent only if the event index is exactly the one published, not one that was gone past
 * broken 8: the event index is looked at before the index is published
 * broken 9: who sleeps asks for the index that it has seen, not for the one after it
 */
#include "tso.pml"
#ifndef BROKEN
#define BROKEN 0
#endif
#define SIZE 2
#define TOTAL 4

byte req_prod, rsp_prod, req_event = 1, rsp_event = 1;
byte store_req_prod, store_rsp_prod, store_req_event, store_rsp_event;
bool to_back, to_front;			/* events on their way */

FLUSHER(flush_req_prod, store_req_prod, req_prod)
FLUSHER(flush_rsp_prod, store_rsp_prod, rsp_prod)
FLUSHER(flush_req_event, store_req_event, req_event)
FLUSHER(flush_rsp_event, store_rsp_event, rsp_event)

/* XCHG; a plain store in the variant `weak`. */
inline exchange(store, value, weak)
{
	DRAIN(store);
	STORE(store, value);
	if
	:: BROKEN == weak
	:: else -> DRAIN(store)
	fi
}

/* Publishes (old, new], and sends an event if the other end asked to hear of an index in it. */
inline push(store, weak, event_index, old, new, event)
{
	if
	:: new != old ->
		wants = event_index;
		exchange(store, new, weak);
		if
		:: BROKEN == 8
		:: else -> wants = event_index
		fi;
		if
		:: BROKEN == 7 -> notify = wants == new
		:: else -> notify = wants > old && wants <= new
		fi;
		if
		:: notify -> event = true
		:: else
		fi;
		old = new
	:: else
	fi
}

/* Sleeps if nothing is there but what was taken. */
inline await(store, weak, blind, index, taken, event)
{
	if
	:: BROKEN == 9 -> exchange(store, taken, weak)
	:: else -> exchange(store, taken + 1, weak)
	fi;
	if
	:: BROKEN == blind -> seen = taken
	:: else -> seen = index
	fi;
	if
	:: seen == taken -> atomic { event -> event = false }
	:: else
	fi
}

active proctype frontend()
{
	byte put, published, got, seen, wants;
	bool notify;

	do
	:: got == TOTAL -> break
	:: else ->
		do
		:: put < TOTAL && put - got < SIZE -> put = put + 1
		:: put > published || published > got -> break
		od;
		push(store_req_prod, 1, req_event, published, put, to_back);
		seen = rsp_prod;
		assert(seen <= published && got <= seen);
		if
		:: seen > got -> got = got + 1
		:: seen > got -> got = seen
		:: seen == got -> await(store_rsp_event, 3, 5, rsp_prod, got, to_front)
		:: seen == got && put < TOTAL && put - got < SIZE
		fi
	od
}

active proctype backend()
{
	byte taken, answered, published, seen, wants;
	bool notify;

	do
	:: published == TOTAL -> break
	:: else ->
		seen = req_prod;
		assert(seen - published <= SIZE && taken <= seen);
		if
		:: seen > taken -> taken = taken + 1
		:: seen > taken -> taken = seen
		:: seen == taken ->
			answered = taken;
			push(store_rsp_prod, 2, rsp_event, published, answered, to_front);
			if
			:: published == TOTAL
			:: else -> await(store_req_event, 4, 6, req_prod, taken, to_back)
			fi
		fi;
		if
		:: answered < taken -> answered = answered + 1
		:: true
		fi;
		if
		:: push(store_rsp_prod, 2, rsp_event, published, answered, to_front)
		:: true
		fi
	od
}
