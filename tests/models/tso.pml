/* SPDX-License-Identifier: MIT */
/*
 * An x86 CPU's store buffer, as far as these models need one: it holds at most one plain store to one variable. The store is seen by others
 * some time later, or at the next locked instruction. A process with one waits with DRAIN where the code has such an
 * instruction, and reads its own store by reading the buffer first.
 */
#define STORE(buffer, value) buffer = (value) + 1
#define DRAIN(buffer) (buffer == 0)

/* Empties a buffer into its variable, whenever it likes. */
#define FLUSHER(name, buffer, variable) \
	active proctype name() \
	{ \
	end:	do \
		:: atomic { buffer != 0 -> variable = buffer - 1; buffer = 0 } \
		od \
	}
