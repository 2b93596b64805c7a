/* SPDX-License-Identifier: MIT */
/* Bench: event channels from this domain to itself, grants of this domain to itself. */
#include <abi/callback.h>
#include <abi/event_channel.h>
#include <abi/grant_table.h>

#include "bench.h"
#include "boot.h"
#include "evtchn.h"
#include "gnttab.h"
#include "hypercall.h"
#include "lib.h"
#include "mm.h"

extern char upcall_entry[], handle_upcall[];

/* --- events ---------------------------------------------------------------------------------------------------- */

static u32 ports[2];			/* the two ends of the channel, or one of an IPI and 0 */

static void nothing(void *arg)
{
}

static void channel_begin(void)
{
	int first = evtchn_alloc_unbound(DOMID_SELF, nothing, NULL), second;

	ASSERT(first > 0);
	second = evtchn_bind_interdomain(DOMID_SELF, first, nothing, NULL);
	ASSERT(second > 0);
	ports[0] = first;
	ports[1] = second;
}

static void forget_events(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(shared_info->evtchn_pending); i++)
		shared_info->evtchn_pending[i] = 0;
	vcpu_info->evtchn_pending_sel = 0;
	vcpu_info->evtchn_upcall_pending = 0;
}

static void channel_end(void)
{
	evtchn_close(ports[1]);
	evtchn_close(ports[0]);
	forget_events();
}

/* Sending on `from` makes `to` pending. */
static void send_arg(u64 *arg, u32 from, u32 to)
{
	u32 *port = bench_page();

	*port = from;
	forget_events();
	arg[0] = (u64)port;
	arg[1] = (u64)&shared_info->evtchn_pending[to / 64];
	arg[2] = (u64)&vcpu_info->evtchn_pending_sel;
	arg[3] = (u64)&vcpu_info->evtchn_upcall_pending;
}

static void send(u64 *arg) { send_arg(arg, ports[1], ports[0]); }

static void status(u64 *arg)
{
	struct evtchn_status *s = bench_page();

	s->dom = DOMID_SELF;
	s->port = ports[0];
	arg[0] = (u64)s;
}

static u32 ipi;

static void send_ipi(u64 *arg)
{
	ipi = evtchn_bind_ipi(nothing, NULL);
	send_arg(arg, ipi, ipi);
}

static void close_ipi(void)
{
	evtchn_close(ipi);
}

static void register_upcall(const char *entry)
{
	struct callback_register cb = { .type = CALLBACKTYPE_event, .flags = CALLBACKF_mask_events, .address = (u64)entry };

	bench_check("event callback", HYPERVISOR_callback_op(CALLBACKOP_register, &cb));
}

static void upcalls(u64 *arg)
{
	send(arg);
	register_upcall(handle_upcall);
	WRITE_ONCE(vcpu_info->evtchn_upcall_mask, 0);
}

static void no_upcalls(void)
{
	WRITE_ONCE(vcpu_info->evtchn_upcall_mask, 1);
	register_upcall(upcall_entry);
	forget_events();
}

/* A port is searched for from 1 on, so those in use cost: the channel's second end is closed meanwhile. */
static void bind_args(u64 *arg)
{
	struct evtchn_alloc_unbound *alloc = bench_page();
	struct evtchn_bind_interdomain *bind = bench_page();

	evtchn_close(ports[1]);
	alloc->dom = alloc->remote_dom = bind->remote_dom = DOMID_SELF;
	arg[0] = (u64)alloc;
	arg[1] = (u64)bind;
	arg[2] = (u64)bench_page();
}

static void bind_end(void)
{
	evtchn_close(ports[0]);
	channel_begin();
}

static const struct bench events[] = {
	{ .name = "hc_evtchn_status", loop_call32_status, NULL, 1, status },
	{ .name = "evtchn_send_masked_already_pending", loop_send, NULL, 1, send },
	{ .name = "evtchn_send_masked_fresh", loop_send_fresh, NULL, 1, send },
	{ .name = "evtchn_send_ipi_masked_fresh", loop_send_fresh, NULL, 1, send_ipi, close_ipi },
	{ .name = "evtchn_send_upcall_hiret", loop_send, NULL, 1, upcalls, no_upcalls },
	{ .name = "evtchn_forced_callback", loop_forced_callback, NULL, 1, upcalls, no_upcalls },
	{ .name = "evtchn_send_masked_then_block_upcall", loop_send_block, NULL, 1, upcalls, no_upcalls },
	{ .name = "evtchn_unmask", loop_unmask, NULL, 1, send },
	{ .name = "evtchn_alloc_bind_close_close", loop_alloc_bind_close, NULL, 1, bind_args, bind_end },
};

const struct bench_group bench_events = { .title = "-- event channels", events, ARRAY_SIZE(events), channel_begin, channel_end };

/* --- grants ------------------------------------------------------------------------------------------------------- */

#define OWN_DOMID 0			/* this bench runs in domain 0; DOMID_SELF is refused as a granter */

static u32 refs[2];
static u64 frames[2];			/* pfns of what is granted */
static void *window;			/* where a grant is mapped */

static void grants_begin(void)
{
	for (int i = 0; i < 2; i++) {
		frames[i] = page_alloc();
		ASSERT(frames[i] != NO_PAGE);
		refs[i] = gnttab_grant(OWN_DOMID, frames[i], false);
		ASSERT(refs[i] != GRANT_NONE);
	}
	window = vmalloc(PAGE_SIZE);
	ASSERT(window);
}

static void grants_end(void)
{
	for (int i = 0; i < 2; i++) {
		ASSERT(gnttab_end(refs[i]));
		page_free(frames[i]);
	}
	vfree(window);
}

static u64 window_pte;

static void map_args(u64 *arg)
{
	struct gnttab_map_grant_ref *map = bench_page();
	struct gnttab_unmap_grant_ref *unmap = bench_page();

	window_pte = *pt_lookup((u64)window);
	bench_check("unmap", HYPERVISOR_update_va_mapping((u64)window, 0, UVMF_INVLPG));
	*map = (struct gnttab_map_grant_ref){
		.host_addr = (u64)window, .flags = GNTMAP_host_map, .ref = refs[0], .dom = OWN_DOMID };
	unmap->host_addr = (u64)window;
	arg[0] = (u64)map;
	arg[1] = (u64)unmap;
}

static void map_back(void)
{
	bench_check("map back", HYPERVISOR_update_va_mapping((u64)window, window_pte, UVMF_INVLPG));
}

static void copy_args(u64 *arg, u16 bytes, bool to_gref)
{
	struct gnttab_copy *c = bench_page();

	for (int i = 0; i < 16; i++) {
		c[i] = (struct gnttab_copy){ .len = bytes, .flags = GNTCOPY_source_gref | (to_gref ? GNTCOPY_dest_gref : 0) };
		c[i].source.u.ref = refs[0];
		c[i].source.domid = OWN_DOMID;
		c[i].dest.domid = to_gref ? OWN_DOMID : DOMID_SELF;
		if (to_gref)
			c[i].dest.u.ref = refs[1];
		else
			c[i].dest.u.gmfn = pfn_to_mfn(frames[1]);
	}
	arg[0] = (u64)c;
}

static void copy_page_gfn(u64 *arg) { copy_args(arg, 4096, false); }
static void copy_64_gfn(u64 *arg) { copy_args(arg, 64, false); }
static void copy_page_gref(u64 *arg) { copy_args(arg, 4096, true); }
static void copy_64_gref(u64 *arg) { copy_args(arg, 64, true); }

static const struct bench grants[] = {
	{ .name = "gnttab_map_unmap_pair", loop_grant_pair, NULL, 1, map_args, map_back },
	{ .name = "gnttab_map", loop_only_grant_map, NULL, 1, map_args, map_back, 0, loop_only_empty },
	{ .name = "gnttab_unmap", loop_only_grant_unmap, NULL, 1, map_args, map_back, 0, loop_only_empty },
	{ .name = "gnttab_copy_4096_gref_to_gfn", loop_grant_copy_1, NULL, 1, copy_page_gfn },
	{ .name = "gnttab_copy_64_gref_to_gfn", loop_grant_copy_1, NULL, 1, copy_64_gfn },
	{ .name = "gnttab_copy_4096_gref_to_gref", loop_grant_copy_1, NULL, 1, copy_page_gref },
	{ .name = "gnttab_copy_64_gref_to_gref", loop_grant_copy_1, NULL, 1, copy_64_gref },
	{ .name = "gnttab_copy_64_batch16_per_copy", loop_grant_copy_16, NULL, 16, copy_64_gfn },
};

const struct bench_group bench_grants = { .title = "-- grants", grants, ARRAY_SIZE(grants), grants_begin, grants_end };
