/* SPDX-License-Identifier: MIT */
/* Copying to and from guest memory; what uaccess.h inlines for single words, for any length. */
#include <uaccess.h>

/* Answers how many bytes were not copied; the fault leaves rcx as it stood. */
static inline size_t copy_user(void *to, const void *from, size_t bytes)
{
	user_access_begin();
	asm volatile("1: rep movsb\n2:\n" EXTABLE("1b", "2b")
		     : "+c"(bytes), "+D"(to), "+S"(from) :: "memory");
	user_access_end();
	return bytes;
}

/* Words first: a rep counts as one instruction for each step. */
static inline int copy_words(void *to, const void *from, size_t bytes)
{
	size_t words = bytes / 8;

	user_access_begin();
	asm volatile("1: rep movsq\n2:\n" EXTABLE("1b", "2b")
		     : "+c"(words), "+D"(to), "+S"(from) :: "memory");
	user_access_end();
	if (unlikely(words) || ((bytes & 7) && copy_user(to, from, bytes & 7)))
		return -EFAULT;
	return 0;
}

int copy_from_guest(void *to, u64 from, size_t bytes)
{
	if (unlikely(!guest_range_ok(from, bytes)))
		return -EFAULT;
	return copy_words(to, (const void *)from, bytes);
}

int copy_to_guest(u64 to, const void *from, size_t bytes)
{
	if (unlikely(!guest_range_ok(to, bytes)))
		return -EFAULT;
	return copy_words((void *)to, from, bytes);
}
