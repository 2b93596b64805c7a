/* SPDX-License-Identifier: MIT */
/*
 * A domain comes up in steps, each of which leaves a mark in struct managed, and goes down by undoing the marks in the
 * order in which nobody can still use what is taken away:
 *
 *	up	domain, vCPUs, limits, ports in it, memory and image, our maps of its two ring pages, our ends of the
 *		ports, the tree in xenstore, the server's connection, the console, the backends' consent to its devices, run
 *	down	stop it, its devices and their backends, the console, the server's connection, the maps, our ends of the ports, the tree, domain
 *
 * Invariants: the names in managed_domains are different; a domain that is not being changed has all marks or none.
 * One operation at a time: the lifecycle lock, which is taken before anything of xenstore or the consoles.
 */
#include <abi/event_channel.h>

#include "../../drivers/backend/consback.h"
#include "../include/evtchn.h"
#include "../include/hypercall.h"
#include "../include/insn.h"
#include "../include/lib.h"
#include "../include/mm.h"
#include "../include/mutex.h"
#include "../include/sched.h"
#include "../include/time.h"
#include "../include/xenstore.h"
#include "../include/xorshift.h"
#include "balloon_policy.h"
#include "builder.h"
#include "control.h"
#include "devices.h"
#include "domains.h"
#include "hypercontrol.h"
#include "memory.h"
#include "ramdisk.h"
#include "scheduler.h"
#include "xenstored.h"

#define MAX_EVTCHN_PORT 1023		/* xl's default */
#define DESTROY_PAUSE NSEC_PER_MSEC
#define DESTROY_TRIES 5000

struct list managed_domains = LIST_INIT(managed_domains);

static struct mutex lifecycle = MUTEX_INIT(lifecycle);

void domains_lock(void)
{
	mutex_lock(&lifecycle);
}

void domains_unlock(void)
{
	mutex_unlock(&lifecycle);
}

/* --- records --- */

struct managed *managed_new(const struct domain_config *config)
{
	struct managed *d = kmalloc(sizeof(*d));

	if (!d)
		return NULL;
	d->config = *config;
	d->domid = DOMID_NONE;
	list_insert_before(&managed_domains, &d->node);
	return d;
}

void managed_free(struct managed *d)
{
	list_remove(&d->node);
	kfree(d);
}

struct managed *managed_by_name(const char *name)
{
	list_for_each(node, &managed_domains) {
		struct managed *d = list_entry(node, struct managed, node);

		if (!strcmp(d->config.name, name))
			return d;
	}
	return NULL;
}

struct managed *managed_by_id(u16 domid)
{
	list_for_each(node, &managed_domains) {
		struct managed *d = list_entry(node, struct managed, node);

		if (d->domid == domid && !d->restarting)
			return d;
	}
	return NULL;
}

/* Version 4, by its bits: from the clocks, which no two domains find alike. */
void random_uuid(u8 uuid[16])
{
	static u64 state = 0x9e3779b97f4a7c15;

	for (int i = 0; i < 16; i++) {
		state ^= rdtsc() + wall_clock();
		uuid[i] = xorshift(&state) >> 32;
	}
	uuid[6] = (uuid[6] & 0x0f) | 0x40;
	uuid[8] = (uuid[8] & 0x3f) | 0x80;
}

/* --- up --- */

struct up {
	struct managed *d;
	const struct domain_config *config;
	struct build_result built;
	char *error;
	size_t size;
};

static long failed(struct up *up, const char *what, long err)
{
	if (err)
		snprintf(up->error, up->size, "%s: %s", what, errno_name(err));
	return err;
}

/* Before anything is made. Less could go wrong later, and would be undone as well; this says why. */
static long find_memory(struct up *up)
{
	u64 needed = up->config->memory + MEMORY_OVERHEAD, there = memory_free();

	if (there >= needed)
		return 0;
	snprintf(up->error, up->size, "memory: it needs %lu KiB, the machine has %lu KiB free%s", needed, there,
		 balloon_policy_is_on() ? " and the other guests give no more" : "");
	return -ENOMEM;
}

static long make_domain(struct up *up)
{
	struct xen_domctl op = { .u.createdomain = {
		.max_vcpus = up->config->maxvcpus, .max_evtchn_port = MAX_EVTCHN_PORT, .max_grant_frames = -1,
		.max_maptrack_frames = -1, .grant_opts = 2,
	} };
	long err;

	memcpy(op.u.createdomain.handle, up->d->uuid, 16);
	err = domctl(XEN_DOMCTL_createdomain, 0, &op);
	if (!err)
		up->d->domid = op.domain;
	return failed(up, "making the domain", err);
}

static long set_vcpus(struct up *up)
{
	struct xen_domctl op = { .u.max_vcpus.max = up->config->maxvcpus };

	return failed(up, "making its vCPUs", domctl(XEN_DOMCTL_max_vcpus, up->d->domid, &op));
}

static long set_max_mem(struct up *up)
{
	struct xen_domctl op = { .u.max_mem.max_memkb = up->config->memory + MAXMEM_SLACK };

	return failed(up, "limiting its memory", domctl(XEN_DOMCTL_max_mem, up->d->domid, &op));
}

static long set_affinity(struct up *up)
{
	for (u32 i = 0; i < up->config->maxvcpus; i++) {
		long err = ~up->config->cpus[i] ? affinity_set(up->d->domid, i, up->config->cpus[i]) : 0;

		if (err)
			return failed(up, "cpus: restricting its vCPUs to those CPUs", err);
	}
	return 0;
}

static long set_share(struct up *up)
{
	const struct domain_config *c = up->config;

	if (!c->cpu_weight && !c->cap)
		return 0;
	return failed(up, "cpu_weight, cap", sched_set(up->d->domid, c->cpu_weight, c->cap));
}

static long alloc_port(u16 domid, u32 *port)
{
	struct evtchn_alloc_unbound op = { .dom = domid, .remote_dom = 0 };
	long err = HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &op);

	*port = op.port;
	return err;
}

static long alloc_ports(struct up *up)
{
	long err = alloc_port(up->d->domid, &up->d->remote_store_port);

	if (!err)
		err = alloc_port(up->d->domid, &up->d->remote_console_port);
	return failed(up, "its event channels", err);
}

static long find_file(struct up *up, const char *what, const char *path, const void **data, u64 *size)
{
	const struct ramdisk_file *f = ramdisk_find(path);

	if (!f) {
		snprintf(up->error, up->size, "%s %s: no such file in the ramdisk", what, path);
		return -ENOENT;
	}
	*data = f->data;
	*size = f->size;
	return 0;
}

static long build(struct up *up)
{
	const struct domain_config *c = up->config;
	struct build_request request = {
		.cmdline = c->extra, .pages = c->memory / 4, .max_pages = c->maxmem / 4,
		.store_port = up->d->remote_store_port, .console_port = up->d->remote_console_port,
	};
	long err = find_file(up, "kernel", c->kernel, &request.kernel, &request.kernel_size);

	if (!err && *c->ramdisk)
		err = find_file(up, "ramdisk", c->ramdisk, &request.ramdisk, &request.ramdisk_size);
	return err ? err : build_domain(up->d->domid, &request, &up->built, up->error, up->size);
}

static long map_rings(struct up *up)
{
	struct managed *d = up->d;

	d->store_page = foreign_map(d->domid, &up->built.store_mfn, 1);
	d->console_page = foreign_map(d->domid, &up->built.console_mfn, 1);
	return failed(up, "mapping its ring pages", d->store_page && d->console_page ? 0 : -ENOMEM);
}

/* Who serves the ring sets the handler. */
static long bind_ports(struct up *up)
{
	struct managed *d = up->d;

	d->store_port = evtchn_bind_interdomain(d->domid, d->remote_store_port, NULL, NULL);
	if (d->store_port < 0)
		return failed(up, "binding its store's channel", d->store_port);
	d->console_port = evtchn_bind_interdomain(d->domid, d->remote_console_port, NULL, NULL);
	return failed(up, "binding its console's channel", MIN(d->console_port, 0));
}

static long write_tree(struct up *up)
{
	up->d->in_tree = true;
	return failed(up, "xenstore", tree_write(up->d, up->built.store_mfn, up->built.console_mfn));
}

static long introduce(struct up *up)
{
	int err = xenstored_introduce(up->d->domid, up->d->store_page, up->d->store_port);

	up->d->introduced = !err;
	return failed(up, "introducing it to xenstore", err);
}

static long start_console(struct up *up)
{
	int err = consback_start(up->d->domid, up->config->name, up->d->console_page, up->d->console_port);

	up->d->console = !err;
	return failed(up, "its console", err);
}

static long wait_devices(struct up *up)
{
	return devices_wait_ready(up->d->domid, up->config, up->error, up->size);
}

/* An address that nobody chose stays the same when the domain is started again. */
static void choose_macs(struct managed *d)
{
	for (u32 i = 0; i < d->config.vifs; i++) {
		struct vif_config *v = &d->config.vif[i];

		if (!v->has_mac)
			config_generate_mac(d->uuid, v->devid, v->mac);
		v->has_mac = true;
	}
}

int bring_up(struct managed *d, bool paused, char *error, size_t size)
{
	static long (*const steps[])(struct up *) = {
		find_memory, make_domain, set_vcpus, set_max_mem, set_affinity, set_share, alloc_ports, build, map_rings, bind_ports,
		write_tree, introduce, start_console, wait_devices,
	};
	struct up up = { .d = d, .config = &d->config, .error = error, .size = size };
	struct xen_domctl op;
	long err = 0;

	if (d->config.has_uuid)
		memcpy(d->uuid, d->config.uuid, sizeof(d->uuid));
	else
		random_uuid(d->uuid);
	choose_macs(d);
	for (unsigned int i = 0; i < ARRAY_SIZE(steps) && !err; i++)
		err = steps[i](&up);
	if (!err && !paused)
		err = failed(&up, "starting it", domctl(XEN_DOMCTL_unpausedomain, d->domid, &op));
	if (err)
		bring_down(d);
	d->created = now();
	d->handled = d->restarting = false;
	return err;
}

/* --- down --- */

static void close_port(int *port)
{
	if (*port > 0)
		evtchn_close(*port);
	*port = 0;
}

static void unmap_page(void **page)
{
	if (*page)
		foreign_unmap(*page);
	*page = NULL;
}

/* The hypervisor may need more than one call for it. */
static long destroy_domain(u16 domid)
{
	struct xen_domctl op;
	long err = -EAGAIN;

	for (int i = 0; i < DESTROY_TRIES && err == -EAGAIN; i++) {
		err = domctl(XEN_DOMCTL_destroydomain, domid, &op);
		if (err == -EAGAIN)
			thread_sleep(DESTROY_PAUSE);
	}
	return err == -ESRCH ? 0 : err;
}

int bring_down(struct managed *d)
{
	struct xen_domctl op;
	long err = 0;

	if (d->domid == DOMID_NONE)
		return 0;
	domctl(XEN_DOMCTL_pausedomain, d->domid, &op);
	if (d->in_tree)
		devices_remove_all(d->domid, &d->config);
	if (d->console)
		consback_stop(d->domid);
	if (d->in_tree)
		tree_remove(d);
	if (d->introduced)
		xenstored_release(d->domid);
	d->console = d->introduced = d->in_tree = false;
	close_port(&d->console_port);
	close_port(&d->store_port);
	unmap_page(&d->console_page);
	unmap_page(&d->store_page);
	err = destroy_domain(d->domid);
	if (!err)
		d->domid = DOMID_NONE;
	return err;
}

/* --- for commands --- */

int domains_create(const struct domain_config *config, bool paused, u16 *domid, char *error, size_t size)
{
	struct managed *d;
	int err;

	balloon_policy_begin_create(domains_known(config->name) ? 0 : config->memory + MEMORY_OVERHEAD);
	domains_lock();
	if (managed_by_name(config->name) || !strcmp(config->name, DOMAIN_0_NAME)) {
		snprintf(error, size, "there is a domain of that name");
		err = -EEXIST;
	} else if (!(d = managed_new(config))) {
		snprintf(error, size, "no memory for another domain's record");
		err = -ENOMEM;
	} else {
		err = bring_up(d, paused, error, size);
		*domid = d->domid;
		if (err)
			managed_free(d);
	}
	domains_unlock();
	balloon_policy_end_create();
	return err;
}

int domains_destroy(u16 domid, char *error, size_t size)
{
	struct managed *d;
	int err;

	if (!domid) {
		snprintf(error, size, "domain 0 cannot destroy itself");
		return -EINVAL;
	}
	domains_lock();
	d = managed_by_id(domid);
	err = d ? bring_down(d) : destroy_domain(domid);
	if (d && !err)
		managed_free(d);
	domains_unlock();
	if (err)
		snprintf(error, size, "destroying it: %s", errno_name(err));
	return err;
}

bool domains_cancel_restart(const char *name)
{
	struct managed *d;
	bool found;

	domains_lock();
	d = managed_by_name(name);
	found = d && d->restarting;
	if (found)
		managed_free(d);
	domains_unlock();
	return found;
}

int managed_rename(struct managed *d, const char *name)
{
	snprintf(d->config.name, sizeof(d->config.name), "%s", name);
	if (d->console)
		consback_rename(d->domid, name);
	return d->in_tree ? tree_rename(d, d->uuid) : 0;
}

int domains_rename(u16 domid, const char *name, char *error, size_t size)
{
	struct managed *d;
	int err;

	domains_lock();
	d = managed_by_id(domid);
	if (!d) {
		snprintf(error, size, "no domain that was created here");
		err = -ESRCH;
	} else if (!config_is_name(name)) {
		snprintf(error, size, "expected letters, digits and _ . + -, not a number, at most %u", CONFIG_NAME_MAX - 1);
		err = -EINVAL;
	} else if (managed_by_name(name) || !strcmp(name, DOMAIN_0_NAME)) {
		snprintf(error, size, "there is a domain of that name");
		err = -EEXIST;
	} else {
		err = managed_rename(d, name);
		snprintf(error, size, "xenstore: %s", errno_name(err));
	}
	domains_unlock();
	return err;
}

int domains_write(u16 domid, const char *below, const char *value)
{
	char path[80];
	struct managed *d;
	int err = -ESRCH;

	snprintf(path, sizeof(path), "/local/domain/%u/%s", domid, below);
	domains_lock();
	d = managed_by_id(domid);
	if (!domid || (d && d->in_tree))
		err = xs_write(XS_NO_TX, path, value);
	domains_unlock();
	return err;
}

int domains_request(u16 domid, const char *what)
{
	return domains_write(domid, "control/shutdown", what);
}

bool domains_info(u16 domid, struct xen_domctl_getdomaininfo *info)
{
	struct xen_domctl op;

	if (domctl(XEN_DOMCTL_getdomaininfo, domid, &op) || op.u.getdomaininfo.domain != domid)
		return false;
	*info = op.u.getdomaininfo;
	return true;
}

bool domains_find(const char *word, u16 *domid)
{
	struct xen_domctl_getdomaininfo info;
	struct managed *d;
	u64 id;

	if (parse_u64(word, &id)) {
		*domid = id;
		return id < DOMID_NONE && domains_info(id, &info);
	}
	*domid = 0;
	if (!strcmp(word, DOMAIN_0_NAME))
		return true;
	domains_lock();
	d = managed_by_name(word);
	*domid = d ? d->domid : DOMID_NONE;
	domains_unlock();
	return *domid != DOMID_NONE;
}

bool domains_known(const char *name)
{
	bool known;

	domains_lock();
	known = managed_by_name(name);
	domains_unlock();
	return known;
}

bool domains_name(u16 domid, char *name, size_t size)
{
	struct managed *d;

	snprintf(name, size, domid ? "(null)" : DOMAIN_0_NAME);
	if (!domid)
		return true;
	domains_lock();
	d = managed_by_id(domid);
	if (d)
		snprintf(name, size, "%s", d->config.name);
	domains_unlock();
	return d;
}

u64 domains_created(u16 domid)
{
	struct managed *d;
	u64 when;

	domains_lock();
	d = managed_by_id(domid);
	when = d ? d->created : 0;
	domains_unlock();
	return when;
}

int domains_list(struct xen_domctl_getdomaininfo **list)
{
	for (u32 room = 32;; room *= 2) {
		struct xen_sysctl op = { .u.getdomaininfolist.max_domains = room };
		long err = -ENOMEM;

		*list = kmalloc(room * sizeof(**list));
		op.u.getdomaininfolist.buffer = (u64)*list;
		if (*list)
			err = sysctl(XEN_SYSCTL_getdomaininfolist, &op);
		if (!err && op.u.getdomaininfolist.num_domains < room)
			return op.u.getdomaininfolist.num_domains;
		kfree(*list);
		*list = NULL;
		if (err)
			return err;
	}
}

void domains_init(void)
{
	actions_init();
}
