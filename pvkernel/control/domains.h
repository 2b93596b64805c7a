/* SPDX-License-Identifier: MIT */
/*
 * The life of domains: who is there, and create, destroy, rename, shut down. Every function may wait, so it is for threads.
 * Errors are negative errnos; a function with `error` also says in one line what failed.
 */
#ifndef CTL_DOMAINS_H
#define CTL_DOMAINS_H

#include <abi/domctl.h>

#include "../include/list.h"
#include "config.h"

#define DOMAIN_0_NAME "Domain-0"
#define DOMID_NONE 0x7fff		/* no domain has it */
#define MAXMEM_SLACK 1024		/* KiB that a domain may have beyond its memory, as xl gives */

/*
 * A domain that was created here, from domains_create() until it is gone. Guarded by the lifecycle lock. Of config the name changes,
 * and the devices when one is attached or detached. Each field below `domid` says what there is to undo, and is at its initial value
 * (DOMID_NONE, NULL, 0, false) when there is nothing.
 */
struct managed {
	struct list node;
	struct domain_config config;
	u8 uuid[16];
	u64 created;			/* now() at its start */
	bool handled;			/* its shutdown has been acted upon */
	bool restarting;		/* no domain yet: it starts again at restart_at */
	u64 restart_at, restart_until;	/* until then it waits for memory, if somebody may give some */
	u16 domid;
	u32 remote_store_port, remote_console_port;	/* the domain's ends, which go with it */
	int store_port, console_port;	/* our ends */
	void *store_page, *console_page;
	bool in_tree, introduced, console;
};

void domains_init(void);

int domains_create(const struct domain_config *config, bool paused, u16 *domid, char *error, size_t size);
int domains_destroy(u16 domid, char *error, size_t size);
bool domains_cancel_restart(const char *name);	/* false: it does not wait for one */
int domains_rename(u16 domid, const char *name, char *error, size_t size);
/* A node below its home in xenstore. -ESRCH: it is gone, or was not created here, and nothing was written in its place. */
int domains_write(u16 domid, const char *below, const char *value);
int domains_request(u16 domid, const char *what);	/* poweroff, reboot, halt: by control/shutdown; errors as domains_write() */

/* A name, or a number, of a domain that is there. */
bool domains_find(const char *word, u16 *domid);
bool domains_known(const char *name);	/* created here: there, or waiting for its restart */
bool domains_name(u16 domid, char *name, size_t size);	/* false: unknown, and "(null)" as xl has it */
bool domains_info(u16 domid, struct xen_domctl_getdomaininfo *info);	/* false: no such domain */
u64 domains_created(u16 domid);		/* now() when it was; 0 for domain 0 and unknown ones */
/* All of them, by id; to be kfree()d. The count, or a negative errno. */
int domains_list(struct xen_domctl_getdomaininfo **list);

/* --- between domains.c, domain_tree.c and actions.c: under the lifecycle lock --- */

extern struct list managed_domains;
void domains_lock(void);
void domains_unlock(void);
struct managed *managed_new(const struct domain_config *config);	/* NULL: no memory; linked */
void managed_free(struct managed *d);
int bring_up(struct managed *d, bool paused, char *error, size_t size);	/* on failure nothing is left */
int bring_down(struct managed *d);	/* -EBUSY and the like from the hypervisor; what can be undone is */
int managed_rename(struct managed *d, const char *name);
struct managed *managed_by_name(const char *name);
struct managed *managed_by_id(u16 domid);
void random_uuid(u8 uuid[16]);

int tree_write(const struct managed *d, u64 store_mfn, u64 console_mfn);	/* all or nothing */
void tree_remove(const struct managed *d);
int tree_rename(const struct managed *d, const u8 old_uuid[16]);

/* The shutdown reason of the latest of that name that was destroyed when it had stopped; false: none of the latest few. */
bool actions_last_end(const char *name, u32 *reason);
void actions_init(void);

#endif
