/* SPDX-License-Identifier: MIT */
/* Circular doubly linked lists: the head is a node too; an empty head points to itself. */
#ifndef PVK_LIST_H
#define PVK_LIST_H

#include "types.h"

struct list {
	struct list *next, *prev;
};

#define LIST_INIT(head) { &(head), &(head) }
#define list_entry(node, type, member) CONTAINER_OF(node, type, member)
#define list_for_each(node, head) \
	for (struct list *node = (head)->next; node != (head); node = node->next)

static inline void list_init(struct list *head)
{
	head->next = head->prev = head;
}

static inline bool list_empty(const struct list *head)
{
	return head->next == head;
}

/* Puts node before at: at the end if at is the head. */
static inline void list_insert_before(struct list *at, struct list *node)
{
	node->next = at;
	node->prev = at->prev;
	at->prev->next = node;
	at->prev = node;
}

/* Taking out a node that is in no list (list_init) is allowed and does nothing. */
static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

#endif
