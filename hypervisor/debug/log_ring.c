/* SPDX-License-Identifier: MIT */
/*
 * The last messages, for domain 0 to read. Byte n of all that was ever logged is ring[n % LOG_SIZE]; those from `start` (or, if
 * more has come since, from end - LOG_SIZE) up to `end` are there. Counts wrap.
 */
#include <console.h>
#include <spinlock.h>

#define LOG_SIZE 16384u

static struct spinlock log_lock;	/* the rest */
static char ring[LOG_SIZE];
static u32 start, end;

void log_record(const char *text, size_t length)
{
	spin_lock(&log_lock);
	while (length--)
		ring[end++ % LOG_SIZE] = *text++;
	if (end - start > LOG_SIZE)
		start = end - LOG_SIZE;
	spin_unlock(&log_lock);
}

u32 log_start(void)
{
	return READ_ONCE(start);
}

u32 log_first(u32 position)
{
	u32 first;

	spin_lock(&log_lock);
	first = position - start <= end - start ? position : start;
	spin_unlock(&log_lock);
	return first;
}

u32 log_copy(char *to, u32 position, u32 most)
{
	u32 n = 0;

	spin_lock(&log_lock);
	if (position - start <= end - start)
		while (n < most && position + n != end) {
			to[n] = ring[(position + n) % LOG_SIZE];
			n++;
		}
	spin_unlock(&log_lock);
	return n;
}

void log_forget(u32 position)
{
	spin_lock(&log_lock);
	if (position - start <= end - start)
		start = position;
	spin_unlock(&log_lock);
}
